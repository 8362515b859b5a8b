/*
 * net/sse.h - server-sent events out of a stream of bytes. No sockets.
 *
 * Source: HTML Living Standard, "Server-sent events", section 9.2.6 (interpreting an event
 * stream), read 2026-11: any newline, comments ignored, several data lines joined by newline.
 */
#ifndef NET_SSE_H
#define NET_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

struct net_sse;

/* Valid until the next call. `event` is "message" when the stream named none. */
struct net_sse_event {
    const char *event;
    const char *data;
    size_t data_bytes;
};

/* `event_bytes_max` bounds one event with its lines. NULL when out of memory. */
struct net_sse *net_sse_create(size_t event_bytes_max);
void net_sse_destroy(struct net_sse *sse);

/*
 * Adds bytes. Then call net_sse_next() until RT_EMPTY.
 *
 *   returns    RT_OK | RT_TOO_BIG (the stream is unusable from here) | RT_NO_MEMORY
 */
RT_MUST_USE enum rt_status net_sse_feed(struct net_sse *sse, const void *bytes, size_t size_bytes);

/* The next complete event. RT_OK | RT_EMPTY. */
RT_MUST_USE enum rt_status net_sse_next(struct net_sse *sse, struct net_sse_event *event_out);

#endif
