/*
 * The schema: its version, and the way to the present one. Gateways that start at once take turns
 * by an advisory lock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vito/store/migrations.h"
#include "vito/store/postgres/internal.h"

static enum rt_status
refuse_error(struct vito_pg_link *link, const struct vito_pg_problem *problem)
{
    snprintf(link->message, sizeof(link->message), "%s", PQerrorMessage(link->connection));
    link->message[strcspn(link->message, "\n")] = '\0';
    return vito_pg_refuse(problem, RT_INVALID, link->message,
                          "migrate as a role that may create schemas and roles");
}

static bool
run(struct vito_pg_link *link, const char *sql)
{
    PGresult *result = PQexec(link->connection, sql);
    ExecStatusType status = PQresultStatus(result);
    PQclear(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* The one number that a statement yields. */
static bool
read_number(struct vito_pg_link *link, const char *sql, int *number_out)
{
    PGresult *result = PQexec(link->connection, sql);
    bool found = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1;
    if (found)
        *number_out = (int)strtol(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    return found;
}

/* 0 when there is none of our tables. */
static enum rt_status
read_version(struct vito_pg_link *link, const struct vito_pg_problem *problem, int *version_out)
{
    int things, ours;
    if (!read_number(link, "SELECT count(*) FROM pg_namespace WHERE nspname IN ('vito', 'twin')",
                     &things) ||
        !read_number(link, "SELECT (to_regclass('vito.schema_migrations') IS NOT NULL)::int",
                     &ours))
        return refuse_error(link, problem);
    *version_out = 0;
    if (!ours)
        return things == 0 ? RT_OK
                           : vito_pg_refuse(problem, RT_INVALID,
                                            "has a schema \"vito\" or \"twin\" that is not ours",
                                            "name another database in TWIN_STORE");
    return read_number(link, "SELECT coalesce(max(version), 0) FROM vito.schema_migrations",
                       version_out)
               ? RT_OK
               : refuse_error(link, problem);
}

/* Statements and the record of them in one transaction. */
static bool
migrate_to(struct vito_pg_link *link, int version)
{
    const struct vito_migration *migration = &vito_postgres_migrations[version - 1];
    char record[256];
    snprintf(record, sizeof(record),
             "INSERT INTO vito.schema_migrations (version, name) VALUES (%d, '%s')", version,
             migration->name);
    return run(link, "BEGIN") && run(link, migration->sql) && run(link, record) &&
           run(link, "COMMIT");
}

static enum rt_status
migrate_locked(struct vito_pg_link *link, bool migrate, const struct vito_pg_problem *problem)
{
    int version;
    enum rt_status status = read_version(link, problem, &version);
    if (status != RT_OK || version == vito_postgres_migration_count)
        return status;
    char what[96];
    snprintf(what, sizeof(what), "has schema version %d, and this program knows %d", version,
             vito_postgres_migration_count);
    if (version > vito_postgres_migration_count)
        return vito_pg_refuse(problem, RT_INVALID, what, "install the newer program");
    if (!migrate)
        return vito_pg_refuse(problem, RT_INVALID, what, "run \"twin-gateway migrate\"");
    for (int next = version + 1; next <= vito_postgres_migration_count; next++)
        if (!migrate_to(link, next)) {
            status = refuse_error(link, problem);
            return run(link, "ROLLBACK") ? status : RT_IO;
        }
    return RT_OK;
}

enum rt_status
vito_pg_migrate(struct vito_pg_link *link, bool migrate, const struct vito_pg_problem *problem)
{
    /* "TWIN", and what it is for. */
    if (!run(link, "SET lock_timeout = '30s'") ||
        !run(link, "SELECT pg_advisory_lock(1415006542, 0)"))
        return refuse_error(link, problem);
    enum rt_status status = migrate_locked(link, migrate, problem);
    bool unlocked = run(link, "SELECT pg_advisory_unlock(1415006542, 0)") &&
                    run(link, "SET lock_timeout = '2s'");
    return status == RT_OK && !unlocked ? refuse_error(link, problem) : status;
}
