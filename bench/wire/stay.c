/*
 * The client that stays and reads: it sends nothing but pongs that nobody asked for (RFC 6455,
 * section 5.5.3), so that the server knows it is there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/wire/wire.h"
#include "net/websocket.h"

enum { ROOM_BYTES = 8192, PONG_EVERY_MS = 10000 };

struct guest {
    int fd;
    bool is_answered;
    size_t used;
    uint8_t in[ROOM_BYTES];
};

struct stay {
    const struct wire_options *options;
    struct guest *guests;
    int poll;
    unsigned open, answered, closed;
    uint64_t pong_ms; /* when pongs are due */
};

static uint64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool
open_all(struct stay *stay)
{
    const struct wire_options *options = stay->options;
    struct epoll_event input = {.events = EPOLLIN, .data = {.ptr = NULL}};
    stay->guests = calloc(options->connections, sizeof(*stay->guests));
    stay->poll = epoll_create1(EPOLL_CLOEXEC);
    if (stay->guests == NULL || stay->poll < 0 ||
        epoll_ctl(stay->poll, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0)
        return false;
    for (; stay->open < options->connections; stay->open++) {
        struct guest *guest = &stay->guests[stay->open];
        guest->fd = wire_open(options, stay->open);
        struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = guest}};
        if (guest->fd < 0 || epoll_ctl(stay->poll, EPOLL_CTL_ADD, guest->fd, &event) != 0)
            return false;
    }
    return true;
}

static void
leave(struct stay *stay, struct guest *guest)
{
    stay->closed += !guest->is_answered;
    close(guest->fd);
    guest->fd = -1;
    stay->open--;
}

static void
hear(struct stay *stay, struct guest *guest)
{
    ssize_t got = recv(guest->fd, guest->in + guest->used, sizeof(guest->in) - guest->used, 0);
    if (got <= 0) { /* also when a frame is larger than there is room */
        leave(stay, guest);
        return;
    }
    guest->used += (size_t)got;
    if (wire_count_answers(stay->options, guest->in, &guest->used) == 0 || guest->is_answered)
        return;
    guest->is_answered = true;
    stay->answered++;
}

static void
send_all(const struct stay *stay, const uint8_t *frame, size_t size_bytes)
{
    for (unsigned i = 0; i < stay->options->connections; i++)
        if (stay->guests[i].fd >= 0)
            send(stay->guests[i].fd, frame, size_bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void
send_pongs(struct stay *stay)
{
    static const uint8_t pong[] = {0x80 | NET_WS_OP_PONG, 0x80, 0, 0, 0, 0};
    stay->pong_ms = now_ms() + PONG_EVERY_MS;
    send_all(stay, pong, sizeof(pong));
}

/* False: the input has ended. */
static bool
wait_once(struct stay *stay)
{
    struct epoll_event events[WIRE_EVENTS_MAX];
    int count = epoll_wait(stay->poll, events, WIRE_EVENTS_MAX, 1000);
    char byte;
    bool goes_on = true;
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr != NULL)
            hear(stay, events[i].data.ptr);
        else
            goes_on = read(STDIN_FILENO, &byte, 1) > 0;
    }
    if (now_ms() >= stay->pong_ms)
        send_pongs(stay);
    return goes_on;
}

int
wire_stay(const struct wire_options *options)
{
    static const uint8_t close_1000[] = {
        0x80 | NET_WS_OP_CLOSE, 0x82, 0, 0, 0, 0, 1000 >> 8, 1000 & 0xFF};
    struct stay stay = {.options = options, .pong_ms = now_ms() + PONG_EVERY_MS};
    if (options->answer == NULL) {
        errno = EINVAL;
        return wire_fail("--answer");
    }
    if (!open_all(&stay))
        return wire_fail("open");
    printf("open %u\n", stay.open);
    fflush(stdout);
    while (stay.open > 0 && wait_once(&stay))
        ;
    send_all(&stay, close_1000, sizeof(close_1000));
    printf("{\"answered\":%u,\"closed\":%u}\n", stay.answered, stay.closed);
    return 0;
}
