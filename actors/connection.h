/*
 * actors/connection.h - one TCP connection of a client: its HTTP requests, or its WebSocket.
 *
 *   IDLE ──request──► asks the registry ──► asks the tenant ──► a turn, then IDLE again
 *                                               └──► upgraded: frames both ways until closed
 *
 * Pinned to the worker whose loop has the socket, so it may call the socket directly. It checks
 * who the caller is, reads and writes what crosses the wire, and decides nothing else.
 *
 * Messages: actors/messages.h, CONN_*.
 */
#ifndef ACTORS_CONNECTION_H
#define ACTORS_CONNECTION_H

#include "actors/world.h"
#include "net/server.h"
#include "runtime/actor.h"

/*
 * The socket, as its connection sees it; gateway/front.c implements it over net/server.h. All
 * calls are from the connection's turns, on the socket's worker. Calls after the socket has gone
 * do nothing.
 */
struct connection_socket {
    void (*respond)(void *socket, const struct net_response *response);
    void (*upgrade)(void *socket, const char *subprotocol);

    /* RT_OK | RT_FULL | RT_CLOSED; see net_conn_send(). */
    enum rt_status (*send)(void *socket, bool is_binary, const void *bytes, size_t size_bytes);
    void (*close)(void *socket, uint16_t code, const char *reason);

    /* Whether more than so many bytes wait to be taken by the client; then CONN_DRAINED comes when
     * none do. */
    bool (*is_behind)(void *socket, size_t above_bytes);

    /* So many CONN_MESSAGEs, of so many bytes together, have been worked on. The socket hands over
     * no more while too much of what it did hand over has not. */
    void (*consumed)(void *socket, unsigned messages, size_t bytes);

    /* The connection has ended and does not call again. */
    void (*release)(void *socket);
};

/* For rt_spawn(); copied. */
struct connection_args {
    const struct world *world;
    const struct connection_socket *calls;
    void *socket;
};

extern const struct rt_behaviour connection_behaviour;

#endif
