/*
 * actors/tenant.h - one avatar: the only judge of who may spend its money, and how fast.
 *
 *   LOADING ──books read──► OPEN ──drain asked, or idle──► LEAVING ──slice returned──► ended
 *
 * For every turn, in this order: mode allowed, bucket, policy, hold, intent row, decision. All in
 * the tenant's own turns; only an empty slice or the intent row make the asker wait.
 *
 * Messages: actors/messages.h, TENANT_*. Sessions are its children.
 */
#ifndef ACTORS_TENANT_H
#define ACTORS_TENANT_H

#include "actors/tenant_config.h"
#include "actors/world.h"
#include "runtime/actor.h"

/* For rt_spawn(). */
struct tenant_args {
    const struct world *world;
    struct tenant_config *config; /* one hold goes to the tenant */
    bool after_death;             /* one before it has died here, and may have left legs open */
    uint32_t slot; /* below 2^20: names the tenant in its decisions' ids (registry.h) */
};

extern const struct rt_behaviour tenant_behaviour;

#endif
