/* A gateway's ledger killed at random moments. A child grants, opens and settles as fast as it
 * can, and notes what was acknowledged in memory that outlives it; then it is killed. Reopened,
 * the ledger must have every acknowledged effect once, within its limits, and books that
 * balance. */
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "runtime/random.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/sqlite.h"

enum { ROUNDS = 25, CLIENTS = 6, LEGS_MAX = 1 << 20, HELD = 10 };

/* Outlives every child. */
struct notes {
    atomic_uint legs;             /* numbers given out */
    atomic_uint stored;           /* answers, of all kinds */
    atomic_bool opened[LEGS_MAX]; /* acknowledged */
    atomic_bool settled[LEGS_MAX];
};

static struct notes *notes;
static char directory[] = "/tmp/stress_kill_XXXXXX";
static char path[64];
static int64_t month, limit_nusd; /* of the round */
static struct vito_store store;

static int64_t
cost_of(unsigned leg)
{
    return 1 + leg % HELD;
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

struct client {
    enum vito_op op; /* under way */
    unsigned leg;
};

static struct vito_request
request_of(enum vito_op op)
{
    return (struct vito_request){.op = op,
                                 .tenant_id = "cantor",
                                 .period_start_ms = month,
                                 .period_end_ms = month + 10,
                                 .budget = {.limit_nusd = limit_nusd}};
}

static void
client_ask(struct rt_actor *self, struct client *client, enum vito_op op)
{
    struct vito_request request = request_of(op);
    if (op == VITO_BUDGET_GRANT) {
        request.budget.need_nusd = request.budget.want_nusd = HELD;
    } else if (op != VITO_BUDGET_OPEN) {
        memset(&request.leg, 0, sizeof(request.leg));
        snprintf(request.leg.id, sizeof(request.leg.id), "leg_%u", client->leg);
        memcpy(request.leg.provider_id, "sim", 3);
        memcpy(request.leg.outcome, "completed", 9);
        request.leg.held_nusd = HELD;
        request.leg.cost_nusd = cost_of(client->leg);
    }
    client->op = op;
    store.submit(store.self, self, &request, 1);
}

static void
client_go_on(struct rt_actor *self, struct client *client, const struct vito_stored *stored)
{
    switch (client->op) {
    case VITO_BUDGET_GRANT:
        if (stored->budget.granted_nusd == 0)
            break; /* the limit is reached: ask again and again */
        client->leg = atomic_fetch_add(&notes->legs, 1);
        CHECK(client->leg < LEGS_MAX);
        client_ask(self, client, VITO_LEG_OPEN);
        return;
    case VITO_LEG_OPEN:
        atomic_store(&notes->opened[client->leg], true);
        client_ask(self, client, VITO_LEG_SETTLE);
        return;
    case VITO_LEG_SETTLE:
        atomic_store(&notes->settled[client->leg], true);
        break;
    default:
        break;
    }
    client_ask(self, client, VITO_BUDGET_GRANT);
}

static void
client_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct client *client = state;
    if (message->kind == RT_KIND_START) {
        client_ask(self, client, VITO_BUDGET_OPEN);
        return;
    }
    CHECK(vito_stored_of(message)->status == RT_OK);
    atomic_fetch_add(&notes->stored, 1);
    client_go_on(self, client, vito_stored_of(message));
}

static void
run_child(void)
{
    static const struct rt_behaviour behaviour = {.name = "client",
                                                  .state_bytes = sizeof(struct client),
                                                  .limits = {100, 1 << 20},
                                                  .handle = client_handle};
    struct rt_system *runtime =
        rt_system_create(&(struct rt_system_options){.workers = 2, .world = rt_world_real()});
    CHECK(runtime != NULL);
    struct vito_sqlite_thread *thread = vito_sqlite_thread_start(open_store(), runtime);
    CHECK(thread != NULL);
    store = vito_sqlite_thread_store(thread);
    for (int i = 0; i < CLIENTS; i++) {
        struct rt_address address;
        struct rt_spawn_options options = {.behaviour = &behaviour, .worker = RT_ANY_WORKER};
        CHECK(rt_spawn(runtime, &options, &address) == RT_OK);
    }
    CHECK(rt_system_start(runtime) == RT_OK);
    for (;;)
        pause();
}

/* In every other round right upon an acknowledgement: that is when one given too early shows. */
static void
kill_after_some_work(pid_t child, int round, struct rt_random *random)
{
    unsigned wanted = atomic_load(&notes->stored) + 1 + (unsigned)rt_random_below(random, 2000);
    while (atomic_load(&notes->stored) < wanted && waitpid(child, NULL, WNOHANG) == 0)
        sched_yield();
    if (round % 2 == 0)
        usleep((useconds_t)rt_random_below(random, 3000));
    CHECK(kill(child, SIGKILL) == 0);
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status)); /* not by a failed check */
}

/* Every record once, with the cost of its leg, or what was held when nobody knows. */
static void
read_trail(sqlite3 *db, bool *has_record)
{
    sqlite3_stmt *rows;
    CHECK(sqlite3_prepare_v2(db, "SELECT id, cost_amount_nusd, outcome FROM vito_audit_logs", -1,
                             &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        unsigned leg;
        CHECK(sscanf((const char *)sqlite3_column_text(rows, 0), "leg_%u", &leg) == 1);
        CHECK(leg < atomic_load(&notes->legs));
        CHECK(!has_record[leg]);
        has_record[leg] = true;
        bool recovered = strcmp((const char *)sqlite3_column_text(rows, 2), "recovered") == 0;
        CHECK(!recovered || !atomic_load(&notes->settled[leg]));
        CHECK(sqlite3_column_int64(rows, 1) == (recovered ? HELD : cost_of(leg)));
    }
    sqlite3_finalize(rows);
}

static void
check_budgets(sqlite3 *db)
{
    sqlite3_stmt *rows;
    CHECK(sqlite3_prepare_v2(db,
                             "SELECT posted_nusd <= limit_nusd, reserved_nusd FROM vito_budgets",
                             -1, &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        CHECK(sqlite3_column_int64(rows, 0) == 1);
        CHECK(sqlite3_column_int64(rows, 1) == 0);
    }
    sqlite3_finalize(rows);
}

static void
check_round(void)
{
    static bool has_record[LEGS_MAX];
    memset(has_record, 0, sizeof(has_record));
    struct vito_sqlite *database = open_store(); /* recovers */
    char problem[256];
    CHECK(vito_sqlite_check(database, problem, sizeof(problem)) == RT_OK);
    sqlite3 *db;
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    read_trail(db, has_record);
    check_budgets(db);
    sqlite3_close(db);
    vito_sqlite_close(database);
    for (unsigned leg = 0; leg < atomic_load(&notes->legs); leg++)
        if (atomic_load(&notes->opened[leg]) || atomic_load(&notes->settled[leg]))
            CHECK(has_record[leg]); /* nothing acknowledged is lost */
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
main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    fflush(stdout);
    struct rt_random random;
    rt_random_seed(&random, seed);
    CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/twin.db", directory);
    notes = mmap(NULL, sizeof(*notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(notes != MAP_FAILED);
    for (int round = 0; round < ROUNDS; round++) {
        month = round * 10;
        limit_nusd = 1 + (int64_t)rt_random_below(&random, 20000);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0)
            run_child();
        kill_after_some_work(child, round, &random);
        check_round();
    }
    CHECK(atomic_load(&notes->legs) > ROUNDS * 10);
    printf("%u legs, killed %d times: nothing lost, nothing twice\n", atomic_load(&notes->legs),
           ROUNDS);
    remove_files();
    return 0;
}
