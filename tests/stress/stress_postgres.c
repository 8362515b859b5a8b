/* The shared store's thread when its server goes wrong: connections cut just before a commit and
 * just after it, with the backend killed; a server that stands still; servers killed under load.
 * What was answered is what happened, once, and the books balance. */
#include <libpq-fe.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/stress/stress.h"
#include "tests/support/cluster.h"
#include "tests/support/proxy.h"
#include "vito/store/postgres/postgres.h"

enum { GRANT = 10, CLIENTS = 6, LEGS_MAX = 1 << 16, CRASHES = 3 };

static struct cluster cluster;
static struct proxy proxy;
static struct rt_system *runtime;
static struct vito_store store;

static int64_t
number_of(const char *sql)
{
    char uri[256];
    cluster_uri(&cluster, "postgres", uri, sizeof(uri));
    PGconn *connection = PQconnectdb(uri);
    CHECK(PQstatus(connection) == CONNECTION_OK);
    PGresult *result = PQexec(connection, sql);
    CHECK(PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1);
    int64_t number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    PQclear(result);
    PQfinish(connection);
    return number;
}

static struct vito_request
request_of(enum vito_op op)
{
    return (struct vito_request){
        .op = op,
        .tenant_id = "cantor",
        .period_end_ms = 1000,
        .budget = {.limit_nusd = INT64_C(1) << 40, .need_nusd = GRANT, .want_nusd = GRANT}};
}

/* Asks one thing when it is told to, and keeps the answer. */
static atomic_int asked_op;
static _Atomic(enum rt_status) answered;
static atomic_llong granted;
static atomic_bool is_answered;
static struct rt_address asker;

enum { ASK = RT_KIND_USER + 1 };

static void
asker_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind == ASK) {
        struct vito_request request = request_of((enum vito_op)atomic_load(&asked_op));
        store.submit(store.self, self, &request, 1);
    } else if (message->kind == VITO_STORED) {
        atomic_store(&answered, vito_stored_of(message)->status);
        atomic_store(&granted, vito_stored_of(message)->budget.granted_nusd);
        atomic_store(&is_answered, true);
    }
}

static enum rt_status
ask(enum vito_op op)
{
    atomic_store(&asked_op, op);
    atomic_store(&is_answered, false);
    struct rt_message *message = rt_message_create(ASK, 0);
    CHECK(message != NULL);
    CHECK(rt_post(runtime, asker, message) == RT_OK);
    while (!atomic_load(&is_answered))
        usleep(1000);
    return atomic_load(&answered);
}

static void
kill_backend(void *context)
{
    (void)context;
    pid_t backend = (pid_t)number_of("SELECT coalesce(max(pid), 0) FROM pg_stat_activity"
                                     " WHERE application_name = 'twin-gateway'");
    if (backend > 0)
        CHECK(kill(backend, SIGKILL) == 0);
}

/* Until the store has come back. Each of these grants counts, too. */
static void
await_back(int64_t *total)
{
    while (ask(VITO_BUDGET_GRANT) != RT_OK)
        usleep(20000);
    *total += GRANT;
}

static void
cut_commits(void)
{
    int64_t total = 0;
    CHECK(ask(VITO_BUDGET_OPEN) == RT_OK);
    for (int round = 0; round < 6; round++) {
        bool after = round % 2 == 0;
        proxy.at_cut = round < 4 ? NULL : kill_backend; /* as if the network were cut; or killed */
        atomic_store(&proxy.fault, after ? PROXY_CUT_AFTER_COMMIT : PROXY_CUT_BEFORE_COMMIT);
        enum rt_status status = ask(VITO_BUDGET_GRANT);
        CHECK(status == (after ? RT_OK : RT_UNAVAILABLE));
        if (after)
            CHECK(atomic_load(&granted) == GRANT);
        total += after ? GRANT : 0;
        await_back(&total);
        CHECK(number_of("SELECT reserved_nusd FROM vito.budgets") == total);
    }
}

/* A server that says nothing counts as away: requests are answered, and later ones at once. */
static void
stall(void)
{
    int64_t before = number_of("SELECT reserved_nusd FROM vito.budgets");
    atomic_store(&proxy.fault, PROXY_STALL);
    CHECK(ask(VITO_BUDGET_GRANT) == RT_UNAVAILABLE);
    CHECK(ask(VITO_BUDGET_GRANT) == RT_UNAVAILABLE);
    atomic_store(&proxy.fault, PROXY_NONE);
    int64_t total = before;
    await_back(&total);
    CHECK(number_of("SELECT reserved_nusd FROM vito.budgets") == total);
}

/* Legs under load, with what was acknowledged. */
static atomic_uint legs, stored, clients_done;
static atomic_bool opened[LEGS_MAX], settled[LEGS_MAX];
static atomic_bool enough;

struct client {
    enum vito_op op; /* under way */
    unsigned leg;
    struct rt_timer patience;
};

static void
client_ask(struct rt_actor *self, struct client *client, enum vito_op op)
{
    struct vito_request request = request_of(op);
    if (op == VITO_LEG_OPEN || op == VITO_LEG_SETTLE) {
        memset(&request.leg, 0, sizeof(request.leg));
        snprintf(request.leg.id, sizeof(request.leg.id), "leg_%u", client->leg);
        memcpy(request.leg.provider_id, "sim", 3);
        request.leg.held_nusd = GRANT;
        request.leg.cost_nusd = 1 + client->leg % GRANT;
    }
    client->op = op;
    store.submit(store.self, self, &request, 1);
}

static void
client_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct client *client = state;
    if (message->kind != VITO_STORED) {
        client_ask(self, client, VITO_BUDGET_GRANT);
        return;
    }
    const struct vito_stored *answer = vito_stored_of(message);
    CHECK(answer->status == RT_OK || answer->status == RT_UNAVAILABLE ||
          answer->status == RT_NOT_FOUND);
    if (answer->status == RT_OK && client->op == VITO_LEG_OPEN)
        atomic_store(&opened[client->leg], true);
    if (answer->status == RT_OK && client->op == VITO_LEG_SETTLE)
        atomic_store(&settled[client->leg], true);
    atomic_fetch_add(&stored, answer->status == RT_OK);
    if (answer->status == RT_UNAVAILABLE && !atomic_load(&enough)) {
        rt_timer_set(self, &client->patience, 5 * RT_NS_PER_MS);
        return;
    }
    if (client->op == VITO_BUDGET_GRANT && atomic_load(&enough)) {
        atomic_fetch_add(&clients_done, 1);
        return;
    }
    enum vito_op next = client->op == VITO_BUDGET_GRANT ? VITO_LEG_OPEN
                        : client->op == VITO_LEG_OPEN   ? VITO_LEG_SETTLE
                                                        : VITO_BUDGET_GRANT;
    if (next == VITO_LEG_OPEN)
        client->leg = atomic_fetch_add(&legs, 1);
    CHECK(client->leg < LEGS_MAX);
    client_ask(self, client, next);
}

static void
spawn(const struct rt_behaviour *behaviour, struct rt_address *address_out)
{
    struct rt_spawn_options options = {.behaviour = behaviour, .worker = RT_ANY_WORKER};
    CHECK(rt_spawn(runtime, &options, address_out) == RT_OK);
}

static void
crash_under_load(void)
{
    static const struct rt_behaviour behaviour = {.name = "client",
                                                  .state_bytes = sizeof(struct client),
                                                  .limits = {100, 1 << 20},
                                                  .handle = client_handle};
    struct rt_address ignored;
    for (int i = 0; i < CLIENTS; i++)
        spawn(&behaviour, &ignored);
    for (int crash = 0; crash < CRASHES; crash++) {
        unsigned wanted = atomic_load(&stored) + 300;
        while (atomic_load(&stored) < wanted)
            usleep(500);
        if (crash % 2 == 0)
            cluster_crash(&cluster);
        else
            kill_backend(NULL);
    }
    unsigned wanted = atomic_load(&stored) + 300;
    while (atomic_load(&stored) < wanted)
        usleep(500);
    atomic_store(&enough, true);
    while (atomic_load(&clients_done) < CLIENTS)
        usleep(1000);
}

static bool
has_record(unsigned leg)
{
    char sql[160];
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM vito.audit_logs WHERE id = 'leg_%u'"
             " AND cost_amount * 1000000000 = %u",
             leg, 1 + leg % GRANT);
    return number_of(sql) == 1;
}

/* A sample of what was acknowledged; the rest by its count. */
static void
check_acknowledged(void)
{
    int64_t acknowledged = 0;
    for (unsigned leg = 0; leg < atomic_load(&legs); leg++) {
        acknowledged += atomic_load(&settled[leg]);
        if (atomic_load(&settled[leg]) && leg % 50 == 0)
            CHECK(has_record(leg));
    }
    int64_t records = number_of("SELECT count(*) FROM vito.audit_logs");
    CHECK(records >= acknowledged);
    CHECK(number_of("SELECT count(DISTINCT id) FROM vito.audit_logs") == records);
    CHECK(acknowledged > 100);
    printf("%lld legs acknowledged, %d crashes: nothing lost, nothing twice\n",
           (long long)acknowledged, CRASHES);
}

static struct vito_postgres *
open_store(const char *host)
{
    char uri[256], problem[512];
    snprintf(uri, sizeof(uri), "postgresql:///postgres?host=%s&user=postgres", host);
    struct vito_postgres_options options = {.uri = uri,
                                            .node = "stress",
                                            .migrate = true,
                                            .lease_ms = 600000, /* no beats among the commits */
                                            .world = rt_world_real()};
    struct vito_postgres *database;
    if (vito_postgres_open(&options, &database, problem, sizeof(problem)) != RT_OK) {
        fprintf(stderr, "%s\n", problem);
        exit(1);
    }
    return database;
}

int
main(void)
{
    static const struct rt_behaviour behaviour = {
        .name = "asker", .limits = {100, 1 << 20}, .handle = asker_handle};
    cluster_start(&cluster);
    proxy_start(&proxy, cluster.directory);
    runtime = rt_system_create(&(struct rt_system_options){.workers = 2, .world = rt_world_real()});
    CHECK(runtime != NULL);
    struct vito_postgres_thread *thread =
        vito_postgres_thread_start(open_store(proxy.directory), runtime);
    CHECK(thread != NULL);
    store = vito_postgres_thread_store(thread);
    spawn(&behaviour, &asker);
    CHECK(rt_system_start(runtime) == RT_OK);
    cut_commits();
    stall();
    crash_under_load();
    rt_system_stop(runtime);
    vito_postgres_thread_stop(thread);
    rt_system_destroy(runtime);
    proxy_stop(&proxy);
    check_acknowledged();
    struct vito_postgres *database = open_store(cluster.directory);
    char problem[512];
    if (vito_postgres_check(database, problem, sizeof(problem)) != RT_OK) {
        fprintf(stderr, "%s\n", problem);
        return 1;
    }
    vito_postgres_close(database);
    cluster_stop(&cluster);
    return 0;
}
