/*
 * actors/recovery_state.h - the recovery's private state, shared by the files recovery*.c alone.
 *
 *   recovery.c        what is to be done, in which order; the dispatch
 *   recovery_leg.c    one leg: stopped at its vendor, priced, settled
 */
#ifndef ACTORS_RECOVERY_STATE_H
#define ACTORS_RECOVERY_STATE_H

#include "actors/messages.h"
#include "actors/recovery.h"
#include "actors/tenant_config.h"
#include "runtime/table.h"
#include "vito/account.h"

enum recovery_step {
    RECOVERY_LISTED,   /* not begun, or put off */
    RECOVERY_READING,  /* the tenant's document: which prices count */
    RECOVERY_STOPPING, /* its vendor is asked */
    RECOVERY_SETTLING,
    RECOVERY_TELLING, /* the tenant, that its books have changed */
};

struct recovery_leg {
    struct rt_table_link link, by_id;
    uint64_t number; /* names it to the store, its vendor and the registry */
    enum recovery_step step;
    bool is_stray;          /* settled before: it is only to be ended */
    bool stalled;           /* the store was away: the step is done again */
    unsigned tries;         /* after which it still was not known to have ended, … */
    uint64_t not_before_ns; /* … and when to begin the next one */
    struct vito_adopted_leg adopted;
    struct rt_buffer *document; /* the tenant's */
    struct tenant_config *config;
    struct vito_account account;
    struct vito_hold *hold;
    struct vito_use use;
    int64_t cost_nusd;
};

struct recovery {
    const struct world *world;
    struct rt_table legs;  /* by number */
    struct rt_table by_id; /* the same ones, by the leg's own id */
    uint64_t number;       /* the last one given */
    uint64_t list_request;
    unsigned running;
    bool is_listed;
    struct rt_timer retry, look;
};

/* Does the step that the leg is at. */
void recovery_leg_step(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg);
/* The store's answer to it. */
void recovery_leg_stored(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
                         const struct vito_stored *stored, struct rt_buffer *document);
void recovery_leg_closed(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
                         const struct vendor_closed *closed);
void recovery_leg_free(struct recovery *recovery, struct recovery_leg *leg);

/* recovery.c: it is done with; its step will be done again in a while; it begins anew later. */
void recovery_leg_done(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg);
void recovery_leg_stall(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg);
void recovery_leg_put_off(struct rt_actor *self, struct recovery *recovery,
                          struct recovery_leg *leg);

#endif
