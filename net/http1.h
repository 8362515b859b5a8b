/*
 * net/http1.h - HTTP/1 requests out of bytes. No sockets.
 *
 * One reader reads one request: the head line by line until its blank line, then http_parser
 * takes it apart, then the body. What http_parser would let pass and other servers read
 * differently (bare newlines, folded headers, spaces before a colon) is refused here, because
 * two readings of one request are how requests are smuggled.
 *
 *      HEAD ──blank line──► BODY ──all of it──► done
 *
 * Source: RFC 9112 and RFC 9110, read 2026-11.
 */
#ifndef NET_HTTP1_H
#define NET_HTTP1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/server.h"

enum { NET_HTTP1_HEADERS_MAX = 80, NET_HTTP1_HEADER_BYTES_MAX = 65535 };

struct net_http1;

struct net_http1_limits {
    uint32_t header_bytes_max; /* at most NET_HTTP1_HEADER_BYTES_MAX */
    uint32_t body_bytes_max;
};

enum net_http1_read {
    NET_HTTP1_MORE,     /* all bytes were used, the request is not complete */
    NET_HTTP1_CONTINUE, /* as MORE; and the client waits for "100 Continue". Said once */
    NET_HTTP1_REQUEST,  /* complete: see net_http1_request() */
    NET_HTTP1_REFUSED,  /* it will not be: see net_http1_refusal() */
};

/* Why a request is refused, and with which status. */
enum net_http1_refusal {
    NET_HTTP1_MALFORMED = 400,
    NET_HTTP1_BODY_TOO_BIG = 413,
    NET_HTTP1_EXPECTATION = 417,
    NET_HTTP1_HEADER_TOO_BIG = 431,
    NET_HTTP1_NO_MEMORY = 500,
    NET_HTTP1_ENCODING = 501, /* a transfer coding besides chunked */
    NET_HTTP1_VERSION = 505,
};

/* NULL when out of memory. */
struct net_http1 *net_http1_create(const struct net_http1_limits *limits);
void net_http1_destroy(struct net_http1 *http);

/*
 * Reads on.
 *
 *   used_out   how many bytes were taken; behind NET_HTTP1_REQUEST lies the next request
 */
enum net_http1_read net_http1_feed(struct net_http1 *http, const uint8_t *bytes, size_t size_bytes,
                                   size_t *used_out);

/* The complete request; `peer` and `wants_websocket` are not filled in. It lives in `http`. */
const struct net_request *net_http1_request(const struct net_http1 *http);

enum net_http1_refusal net_http1_refusal(const struct net_http1 *http);

/* Whether the head is complete and the body is not. */
bool net_http1_is_in_body(const struct net_http1 *http);

/* Whether anything came yet; blank lines before a request do not count. */
bool net_http1_has_begun(const struct net_http1 *http);

/* Of a complete request: what the answer must heed. */
bool net_http1_keeps_alive(const struct net_http1 *http);
bool net_http1_is_version_1_0(const struct net_http1 *http);

/* Whether a header that is a list of tokens has this one, in any case. `token` in lower case. */
bool net_http1_has_token(const struct net_request *request, const char *header, const char *token);

#endif
