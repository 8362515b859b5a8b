/*
 * The client that loads: every connection keeps `depth` messages under way. Each answer is one
 * frame, or, with --answer, all frames up to the one that has that text in it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/wire/wire.h"

enum { DEPTH_MAX = 1024, MESSAGE_BYTES_MAX = WIRE_BUFFER_BYTES / 2 };

struct client {
    int fd;
    size_t used;
    uint8_t in[WIRE_BUFFER_BYTES];
};

struct load {
    const struct wire_options *options;
    struct client *clients;
    int poll;
    uint8_t *batch; /* `depth` frames, one after the other */
    size_t frame_bytes;
    uint64_t answered;
};

static double
now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Processor seconds of a process so far, all its threads. */
static double
cpu_s(unsigned pid)
{
    clockid_t clock;
    struct timespec used = {0};
    if (pid == 0 || clock_getcpuclockid((pid_t)pid, &clock) != 0)
        return 0;
    clock_gettime(clock, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

static bool
make_batch(struct load *load)
{
    uint8_t frame[WIRE_BUFFER_BYTES];
    const struct wire_options *options = load->options;
    load->frame_bytes = wire_make_frame(options, frame);
    load->batch = malloc(options->depth * load->frame_bytes);
    for (unsigned i = 0; load->batch != NULL && i < options->depth; i++)
        memcpy(load->batch + i * load->frame_bytes, frame, load->frame_bytes);
    return load->batch != NULL;
}

static bool
send_batch(const struct load *load, int fd, unsigned count)
{
    const uint8_t *at = load->batch;
    size_t left = count * load->frame_bytes;
    while (left > 0) {
        ssize_t sent = send(fd, at, left, MSG_NOSIGNAL);
        if (sent < 0)
            return false;
        at += sent;
        left -= (size_t)sent;
    }
    return true;
}

static bool
serve(struct load *load, struct client *client)
{
    ssize_t got = recv(client->fd, client->in + client->used, sizeof(client->in) - client->used, 0);
    if (got <= 0)
        return false;
    client->used += (size_t)got;
    unsigned count = wire_count_answers(load->options, client->in, &client->used);
    load->answered += count;
    return send_batch(load, client->fd, count);
}

static bool
run_for(struct load *load, unsigned ms)
{
    double until_s = now_s() + ms / 1000.0;
    while (now_s() < until_s) {
        struct epoll_event events[WIRE_EVENTS_MAX];
        int count = epoll_wait(load->poll, events, WIRE_EVENTS_MAX, 100);
        for (int i = 0; i < count; i++)
            if (!serve(load, events[i].data.ptr))
                return false;
    }
    return true;
}

/* Blocking sockets: what waits to be sent is never more than the kernel has room for. */
static bool
open_all(struct load *load)
{
    const struct wire_options *options = load->options;
    load->clients = calloc(options->connections, sizeof(*load->clients));
    load->poll = epoll_create1(EPOLL_CLOEXEC);
    if (load->clients == NULL || load->poll < 0 || !make_batch(load))
        return false;
    for (unsigned i = 0; i < options->connections; i++) {
        struct client *client = &load->clients[i];
        client->fd = wire_open(options, i);
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = client}};
        if (client->fd < 0 || epoll_ctl(load->poll, EPOLL_CTL_ADD, client->fd, &event) != 0)
            return false;
    }
    for (unsigned i = 0; i < options->connections; i++)
        if (!send_batch(load, load->clients[i].fd, options->depth))
            return false;
    return true;
}

int
wire_load(const struct wire_options *options)
{
    struct load load = {.options = options};
    if (options->depth == 0 || options->depth > DEPTH_MAX ||
        options->size_bytes > MESSAGE_BYTES_MAX) {
        errno = EINVAL;
        return wire_fail("--depth or --size");
    }
    if (!open_all(&load))
        return wire_fail("open");
    if (!run_for(&load, options->warm_up_ms))
        return wire_fail("the server closed a connection");
    double began_s = now_s(), server_began_s = cpu_s(options->pid),
           own_s = cpu_s((unsigned)getpid());
    load.answered = 0;
    if (!run_for(&load, options->ms))
        return wire_fail("the server closed a connection");
    double seconds = now_s() - began_s;
    printf("{\"messages\":%" PRIu64 ",\"seconds\":%.3f,\"per_second\":%.0f,"
           "\"server_cpu\":%.3f,\"client_cpu\":%.3f}\n",
           load.answered, seconds, (double)load.answered / seconds,
           (cpu_s(options->pid) - server_began_s) / seconds,
           (cpu_s((unsigned)getpid()) - own_s) / seconds);
    return 0;
}
