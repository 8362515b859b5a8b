/*
 * What the machine counts: for its own system, and as metrics for all of the process.
 */
#include "runtime/internal.h"
#include "runtime/metrics.h"

#define REFUSED(lane_, reason_)                                                                    \
    {                                                                                              \
        .metric = {                                                                                \
            .name = "twin_messages_refused_total",                                                 \
            .help = "Messages that a mailbox refused to their sender.",                            \
            .labels = "lane=\"" lane_ "\",reason=\"" reason_ "\"",                                 \
            .type = RT_METRIC_COUNTER                                                              \
        }                                                                                          \
    }

static struct rt_counter refused[RT_REFUSALS] = {
    [RT_REFUSED_MESSAGES] = REFUSED("data", "messages"),
    [RT_REFUSED_BYTES] = REFUSED("data", "bytes"),
    [RT_REFUSED_DEAD] = REFUSED("data", "dead"),
    [RT_REFUSED_CONTROL] = REFUSED("control", "dead"),
};

static struct rt_counter dead_letters = {
    .metric = {.name = "twin_dead_letters_total",
               .help = "Messages nobody read: sent to the dead, or left in their mailboxes.",
               .type = RT_METRIC_COUNTER}};
static struct rt_counter parked = {
    .metric = {.name = "twin_messages_parked_total",
               .help = "Messages that failed their actor and are not tried again.",
               .type = RT_METRIC_COUNTER}};

const char *
rt_refusal_lane(enum rt_refusal refusal)
{
    return refusal == RT_REFUSED_CONTROL ? "control" : "data";
}

const char *
rt_refusal_reason(enum rt_refusal refusal)
{
    static const char *const reasons[RT_REFUSALS] = {"messages", "bytes", "dead", "dead"};
    return reasons[refusal];
}

void
rt_count_refusal(struct rt_system *system, enum rt_refusal refusal)
{
    atomic_fetch_add_explicit(&system->refusals[refusal], 1, memory_order_relaxed);
    rt_counter_add(&refused[refusal], 1);
}

void
rt_count_dead_letter(void)
{
    rt_counter_add(&dead_letters, 1);
}

void
rt_count_parked(void)
{
    rt_counter_add(&parked, 1);
}

static void
register_all(void)
{
    for (unsigned i = 0; i < RT_REFUSALS; i++)
        rt_metrics_register(&refused[i].metric);
    rt_metrics_register(&dead_letters.metric);
    rt_metrics_register(&parked.metric);
}

void
rt_system_register_metrics(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
}
