/*
 * actors/vendor.h - the actor that talks to vendors: one a worker, pinned, with one adapter VM
 * and many legs.
 *
 *   INITIALIZE ──ok──► DRIVE ──done, cut, stopped──► TERMINATE ──► VENDOR_CLOSED
 *        └──failed──────────────────────────────────────────────► VENDOR_CLOSED
 *
 * It has no money and no opinion: what a leg may use was decided by its tenant, and every
 * request shows the leg's hold (vendor_wire.h). Where an allowance is said to be the last, the leg
 * is stopped at its end without asking anybody. A restart of this actor loses its legs; each
 * owner is told VENDOR_CLOSED with what had been counted.
 *
 * Messages: actors/messages.h, VENDOR_*.
 */
#ifndef ACTORS_VENDOR_H
#define ACTORS_VENDOR_H

#include "actors/messages.h"
#include "actors/world.h"
#include "runtime/actor.h"

enum {
    VENDOR_LEGS_MAX = 20000,
    /* Output of a leg that its client has not taken yet. With text and audio under way at once, and
     * as it is written on the wire, it fits into a connection's queue and as much again beside it.
     */
    VENDOR_WINDOW_BYTES = 32 * 1024,
    VENDOR_EXCHANGE_WINDOW_BYTES = 64 * 1024,
};

/* For rt_spawn(): the world itself. */
extern const struct rt_behaviour vendor_behaviour;

/*
 * Makes a VENDOR_OPEN with an empty payload. A hold that is put into it belongs to the message, and
 * is given back with it when no vendor actor takes the leg.
 *
 *   returns    NULL when out of memory
 *   ownership  the caller's, until it is sent
 *   threads    any
 */
struct rt_message *vendor_open_create(void);

/*
 * Whether nobody can say what a leg has used, so that all it held has to count. One that was cut in
 * the middle tells by what came of it.
 *
 *   something_came   text, audio or time in a room, by whoever counts it
 *   threads          any
 */
bool vendor_is_unproven(const struct vendor_closed *closed, bool something_came);

#endif
