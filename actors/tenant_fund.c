/*
 * A tenant's months, slices and grants: where the money for a hold comes from.
 *
 * One grant at a time is asked of the store. What waits for it is served in the order it came,
 * each with exactly what it needs; the one that cannot be served any more is refused, and those
 * behind it are still tried, for they may need less.
 *
 * Far from the limit nobody waits: the next slice is asked for while there is still some of this
 * one, and what fits into that is served meanwhile.
 */

#include "actors/metrics.h"
#include "actors/tenant_state.h"
#include "runtime/assert.h"

enum {
    MONTH_CHECK_MS = 3600 * 1000, /* wall time may step: look at least once an hour */
    SPENDING_WINDOW_S = 5,
    RECALLS_MAX = 3,
    RECALL_MS = 50, /* others answer in a few; and if they said so before we listened, we ask */
    BROKE_MS = 100, /* so a broke tenant costs the store at most ten questions a second */
};

static struct tenant_book *
book_for(struct tenant *tenant, struct vito_period period)
{
    for (int i = 0; i < TENANT_BOOKS; i++)
        if (tenant->books[i].is_open && tenant->books[i].account.period.start_ms == period.start_ms)
            return &tenant->books[i];
    for (int i = 0; i < TENANT_BOOKS; i++) {
        struct tenant_book *book = &tenant->books[i];
        if (book->is_open && (book->legs > 0 || book == tenant->book))
            continue;
        *book = (struct tenant_book){.account = {.period = period}};
        return book;
    }
    return NULL;
}

void
tenant_ask_book(struct rt_actor *self, struct tenant *tenant, enum tenant_pending_kind kind,
                void *subject)
{
    struct vito_period period = vito_period_of(tenant->config->rules.zone, rt_wall_ms(self));
    struct vito_request request = {
        .op = VITO_BUDGET_OPEN,
        .period_start_ms = period.start_ms,
        .period_end_ms = period.end_ms,
        .budget = {.limit_nusd = tenant->config->rules.limits.month_nusd},
    };
    struct tenant_book *book = book_for(tenant, period);
    RT_ASSERT(book != NULL); /* legs of two months ago have ended long since */
    if (book != tenant->book)
        book->account.period = period;
    tenant_submit(self, tenant, &request, kind, subject);
}

void
tenant_open_book(struct rt_actor *self, struct tenant *tenant)
{
    tenant_ask_book(self, tenant, TENANT_PENDING_BOOK, NULL);
}

/* The store's figures, but for what we know better: our slice, and what we have settled since it
 * made them up. */
void
tenant_take_figures(struct tenant_book *book, const struct vito_budget *budget)
{
    struct vito_account *account = &book->account;
    int64_t ours_nusd = account->slice_nusd + book->settling_nusd;
    account->limit_nusd = budget->limit_nusd;
    account->posted_nusd = budget->posted_nusd + book->settling_nusd;
    account->reserved_nusd =
        budget->reserved_nusd > ours_nusd ? budget->reserved_nusd - ours_nusd : 0;
    account->tokens = budget->tokens;
    account->interactions = budget->interactions;
    for (int mode = 0; mode < VITO_MODE_COUNT; mode++) {
        const struct vito_use *settling = &book->settling_use[mode];
        account->tokens += settling->tokens;
        account->interactions += settling->interactions;
        account->media_ms[mode] = budget->media_ms[mode] + settling->media_ms;
    }
}

/* The store has settled what we had in an earlier life: nothing of the slice is free any more,
 * and what open legs hold of it is spent. */
static void
begin_life(struct tenant_book *book, int64_t life)
{
    if (book->life != 0 && book->life != life) {
        book->account.slice_nusd = book->account.held_nusd;
        book->doubtful_nusd = book->returning_nusd;
    }
    book->life = life;
}

/* What was on its way back from an earlier life may be taken out of this one's slice: so much of a
 * grant is left alone, until all is returned. */
static int64_t
certain_of(struct tenant_book *book, int64_t granted_nusd)
{
    int64_t left_nusd = book->doubtful_nusd < granted_nusd ? book->doubtful_nusd : granted_nusd;
    book->doubtful_nusd -= left_nusd;
    book->uncertain |= left_nusd > 0;
    return granted_nusd - left_nusd;
}

static void
watch_month(struct rt_actor *self, struct tenant *tenant)
{
    int64_t left_ms = tenant->book->account.period.end_ms - rt_wall_ms(self);
    if (left_ms > MONTH_CHECK_MS)
        left_ms = MONTH_CHECK_MS;
    rt_timer_set(self, &tenant->month_timer, (left_ms > 0 ? (uint64_t)left_ms : 0) * RT_NS_PER_MS);
}

void
tenant_on_book(struct rt_actor *self, struct tenant *tenant, const struct vito_stored *stored)
{
    struct vito_period period = vito_period_of(tenant->config->rules.zone, rt_wall_ms(self));
    struct tenant_book *book = book_for(tenant, period);
    RT_ASSERT(book != NULL);
    if (!book->is_open) {
        book->is_open = true;
        book->account.slice_nusd = stored->budget.slice_nusd;
    }
    begin_life(book, stored->budget.life);
    book->nodes = stored->budget.nodes;
    tenant_take_figures(book, &stored->budget);
    book->refunded_nusd = stored->budget.refunded_nusd;
    tenant->book = book;
    watch_month(self, tenant);
}

void
tenant_on_month_timer(struct rt_actor *self, struct tenant *tenant)
{
    if (rt_wall_ms(self) < tenant->book->account.period.end_ms) {
        watch_month(self, tenant);
        return;
    }
    tenant->phase = TENANT_LOADING; /* nothing new is admitted on the old month's money */
    tenant_open_book(self, tenant);
}

static int64_t
free_of(const struct tenant_book *book)
{
    return vito_account_free(&book->account) - book->limbo_nusd;
}

void
tenant_return_slice(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book)
{
    struct vito_account *account = &book->account;
    RT_ASSERT(book->legs == 0);
    if (account->slice_nusd <= 0 && !book->uncertain)
        return;
    struct vito_request request = {
        .op = VITO_BUDGET_RETURN,
        .period_start_ms = account->period.start_ms,
        .period_end_ms = account->period.end_ms,
        .budget = {.want_nusd = VITO_UNLIMITED},
    };
    book->returning_nusd += account->slice_nusd;
    book->returns++;
    account->slice_nusd = 0;
    book->uncertain = false;
    tenant_submit(self, tenant, &request, TENANT_PENDING_RETURN, book);
}

void
tenant_on_returned(struct tenant_book *book, const struct vito_stored *stored)
{
    if (book == NULL)
        return;
    if (book->returns > 0 && --book->returns == 0)
        book->returning_nusd = book->doubtful_nusd = 0;
    if (stored->status == RT_OK)
        tenant_take_figures(book, &stored->budget);
    else
        book->uncertain = true; /* it may still be ours, until all is returned */
}

/* Whether money of the month was asked for, by somebody who is no leg of it yet. */
static bool
is_awaited(const struct tenant *tenant, const struct tenant_book *book)
{
    const struct tenant_funding *funding = tenant->funding_first;
    while (funding != NULL && funding->book != book)
        funding = funding->next;
    return funding != NULL || tenant->granting;
}

void
tenant_return_past(struct rt_actor *self, struct tenant *tenant)
{
    for (int i = 0; i < TENANT_BOOKS; i++) {
        struct tenant_book *book = &tenant->books[i];
        if (book->is_open && book != tenant->book && book->legs == 0 && !is_awaited(tenant, book))
            tenant_return_slice(self, tenant, book);
    }
}

void
tenant_count_spending(struct rt_actor *self, struct tenant *tenant, int64_t nusd)
{
    uint64_t now_ns = rt_now_ns(self), window_ns = SPENDING_WINDOW_S * RT_NS_PER_S;
    uint64_t gone_ns = now_ns - tenant->spent_since_ns;
    if (gone_ns > window_ns) {
        tenant->spent_before_nusd = gone_ns > 2 * window_ns ? 0 : tenant->spent_nusd;
        tenant->spent_nusd = 0;
        tenant->spent_since_ns = now_ns;
    }
    tenant->spent_nusd += nusd;
}

/* A window that has just begun says little. */
static int64_t
spent_per_s(const struct tenant *tenant)
{
    int64_t spent = tenant->spent_nusd > tenant->spent_before_nusd ? tenant->spent_nusd
                                                                   : tenant->spent_before_nusd;
    return spent / SPENDING_WINDOW_S;
}

/* Without a need, whatever is left of what is wanted is granted, and nobody is recalled for it. */
static void
ask_for_grant(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book,
              int64_t need_nusd, int64_t want_nusd)
{
    const struct vito_account *account = &book->account;
    struct vito_request request = {
        .op = VITO_BUDGET_GRANT,
        .period_start_ms = account->period.start_ms,
        .period_end_ms = account->period.end_ms,
        .budget = {.limit_nusd = account->limit_nusd,
                   .need_nusd = need_nusd,
                   .want_nusd = want_nusd},
    };
    tenant->granting = true;
    metrics_grant(need_nusd > 0);
    tenant_submit(self, tenant, &request, TENANT_PENDING_GRANT, book);
}

static void
ask_for_missing(struct rt_actor *self, struct tenant *tenant, struct tenant_funding *funding)
{
    struct tenant_book *book = funding->book;
    int64_t missing = funding->need_nusd - free_of(book);
    tenant->grant_waiter = funding;
    ask_for_grant(self, tenant, book, missing,
                  vito_account_ask(&book->account, missing, spent_per_s(tenant), book->nodes));
}

/* Asks for the next slice while there is some of this one, after a step of that size. Not for a
 * month that is over, nor on the way out. */
static void
refill(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book, int64_t step_nusd)
{
    if (tenant->granting || tenant->want != TENANT_CONTENT || book != tenant->book ||
        tenant->phase != TENANT_SERVING || tenant->draining || step_nusd <= 0)
        return;
    int64_t want = vito_account_refill(&book->account, free_of(book), step_nusd,
                                       spent_per_s(tenant), book->nodes);
    if (want > 0)
        ask_for_grant(self, tenant, book, 0, want);
}

static struct tenant_funding *
pop_funding(struct tenant *tenant)
{
    struct tenant_funding *funding = tenant->funding_first;
    tenant->funding_first = funding->next;
    if (tenant->funding_first == NULL)
        tenant->funding_end = &tenant->funding_first;
    if (tenant->grant_waiter == funding)
        tenant->grant_waiter = NULL;
    return funding;
}

int64_t
tenant_recallable(const struct tenant *tenant, const struct tenant_book *book)
{
    return tenant->want == TENANT_BROKE ? 0 : book->account.reserved_nusd;
}

/* Serves from the front until one has to wait for the store. */
void
tenant_serve_fundings(struct rt_actor *self, struct tenant *tenant)
{
    while (tenant->want != TENANT_RECALLING && tenant->funding_first != NULL) {
        struct tenant_funding *funding = tenant->funding_first;
        struct tenant_book *book = funding->book;
        int64_t need = funding->need_nusd, missing = need - free_of(book);
        int64_t grantable =
            vito_account_grantable(&book->account) + tenant_recallable(tenant, book);
        if (missing <= 0) {
            pop_funding(tenant);
            funding->done(self, funding, PROBLEM_NONE);
            refill(self, tenant, book, need);
        } else if (tenant->granting ||
                   (grantable < missing && grantable + book->limbo_nusd >= missing)) {
            return; /* that, or settlements under way, may be enough */
        } else if (grantable >= missing) {
            ask_for_missing(self, tenant, funding);
        } else {
            pop_funding(tenant);
            funding->done(self, funding, PROBLEM_MONTHLY_HARD_LIMIT);
        }
    }
}

void
tenant_fund(struct rt_actor *self, struct tenant *tenant, struct tenant_funding *funding)
{
    RT_ASSERT(funding->done != NULL);
    funding->next = NULL;
    *tenant->funding_end = funding;
    tenant->funding_end = &funding->next;
    tenant_serve_fundings(self, tenant);
}

void
tenant_unfund(struct tenant *tenant, struct tenant_funding *funding)
{
    for (struct tenant_funding **at = &tenant->funding_first; *at != NULL; at = &(*at)->next) {
        if (*at != funding)
            continue;
        *at = funding->next;
        if (tenant->funding_end == &funding->next)
            tenant->funding_end = at;
        if (tenant->grant_waiter == funding)
            tenant->grant_waiter = NULL;
        return;
    }
}

/* Who waits for a grant is the first of all: what came before him was served. */
static void
refuse_waiter(struct rt_actor *self, struct tenant *tenant, enum problem_reason why)
{
    RT_ASSERT(tenant->grant_waiter == tenant->funding_first);
    struct tenant_funding *funding = pop_funding(tenant);
    funding->done(self, funding, why);
}

static void
set_want(struct rt_actor *self, struct tenant *tenant, enum tenant_want want)
{
    tenant->want = want;
    if (want == TENANT_CONTENT)
        rt_timer_cancel(self, &tenant->want_timer);
    else
        rt_timer_set(self, &tenant->want_timer,
                     (want == TENANT_BROKE ? BROKE_MS : RECALL_MS) * RT_NS_PER_MS);
}

/* The store had too little. It has told the other gateways, if they hold some. */
static void
on_short(struct rt_actor *self, struct tenant *tenant, const struct tenant_book *book)
{
    bool others_hold = book->nodes > 1 && book->account.reserved_nusd > 0;
    if (others_hold && tenant->recalls < RECALLS_MAX) {
        tenant->recalls++;
        set_want(self, tenant, TENANT_RECALLING);
        return;
    }
    tenant->recalls = 0;
    set_want(self, tenant, TENANT_BROKE);
    refuse_waiter(self, tenant, PROBLEM_MONTHLY_HARD_LIMIT);
}

void
tenant_on_want_timer(struct rt_actor *self, struct tenant *tenant)
{
    set_want(self, tenant, TENANT_CONTENT);
    tenant_serve_fundings(self, tenant);
}

/* Gives back what no hold needs: another gateway is short of it. */
static void
give_back(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book)
{
    int64_t free_nusd = free_of(book);
    if (free_nusd <= 0 || tenant->funding_first != NULL)
        return; /* we are short ourselves */
    struct vito_request request = {
        .op = VITO_BUDGET_RETURN,
        .period_start_ms = book->account.period.start_ms,
        .period_end_ms = book->account.period.end_ms,
        .budget = {.want_nusd = free_nusd},
    };
    book->account.slice_nusd -= free_nusd;
    book->account.reserved_nusd += free_nusd; /* not ours, and not spent */
    book->returning_nusd += free_nusd;
    book->returns++;
    tenant_submit(self, tenant, &request, TENANT_PENDING_RETURN, book);
}

void
tenant_on_news(struct rt_actor *self, struct tenant *tenant, const struct vito_news *news)
{
    if (tenant->phase != TENANT_SERVING || tenant->book == NULL)
        return;
    if (news->kind == VITO_NEWS_REFUNDED)
        tenant_open_book(self, tenant);
    if (news->kind == VITO_NEWS_RECALL) {
        give_back(self, tenant, tenant->book);
    } else if (tenant->want != TENANT_CONTENT) {
        set_want(self, tenant, TENANT_CONTENT);
        tenant_serve_fundings(self, tenant);
    }
}

void
tenant_on_limit(struct rt_actor *self, struct tenant *tenant)
{
    const struct vito_news news = {.kind = VITO_NEWS_RETURNED};
    if (tenant->phase != TENANT_SERVING || tenant->book == NULL)
        return; /* it is about to be read */
    tenant->book->account.limit_nusd = tenant->config->rules.limits.month_nusd;
    tenant_on_news(self, tenant, &news);
}

void
tenant_on_granted(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book,
                  const struct vito_stored *stored)
{
    tenant->granting = false;
    bool is_awaited_by_one = tenant->grant_waiter != NULL;
    if (stored->status != RT_OK) {
        book->uncertain = true;
        if (is_awaited_by_one)
            refuse_waiter(self, tenant, PROBLEM_STORE_UNAVAILABLE);
    } else {
        begin_life(book, stored->budget.life);
        book->nodes = stored->budget.nodes;
        book->account.slice_nusd += certain_of(book, stored->budget.granted_nusd);
        tenant_take_figures(book, &stored->budget);
        vito_account_check(&book->account);
        if (stored->budget.granted_nusd > 0)
            tenant->recalls = 0;
        else if (is_awaited_by_one)
            on_short(self, tenant, book);
    }
    tenant->grant_waiter = NULL;
    tenant_serve_fundings(self, tenant);
    tenant_return_past(self, tenant);
}

struct problem
tenant_money_problem(const struct tenant *tenant, enum problem_reason reason)
{
    struct problem problem = problem_make(reason, NULL);
    if (reason == PROBLEM_STORE_UNAVAILABLE) {
        problem.retry_after_s = 1;
        return problem;
    }
    const struct vito_account *account = &tenant->book->account;
    problem.has_money = true;
    problem.limit_nusd = account->limit_nusd;
    problem.posted_nusd = account->posted_nusd;
    problem.held_nusd = account->held_nusd;
    problem.resets_at_ms = account->period.end_ms;
    return problem;
}
