/*
 * The yardstick: one epoll loop, frames echoed where they lie, one write for what one read brought.
 * It checks nothing and knows no backpressure.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/wire/wire.h"
#include "net/websocket.h"

enum { KEY_BYTES = 24, LENGTH_16 = 126, LENGTH_64 = 127, MASK_BYTES = 4 };

struct peer {
    int fd;
    bool is_open;
    size_t used; /* of `in` */
    uint8_t in[WIRE_BUFFER_BYTES];
};

static void
drop(struct peer *peer)
{
    close(peer->fd);
    free(peer);
}

static bool
answer_handshake(struct peer *peer)
{
    static const char name[] = "Sec-WebSocket-Key: ";
    peer->in[peer->used] = '\0';
    char *at = strstr((char *)peer->in, name);
    if (strstr((char *)peer->in, "\r\n\r\n") == NULL)
        return true; /* more is to come */
    if (at == NULL)
        return false;
    at += sizeof(name) - 1;
    at[KEY_BYTES] = '\0';
    char accept[29], head[256];
    net_ws_accept_value(at, accept);
    int size = snprintf(head, sizeof(head),
                        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                        accept);
    peer->is_open = true;
    peer->used = 0;
    return send(peer->fd, head, (size_t)size, MSG_NOSIGNAL) == size;
}

/* The frame at `bytes`: its header's size, and its payload's. False when more is to come. */
static bool
read_frame(const uint8_t *bytes, size_t size_bytes, size_t *header_out, size_t *payload_out)
{
    if (size_bytes < 2)
        return false;
    size_t payload = bytes[1] & 0x7F, header = 2;
    if (payload >= LENGTH_16) {
        size_t count = payload == LENGTH_16 ? 2 : 8;
        header += count;
        if (size_bytes < header)
            return false;
        payload = 0;
        for (size_t i = 0; i < count; i++)
            payload = payload << 8 | bytes[2 + i];
    }
    *header_out = header + MASK_BYTES;
    *payload_out = payload;
    return size_bytes >= header + MASK_BYTES + payload;
}

/* Turns the frames in `in` into answers in `out`; returns their size. */
static size_t
echo(struct peer *peer, uint8_t *out)
{
    size_t at = 0, used = 0, header, payload;
    while (read_frame(peer->in + at, peer->used - at, &header, &payload)) {
        const uint8_t *mask = peer->in + at + header - MASK_BYTES;
        used += net_ws_write_header(out + used, peer->in[at] & 0x0F, payload, NULL);
        memcpy(out + used, peer->in + at + header, payload);
        net_ws_mask(out + used, payload, mask, 0);
        used += payload;
        at += header + payload;
    }
    memmove(peer->in, peer->in + at, peer->used - at);
    peer->used -= at;
    return used;
}

static bool
serve(struct peer *peer)
{
    static uint8_t out[WIRE_BUFFER_BYTES];
    ssize_t got = recv(peer->fd, peer->in + peer->used, sizeof(peer->in) - 1 - peer->used, 0);
    if (got <= 0)
        return got < 0 && errno == EAGAIN;
    peer->used += (size_t)got;
    if (!peer->is_open)
        return answer_handshake(peer);
    size_t size_bytes = echo(peer, out);
    return size_bytes == 0 || send(peer->fd, out, size_bytes, MSG_NOSIGNAL) == (ssize_t)size_bytes;
}

int
wire_listen(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t name_bytes = sizeof(name);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&name, &name_bytes) != 0)
        return -1;
    printf("listening on http://127.0.0.1:%u\n", ntohs(name.sin_port));
    fflush(stdout);
    return fd;
}

static void
take(int poll, int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
    struct peer *peer = fd < 0 ? NULL : malloc(sizeof(*peer));
    if (peer == NULL)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    peer->fd = fd;
    peer->is_open = false;
    peer->used = 0;
    epoll_ctl(poll, EPOLL_CTL_ADD, fd,
              &(struct epoll_event){.events = EPOLLIN, .data = {.ptr = peer}});
}

int
wire_serve(const struct wire_options *options)
{
    int listener = wire_listen(options->port), poll = epoll_create1(EPOLL_CLOEXEC);
    if (listener < 0 || poll < 0)
        return wire_fail("listen");
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &(struct epoll_event){.events = EPOLLIN});
    for (;;) {
        struct epoll_event events[WIRE_EVENTS_MAX];
        int count = epoll_wait(poll, events, WIRE_EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer == NULL)
                take(poll, listener);
            else if (!serve(peer))
                drop(peer);
        }
    }
}
