/*
 * Opening and closing the database.
 */
#include "vito/store/sqlite/sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "vito/store/sqlite/internal.h"

enum rt_status
vito_store_refuse(const struct vito_store_problem *problem, enum rt_status status, const char *what,
                  const char *remedy)
{
    snprintf(problem->text, problem->room_bytes, "store %s: %s: %s", problem->path, what, remedy);
    return status;
}

enum rt_status
vito_store_refuse_error(const struct vito_store_problem *problem, sqlite3 *db)
{
    if (sqlite3_errcode(db) == SQLITE_FULL || sqlite3_system_errno(db) == ENOSPC)
        return vito_store_refuse(problem, RT_IO, "the disk is full", "make room on it");
    switch (sqlite3_errcode(db)) {
    case SQLITE_NOMEM:
        return vito_store_refuse(problem, RT_NO_MEMORY, "out of memory", "raise the limit");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return vito_store_refuse(problem, RT_INVALID, sqlite3_errmsg(db),
                                 "restore it from a backup");
    case SQLITE_BUSY:
        return vito_store_refuse(problem, RT_IO, sqlite3_errmsg(db),
                                 "end the program that writes to it");
    default:
        return vito_store_refuse(problem, RT_IO, sqlite3_errmsg(db),
                                 "mend the disk, or the rights on the file and its directory");
    }
}

/* Another gateway on the same file would settle our open legs as those of a former life. SQLite's
 * own locks cannot keep it out without keeping readers out as well. */
static enum rt_status
lock(struct vito_sqlite *database, const struct vito_store_problem *problem)
{
    char path[4096];
    int size = snprintf(path, sizeof(path), "%s.lock", problem->path);
    if (size < 0 || (size_t)size >= sizeof(path))
        return vito_store_refuse(problem, RT_IO, "the name is too long", "choose a shorter one");
    database->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (database->lock_fd < 0)
        return vito_store_refuse(problem, RT_IO, strerrordesc_np(errno),
                                 "make its directory, writable by the user that runs the gateway");
    if (flock(database->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return vito_store_refuse(problem, RT_IO, "another gateway uses it", "end that one first");
    return RT_OK;
}

/* Makes the file itself, because SQLite would let others read it. */
static enum rt_status
create_file(const struct vito_store_problem *problem, bool migrate)
{
    if (!migrate)
        return vito_store_refuse(problem, RT_INVALID, "does not exist",
                                 "run \"twin-gateway migrate\"");
    int fd = open(problem->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return vito_store_refuse(problem, RT_IO, strerrordesc_np(errno),
                                 "make its directory, writable by the user that runs the gateway");
    close(fd);
    return RT_OK;
}

static enum rt_status
open_connection(struct vito_sqlite *database, const struct vito_store_problem *problem)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(problem->path, &database->db, flags, NULL) != SQLITE_OK)
        return database->db == NULL
                   ? vito_store_refuse(problem, RT_NO_MEMORY, "out of memory", "raise the limit")
                   : vito_store_refuse_error(problem, database->db);
    sqlite3_busy_timeout(database->db, VITO_BUSY_TIMEOUT_MS);
    /* Until all is well the file is to stay as it is, whatever its log says. */
    sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(database->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return RT_OK;
}

static enum rt_status
check_pages(struct vito_sqlite *database, const struct vito_store_problem *problem)
{
    sqlite3_stmt *statement = NULL;
    bool sound = sqlite3_prepare_v2(database->db, "PRAGMA quick_check(1)", -1, &statement, NULL) ==
                     SQLITE_OK &&
                 sqlite3_step(statement) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(statement, 0), "ok") == 0;
    sqlite3_finalize(statement);
    return sound
               ? RT_OK
               : vito_store_refuse(problem, RT_INVALID, "is cut short", "restore it from a backup");
}

static enum rt_status
configure(struct vito_sqlite *database, const struct vito_store_problem *problem)
{
    static const char settings[] = "PRAGMA journal_mode = WAL;"
                                   "PRAGMA synchronous = FULL;"
                                   "PRAGMA foreign_keys = ON;"
                                   "PRAGMA secure_delete = ON;"
                                   "PRAGMA temp_store = MEMORY;"
                                   "PRAGMA cache_size = -4096;" /* KiB */
                                   "PRAGMA journal_size_limit = 67108864;";
    if (sqlite3_exec(database->db, settings, NULL, NULL, NULL) != SQLITE_OK ||
        !vito_query_prepare_all(database))
        return vito_store_refuse_error(problem, database->db);
    return RT_OK;
}

static enum rt_status
recover(struct vito_sqlite *database, int64_t now_ms, const struct vito_store_problem *problem)
{
    if (vito_sqlite_begin(database) == RT_OK && vito_store_recover(database, now_ms) &&
        vito_query_run(database, QUERY_COMMIT, NULL, 0) == RT_EMPTY)
        return RT_OK;
    return vito_store_refuse_error(problem, database->db); /* before a rollback forgets why */
}

static enum rt_status
open_file(struct vito_sqlite *database, bool migrate, const struct vito_store_problem *problem)
{
    struct vito_store_file file;
    enum rt_status status = vito_store_probe(problem, &file);
    if (status == RT_OK)
        status = lock(database, problem);
    if (status == RT_OK && file.is_new)
        status = create_file(problem, migrate);
    if (status == RT_OK)
        status = open_connection(database, problem);
    if (status == RT_OK && file.needs_check)
        status = check_pages(database, problem);
    return status;
}

enum rt_status
vito_sqlite_open(const char *path, bool migrate, int64_t now_ms, struct vito_sqlite **database_out,
                 char *problem, size_t problem_bytes)
{
    RT_ASSERT(path != NULL);
    /* Counting its memory costs SQLite two locks a block. Heard before its first call only. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    const struct vito_store_problem where = {path, problem, problem_bytes};
    struct vito_sqlite *database = calloc(1, sizeof(*database));
    if (database == NULL)
        return vito_store_refuse(&where, RT_NO_MEMORY, "out of memory", "raise the limit");
    database->lock_fd = -1;

    bool in_memory = strcmp(path, ":memory:") == 0;
    enum rt_status status =
        in_memory ? open_connection(database, &where) : open_file(database, migrate, &where);
    /* The schema is made before the log is begun, so that the file's header tells whose it is
     * from its first commit on. */
    if (status == RT_OK)
        status = vito_store_migrate(database->db, migrate || in_memory, now_ms, &where);
    if (status == RT_OK)
        status = configure(database, &where);
    if (status == RT_OK)
        status = recover(database, now_ms, &where);
    if (status != RT_OK) {
        vito_sqlite_close(database);
        return status;
    }
    sqlite3_db_config(database->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    *database_out = database;
    return RT_OK;
}

void
vito_sqlite_close(struct vito_sqlite *database)
{
    if (database == NULL)
        return;
    vito_query_finalize_all(database);
    int code = sqlite3_close(database->db);
    RT_ASSERT(code == SQLITE_OK); /* every statement is finalized */
    if (database->lock_fd >= 0)
        close(database->lock_fd);
    free(database);
}
