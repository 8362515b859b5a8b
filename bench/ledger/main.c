/*
 * twin-bench-ledger: how many vendor legs a store opens and settles a second, durably.
 *
 *   teller (an actor) ──► many requests under way ──► the store's thread ──► commit ──► answers
 *
 * The legs of one round belong to a hundred tenants in turn. First all are opened, then all are
 * settled; each is timed by itself.
 */
#include <getopt.h>
#include <glob.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "runtime/text.h"
#include "tests/support/cluster.h"
#include "vito/store/postgres/postgres.h"
#include "vito/store/sqlite/sqlite.h"

#define MONTH_START_MS INT64_C(1793491200000)
#define MONTH_END_MS INT64_C(1796083200000)

enum {
    TENANTS = 100,
    LEGS_MAX = 10000000,
    DEPTH_MAX = 10000,
    HELD_NUSD = 1000000,
    COST_NUSD = 500000,
    SERVER_BUFFERS_MB = 128, /* PostgreSQL's default */
    KIND_PHASE = RT_KIND_USER,
};

enum phase { PHASE_MONTHS, PHASE_GRANTS, PHASE_OPEN, PHASE_SETTLE, PHASE_COUNT };

static const char help[] =
    "usage: twin-bench-ledger [--postgres] [--legs N] [--depth N]\n"
    "\n"
    "Opens and settles vendor legs on a new store and prints both rates, and the processor time\n"
    "of this process and of the server for each, as JSON. The store is a SQLite file in a\n"
    "temporary directory, or with --postgres a PostgreSQL server of its own.\n"
    "\n"
    "  --postgres    on PostgreSQL\n"
    "  --legs N      of one round (100000)\n"
    "  --depth N     requests under way (1000)\n"
    "  --help\n";

struct options {
    bool is_postgres;
    unsigned legs, depth;
};

struct bench {
    struct options options;
    struct vito_store store;
    pid_t server; /* 0: the store has none */
    sem_t done;
};

static RT_NORETURN void
fail(const char *what)
{
    fprintf(stderr, "twin-bench-ledger: %s\n", what);
    exit(1);
}

/* Asks for one thing after another, `depth` of them at once, until all of a phase is answered. */
struct teller {
    struct bench *bench;
    enum phase phase;
    unsigned sent, answered, count;
};

static enum rt_status
teller_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    struct bench *const *bench = args;
    *(struct teller *)state = (struct teller){.bench = *bench};
    return RT_OK;
}

static struct vito_leg
leg_of(unsigned number)
{
    struct vito_leg leg = {.provider_id = "bench",
                           .session_id = "ses_bench",
                           .decision_id = "dec_bench",
                           .policy_version = "bench",
                           .outcome = "completed",
                           .mode = VITO_TEXT,
                           .held_nusd = HELD_NUSD,
                           .cost_nusd = COST_NUSD,
                           .use = {.tokens = 10, .interactions = 1},
                           .at_ms = MONTH_START_MS + number};
    const uint8_t random[10] = {(uint8_t)(number >> 24), (uint8_t)(number >> 16),
                                (uint8_t)(number >> 8), (uint8_t)number};
    vito_id_make(leg.id, "leg", leg.at_ms, random);
    return leg;
}

static struct vito_request
request_of(enum phase phase, unsigned number)
{
    static const enum vito_op ops[PHASE_COUNT] = {VITO_BUDGET_OPEN, VITO_BUDGET_GRANT,
                                                  VITO_LEG_OPEN, VITO_LEG_SETTLE};
    struct vito_request request = {
        .op = ops[phase], .period_start_ms = MONTH_START_MS, .period_end_ms = MONTH_END_MS};
    snprintf(request.tenant_id, sizeof(request.tenant_id), "bench-%u", number % TENANTS);
    if (phase == PHASE_MONTHS)
        request.budget.limit_nusd = INT64_C(1000000000000000);
    else if (phase == PHASE_GRANTS)
        request.budget.need_nusd = request.budget.want_nusd =
            INT64_C(2) * HELD_NUSD * (LEGS_MAX / TENANTS);
    else
        request.leg = leg_of(number);
    return request;
}

static void
send_more(struct rt_actor *self, struct teller *teller)
{
    unsigned depth = teller->bench->options.depth;
    while (teller->sent < teller->count && teller->sent - teller->answered < depth) {
        struct vito_request request = request_of(teller->phase, teller->sent);
        struct vito_store *store = &teller->bench->store;
        store->submit(store->self, self, &request, ++teller->sent);
    }
}

static void
teller_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct teller *teller = state;
    if (message->kind == KIND_PHASE) {
        teller->phase = *(enum phase *)rt_message_payload(message);
        teller->count = teller->phase >= PHASE_OPEN ? teller->bench->options.legs : TENANTS;
        teller->sent = teller->answered = 0;
    } else if (message->kind == VITO_STORED) {
        if (vito_stored_of(message)->status != RT_OK)
            fail("the store refused a request");
        if (++teller->answered == teller->count)
            sem_post(&teller->bench->done);
    } else {
        return;
    }
    send_more(self, teller);
}

static const struct rt_behaviour telling = {.name = "teller",
                                            .state_bytes = sizeof(struct teller),
                                            .limits = {100, 1 << 16},
                                            .init = teller_init,
                                            .handle = teller_handle};

static double
seconds_of(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Processor time of one process that lives: /proc/[pid]/schedstat begins with it. */
static double
process_seconds(const char *directory)
{
    char path[64];
    unsigned long long spent_ns = 0;
    snprintf(path, sizeof(path), "%s/schedstat", directory);
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%llu", &spent_ns) != 1)
        spent_ns = 0;
    if (file != NULL)
        fclose(file);
    return (double)spent_ns / 1e9;
}

static pid_t
parent_of(const char *directory)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof(path), "%s/stat", directory);
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
        parent = 0;
    if (file != NULL)
        fclose(file);
    return parent;
}

/* Of the server: its backend, and those that write the log and the pages. */
static double
server_seconds(pid_t server)
{
    glob_t found;
    double sum_s = 0;
    if (server == 0 || glob("/proc/[0-9]*", 0, NULL, &found) != 0)
        return 0;
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (parent_of(found.gl_pathv[i]) == server)
            sum_s += process_seconds(found.gl_pathv[i]);
    globfree(&found);
    return sum_s;
}

struct span {
    double wall_s, cpu_s, server_cpu_s;
};

static struct span
now(const struct bench *bench)
{
    return (struct span){seconds_of(CLOCK_MONOTONIC), seconds_of(CLOCK_PROCESS_CPUTIME_ID),
                         server_seconds(bench->server)};
}

/* Carries out one phase; how long it took. */
static struct span
run_phase(struct bench *bench, struct rt_system *actors, struct rt_address teller, enum phase phase)
{
    struct rt_message *message = rt_message_create(KIND_PHASE, sizeof(phase));
    if (message == NULL)
        fail("out of memory");
    memcpy(rt_message_payload(message), &phase, sizeof(phase));
    struct span begun = now(bench);
    if (rt_post(actors, teller, message) != RT_OK)
        fail("the teller refused its work");
    sem_wait(&bench->done);
    struct span ended = now(bench);
    return (struct span){ended.wall_s - begun.wall_s, ended.cpu_s - begun.cpu_s,
                         ended.server_cpu_s - begun.server_cpu_s};
}

static void
run(struct bench *bench, struct rt_system *actors)
{
    struct rt_address teller;
    struct rt_spawn_options options = {
        .behaviour = &telling, .args = &bench, .worker = RT_ANY_WORKER};
    sem_init(&bench->done, 0, 0);
    if (rt_spawn(actors, &options, &teller) != RT_OK)
        fail("cannot spawn an actor");
    run_phase(bench, actors, teller, PHASE_MONTHS);
    run_phase(bench, actors, teller, PHASE_GRANTS);
    struct span opened = run_phase(bench, actors, teller, PHASE_OPEN);
    struct span settled = run_phase(bench, actors, teller, PHASE_SETTLE);
    unsigned legs = bench->options.legs;
    printf("{\"opens_per_s\":%.0f,\"settles_per_s\":%.0f,\"open_cpu_us\":%.2f,"
           "\"settle_cpu_us\":%.2f,\"open_server_cpu_us\":%.2f,\"settle_server_cpu_us\":%.2f}\n",
           legs / opened.wall_s, legs / settled.wall_s, 1e6 * opened.cpu_s / legs,
           1e6 * settled.cpu_s / legs, 1e6 * opened.server_cpu_s / legs,
           1e6 * settled.server_cpu_s / legs);
}

static void
remove_store(const char *directory)
{
    static const char *const files[] = {"twin.db", "twin.db-wal", "twin.db-shm", "twin.db.lock"};
    char path[64];
    for (size_t i = 0; i < RT_COUNT_OF(files); i++) {
        snprintf(path, sizeof(path), "%s/%s", directory, files[i]);
        unlink(path); /* some are gone already */
    }
    if (rmdir(directory) != 0)
        fail("cannot remove what was made");
}

static void
on_sqlite(struct bench *bench, struct rt_system *actors)
{
    char directory[] = "bench-ledger-XXXXXX", path[64], problem[512];
    if (mkdtemp(directory) == NULL)
        fail("cannot make a directory");
    struct vito_sqlite *database;
    snprintf(path, sizeof(path), "%s/twin.db", directory);
    if (vito_sqlite_open(path, true, MONTH_START_MS, &database, problem, sizeof(problem)) != RT_OK)
        fail(problem);
    struct vito_sqlite_thread *thread = vito_sqlite_thread_start(database, actors);
    if (thread == NULL)
        fail("cannot start the store");
    bench->store = vito_sqlite_thread_store(thread);
    run(bench, actors);
    rt_system_stop(actors);
    vito_sqlite_thread_stop(thread);
    remove_store(directory);
}

static void
on_postgres(struct bench *bench, struct rt_system *actors)
{
    struct cluster cluster;
    char uri[256], problem[512];
    cluster_start_with(&cluster, SERVER_BUFFERS_MB);
    cluster_uri(&cluster, "postgres", uri, sizeof(uri));
    const struct vito_postgres_options options = {
        .uri = uri, .node = "bench", .migrate = true, .world = rt_world_real()};
    struct vito_postgres *database;
    if (vito_postgres_open(&options, &database, problem, sizeof(problem)) != RT_OK)
        fail(problem);
    struct vito_postgres_thread *thread = vito_postgres_thread_start(database, actors);
    if (thread == NULL)
        fail("cannot start the store");
    bench->store = vito_postgres_thread_store(thread);
    bench->server = cluster.pid;
    run(bench, actors);
    rt_system_stop(actors);
    vito_postgres_thread_stop(thread);
    cluster_stop(&cluster);
}

static unsigned
read_count(const char *text, unsigned max)
{
    char *end;
    long number = strtol(text, &end, 10);
    if (*text == '\0' || *end != '\0' || number < 1 || number > (long)max)
        fail("a count is out of range; try --help");
    return (unsigned)number;
}

static struct options
read_options(int count, char **arguments)
{
    static const struct option letters[] = {{"postgres", no_argument, NULL, 'p'},
                                            {"legs", required_argument, NULL, 'l'},
                                            {"depth", required_argument, NULL, 'd'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    struct options options = {.legs = 100000, .depth = 1000};
    int letter;
    while ((letter = getopt_long(count, arguments, "", letters, NULL)) != -1) {
        if (letter == 'p')
            options.is_postgres = true;
        else if (letter == 'l')
            options.legs = read_count(optarg, LEGS_MAX);
        else if (letter == 'd')
            options.depth = read_count(optarg, DEPTH_MAX);
        else if (letter == 'h') {
            fputs(help, stdout);
            exit(0);
        } else {
            exit(2); /* getopt_long() has said what is wrong */
        }
    }
    return options;
}

int
main(int count, char **arguments)
{
    struct bench bench = {.options = read_options(count, arguments)};
    struct rt_system_options options = {.workers = 1, .world = rt_world_real()};
    struct rt_system *actors = rt_system_create(&options);
    if (actors == NULL || rt_system_start(actors) != RT_OK)
        fail("cannot start a worker");
    (bench.options.is_postgres ? on_postgres : on_sqlite)(&bench, actors);
    rt_system_destroy(actors);
    return 0;
}
