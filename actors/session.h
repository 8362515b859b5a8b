/*
 * actors/session.h - one conversation of one client with a twin. A child of its tenant.
 *
 *   STARTING ──connection ready (and video leg open)──► OPEN ──end, limit, exit──► ENDING ──► gone
 *
 * Turns are admitted as they come and carried out one after the other: chat, then speech. The
 * session owns no money and calls no vendor: it asks the tenant for legs, hands them to vendor
 * actors, passes what comes back to the client, and has every leg settled before it ends.
 *
 * Messages: actors/messages.h, SESSION_*, TENANT_* answers and VENDOR_* events.
 */
#ifndef ACTORS_SESSION_H
#define ACTORS_SESSION_H

#include "actors/messages.h"
#include "actors/tenant_config.h"
#include "actors/world.h"
#include "runtime/actor.h"

/* For rt_spawn_child(); copied, the config is acquired. */
struct session_args {
    const struct world *world;
    struct tenant_config *config;
    struct rt_address tenant;
    struct rt_address connection; /* gets CONN_FRAME, gives SESSION_READY, _CLIENT, _CREDIT */
    enum tenant_transport transport;
    enum vito_mode mode;
    struct vito_bucket_caller caller;
    char id[VITO_ID_BYTES];
};

/* What a frame's body weighs in SESSION_CREDIT and VENDOR_CREDIT: small ones cost as well. */
enum { SESSION_FRAME_WEIGHT = 128 };

extern const struct rt_behaviour session_behaviour;

#endif
