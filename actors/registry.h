/*
 * actors/registry.h - who is who: keys and tenants, and which tenants are awake.
 *
 *   (asleep) ──resolve──► LOADING ──document read──► AWAKE ──idle, removed──► LEAVING ──► (asleep)
 *
 * Tenants are its children, activated when somebody asks for them and passivated when idle. A
 * credential is checked here, before its tenant is: a key of another tenant never wakes anybody.
 *
 * Messages: actors/messages.h, REGISTRY_*.
 */
#ifndef ACTORS_REGISTRY_H
#define ACTORS_REGISTRY_H

#include "actors/world.h"
#include "runtime/actor.h"

enum { REGISTRY_TENANTS_MAX = 1 << 20 }; /* a tenant's slot is twenty bits of its decisions' ids */

/* For rt_spawn(): the world itself. */
extern const struct rt_behaviour registry_behaviour;

#endif
