#include "tests/sim/world/sim_fleet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/world/sim_link.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/sim/world/sim_operator.h"
#include "tests/sim/world/sim_run.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

enum {
    LIFE_MS = 25000,
    ANSWER_MS = 240000, /* within which everybody must have an answer once all is well */
    TIDY_MS = 60000,    /* and what gateways left that are gone must be settled */
    DRAIN_MS = 120000,
    LOOK_MS = 500,
    SKEW_MAX_MS = 3000, /* of a gateway's wall clock */
    CRASH_EVERY_MS = 7000,
    PARTITION_EVERY_MS = 5000,
    PAUSE_EVERY_MS = 5000,
    AWAY_SHORT_MS = 1000, /* a lease lasts longer */
    AWAY_LONG_MS = 15000, /* and not as long */
    OUTAGE_MAX_MS = 4000,
    BOOT_RETRY_MS = 500,
    COMES_WITHIN_MS = 2000,
    OPERATES_EACH = 8, /* seeds: in one of them somebody adds and removes keys … */
    OPERATES_AT = 4,
    OPERATE_EVERY_MS = 1500,
    LOST_NEWS_PER_MILLE = 200, /* … and not all gateways are told */
    KNOWN_MS = 4000,           /* within which they must know all the same */
    SHOW_MS = 20000,
};

struct node {
    struct fleet *fleet;
    unsigned index;
    bool is_up;
    bool cuts_requests, cuts_answers;
    int64_t skew_ms;
    struct sim_life life;
    struct sim_link *link;
};

struct fleet {
    struct sim_run *run;
    struct rt_sim *clock;
    struct sim_shared shared;
    struct sim_link *links; /* of all lives, over or not */
    struct node nodes[SIM_NODES_MAX];
    unsigned count;
    bool crashes, partitions, pauses, operates;
    struct sim_operator admin;
    bool over;    /* faults have healed */
    bool closing; /* nobody comes back any more */
};

static uint64_t
dice(struct fleet *fleet, uint64_t below)
{
    return rt_random_below(rt_sim_random(fleet->clock), below);
}

static void
later(struct fleet *fleet, uint64_t delay_ms, void (*run)(void *), void *context)
{
    CHECK(rt_sim_after(fleet->clock, delay_ms * RT_NS_PER_MS, run, context));
}

static void
pass_cuts_on(const struct node *node)
{
    if (node->link == NULL)
        return;
    node->link->cuts_requests = node->cuts_requests;
    node->link->cuts_answers = node->cuts_answers;
}

static void
begin_link(struct node *node)
{
    struct fleet *fleet = node->fleet;
    struct sim_link *link = node->link = calloc(1, sizeof(*link));
    CHECK(link != NULL);
    *link =
        (struct sim_link){.next = fleet->links,
                          .shared = &fleet->shared,
                          .sim = node->life.sim,
                          .node = node->index,
                          .birth_ns = rt_sim_now_ns(fleet->clock) - rt_sim_now_ns(node->life.sim)};
    fleet->links = fleet->shared.links[node->index] = link;
    sim_link_open(link, sim_shared_start(&fleet->shared, node->index));
}

static bool
is_any_up(const struct fleet *fleet)
{
    bool is_up = false;
    for (unsigned i = 0; i < fleet->count; i++)
        is_up |= fleet->nodes[i].is_up;
    return is_up;
}

static void
boot(void *context)
{
    struct node *node = context;
    struct fleet *fleet = node->fleet;
    struct sim_run *run = fleet->run;
    /* In the end some of those that are gone stay so: others settle for them. */
    if (fleet->closing || (fleet->over && is_any_up(fleet) && dice(fleet, 2) == 0))
        return;
    if (fleet->shared.down || node->cuts_requests || node->cuts_answers) {
        later(fleet, BOOT_RETRY_MS, boot, node); /* it does not come up without its store */
        return;
    }
    memset(&node->life, 0, sizeof(node->life));
    node->life.run = run;
    node->life.sim = rt_sim_create(&(struct rt_sim_options){
        .seed = rt_random_u64(rt_sim_random(fleet->clock)),
        .workers = 2,
        .start_wall_ms =
            run->wall_ms + node->skew_ms + (int64_t)(rt_sim_now_ns(fleet->clock) / RT_NS_PER_MS)});
    CHECK(node->life.sim != NULL);
    begin_link(node);
    struct vito_store store = sim_link_port(node->link);
    sim_life_begin(&node->life, &store, fleet->over ? 0 : 1 + (unsigned)dice(fleet, 8));
    if (fleet->over)
        sim_life_heal(&node->life);
    node->is_up = true;
    run->fleet.gateways++;
}

static void
end_node(struct node *node)
{
    sim_link_kill(node->link);
    sim_life_end(&node->life);
    node->link = NULL;
    node->is_up = false;
}

/* Some things are over soon, some last longer than a lease. */
static uint64_t
some_ms(struct fleet *fleet)
{
    return 1 + dice(fleet, dice(fleet, 2) == 0 ? AWAY_SHORT_MS : AWAY_LONG_MS);
}

static void
on_crash(void *context)
{
    struct fleet *fleet = context;
    struct node *node = &fleet->nodes[dice(fleet, fleet->count)];
    if (fleet->over)
        return;
    if (node->is_up) {
        sim_link_catch_up(node->link);
        sim_vendors_abandon(&node->life.vendors);
        end_node(node);
        later(fleet, some_ms(fleet), boot, node);
        fleet->run->fleet.crashes++;
    }
    later(fleet, 1 + dice(fleet, 2 * CRASH_EVERY_MS), on_crash, fleet);
}

static void
on_healed(void *context)
{
    struct node *node = context;
    node->cuts_requests = node->cuts_answers = false;
    pass_cuts_on(node);
}

static void
on_partition(void *context)
{
    struct fleet *fleet = context;
    struct node *node = &fleet->nodes[dice(fleet, fleet->count)];
    if (fleet->over)
        return;
    if (!node->cuts_requests && !node->cuts_answers) {
        unsigned which = 1 + (unsigned)dice(fleet, 3);
        node->cuts_requests = (which & 1) != 0;
        node->cuts_answers = (which & 2) != 0;
        pass_cuts_on(node);
        later(fleet, some_ms(fleet), on_healed, node);
        fleet->run->fleet.partitions++;
    }
    later(fleet, 1 + dice(fleet, 2 * PARTITION_EVERY_MS), on_partition, fleet);
}

/* It stands still, and goes on as if nothing had been: its lease may have run out meanwhile. */
static void
on_pause(void *context)
{
    struct fleet *fleet = context;
    struct node *node = &fleet->nodes[dice(fleet, fleet->count)];
    if (fleet->over)
        return;
    if (node->is_up) {
        sim_link_catch_up(node->link);
        rt_sim_pause(node->life.sim, some_ms(fleet) * RT_NS_PER_MS, dice(fleet, 2) == 0);
        fleet->run->fleet.pauses++;
    }
    later(fleet, 1 + dice(fleet, 2 * PAUSE_EVERY_MS), on_pause, fleet);
}

static void
on_outage_over(void *context)
{
    ((struct fleet *)context)->shared.down = false;
}

static void
on_outage(void *context)
{
    struct fleet *fleet = context;
    if (fleet->over)
        return;
    fleet->shared.down = true;
    fleet->run->fleet.outages++;
    later(fleet, 1 + dice(fleet, OUTAGE_MAX_MS), on_outage_over, fleet);
}

static void
on_operate(void *context)
{
    struct fleet *fleet = context;
    struct rt_random *dice = &fleet->admin.dice;
    unsigned index = (unsigned)rt_random_below(dice, fleet->count);
    struct node *node = &fleet->nodes[index];
    if (fleet->over)
        return;
    if (node->is_up)
        sim_operator_change(&fleet->admin, index, &node->life);
    later(fleet, 1 + rt_random_below(dice, 2 * OPERATE_EVERY_MS), on_operate, fleet);
}

static void
on_committed(void *context)
{
    sim_books_check_ledger(&((struct sim_run *)context)->books);
}

static void
begin_store(struct fleet *fleet)
{
    struct sim_run *run = fleet->run;
    fleet->shared = (struct sim_shared){.clock = fleet->clock,
                                        .database = run->database,
                                        .start_wall_ms = run->wall_ms,
                                        .committed = on_committed,
                                        .context = run,
                                        .rollback_per_mille = run->swarm.rollback,
                                        .lost_ack_per_mille = run->swarm.lost_ack,
                                        .last_epoch = run->database->epoch,
                                        .bug = run->plant->store};
}

/* One gateway, or several: most faults take two. */
static unsigned
choose_count(struct sim_run *run)
{
    uint64_t most = run->options.nodes < SIM_NODES_MAX ? run->options.nodes : SIM_NODES_MAX;
    return rt_random_chance(&run->dice, 150) ? 1 : (unsigned)sim_run_dice(run, 2, most + 1);
}

static void
begin_operator(struct fleet *fleet)
{
    fleet->operates = fleet->run->seed % OPERATES_EACH == OPERATES_AT;
    if (!fleet->operates)
        return;
    sim_operator_begin(&fleet->admin, fleet->run->seed);
    fleet->shared.news_dice = &fleet->admin.dice;
    fleet->shared.lost_news_per_mille = LOST_NEWS_PER_MILLE;
    later(fleet, OPERATE_EVERY_MS, on_operate, fleet);
}

static void
begin(struct fleet *fleet)
{
    struct sim_run *run = fleet->run;
    fleet->clock =
        rt_sim_create(&(struct rt_sim_options){.seed = rt_random_u64(&run->dice), .workers = 1});
    CHECK(fleet->clock != NULL);
    begin_store(fleet);
    run->truths.clock = fleet->clock;
    run->truths.takeover_ms = SIM_TAKEOVER_MS;
    fleet->count = choose_count(run);
    fleet->crashes = rt_random_chance(&run->dice, 500);
    fleet->partitions = rt_random_chance(&run->dice, 500);
    fleet->pauses = rt_random_chance(&run->dice, 500);
    run->books.upset |= fleet->pauses;
    run->store_fails = fleet->crashes || fleet->partitions || run->swarm.outage ||
                       run->swarm.rollback > 0 || run->swarm.lost_ack > 0;
    for (unsigned i = 0; i < fleet->count; i++) {
        fleet->nodes[i] = (struct node){.fleet = fleet, .index = i};
        fleet->nodes[i].skew_ms = (int64_t)sim_run_dice(run, 0, 2 * SKEW_MAX_MS) - SKEW_MAX_MS;
        later(fleet, dice(fleet, COMES_WITHIN_MS), boot, &fleet->nodes[i]);
    }
    if (fleet->crashes)
        later(fleet, 1 + dice(fleet, 2 * CRASH_EVERY_MS), on_crash, fleet);
    if (fleet->partitions)
        later(fleet, 1 + dice(fleet, 2 * PARTITION_EVERY_MS), on_partition, fleet);
    if (fleet->pauses)
        later(fleet, 1 + dice(fleet, 2 * PAUSE_EVERY_MS), on_pause, fleet);
    if (run->swarm.outage)
        later(fleet, dice(fleet, LIFE_MS), on_outage, fleet);
    begin_operator(fleet);
}

/* When it next does something, by the world's clock. */
static uint64_t
next_ns(const struct node *node)
{
    uint64_t due_ns = node->is_up ? rt_sim_next_ns(node->life.sim) : UINT64_MAX;
    if (due_ns == UINT64_MAX)
        return UINT64_MAX;
    return sim_link_now_ns(node->link) + (due_ns - rt_sim_now_ns(node->life.sim));
}

/* One step of whoever is next. False when that is not before `until_ns`. */
static bool
step(struct fleet *fleet, uint64_t until_ns)
{
    struct node *first = NULL;
    uint64_t first_ns = rt_sim_next_ns(fleet->clock);
    for (unsigned i = 0; i < fleet->count; i++) {
        uint64_t due_ns = next_ns(&fleet->nodes[i]);
        if (due_ns < first_ns) {
            first = &fleet->nodes[i];
            first_ns = due_ns;
        }
    }
    if (first_ns > until_ns) {
        rt_sim_advance(fleet->clock, until_ns);
        return false;
    }
    struct rt_sim *sim = first == NULL ? fleet->clock : first->life.sim;
    sim_memory_fail(rt_sim_random(sim), fleet->over ? 0 : fleet->run->swarm.memory);
    return rt_sim_step(sim, UINT64_MAX - 1);
}

static uint64_t
in_ms(const struct fleet *fleet, uint64_t delay_ms)
{
    return rt_sim_now_ns(fleet->clock) + delay_ms * RT_NS_PER_MS;
}

/* Steps until `is_done`, looked at now and then, or for so long. Whether it was. */
static bool
step_until(struct fleet *fleet, uint64_t most_ms, bool (*is_done)(const struct fleet *))
{
    uint64_t end_ns = in_ms(fleet, most_ms);
    while (sim_run_is_sound(fleet->run) && rt_sim_now_ns(fleet->clock) < end_ns) {
        if (is_done != NULL && is_done(fleet))
            return true;
        uint64_t look_ns = in_ms(fleet, LOOK_MS);
        while (sim_run_is_sound(fleet->run) && step(fleet, look_ns))
            ;
    }
    return is_done == NULL || is_done(fleet);
}

static void
heal(struct fleet *fleet)
{
    fleet->over = true;
    fleet->shared.down = false;
    fleet->shared.rollback_per_mille = fleet->shared.lost_ack_per_mille = 0;
    for (unsigned i = 0; i < fleet->count; i++) {
        on_healed(&fleet->nodes[i]);
        if (fleet->nodes[i].is_up)
            sim_life_heal(&fleet->nodes[i].life);
    }
}

static unsigned
count_waiting(const struct fleet *fleet)
{
    unsigned waiting = 0;
    for (unsigned i = 0; i < fleet->count; i++)
        if (fleet->nodes[i].is_up)
            waiting += sim_clients_waiting(&fleet->nodes[i].life.clients);
    return waiting;
}

static bool
is_answered(const struct fleet *fleet)
{
    return count_waiting(fleet) == 0;
}

/* Nobody stands still or is away any more, without knowing what was settled meanwhile. */
static bool
is_tidy(const struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->count; i++) {
        const struct sim_lease *lease = &fleet->shared.leases[i];
        const struct sim_link *link = fleet->nodes[i].link;
        uint64_t now_ns = rt_sim_now_ns(fleet->clock);
        if (link != NULL && (!lease->is_live || lease->epoch != link->epoch ||
                             lease->expires_ns < now_ns || sim_link_now_ns(link) > now_ns))
            return false;
    }
    return sim_shared_is_tidy(&fleet->shared);
}

static bool
is_shown(const struct fleet *fleet)
{
    return sim_operator_is_free(&fleet->admin);
}

static void
check_key(struct fleet *fleet, const struct sim_operator_key *key)
{
    struct sim_run *run = fleet->run;
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM vito_api_keys WHERE key_id = '%s'", key->id);
    bool is_there = sim_store_query(run->database, sql) > 0;
    bool asked[SIM_NODES_MAX] = {false}; /* one may come, or go, while the others answer */
    for (unsigned i = 0; i < fleet->count; i++)
        if ((asked[i] = fleet->nodes[i].is_up))
            sim_operator_show(&fleet->admin, i, &fleet->nodes[i].life, key);
    if (!step_until(fleet, SHOW_MS, is_shown))
        sim_books_find(&run->books, "answers: a gateway does not say whether it knows %s", key->id);
    for (unsigned i = 0; i < fleet->count; i++) {
        int status = fleet->admin.desks[i].status;
        if (asked[i] && status != 0 && (status != 401) != is_there)
            sim_books_find(&run->books, "news: a gateway says %d to %s, and the store %s it",
                           status, key->id, is_there ? "has" : "does not have");
    }
}

/* Whatever was lost on the way: gateways know what is so, once nobody stands still any more. */
static void
check_known(struct fleet *fleet)
{
    step_until(fleet, SIM_STALL_MAX_MS + KNOWN_MS, NULL);
    if (!step_until(fleet, ANSWER_MS, is_shown))
        sim_books_find(&fleet->run->books, "answers: the operator waits for ever");
    step_until(fleet, KNOWN_MS, NULL);
    for (unsigned i = 0; i < fleet->admin.key_count && sim_run_is_sound(fleet->run); i++)
        check_key(fleet, &fleet->admin.keys[i]);
}

static bool
is_drained(const struct fleet *fleet)
{
    bool drained = true;
    for (unsigned i = 0; i < fleet->count; i++)
        drained &= !fleet->nodes[i].is_up || fleet->nodes[i].life.drained;
    return drained;
}

static void
shut_down(struct fleet *fleet)
{
    fleet->closing = true;
    for (unsigned i = 0; i < fleet->count; i++) {
        if (!fleet->nodes[i].is_up)
            continue;
        sim_link_catch_up(fleet->nodes[i].link);
        sim_life_shut_down(&fleet->nodes[i].life);
    }
    if (step_until(fleet, DRAIN_MS, is_drained) || !sim_run_is_sound(fleet->run))
        return;
    for (unsigned i = 0; i < fleet->count; i++)
        if (fleet->nodes[i].is_up && !fleet->nodes[i].life.drained)
            sim_run_name_actors(fleet->nodes[i].life.sim);
    sim_books_find(&fleet->run->books, "I6: it does not drain");
}

/* Every gateway has drained. A slice may be out until the next start of who could not give it back.
 */
static void
settle(struct fleet *fleet)
{
    struct sim_run *run = fleet->run;
    int64_t open =
        sim_store_query(run->database, "SELECT count(*) FROM vito_usage WHERE state = 'open'");
    if (open > 0)
        sim_books_find(&run->books, "I6: %ld legs are open, and every gateway has drained", open);
    if (!run->store_fails)
        return; /* all of it was given back */
    for (unsigned i = 0; i < fleet->count; i++)
        sim_shared_start(&fleet->shared, i);
    sim_run_settle_rooms(run);
}

static void
close_all(struct fleet *fleet)
{
    struct sim_run *run = fleet->run;
    sim_memory_fail(NULL, 0);
    for (unsigned i = 0; i < fleet->count; i++)
        if (fleet->nodes[i].is_up)
            end_node(&fleet->nodes[i]);
    run->hash = run->hash * 31 + rt_sim_hash(fleet->clock);
    run->fleet.fenced = fleet->shared.fenced;
    run->fleet.reaped = fleet->shared.reaped;
    run->fleet.adopted = fleet->shared.adopted;
    run->fleet.recalled = fleet->shared.recalled;
    run->fleet.alone = run->truths.alone;
    run->fleet.alone_late = run->truths.alone_late;
    run->fleet.changes = fleet->admin.changes;
    run->fleet.lost_news = fleet->shared.lost_news;
    rt_sim_destroy(fleet->clock);
    while (fleet->links != NULL) {
        struct sim_link *link = fleet->links;
        fleet->links = link->next;
        sim_link_close(link);
    }
}

void
sim_fleet_run(struct sim_run *run)
{
    struct fleet *fleet = calloc(1, sizeof(*fleet));
    CHECK(fleet != NULL);
    fleet->run = run;
    begin(fleet);
    step_until(fleet, LIFE_MS, NULL);
    heal(fleet);
    if (!step_until(fleet, ANSWER_MS, is_answered))
        sim_books_find(&run->books, "answers: %u clients wait for ever", count_waiting(fleet));
    if (!step_until(fleet, TIDY_MS, is_tidy))
        sim_books_find(&run->books, "I6: what a gateway left that is gone is not settled");
    if (sim_run_is_sound(run) && fleet->operates)
        check_known(fleet);
    if (sim_run_is_sound(run))
        shut_down(fleet);
    if (sim_run_is_sound(run))
        settle(fleet);
    close_all(fleet);
    free(fleet);
}
