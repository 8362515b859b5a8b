/*
 * actors/admin.h - the operators' API, /api/… (CONTRACT 5, schema/openapi.yaml).
 *
 * One actor. A request is checked, taken through the store, the registry or a tenant by messages,
 * and answered with ADMIN_DONE. The caller's credential was checked by its connection.
 */
#ifndef ACTORS_ADMIN_H
#define ACTORS_ADMIN_H

#include "actors/world.h"
#include "runtime/actor.h"

/* For rt_spawn(): the world itself. */
extern const struct rt_behaviour admin_behaviour;

#endif
