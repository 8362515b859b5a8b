/*
 * Workloads that send small messages between actors that do nothing else.
 */
#include <stdatomic.h>
#include <stdlib.h>

#include "bench/micro/micro.h"

enum {
    PING_PONG_MESSAGES = 2000000,
    FAN_IN_PRODUCERS = 8,
    FAN_IN_CHUNK = 100,       /* sent before others get their turn */
    FAN_IN_MESSAGES = 250000, /* of each producer */
    RING_ACTORS = 1000,
    RING_HOPS = 2000000,
    BIG_ACTORS = 256,
    BIG_PINGS = 4000, /* of each actor, each answered */
};

enum kind { KIND_NEXT = RT_KIND_USER, KIND_TOKEN, KIND_PING, KIND_PONG };

static struct micro_span span;

static void
send_number(struct rt_actor *self, struct rt_address to, uint32_t kind, uint64_t number)
{
    if (rt_send(self, to, micro_message(kind, number)) != RT_OK)
        micro_fail("a message was refused");
}

struct passer {
    struct rt_address next;
};

static enum rt_status
passer_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    if (args != NULL)
        ((struct passer *)state)->next = *(const struct rt_address *)args;
    return RT_OK;
}

static void
passer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct passer *passer = state;
    if (message->kind == KIND_NEXT) {
        passer->next = *(struct rt_address *)rt_message_payload(message);
    } else if (message->kind == KIND_TOKEN) {
        uint64_t left = *micro_number(message);
        if (left == 0)
            sem_post(&span.done);
        else
            send_number(self, passer->next, KIND_TOKEN, left - 1);
    }
}

/* A token passed round `actors` actors. */
static void
run_ring(const struct micro_setup *setup, unsigned actors, uint64_t hops,
         struct micro_figures *figures_out)
{
    static const struct rt_behaviour passing = {.name = "passer",
                                                .state_bytes = sizeof(struct passer),
                                                .limits = {100, 1 << 20},
                                                .init = passer_init,
                                                .handle = passer_handle};
    struct rt_system *system = micro_system(setup);
    struct rt_address first = micro_spawn(system, &passing, NULL), last = first;
    for (unsigned i = 1; i < actors; i++)
        last = micro_spawn(system, &passing, &last);
    struct rt_message *next = rt_message_create(KIND_NEXT, sizeof(last));
    if (next == NULL)
        micro_fail("out of memory");
    *(struct rt_address *)rt_message_payload(next) = last;
    rt_post(system, first, next);
    micro_sleep_ms(20); /* for the actors to have started */
    micro_span_begin(&span);
    micro_post(system, first, KIND_TOKEN, hops);
    micro_span_await(&span);
    micro_system_end(system);
    micro_span_report(&span, hops, figures_out);
}

void
micro_ping_pong(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    run_ring(setup, 2, micro_scaled(setup, PING_PONG_MESSAGES), figures_out);
}

void
micro_ring(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    run_ring(setup, RING_ACTORS, micro_scaled(setup, RING_HOPS), figures_out);
}

struct consumer {
    uint64_t left;
};

static enum rt_status
consumer_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    ((struct consumer *)state)->left = *(const uint64_t *)args;
    return RT_OK;
}

static void
consumer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)self;
    struct consumer *consumer = state;
    if (message->kind == KIND_TOKEN && --consumer->left == 0)
        sem_post(&span.done);
}

static struct rt_address consumer_address;

/* The consumer's mailbox has a bound, as any has: what it refuses is sent again next time. */
static void
producer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != KIND_NEXT)
        return;
    uint64_t left = *micro_number(message);
    for (unsigned i = 0; i < FAN_IN_CHUNK && left > 0; i++, left--)
        if (rt_send(self, consumer_address, micro_message(KIND_TOKEN, left)) != RT_OK)
            break;
    if (left > 0)
        send_number(self, rt_self(self), KIND_NEXT, left);
}

void
micro_fan_in(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    static const struct rt_behaviour consuming = {.name = "consumer",
                                                  .state_bytes = sizeof(struct consumer),
                                                  .limits = {4096, 1 << 20},
                                                  .init = consumer_init,
                                                  .handle = consumer_handle};
    static const struct rt_behaviour producing = {
        .name = "producer", .limits = {100, 1 << 20}, .handle = producer_handle};
    uint64_t each = micro_scaled(setup, FAN_IN_MESSAGES);
    uint64_t all = each * FAN_IN_PRODUCERS;
    struct rt_system *system = micro_system(setup);
    consumer_address = micro_spawn(system, &consuming, &all);
    struct rt_address producers[FAN_IN_PRODUCERS];
    for (unsigned i = 0; i < FAN_IN_PRODUCERS; i++)
        producers[i] = micro_spawn(system, &producing, NULL);
    micro_sleep_ms(20);
    micro_span_begin(&span);
    for (unsigned i = 0; i < FAN_IN_PRODUCERS; i++)
        micro_post(system, producers[i], KIND_NEXT, each);
    micro_span_await(&span);
    micro_system_end(system);
    micro_span_report(&span, all, figures_out);
}

static struct rt_address crowd[BIG_ACTORS];
static atomic_uint crowd_left;

struct member {
    uint64_t pings_left;
    uint64_t random;
};

static void
member_ping(struct rt_actor *self, struct member *member)
{
    if (member->pings_left == 0) {
        if (atomic_fetch_sub(&crowd_left, 1) == 1)
            sem_post(&span.done);
        return;
    }
    member->pings_left--;
    member->random = member->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    send_number(self, crowd[(member->random >> 33) % BIG_ACTORS], KIND_PING, 0);
}

static void
member_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct member *member = state;
    switch (message->kind) {
    case KIND_NEXT:
        *member = (struct member){*micro_number(message), rt_self(self).id};
        member_ping(self, member);
        break;
    case KIND_PING:
        send_number(self, message->from, KIND_PONG, 0);
        break;
    case KIND_PONG:
        member_ping(self, member);
        break;
    default:
        break;
    }
}

void
micro_big(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    static const struct rt_behaviour meeting = {.name = "member",
                                                .state_bytes = sizeof(struct member),
                                                .limits = {4096, 1 << 24},
                                                .handle = member_handle};
    uint64_t pings = micro_scaled(setup, BIG_PINGS);
    struct rt_system *system = micro_system(setup);
    for (unsigned i = 0; i < BIG_ACTORS; i++)
        crowd[i] = micro_spawn(system, &meeting, NULL);
    atomic_store(&crowd_left, BIG_ACTORS);
    micro_sleep_ms(20);
    micro_span_begin(&span);
    for (unsigned i = 0; i < BIG_ACTORS; i++)
        micro_post(system, crowd[i], KIND_NEXT, pings);
    micro_span_await(&span);
    micro_system_end(system);
    micro_span_report(&span, pings * BIG_ACTORS * 2, figures_out);
}
