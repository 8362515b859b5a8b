/*
 * net/refusals.h - what the edge turned away, counted by reason.
 *
 *   twin_connections_refused_total{reason}   newcomers that were not served
 *   twin_requests_refused_total{reason}      requests that no actor saw
 *   twin_websockets_refused_total{reason}    WebSockets cut: what their client sent, or too much
 *
 * docs/edge.md has the reasons.
 */
#ifndef NET_REFUSALS_H
#define NET_REFUSALS_H

#include <stdint.h>

enum net_newcomer_refusal {
    NET_NEWCOMER_SURPLUS,       /* above connections_max: is told 503 */
    NET_NEWCOMER_FLOOD,         /* far above: is closed */
    NET_NEWCOMER_NO_DESCRIPTOR, /* taken with the reserve, and closed */
    NET_NEWCOMER_NO_MEMORY,     /* closed */
    NET_NEWCOMER_REFUSALS
};

/* Has them shown; once, however often it is called. Threads: any. */
void net_refusals_register(void);

/* Counts one. Threads: any. */
void net_refusals_newcomer(enum net_newcomer_refusal refusal);

/* `status` is one that net_response_write_problem() knows; 503 only for who is there already. */
void net_refusals_request(int status);

/* `code` is NET_WS_PROTOCOL_ERROR, _BAD_PAYLOAD, _TOO_BIG, _INTERNAL or _OVERLOAD. */
void net_refusals_websocket(uint16_t code);

#endif
