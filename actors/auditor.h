/*
 * actors/auditor.h - signs where audit trails stand, and lets go of what has passed its retention.
 *
 *      every audit_checkpoint_ms   list trails that went on ──► sign each ──► keep the checkpoint
 *      every hour                  list all trails ──► prune each, some rows at a time
 *
 * A trail whose end is not what was signed is told to operators: log "audit.broken" and a metric.
 * What is not done (the store is away) is done in the next round.
 */
#ifndef ACTORS_AUDITOR_H
#define ACTORS_AUDITOR_H

#include "runtime/actor.h"

/* args: const struct world *, with audit_checkpoint_ms > 0. */
extern const struct rt_behaviour auditor_behaviour;

#endif
