/* The embedded store's thread under load: actors that grant, open and settle and count every
 * answer, in order; actors that die before theirs arrive; a store that stands still while more
 * wait than may. Every count must come out exactly. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/metrics.h"
#include "runtime/pool.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/sqlite.h"

enum { CLIENTS = 8, LEGS_EACH = 400, MORTALS = 200, FLOOD = 103000 };

static char directory[] = "/tmp/stress_store_XXXXXX";
static char path[64];
static struct rt_system *runtime;
static struct vito_store store;
static atomic_uint done;

static struct vito_request
request_of(enum vito_op op)
{
    return (struct vito_request){.op = op,
                                 .tenant_id = "cantor",
                                 .period_end_ms = 1000000,
                                 .budget = {.limit_nusd = INT64_C(1) << 40}};
}

struct client {
    unsigned number, legs;
    uint64_t asked, answered;
    enum vito_op next;
    struct rt_buffer *document;
};

static atomic_uint client_count;

static void
client_ask(struct rt_actor *self, struct client *client)
{
    struct vito_request request = request_of(client->next);
    if (client->next == VITO_BUDGET_GRANT) {
        request.budget.need_nusd = request.budget.want_nusd = 10;
    } else if (client->next != VITO_BUDGET_OPEN) {
        memset(&request.leg, 0, sizeof(request.leg));
        snprintf(request.leg.id, sizeof(request.leg.id), "leg_%u_%u", client->number, client->legs);
        memcpy(request.leg.provider_id, "sim", 3);
        request.leg.held_nusd = 10;
        request.leg.cost_nusd = 7;
    }
    request.document = rt_buffer_acquire(client->document); /* of no use, but to be let go */
    store.submit(store.self, self, &request, ++client->asked);
}

/* Three requests at a time: their answers come in the order in which they were asked. */
static void
client_ask_for_leg(struct rt_actor *self, struct client *client)
{
    static const enum vito_op ops[] = {VITO_BUDGET_GRANT, VITO_LEG_OPEN, VITO_LEG_SETTLE};
    for (int i = 0; i < 3; i++) {
        client->next = ops[i];
        client_ask(self, client);
    }
}

static void
client_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct client *client = state;
    if (message->kind == RT_KIND_START) {
        client->number = atomic_fetch_add(&client_count, 1);
        client->document = rt_buffer_copy("{}", 2);
        client->next = VITO_BUDGET_OPEN;
        client_ask(self, client);
        return;
    }
    CHECK(message->kind == VITO_STORED);
    CHECK(message->flags & RT_MESSAGE_ANSWER);
    CHECK(message->request_id == ++client->answered);
    const struct vito_stored *stored = vito_stored_of(message);
    CHECK(stored->status == RT_OK);
    CHECK(stored->op != VITO_BUDGET_GRANT || stored->budget.granted_nusd == 10);
    if (client->answered < client->asked)
        return;
    if (client->legs++ == LEGS_EACH) {
        atomic_fetch_add(&done, 1);
        rt_stop(self, RT_EXIT_NORMAL);
        return;
    }
    client_ask_for_leg(self, client);
}

static void
client_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self, (void)reason;
    rt_buffer_release(((struct client *)state)->document);
}

static void
mortal_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    CHECK(message->kind == RT_KIND_START);
    struct vito_request request = request_of(VITO_BUDGET_OPEN);
    for (uint64_t i = 1; i <= 3; i++)
        store.submit(store.self, self, &request, i);
    rt_stop(self, RT_EXIT_NORMAL);
}

struct flooder {
    unsigned answered, refused;
};

static void
flooder_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct flooder *flooder = state;
    if (message->kind == RT_KIND_START) {
        struct vito_request request = request_of(VITO_BUDGET_OPEN);
        for (uint64_t i = 1; i <= FLOOD; i++)
            store.submit(store.self, self, &request, i);
        atomic_fetch_add(&done, 1);
        return;
    }
    enum rt_status status = vito_stored_of(message)->status;
    CHECK(status == RT_OK || status == RT_UNAVAILABLE);
    flooder->refused += status == RT_UNAVAILABLE;
    if (++flooder->answered == FLOOD) {
        CHECK(flooder->refused >= FLOOD - 101000); /* 100,000 wait, and one batch is under way */
        atomic_fetch_add(&done, 1);
    }
}

static void
await(unsigned count)
{
    while (atomic_load(&done) < count)
        usleep(1000);
    CHECK(atomic_load(&done) == count);
    atomic_store(&done, 0);
}

static void
spawn(const struct rt_behaviour *behaviour)
{
    struct rt_address address;
    struct rt_spawn_options options = {.behaviour = behaviour, .worker = RT_ANY_WORKER};
    CHECK(rt_spawn(runtime, &options, &address) == RT_OK);
}

static void
test_clients(void)
{
    static const struct rt_behaviour client = {.name = "client",
                                               .state_bytes = sizeof(struct client),
                                               .limits = {100, 1 << 20},
                                               .handle = client_handle,
                                               .stop = client_stop};
    static const struct rt_behaviour mortal = {
        .name = "mortal", .limits = {100, 1 << 20}, .handle = mortal_handle};
    for (int i = 0; i < CLIENTS; i++)
        spawn(&client);
    for (int i = 0; i < MORTALS; i++)
        spawn(&mortal);
    await(CLIENTS);
}

/* Another program holds the write lock, so that the store's thread stands still. */
static void
test_flood(void)
{
    static const struct rt_behaviour flooding = {.name = "flooder",
                                                 .state_bytes = sizeof(struct flooder),
                                                 .limits = {100, 1 << 20},
                                                 .handle = flooder_handle};
    sqlite3 *db;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    while (sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        usleep(1000);
    spawn(&flooding);
    await(1);
    CHECK(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    sqlite3_close(db);
    await(1);
}

static void
test_metrics(void)
{
    size_t size;
    char *text = rt_metrics_render(&size);
    CHECK(strstr(text, "twin_store_waiting_requests 0\n") != NULL);
    CHECK(strstr(text, "twin_store_commit_seconds_count") != NULL);
    CHECK(strstr(text, "twin_store_requests_total{about=\"leg\"} 0\n") == NULL);
    free(text);
}

static struct vito_sqlite *
open_store(void)
{
    struct vito_sqlite *database;
    char problem[256];
    if (vito_sqlite_open(path, true, 0, &database, problem, sizeof(problem)) != RT_OK) {
        fprintf(stderr, "%s\n", problem);
        exit(1);
    }
    return database;
}

static void
check_books(void)
{
    struct vito_sqlite *database = open_store();
    char problem[256];
    CHECK(vito_sqlite_check(database, problem, sizeof(problem)) == RT_OK);
    struct vito_request request = request_of(VITO_BUDGET_OPEN);
    struct vito_stored stored;
    struct rt_buffer *document;
    CHECK(vito_sqlite_begin(database) == RT_OK);
    CHECK(vito_sqlite_execute(database, &request, &stored, &document));
    CHECK(vito_sqlite_commit(database) == RT_OK);
    CHECK(stored.budget.posted_nusd == 7 * CLIENTS * LEGS_EACH);
    CHECK(stored.budget.reserved_nusd == 0);
    vito_sqlite_close(database);
}

static void
remove_files(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < RT_COUNT_OF(suffixes); i++) {
        char name[96];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        unlink(name);
    }
    rmdir(directory);
}

int
main(void)
{
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/twin.db", directory);
    runtime = rt_system_create(&(struct rt_system_options){.workers = 2, .world = rt_world_real()});
    CHECK(runtime != NULL);
    struct vito_sqlite_thread *thread = vito_sqlite_thread_start(open_store(), runtime);
    CHECK(thread != NULL);
    store = vito_sqlite_thread_store(thread);
    CHECK(rt_system_start(runtime) == RT_OK);
    test_clients();
    test_flood();
    rt_system_stop(runtime);
    vito_sqlite_thread_stop(thread);
    test_metrics();
    check_books();
    rt_system_destroy(runtime);
    rt_pool_thread_end();
    remove_files();
    puts("clients, mortals and a flood: every count exact");
    return 0;
}
