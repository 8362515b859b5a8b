/*
 * The twin's actors in the simulated world: tenants, sessions and vendor actors as they run in the
 * gateway, over the embedded store's SQL, with clients, vendors and a store that misbehave by the
 * dice. A run has one or more lives: a life may end in a crash, and the next goes on with what was
 * durable. The auditors of sim_books.h look at each thing a vendor does and at each commit.
 *
 *   sim_twins [--seeds COUNT] [--from SEED]
 *
 * Two planted bugs (a vendor that ignores its allowance, a store that forgets) must be found.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/messages.h"
#include "runtime/pool.h"
#include "tests/sim/world/sim_books.h"
#include "tests/sim/world/sim_clients.h"
#include "tests/sim/world/sim_policy.h"
#include "tests/sim/world/sim_store.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

enum {
    TENANTS = 3,
    LIVES_MAX = 3,
    LIFE_MS = 20000,
    OUTAGE_MS = 1500,
    DRAIN_MS = 120000,
    PLANTED_SEEDS = 40, /* within which a planted bug must be found */
};

#define START_WALL_MS INT64_C(1795219200000)     /* 2026-11-21T00:00:00Z */
#define MONTH_END_WALL_MS INT64_C(1796083200000) /* 2026-12-01T00:00:00Z */

enum planted { NOTHING_PLANTED, PLANTED_OVERSPEND, PLANTED_FORGETFUL };

static const char *const tenants[TENANTS] = {"andres", "jose", "tony"};
static const char *const keys[TENANTS] = {"twk_andres", "twk_jose", "twk_tony"};

/* One seed's run. What outlives a crash is here; what does not is in run_life(). */
struct run {
    uint64_t seed;
    enum planted planted;
    struct rt_random dice;
    struct vito_sqlite *database;
    struct vito_keyring *keyring;
    struct sim_vendors vendors;
    struct sim_books books;
    struct sim_seen seen;
    uint64_t hash;
    int64_t wall_ms;
    bool drained;
    bool store_fails; /* in this life: a slice may stay out until the next */
};

static enum rt_status
get_secret(void *self, const struct vito_secret_use *use, struct vito_secret *secret_out)
{
    (void)self, (void)use, (void)secret_out;
    return RT_NOT_FOUND;
}

static struct vito_secrets no_secrets = {.get = get_secret};

static void
execute(struct run *run, struct vito_request *request)
{
    struct vito_stored stored = {.op = request->op};
    struct rt_buffer *document = NULL;
    CHECK(vito_sqlite_begin(run->database) == RT_OK);
    CHECK(vito_sqlite_execute(run->database, request, &stored, &document));
    CHECK(stored.status == RT_OK);
    CHECK(vito_sqlite_commit(run->database) == RT_OK);
    rt_buffer_release(document);
    rt_buffer_release(request->document);
}

/* "0.123" with as many thousandths. */
static const char *
thousandths(char text[16], uint64_t number)
{
    snprintf(text, 16, "%u.%03u", (unsigned)(number / 1000), (unsigned)(number % 1000));
    return text;
}

static uint64_t
dice_from(struct run *run, uint64_t from, uint64_t to)
{
    return from + rt_random_below(&run->dice, to - from);
}

static void
provision(struct run *run, unsigned index, const char *token_usd, const char *interaction_usd)
{
    char json[1024], limit[16], session[24] = "null", number[16];
    uint64_t limit_mills = dice_from(run, 1, 600);
    if (rt_random_chance(&run->dice, 300))
        snprintf(session, sizeof(session), "\"%s\"", thousandths(number, dice_from(run, 1, 200)));
    const char *voice = rt_random_chance(&run->dice, 300) ? "1" : "null";
    const char *video = rt_random_chance(&run->dice, 300) ? "1" : "null";
    const char *tokens = rt_random_chance(&run->dice, 200) ? "150" : "null";
    snprintf(json, sizeof(json),
             "{\"policy\":\"dice\",\"policy_config\":{\"limits\":{\"monthly_hard_limit_usd\":"
             "\"%s\",\"session_limit_usd\":%s,\"voice_minutes\":%s,\"video_minutes\":%s,"
             "\"tokens_per_session\":%s},\"rate\":{\"per_second\":%u,\"burst\":%u,\"queue\":%u,"
             "\"max_wait_ms\":%u},\"prices\":{\"token_1k_usd\":\"%s\",\"interaction_usd\":\"%s\""
             "}}}",
             thousandths(limit, limit_mills), session, voice, video, tokens,
             (unsigned)dice_from(run, 1, 20), (unsigned)dice_from(run, 1, 20),
             (unsigned)dice_from(run, 0, 5), (unsigned)dice_from(run, 1, 3000), token_usd,
             interaction_usd);
    struct vito_request put = {.op = VITO_TENANT_PUT,
                               .document = rt_buffer_copy(json, strlen(json))};
    strcpy(put.tenant_id, tenants[index]);
    execute(run, &put);
    struct vito_request add = {.op = VITO_KEY_ADD};
    strcpy(add.tenant_id, tenants[index]);
    strcpy(add.key.tenant_id, tenants[index]);
    snprintf(add.key.id, sizeof(add.key.id), "key_%u", index);
    add.key.digest = vito_key_digest(run->keyring, keys[index], strlen(keys[index]));
    add.key.created_ms = run->wall_ms;
    execute(run, &add);
}

static void
on_generated(void *context, const struct sim_truth *truth)
{
    sim_books_check_vendor(&((struct run *)context)->books, truth);
}

static void
begin_run(struct run *run)
{
    static const uint8_t master_key[VITO_MASTER_KEY_BYTES] = "simulated";
    char problem[256], token[16], interaction[16];
    rt_random_seed(&run->dice, run->seed);
    run->wall_ms = START_WALL_MS;
    if (rt_random_chance(&run->dice, 200))
        run->wall_ms = MONTH_END_WALL_MS - (int64_t)dice_from(run, 1000, 30000);
    run->keyring = vito_keyring_of(master_key);
    CHECK(vito_sqlite_open(":memory:", true, run->wall_ms, &run->database, problem,
                           sizeof(problem)) == RT_OK);
    run->books.database = run->database;
    run->books.vendors = &run->vendors;
    sim_books_open(&run->books);
    run->vendors.generated = on_generated;
    run->vendors.context = run;
    uint64_t token_mills = dice_from(run, 0, 40), interaction_mills = dice_from(run, 0, 12);
    run->vendors.token_1k_nusd = (int64_t)token_mills * 1000000;
    run->vendors.overspend = run->planted == PLANTED_OVERSPEND;
    run->books.interaction_nusd = (int64_t)interaction_mills * 1000000;
    thousandths(token, token_mills);
    thousandths(interaction, interaction_mills);
    for (unsigned i = 0; i < TENANTS; i++)
        provision(run, i, token, interaction);
}

static void
end_run(struct run *run)
{
    sim_books_close(&run->books);
    vito_sqlite_close(run->database);
    vito_keyring_close(run->keyring);
}

/* Some seeds are calm, some have one kind of fault, some have them all. */
static unsigned
fault(struct run *run, unsigned per_mille)
{
    return rt_random_chance(&run->dice, 500) ? per_mille : 0;
}

static void
choose_faults(struct run *run, struct sim_store *store)
{
    run->vendors.faults = (struct sim_vendor_faults){
        .refuse = fault(run, 100),
        .hang = fault(run, 50),
        .cut = fault(run, 200),
        .slow_stop = fault(run, 300),
        .unstoppable = fault(run, 200),
        .repeat = fault(run, 300),
        .late = fault(run, 300),
    };
    store->rollback_per_mille = fault(run, 30);
    store->lost_ack_per_mille = fault(run, 30);
    store->forgetful = run->planted == PLANTED_FORGETFUL;
}

static void
on_committed(void *context)
{
    sim_books_check_ledger(&((struct run *)context)->books);
}

static void
on_drained(void *context)
{
    ((struct run *)context)->drained = true;
}

static void
on_outage(void *context)
{
    ((struct sim_store *)context)->down = true;
}

static void
on_outage_over(void *context)
{
    ((struct sim_store *)context)->down = false;
}

/* False: the auditors have found something. */
static bool
step_until(struct run *run, struct rt_sim *sim, uint64_t until_ns)
{
    while (!run->drained && run->books.finding[0] == '\0' && rt_sim_step(sim, until_ns))
        ;
    return run->books.finding[0] == '\0';
}

static void
name_actor(void *context, const struct rt_actor_info *info)
{
    (void)context;
    fprintf(stderr, "still there: %s %lu, %u messages wait\n", info->kind, info->id, info->waiting);
}

static void
shut_down(struct run *run, struct rt_sim *sim, const struct world *world, struct sim_store *store)
{
    store->rollback_per_mille = store->lost_ack_per_mille = 0;
    store->down = false;
    CHECK(rt_post(rt_sim_system(sim), world->registry, rt_message_create(REGISTRY_SHUTDOWN, 0)) ==
          RT_OK);
    if (!step_until(run, sim, rt_sim_now_ns(sim) + DRAIN_MS * RT_NS_PER_MS))
        return;
    if (run->drained)
        return;
    rt_system_visit(rt_sim_system(sim), name_actor, NULL);
    snprintf(run->books.finding, sizeof(run->books.finding), "I6: it does not drain");
}

static void
run_life(struct run *run, bool is_last)
{
    struct rt_sim *sim = rt_sim_create(&(struct rt_sim_options){
        .seed = rt_random_u64(&run->dice), .workers = 3, .start_wall_ms = run->wall_ms});
    CHECK(sim != NULL);
    run->vendors.sim = sim;
    struct sim_store *store = sim_store_create(sim, run->database);
    store->committed = on_committed;
    store->context = run;
    choose_faults(run, store);
    struct world world = {
        .system = rt_sim_system(sim),
        .store = sim_store_port(store),
        .secrets = &no_secrets,
        .keyring = run->keyring,
        .policies = sim_policy_port(sim),
        .adapters = sim_vendors_port(&run->vendors),
        .sessions_max = 20,
        .tenant_idle_ms = 500,
        .session_idle_ms = 5000,
        .drained = on_drained,
        .drained_context = run,
    };
    CHECK(world_start(&world) == RT_OK);
    struct sim_clients clients = {.sim = sim,
                                  .world = &world,
                                  .tenants = tenants,
                                  .keys = keys,
                                  .tenant_count = TENANTS,
                                  .client_count = (unsigned)dice_from(run, 2, 16),
                                  .seen = &run->seen};
    sim_clients_start(&clients);
    run->store_fails = store->rollback_per_mille > 0 || store->lost_ack_per_mille > 0;
    if (rt_random_chance(&run->dice, 300)) {
        run->store_fails = true;
        uint64_t from_ms = dice_from(run, 100, LIFE_MS - OUTAGE_MS);
        CHECK(rt_sim_after(sim, from_ms * RT_NS_PER_MS, on_outage, store));
        CHECK(rt_sim_after(sim, (from_ms + OUTAGE_MS) * RT_NS_PER_MS, on_outage_over, store));
    }
    uint64_t life_ms = is_last ? LIFE_MS : dice_from(run, 100, LIFE_MS);
    bool sound = step_until(run, sim, life_ms * RT_NS_PER_MS);
    clients.closing = true;
    if (sound && is_last)
        shut_down(run, sim, &world, store);
    run->hash = run->hash * 31 + rt_sim_hash(sim);
    run->wall_ms += (int64_t)(rt_sim_now_ns(sim) / RT_NS_PER_MS);
    sim_store_destroy(store);
    rt_sim_destroy(sim);
}

/* What happens to the database when a gateway starts over it again. */
static void
recover(struct run *run)
{
    CHECK(vito_sqlite_begin(run->database) == RT_OK);
    CHECK(vito_store_recover(run->database, run->wall_ms));
    CHECK(vito_sqlite_commit(run->database) == RT_OK);
    sim_books_check_ledger(&run->books);
}

static uint64_t
run_seed(struct run *run, uint64_t seed, enum planted planted)
{
    memset(run, 0, sizeof(*run));
    run->seed = seed;
    run->planted = planted;
    begin_run(run);
    uint64_t lives = dice_from(run, 1, LIVES_MAX + 1);
    for (uint64_t life = 1; life <= lives && run->books.finding[0] == '\0'; life++) {
        if (life > 1)
            recover(run);
        run_life(run, life == lives);
    }
    if (run->books.finding[0] == '\0' && run->store_fails)
        recover(run);
    if (run->books.finding[0] == '\0')
        sim_books_check_end(&run->books);
    end_run(run);
    return run->hash;
}

static void
add_seen(struct sim_seen *sum, const struct sim_seen *seen)
{
    sum->answers += seen->answers;
    sum->refusals += seen->refusals;
    sum->upgrades += seen->upgrades;
    sum->cut += seen->cut;
    for (unsigned i = 0; i < FRAME_TYPE_COUNT; i++)
        sum->frames[i] += seen->frames[i];
}

/* A run in which nothing happens proves nothing. */
static void
check_seen(const struct sim_seen *sum, uint64_t seeds)
{
    printf("%u turns over HTTP, %u refusals, %u sessions, %u cut for cost\n", sum->answers,
           sum->refusals, sum->upgrades, sum->cut);
    if (seeds < 100)
        return;
    CHECK(sum->answers > 0 && sum->refusals > 0 && sum->upgrades > 0 && sum->cut > 0);
    for (unsigned i = 0; i < FRAME_TYPE_COUNT; i++)
        if (sum->frames[i] == 0) {
            fprintf(stderr, "no frame of type %u was ever seen\n", i);
            exit(1);
        }
}

static bool
run_all(struct run *run, uint64_t from, uint64_t seeds)
{
    struct sim_seen sum = {0};
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        uint64_t hash = run_seed(run, seed, NOTHING_PLANTED);
        if (run->books.finding[0] != '\0') {
            fprintf(stderr, "seed %lu: %s\nagain: sim_twins --from %lu --seeds 1\n", seed,
                    run->books.finding, seed);
            return false;
        }
        add_seen(&sum, &run->seen);
        if (seed % 10 == 0 && run_seed(run, seed, NOTHING_PLANTED) != hash) {
            fprintf(stderr, "seed %lu: another trace the second time\n", seed);
            return false;
        }
    }
    check_seen(&sum, seeds);
    return true;
}

static bool
is_found(struct run *run, const char *name, enum planted planted)
{
    for (uint64_t seed = 1; seed <= PLANTED_SEEDS; seed++) {
        run_seed(run, seed, planted);
        if (run->books.finding[0] != '\0') {
            printf("planted %s is found with seed %lu: %s\n", name, seed, run->books.finding);
            return true;
        }
    }
    fprintf(stderr, "planted %s is not found within %d seeds\n", name, PLANTED_SEEDS);
    return false;
}

int
main(int argc, char **argv)
{
    uint64_t seeds = 1000, from = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[i + 1], NULL, 10);
    }
    struct run *run = malloc(sizeof(*run));
    CHECK(run != NULL && sodium_init() >= 0);
    bool ok = run_all(run, from, seeds);
    if (ok && seeds > 1)
        ok = is_found(run, "overspend", PLANTED_OVERSPEND) &&
             is_found(run, "forgetful store", PLANTED_FORGETFUL);
    if (ok)
        printf("%lu seeds, books in order after each step\n", seeds);
    free(run);
    rt_pool_thread_end();
    return ok ? 0 : 1;
}
