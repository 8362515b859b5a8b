/*
 * Running legs: what they have used, whether they get another quantum, and what the policy says
 * to it. The answer goes out when the larger hold is durable, so that a crash cannot forget it.
 */
#include <string.h>

#include "actors/tenant_state.h"
#include "runtime/text.h"

static void
fill_in_figures(const struct tenant *tenant, struct tenant_leg *leg)
{
    const struct vito_account *account = &leg->book->account;
    struct tenant_metered *answer = &leg->answer;
    answer->allowed_tokens = leg->allowed_tokens;
    answer->allowed_ms = leg->allowed_ms;
    answer->posted_nusd = account->posted_nusd;
    answer->held_nusd = account->held_nusd;
    answer->remaining_nusd = vito_account_remaining(account);
    answer->leg_nusd = vito_use_price(&leg->row.use, &leg->provider->prices);
    int64_t affordable_ms = tenant_leg_affordable_ms(tenant, leg);
    answer->seconds_left = affordable_ms == VITO_UNLIMITED
                               ? VITO_UNLIMITED
                               : (affordable_ms - leg->row.use.media_ms) / 1000;
    if (answer->seconds_left < 0)
        answer->seconds_left = 0;
}

/* Once a leg: a policy may say the same at each quantum. That the ledger is away refuses nothing
 * yet; a leg that it ends says so by its outcome. */
static void
tell_refused(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    const struct tenant_metered *answer = &leg->answer;
    if (leg->refusal_is_told || answer->refused == PROBLEM_STORE_UNAVAILABLE ||
        (answer->refused == PROBLEM_NONE && !answer->deny && !answer->downgrade))
        return;
    leg->refusal_is_told = true;
    struct problem problem = problem_make(answer->refused, NULL);
    struct refusal refusal = tenant_refusal(
        REFUSAL_LEG, tenant_find_session(tenant, leg->session.id), leg->row.mode, NULL,
        answer->refused == PROBLEM_NONE ? answer->reason : problem_token(&problem));
    RT_TEXT_SET(refusal.leg_id, leg->row.id);
    RT_TEXT_SET(refusal.decision_id, leg->row.decision_id);
    RT_TEXT_SET(refusal.policy_version, leg->row.policy_version);
    tenant_tell_refusal(self, tenant, &refusal);
}

static void
answer_meter(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    leg->metering = false;
    struct rt_owed *owed = leg->owed;
    leg->owed = NULL;
    fill_in_figures(tenant, leg);
    struct rt_message *message = rt_message_create(TENANT_METERED, sizeof(struct tenant_metered));
    if (message == NULL) {
        rt_owed_failed(self, owed, RT_NO_MEMORY);
        return;
    }
    *(struct tenant_metered *)rt_message_payload(message) = leg->answer;
    rt_owed_answer(self, owed, message);
    tell_refused(self, tenant, leg);
}

/* Lets the policy say what becomes of the leg. `refused` is the token of why it gets no more,
 * or NULL while all is well. */
static void
ask_policy(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
           const char *refused)
{
    struct policy_question question = tenant_question(
        self, tenant, tenant_find_session(tenant, leg->session.id), POLICY_METER, leg->row.mode);
    question.refused = refused;
    question.seconds_left = leg->answer.seconds_left;
    question.price_max_nusd = vito_hold_amount(leg->hold);
    struct policy_decision decision;
    tenant_ask_policy(self, tenant, &question, &decision);
    leg->answer.warn = decision.action == POLICY_WARN;
    leg->answer.downgrade = decision.action == POLICY_DOWNGRADE;
    leg->answer.to = decision.mode;
    leg->answer.deny = decision.action == POLICY_DENY;
    if (leg->answer.decided_ns == 0 && (leg->answer.deny || leg->answer.downgrade))
        leg->answer.decided_ns = rt_now_ns(self);
    RT_TEXT_SET(leg->answer.reason, decision.reason);
}

static void
refuse_more(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
            enum problem_reason reason)
{
    struct problem problem = problem_make(reason, NULL);
    leg->answer.refused = reason;
    leg->answer.decided_ns = rt_now_ns(self);
    if (reason != PROBLEM_STORE_UNAVAILABLE) /* which no policy can say anything to */
        ask_policy(self, tenant, leg, problem_token(&problem));
    if (leg->answer.reason[0] == '\0')
        RT_TEXT_SET(leg->answer.reason, problem_token(&problem));
    answer_meter(self, tenant, leg);
}

/* Whether the store has settled it, for a life of ours that it took for dead: its money is free. */
static bool
is_settled_by_others(const struct tenant_leg *leg)
{
    return leg->life != 0 && leg->life != leg->book->life;
}

static void
write_hold(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    leg->row.held_nusd = vito_hold_amount(leg->hold);
    leg->row.at_ms = rt_wall_ms(self);
    struct vito_request request = {
        .op = VITO_LEG_EXTEND,
        .period_start_ms = leg->book->account.period.start_ms,
        .period_end_ms = leg->book->account.period.end_ms,
        .leg = leg->row,
    };
    tenant_submit(self, tenant, &request, TENANT_PENDING_LEG_EXTEND, leg);
}

static void
on_more_funded(struct rt_actor *self, struct tenant_funding *funding, enum problem_reason why)
{
    struct tenant *tenant = rt_state_of(self);
    struct tenant_leg *leg = RT_CONTAINER_OF(funding, struct tenant_leg, funding);
    if (why == PROBLEM_NONE && is_settled_by_others(leg))
        why = PROBLEM_STORE_UNAVAILABLE;
    if (why == PROBLEM_NONE &&
        vito_account_extend(&leg->book->account, leg->hold, leg->size.need_nusd,
                            leg->size.media_ms) != RT_OK)
        why = PROBLEM_MONTHLY_HARD_LIMIT;
    if (why != PROBLEM_NONE) {
        refuse_more(self, tenant, leg, why);
        return;
    }
    vito_account_check(&leg->book->account);
    struct tenant_session *session = tenant_find_session(tenant, leg->session.id);
    if (session != NULL)
        session->held_nusd += leg->size.need_nusd;
    write_hold(self, tenant, leg);
}

/* Its larger hold was not written: money is there, and a crash would forget it. */
static void
write_hold_again(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg)
{
    if (is_settled_by_others(leg))
        refuse_more(self, tenant, leg, PROBLEM_STORE_UNAVAILABLE);
    else
        write_hold(self, tenant, leg);
}

void
tenant_on_leg_extended(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                       enum rt_status status)
{
    if (!leg->metering || leg->settling)
        return; /* it was settled meanwhile */
    leg->is_unwritten = status != RT_OK;
    if (status == RT_OK) {
        leg->allowed_tokens = leg->size.allowed_tokens;
        leg->allowed_ms = leg->size.allowed_ms;
        leg->allowed_nusd = vito_hold_amount(leg->hold);
        leg->answer.extended = true;
        answer_meter(self, tenant, leg);
    } else {
        refuse_more(self, tenant, leg, PROBLEM_STORE_UNAVAILABLE);
    }
}

void
tenant_on_meter(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct tenant_meter *meter = rt_message_payload(message);
    struct tenant_leg *leg = tenant_find_leg(tenant, meter->leg);
    if (leg == NULL || leg->settling || leg->metering) {
        rt_answer_failed(self, message, RT_INVALID);
        return;
    }
    leg->owed = rt_owe(self, message);
    if (leg->owed == NULL)
        return;
    leg->metering = true;
    leg->row.use = meter->use;
    leg->answer = (struct tenant_metered){0};
    fill_in_figures(tenant, leg);
    ask_policy(self, tenant, leg, NULL);
    if (!meter->wants_more || leg->answer.deny || leg->answer.downgrade) {
        answer_meter(self, tenant, leg);
        return;
    }
    if (leg->is_unwritten) {
        write_hold_again(self, tenant, leg);
        return;
    }
    enum problem_reason reason = tenant_leg_size_next(tenant, leg, &leg->size);
    if (reason != PROBLEM_NONE) {
        refuse_more(self, tenant, leg, reason);
        return;
    }
    leg->funding = (struct tenant_funding){
        .book = leg->book, .need_nusd = leg->size.need_nusd, .done = on_more_funded};
    tenant_fund(self, tenant, &leg->funding);
}
