#include "tests/sim/world/sim_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/messages.h"
#include "runtime/text.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/sim/world/sim_policy.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

enum {
    LIVES_MAX = 3,
    LIFE_MS = 20000,
    OUTAGE_MS = 1500,
    ANSWER_MS = 240000, /* within which everybody must have an answer once all is well */
    RECOVERY_MS = 240000,
    DRAIN_MS = 120000,
    IDLE_MS = 5000,
    IDLE_PATIENT_MS = 600000,
};

#define START_WALL_MS INT64_C(1795219200000)     /* 2026-11-21T00:00:00Z */
#define MONTH_END_WALL_MS INT64_C(1796083200000) /* 2026-12-01T00:00:00Z */

static const char *const tenants[SIM_TENANTS] = {"andres", "jose", "tony"};
static const char *const keys[SIM_TENANTS] = {"twk_andres", "twk_jose", "twk_tony"};

/* What does not outlive a crash. */
struct life {
    struct sim_run *run;
    struct rt_sim *sim;
    struct sim_store *store;
    struct sim_vendors vendors;
    struct sim_chaos chaos;
    struct sim_clients clients;
    struct world world;
};

static enum rt_status
get_secret(void *self, const struct vito_secret_use *use, struct vito_secret *secret_out)
{
    (void)self, (void)use, (void)secret_out;
    return RT_NOT_FOUND;
}

static struct vito_secrets no_secrets = {.get = get_secret};

static void
execute(struct sim_run *run, struct vito_request *request)
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
dice_from(struct sim_run *run, uint64_t from, uint64_t to)
{
    return from + rt_random_below(&run->dice, to - from);
}

static void
provision(struct sim_run *run, unsigned index, const char *token_usd, const char *interaction_usd)
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
    struct vito_request put = {.op = VITO_TENANT_PUT, .document = sim_buffer(json, strlen(json))};
    RT_TEXT_SET(put.tenant_id, tenants[index]);
    execute(run, &put);
    struct vito_request add = {.op = VITO_KEY_ADD};
    RT_TEXT_SET(add.tenant_id, tenants[index]);
    RT_TEXT_SET(add.key.tenant_id, tenants[index]);
    snprintf(add.key.id, sizeof(add.key.id), "key_%u", index);
    add.key.digest = vito_key_digest(run->keyring, keys[index], strlen(keys[index]));
    add.key.created_ms = run->wall_ms;
    execute(run, &add);
}

static void
on_generated(void *context, const struct sim_truth *truth)
{
    sim_books_check_vendor(&((struct sim_run *)context)->books, truth);
}

static void
open_books(struct sim_run *run)
{
    static const uint8_t master_key[VITO_MASTER_KEY_BYTES] = "simulated";
    char problem[256];
    run->keyring = vito_keyring_of(master_key);
    CHECK(vito_sqlite_open(":memory:", true, run->wall_ms, &run->database, problem,
                           sizeof(problem)) == RT_OK);
    run->books.database = run->database;
    run->books.truths = &run->truths;
    run->books.upset = sim_swarm_upsets(&run->swarm) || run->options.failing_request > 0;
    sim_books_open(&run->books);
    run->truths.generated = on_generated;
    run->truths.context = run;
}

static void
begin_run(struct sim_run *run)
{
    char token[16], interaction[16];
    rt_random_seed(&run->dice, run->seed);
    sim_swarm_choose(&run->swarm, &run->dice);
    CHECK(run->options.faults == NULL || sim_swarm_only(&run->swarm, run->options.faults));
    run->wall_ms = START_WALL_MS;
    if (rt_random_chance(&run->dice, 200))
        run->wall_ms = MONTH_END_WALL_MS - (int64_t)dice_from(run, 1000, 30000);
    open_books(run);
    uint64_t token_mills = dice_from(run, 0, 40), interaction_mills = dice_from(run, 0, 12);
    run->truths.token_1k_nusd = (int64_t)token_mills * 1000000;
    run->books.interaction_nusd = (int64_t)interaction_mills * 1000000;
    thousandths(token, token_mills);
    thousandths(interaction, interaction_mills);
    for (unsigned i = 0; i < SIM_TENANTS; i++)
        provision(run, i, token, interaction);
}

static void
dump(const struct sim_run *run)
{
    char sql[512];
    remove(run->options.dump);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", run->options.dump);
    CHECK(sqlite3_exec(run->database->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static void
end_run(struct sim_run *run)
{
    if (run->options.dump != NULL && run->books.finding[0] != '\0')
        dump(run);
    sim_books_close(&run->books);
    vito_sqlite_close(run->database);
    vito_keyring_close(run->keyring);
}

static void
on_committed(void *context)
{
    sim_books_check_ledger(&((struct sim_run *)context)->books);
}

static void
on_drained(void *context)
{
    ((struct sim_run *)context)->drained = true;
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

static void
on_told(void *context, const char *session_id, unsigned done)
{
    sim_books_check_done(&((struct sim_run *)context)->books, session_id, done);
}

static bool
is_sound(const struct sim_run *run)
{
    return run->books.finding[0] == '\0';
}

static void
begin_store(struct life *life)
{
    struct sim_run *run = life->run;
    const struct sim_swarm *swarm = &run->swarm;
    struct sim_store *store = life->store = sim_store_create(life->sim, run->database);
    store->committed = on_committed;
    store->context = run;
    store->rollback_per_mille = swarm->rollback;
    store->lost_ack_per_mille = swarm->lost_ack;
    store->bug = run->plant->store;
    run->store_fails |= swarm->rollback > 0 || swarm->lost_ack > 0;
    if (!swarm->outage || rt_random_chance(&run->dice, 300))
        return;
    run->store_fails = true;
    uint64_t from_ms = dice_from(run, 100, LIFE_MS - OUTAGE_MS);
    CHECK(rt_sim_after(life->sim, from_ms * RT_NS_PER_MS, on_outage, store));
    CHECK(rt_sim_after(life->sim, (from_ms + OUTAGE_MS) * RT_NS_PER_MS, on_outage_over, store));
}

static void
begin_world(struct life *life)
{
    struct sim_run *run = life->run;
    life->vendors = (struct sim_vendors){.sim = life->sim,
                                         .truths = &run->truths,
                                         .faults = run->swarm.vendor,
                                         .bug = run->plant->vendor};
    life->world = (struct world){
        .system = rt_sim_system(life->sim),
        .store = sim_store_port(life->store),
        .secrets = &no_secrets,
        .keyring = run->keyring,
        .policies = sim_policy_port(life->sim),
        .adapters = sim_vendors_port(&life->vendors),
        .sessions_max = 20,
        .tenant_idle_ms = 500,
        .session_idle_ms = run->swarm.is_patient ? IDLE_PATIENT_MS : IDLE_MS,
        .drained = on_drained,
        .drained_context = run,
    };
    CHECK(world_start(&life->world) == RT_OK);
}

static void
begin_life(struct life *life)
{
    struct sim_run *run = life->run;
    life->sim = rt_sim_create(&(struct rt_sim_options){
        .seed = rt_random_u64(&run->dice), .workers = 3, .start_wall_ms = run->wall_ms});
    CHECK(life->sim != NULL);
    begin_store(life);
    begin_world(life);
    life->clients = (struct sim_clients){.sim = life->sim,
                                         .world = &life->world,
                                         .tenants = tenants,
                                         .keys = keys,
                                         .tenant_count = SIM_TENANTS,
                                         .client_count = (unsigned)dice_from(run, 2, 16),
                                         .delay_max_ms = run->swarm.client_delay_max_ms,
                                         .vanish = run->swarm.vanish,
                                         .seen = &run->seen,
                                         .told = on_told,
                                         .context = run};
    sim_clients_start(&life->clients);
    life->chaos = (struct sim_chaos){.sim = life->sim, .swarm = &run->swarm};
    sim_chaos_start(&life->chaos);
    sim_memory_fail(rt_sim_random(life->sim), run->swarm.memory);
}

static void
step_until(struct life *life, uint64_t until_ns)
{
    while (!life->run->drained && is_sound(life->run) && rt_sim_step(life->sim, until_ns))
        ;
}

/* A shutdown leaves what is being recovered to the next start, and after the last life there is
 * none; nor may recovery take for ever. */
static void
await_recovery(struct life *life)
{
    static const char sql[] =
        "SELECT count(*) FROM vito_usage WHERE state = 'open' AND outcome = 'adopted'";
    struct sim_run *run = life->run;
    uint64_t until_ns = rt_sim_now_ns(life->sim) + RECOVERY_MS * RT_NS_PER_MS;
    int64_t left;
    while (is_sound(run) && (left = sim_store_query(run->database, sql)) > 0) {
        if (rt_sim_now_ns(life->sim) >= until_ns)
            sim_books_find(&run->books, "I6: %ld legs of a former life are never settled", left);
        else
            step_until(life, rt_sim_now_ns(life->sim) + RT_NS_PER_S);
    }
}

/* No more faults, and nobody asks for more: those who have asked are answered. */
static void
heal(struct life *life)
{
    struct sim_run *run = life->run;
    life->chaos.over = life->clients.closing = true;
    life->store->rollback_per_mille = life->store->lost_ack_per_mille = 0;
    life->store->down = false;
    sim_memory_fail(NULL, 0);
    uint64_t until_ns = rt_sim_now_ns(life->sim) + ANSWER_MS * RT_NS_PER_MS;
    while (is_sound(run) && sim_clients_waiting(&life->clients) > 0 &&
           rt_sim_step(life->sim, until_ns))
        ;
    unsigned waiting = sim_clients_waiting(&life->clients);
    if (waiting > 0)
        sim_books_find(&run->books, "answers: %u clients wait for ever", waiting);
}

static void
name_actor(void *context, const struct rt_actor_info *info)
{
    (void)context;
    fprintf(stderr, "still there: %s %lu, %u messages wait\n", info->kind, info->id, info->waiting);
}

static void
shut_down(struct life *life)
{
    struct sim_run *run = life->run;
    struct rt_message *message = sim_message(REGISTRY_SHUTDOWN, 0);
    message->flags = RT_MESSAGE_CONTROL; /* its mailbox may still be full */
    if (rt_post(rt_sim_system(life->sim), life->world.registry, message) != RT_OK)
        sim_books_find(&run->books, "answers: the registry has ended for good");
    step_until(life, rt_sim_now_ns(life->sim) + DRAIN_MS * RT_NS_PER_MS);
    if (!is_sound(run) || run->drained)
        return;
    rt_system_visit(rt_sim_system(life->sim), name_actor, NULL);
    sim_books_find(&run->books, "I6: it does not drain");
}

static void
end_life(struct life *life)
{
    struct sim_run *run = life->run;
    sim_memory_fail(NULL, 0);
    run->hash = run->hash * 31 + rt_sim_hash(life->sim);
    run->wall_ms += (int64_t)(rt_sim_now_ns(life->sim) / RT_NS_PER_MS);
    for (unsigned kind = 0; kind < CHAOS_KIND_COUNT; kind++)
        run->happened[kind] += life->chaos.happened[kind];
    life->clients.closing = true;
    sim_store_destroy(life->store);
    rt_sim_destroy(life->sim);
    sim_clients_stop(&life->clients);
}

static void
run_life(struct sim_run *run, bool is_last)
{
    struct life *life = calloc(1, sizeof(*life));
    CHECK(life != NULL);
    life->run = run;
    begin_life(life);
    uint64_t life_ms = is_last ? LIFE_MS : dice_from(run, 100, LIFE_MS);
    step_until(life, life_ms * RT_NS_PER_MS);
    if (is_sound(run) && is_last)
        heal(life);
    if (is_sound(run) && is_last)
        await_recovery(life);
    if (is_sound(run) && is_last)
        shut_down(life);
    end_life(life);
    free(life);
}

/* What happens to the database when a gateway starts over it again. */
static void
recover(struct sim_run *run)
{
    CHECK(vito_sqlite_begin(run->database) == RT_OK);
    CHECK(vito_store_recover(run->database, run->wall_ms));
    CHECK(vito_sqlite_commit(run->database) == RT_OK);
    sim_books_check_ledger(&run->books);
}

/* No life follows in which the rooms of the last one could be ended: they cost what they held. */
static void
settle_rooms(struct sim_run *run)
{
    struct vito_request request = {.op = VITO_LEG_LIST_ADOPTED};
    struct vito_stored stored;
    struct rt_buffer *list;
    CHECK(vito_sqlite_begin(run->database) == RT_OK);
    CHECK(vito_sqlite_execute(run->database, &request, &stored, &list) && list != NULL);
    for (size_t at = 0; at < list->size_bytes; at += sizeof(struct vito_adopted_leg)) {
        struct vito_adopted_leg room;
        struct rt_buffer *none;
        memcpy(&room, list->bytes + at, sizeof(room));
        request = (struct vito_request){.op = VITO_LEG_SETTLE, .leg = room.leg};
        strcpy(request.tenant_id, room.tenant_id);
        strcpy(request.leg.outcome, "recovered");
        request.leg.cost_nusd = room.leg.held_nusd;
        CHECK(vito_sqlite_execute(run->database, &request, &stored, &none));
    }
    rt_buffer_release(list);
    CHECK(vito_sqlite_commit(run->database) == RT_OK);
}

uint64_t
sim_run_seed(struct sim_run *run, uint64_t seed, const struct sim_plant *plant,
             const struct sim_run_options *options)
{
    static const struct sim_plant nothing = {.name = "nothing"};
    memset(run, 0, sizeof(*run));
    run->seed = seed;
    run->plant = plant == NULL ? &nothing : plant;
    run->options = *options;
    sim_memory_fail_one(options->failing_request);
    begin_run(run);
    uint64_t lives = dice_from(run, 1, LIVES_MAX + 1);
    for (uint64_t life = 1; life <= lives && is_sound(run); life++) {
        if (life > 1)
            recover(run);
        run_life(run, life == lives);
    }
    if (is_sound(run) && run->store_fails) {
        recover(run);
        settle_rooms(run);
    }
    if (is_sound(run))
        sim_books_check_end(&run->books);
    end_run(run);
    return run->hash;
}
