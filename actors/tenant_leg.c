/*
 * Vendor legs of a tenant: sized, held, written down before the vendor is called, extended while
 * they run, and settled once.
 *
 *   SIZED ──funded──► HELD ──intent row──► GRANTED ──meter──► extended …
 *                                             │
 *                                             └──settle, or its session died──► SETTLED
 */
#include <string.h>

#include "actors/metrics.h"
#include "actors/tenant_state.h"
#include "actors/turn_answer.h"
#include "actors/vendor.h"
#include "runtime/assert.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

#define COUNT_MAX INT64_C(1000000000000000) /* as stores bound it */

enum {
    ORPHAN_PATIENCE_MS = 15000,
    STORE_RETRY_MS = 1000,
};

void
tenant_leg_free(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    tenant_unfund(tenant, &leg->funding);
    rt_timer_cancel(self, &leg->timer);
    rt_buffer_release(leg->record);
    if (leg->hold != NULL) {
        rt_table_remove(&tenant->legs, &leg->link);
        leg->book->legs--;
        vito_hold_release(leg->hold);
    }
    tenant_config_release(leg->config);
    rt_pool_give(leg, sizeof(*leg));
}

static struct tenant_leg *
make_leg(struct rt_actor *self, struct tenant *tenant, struct tenant_admission *admission,
         const struct tenant_provider *provider)
{
    struct tenant_leg *leg = rt_pool_take(sizeof(*leg));
    if (leg == NULL)
        return NULL;
    memset(leg, 0, sizeof(*leg));
    leg->session = admission->session;
    leg->admission = admission;
    leg->book = tenant->book;
    leg->config = tenant_config_acquire(tenant->config);
    leg->provider = provider;
    leg->prompt_tokens = tenant_leg_prompt_tokens(provider->sheet, &admission->ask);
    leg->prompt_tokens_max = tenant_leg_prompt_tokens_max(provider->sheet, &admission->ask);
    leg->row.mode = tenant_leg_mode(admission);
    tenant_make_id(self, tenant, "leg", leg->row.id, &leg->number);
    RT_TEXT_SET(leg->row.provider_id, provider->name);
    RT_TEXT_SET(leg->row.decision_id, admission->decision.id);
    RT_TEXT_SET(leg->row.policy_version, admission->decision.policy_version);
    const struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (session != NULL)
        RT_TEXT_SET(leg->row.session_id, session->id);
    admission->leg = leg;
    return leg;
}

/* Refuses the admission that asked for the leg; the leg has no hold. */
static void
refuse_leg(struct rt_actor *self, struct tenant *tenant, struct tenant_admission *admission,
           enum problem_reason reason)
{
    struct problem problem = reason == PROBLEM_OVERLOAD || reason == PROBLEM_VENDOR_UNAVAILABLE
                                 ? problem_make(reason, NULL)
                                 : tenant_money_problem(tenant, reason);
    if (admission->leg != NULL)
        tenant_leg_free(self, tenant, admission->leg);
    admission->leg = NULL;
    tenant_admission_refuse(self, tenant, admission, &problem);
}

static void
write_intent(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    leg->row.held_nusd = vito_hold_amount(leg->hold);
    leg->row.at_ms = rt_wall_ms(self);
    leg->life = leg->book->life;
    struct vito_request request = {
        .op = VITO_LEG_OPEN,
        .life = leg->life,
        .period_start_ms = leg->book->account.period.start_ms,
        .period_end_ms = leg->book->account.period.end_ms,
        .leg = leg->row,
    };
    tenant_submit(self, tenant, &request, TENANT_PENDING_LEG_OPEN, leg);
}

static bool
hold_for(struct tenant *tenant, struct tenant_leg *leg)
{
    struct vito_account *account = &leg->book->account;
    if (vito_account_hold(account, tenant->config->id, leg->row.id, leg->row.mode,
                          leg->size.need_nusd, leg->size.media_ms, &leg->hold) != RT_OK)
        return false;
    if (!rt_table_add(&tenant->legs, &leg->link, rt_hash_u64(leg->number))) {
        vito_account_settle(account, leg->hold, 0, &(struct vito_use){0});
        vito_hold_release(leg->hold);
        leg->hold = NULL;
        return false;
    }
    leg->book->legs++;
    struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (session != NULL)
        session->held_nusd += leg->size.need_nusd;
    vito_account_check(account);
    return true;
}

static void
on_open_funded(struct rt_actor *self, struct tenant_funding *funding, enum problem_reason why)
{
    struct tenant *tenant = rt_state_of(self);
    struct tenant_leg *leg = RT_CONTAINER_OF(funding, struct tenant_leg, funding);
    struct tenant_leg_size before = leg->size;
    if (why == PROBLEM_NONE && !hold_for(tenant, leg))
        why = PROBLEM_OVERLOAD;
    if (why == PROBLEM_NONE) {
        write_intent(self, tenant, leg);
    } else if (why == PROBLEM_MONTHLY_HARD_LIMIT &&
               tenant_leg_size_next(tenant, leg, &leg->size) == PROBLEM_NONE &&
               leg->size.need_nusd < before.need_nusd) {
        /* Somebody else took the rest meanwhile: a smaller step may still be had. */
        leg->funding.need_nusd = leg->size.need_nusd;
        tenant_fund(self, tenant, &leg->funding);
    } else {
        refuse_leg(self, tenant, leg->admission, why);
    }
}

void
tenant_leg_open(struct rt_actor *self, struct tenant *tenant, struct tenant_admission *admission)
{
    const struct tenant_provider *provider = tenant_leg_provider(tenant, admission);
    if (provider == NULL) {
        refuse_leg(self, tenant, admission, PROBLEM_VENDOR_UNAVAILABLE);
        return;
    }
    struct tenant_leg *leg = make_leg(self, tenant, admission, provider);
    if (leg == NULL) {
        refuse_leg(self, tenant, admission, PROBLEM_OVERLOAD);
        return;
    }
    enum problem_reason reason = tenant_leg_size_next(tenant, leg, &leg->size);
    if (reason != PROBLEM_NONE) {
        refuse_leg(self, tenant, admission, reason);
        return;
    }
    leg->funding = (struct tenant_funding){
        .book = leg->book, .need_nusd = leg->size.need_nusd, .done = on_open_funded};
    tenant_fund(self, tenant, &leg->funding);
}

/* How long an answer the vendor may be asked for. */
static int64_t
answer_tokens_max(const struct tenant_leg *leg)
{
    if (leg->allowed_tokens == VITO_UNLIMITED)
        return leg->provider->sheet->quantum_tokens;
    return leg->allowed_tokens - leg->prompt_tokens_max;
}

void
tenant_on_leg_opened(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                     enum rt_status status)
{
    struct tenant_admission *admission = leg->admission;
    leg->admission = NULL;
    if (status != RT_OK) { /* the row may be there all the same: settled at nothing, or not found */
        admission->leg = NULL;
        RT_TEXT_SET(leg->row.outcome, "not_opened");
        tenant_leg_settle(self, tenant, leg, false);
        if (status == RT_DENIED)
            tenant_open_book(self, tenant); /* our slice was settled: see what there is */
        struct problem problem = tenant_money_problem(tenant, PROBLEM_STORE_UNAVAILABLE);
        tenant_admission_refuse(self, tenant, admission, &problem);
        return;
    }
    leg->allowed_tokens = leg->size.allowed_tokens;
    leg->allowed_ms = leg->size.allowed_ms;
    leg->allowed_nusd = vito_hold_amount(leg->hold);
    bool wanted = tenant_find_session(tenant, leg->session.id) != NULL;
    struct leg_grant grant = {
        .hold = leg->hold,
        .number = leg->number,
        .mode = leg->row.mode,
        .allowed_tokens = leg->allowed_tokens,
        .allowed_ms = leg->allowed_ms,
        .answer_tokens_max = answer_tokens_max(leg),
        .affordable_ms = tenant_leg_affordable_ms(tenant, leg),
    };
    RT_TEXT_SET(grant.leg_id, leg->row.id);
    RT_TEXT_SET(grant.provider, leg->row.provider_id);
    tenant_admission_grant(self, tenant, admission, &grant);
    if (!wanted) {
        RT_TEXT_SET(leg->row.outcome, "abandoned");
        tenant_leg_settle(self, tenant, leg, false);
    }
}

static int64_t
bounded(int64_t count)
{
    if (count < 0)
        return 0;
    return count < COUNT_MAX ? count : COUNT_MAX;
}

/* What a leg did not use of its hold is free again; but not when it was opened in an earlier life,
 * for then the store has counted all of the hold as spent. */
static int64_t
spare_of(const struct tenant_leg *leg, int64_t held_nusd, bool of_this_life)
{
    bool is_of_this_life = leg->life == 0 || leg->life == leg->book->life;
    int64_t spare = held_nusd - leg->row.cost_nusd;
    return spare > 0 && is_of_this_life == of_this_life ? spare : 0;
}

/* Books the true cost on the account and on the session, and closes the hold. */
static void
book_cost(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg, int64_t cost_nusd)
{
    struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (session != NULL) {
        session->held_nusd -= vito_hold_amount(leg->hold);
        session->settled_nusd += cost_nusd;
        session->tokens += leg->row.use.tokens;
        session->turns += leg->row.use.interactions;
    }
    struct vito_account *account = &leg->book->account;
    int64_t lost_nusd = spare_of(leg, vito_hold_amount(leg->hold), false);
    vito_account_settle(account, leg->hold, cost_nusd, &leg->row.use);
    account->slice_nusd -= lost_nusd < account->slice_nusd ? lost_nusd : account->slice_nusd;
    metrics_leg_settled(leg->row.mode, leg->row.held_nusd, cost_nusd);
    vito_account_check(account);
    tenant_count_spending(self, tenant, cost_nusd);
}

static void
submit_settle(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    struct vito_request request = {
        .op = VITO_LEG_SETTLE,
        .period_start_ms = leg->book->account.period.start_ms,
        .period_end_ms = leg->book->account.period.end_ms,
        .leg = leg->row,
        .document = leg->record == NULL ? NULL : rt_buffer_acquire(leg->record),
    };
    tenant_submit(self, tenant, &request, TENANT_PENDING_LEG_SETTLE, leg);
}

/* What the store does not count yet, or now does. Vendors may report anything. */
static void
count_settling(const struct tenant_leg *leg, int64_t sign)
{
    struct vito_use *settling = &leg->book->settling_use[leg->row.mode];
    const struct vito_use *use = &leg->row.use;
    settling->tokens += sign * bounded(use->tokens);
    settling->interactions += sign * bounded(use->interactions);
    settling->media_ms += sign * bounded(use->media_ms);
}

/* The turn's cost is what all legs of its session have cost. Without it nothing is kept here: the
 * session sees to that. */
static void
price_record(const struct tenant *tenant, struct tenant_leg *leg)
{
    const struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    struct rt_buffer *record = leg->record;
    if (record == NULL)
        return;
    leg->record = session == NULL ? NULL : turn_record_price(record, session->settled_nusd);
    rt_buffer_release(record);
}

void
tenant_leg_settle(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                  bool unproven)
{
    RT_ASSERT(!leg->settling);
    leg->settling = true;
    tenant_unfund(tenant, &leg->funding);
    rt_timer_cancel(self, &leg->timer);
    int64_t cost_nusd = vito_use_price(&leg->row.use, &leg->provider->prices);
    int64_t held_nusd = vito_hold_amount(leg->hold);
    leg->row.held_nusd = held_nusd;
    leg->row.cost_nusd = unproven && cost_nusd < leg->allowed_nusd ? leg->allowed_nusd : cost_nusd;
    leg->row.at_ms = rt_wall_ms(self);
    book_cost(self, tenant, leg, leg->row.cost_nusd);
    price_record(tenant, leg);
    leg->limbo_nusd = spare_of(leg, held_nusd, true);
    leg->book->settling_nusd += leg->row.cost_nusd;
    count_settling(leg, 1);
    leg->book->limbo_nusd += leg->limbo_nusd;
    submit_settle(self, tenant, leg);
}

void
tenant_on_settle(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct tenant_settle *settle = rt_message_payload(message);
    struct tenant_leg *leg = tenant_find_leg(tenant, settle->leg);
    if (leg == NULL || leg->settling) {
        rt_answer_failed(self, message, RT_INVALID);
        return;
    }
    if (leg->metering) { /* it has ended meanwhile: what it used counts, whenever the store is back
                          */
        leg->metering = false;
        rt_owed_failed(self, leg->owed, RT_CLOSED);
    }
    leg->owed = rt_owe(self, message);
    leg->row.use = settle->use;
    RT_TEXT_SET(leg->row.outcome, settle->outcome);
    leg->record = message->buffer == NULL ? NULL : rt_buffer_acquire(message->buffer);
    tenant_leg_settle(self, tenant, leg, settle->unproven);
}

static void
answer_settled(struct rt_actor *self, struct tenant_leg *leg)
{
    if (leg->owed == NULL)
        return;
    struct rt_message *message = rt_message_create(TENANT_SETTLED, sizeof(struct tenant_settled));
    if (message == NULL) {
        rt_owed_failed(self, leg->owed, RT_NO_MEMORY);
        return;
    }
    const struct vito_account *account = &leg->book->account;
    *(struct tenant_settled *)rt_message_payload(message) = (struct tenant_settled){
        .cost_nusd = leg->row.cost_nusd,
        .use = leg->row.use,
        .posted_nusd = account->posted_nusd,
        .held_nusd = account->held_nusd,
        .remaining_nusd = vito_account_remaining(account),
    };
    message->buffer = leg->record == NULL ? NULL : rt_buffer_acquire(leg->record);
    rt_owed_answer(self, leg->owed, message);
}

/* It was not kept in the ledger. */
static void
drop_record(struct tenant_leg *leg)
{
    rt_buffer_release(leg->record);
    leg->record = NULL;
}

/* Whoever took this gateway for dead settled the leg before us, at another cost. What the ledger
 * says is what the session and its client are told. */
static void
take_recorded_cost(struct tenant *tenant, struct tenant_leg *leg, int64_t cost_nusd)
{
    struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (cost_nusd == leg->row.cost_nusd)
        return; /* it was our own settlement, of whose success we had not heard */
    if (session != NULL)
        session->settled_nusd += cost_nusd - leg->row.cost_nusd;
    leg->row.cost_nusd = cost_nusd;
    drop_record(leg);
}

void
tenant_on_leg_settled(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                      const struct vito_stored *stored)
{
    if (stored->status == RT_UNAVAILABLE || stored->status == RT_NO_MEMORY) {
        rt_timer_set(self, &leg->timer, STORE_RETRY_MS * RT_NS_PER_MS);
        return; /* the entry is kept and tried until it is in the ledger */
    }
    struct tenant_book *book = leg->book;
    book->settling_nusd -= leg->row.cost_nusd;
    count_settling(leg, -1);
    book->limbo_nusd -= leg->limbo_nusd;
    if (stored->status != RT_OK)
        drop_record(leg);
    if (stored->status == RT_OK) {
        tenant_take_figures(book, &stored->budget);
        if (stored->repeated)
            take_recorded_cost(tenant, leg, stored->cost_nusd);
    } else if (leg->row.cost_nusd > 0 || stored->status != RT_NOT_FOUND) {
        rt_log(RT_LOG_ERROR, "leg.not_settled", RT_STR("leg", leg->row.id),
               RT_STR("status", rt_status_name(stored->status)));
    }
    answer_settled(self, leg);
    tenant_leg_free(self, tenant, leg);
    tenant_serve_fundings(self, tenant);
    tenant_return_past(self, tenant);
}

void
tenant_stop_everywhere(struct rt_actor *self, const struct tenant *tenant, uint64_t number,
                       struct rt_address heir)
{
    for (unsigned i = 0; i < rt_system_workers(tenant->world->system); i++) {
        struct rt_message *message =
            rt_message_create_vital(VENDOR_STOP, sizeof(struct vendor_stop));
        *(struct vendor_stop *)rt_message_payload(message) =
            (struct vendor_stop){.leg = number, .reason = ADAPTER_USER_EXIT, .heir = heir};
        rt_send_control(self, tenant->world->vendors[i], message);
    }
}

void
tenant_orphan_legs(struct rt_actor *self, struct tenant *tenant, struct rt_address session)
{
    for (struct rt_table_link *link = rt_table_first(&tenant->legs); link != NULL;
         link = link->newer) {
        struct tenant_leg *leg = RT_CONTAINER_OF(link, struct tenant_leg, link);
        if (!rt_address_is(leg->session, session) || leg->settling || leg->admission != NULL)
            continue;
        leg->orphaned = true;
        tenant_stop_everywhere(self, tenant, leg->number, RT_NOBODY);
        rt_timer_set(self, &leg->timer, ORPHAN_PATIENCE_MS * RT_NS_PER_MS);
    }
}

void
tenant_on_vendor_closed(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct vendor_closed *closed = rt_message_payload(message);
    struct tenant_leg *leg = tenant_find_leg(tenant, closed->leg);
    if (tenant_on_orphan_closed(self, tenant, closed) || leg == NULL || leg->settling)
        return;
    leg->row.use = (struct vito_use){.tokens = closed->tokens, .media_ms = closed->media_ms};
    RT_TEXT_SET(leg->row.outcome, "abandoned");
    tenant_leg_settle(self, tenant, leg,
                      vendor_is_unproven(closed, closed->tokens > 0 || closed->media_ms > 0));
}

void
tenant_on_leg_timer(struct rt_actor *self, struct tenant *tenant, const struct rt_timer *timer)
{
    for (struct rt_table_link *link = rt_table_first(&tenant->legs); link != NULL;
         link = link->newer) {
        struct tenant_leg *leg = RT_CONTAINER_OF(link, struct tenant_leg, link);
        if (&leg->timer != timer)
            continue;
        if (leg->settling) {
            submit_settle(self, tenant, leg);
        } else {
            RT_TEXT_SET(leg->row.outcome, "abandoned");
            tenant_leg_settle(self, tenant, leg, vito_hold_is_touched(leg->hold));
        }
        return;
    }
}

struct tenant_leg *
tenant_find_leg(const struct tenant *tenant, uint64_t number)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&tenant->legs, rt_hash_u64(number), link)) != NULL) {
        struct tenant_leg *leg = RT_CONTAINER_OF(link, struct tenant_leg, link);
        if (leg->number == number)
            return leg;
    }
    return NULL;
}
