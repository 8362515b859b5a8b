/*
 * Actors by the hundred thousand: each is made, gets one message, and stays.
 */
#include <stdatomic.h>

#include "bench/micro/micro.h"

enum { CREATE_ACTORS = 200000, KIND_HELLO = RT_KIND_USER };

static struct micro_span span;
static atomic_uint_fast64_t greeted;
static uint64_t wanted;

struct small {
    uint64_t hellos;
};

static void
small_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)self;
    if (message->kind != KIND_HELLO)
        return;
    ((struct small *)state)->hellos++;
    if (atomic_fetch_add_explicit(&greeted, 1, memory_order_relaxed) + 1 == wanted)
        sem_post(&span.done);
}

static const struct rt_behaviour being_small = {.name = "small",
                                                .state_bytes = sizeof(struct small),
                                                .limits = {100, 1 << 16},
                                                .handle = small_handle};

/* Makes all of them, from within, as a server makes its sessions. */
static void
maker_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != KIND_HELLO)
        return;
    struct rt_spawn_options options = {.behaviour = &being_small, .worker = RT_ANY_WORKER};
    for (uint64_t i = 0; i < 1000 && *micro_number(message) > 0; i++) {
        struct rt_address address;
        if (rt_spawn(rt_system_of(self), &options, &address) != RT_OK)
            micro_fail("cannot spawn an actor");
        if (rt_send(self, address, micro_message(KIND_HELLO, 0)) != RT_OK)
            micro_fail("a message was refused");
        --*micro_number(message);
    }
    if (*micro_number(message) > 0)
        rt_send(self, rt_self(self), micro_message(KIND_HELLO, *micro_number(message)));
}

void
micro_create(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    static const struct rt_behaviour making = {
        .name = "maker", .limits = {100, 1 << 20}, .handle = maker_handle};
    wanted = micro_scaled(setup, CREATE_ACTORS);
    struct rt_system *system = micro_system(setup);
    struct rt_address maker = micro_spawn(system, &making, NULL);
    micro_sleep_ms(20);
    uint64_t before_bytes = micro_resident_bytes();
    micro_span_begin(&span);
    micro_post(system, maker, KIND_HELLO, wanted);
    micro_span_await(&span);
    uint64_t after_bytes = micro_resident_bytes();
    micro_system_end(system);
    micro_span_report(&span, wanted, figures_out);
    figures_out->values[2] = (double)(after_bytes - before_bytes) / (double)wanted;
}
