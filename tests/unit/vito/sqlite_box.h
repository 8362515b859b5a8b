/*
 * tests/unit/vito/sqlite_box.h - an embedded store in a directory of its own, and a look into it
 * past the port.
 */
#ifndef TESTS_SQLITE_BOX_H
#define TESTS_SQLITE_BOX_H

#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "vito/store/sqlite/sqlite.h"

static char directory[] = "/tmp/test_sqlite_XXXXXX";

static char path[64];

static char problem[256];

static struct vito_sqlite *database;

static inline enum rt_status
open_store(bool migrate)
{
    problem[0] = '\0';
    return vito_sqlite_open(path, migrate, 1000, &database, problem, sizeof(problem));
}

static inline void
close_store(void)
{
    vito_sqlite_close(database);
    database = NULL;
}

static inline void
setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/twin.db", directory);
}

static inline void
teardown(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal", ".lock"};
    close_store();
    for (size_t i = 0; i < RT_COUNT_OF(suffixes); i++) {
        char name[96];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    rmdir(directory);
}

/* Runs SQL as somebody else would. */
static inline void
run_sql(const char *sql)
{
    sqlite3 *db;
    char *error = NULL;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
    sqlite3_close(db);
}

static inline int64_t
number_of(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK, "%s",
                 sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return number;
}

#endif
