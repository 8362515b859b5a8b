#include "vito/account.h"

#include <stddef.h>

#include "runtime/assert.h"
#include "vito/internal.h"
#include "vito/money.h"

enum {
    TOKENS_PER_PRICE = 1000,
    MS_PER_PRICE = 60000,
    ASK_SECONDS = 4, /* a slice is to last about so long */
    ASK_NEEDS = 8,   /* and at least for so many steps, while the spending is not known yet */
    REFILL_PERCENT = 30,
};

/* Sums of amounts that are not negative; what a vendor reports can be any number. */
static int64_t
plus(int64_t a, int64_t b)
{
    return a > INT64_MAX - b ? INT64_MAX : a + b;
}

static int64_t
minus(int64_t a, int64_t b)
{
    return a > b ? a - b : 0;
}

static int64_t
at_least_0(int64_t count)
{
    return count > 0 ? count : 0;
}

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t
larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t
vito_use_price(const struct vito_use *use, const struct vito_price_list *prices)
{
    int64_t turns = vito_money_price(at_least_0(use->interactions), prices->interaction_nusd, 1);
    int64_t tokens =
        vito_money_price(at_least_0(use->tokens), prices->token_1k_nusd, TOKENS_PER_PRICE);
    int64_t media = vito_money_price(at_least_0(use->media_ms), prices->minute_nusd, MS_PER_PRICE);
    return plus(plus(turns, tokens), media);
}

/* What the month has left beside `ours`. */
static int64_t
left_beside(const struct vito_account *account, int64_t ours)
{
    return minus(minus(minus(account->limit_nusd, account->posted_nusd), account->reserved_nusd),
                 ours);
}

int64_t
vito_account_remaining(const struct vito_account *account)
{
    return left_beside(account, account->held_nusd);
}

int64_t
vito_account_grantable(const struct vito_account *account)
{
    return left_beside(account, account->slice_nusd);
}

/* What a node may take of what is left without being in the way of others. */
static int64_t
share_of(const struct vito_account *account, unsigned nodes)
{
    RT_ASSERT(nodes > 0);
    return vito_account_grantable(account) / (2 * (int64_t)nodes);
}

static int64_t
slice_of(int64_t step_nusd, int64_t spent_per_s_nusd)
{
    return larger(vito_money_price(at_least_0(spent_per_s_nusd), ASK_SECONDS, 1),
                  vito_money_price(step_nusd, ASK_NEEDS, 1));
}

int64_t
vito_account_ask(const struct vito_account *account, int64_t need_nusd, int64_t spent_per_s_nusd,
                 unsigned nodes)
{
    RT_ASSERT(need_nusd >= 0);
    return larger(need_nusd,
                  smaller(share_of(account, nodes), slice_of(need_nusd, spent_per_s_nusd)));
}

int64_t
vito_account_refill(const struct vito_account *account, int64_t free_nusd, int64_t step_nusd,
                    int64_t spent_per_s_nusd, unsigned nodes)
{
    RT_ASSERT(step_nusd > 0);
    int64_t slice = slice_of(step_nusd, spent_per_s_nusd);
    bool is_low = free_nusd < slice / 100 * REFILL_PERCENT;
    return is_low && slice <= share_of(account, nodes) ? slice : 0;
}

static void
check_in_debug(const struct vito_account *account)
{
#ifndef NDEBUG
    vito_account_check(account);
#else
    (void)account;
#endif
}

static bool
set_aside(struct vito_account *account, struct vito_hold *hold, int64_t amount_nusd,
          int64_t media_ms)
{
    RT_ASSERT(amount_nusd >= 0);
    RT_ASSERT(media_ms >= 0);
    if (amount_nusd > vito_account_free(account))
        return false;
    account->held_nusd += amount_nusd;
    account->media_held_ms[hold->mode] += media_ms;
    hold->amount_nusd += amount_nusd;
    hold->media_ms += media_ms;
    check_in_debug(account);
    return true;
}

enum rt_status /* NOLINTNEXTLINE(readability-function-size): a hold has that many parts */
vito_account_hold(struct vito_account *account, const char *tenant_id, const char *leg_id,
                  enum vito_mode mode, int64_t amount_nusd, int64_t media_ms,
                  struct vito_hold **hold_out)
{
    struct vito_hold *hold = vito_hold_create(tenant_id, leg_id, mode);
    if (hold == NULL)
        return RT_NO_MEMORY;
    if (!set_aside(account, hold, amount_nusd, media_ms)) {
        vito_hold_release(hold);
        return RT_FULL;
    }
    account->opened_count++;
    *hold_out = hold;
    return RT_OK;
}

enum rt_status
vito_account_extend(struct vito_account *account, struct vito_hold *hold, int64_t amount_nusd,
                    int64_t media_ms)
{
    if (!vito_hold_is_open(hold))
        return RT_CLOSED;
    return set_aside(account, hold, amount_nusd, media_ms) ? RT_OK : RT_FULL;
}

bool
vito_account_settle(struct vito_account *account, struct vito_hold *hold, int64_t cost_nusd,
                    const struct vito_use *use)
{
    RT_ASSERT(cost_nusd >= 0);
    int64_t amount_nusd = hold->amount_nusd, media_ms = hold->media_ms;
    if (!vito_hold_close(hold))
        return false;
    account->held_nusd -= amount_nusd;
    account->media_held_ms[hold->mode] -= media_ms;
    account->posted_nusd = plus(account->posted_nusd, cost_nusd);
    /* The same as the store does: a cost above the slice empties it, and the excess is only in
     * what was posted. */
    account->slice_nusd = minus(account->slice_nusd, cost_nusd);
    account->overrun_nusd = plus(account->overrun_nusd, minus(cost_nusd, amount_nusd));
    account->tokens = plus(account->tokens, at_least_0(use->tokens));
    account->interactions = plus(account->interactions, at_least_0(use->interactions));
    account->media_ms[hold->mode] = plus(account->media_ms[hold->mode], at_least_0(use->media_ms));
    check_in_debug(account);
    return true;
}

int64_t
vito_hold_amount(const struct vito_hold *hold)
{
    return hold == NULL ? 0 : hold->amount_nusd;
}

int64_t
vito_hold_media_ms(const struct vito_hold *hold)
{
    return hold == NULL ? 0 : hold->media_ms;
}

enum vito_mode
vito_hold_mode(const struct vito_hold *hold)
{
    return hold->mode;
}

void
vito_account_check(const struct vito_account *account)
{
    RT_ASSERT(account->limit_nusd >= 0);
    RT_ASSERT(account->posted_nusd >= 0);
    RT_ASSERT(account->reserved_nusd >= 0);
    RT_ASSERT(account->slice_nusd >= 0);
    RT_ASSERT(account->held_nusd >= 0);
    RT_ASSERT(account->overrun_nusd >= 0);
    /* Holds are backed by the slice, but for what vendors took beyond their holds. */
    RT_ASSERT(account->held_nusd <= plus(account->slice_nusd, account->overrun_nusd));
    RT_ASSERT(account->tokens >= 0);
    RT_ASSERT(account->interactions >= 0);
    for (int mode = 0; mode < VITO_MODE_COUNT; mode++) {
        RT_ASSERT(account->media_ms[mode] >= 0);
        RT_ASSERT(account->media_held_ms[mode] >= 0);
    }
}
