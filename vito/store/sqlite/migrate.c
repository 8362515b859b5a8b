/*
 * The schema: its version, and the way to the present one.
 */
#include <stdio.h>

#include "vito/store/migrations.h"
#include "vito/store/sqlite/internal.h"

/* The one number that a statement yields. */
static bool
read_number(sqlite3 *db, const char *sql, int64_t *number_out)
{
    sqlite3_stmt *statement = NULL;
    bool found = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *number_out = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return found;
}

static bool
record_migration(sqlite3 *db, int version, int64_t now_ms)
{
    sqlite3_stmt *statement = NULL;
    static const char sql[] = "INSERT INTO vito_schema_migrations (version, name, applied_ms)"
                              " VALUES (?1, ?2, ?3)";
    bool recorded = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_bind_int(statement, 1, version) == SQLITE_OK &&
                    sqlite3_bind_text(statement, 2, vito_sqlite_migrations[version - 1].name, -1,
                                      SQLITE_STATIC) == SQLITE_OK &&
                    sqlite3_bind_int64(statement, 3, now_ms) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_DONE;
    sqlite3_finalize(statement);
    return recorded;
}

/* One transaction, so that a crash leaves the version before or after. */
static bool
migrate_to(sqlite3 *db, int version, int64_t now_ms)
{
    char header[128];
    snprintf(header, sizeof(header), "PRAGMA application_id = %d; PRAGMA user_version = %d;",
             VITO_APPLICATION_ID, version);
    bool done =
        sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, vito_sqlite_migrations[version - 1].sql, NULL, NULL, NULL) == SQLITE_OK &&
        record_migration(db, version, now_ms) &&
        sqlite3_exec(db, header, NULL, NULL, NULL) == SQLITE_OK &&
        sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    return done;
}

/* The version of the schema in the file; 0 when it is empty. */
static enum rt_status
read_version(sqlite3 *db, const struct vito_store_problem *problem, int64_t *version_out)
{
    int64_t application_id, things;
    if (!read_number(db, "PRAGMA application_id", &application_id) ||
        !read_number(db, "PRAGMA user_version", version_out) ||
        !read_number(db, "SELECT count(*) FROM sqlite_schema", &things))
        return vito_store_refuse_error(problem, db);
    if (application_id != VITO_APPLICATION_ID && things > 0)
        return vito_store_refuse(problem, RT_INVALID, "belongs to another program",
                                 "name another file in TWIN_STORE");
    return RT_OK;
}

enum rt_status
vito_store_migrate(sqlite3 *db, bool migrate, int64_t now_ms,
                   const struct vito_store_problem *problem)
{
    int64_t version = 0;
    enum rt_status status = read_version(db, problem, &version);
    if (status != RT_OK || version == vito_sqlite_migration_count)
        return status;
    char what[96];
    snprintf(what, sizeof(what), "has schema version %lld, and this program knows %d",
             (long long)version, vito_sqlite_migration_count);
    if (version > vito_sqlite_migration_count || version < 0)
        return vito_store_refuse(problem, RT_INVALID, what, "install the newer program");
    if (!migrate)
        return vito_store_refuse(problem, RT_INVALID, what, "run \"twin-gateway migrate\"");
    for (int next = (int)version + 1; next <= vito_sqlite_migration_count; next++)
        if (!migrate_to(db, next, now_ms))
            return vito_store_refuse_error(problem, db);
    return RT_OK;
}
