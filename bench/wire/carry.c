/*
 * A server that is libwebsockets and nothing of ours around it: what a connection costs there.
 * Every connection is told that it was upgraded, and then kept.
 */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/wire/wire.h"
#include "net/carrier.h"

static struct net_carrier *carrier;

static void *
on_open(void *context, struct lws *wire)
{
    (void)context;
    return wire;
}

static void
on_bytes(void *wire, uint8_t *bytes, size_t size_bytes)
{
    static uint8_t answer[] = "HTTP/1.1 101 Switching Protocols\r\n\r\n";
    (void)bytes, (void)size_bytes;
    if (net_wire_write(wire, answer, sizeof(answer) - 1) != RT_OK)
        net_wire_shut(wire);
}

static void
ignore(void *wire)
{
    (void)wire;
}

static void
on_acceptable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    int fd = accept4(watcher->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        net_carrier_adopt(carrier, fd);
}

int
wire_carry(const struct wire_options *options)
{
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    carrier = net_carrier_create(&(struct net_carrier_options){
        .loop = loop,
        .events = {
            .on_open = on_open, .on_bytes = on_bytes, .on_writable = ignore, .on_gone = ignore}});
    int listener = carrier == NULL ? -1 : wire_listen(options->port);
    if (listener < 0)
        return wire_fail("listen");
    ev_io acceptor;
    ev_io_init(&acceptor, on_acceptable, listener, EV_READ);
    ev_io_start(loop, &acceptor);
    ev_run(loop, 0);
    return 0;
}
