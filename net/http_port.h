/*
 * net/http_port.h - HTTP requests to vendors, as an actor sees them: start one, get messages.
 *
 *      start ──► NET_HTTP_HEAD ──► NET_HTTP_DATA … ──► NET_HTTP_END
 *                     (left out when no answer came)      (always, once, last)
 *
 * All of one transfer's messages come through the owner's data lane, in order. Data is credited:
 * after `window_bytes` that the owner has not consumed, reading stops, and with it, through
 * TCP, the vendor.
 *
 * Implementations: net/http_client.c (libcurl on the worker's loop), the simulator of the tests.
 * The owner must be pinned to a worker, and calls from its own turns.
 */
#ifndef NET_HTTP_PORT_H
#define NET_HTTP_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/actor.h"
#include "runtime/metrics.h"

enum net_http_kind { /* message kinds; see runtime/message.h */
                     NET_HTTP_HEAD = RT_KIND_USER + 100,
                     NET_HTTP_DATA,
                     NET_HTTP_END,
};

/* How a transfer ended. */
enum net_http_result {
    NET_HTTP_COMPLETE,  /* the whole answer arrived */
    NET_HTTP_STOPPED,   /* stop() was called; all that the vendor had sent was delivered */
    NET_HTTP_UNREACHED, /* no connection: the request did not reach the vendor */
    NET_HTTP_TIMEOUT,   /* no byte for idle_timeout_ms, or longer than total_timeout_ms */
    NET_HTTP_CUT,       /* the connection broke in the middle, or the vendor went on for two seconds
                         * after a stop: what it did is unknown */
    NET_HTTP_REFUSED,   /* the answer broke HTTP's rules or our limits */
};

struct net_http_header {
    const char *name;
    const char *value;
};

struct net_http_request {
    const char *method; /* "GET" … */
    const char *url;    /* absolute http(s) URL */
    const struct net_http_header *headers;
    size_t header_count;
    const char *secret; /* in one of the header values; struck out of what comes back. Or NULL */
    const void *body;   /* NULL when body_bytes is 0 */
    size_t body_bytes;
    uint32_t connect_timeout_ms;
    uint32_t idle_timeout_ms;  /* longest silence; 0: no limit */
    uint32_t total_timeout_ms; /* 0: no limit */
    uint32_t window_bytes;     /* delivered and not consumed, at most; about */
    bool is_repeatable;        /* twice is as once: without a body it may be sent again, too */
};

/* Payloads. NET_HTTP_DATA has its bytes in the message's buffer. */
struct net_http_head {
    uint64_t transfer;
    int status;            /* 100 … 599 */
    int64_t retry_after_s; /* from Retry-After in seconds, or retry-after-ms rounded up; -1: none */
    char content_type[64]; /* lower case, without parameters; "" when absent */
};
struct net_http_data {
    uint64_t transfer;
};
struct net_http_end {
    uint64_t transfer;
    enum net_http_result result;
};

struct net_http_port {
    void *self;

    /*
     * Starts a transfer.
     *
     *   transfer   the owner's own name for it, unique among its living transfers
     *   returns    RT_OK (then END will come) | RT_FULL | RT_NO_MEMORY | RT_INVALID (the URL)
     *   ownership  everything is copied; the caller may wipe secrets at once
     */
    enum rt_status (*start)(void *self, struct rt_actor *owner, uint64_t transfer,
                            const struct net_http_request *request);

    /* Gives back credit for data that was worked on. Unknown transfers are ignored here and
     * below: they may just have ended. */
    void (*consume)(void *self, struct rt_actor *owner, uint64_t transfer, uint32_t bytes);

    /*
     * Asks for no more: our side of the connection is closed for writing, what the vendor had
     * sent by then still arrives (credit is needed for it as before), then END with
     * NET_HTTP_STOPPED, within two seconds. So what was metered is what was sent. A vendor that
     * does not end by then gets NET_HTTP_CUT.
     */
    void (*stop)(void *self, struct rt_actor *owner, uint64_t transfer);

    /*
     * Sends the request now, where a connection is open for it, and not in the loop's next round;
     * when it leaves, the time since `since_ns`, of the world's clock, is recorded, or 0 when that
     * is still to come. In the turn that started it. May be NULL.
     *
     *   histogram   lives as long as the process
     */
    void (*hurry)(void *self, struct rt_actor *owner, uint64_t transfer, uint64_t since_ns,
                  struct rt_histogram *histogram);

    /* Drops it: the connection is closed at once and nothing more is sent to the owner, END
     * included. What its mailbox already holds still comes. */
    void (*cancel)(void *self, struct rt_actor *owner, uint64_t transfer);
};

#endif
