/*
 * vito/internal.h - what the parts of vito know of each other. Nobody else includes this.
 */
#ifndef VITO_INTERNAL_H
#define VITO_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vito/hold.h"
#include "vito/policy_config.h"

struct vito_hold {
    atomic_uint owners;
    atomic_bool is_open;    /* cleared by the account, read by whoever is about to call a vendor */
    atomic_bool is_touched; /* set by whoever is about to call, read by the account's owner */
    enum vito_mode mode;
    int64_t amount_nusd, media_ms; /* the account's owner only */
    char leg_id[VITO_ID_BYTES];
    char tenant_id[VITO_TENANT_ID_BYTES];
};

/* A hold with one owner, open, with nothing in it. NULL when out of memory. */
struct vito_hold *vito_hold_create(const char *tenant_id, const char *leg_id, enum vito_mode mode);

/* Ends the right to call. False when it had ended before. */
bool vito_hold_close(struct vito_hold *hold);

#endif
