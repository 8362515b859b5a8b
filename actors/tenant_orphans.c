/*
 * Legs that a former life of this tenant left open: it died, and its sessions with it, but vendors
 * may still be at work for them. They are told to stop, and what they say in the end is settled;
 * of what nobody can say, all that was held counts as spent.
 *
 * The money they hold is not in our account: the store keeps it aside until they are settled.
 */
#include <string.h>

#include "actors/tenant_state.h"
#include "actors/vendor.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum {
    PATIENCE_MS = 15000, /* with vendors that say nothing */
    STORE_RETRY_MS = 1000,
};

static struct tenant_orphan *
find(const struct tenant *tenant, uint64_t number)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&tenant->orphans, rt_hash_u64(number), link)) != NULL)
        if (RT_CONTAINER_OF(link, struct tenant_orphan, link)->number == number)
            return RT_CONTAINER_OF(link, struct tenant_orphan, link);
    return NULL;
}

void
tenant_orphan_free(struct rt_actor *self, struct tenant *tenant, struct tenant_orphan *orphan)
{
    rt_timer_cancel(self, &orphan->timer);
    rt_table_remove(&tenant->orphans, &orphan->link);
    rt_pool_give(orphan, sizeof(*orphan));
}

static bool
adopt(struct rt_actor *self, struct tenant *tenant, const struct vito_open_leg *leg)
{
    uint64_t number;
    if (!tenant_leg_number(leg->id, &number) || find(tenant, number) != NULL)
        return true; /* no leg of ours has such an id */
    struct tenant_orphan *orphan = rt_pool_take(sizeof(*orphan));
    if (orphan == NULL)
        return false;
    *orphan = (struct tenant_orphan){.number = number, .open = *leg};
    if (!rt_table_add(&tenant->orphans, &orphan->link, rt_hash_u64(number))) {
        rt_pool_give(orphan, sizeof(*orphan));
        return false;
    }
    tenant_stop_everywhere(self, tenant, number, rt_self(self));
    rt_timer_set(self, &orphan->timer, PATIENCE_MS * RT_NS_PER_MS);
    return true;
}

/* What is free of another month's slice: nobody spends it any more, unless legs of ours still do,
 * which began before the month ended. Then it is returned behind them. */
static void
give_back(struct rt_actor *self, struct tenant *tenant, struct vito_period period)
{
    if (period.start_ms == tenant->book->account.period.start_ms)
        return;
    for (int i = 0; i < TENANT_BOOKS; i++) {
        struct tenant_book *book = &tenant->books[i];
        if (!book->is_open || book->account.period.start_ms != period.start_ms)
            continue;
        book->uncertain = true;
        tenant_return_past(self, tenant);
        return;
    }
    struct vito_request request = {
        .op = VITO_BUDGET_RETURN,
        .period_start_ms = period.start_ms,
        .period_end_ms = period.end_ms,
        .budget = {.want_nusd = VITO_UNLIMITED},
    };
    tenant_submit(self, tenant, &request, TENANT_PENDING_RETURN, NULL);
}

/* Of the months beside this one: the last may have ended since, and the next may have begun if the
 * wall clock was set back. */
static void
give_back_neighbours(struct rt_actor *self, struct tenant *tenant)
{
    const struct vito_zone *zone = tenant->config->rules.zone;
    struct vito_period period = tenant->book->account.period;
    give_back(self, tenant, vito_period_of(zone, period.start_ms - 1));
    give_back(self, tenant, vito_period_of(zone, period.end_ms));
}

bool
tenant_adopt(struct rt_actor *self, struct tenant *tenant, const struct rt_buffer *list)
{
    size_t count = list == NULL ? 0 : list->size_bytes / sizeof(struct vito_open_leg);
    for (size_t i = 0; i < count; i++) {
        struct vito_open_leg leg;
        memcpy(&leg, list->bytes + i * sizeof(leg), sizeof(leg));
        if (!adopt(self, tenant, &leg))
            return false;
    }
    tenant->more_orphans = count == VITO_OPEN_LEGS_MAX && tenant->orphans.count > 0;
    give_back_neighbours(self, tenant);
    if (count > 0)
        rt_log(RT_LOG_WARN, "tenant.adopted", RT_STR("tenant", tenant->config->id),
               RT_U64("legs", count));
    return true;
}

static void
submit(struct rt_actor *self, struct tenant *tenant, struct tenant_orphan *orphan)
{
    struct vito_request request = {
        .op = VITO_LEG_SETTLE,
        .period_start_ms = orphan->open.period_start_ms,
        .leg = {.cost_nusd = orphan->cost_nusd,
                .outcome = "recovered",
                .use = orphan->use,
                .at_ms = rt_wall_ms(self)},
    };
    RT_TEXT_SET(request.leg.id, orphan->open.id);
    orphan->settling = true;
    rt_timer_cancel(self, &orphan->timer);
    tenant_submit(self, tenant, &request, TENANT_PENDING_ORPHAN, orphan);
}

/* What it cost by the vendor's figures, and all that was held when they cannot be priced. */
static int64_t
price(const struct tenant *tenant, const struct tenant_orphan *orphan)
{
    const struct tenant_config *config = tenant->config;
    enum vito_mode mode = orphan->open.mode;
    for (uint32_t i = 0; mode < VITO_MODE_COUNT && i < config->provider_counts[mode]; i++) {
        const struct tenant_provider *provider = &config->providers[mode][i];
        if (strcmp(provider->name, orphan->open.provider_id) != 0)
            continue;
        int64_t cost_nusd = vito_use_price(&orphan->use, &provider->prices);
        return cost_nusd < orphan->open.held_nusd ? cost_nusd : orphan->open.held_nusd;
    }
    return orphan->open.held_nusd;
}

bool
tenant_on_orphan_closed(struct rt_actor *self, struct tenant *tenant,
                        const struct vendor_closed *closed)
{
    struct tenant_orphan *orphan = find(tenant, closed->leg);
    if (orphan == NULL || orphan->settling)
        return orphan != NULL;
    orphan->use = (struct vito_use){.tokens = closed->tokens, .media_ms = closed->media_ms};
    bool has_come = closed->tokens > 0 || closed->media_ms > 0;
    bool unproven = vendor_is_unproven(closed, has_come);
    orphan->cost_nusd = unproven ? orphan->open.held_nusd : price(tenant, orphan);
    submit(self, tenant, orphan);
    return true;
}

bool
tenant_on_orphan_timer(struct rt_actor *self, struct tenant *tenant, const struct rt_timer *timer)
{
    for (struct rt_table_link *link = rt_table_first(&tenant->orphans); link != NULL;
         link = link->newer) {
        struct tenant_orphan *orphan = RT_CONTAINER_OF(link, struct tenant_orphan, link);
        if (&orphan->timer != timer)
            continue;
        if (!orphan->settling)
            orphan->cost_nusd = orphan->open.held_nusd;
        submit(self, tenant, orphan);
        return true;
    }
    return false;
}

void
tenant_on_orphan_settled(struct rt_actor *self, struct tenant *tenant, struct tenant_orphan *orphan,
                         enum rt_status status)
{
    if (status == RT_UNAVAILABLE || status == RT_NO_MEMORY) {
        rt_timer_set(self, &orphan->timer, STORE_RETRY_MS * RT_NS_PER_MS);
        return;
    }
    give_back(self, tenant,
              vito_period_of(tenant->config->rules.zone, orphan->open.period_start_ms));
    tenant_orphan_free(self, tenant, orphan);
    for (int i = 0; i < TENANT_BOOKS; i++)
        tenant->books[i].uncertain = true; /* the rest of what was held is in the slice again */
    if (tenant->orphans.count == 0 && tenant->more_orphans)
        tenant_find_orphans(self, tenant);
}

void
tenant_find_orphans(struct rt_actor *self, struct tenant *tenant)
{
    struct vito_request request = {.op = VITO_LEG_LIST};
    tenant_submit(self, tenant, &request, TENANT_PENDING_ORPHANS, NULL);
}
