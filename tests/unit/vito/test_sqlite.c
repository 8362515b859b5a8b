/* What the embedded store promises: all that a store does, and a file that is ours, whole, used by
 * one gateway, and otherwise left as it is. */
#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/unit/vito/sqlite_box.h"
#include "tests/unit/vito/store_suite.h"

static enum rt_status
begin(void *self)
{
    (void)self;
    return vito_sqlite_begin(database);
}

static bool
execute(void *self, const struct vito_request *request, struct vito_stored *stored_out,
        struct rt_buffer **document_out)
{
    (void)self;
    return vito_sqlite_execute(database, request, stored_out, document_out);
}

static enum rt_status
commit(void *self)
{
    (void)self;
    return vito_sqlite_commit(database);
}

static void
rollback(void *self)
{
    (void)self;
    vito_sqlite_rollback(database);
}

static void
restart(void *self, int64_t now_ms)
{
    (void)self;
    close_store();
    cr_assert_eq(vito_sqlite_open(path, true, now_ms, &database, problem, sizeof(problem)), RT_OK,
                 "%s", problem);
}

static void
check(void *self)
{
    (void)self;
    cr_assert_eq(vito_sqlite_check(database, problem, sizeof(problem)), RT_OK, "%s", problem);
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

TestSuite(store_sqlite, .init = setup_store, .fini = teardown, .timeout = 60);

#define STORE_TEST(name)                                                                           \
    Test(store_sqlite, name)                                                                       \
    {                                                                                              \
        store_suite_##name(&driver);                                                               \
    }

STORE_SUITE(STORE_TEST)
STORE_SUITE_VAULT(STORE_TEST)
STORE_SUITE_TRAIL(STORE_TEST)
STORE_SUITE_TURNS(STORE_TEST)
STORE_SUITE_TICKETS(STORE_TEST)

TestSuite(sqlite, .init = setup, .fini = teardown, .timeout = 60);

static struct vito_stored
ask(const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *document = NULL;
    cr_assert_eq(vito_sqlite_begin(database), RT_OK);
    cr_assert(vito_sqlite_execute(database, request, &stored, &document));
    cr_assert_eq(vito_sqlite_commit(database), RT_OK);
    rt_buffer_release(document);
    return stored;
}

static struct vito_request
request_of(enum vito_op op)
{
    return (struct vito_request){
        .op = op, .tenant_id = "cantor", .period_start_ms = 0, .period_end_ms = 1000000};
}

static void
open_month(int64_t limit)
{
    struct vito_request request = request_of(VITO_BUDGET_OPEN);
    request.budget.limit_nusd = limit;
    cr_assert_eq(ask(&request).status, RT_OK);
    request.op = VITO_BUDGET_GRANT;
    request.budget.want_nusd = limit;
    ask(&request);
}

static struct vito_request
leg_of(enum vito_op op, int number)
{
    struct vito_request request = request_of(op);
    snprintf(request.leg.id, sizeof(request.leg.id), "leg_%08d", number);
    snprintf(request.leg.provider_id, sizeof(request.leg.provider_id), "openai");
    request.leg.held_nusd = 1;
    request.leg.cost_nusd = 1;
    return request;
}

Test(sqlite, tampering_is_seen_by_the_check)
{
    static const char *const tampering[] = {
        "UPDATE vito_budgets SET posted_nusd = posted_nusd + 1",
        "UPDATE vito_budgets SET reserved_nusd = 0",
        "UPDATE vito_grants SET left_nusd = left_nusd - 1",
        "UPDATE vito_usage SET cost_nusd = 0, overrun_nusd = 0 WHERE leg_id = 'leg_00000001'",
        "DELETE FROM vito_usage WHERE leg_id = 'leg_00000001'",
        "DROP TRIGGER vito_audit_logs_delete; DELETE FROM vito_audit_logs WHERE seq = 2",
        "DROP TRIGGER vito_audit_logs_delete; DELETE FROM vito_audit_logs WHERE seq = 4",
        "DROP TRIGGER vito_audit_logs_update; UPDATE vito_audit_logs SET at_ms = 5 WHERE seq = 1",
        "DROP TRIGGER vito_audit_logs_update;"
        " UPDATE vito_audit_logs SET details = '{}' WHERE seq = 3",
        "DROP TRIGGER vito_audit_logs_update; UPDATE vito_audit_logs SET seq = 9 WHERE seq = 1",
    };
    for (size_t i = 0; i < RT_COUNT_OF(tampering); i++) {
        cr_assert_eq(open_store(true), RT_OK, "%s", problem);
        open_month(1000);
        for (int leg = 1; leg <= 2; leg++) {
            struct vito_request request = leg_of(VITO_LEG_OPEN, leg);
            cr_assert_eq(ask(&request).status, RT_OK);
            request.op = VITO_LEG_SETTLE;
            cr_assert_eq(ask(&request).status, RT_OK);
        }
        struct vito_request event = request_of(VITO_AUDIT_APPEND);
        memcpy(event.audit.id, "aud_1", 6);
        memcpy(event.audit.event, "TICK", 5);
        cr_assert_eq(ask(&event).status, RT_OK);
        struct vito_request last = leg_of(VITO_LEG_OPEN, 3);
        cr_assert_eq(ask(&last).status, RT_OK);
        last.op = VITO_LEG_SETTLE;
        cr_assert_eq(ask(&last).status, RT_OK);
        cr_assert_eq(vito_sqlite_check(database, problem, sizeof(problem)), RT_OK, "%s", problem);
        run_sql(tampering[i]);
        cr_assert_eq(vito_sqlite_check(database, problem, sizeof(problem)), RT_INVALID, "%s",
                     tampering[i]);
        close_store();
        unlink(path);
    }
}

Test(sqlite, the_audit_trail_cannot_be_changed_by_mistake)
{
    cr_assert_eq(open_store(true), RT_OK);
    struct vito_request event = request_of(VITO_AUDIT_APPEND);
    memcpy(event.audit.id, "aud_1", 6);
    memcpy(event.audit.event, "TICK", 5);
    ask(&event);
    sqlite3 *db;
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_neq(sqlite3_exec(db, "DELETE FROM vito_audit_logs", NULL, NULL, NULL), SQLITE_OK);
    cr_assert_neq(sqlite3_exec(db, "UPDATE vito_audit_logs SET at_ms = 1", NULL, NULL, NULL),
                  SQLITE_OK);
    sqlite3_close(db);
}

Test(sqlite, policy_configs_are_kept_by_version)
{
    static const char *const documents[] = {"{}", "{\"display_name\":\"x\"}",
                                            "{\"policy_config\": {\"rate\":{\"burst\":1}}}",
                                            "{\"policy_config\":{\"rate\":{\"burst\":1}},\"x\":1}",
                                            "{\"policy_config\":{\"rate\":{\"burst\":2}}}"};
    cr_assert_eq(open_store(true), RT_OK);
    struct vito_request request = request_of(VITO_TENANT_PUT);
    for (size_t i = 0; i < RT_COUNT_OF(documents); i++) {
        request.at_ms = (int64_t)i;
        request.document = rt_buffer_copy(documents[i], strlen(documents[i]));
        cr_assert_eq(ask(&request).status, RT_OK);
        rt_buffer_release(request.document);
    }
    cr_assert_eq(number_of("SELECT max(version) FROM vito_policy_configs"), 3);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_policy_configs"), 3);
    cr_assert_eq(number_of("SELECT at_ms FROM vito_policy_configs WHERE version = 2"), 2);
    cr_assert_eq(number_of("SELECT document = '{\"rate\":{\"burst\":2}}' FROM vito_policy_configs"
                           " WHERE version = 3"),
                 1);
    request = request_of(VITO_TENANT_REMOVE);
    cr_assert_eq(ask(&request).status, RT_OK);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_policy_configs"), 3, "they outlive it");
}

static void
do_in_batch(const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *document = NULL;
    cr_assert(vito_sqlite_execute(database, request, &stored, &document));
    cr_assert_eq(stored.status, RT_OK);
}

/* More legs than are remembered, some of them extended, settled the last one first. */
Test(sqlite, each_of_many_legs_is_settled_by_its_own_intent)
{
    enum { LEGS = 2000 };
    cr_assert_eq(open_store(true), RT_OK);
    open_month(3 * LEGS);
    cr_assert_eq(vito_sqlite_begin(database), RT_OK);
    for (int number = 0; number < LEGS; number++) {
        struct vito_request request = leg_of(VITO_LEG_OPEN, number);
        snprintf(request.leg.session_id, sizeof(request.leg.session_id), "ses_%d", number);
        snprintf(request.leg.decision_id, sizeof(request.leg.decision_id), "dec_%d", number);
        request.leg.mode = number % VITO_MODE_COUNT;
        do_in_batch(&request);
        request.op = VITO_LEG_EXTEND;
        request.leg.held_nusd = 2;
        if (number % 7 == 0)
            do_in_batch(&request);
    }
    for (int number = LEGS - 1; number >= 0; number--) {
        struct vito_request request = leg_of(VITO_LEG_SETTLE, number);
        do_in_batch(&request);
    }
    cr_assert_eq(vito_sqlite_commit(database), RT_OK);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_audit_logs AS a JOIN vito_usage AS u"
                           " ON u.leg_id = a.id WHERE state = 'settled' AND a.mode = u.mode"
                           " AND a.session_id = u.session_id AND a.decision_id = u.decision_id"
                           " AND a.session_id = 'ses_' || CAST(substr(leg_id, 5) AS INTEGER)"),
                 LEGS);
    cr_assert_eq(number_of("SELECT posted_nusd FROM vito_budgets"), LEGS);
}

Test(sqlite, an_overrun_is_recorded_with_its_leg)
{
    cr_assert_eq(open_store(true), RT_OK);
    open_month(100);
    struct vito_request request = leg_of(VITO_LEG_OPEN, 1);
    ask(&request);
    request.op = VITO_LEG_SETTLE;
    request.leg.cost_nusd = 130;
    ask(&request);
    cr_assert_eq(number_of("SELECT overrun_nusd FROM vito_usage"), 30);
    cr_assert_eq(number_of("SELECT cost_nusd FROM vito_usage"), 130);
}

Test(sqlite, sums_end_at_their_bound)
{
    cr_assert_eq(open_store(true), RT_OK);
    open_month(100);
    run_sql("UPDATE vito_budgets SET posted_nusd = 9000000000000000000 - 5,"
            " tokens = 9000000000000000000 - 5");
    for (int number = 0; number < 300; number++) {
        struct vito_request request = leg_of(VITO_LEG_OPEN, number);
        cr_assert_eq(ask(&request).status, RT_OK);
        request.op = VITO_LEG_SETTLE;
        request.leg.cost_nusd = INT64_MAX;
        request.leg.use.tokens = INT64_MAX;
        struct vito_stored stored = ask(&request);
        cr_assert_eq(stored.status, RT_OK);
        cr_assert_eq(stored.budget.posted_nusd, INT64_C(9000000000000000000));
        cr_assert_eq(stored.budget.tokens, INT64_C(9000000000000000000));
    }
}

Test(sqlite, a_statement_that_fails_breaks_its_transaction)
{
    cr_assert_eq(open_store(true), RT_OK);
    run_sql("DROP TABLE vito_policy_memory");
    struct vito_request request = request_of(VITO_MEMORY_GET);
    struct vito_stored stored;
    struct rt_buffer *document = NULL;
    cr_assert_eq(vito_sqlite_begin(database), RT_OK);
    cr_assert_not(vito_sqlite_execute(database, &request, &stored, &document));
    cr_assert_eq(stored.status, RT_UNAVAILABLE);
    cr_assert_null(document);
    vito_sqlite_rollback(database);
    open_month(100);
}

static void
limit_file_size(rlim_t bytes)
{
    struct rlimit limit;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* Opens and settles a leg in one transaction. False when the disk is full: then neither is. */
static bool
spend(int number)
{
    struct vito_stored stored;
    struct rt_buffer *document = NULL;
    struct vito_request open = leg_of(VITO_LEG_OPEN, number),
                        settle = leg_of(VITO_LEG_SETTLE, number);
    bool done = vito_sqlite_begin(database) == RT_OK &&
                vito_sqlite_execute(database, &open, &stored, &document) &&
                vito_sqlite_execute(database, &settle, &stored, &document) &&
                vito_sqlite_commit(database) == RT_OK;
    if (!done)
        vito_sqlite_rollback(database);
    return done;
}

Test(sqlite, a_full_disk_refuses_and_loses_nothing)
{
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(open_store(true), RT_OK);
    open_month(1000000);
    limit_file_size(600 * 1024);
    int spent = 0, refused = 0;
    for (int number = 0; number < 2000 && refused < 20; number++) {
        if (spend(number))
            spent++;
        else
            refused++;
    }
    cr_assert_gt(spent, 10);
    cr_assert_eq(refused, 20);
    limit_file_size(RLIM_INFINITY);
    cr_assert(spend(5000), "it recovers alone");
    spent++;
    cr_assert_eq(number_of("SELECT posted_nusd FROM vito_budgets"), spent);
    cr_assert_eq(number_of("SELECT count(*) FROM vito_audit_logs"), spent);
    cr_assert_eq(vito_sqlite_check(database, problem, sizeof(problem)), RT_OK, "%s", problem);
    close_store();
    cr_assert_eq(open_store(true), RT_OK, "%s", problem);
    cr_assert_eq(number_of("SELECT posted_nusd FROM vito_budgets"), spent);
}
