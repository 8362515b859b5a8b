/*
 * actors/recovery.h - ends what a former life of this gateway, or another gateway, left running at
 * vendors.
 *
 * A call or a stream ends with the connection that asked for it; a room at a video vendor does
 * not. The store keeps such legs open at a restart, with the money they hold set aside. Each is
 * found again at its vendor by its id, ended there, and settled at what the vendor says it cost;
 * when nobody can say, at what it held.
 *
 *   LISTED ──► READING ──document──► STOPPING ──VENDOR_CLOSED──► SETTLING ──► TELLING ──► gone
 *
 * While its vendor cannot be asked, or does not say, it is put off, for ever longer.
 *
 * And it ends strays, which are settled: what a vendor would not end when this gateway wanted it
 * to.
 *
 * Its account is one leg's: it can spend what that leg holds, and nothing else.
 *
 * Messages: VITO_STORED, VENDOR_CLOSED, REGISTRY_RESOLVED, RECOVERY_STRAY.
 */
#ifndef ACTORS_RECOVERY_H
#define ACTORS_RECOVERY_H

#include "actors/world.h"
#include "runtime/actor.h"

/* For rt_spawn(): the world itself. */
extern const struct rt_behaviour recovery_behaviour;

#endif
