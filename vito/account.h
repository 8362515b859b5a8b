/*
 * vito/account.h - one tenant's money for one month, on this node.
 *
 *   limit ┬ posted     spent, in the ledger
 *         ├ slice      moved to this node by grants: held (open holds) + free
 *         └ the rest   still at the store, or granted to other nodes
 *
 * A hold comes out of `free`; when that is too little the tenant asks the store for a grant
 * first. Settling posts the true cost and gives the rest of the hold back to `free`. The
 * account counts; the store is told by its owner, the tenant actor.
 *
 * Source: the vocabulary and the life of a hold are credit control's (RFC 8506, sections 5 and
 * 8), read 2026-11.
 *
 * Threads: the tenant's turns only.
 */
#ifndef VITO_ACCOUNT_H
#define VITO_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"
#include "vito/hold.h"
#include "vito/period.h"
#include "vito/policy_config.h"

/* Raw counts, as vendors report them. Priced once, when the leg is settled. */
struct vito_use {
    int64_t tokens;
    int64_t media_ms;
    int64_t interactions;
};

/* What one leg's units cost. */
struct vito_price_list {
    int64_t interaction_nusd;
    int64_t token_1k_nusd;
    int64_t minute_nusd;
};

/* The cost of a leg: each meter priced and rounded up by itself (vito/money.h). Counts below 0
 * are none. */
int64_t vito_use_price(const struct vito_use *use, const struct vito_price_list *prices);

struct vito_account {
    struct vito_period period;
    int64_t limit_nusd;
    int64_t posted_nusd;   /* as the store last said, plus what was settled here since */
    int64_t reserved_nusd; /* granted to other nodes, as the store last said */
    int64_t slice_nusd;    /* ours and not spent */
    int64_t held_nusd;     /* of it, in open holds */
    /* this month's meters: settled, and set aside by open holds */
    int64_t tokens, interactions;
    int64_t media_ms[VITO_MODE_COUNT], media_held_ms[VITO_MODE_COUNT];
    uint64_t opened_count; /* holds ever made */
    int64_t overrun_nusd;  /* costs beyond their holds, summed up */
};

/* What can be held at once. Below 0 after a cost beyond its hold has eaten into the backing of
 * others; then nothing can be held until a grant makes up for it. */
static inline int64_t
vito_account_free(const struct vito_account *account)
{
    return account->slice_nusd - account->held_nusd;
}

/* What could be spent before the month's limit, if every open hold is used up. Not below 0. */
int64_t vito_account_remaining(const struct vito_account *account);

/* What could be had from the store beyond our slice. Not below 0. */
int64_t vito_account_grantable(const struct vito_account *account);

/*
 * How much to ask the store for when `need_nusd` is missing: a guided slice, never less than the
 * need nor more than is left. Near the limit exactly the need.
 *
 *   spent_per_s_nusd   this node's recent spending
 *   nodes              how many share the budget; 1 when embedded
 */
int64_t vito_account_ask(const struct vito_account *account, int64_t need_nusd,
                         int64_t spent_per_s_nusd, unsigned nodes);

/*
 * How much to ask the store for while nothing is missing, so that nobody has to wait for the next
 * slice: one slice, once 30 % of one are left. 0: nothing yet; or nothing any more, for the limit
 * is near, and what this node does not need another may.
 *
 *   free_nusd         what can still be held here
 *   step_nusd         what one step takes, > 0: slices are at least some of them
 *   spent_per_s_nusd, nodes   as for vito_account_ask()
 */
int64_t vito_account_refill(const struct vito_account *account, int64_t free_nusd,
                            int64_t step_nusd, int64_t spent_per_s_nusd, unsigned nodes);

/*
 * Opens a hold.
 *
 *   leg_id     the leg it pays for; unique
 *   returns    RT_OK | RT_FULL (free is too little: get a grant first) | RT_NO_MEMORY
 *   ownership  the caller owns one reference of *hold_out
 */
RT_MUST_USE enum rt_status vito_account_hold(struct vito_account *account, const char *tenant_id,
                                             const char *leg_id, enum vito_mode mode,
                                             int64_t amount_nusd, int64_t media_ms,
                                             struct vito_hold **hold_out);

/* Sets more aside for an open hold. RT_OK | RT_FULL | RT_CLOSED (it was settled). */
RT_MUST_USE enum rt_status vito_account_extend(struct vito_account *account, struct vito_hold *hold,
                                               int64_t amount_nusd, int64_t media_ms);

/* Closes a hold at its true cost, which may be less or more than was held. Idempotent: false
 * when it was closed before, and nothing happens. */
bool vito_account_settle(struct vito_account *account, struct vito_hold *hold, int64_t cost_nusd,
                         const struct vito_use *use);

/* What is set aside in it; 0 when it is closed or NULL. For the account's owner. */
int64_t vito_hold_amount(const struct vito_hold *hold);
int64_t vito_hold_media_ms(const struct vito_hold *hold);
enum vito_mode vito_hold_mode(const struct vito_hold *hold);

/* Aborts when the books do not balance. In debug and sim builds after each change. */
void vito_account_check(const struct vito_account *account);

#endif
