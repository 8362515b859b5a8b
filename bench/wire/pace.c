/*
 * The client that keeps to a timetable: each connection sends a message every so many microseconds,
 * whatever became of the others, and what is counted is how late its answer came. A message that
 * is due while its connection still waits is sent when the answer has come, and its time runs from
 * when it was due: a server that is slow for a while does not hide behind a client that waits.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "bench/wire/wire.h"
#include "net/websocket.h"

enum { LATENCIES_MAX = 1 << 20, NS_PER_US = 1000, NS_PER_MS = 1000000, NS_PER_S = 1000000000 };

struct pacer {
    int fd;
    uint64_t due, sent; /* messages, since the start */
    bool is_waiting;
    size_t used;
    uint8_t in[WIRE_BUFFER_BYTES];
};

struct pace {
    const struct wire_options *options;
    struct pacer *pacers;
    int poll, timer;
    uint8_t frame[WIRE_BUFFER_BYTES];
    size_t frame_bytes;
    uint64_t start_ns, count_from_ns; /* what was due before that is not counted */
    uint64_t due;                     /* messages of all connections, since the start */
    uint64_t *latencies_ns;
    size_t latencies;
};

static uint64_t
now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

/* When message number `due` of all is due: connections take turns. */
static uint64_t
due_ns(const struct pace *pace, uint64_t due)
{
    const struct wire_options *options = pace->options;
    return pace->start_ns + due * options->every_us * NS_PER_US / options->connections;
}

static bool
send_due(const struct pace *pace, struct pacer *pacer)
{
    if (pacer->is_waiting || pacer->sent == pacer->due)
        return true;
    pacer->is_waiting = true;
    pacer->sent++;
    return send(pacer->fd, pace->frame, pace->frame_bytes, MSG_NOSIGNAL) ==
           (ssize_t)pace->frame_bytes;
}

/* The answer to the message in hand has come. */
static bool
note_answer(struct pace *pace, struct pacer *pacer)
{
    uint64_t number =
        (pacer->sent - 1) * pace->options->connections + (uint64_t)(pacer - pace->pacers);
    uint64_t was_due_ns = due_ns(pace, number);
    pacer->is_waiting = false;
    if (was_due_ns >= pace->count_from_ns && pace->latencies < LATENCIES_MAX)
        pace->latencies_ns[pace->latencies++] = now_ns() - was_due_ns;
    return send_due(pace, pacer);
}

static bool
serve(struct pace *pace, struct pacer *pacer)
{
    ssize_t got = recv(pacer->fd, pacer->in + pacer->used, sizeof(pacer->in) - pacer->used, 0);
    if (got <= 0)
        return false;
    pacer->used += (size_t)got;
    unsigned answers = wire_count_answers(pace->options, pacer->in, &pacer->used);
    for (; answers > 0 && pacer->is_waiting; answers--)
        if (!note_answer(pace, pacer))
            return false;
    return true;
}

/* Sends what is due by now, and sets the alarm for what is due next. */
static bool
keep_timetable(struct pace *pace)
{
    uint64_t expirations, now = now_ns();
    (void)!read(pace->timer, &expirations, sizeof(expirations));
    for (; due_ns(pace, pace->due) <= now; pace->due++) {
        struct pacer *pacer = &pace->pacers[pace->due % pace->options->connections];
        pacer->due++;
        if (!send_due(pace, pacer))
            return false;
    }
    uint64_t next_ns = due_ns(pace, pace->due);
    struct itimerspec alarm = {.it_value = {.tv_sec = (time_t)(next_ns / NS_PER_S),
                                            .tv_nsec = (long)(next_ns % NS_PER_S)}};
    return timerfd_settime(pace->timer, TFD_TIMER_ABSTIME, &alarm, NULL) == 0;
}

static bool
run(struct pace *pace)
{
    pace->start_ns = now_ns();
    pace->count_from_ns = pace->start_ns + pace->options->warm_up_ms * (uint64_t)NS_PER_MS;
    uint64_t until_ns = pace->count_from_ns + pace->options->ms * (uint64_t)NS_PER_MS;
    if (!keep_timetable(pace))
        return false;
    while (now_ns() < until_ns) {
        struct epoll_event events[WIRE_EVENTS_MAX];
        int count = epoll_wait(pace->poll, events, WIRE_EVENTS_MAX, 100);
        for (int i = 0; i < count; i++) {
            struct pacer *pacer = events[i].data.ptr;
            if (!(pacer == NULL ? keep_timetable(pace) : serve(pace, pacer)))
                return false;
        }
    }
    return true;
}

static bool
open_all(struct pace *pace)
{
    const struct wire_options *options = pace->options;
    pace->pacers = calloc(options->connections, sizeof(*pace->pacers));
    pace->latencies_ns = malloc(LATENCIES_MAX * sizeof(*pace->latencies_ns));
    pace->poll = epoll_create1(EPOLL_CLOEXEC);
    pace->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN};
    if (pace->pacers == NULL || pace->latencies_ns == NULL || pace->poll < 0 || pace->timer < 0 ||
        epoll_ctl(pace->poll, EPOLL_CTL_ADD, pace->timer, &event) != 0)
        return false;
    pace->frame_bytes = wire_make_frame(options, pace->frame);
    for (unsigned i = 0; i < options->connections; i++) {
        struct pacer *pacer = &pace->pacers[i];
        pacer->fd = wire_open(options, i);
        event.data.ptr = pacer;
        if (pacer->fd < 0 || epoll_ctl(pace->poll, EPOLL_CTL_ADD, pacer->fd, &event) != 0)
            return false;
    }
    return true;
}

static int
compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static double
percentile_us(const struct pace *pace, unsigned per_mille)
{
    if (pace->latencies == 0)
        return 0;
    size_t at = (pace->latencies * per_mille + 999) / 1000;
    return (double)pace->latencies_ns[at == 0 ? 0 : at - 1] / NS_PER_US;
}

int
wire_pace(const struct wire_options *options)
{
    struct pace pace = {.options = options};
    if (options->every_us == 0 || options->size_bytes > WIRE_BUFFER_BYTES / 2) {
        errno = EINVAL;
        return wire_fail("--every-us or --size");
    }
    if (!open_all(&pace))
        return wire_fail("open");
    if (!run(&pace))
        return wire_fail("the server closed a connection");
    qsort(pace.latencies_ns, pace.latencies, sizeof(*pace.latencies_ns), compare);
    printf("{\"messages\":%zu,\"per_second\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
           "\"p999_us\":%.1f,\"max_us\":%.1f}\n",
           pace.latencies, (double)pace.latencies * 1000.0 / options->ms, percentile_us(&pace, 500),
           percentile_us(&pace, 990), percentile_us(&pace, 999), percentile_us(&pace, 1000));
    return 0;
}
