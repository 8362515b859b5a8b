/*
 * How late a timer is: on an idle machine, and beside actors that leave no worker in peace. And
 * what an idle system costs.
 */
#include "bench/micro/micro.h"

enum {
    IDLE_ACTORS = 1000,
    TIMER_MS = 20,
    TIMER_SHOTS = 50,
    SHOTS_MAX = 1000,
    HOGS = 2,
    HOG_MESSAGE_US = 50,
    IDLE_MS = 2000,
    KIND_WORK = RT_KIND_USER,
};

static struct micro_span span;
static double late_us[SHOTS_MAX];
static unsigned shots, shots_wanted;

struct watcher {
    struct rt_timer timer;
    uint64_t due_ns;
};

static void
watcher_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct watcher *watcher = state;
    if (message->kind == RT_KIND_TIMER) {
        late_us[shots++] = (double)(rt_now_ns(self) - watcher->due_ns) / 1000.0;
        if (shots == shots_wanted) {
            sem_post(&span.done);
            return;
        }
    }
    watcher->due_ns = rt_now_ns(self) + TIMER_MS * RT_NS_PER_MS;
    rt_timer_set(self, &watcher->timer, TIMER_MS * RT_NS_PER_MS);
}

static const struct rt_behaviour watching = {.name = "watcher",
                                             .state_bytes = sizeof(struct watcher),
                                             .limits = {10, 1 << 16},
                                             .handle = watcher_handle};

static void
nothing_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)self, (void)state, (void)message;
}

static void
spawn_idle(struct rt_system *system)
{
    static const struct rt_behaviour idling = {
        .name = "idler", .limits = {10, 1 << 16}, .handle = nothing_handle};
    for (unsigned i = 0; i < IDLE_ACTORS; i++)
        micro_spawn(system, &idling, NULL);
    micro_sleep_ms(50);
}

void
micro_watch(const struct micro_setup *setup, struct rt_system *system,
            struct micro_figures *figures_out)
{
    shots_wanted = (unsigned)micro_scaled(setup, TIMER_SHOTS);
    if (shots_wanted > SHOTS_MAX)
        shots_wanted = SHOTS_MAX;
    micro_span_begin(&span);
    micro_spawn(system, &watching, NULL);
    micro_span_await(&span);
    figures_out->values[0] = micro_percentile(late_us, shots, 50);
    figures_out->values[1] = micro_percentile(late_us, shots, 90);
    figures_out->values[2] = late_us[shots - 1];
}

void
micro_timer(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    struct rt_system *system = micro_system(setup);
    spawn_idle(system);
    micro_watch(setup, system, figures_out);
    micro_system_end(system);
}

/* Always has more to do; each message takes a while. */
static void
hog_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != KIND_WORK)
        return;
    uint64_t end_ns = rt_now_ns(self) + *micro_number(message);
    while (rt_now_ns(self) < end_ns)
        ;
    rt_send(self, rt_self(self), micro_message(KIND_WORK, *micro_number(message)));
}

void
micro_hogs(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    enum { WAITING = 200 }; /* messages each hog has in its mailbox at any time */
    static const struct rt_behaviour hogging = {
        .name = "hog", .limits = {1000, 1 << 24}, .handle = hog_handle};
    struct rt_system *system = micro_system(setup);
    for (unsigned i = 0; i < HOGS; i++) {
        struct rt_address hog = micro_spawn(system, &hogging, NULL);
        for (unsigned j = 0; j < WAITING; j++)
            micro_post(system, hog, KIND_WORK, HOG_MESSAGE_US * RT_NS_PER_US);
    }
    micro_watch(setup, system, figures_out);
    micro_system_end(system);
}

void
micro_idle(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    struct rt_system *system = micro_system(setup);
    spawn_idle(system);
    uint64_t cpu_ns = micro_cpu_ns();
    uint64_t start_ns = micro_now_ns();
    micro_sleep_ms(micro_scaled(setup, IDLE_MS));
    uint64_t wall_ns = micro_now_ns() - start_ns;
    figures_out->values[0] = 100.0 * (double)(micro_cpu_ns() - cpu_ns) / (double)wall_ns;
    micro_system_end(system);
}
