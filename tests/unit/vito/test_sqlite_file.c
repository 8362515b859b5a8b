/* What the embedded store promises of its file: made for us alone, ours and whole or refused, never
 * changed when it is refused, and brought up to date with all it has. */
#include <criterion/criterion.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/random.h"
#include "tests/unit/vito/sqlite_box.h"
#include "vito/store/migrations.h"

TestSuite(sqlite_file, .init = setup, .fini = teardown, .timeout = 60);

/* The whole file, and its length. */
static size_t
read_all(uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    cr_assert_not_null(file);
    size_t size = fread(bytes, 1, room, file);
    fclose(file);
    return size;
}

static void
write_all(const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, size, file), size);
    fclose(file);
}

static uint8_t before[1 << 20], after[1 << 20];

/* The store must refuse the file as it is, say so in one line, and leave it alone. */
static void
assert_refused(enum rt_status wanted, const char *what)
{
    size_t size = read_all(before, sizeof(before));
    cr_assert_eq(open_store(true), wanted, "%s", problem);
    cr_assert_null(database);
    cr_assert_not_null(strstr(problem, what), "%s", problem);
    cr_assert_not_null(strstr(problem, path), "%s", problem);
    cr_assert_null(strchr(problem, '\n'));
    cr_assert_eq(read_all(after, sizeof(after)), size);
    cr_assert_eq(memcmp(before, after, size), 0);
}

Test(sqlite_file, a_new_file_is_made_for_us_alone)
{
    cr_assert_eq(open_store(true), RT_OK, "%s", problem);
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(number_of("SELECT epoch FROM vito_nodes"), 1);
    cr_assert_eq(number_of("SELECT applied_ms FROM vito_schema_migrations"), 1000);
    cr_assert_eq(number_of("PRAGMA user_version"), vito_sqlite_migration_count);
    close_store();
    cr_assert_eq(open_store(false), RT_OK, "%s", problem);
    cr_assert_eq(number_of("SELECT epoch FROM vito_nodes"), 2);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_schema_migrations"),
                 vito_sqlite_migration_count);
}

Test(sqlite_file, an_empty_file_is_a_new_one)
{
    write_all("", 0);
    cr_assert_eq(open_store(true), RT_OK, "%s", problem);
}

Test(sqlite_file, memory_is_a_store_too)
{
    cr_assert_eq(vito_sqlite_open(":memory:", true, 0, &database, problem, sizeof(problem)), RT_OK,
                 "%s", problem);
    cr_assert_eq(vito_sqlite_check(database, problem, sizeof(problem)), RT_OK);
}

Test(sqlite_file, without_leave_to_migrate_nothing_is_made)
{
    cr_assert_eq(open_store(false), RT_INVALID);
    cr_assert_not_null(strstr(problem, "twin-gateway migrate"));
    cr_assert_neq(access(path, F_OK), 0);
}

Test(sqlite_file, a_missing_directory_is_told)
{
    snprintf(path, sizeof(path), "%s/none/twin.db", directory);
    cr_assert_eq(open_store(true), RT_IO);
    cr_assert_not_null(strstr(problem, "make its directory"));
}

Test(sqlite_file, a_file_that_is_no_database_is_refused)
{
    write_all("To whom it may concern", 22);
    assert_refused(RT_INVALID, "is not an SQLite database");
    memset(before, 'x', 10000);
    write_all(before, 10000);
    assert_refused(RT_INVALID, "is not an SQLite database");
    memset(before, 0, 10000);
    write_all(before, 10000);
    assert_refused(RT_INVALID, "is not an SQLite database");
}

Test(sqlite_file, another_programs_database_is_refused)
{
    run_sql("CREATE TABLE diary (entry TEXT)");
    assert_refused(RT_INVALID, "belongs to another program");
    unlink(path);
    run_sql("PRAGMA journal_mode = WAL; CREATE TABLE diary (entry TEXT); PRAGMA user_version = 1");
    assert_refused(RT_INVALID, "belongs to another program");
    char log[96];
    snprintf(log, sizeof(log), "%s.lock", path);
    cr_assert_neq(access(log, F_OK), 0, "nothing is left beside it");
}

Test(sqlite_file, a_newer_schema_is_refused)
{
    cr_assert_eq(open_store(true), RT_OK);
    close_store();
    run_sql("PRAGMA user_version = 99");
    assert_refused(RT_INVALID, "schema version 99");
    cr_assert_not_null(strstr(problem, "install the newer program"));
}

Test(sqlite_file, a_newer_schema_that_is_only_in_the_log_is_refused)
{
    cr_assert_eq(open_store(true), RT_OK);
    close_store();
    sqlite3 *newer;
    cr_assert_eq(sqlite3_open(path, &newer), SQLITE_OK);
    sqlite3_db_config(newer, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    cr_assert_eq(sqlite3_exec(newer, "PRAGMA user_version = 99", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(newer);
    assert_refused(RT_INVALID, "schema version 99");
}

Test(sqlite_file, a_file_cut_short_anywhere_is_refused)
{
    cr_assert_eq(open_store(true), RT_OK);
    close_store();
    static uint8_t whole[1 << 20];
    size_t size = read_all(whole, sizeof(whole));
    cr_assert_gt(size, 20 * 4096);
    for (size_t cut = 1; cut < size; cut += cut < 200 ? 13 : 1777) {
        write_all(whole, cut);
        assert_refused(RT_INVALID, cut < 100 ? "is not an SQLite database" : "is cut short");
    }
    for (size_t cut = 4096; cut < size; cut += 4096) {
        write_all(whole, cut);
        assert_refused(RT_INVALID, "is cut short");
    }
    write_all(whole, size);
    cr_assert_eq(open_store(true), RT_OK, "%s", problem);
}

Test(sqlite_file, a_file_cut_short_beside_a_log_is_refused)
{
    cr_assert_eq(open_store(true), RT_OK);
    close_store();
    static uint8_t whole[1 << 20];
    size_t size = read_all(whole, sizeof(whole));
    char log[96];
    snprintf(log, sizeof(log), "%s-wal", path);
    for (size_t cut = 4096; cut < size; cut += 4096) {
        write_all(whole, cut);
        FILE *file = fopen(log, "wb");
        fputs("a log of nothing", file);
        fclose(file);
        cr_assert_eq(open_store(true), RT_INVALID, "%s", problem);
        cr_assert_eq(read_all(after, sizeof(after)), cut);
        cr_assert_eq(memcmp(whole, after, cut), 0);
    }
}

/* What a crash leaves: the file as it was, and all later pages in the log. */
static void
crash_after(const char *sql)
{
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

Test(sqlite_file, a_file_cut_short_below_a_good_log_is_refused)
{
    cr_assert_eq(open_store(true), RT_OK);
    close_store();
    char sql[96];
    snprintf(sql, sizeof(sql), "UPDATE vito_nodes SET epoch = epoch + 1; PRAGMA user_version = %d",
             vito_sqlite_migration_count);
    crash_after(sql);
    static uint8_t whole[1 << 20];
    size_t size = read_all(whole, sizeof(whole));
    write_all(whole, size - 4096);
    cr_assert_eq(open_store(true), RT_INVALID, "%s", problem);
    cr_assert_not_null(strstr(problem, "is cut short"), "%s", problem);
    write_all(whole, size);
    cr_assert_eq(open_store(true), RT_OK, "%s", problem);
    cr_assert_eq(number_of("SELECT epoch FROM vito_nodes"), 3, "the log counts");
}

Test(sqlite_file, a_store_of_an_older_version_is_brought_up_to_date_with_all_it_has)
{
    char sql[128];
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, vito_sqlite_migrations[0].sql, NULL, NULL, NULL), SQLITE_OK);
    snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = 1", 0x5457494e);
    cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_exec(db, "INSERT INTO vito_tenants VALUES ('old', '{}')", NULL, NULL, NULL);
    sqlite3_close(db);
    cr_assert_eq(open_store(false), RT_INVALID);
    cr_assert_not_null(strstr(problem, "twin-gateway migrate"), "%s", problem);
    cr_assert_eq(open_store(true), RT_OK, "%s", problem);
    cr_assert_eq(number_of("PRAGMA user_version"), vito_sqlite_migration_count);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_tenants WHERE tenant_id = 'old'"), 1);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_secrets"), 0);
}

Test(sqlite_file, what_is_no_file_is_refused)
{
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(open_store(true), RT_INVALID);
    cr_assert_not_null(strstr(problem, "is not a file"));
    rmdir(path);
}

Test(sqlite_file, garbled_files_are_refused_or_opened_and_never_crash)
{
    cr_assert_eq(open_store(true), RT_OK);
    close_store();
    static uint8_t whole[1 << 20];
    size_t size = read_all(whole, sizeof(whole));
    struct rt_random random;
    rt_random_seed(&random, 10);
    unsigned refused = 0;
    for (int i = 0; i < 300; i++) {
        memcpy(before, whole, size);
        for (int n = 0; n < 20; n++)
            before[rt_random_below(&random, size)] = (uint8_t)rt_random_u64(&random);
        write_all(before, size);
        if (open_store(true) != RT_OK)
            refused++;
        close_store();
        char log[96];
        snprintf(log, sizeof(log), "%s-wal", path);
        unlink(log);
    }
    cr_assert_gt(refused, 10);
}

Test(sqlite_file, a_second_gateway_is_kept_out)
{
    cr_assert_eq(open_store(true), RT_OK);
    struct vito_sqlite *second = NULL;
    cr_assert_eq(vito_sqlite_open(path, true, 0, &second, problem, sizeof(problem)), RT_IO);
    cr_assert_not_null(strstr(problem, "another gateway uses it"));
    close_store();
    cr_assert_eq(open_store(true), RT_OK);
}

Test(sqlite_file, others_can_read_while_the_gateway_runs)
{
    cr_assert_eq(open_store(true), RT_OK);
    cr_assert_eq(vito_sqlite_begin(database), RT_OK);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_audit_logs"), 0);
    cr_assert_eq(vito_sqlite_commit(database), RT_OK);
}
