/*
 * actors/vault.h - the keeper of the vault: every change of a secret or a key goes through it, one
 * at a time.
 *
 *      plan ──► store ──► take in ──► answer
 *        ▲         │ somebody else was first, or nobody knows
 *        └─ read ◄─┘
 *
 * What other gateways change is read again between changes (VITO_NEWS, from the registry).
 * While the master key is replaced it goes on by itself, also after a restart (START).
 */
#ifndef ACTORS_VAULT_H
#define ACTORS_VAULT_H

#include "runtime/actor.h"

/* args: const struct world *, with a vault. */
extern const struct rt_behaviour vault_behaviour;

#endif
