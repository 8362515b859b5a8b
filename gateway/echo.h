/*
 * gateway/echo.h - /debug/echo: a WebSocket that sends every message back, for conformance suites
 * (Autobahn) and as the yardstick of bench/edge. No credential, no actor, no money; TWIN_DEBUG_ECHO
 * opens it, on loopback alone.
 *
 * A client that does not read is not read either (net/server.h); a message that finds no room in
 * the queue is held until it does. Threads: the connection's worker.
 */
#ifndef GATEWAY_ECHO_H
#define GATEWAY_ECHO_H

#include "net/server.h"

#define ECHO_PATH "/debug/echo"

enum { ECHO_MESSAGE_BYTES_MAX = 16 << 20 }; /* the largest of Autobahn's cases */

struct echo;

/* Answers a request for ECHO_PATH. NULL: it was refused, or closes. */
struct echo *echo_open(struct net_conn *conn, const struct net_request *request);

/* The connection's events. */
void echo_on_message(struct echo *echo, struct net_conn *conn, enum net_ws_type type,
                     const uint8_t *bytes, size_t size_bytes);
void echo_on_drained(struct echo *echo, struct net_conn *conn);
void echo_on_closed(struct echo *echo);

#endif
