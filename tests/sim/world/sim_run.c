#include "tests/sim/world/sim_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

enum {
    LIVES_MAX = 3,
    LIFE_MS = 20000,
    OUTAGE_MS = 1500,
    ANSWER_MS = 240000, /* within which everybody must have an answer once all is well */
    RECOVERY_MS = 240000,
    DRAIN_MS = 120000,
    RESUME_EACH = 8, /* seeds: in one of them connections break, and clients come back */
    RESUME_PER_MILLE = 200,
    STALL_EACH = 16, /* seeds: in one of them the disk stands still now and then */
    STALL_AT = 7,
};

#define START_WALL_MS INT64_C(1795219200000)     /* 2026-11-21T00:00:00Z */
#define MONTH_END_WALL_MS INT64_C(1796083200000) /* 2026-12-01T00:00:00Z */

const char *const sim_run_tenants[SIM_TENANTS] = {"andres", "jose", "tony"};
const char *const sim_run_keys[SIM_TENANTS] = {"twk_andres", "twk_jose", "twk_tony"};

/* A life on an embedded store. */
struct local {
    struct sim_life life;
    struct sim_store *store;
};

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

uint64_t
sim_run_dice(struct sim_run *run, uint64_t from, uint64_t to)
{
    return from + rt_random_below(&run->dice, to - from);
}

static void
provision(struct sim_run *run, unsigned index, const char *token_usd, const char *interaction_usd)
{
    char json[1024], limit[16], session[24] = "null", number[16];
    uint64_t limit_mills = sim_run_dice(run, 1, 600);
    if (rt_random_chance(&run->dice, 300))
        snprintf(session, sizeof(session), "\"%s\"",
                 thousandths(number, sim_run_dice(run, 1, 200)));
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
             (unsigned)sim_run_dice(run, 1, 20), (unsigned)sim_run_dice(run, 1, 20),
             (unsigned)sim_run_dice(run, 0, 5), (unsigned)sim_run_dice(run, 1, 3000), token_usd,
             interaction_usd);
    struct vito_request put = {.op = VITO_TENANT_PUT, .document = sim_buffer(json, strlen(json))};
    RT_TEXT_SET(put.tenant_id, sim_run_tenants[index]);
    execute(run, &put);
    struct vito_request add = {.op = VITO_KEY_ADD};
    RT_TEXT_SET(add.tenant_id, sim_run_tenants[index]);
    RT_TEXT_SET(add.key.tenant_id, sim_run_tenants[index]);
    snprintf(add.key.id, sizeof(add.key.id), "key_%u", index);
    add.key.digest =
        vito_key_digest(run->keyring, sim_run_keys[index], strlen(sim_run_keys[index]));
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
    run->books.is_shared = run->options.nodes > 1;
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
    run->swarm.resume = run->seed % RESUME_EACH == 0 ? RESUME_PER_MILLE : 0;
    if (run->options.nodes <= 1 && run->seed % STALL_EACH == STALL_AT)
        sim_swarm_stall(&run->swarm);
    CHECK(run->options.faults == NULL || sim_swarm_only(&run->swarm, run->options.faults));
    run->wall_ms = START_WALL_MS;
    if (rt_random_chance(&run->dice, 200))
        run->wall_ms = MONTH_END_WALL_MS - (int64_t)sim_run_dice(run, 1000, 30000);
    open_books(run);
    uint64_t token_mills = sim_run_dice(run, 0, 40), interaction_mills = sim_run_dice(run, 0, 12);
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
on_outage(void *context)
{
    ((struct sim_store *)context)->down = true;
}

static void
on_outage_over(void *context)
{
    ((struct sim_store *)context)->down = false;
}

bool
sim_run_is_sound(const struct sim_run *run)
{
    return run->books.finding[0] == '\0';
}

static void
begin_store(struct local *local)
{
    struct rt_sim *sim = local->life.sim;
    struct sim_run *run = local->life.run;
    const struct sim_swarm *swarm = &run->swarm;
    struct sim_store *store = local->store = sim_store_create(sim, run->database);
    store->committed = on_committed;
    store->context = run;
    store->rollback_per_mille = swarm->rollback;
    store->lost_ack_per_mille = swarm->lost_ack;
    store->stall_per_mille = swarm->stall;
    store->outlived = &run->outlived;
    store->bug = run->plant->store;
    run->store_fails |= swarm->rollback > 0 || swarm->lost_ack > 0;
    if (!swarm->outage || rt_random_chance(&run->dice, 300))
        return;
    run->store_fails = true;
    uint64_t from_ms = sim_run_dice(run, 100, LIFE_MS - OUTAGE_MS);
    CHECK(rt_sim_after(sim, from_ms * RT_NS_PER_MS, on_outage, store));
    CHECK(rt_sim_after(sim, (from_ms + OUTAGE_MS) * RT_NS_PER_MS, on_outage_over, store));
}

static void
begin_life(struct local *local)
{
    struct sim_run *run = local->life.run;
    local->life.sim = rt_sim_create(&(struct rt_sim_options){
        .seed = rt_random_u64(&run->dice), .workers = 3, .start_wall_ms = run->wall_ms});
    CHECK(local->life.sim != NULL);
    begin_store(local);
    struct vito_store store = sim_store_port(local->store);
    sim_life_begin(&local->life, &store, (unsigned)sim_run_dice(run, 2, 16));
}

static void
step_until(struct sim_life *life, uint64_t until_ns)
{
    while (!life->drained && sim_run_is_sound(life->run) && rt_sim_step(life->sim, until_ns))
        ;
}

/* A shutdown leaves what is being recovered to the next start, and after the last life there is
 * none; nor may recovery take for ever. */
static void
await_recovery(struct sim_life *life)
{
    static const char sql[] =
        "SELECT count(*) FROM vito_usage WHERE state = 'open' AND outcome = 'adopted'";
    struct sim_run *run = life->run;
    uint64_t until_ns = rt_sim_now_ns(life->sim) + RECOVERY_MS * RT_NS_PER_MS;
    int64_t left;
    while (sim_run_is_sound(run) && (left = sim_store_query(run->database, sql)) > 0) {
        if (rt_sim_now_ns(life->sim) >= until_ns)
            sim_books_find(&run->books, "I6: %ld legs of a former life are never settled", left);
        else
            step_until(life, rt_sim_now_ns(life->sim) + RT_NS_PER_S);
    }
}

/* No more faults, and nobody asks for more: those who have asked are answered. */
static void
heal(struct local *local)
{
    struct sim_life *life = &local->life;
    struct sim_run *run = life->run;
    sim_life_heal(life);
    local->store->rollback_per_mille = local->store->lost_ack_per_mille = 0;
    local->store->stall_per_mille = 0;
    local->store->down = false;
    sim_memory_fail(NULL, 0);
    uint64_t until_ns = rt_sim_now_ns(life->sim) + ANSWER_MS * RT_NS_PER_MS;
    while (sim_run_is_sound(run) && sim_clients_waiting(&life->clients) > 0 &&
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

void
sim_run_name_actors(struct rt_sim *sim)
{
    rt_system_visit(rt_sim_system(sim), name_actor, NULL);
}

static void
shut_down(struct sim_life *life)
{
    struct sim_run *run = life->run;
    sim_life_shut_down(life);
    step_until(life, rt_sim_now_ns(life->sim) + DRAIN_MS * RT_NS_PER_MS);
    if (!sim_run_is_sound(run) || life->drained)
        return;
    sim_run_name_actors(life->sim);
    sim_books_find(&run->books, "I6: it does not drain");
}

static void
end_life(struct local *local)
{
    local->life.run->wall_ms += (int64_t)(rt_sim_now_ns(local->life.sim) / RT_NS_PER_MS);
    sim_store_destroy(local->store);
    sim_life_end(&local->life);
}

static void
run_life(struct sim_run *run, bool is_last)
{
    struct local *local = calloc(1, sizeof(*local));
    CHECK(local != NULL);
    local->life.run = run;
    begin_life(local);
    uint64_t life_ms = is_last ? LIFE_MS : sim_run_dice(run, 100, LIFE_MS);
    step_until(&local->life, life_ms * RT_NS_PER_MS);
    if (sim_run_is_sound(run) && is_last)
        heal(local);
    if (sim_run_is_sound(run) && is_last)
        await_recovery(&local->life);
    if (sim_run_is_sound(run) && is_last)
        shut_down(&local->life);
    end_life(local);
    free(local);
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

void
sim_run_settle_rooms(struct sim_run *run)
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

/* Life after life on an embedded store. */
static void
run_lives(struct sim_run *run)
{
    uint64_t lives = sim_run_dice(run, 1, LIVES_MAX + 1);
    run->has_one_life = lives == 1;
    for (uint64_t life = 1; life <= lives && sim_run_is_sound(run); life++) {
        if (life > 1)
            recover(run);
        run_life(run, life == lives);
    }
    if (sim_run_is_sound(run) && run->store_fails) {
        recover(run);
        sim_run_settle_rooms(run);
    }
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
    if (options->nodes > 1)
        sim_fleet_run(run);
    else
        run_lives(run);
    if (sim_run_is_sound(run))
        sim_books_check_end(&run->books);
    if (sim_run_is_sound(run) && run->has_one_life && !run->books.upset && run->swarm.memory == 0)
        sim_books_check_denied(&run->books, run->seen.denied);
    end_run(run);
    return run->hash;
}
