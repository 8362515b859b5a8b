/* Fan-in at ten times what the consumer can take: producers on four workers offer data as long as
 * they are ten times ahead of it, and each has one control message under way at all times. Memory
 * stays where the mailbox's limits put it, every refusal is counted, no control message is lost or
 * overtaken, and what was accepted arrives. Ratios are counts, not times. */
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "runtime/metrics.h"
#include "runtime/pool.h"
#include "runtime/system.h"
#include "tests/stress/stress.h"

enum {
    PRODUCERS = 8,
    TIMES = 10,
    HANDLED = 40000, /* data messages, then it is over */
    BURST = 50,
    MESSAGES_MAX = 512,
    PAYLOAD_BYTES = 400,
    OF_ONE_SENDER = 64, /* a chain that a sender may send past the limits: runtime/mailbox.h */
};
enum kind { KIND_DATA = RT_KIND_USER, KIND_GO, KIND_CONTROL, KIND_CONTROL_DONE };

static struct rt_address consumer_address;
static atomic_uint_fast64_t offered, accepted, handled, control_sent, control_handled;
static atomic_uint producers_done;

struct consumer {
    uint64_t control_seen[PRODUCERS];
};

/* As slow as it takes for ten to be offered meanwhile; until nobody offers more. */
static void
work(void)
{
    while (atomic_load(&handled) < HANDLED &&
           atomic_load(&offered) < TIMES * (atomic_load(&handled) + 1))
        sched_yield();
}

static void
consumer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct consumer *consumer = state;
    if (message->kind == KIND_DATA) {
        work();
        atomic_fetch_add(&handled, 1);
    } else if (message->kind == KIND_CONTROL) {
        unsigned producer = *(unsigned *)rt_message_payload(message);
        CHECK(message->request_id == ++consumer->control_seen[producer]);
        atomic_fetch_add(&control_handled, 1);
        rt_answer(self, message, rt_message_create(KIND_CONTROL_DONE, 0));
    }
}

struct producer {
    unsigned number;
    uint64_t control;
    bool is_over;
};

static void
send_control(struct rt_actor *self, struct producer *producer)
{
    struct rt_message *message = rt_message_create(KIND_CONTROL, sizeof(unsigned));
    *(unsigned *)rt_message_payload(message) = producer->number;
    atomic_fetch_add(&control_sent, 1);
    rt_request_control(self, consumer_address, message, ++producer->control);
}

/* Offers a burst, unless all are far enough ahead of the consumer already. */
static void
produce(struct rt_actor *self)
{
    if (atomic_load(&offered) < TIMES * (atomic_load(&handled) + MESSAGES_MAX)) {
        for (unsigned i = 0; i < BURST; i++) {
            struct rt_message *message = rt_message_create(KIND_DATA, PAYLOAD_BYTES);
            atomic_fetch_add(&offered, 1);
            enum rt_status status = rt_send(self, consumer_address, message);
            CHECK(status == RT_OK || status == RT_FULL);
            atomic_fetch_add(&accepted, status == RT_OK);
        }
    }
    rt_send(self, rt_self(self), rt_message_create(KIND_GO, 0));
}

static void
producer_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct producer *producer = state;
    switch (message->kind) {
    case RT_KIND_START:
        send_control(self, producer);
        produce(self);
        break;
    case KIND_CONTROL_DONE:
        CHECK(message->request_id == producer->control);
        if (producer->is_over)
            atomic_fetch_add(&producers_done, 1);
        else
            send_control(self, producer);
        break;
    case KIND_GO:
        producer->is_over = atomic_load(&handled) >= HANDLED;
        if (!producer->is_over)
            produce(self);
        break;
    default:
        CHECK(!"a request failed");
    }
}

static enum rt_status
producer_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    ((struct producer *)state)->number = *(const unsigned *)args;
    return RT_OK;
}

/* Bound by the number of messages, and by their bytes to about as many. */
static const struct rt_behaviour consuming[] = {{.name = "consumer",
                                                 .state_bytes = sizeof(struct consumer),
                                                 .limits = {MESSAGES_MAX, 1 << 20},
                                                 .handle = consumer_handle},
                                                {.name = "consumer",
                                                 .state_bytes = sizeof(struct consumer),
                                                 .limits = {1 << 20, MESSAGES_MAX *PAYLOAD_BYTES},
                                                 .handle = consumer_handle}};
static const struct rt_behaviour producing = {.name = "producer",
                                              .state_bytes = sizeof(struct producer),
                                              .limits = {4, 1 << 16},
                                              .init = producer_init,
                                              .handle = producer_handle};

static uint32_t consumer_waiting;

static void
look(void *context, const struct rt_actor_info *info)
{
    (void)context;
    if (strcmp(info->kind, "consumer") == 0)
        consumer_waiting = info->waiting;
}

/* Watches memory and the mailbox until enough was handled; the most bytes that were live. */
static uint64_t
watch(struct rt_system *system)
{
    uint64_t most_bytes = 0;
    while (atomic_load(&producers_done) < PRODUCERS) {
        usleep(500);
        uint64_t bytes = rt_pool_stats().live_bytes;
        most_bytes = bytes > most_bytes ? bytes : most_bytes;
        rt_system_visit(system, look, NULL);
        CHECK(consumer_waiting <= MESSAGES_MAX + PRODUCERS * OF_ONE_SENDER);
    }
    return most_bytes;
}

static void
spawn_all(struct rt_system *system, enum rt_refusal bound)
{
    struct rt_spawn_options options = {.behaviour = &consuming[bound], .worker = RT_ANY_WORKER};
    CHECK(rt_spawn(system, &options, &consumer_address) == RT_OK);
    static unsigned numbers[PRODUCERS];
    for (unsigned i = 0; i < PRODUCERS; i++) {
        numbers[i] = i;
        struct rt_address address;
        options = (struct rt_spawn_options){
            .behaviour = &producing, .args = &numbers[i], .worker = RT_ANY_WORKER};
        CHECK(rt_spawn(system, &options, &address) == RT_OK);
    }
}

/* The same figures where operators look for them. */
static void
check_metrics(enum rt_refusal bound, uint64_t refused)
{
    char line[128];
    size_t size_bytes;
    char *text = rt_metrics_render(&size_bytes);
    CHECK(text != NULL);
    snprintf(line, sizeof(line), "twin_messages_refused_total{lane=\"data\",reason=\"%s\"} %lu\n",
             rt_refusal_reason(bound), refused);
    CHECK(strstr(text, line) != NULL);
    free(text);
}

static void
check_counts(struct rt_system *system, enum rt_refusal bound)
{
    struct rt_system_stats stats = rt_system_stats(system);
    CHECK(atomic_load(&offered) >= TIMES * HANDLED);
    CHECK(stats.refused == atomic_load(&offered) - atomic_load(&accepted));
    CHECK(stats.refusals[bound] == stats.refused);
    CHECK(stats.refusals[RT_REFUSED_CONTROL] == 0);
    CHECK(atomic_load(&control_handled) == atomic_load(&control_sent));
    check_metrics(bound, stats.refused);
}

static void
run(enum rt_refusal bound)
{
    offered = accepted = handled = control_sent = control_handled = producers_done = 0;
    struct rt_system_options options = {.workers = 4, .world = rt_world_real()};
    struct rt_system *system = rt_system_create(&options);
    CHECK(system != NULL);
    spawn_all(system, bound);
    uint64_t before_bytes = rt_pool_stats().live_bytes;
    CHECK(rt_system_start(system) == RT_OK);
    uint64_t most_bytes = watch(system);
    while (atomic_load(&handled) < atomic_load(&accepted)) /* what was accepted arrives */
        usleep(500);
    rt_system_stop(system);
    check_counts(system, bound);
    /* A full mailbox of blocks of 512 bytes, and twice as much again in the threads' caches. */
    uint64_t grown_bytes = most_bytes - before_bytes;
    CHECK(grown_bytes <= 3 * 512 * (MESSAGES_MAX + PRODUCERS * OF_ONE_SENDER));
    rt_system_destroy(system);
    printf("%lu offered, %lu accepted, %lu control; %lu KiB more at most\n", offered, accepted,
           control_handled, grown_bytes / 1024);
}

int
main(void)
{
    rt_system_register_metrics();
    run(RT_REFUSED_MESSAGES);
    run(RT_REFUSED_BYTES);
    rt_pool_thread_end();
    return 0;
}
