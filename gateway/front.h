/*
 * gateway/front.h - where sockets meet actors: net/server.h's connections, each with a connection
 * actor of its own, on the same worker.
 */
#ifndef GATEWAY_FRONT_H
#define GATEWAY_FRONT_H

#include "actors/connection.h"
#include "net/server.h"

struct front {
    const struct world *world;
    bool has_echo; /* /debug/echo is open (gateway/echo.h) */
};

/* What a server is told. `front` lives as long as the server. */
struct net_server_events front_events(const struct front *front);

#endif
