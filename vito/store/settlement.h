/*
 * vito/store/settlement.h - what settling a leg does to its grant and its month, and what else of a
 * leg is bounded: the rules, the same in every store. Plain arithmetic; threads: any.
 */
#ifndef VITO_STORE_SETTLEMENT_H
#define VITO_STORE_SETTLEMENT_H

#include "vito/store.h"

/* What comes out of a leg's grant: its cost, as far as that had it, and what goes back at once. */
struct vito_settlement {
    int64_t paid_nusd, returned_nusd;
};

/* A sum that stays below 2^63, whatever vendors report. Both not negative. */
int64_t vito_settlement_sum(int64_t sum, int64_t value);

/* Cost and use of a leg within what one can have at all: a vendor may say anything. */
void vito_settlement_bound(struct vito_leg *leg);

/* The settlement of a leg against what its grant has left. Of an adopted leg nobody's account
 * knows, so it costs the grant what it held, and no more: what is left of that goes back. */
struct vito_settlement vito_settlement_of(int64_t cost_nusd, int64_t left_nusd, bool is_adopted,
                                          int64_t held_nusd);

/* Posts a bounded leg of `mode` to its month. */
void vito_settlement_post(const struct vito_settlement *settlement, const struct vito_leg *leg,
                          enum vito_mode mode, struct vito_budget *budget);

/* Whether a document can be LEG_REF's: 1 … VITO_VENDOR_REF_BYTES - 1 visible ASCII characters. */
bool vito_vendor_ref_is_valid(const struct rt_buffer *document);

#endif
