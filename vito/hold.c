#include "vito/hold.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/pool.h"
#include "vito/internal.h"

struct vito_hold *
vito_hold_create(const char *tenant_id, const char *leg_id, enum vito_mode mode)
{
    RT_ASSERT(vito_tenant_id_is_valid(tenant_id));
    RT_ASSERT(strlen(leg_id) < VITO_ID_BYTES);
    RT_ASSERT((unsigned)mode < VITO_MODE_COUNT);
    struct vito_hold *hold = rt_pool_take(sizeof(*hold));
    if (hold == NULL)
        return NULL;
    *hold = (struct vito_hold){.mode = mode};
    atomic_init(&hold->owners, 1);
    atomic_init(&hold->is_open, true);
    atomic_init(&hold->is_touched, false);
    memcpy(hold->tenant_id, tenant_id, strlen(tenant_id));
    memcpy(hold->leg_id, leg_id, strlen(leg_id));
    return hold;
}

bool
vito_hold_close(struct vito_hold *hold)
{
    hold->amount_nusd = 0;
    hold->media_ms = 0;
    /* Pairs with the acquire in vito_hold_is_open(): who sees it closed also sees why. */
    return atomic_exchange_explicit(&hold->is_open, false, memory_order_acq_rel);
}

bool
vito_hold_is_open(const struct vito_hold *hold)
{
    return hold != NULL && atomic_load_explicit(&hold->is_open, memory_order_acquire);
}

void
vito_hold_touch(struct vito_hold *hold)
{
    /* Release pairs with the acquire in vito_hold_is_touched(). */
    atomic_store_explicit(&hold->is_touched, true, memory_order_release);
}

bool
vito_hold_is_touched(const struct vito_hold *hold)
{
    return hold != NULL && atomic_load_explicit(&hold->is_touched, memory_order_acquire);
}

const char *
vito_hold_leg_id(const struct vito_hold *hold)
{
    return hold->leg_id;
}

const char *
vito_hold_tenant_id(const struct vito_hold *hold)
{
    return hold->tenant_id;
}

struct vito_hold *
vito_hold_acquire(struct vito_hold *hold)
{
    RT_ASSERT(hold != NULL);
    atomic_fetch_add_explicit(&hold->owners, 1, memory_order_relaxed);
    return hold;
}

void
vito_hold_release(struct vito_hold *hold)
{
    if (hold == NULL)
        return;
    /* Each release pairs with the acquire half of the last one: whatever owners read of the hold
     * happens before it is freed. */
    unsigned before = atomic_fetch_sub_explicit(&hold->owners, 1, memory_order_acq_rel);
    RT_ASSERT(before > 0);
    if (before == 1)
        rt_pool_give(hold, sizeof(*hold));
}
