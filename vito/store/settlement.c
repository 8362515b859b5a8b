#include "vito/store/settlement.h"

#include "vito/money.h"

#define USE_MAX INT64_C(1000000000000000) /* what one leg can report at most */
#define SUM_MAX INT64_C(9000000000000000000)

static int64_t
bounded(int64_t value, int64_t max)
{
    if (value < 0)
        return 0;
    return value < max ? value : max;
}

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
vito_settlement_sum(int64_t sum, int64_t value)
{
    return sum > SUM_MAX - value ? SUM_MAX : sum + value;
}

void
vito_settlement_bound(struct vito_leg *leg)
{
    leg->cost_nusd = bounded(leg->cost_nusd, VITO_NUSD_MAX);
    leg->use.tokens = bounded(leg->use.tokens, USE_MAX);
    leg->use.media_ms = bounded(leg->use.media_ms, USE_MAX);
    leg->use.interactions = bounded(leg->use.interactions, USE_MAX);
}

struct vito_settlement
vito_settlement_of(int64_t cost_nusd, int64_t left_nusd, bool is_adopted, int64_t held_nusd)
{
    int64_t ours_nusd = is_adopted ? smaller(left_nusd, held_nusd) : left_nusd;
    int64_t paid_nusd = smaller(cost_nusd, ours_nusd);
    return (struct vito_settlement){paid_nusd, is_adopted ? ours_nusd - paid_nusd : 0};
}

void
vito_settlement_post(const struct vito_settlement *settlement, const struct vito_leg *leg,
                     enum vito_mode mode, struct vito_budget *budget)
{
    budget->reserved_nusd -= settlement->paid_nusd + settlement->returned_nusd;
    budget->posted_nusd = vito_settlement_sum(budget->posted_nusd, leg->cost_nusd);
    budget->tokens = vito_settlement_sum(budget->tokens, leg->use.tokens);
    budget->interactions = vito_settlement_sum(budget->interactions, leg->use.interactions);
    budget->media_ms[mode] = vito_settlement_sum(budget->media_ms[mode], leg->use.media_ms);
}

bool
vito_vendor_ref_is_valid(const struct rt_buffer *document)
{
    if (document == NULL || document->size_bytes == 0 ||
        document->size_bytes >= VITO_VENDOR_REF_BYTES)
        return false;
    for (uint32_t i = 0; i < document->size_bytes; i++)
        if (document->bytes[i] <= ' ' || document->bytes[i] > '~')
            return false;
    return true;
}
