/* What the shared store promises: all that a store does; a schema that is ours and current; that
 * no two gateways write by one name; and that the database itself refuses what must not be. */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/pool.h"
#include "tests/support/cluster.h"
#include "tests/unit/vito/store_suite.h"
#include "vito/store/postgres/link.h"
#include "vito/store/postgres/postgres.h"

static char uri[256], admin_uri[256], name[32];
static char problem[512];
static struct vito_postgres *database;

/* One server for all tests, a database for each. */
static struct cluster cluster;

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    cluster_start(&cluster);
    setenv("TWIN_TEST_CLUSTER", cluster.directory, 1);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    (void)stats;
    cluster_stop(&cluster);
}

/* Runs SQL as the database's owner; returns the first value as a number, or the error. */
static int64_t
run_sql_on(const char *where, const char *sql, char *error, size_t room)
{
    PGconn *connection = PQconnectdb(where);
    cr_assert_eq(PQstatus(connection), CONNECTION_OK, "%s", PQerrorMessage(connection));
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    int64_t number = status == PGRES_TUPLES_OK && PQntuples(result) > 0
                         ? strtoll(PQgetvalue(result, 0, 0), NULL, 10)
                         : 0;
    if (error != NULL)
        snprintf(error, room, "%s", PQresultErrorMessage(result));
    else
        cr_assert(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK, "%s",
                  PQresultErrorMessage(result));
    PQclear(result);
    PQfinish(connection);
    return number;
}

static int64_t
run_sql(const char *sql)
{
    return run_sql_on(uri, sql, NULL, 0);
}

static enum rt_status
open_as(const char *node, bool migrate, struct vito_postgres **database_out)
{
    struct vito_postgres_options options = {
        .uri = uri, .node = node, .migrate = migrate, .world = rt_world_real()};
    problem[0] = '\0';
    return vito_postgres_open(&options, database_out, problem, sizeof(problem));
}

static void
setup(void)
{
    snprintf(cluster.directory, sizeof(cluster.directory), "%s", getenv("TWIN_TEST_CLUSTER"));
    snprintf(name, sizeof(name), "test_%d", (int)getpid());
    cluster_uri(&cluster, "postgres", admin_uri, sizeof(admin_uri));
    cluster_uri(&cluster, name, uri, sizeof(uri));
    char sql[64];
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s", name);
    run_sql_on(admin_uri, sql, NULL, 0);
}

static void
teardown(void)
{
    vito_postgres_close(database);
    char sql[64];
    snprintf(sql, sizeof(sql), "DROP DATABASE %s WITH (FORCE)", name);
    run_sql_on(admin_uri, sql, NULL, 0);
}

static enum rt_status
begin(void *self)
{
    (void)self;
    return vito_postgres_begin(database);
}

static bool
execute(void *self, const struct vito_request *request, struct vito_stored *stored_out,
        struct rt_buffer **document_out)
{
    (void)self;
    return vito_postgres_execute(database, request, stored_out, document_out);
}

static enum rt_status
commit(void *self)
{
    (void)self;
    return vito_postgres_commit(database);
}

static void
rollback(void *self)
{
    (void)self;
    vito_postgres_rollback(database);
}

static void
restart(void *self, int64_t now_ms)
{
    (void)self, (void)now_ms;
    vito_postgres_close(database);
    database = NULL;
    cr_assert_eq(open_as("test", true, &database), RT_OK, "%s", problem);
}

static void
check(void *self)
{
    (void)self;
    cr_assert_eq(vito_postgres_check(database, problem, sizeof(problem)), RT_OK, "%s", problem);
}

static const struct store_driver driver = {.begin = begin,
                                           .execute = execute,
                                           .commit = commit,
                                           .rollback = rollback,
                                           .restart = restart,
                                           .check = check};

static void
setup_store(void)
{
    setup();
    restart(NULL, 0);
}

TestSuite(store_postgres, .init = setup_store, .fini = teardown, .timeout = 60);

#define STORE_TEST(case_name)                                                                      \
    Test(store_postgres, case_name)                                                                \
    {                                                                                              \
        store_suite_##case_name(&driver);                                                          \
    }
STORE_SUITE(STORE_TEST)
STORE_SUITE_VAULT(STORE_TEST)
STORE_SUITE_TRAIL(STORE_TEST)
STORE_SUITE_TURNS(STORE_TEST)
STORE_SUITE_TICKETS(STORE_TEST)

TestSuite(postgres, .init = setup, .fini = teardown, .timeout = 60);

static void
expect_problem(const char *text)
{
    cr_assert_not_null(strstr(problem, text), "\"%s\" in \"%s\"", text, problem);
}

Test(postgres, an_empty_database_is_refused_without_migrating)
{
    cr_assert_eq(open_as("a", false, &database), RT_INVALID);
    expect_problem("has schema version 0");
    expect_problem("twin-gateway migrate");
    cr_assert_eq(run_sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'vito'"), 0);
}

Test(postgres, a_newer_schema_is_refused)
{
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    vito_postgres_close(database);
    database = NULL;
    run_sql("INSERT INTO vito.schema_migrations VALUES (999, 'later')");
    cr_assert_eq(open_as("a", true, &database), RT_INVALID);
    expect_problem("has schema version 999");
    expect_problem("install the newer program");
}

Test(postgres, another_programs_schema_is_left_alone)
{
    run_sql("CREATE SCHEMA twin");
    cr_assert_eq(open_as("a", true, &database), RT_INVALID);
    expect_problem("not ours");
    cr_assert_eq(run_sql("SELECT count(*) FROM pg_namespace WHERE nspname = 'vito'"), 0);
}

Test(postgres, a_server_that_is_away_is_named_without_its_password)
{
    snprintf(uri, sizeof(uri), "postgresql://gw:hunter2@127.0.0.1:1/twin");
    cr_assert_eq(open_as("a", true, &database), RT_IO);
    expect_problem("host=127.0.0.1");
    expect_problem("start PostgreSQL");
    cr_assert_null(strstr(problem, "hunter2"), "%s", problem);
    cluster_uri(&cluster, name, uri, sizeof(uri));
}

Test(postgres, a_database_in_another_encoding_is_refused)
{
    char sql[128], other[64];
    snprintf(other, sizeof(other), "%s_latin", name);
    snprintf(sql, sizeof(sql), "CREATE DATABASE %s TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'",
             other);
    run_sql_on(admin_uri, sql, NULL, 0);
    cluster_uri(&cluster, other, uri, sizeof(uri));
    cr_assert_eq(open_as("a", true, &database), RT_INVALID);
    expect_problem("UTF8");
    cluster_uri(&cluster, name, uri, sizeof(uri));
    snprintf(sql, sizeof(sql), "DROP DATABASE %s", other);
    run_sql_on(admin_uri, sql, NULL, 0);
}

Test(postgres, two_gateways_cannot_run_by_one_name)
{
    struct vito_postgres *other = NULL;
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    cr_assert_eq(open_as("a", true, &other), RT_EXISTS);
    expect_problem("a gateway named \"a\" is running");
    cr_assert_eq(open_as("b", true, &other), RT_OK, "%s", problem);
    vito_postgres_close(other);
}

static struct vito_request
month_request(enum vito_op op, int64_t limit_nusd)
{
    return (struct vito_request){.op = op,
                                 .tenant_id = "cantor",
                                 .period_end_ms = 1000,
                                 .budget = {.limit_nusd = limit_nusd}};
}

/* One request in a transaction of its own. */
static struct vito_stored
ask(struct vito_postgres *gateway, const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *document;
    cr_assert_eq(vito_postgres_begin(gateway), RT_OK);
    cr_assert(vito_postgres_execute(gateway, request, &stored, &document));
    rt_buffer_release(document);
    cr_assert_eq(vito_postgres_commit(gateway), RT_OK);
    return stored;
}

static int64_t
grant(struct vito_postgres *gateway, int64_t amount_nusd)
{
    struct vito_request request = month_request(VITO_BUDGET_GRANT, 0);
    request.budget.need_nusd = request.budget.want_nusd = amount_nusd;
    return ask(gateway, &request).budget.granted_nusd;
}

static void
open_with_grant(int64_t limit_nusd, int64_t grant_nusd)
{
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    struct vito_request open = month_request(VITO_BUDGET_OPEN, limit_nusd);
    cr_assert_eq(ask(database, &open).status, RT_OK);
    cr_assert_eq(grant(database, grant_nusd), grant_nusd);
}

static void
expect_refused(const char *sql, const char *why)
{
    char error[512];
    run_sql_on(uri, sql, error, sizeof(error));
    cr_assert_not_null(strstr(error, why), "\"%s\" in \"%s\"", why, error);
}

Test(postgres, the_database_refuses_what_is_beyond_the_limit)
{
    open_with_grant(1000, 600);
    expect_refused("UPDATE vito.budgets SET reserved_nusd = 1001", "within_limit");
    expect_refused("UPDATE vito.budgets SET posted_nusd = 401", "within_limit");
    expect_refused("UPDATE vito.budgets SET limit_nusd = 599", "within_limit");
    expect_refused("UPDATE vito.budgets SET excess_nusd = 1", "no_spare_excess");
    run_sql("UPDATE vito.budgets SET posted_nusd = 400");
}

Test(postgres, a_gateway_may_neither_change_nor_remove_what_was_recorded)
{
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    struct vito_request event = {
        .op = VITO_AUDIT_APPEND, .tenant_id = "cantor", .audit = {.id = "aud_1", .event = "TICK"}};
    cr_assert_eq(ask(database, &event).status, RT_OK);
    static const char *const changes[] = {"UPDATE vito.audit_logs SET event = 'TOCK'",
                                          "DELETE FROM vito.audit_logs",
                                          "TRUNCATE vito.audit_logs"};
    for (size_t i = 0; i < RT_COUNT_OF(changes); i++) {
        char sql[128];
        snprintf(sql, sizeof(sql), "SET ROLE twin_gateway; SET vito.tenants = '{*}'; %s",
                 changes[i]);
        expect_refused(sql,
                       strncmp(changes[i], "DELETE", 6) == 0 ? "append-only" : "permission denied");
        expect_refused(changes[i], "append-only"); /* not even its owner */
    }
    expect_refused("UPDATE vito.audit_heads SET pruned_seq = 1, seq = 2", "up to a checkpoint");
}

/* How the server would carry a statement out for a gateway, as one text. */
static void
explain(PGconn *connection, enum vito_pg_statement statement, char *plan, size_t room)
{
    const char *text = vito_pg_statement_text(statement);
    int arguments = 0;
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        int number = (int)strtol(at + 1, NULL, 10);
        arguments = number > arguments ? number : arguments;
    }
    char sql[256] = "EXPLAIN (COSTS OFF) EXECUTE explained (NULL";
    for (int i = 1; i < arguments; i++)
        strncat(sql, ", NULL", sizeof(sql) - strlen(sql) - 1);
    strncat(sql, ")", sizeof(sql) - strlen(sql) - 1);
    PQclear(PQexec(connection, "DEALLOCATE ALL"));
    PQclear(PQprepare(connection, "explained", text, 0, NULL));
    PGresult *result = PQexec(connection, sql);
    cr_assert_eq(PQresultStatus(result), PGRES_TUPLES_OK, "%s", PQresultErrorMessage(result));
    plan[0] = '\0';
    for (int i = 0; i < PQntuples(result); i++) {
        strncat(plan, PQgetvalue(result, i, 0), room - strlen(plan) - 2);
        strncat(plan, "\n", 2);
    }
    PQclear(result);
}

/* A plan for few rows stays until the server counts them again, when there are many. */
Test(postgres, rows_are_found_by_their_keys_though_there_are_few)
{
    open_with_grant(1000, 600);
    run_sql("INSERT INTO vito.usage (tenant_id, leg_id, period_start_ms, node, epoch, provider_id,"
            " mode, state, held_nusd, opened_ms) SELECT 'cantor', 'leg_' || i, 0, 'a', 1, 'p',"
            " 'text', 'open', 1, 1 FROM generate_series(1, 3) AS i; ANALYZE");
    static const struct {
        enum vito_pg_statement statement;
        const char *index;
    } looks[] = {{VITO_PG_LOAD_BUDGETS, "budgets_pkey"},  {VITO_PG_SAVE_BUDGETS, "budgets_pkey"},
                 {VITO_PG_LOAD_GRANTS, "grants_pkey"},    {VITO_PG_LOAD_LEGS, "usage_pkey"},
                 {VITO_PG_SAVE_LEGS, "usage_pkey"},       {VITO_PG_LOAD_HEADS, "audit_heads_pkey"},
                 {VITO_PG_SAVE_HEADS, "audit_heads_pkey"}};
    struct vito_pg_link link = {.world = rt_world_real()};
    cr_assert_eq(vito_pg_connect(&link, uri), RT_OK);
    PQclear(PQexec(link.connection, "SET ROLE twin_gateway; SET vito.tenants = '{cantor}'"));
    for (size_t i = 0; i < RT_COUNT_OF(looks); i++) {
        char plan[8192], scan[64];
        snprintf(scan, sizeof(scan), "Index Scan using %s", looks[i].index);
        explain(link.connection, looks[i].statement, plan, sizeof(plan));
        const char *at = strstr(plan, scan);
        cr_assert_not_null(at, "%s", plan);
        cr_assert_not_null(strstr(at, "Index Cond: ("), "%s", plan);
        cr_assert_null(strstr(plan, "Join Filter"), "%s", plan);
    }
    vito_pg_disconnect(&link);
}

Test(postgres, a_gateway_sees_the_tenants_it_names_and_no_others)
{
    open_with_grant(1000, 600);
    run_sql("INSERT INTO vito.tenants VALUES ('cantor', '{}'), ('other', '{}')");
    static const char as_gateway[] = "SET ROLE twin_gateway; SET vito.tenants = '%s'; %s";
    static const struct {
        const char *scope, *sql;
        int64_t seen;
    } cases[] = {
        {"{cantor}", "SELECT count(*) FROM vito.tenants", 1},
        {"{cantor}", "SELECT count(*) FROM vito.budgets", 1},
        {"{other}", "SELECT count(*) FROM vito.budgets", 0},
        {"{other}", "SELECT count(*) FROM vito.grants", 0},
        {"{cantor,other}", "SELECT count(*) FROM vito.tenants", 2},
        {"{*}", "SELECT count(*) FROM vito.tenants", 2},
        {"{}", "SELECT count(*) FROM vito.tenants", 0},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        char sql[256];
        snprintf(sql, sizeof(sql), as_gateway, cases[i].scope, cases[i].sql);
        cr_assert_eq(run_sql(sql), cases[i].seen, "%s", sql);
    }
    cr_assert_eq(run_sql("SET ROLE twin_gateway; SELECT count(*) FROM vito.tenants"), 0);
    expect_refused("SET ROLE twin_gateway; SET vito.tenants = '{other}';"
                   "INSERT INTO vito.audit_heads VALUES ('cantor', 9, sha256('x'))",
                   "row-level security");
}

Test(postgres, every_table_of_tenants_is_protected)
{
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    cr_assert_eq(run_sql("SELECT count(*) FROM pg_class AS c"
                         " JOIN pg_attribute AS a ON a.attrelid = c.oid"
                         " WHERE c.relnamespace IN ('vito'::regnamespace, 'twin'::regnamespace)"
                         " AND c.relkind = 'r' AND a.attname = 'tenant_id'"
                         " AND NOT (c.relrowsecurity AND EXISTS"
                         " (SELECT 1 FROM pg_policy WHERE polrelid = c.oid))"),
                 0);
}

Test(postgres, a_gateway_works_as_a_login_that_owns_nothing)
{
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    vito_postgres_close(database);
    database = NULL;
    char sql[256];
    snprintf(sql, sizeof(sql), "CREATE ROLE %s_gw LOGIN IN ROLE twin_gateway", name);
    run_sql(sql);
    snprintf(uri, sizeof(uri), "postgresql:///%s?host=%s&user=%s_gw", name, cluster.directory,
             name);
    cr_assert_eq(open_as("a", false, &database), RT_OK, "%s", problem);
    struct vito_request open = month_request(VITO_BUDGET_OPEN, 1000);
    cr_assert_eq(ask(database, &open).status, RT_OK);
    cr_assert_eq(grant(database, 700), 700);
    check(NULL);
    vito_postgres_close(database);
    database = NULL;
    cluster_uri(&cluster, name, uri, sizeof(uri));
    snprintf(sql, sizeof(sql), "DROP ROLE %s_gw", name);
    run_sql(sql);
}

Test(postgres, two_gateways_spend_one_limit_together)
{
    struct vito_postgres *other = NULL;
    open_with_grant(1000, 300);
    cr_assert_eq(open_as("b", true, &other), RT_OK, "%s", problem);
    cr_assert_eq(grant(other, 500), 500);
    cr_assert_eq(grant(database, 300), 0, "less than the need is left");
    cr_assert_eq(grant(database, 200), 200);
    cr_assert_eq(grant(other, 1), 0);
    vito_postgres_close(other);
    cr_assert_eq(run_sql("SELECT reserved_nusd FROM vito.budgets"), 1000,
                 "what the other one held stays its own until it is settled");
    check(NULL);
}

/* Keeps the row of node "a" for longer than a statement waits for a lock. */
static PGconn *
hold_row_of_node(void)
{
    PGconn *other = PQconnectdb(uri);
    PQclear(PQexec(other, "BEGIN"));
    PGresult *row = PQexec(other, "SELECT 1 FROM vito.nodes WHERE node = 'a' FOR UPDATE");
    cr_assert_eq(PQntuples(row), 1);
    PQclear(row);
    cr_assert_eq(PQsendQuery(other, "SELECT pg_sleep(2.5); COMMIT"), 1);
    return other;
}

Test(postgres, a_gateway_begins_though_others_hold_locks_at_first)
{
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    vito_postgres_close(database);
    database = NULL;
    PGconn *other = hold_row_of_node();
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    PQfinish(other);
}

/* Shows a ticket at a gateway of its own, while another one is at it. */
static void *
take_ticket(void *context)
{
    static const struct vito_request request = {.op = VITO_TICKET_TAKE, .tenant_id = "cantor"};
    enum rt_status status = ask(context, &request).status;
    rt_pool_thread_end();
    return (void *)(intptr_t)status;
}

static enum rt_status
race_for_ticket(struct vito_postgres *other, bool commits)
{
    struct vito_stored stored;
    struct rt_buffer *document;
    pthread_t thread;
    void *status;
    static const struct vito_request request = {.op = VITO_TICKET_TAKE, .tenant_id = "cantor"};
    cr_assert_eq(vito_postgres_begin(database), RT_OK);
    cr_assert(vito_postgres_execute(database, &request, &stored, &document));
    cr_assert_eq(stored.status, RT_OK);
    rt_buffer_release(document);
    cr_assert_eq(pthread_create(&thread, NULL, take_ticket, other), 0);
    while (run_sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == 0)
        usleep(1000);
    if (commits)
        cr_assert_eq(vito_postgres_commit(database), RT_OK);
    else
        vito_postgres_rollback(database);
    cr_assert_eq(pthread_join(thread, &status), 0);
    return (enum rt_status)(intptr_t)status;
}

Test(postgres, of_two_gateways_that_are_shown_a_ticket_at_once_one_takes_it)
{
    struct vito_postgres *other = NULL;
    cr_assert_eq(open_as("a", true, &database), RT_OK, "%s", problem);
    cr_assert_eq(open_as("b", true, &other), RT_OK, "%s", problem);
    run_sql("INSERT INTO vito.tenants VALUES ('cantor', '{}')");
    struct vito_request add = {
        .op = VITO_TICKET_ADD,
        .tenant_id = "cantor",
        .ticket = {.holder = {.name = "operator"}, .ttl_ms = 600000, .kept_max = 1}};
    cr_assert_eq(ask(database, &add).status, RT_OK);
    cr_assert_eq(race_for_ticket(other, false), RT_OK, "the first one came to nothing");
    cr_assert_eq(ask(database, &add).status, RT_OK);
    cr_assert_eq(race_for_ticket(other, true), RT_NOT_FOUND);
    vito_postgres_close(other);
}

Test(postgres, a_former_life_writes_nothing_any_more)
{
    open_with_grant(1000, 300);
    run_sql("UPDATE vito.nodes SET epoch = epoch + 1"); /* somebody has settled it */
    cr_assert_eq(vito_postgres_begin(database), RT_UNAVAILABLE);
    vito_postgres_rollback(database);
    cr_assert_eq(run_sql("SELECT reserved_nusd FROM vito.budgets"), 300);
}

Test(postgres, a_gateway_counts_itself_though_its_lease_has_run_out)
{
    open_with_grant(1000, 300);
    run_sql("UPDATE vito.nodes SET expires_at = '-infinity'"); /* the server stood still */
    struct vito_request request = month_request(VITO_BUDGET_GRANT, 0);
    request.budget.need_nusd = request.budget.want_nusd = 100;
    cr_assert_eq(ask(database, &request).budget.nodes, 1);
}

Test(postgres, a_changed_record_or_sum_is_found)
{
    open_with_grant(1000, 300);
    struct vito_request event = {
        .op = VITO_AUDIT_APPEND, .tenant_id = "cantor", .audit = {.id = "aud_1", .event = "TICK"}};
    cr_assert_eq(ask(database, &event).status, RT_OK);
    check(NULL);
    static const struct {
        const char *change, *problem, *back;
    } cases[] = {
        {"UPDATE vito.budgets SET reserved_nusd = 299", "reserved is the sum",
         "UPDATE vito.budgets SET reserved_nusd = 300"},
        {"UPDATE vito.budgets SET posted_nusd = 1", "posted is what",
         "UPDATE vito.budgets SET posted_nusd = 0"},
        {"ALTER TABLE vito.audit_logs DISABLE TRIGGER append_only;"
         "UPDATE vito.audit_logs SET event = 'TOCK'",
         "chains to the one before", "UPDATE vito.audit_logs SET event = 'TICK'"},
        {"ALTER TABLE vito.audit_logs DISABLE TRIGGER kept; DELETE FROM vito.audit_logs",
         "without gaps",
         "UPDATE vito.audit_heads SET seq = 0, chain = decode(repeat('00', 32), 'hex')"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        run_sql(cases[i].change);
        cr_assert_eq(vito_postgres_check(database, problem, sizeof(problem)), RT_INVALID);
        expect_problem(cases[i].problem);
        run_sql(cases[i].back);
        check(NULL);
    }
}
