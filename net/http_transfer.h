/*
 * net/http_transfer.h - one HTTP transfer: a request on its way out through libcurl, its answer
 * on its way to the owner as messages. Nobody outside net/ includes this.
 *
 * http_transfer.c has its life and its ends, http_request.c the request, http_answer.c the
 * answer. All on the pool's worker; what libcurl calls is named on_….
 */
#ifndef NET_HTTP_TRANSFER_H
#define NET_HTTP_TRANSFER_H

#include "net/http_pool.h"
#include "net/http_redact.h"

struct net_http_transfer {
    struct rt_table_link link;
    struct net_http_pool *pool;
    struct rt_address owner;
    uint64_t name;

    CURL *easy;
    struct curl_slist *headers;
    struct net_http_redact redact; /* its secret is in one of them */
    uint8_t *body;
    size_t body_bytes, body_sent;
    struct rt_message *end; /* made at the start, so that it can always be sent */

    struct net_timer silence; /* idle_timeout_ms */
    uint64_t idle_timeout_ns; /* 0: none */
    uint64_t heard_ns;
    struct net_timer patience; /* after stop() */

    uint64_t timed_since_ns;
    struct rt_histogram *sending; /* of the time until the request leaves; NULL: it is not timed */

    uint32_t window_bytes;
    uint64_t unconsumed_bytes;
    bool is_paused;
    bool is_stopped;
    bool is_refused; /* by us */

    bool head_is_sent;
    size_t head_bytes;
    unsigned head_lines;
    struct net_http_head head;
};

/* RT_OK | RT_NO_MEMORY | RT_INVALID. */
enum rt_status net_http_transfer_start(struct net_http_pool *pool, struct rt_address owner,
                                       uint64_t name, const struct net_http_request *request);

/* As the port's. Not from within libcurl. */
void net_http_transfer_consume(struct net_http_transfer *transfer, uint32_t bytes);
void net_http_transfer_stop(struct net_http_transfer *transfer);
void net_http_transfer_cancel(struct net_http_transfer *transfer);

void net_http_transfer_hurry(struct net_http_transfer *transfer, uint64_t since_ns,
                             struct rt_histogram *histogram);

/* libcurl is done with it. */
void net_http_transfer_done(struct net_http_transfer *transfer, CURLcode code);

/* The vendor gives a sign of life. */
void net_http_transfer_note_activity(struct net_http_transfer *transfer);

/* Its place in the pool's table. */
bool net_http_transfer_is(const struct net_http_transfer *transfer, struct rt_address owner,
                          uint64_t name);
uint64_t net_http_transfer_hash(struct rt_address owner, uint64_t name);

static inline struct net_http_transfer *
net_http_transfer_at(struct rt_table_link *link)
{
    return RT_CONTAINER_OF(link, struct net_http_transfer, link);
}

/* Whether a request can be sent as it is: method, URL and headers. (http_request.c) */
bool net_http_request_is_valid(const struct net_http_request *request);

/* Gives the request to libcurl. False when out of memory. */
RT_MUST_USE bool net_http_request_set(struct net_http_transfer *transfer,
                                      const struct net_http_request *request);

/* The answer has ended: posts what was held back of it. False when that could not be. */
RT_MUST_USE bool net_http_answer_end(struct net_http_transfer *transfer);

/* Has libcurl bring the answer to the owner. (http_answer.c) */
void net_http_answer_set(struct net_http_transfer *transfer);

#endif
