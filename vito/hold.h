/*
 * vito/hold.h - money set aside for one vendor leg, as the right to call that vendor.
 *
 * Only a tenant's account (vito/account.h) makes holds. Whoever is to call a vendor is given one;
 * the vendor's wire asks it before every request. A settled hold opens nothing any more.
 */
#ifndef VITO_HOLD_H
#define VITO_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "vito/id.h"

struct vito_hold;

/* Whether vendors may still be called on it. NULL is not open. Threads: any. */
bool vito_hold_is_open(const struct vito_hold *hold);

/* Says that a vendor is about to be called on it: from here on nobody can prove it unused but the
 * vendor. Threads: any. */
void vito_hold_touch(struct vito_hold *hold);
bool vito_hold_is_touched(const struct vito_hold *hold);

/* The leg it pays for, and whose money it is. Never change. Threads: any. */
const char *vito_hold_leg_id(const struct vito_hold *hold);
const char *vito_hold_tenant_id(const struct vito_hold *hold);

/* One more owner; returns its argument. One less; the last one frees. Threads: any. */
struct vito_hold *vito_hold_acquire(struct vito_hold *hold);
void vito_hold_release(struct vito_hold *hold);

#endif
