/*
 * gateway/front.h - where sockets meet actors: net/server.h's connections, each with a connection
 * actor of its own, on the same worker.
 */
#ifndef GATEWAY_FRONT_H
#define GATEWAY_FRONT_H

#include "actors/connection.h"
#include "net/server.h"

/* What a server is told, for this world. `world` lives as long as the server. */
struct net_server_events front_events(const struct world *world);

#endif
