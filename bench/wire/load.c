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
#include "net/websocket.h"

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
    static const uint8_t mask[4] = {0x5A, 0xC3, 0x17, 0xE8};
    const struct wire_options *options = load->options;
    size_t size_bytes = options->text != NULL ? strlen(options->text) : options->size_bytes;
    load->batch = malloc(options->depth * (NET_WS_HEADER_BYTES_MAX + size_bytes));
    if (load->batch == NULL)
        return false;
    for (unsigned i = 0; i < options->depth; i++) {
        uint8_t *to = load->batch + i * load->frame_bytes;
        enum net_ws_opcode opcode = options->text != NULL ? NET_WS_OP_TEXT : NET_WS_OP_BINARY;
        size_t header_bytes = net_ws_write_header(to, opcode, size_bytes, mask);
        load->frame_bytes = header_bytes + size_bytes;
        if (options->text != NULL)
            memcpy(to + header_bytes, options->text, size_bytes);
        else
            memset(to + header_bytes, 'x', size_bytes);
        net_ws_mask(to + header_bytes, size_bytes, mask, 0);
    }
    return true;
}

/* Takes whole frames off the front; returns how many of them end an exchange. */
static unsigned
count_answers(const struct load *load, struct client *client)
{
    const char *answer = load->options->answer;
    size_t at = 0;
    unsigned count = 0;
    while (client->used - at >= 4) {
        const uint8_t *frame = client->in + at;
        size_t header = frame[1] < 126 ? 2 : 4;
        size_t size = frame[1] < 126 ? frame[1] : (size_t)(frame[2] << 8 | frame[3]);
        if (client->used - at < header + size)
            break;
        count += answer == NULL || memmem(frame + header, size, answer, strlen(answer)) != NULL;
        at += header + size;
    }
    memmove(client->in, client->in + at, client->used - at);
    client->used -= at;
    return count;
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
    unsigned count = count_answers(load, client);
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
