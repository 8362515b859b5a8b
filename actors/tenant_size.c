/*
 * How large a leg's next step may be: what the month, the session and the quotas leave, and what a
 * quantum costs with this vendor.
 */
#include "actors/tenant_state.h"
#include "vito/money.h"

enum {
    MEDIA_MS_MIN = 1000,    /* a shorter quantum is not worth opening a leg for */
    OUTPUT_TOKENS_MIN = 16, /* nor is a shorter answer */
};

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What the month and the session leave for this leg, its own hold not counted, and `more_nusd` of
 * what other gateways hold. */
static int64_t
budget_of(const struct tenant *tenant, const struct tenant_leg *leg, int64_t more_nusd,
          enum problem_reason *which)
{
    int64_t month = vito_account_remaining(&leg->book->account) + more_nusd;
    int64_t limit = leg->config->rules.limits.session_nusd;
    *which = PROBLEM_MONTHLY_HARD_LIMIT;
    const struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (limit == VITO_UNLIMITED || session == NULL)
        return month;
    int64_t left = limit - session->settled_nusd - session->held_nusd;
    if (left >= month)
        return month;
    *which = PROBLEM_SESSION_LIMIT;
    return left > 0 ? left : 0;
}

static int64_t
tokens_left(const struct tenant *tenant, const struct tenant_leg *leg)
{
    int64_t limit = leg->config->rules.limits.session_tokens;
    const struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (limit == VITO_UNLIMITED || session == NULL)
        return VITO_UNLIMITED;
    return limit > session->tokens ? limit - session->tokens : 0;
}

static int64_t
price_of_tokens(const struct tenant_leg *leg, int64_t tokens)
{
    struct vito_use use = {.tokens = tokens, .interactions = 1};
    return vito_use_price(&use, &leg->provider->prices);
}

/*
 * A chat is held whole before it is asked for: the most its prompt can be, and an answer that the
 * vendor is told to keep within. What it generates while we hang up is covered, too. A vendor that
 * goes on beyond it gets one more answer's worth, or is cut.
 */
static enum problem_reason
size_tokens(const struct tenant *tenant, const struct tenant_leg *leg, struct tenant_leg_size *size)
{
    enum problem_reason limit;
    int64_t budget = budget_of(tenant, leg, tenant_recallable(tenant, leg->book), &limit);
    int64_t held = vito_hold_amount(leg->hold);
    int64_t left = tokens_left(tenant, leg);
    int64_t base = leg->prompt_tokens_max;
    int64_t used = leg->prompt_tokens;
    if (leg->allowed_tokens > 0)
        base = used = leg->allowed_tokens;
    if (left <= used)
        return PROBLEM_SESSION_TOKENS;
    int64_t target = base + smaller(leg->provider->sheet->quantum_tokens, left - used);
    if (price_of_tokens(leg, target) - held > budget) {
        const struct vito_price_list *prices = &leg->provider->prices;
        int64_t spendable = budget + held - prices->interaction_nusd;
        if (spendable < 0)
            return limit;
        target = vito_money_affordable(spendable, prices->token_1k_nusd, 1000);
        if (target < base + OUTPUT_TOKENS_MIN)
            return limit;
    }
    bool free_of_charge = leg->provider->prices.token_1k_nusd == 0 && left == VITO_UNLIMITED;
    *size = (struct tenant_leg_size){
        .need_nusd = price_of_tokens(leg, target) - held,
        .allowed_tokens = free_of_charge ? VITO_UNLIMITED : target,
        .allowed_ms = VITO_UNLIMITED,
    };
    return PROBLEM_NONE;
}

static int64_t
price_of_media(const struct tenant_leg *leg, int64_t media_ms)
{
    struct vito_use use = {.media_ms = media_ms};
    return vito_use_price(&use, &leg->provider->prices);
}

/* What a stream is held for beyond what it may generate: the time it takes to stop it. What runs on
 * without us is found by another gateway first, should this one die. */
static int64_t
cover_ms(const struct tenant *tenant, const struct adapter_sheet *sheet)
{
    int64_t found_ms = sheet->metered_by_clock ? tenant->world->store.takeover_ms : 0;
    return found_ms + sheet->stop_ms;
}

/* The next quantum of a stream, and its cover. */
static enum problem_reason
size_media(const struct tenant *tenant, const struct tenant_leg *leg, struct tenant_leg_size *size)
{
    enum vito_mode mode = leg->row.mode;
    enum problem_reason limit;
    int64_t budget = budget_of(tenant, leg, tenant_recallable(tenant, leg->book), &limit);
    int64_t held = vito_hold_amount(leg->hold);
    int64_t beyond_ms = cover_ms(tenant, leg->provider->sheet);
    int64_t quota_ms = tenant_quota_left_ms(tenant, &leg->book->account, mode);
    int64_t quantum_ms = smaller(leg->provider->sheet->quantum_ms, quota_ms);
    if (quantum_ms < MEDIA_MS_MIN)
        return mode == VITO_VIDEO ? PROBLEM_VIDEO_QUOTA : PROBLEM_VOICE_QUOTA;
    if (price_of_media(leg, leg->allowed_ms + quantum_ms + beyond_ms) - held > budget) {
        quantum_ms =
            vito_money_affordable(budget + held, leg->provider->prices.minute_nusd, 60000) -
            beyond_ms - leg->allowed_ms;
        if (quantum_ms < MEDIA_MS_MIN)
            return limit;
    }
    bool free_of_charge = leg->provider->prices.minute_nusd == 0 && quota_ms == VITO_UNLIMITED;
    int64_t target_ms = leg->allowed_ms + quantum_ms;
    *size = (struct tenant_leg_size){
        .need_nusd = price_of_media(leg, target_ms + beyond_ms) - held,
        .media_ms = free_of_charge ? 0 : quantum_ms,
        .allowed_tokens = VITO_UNLIMITED,
        .allowed_ms = free_of_charge ? VITO_UNLIMITED : target_ms,
    };
    return PROBLEM_NONE;
}

enum problem_reason
tenant_leg_size_next(const struct tenant *tenant, const struct tenant_leg *leg,
                     struct tenant_leg_size *size)
{
    return leg->row.mode == VITO_TEXT ? size_tokens(tenant, leg, size)
                                      : size_media(tenant, leg, size);
}

int64_t
tenant_leg_affordable_ms(const struct tenant *tenant, const struct tenant_leg *leg)
{
    if (leg->row.mode == VITO_TEXT)
        return VITO_UNLIMITED;
    enum problem_reason limit;
    int64_t budget = budget_of(tenant, leg, 0, &limit) + vito_hold_amount(leg->hold);
    int64_t by_money = vito_money_affordable(budget, leg->provider->prices.minute_nusd, 60000);
    int64_t beyond_ms = cover_ms(tenant, leg->provider->sheet);
    if (by_money != VITO_UNLIMITED)
        by_money = by_money > beyond_ms ? by_money - beyond_ms : 0;
    int64_t quota_ms = tenant_quota_left_ms(tenant, &leg->book->account, leg->row.mode);
    if (quota_ms != VITO_UNLIMITED)
        quota_ms += vito_hold_media_ms(leg->hold);
    return smaller(by_money, quota_ms);
}

enum vito_mode
tenant_leg_mode(const struct tenant_admission *admission)
{
    if (admission->ask.is_video)
        return VITO_VIDEO;
    return admission->is_hold ? admission->ask.mode : VITO_TEXT;
}

const struct tenant_provider *
tenant_leg_provider(const struct tenant *tenant, const struct tenant_admission *admission)
{
    enum vito_mode mode = tenant_leg_mode(admission);
    if (admission->ask.provider_index >= tenant->config->provider_counts[mode])
        return NULL;
    return &tenant->config->providers[mode][admission->ask.provider_index];
}

/* No tokenizer makes more than one token of a byte; what frames a message is counted twice. */
uint32_t
tenant_leg_prompt_tokens_max(const struct adapter_sheet *sheet, const struct tenant_admit *ask)
{
    return ask->prompt_bytes + 2 * ask->prompt_messages * sheet->prompt_tokens_fixed;
}

uint32_t
tenant_leg_prompt_tokens(const struct adapter_sheet *sheet, const struct tenant_admit *ask)
{
    uint32_t per_token = sheet->prompt_bytes_per_token > 0 ? sheet->prompt_bytes_per_token : 1;
    return (ask->prompt_bytes + per_token - 1) / per_token +
           ask->prompt_messages * sheet->prompt_tokens_fixed;
}

int64_t
tenant_leg_estimate(const struct tenant *tenant, const struct tenant_admission *admission)
{
    const struct tenant_provider *provider = tenant_leg_provider(tenant, admission);
    if (provider == NULL)
        return 0;
    struct vito_use use = {0};
    if (tenant_leg_mode(admission) == VITO_TEXT) {
        use.interactions = 1;
        use.tokens = tenant_leg_prompt_tokens_max(provider->sheet, &admission->ask) +
                     provider->sheet->quantum_tokens;
    } else {
        use.media_ms = provider->sheet->quantum_ms + cover_ms(tenant, provider->sheet);
    }
    return vito_use_price(&use, &provider->prices);
}
