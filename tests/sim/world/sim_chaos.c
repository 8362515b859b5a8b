#include "tests/sim/world/sim_chaos.h"

#include <string.h>

#include "tests/sim/world/sim_memory.h"
#include "tests/stress/stress.h"

enum {
    STALL_SHORT_MS = 300,
    STALLS_PER_MILLE = 30, /* of the disk */
    ACTS_WITHIN_MS = 1500,
    ACTS_SLOWLY_MS = 6000,
    PAUSE_MAX_MS = 15000,
    CLOCK_STEP_MAX_MS = 3600 * 1000,
    JUNK_KIND = RT_KIND_USER + 5000,
    JUNK_BYTES = 4 << 20,
    JUNK_MESSAGES_MAX = 200,
};

/* Some seeds are calm, some have one kind of fault, some have them all. */
static uint32_t
maybe(struct rt_random *dice, uint32_t value)
{
    return rt_random_chance(dice, 500) ? value : 0;
}

void
sim_swarm_choose(struct sim_swarm *swarm, struct rt_random *dice)
{
    *swarm = (struct sim_swarm){
        .vendor = {.refuse = maybe(dice, 100),
                   .hang = maybe(dice, 50),
                   .cut = maybe(dice, 200),
                   .slow_stop = maybe(dice, 300),
                   .unstoppable = maybe(dice, 200),
                   .repeat = maybe(dice, 300),
                   .late = maybe(dice, 300),
                   .delay_max_ms = maybe(dice, 200)},
        .rollback = maybe(dice, 30),
        .lost_ack = maybe(dice, 30),
        .outage = rt_random_chance(dice, 300),
        .client_delay_max_ms = maybe(dice, 300),
        .vanish = maybe(dice, 50),
        .is_patient = rt_random_chance(dice, 500),
        .acts_within_ms = ACTS_WITHIN_MS,
    };
    if (rt_random_chance(dice, 250))
        return; /* nothing upsets the gateway itself */
    static const uint32_t every_ms[CHAOS_KIND_COUNT] = {[CHAOS_KILL] = 1500,
                                                        [CHAOS_STALL] = 1500,
                                                        [CHAOS_FLOOD] = 2000,
                                                        [CHAOS_PAUSE] = 6000,
                                                        [CHAOS_CLOCK] = 6000};
    for (unsigned kind = 0; kind < CHAOS_KIND_COUNT; kind++)
        swarm->every_ms[kind] = rt_random_chance(dice, 400) ? every_ms[kind] : 0;
    swarm->memory = rt_random_chance(dice, 300) ? 1 + (unsigned)rt_random_below(dice, 3000) : 0;
}

void
sim_swarm_stall(struct sim_swarm *swarm)
{
    memset(swarm->every_ms, 0, sizeof(swarm->every_ms));
    swarm->memory = 0;
    swarm->stall = STALLS_PER_MILLE;
    swarm->is_patient = true;
    swarm->acts_within_ms = ACTS_SLOWLY_MS;
}

bool
sim_swarm_only(struct sim_swarm *swarm, const char *faults)
{
    static const char *const names[CHAOS_KIND_COUNT + 1] = {
        [CHAOS_KILL] = "kill",   [CHAOS_STALL] = "stall", [CHAOS_FLOOD] = "flood",
        [CHAOS_PAUSE] = "pause", [CHAOS_CLOCK] = "clock", [CHAOS_KIND_COUNT] = "memory"};
    uint32_t wanted = 0;
    for (const char *at = faults; *at != '\0'; at += strspn(at, ",")) {
        size_t size = strcspn(at, ","), name = 0;
        while (name <= CHAOS_KIND_COUNT &&
               (strlen(names[name]) != size || strncmp(names[name], at, size) != 0))
            name++;
        if (name > CHAOS_KIND_COUNT)
            return false;
        wanted |= 1U << name;
        at += size;
    }
    for (unsigned kind = 0; kind < CHAOS_KIND_COUNT; kind++)
        if ((wanted & 1U << kind) == 0)
            swarm->every_ms[kind] = 0;
    if ((wanted & 1U << CHAOS_KIND_COUNT) == 0)
        swarm->memory = 0;
    return true;
}

bool
sim_swarm_upsets(const struct sim_swarm *swarm)
{
    return swarm->memory > 0 || swarm->every_ms[CHAOS_KILL] > 0 ||
           swarm->every_ms[CHAOS_STALL] > 0 || swarm->every_ms[CHAOS_FLOOD] > 0 ||
           swarm->every_ms[CHAOS_PAUSE] > 0;
}

static uint64_t
below(struct sim_chaos *chaos, uint64_t bound)
{
    return rt_random_below(rt_sim_random(chaos->sim), bound);
}

/* Those that somebody restarts: the well-known ones, whom only a failure ends, ... */
static const char *const well_known[] = {"registry", "vendor", "admin"};
/* ... and those that are made anew when they are asked for. */
static const char *const others[] = {"tenant", "session", "session", "connection"};

static bool
pick_any(struct sim_chaos *chaos, bool *is_well_known, struct rt_address *who)
{
    *is_well_known = below(chaos, 4) == 0;
    return rt_sim_pick(chaos->sim,
                       *is_well_known ? well_known[below(chaos, RT_COUNT_OF(well_known))]
                                      : others[below(chaos, RT_COUNT_OF(others))],
                       who);
}

static void
kill_some(struct sim_chaos *chaos)
{
    bool is_well_known;
    struct rt_address who;
    if (!pick_any(chaos, &is_well_known, &who))
        return;
    bool fails = is_well_known || below(chaos, 2) == 0;
    rt_exit(rt_sim_system(chaos->sim), who, fails ? RT_EXIT_FAILED : RT_EXIT_KILLED);
}

static void
stall_some(struct sim_chaos *chaos)
{
    bool is_well_known;
    struct rt_address who;
    uint64_t most_ms = below(chaos, 4) == 0 ? SIM_STALL_MAX_MS : STALL_SHORT_MS;
    uint64_t duration_ns = (1 + below(chaos, most_ms)) * RT_NS_PER_MS;
    if (below(chaos, 4) == 0)
        rt_sim_stall_worker(chaos->sim,
                            (unsigned)below(chaos, rt_system_workers(rt_sim_system(chaos->sim))),
                            duration_ns);
    else if (pick_any(chaos, &is_well_known, &who))
        rt_sim_stall(chaos->sim, who, duration_ns);
}

/* Fills a mailbox with what its actor does not know, and holds it up for a moment. */
static void
flood_some(struct sim_chaos *chaos)
{
    static const uint8_t junk[JUNK_BYTES];
    bool is_well_known;
    struct rt_address who;
    if (!pick_any(chaos, &is_well_known, &who))
        return;
    struct rt_buffer *buffer = sim_buffer(junk, sizeof(junk));
    enum rt_status status = RT_OK;
    for (unsigned i = 0; i < JUNK_MESSAGES_MAX && status == RT_OK; i++) {
        struct rt_message *message = sim_message(JUNK_KIND, 0);
        message->buffer = rt_buffer_acquire(buffer);
        status = rt_post(rt_sim_system(chaos->sim), who, message);
    }
    rt_buffer_release(buffer);
    rt_sim_stall(chaos->sim, who, (1 + below(chaos, STALL_SHORT_MS)) * RT_NS_PER_MS);
}

static void
pause_all(struct sim_chaos *chaos)
{
    rt_sim_pause(chaos->sim, (1 + below(chaos, PAUSE_MAX_MS)) * RT_NS_PER_MS, below(chaos, 2) == 0);
}

static void
step_clock(struct sim_chaos *chaos)
{
    rt_sim_step_wall(chaos->sim, (int64_t)below(chaos, 2 * CLOCK_STEP_MAX_MS) - CLOCK_STEP_MAX_MS);
}

static void start(struct sim_chaos *chaos, enum sim_chaos_kind kind);

static bool
is_over(struct sim_chaos *chaos, enum sim_chaos_kind kind)
{
    chaos->happened[kind] += !chaos->over;
    return chaos->over;
}

static void
on_kill(void *chaos)
{
    if (is_over(chaos, CHAOS_KILL))
        return;
    kill_some(chaos);
    start(chaos, CHAOS_KILL);
}

static void
on_stall(void *chaos)
{
    if (is_over(chaos, CHAOS_STALL))
        return;
    stall_some(chaos);
    start(chaos, CHAOS_STALL);
}

static void
on_flood(void *chaos)
{
    if (is_over(chaos, CHAOS_FLOOD))
        return;
    flood_some(chaos);
    start(chaos, CHAOS_FLOOD);
}

static void
on_pause(void *chaos)
{
    if (is_over(chaos, CHAOS_PAUSE))
        return;
    pause_all(chaos);
    start(chaos, CHAOS_PAUSE);
}

static void
on_clock(void *chaos)
{
    if (is_over(chaos, CHAOS_CLOCK))
        return;
    step_clock(chaos);
    start(chaos, CHAOS_CLOCK);
}

static void
start(struct sim_chaos *chaos, enum sim_chaos_kind kind)
{
    static void (*const run[CHAOS_KIND_COUNT])(void *) = {[CHAOS_KILL] = on_kill,
                                                          [CHAOS_STALL] = on_stall,
                                                          [CHAOS_FLOOD] = on_flood,
                                                          [CHAOS_PAUSE] = on_pause,
                                                          [CHAOS_CLOCK] = on_clock};
    uint32_t every_ms = chaos->swarm->every_ms[kind];
    if (every_ms > 0)
        CHECK(rt_sim_after(chaos->sim, (1 + below(chaos, 2 * every_ms)) * RT_NS_PER_MS, run[kind],
                           chaos));
}

void
sim_chaos_start(struct sim_chaos *chaos)
{
    for (unsigned kind = 0; kind < CHAOS_KIND_COUNT; kind++)
        start(chaos, (enum sim_chaos_kind)kind);
}
