/*
 * net/response.h - the heads of HTTP/1.1 responses as bytes, and our own refusals as problem
 * documents. No sockets.
 *
 * Source: RFC 9112 and RFC 9110; RFC 9457 (problem details), read 2026-11.
 */
#ifndef NET_RESPONSE_H
#define NET_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/bytes.h"
#include "net/server.h"

/* The Date header's value, written anew once a second. Zeroed: not written yet. */
struct net_date {
    int64_t second;
    char text[30];
};

/* "Sun, 06 Nov 1994 08:49:37 GMT". Valid until the next call. */
const char *net_date_text(struct net_date *date, int64_t wall_ms);

/* How the body is told from what follows. */
enum net_framing {
    NET_FRAMED_BY_LENGTH,
    NET_FRAMED_BY_CHUNKS,
    NET_FRAMED_BY_CLOSE, /* for clients of HTTP/1.0 */
    NET_FRAMED_BY_STATUS /* 1xx, 204, 304: there is none */
};

struct net_head {
    int status;
    const struct net_header *headers; /* control characters in values are written as spaces */
    size_t header_count;
    enum net_framing framing;
    size_t body_bytes; /* NET_FRAMED_BY_LENGTH */
    bool keeps_alive;
    bool says_keep_alive; /* clients of HTTP/1.0 want to be told */
    const char *date;
};

/* Appends the head, up to and with its blank line. False when out of memory. */
RT_MUST_USE bool net_response_write_head(struct net_bytes *out, const struct net_head *head);

/* Appends one piece of a chunked body; none at all when it is empty. False: out of memory. */
RT_MUST_USE bool net_response_write_chunk(struct net_bytes *out, const void *bytes,
                                          size_t size_bytes);

/* Appends what ends a chunked body. */
RT_MUST_USE bool net_response_write_last_chunk(struct net_bytes *out);

/*
 * Appends a refusal of our own, one of 400, 408, 413, 417, 426, 431, 500, 501, 503, 505. The
 * connection ends after it.
 *
 *   has_body   false for answers to HEAD
 */
RT_MUST_USE bool net_response_write_problem(struct net_bytes *out, int status, const char *date,
                                            bool has_body);

/* The `reason` of such a refusal. */
const char *net_response_problem_reason(int status);

#endif
