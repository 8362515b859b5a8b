/*
 * actors/verifier.h - checks tokens against the issuer's keys, and keeps those keys fresh.
 *
 *   EMPTY ──keys read──► FRESH ──not read for long──► EMPTY
 *     └─ a read that fails leaves what there is, and is tried again ─┘
 *
 * One on each worker, pinned to it, with a set of keys of its own: signatures are checked in
 * parallel and nothing is shared. Keys come from a file or by the world's HTTP. They are read at
 * the start, every few minutes, on VERIFIER_REFRESH, and when a token names a key that is not
 * there, though never again within a few seconds, whatever tokens say. Tokens that wait for a read
 * are put aside, boundedly. Keys that could not be read again for an hour are dropped: a key the
 * issuer withdrew is not believed for ever because he cannot be reached.
 *
 * Messages: actors/messages.h, VERIFIER_*.
 */
#ifndef ACTORS_VERIFIER_H
#define ACTORS_VERIFIER_H

#include "actors/world.h"
#include "runtime/actor.h"

enum {
    VERIFIER_REFRESH_EVERY_MS = 5 * 60 * 1000,
    VERIFIER_REFRESH_APART_MS = 5000, /* between two reads, at least */
    VERIFIER_KEYS_MAX_MS = 60 * 60 * 1000,
    VERIFIER_WAITING_MAX = 1024, /* tokens, while keys are read */
};

/* For rt_spawn(), pinned; the world itself, which names an issuer. */
extern const struct rt_behaviour verifier_behaviour;

#endif
