/*
 * actors/metrics.h - what the twin's actors count for operators, over all tenants.
 *
 * No tenant is ever a label: there may be any number of them. One tenant's figures are in its
 * budget, its audit and its decisions.
 */
#ifndef ACTORS_METRICS_H
#define ACTORS_METRICS_H

#include <stdint.h>

#include "actors/problem.h"
#include "runtime/metrics.h"
#include "vito/policy_config.h"

/* Registers them all; once, however often it is called. Threads: any. */
void metrics_register(void);

/* One turn was judged: action is pass, throttle, downgrade or deny; `problem` says why it was
 * denied, NULL when it was not. Threads: any. */
void metrics_turn(const char *action, const struct problem *problem);

/* A session began or is gone. Threads: any. */
void metrics_session_began(void);
void metrics_session_gone(void);

/* A leg was handed to a vendor; a leg that held so much in the end was settled for that much.
 * Threads: any. */
void metrics_leg_began(enum vito_mode mode);
void metrics_leg_settled(enum vito_mode mode, int64_t held_nusd, int64_t cost_nusd);

/* Money of a month was asked for: by a step that waits for it, or ahead of need. Threads: any. */
void metrics_grant(bool is_awaited);

/* How long it takes from when the money of a leg is at an end, and no more is to be had, to when
 * its vendor's stop leaves. Threads: any. */
struct rt_histogram *metrics_cut_seconds(void);

/* A checkpoint of an audit trail was kept; a trail is not what was signed. Threads: any. */
void metrics_audit_checkpoint(void);
void metrics_audit_broken(void);

/* So many refusals came into no audit trail, not even as a count. Threads: any. */
void metrics_refusals_uncounted(uint64_t count);

#endif
