#include "net/refusals.h"

#include <pthread.h>
#include <stdio.h>

#include "net/response.h"
#include "net/websocket.h"
#include "runtime/assert.h"
#include "runtime/compiler.h"
#include "runtime/metrics.h"

enum { LABEL_BYTES = 40 };

static const char *const newcomer_reasons[NET_NEWCOMER_REFUSALS] = {
    [NET_NEWCOMER_SURPLUS] = "surplus",
    [NET_NEWCOMER_FLOOD] = "flood",
    [NET_NEWCOMER_NO_DESCRIPTOR] = "no_descriptor",
    [NET_NEWCOMER_NO_MEMORY] = "no_memory",
};
static struct rt_counter newcomers[NET_NEWCOMER_REFUSALS];
static char newcomer_labels[NET_NEWCOMER_REFUSALS][LABEL_BYTES];

/* Their reasons are those of the answers. */
static const int statuses[] = {400, 408, 413, 417, 426, 431, 500, 501, 503, 505};
static struct rt_counter requests[RT_COUNT_OF(statuses)];
static char request_labels[RT_COUNT_OF(statuses)][LABEL_BYTES];

static const struct {
    uint16_t code;
    const char *reason;
} cuts[] = {{NET_WS_PROTOCOL_ERROR, "protocol"},
            {NET_WS_BAD_PAYLOAD, "not_utf8"},
            {NET_WS_TOO_BIG, "too_big"},
            {NET_WS_INTERNAL, "internal"},
            {NET_WS_OVERLOAD, "try_again_later"}};
static struct rt_counter websockets[RT_COUNT_OF(cuts)];
static char websocket_labels[RT_COUNT_OF(cuts)][LABEL_BYTES];

static void
add(struct rt_counter *counter, const char *name, const char *help, char labels[LABEL_BYTES],
    const char *reason)
{
    snprintf(labels, LABEL_BYTES, "reason=\"%s\"", reason);
    counter->metric =
        (struct rt_metric){.name = name, .help = help, .labels = labels, .type = RT_METRIC_COUNTER};
    rt_metrics_register(&counter->metric);
}

static void
register_all(void)
{
    for (size_t i = 0; i < RT_COUNT_OF(newcomers); i++)
        add(&newcomers[i], "twin_connections_refused_total", "Connections that were not served.",
            newcomer_labels[i], newcomer_reasons[i]);
    for (size_t i = 0; i < RT_COUNT_OF(requests); i++)
        add(&requests[i], "twin_requests_refused_total",
            "Requests that were refused before any actor had them.", request_labels[i],
            net_response_problem_reason(statuses[i]));
    for (size_t i = 0; i < RT_COUNT_OF(websockets); i++)
        add(&websockets[i], "twin_websockets_refused_total", "WebSockets that were cut.",
            websocket_labels[i], cuts[i].reason);
}

void
net_refusals_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_all);
}

void
net_refusals_newcomer(enum net_newcomer_refusal refusal)
{
    rt_counter_add(&newcomers[refusal], 1);
}

void
net_refusals_request(int status)
{
    size_t i = 0;
    while (i < RT_COUNT_OF(statuses) && statuses[i] != status)
        i++;
    RT_ASSERT(i < RT_COUNT_OF(statuses));
    rt_counter_add(&requests[i], 1);
}

void
net_refusals_websocket(uint16_t code)
{
    size_t i = 0;
    while (i < RT_COUNT_OF(cuts) && cuts[i].code != code)
        i++;
    RT_ASSERT(i < RT_COUNT_OF(cuts));
    rt_counter_add(&websockets[i], 1);
}
