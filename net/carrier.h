/*
 * net/carrier.h - libwebsockets, reduced to what it is good for here: a wire, that is an
 * accepted socket on a worker's loop, with or without TLS, to read from and to write to.
 *
 * This is the only part that knows libwebsockets. docs/edge.md tells what of it is used, what
 * is not, and why.
 */
#ifndef NET_CARRIER_H
#define NET_CARRIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

struct ev_loop;
struct lws;
struct net_carrier;

enum {
    NET_WIRE_READ_BYTES_MAX = 32 * 1024, /* brought by one on_bytes */
    NET_WIRE_WRITE_BYTES_MAX = 64 * 1024 /* taken by one net_wire_write() */
};

/* All on the loop's thread, from its callbacks. */
struct net_carrier_events {
    void *context;

    /* A new wire. What is returned is the `owner` of the other events; NULL drops the wire. */
    void *(*on_open)(void *context, struct lws *wire);

    /* Bytes came. They may be changed in place. */
    void (*on_bytes)(void *owner, uint8_t *bytes, size_t size_bytes);

    /* Asked for by net_wire_want_writable(), or by a full wire that has room again. */
    void (*on_writable)(void *owner);

    /* The peer has closed, or half-closed, or the wire broke or was dropped. The last event. */
    void (*on_gone)(void *owner);
};

struct net_carrier_options {
    struct ev_loop *loop;
    struct net_carrier_events events;
    const char *certificate_file, *key_file; /* NULL: no TLS */
};

/* NULL when libwebsockets will not. One thread, before the loop runs. */
struct net_carrier *net_carrier_create(const struct net_carrier_options *options);

/* Drops all wires. While the loop does not run. */
void net_carrier_destroy(struct net_carrier *carrier);

/* Reads certificate and key again, for handshakes from now on. False when they are not sound, or
 * not of one another: then those there are stay. On the loop's thread; reads two small files. */
bool net_carrier_renew(struct net_carrier *carrier, const char *certificate_file,
                       const char *key_file);

/* Takes an accepted socket; on_open comes before this returns. False when there is no memory, or
 * on_open wants none: then the socket is closed. */
bool net_carrier_adopt(struct net_carrier *carrier, int fd);

int net_wire_fd(struct lws *wire);

/*
 * Sends. What the kernel does not take at once is kept for it, and makes the wire full.
 *
 *   wire      not full
 *   bytes     at most NET_WIRE_WRITE_BYTES_MAX
 *   returns   RT_OK | RT_FULL (taken, and the wire is full now) | RT_CLOSED (drop it)
 */
RT_MUST_USE enum rt_status net_wire_write(struct lws *wire, uint8_t *bytes, size_t size_bytes);
bool net_wire_is_full(struct lws *wire);

void net_wire_want_writable(struct lws *wire);

/* Stops and resumes on_bytes. A wire that is full must not read: while libwebsockets holds
 * bytes back it reads nothing, and a readable socket would wake the loop for ever. */
void net_wire_set_reading(struct lws *wire, bool reading);

/* Says that no more will be written. */
void net_wire_shut(struct lws *wire);

/* Closes at once; on_gone comes before this returns. Not from within an event of this wire. */
void net_wire_drop(struct lws *wire);

#endif
