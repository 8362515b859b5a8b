/*
 * tests/unit/runtime/actor_box.h - one actor that keeps what it saw and does what it is told, in
 * the simulated world.
 */
#ifndef TESTS_ACTOR_BOX_H
#define TESTS_ACTOR_BOX_H

#include <criterion/criterion.h>

#include "runtime/sim.h"

enum kind { KIND_NOTE = RT_KIND_USER, KIND_ASK, KIND_ANSWER, KIND_DO };

/* One behaviour for all tests: it keeps what it saw, and does what DO messages tell it. */
struct probe {
    uint32_t kinds[64];
    uint64_t values[64];
    unsigned count;
    struct rt_timer timer;
    struct rt_owed *owed;
};

typedef void (*action)(struct rt_actor *self, struct probe *probe);

static struct rt_sim *sim;

static struct rt_system *runtime;

static struct probe seen; /* of the actor called `main` in each test, copied at each message */

static inline void
probe_note(struct probe *probe, uint32_t kind, uint64_t value)
{
    if (probe->count < 64) {
        probe->kinds[probe->count] = kind;
        probe->values[probe->count++] = value;
    }
}

static inline void
probe_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct probe *probe = state;
    if (message->kind == KIND_DO) {
        (*(action *)rt_message_payload(message))(self, probe);
    } else {
        uint64_t value = message->request_id;
        if (message->kind == RT_KIND_FAILED)
            value = ((struct rt_failed *)rt_message_payload(message))->status;
        if (message->kind == RT_KIND_DOWN)
            value = ((struct rt_down *)rt_message_payload(message))->reason;
        probe_note(probe, message->kind, value);
        if (message->kind == KIND_ASK && message->request_id < 100)
            rt_answer(self, message, rt_message_create(KIND_ANSWER, 0));
        if (message->kind == KIND_ASK && message->request_id >= 200)
            probe->owed = rt_owe(self, message);
    }
}

static const struct rt_behaviour probe_behaviour = {
    .name = "probe",
    .state_bytes = sizeof(struct probe),
    .limits = {.messages_max = 4, .bytes_max = 1 << 16},
    .handle = probe_handle,
};

/* The same, but what it sees is visible to the test. */
static inline void
main_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    probe_handle(self, state, message);
    seen = *(struct probe *)state;
}

static const struct rt_behaviour main_behaviour = {
    .name = "main",
    .state_bytes = sizeof(struct probe),
    .limits = {.messages_max = 4, .bytes_max = 1 << 16},
    .handle = main_handle,
};

static inline void
setup(void)
{
    sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 2});
    runtime = rt_sim_system(sim);
    memset(&seen, 0, sizeof(seen));
}

static inline void
teardown(void)
{
    rt_sim_destroy(sim);
}

static inline struct rt_address
spawn(const struct rt_behaviour *behaviour)
{
    struct rt_address address;
    struct rt_spawn_options options = {.behaviour = behaviour, .worker = RT_ANY_WORKER};
    cr_assert_eq(rt_spawn(runtime, &options, &address), RT_OK);
    return address;
}

static inline void
run(void)
{
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_MS);
}

static inline enum rt_status
tell(struct rt_address to, action what)
{
    struct rt_message *message = rt_message_create(KIND_DO, sizeof(what));
    *(action *)rt_message_payload(message) = what;
    return rt_post(runtime, to, message);
}

#endif
