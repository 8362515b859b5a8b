/*
 * vito/store/migrations.h - schema/sql/, built into the program (embed.cmake).
 */
#ifndef VITO_STORE_MIGRATIONS_H
#define VITO_STORE_MIGRATIONS_H

struct vito_migration {
    const char *name; /* "0001_core" */
    const char *sql;  /* NUL-terminated */
};

/* Number i brings the schema from version i to i + 1. */
extern const struct vito_migration vito_sqlite_migrations[];
extern const int vito_sqlite_migration_count;
extern const struct vito_migration vito_postgres_migrations[];
extern const int vito_postgres_migration_count;

#endif
