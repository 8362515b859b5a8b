/*
 * A turn's way to its decision: mode, bucket, policy; then money (tenant_leg.c).
 *
 *      arrive ──► bucket ──admitted──► policy ──pass──► sized, funded, intent row ──► granted
 *                   │ wait                │ throttle
 *                   └──► in the queue ────┘──► delayed …
 *
 * At each step it may be refused instead. Every admission ends in exactly one TENANT_ADMITTED.
 */
#include <string.h>

#include "actors/metrics.h"
#include "actors/tenant_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { THROTTLE_MAX_MS = 30000, MODE_MS_MIN = 1000 };

static struct tenant_admission *
make_admission(struct rt_actor *self, struct tenant *tenant, const struct rt_message *message)
{
    struct tenant_admission *admission = rt_pool_take(sizeof(*admission));
    if (admission == NULL) {
        rt_answer_failed(self, message, RT_NO_MEMORY);
        return NULL;
    }
    memset(admission, 0, sizeof(*admission));
    admission->owed = rt_owe(self, message);
    if (admission->owed == NULL) {
        rt_pool_give(admission, sizeof(*admission));
        return NULL;
    }
    admission->session = message->from;
    admission->turn = message->request_id;
    admission->arrived_ns = rt_now_ns(self);
    admission->next = tenant->admissions;
    if (admission->next != NULL)
        admission->next->previous = admission;
    tenant->admissions = admission;
    return admission;
}

void
tenant_admission_free(struct rt_actor *self, struct tenant *tenant,
                      struct tenant_admission *admission)
{
    vito_bucket_remove(tenant->bucket, &admission->waiter);
    rt_timer_cancel(self, &admission->delay);
    if (admission->previous != NULL)
        admission->previous->next = admission->next;
    else
        tenant->admissions = admission->next;
    if (admission->next != NULL)
        admission->next->previous = admission->previous;
    rt_pool_give(admission, sizeof(*admission));
}

static void
give_back_hold(struct rt_message *message)
{
    struct tenant_admitted *admitted = rt_message_payload(message);
    vito_hold_release(admitted->leg.hold);
}

static struct rt_message *
admitted_message(const struct tenant_admission *admission)
{
    struct rt_message *message = rt_message_create(TENANT_ADMITTED, sizeof(struct tenant_admitted));
    if (message == NULL)
        return NULL;
    message->give_back = give_back_hold;
    struct tenant_admitted *admitted = rt_message_payload(message);
    admitted->turn = admission->turn;
    admitted->decision = admission->decision;
    return message;
}

static struct policy_question
question_of(struct rt_actor *self, const struct tenant *tenant,
            const struct tenant_admission *admission)
{
    struct policy_question question =
        tenant_question(self, tenant, tenant_find_session(tenant, admission->session.id),
                        POLICY_ADMIT_TURN, admission->decision.mode);
    question.text_bytes = admission->ask.text_bytes;
    question.price_max_nusd = tenant_leg_estimate(tenant, admission);
    return question;
}

static void
tell_refused(struct rt_actor *self, struct tenant *tenant, const struct tenant_admission *admission,
             const struct problem *problem)
{
    enum vito_mode mode = admission->ask.mode;
    enum refusal_event event = REFUSAL_TURN;
    if (problem->reason == PROBLEM_SHUTDOWN)
        return; /* nothing was decided about it: another gateway takes it */
    if (admission->ask.is_video)
        event = REFUSAL_LEG;
    else if (admission->is_hold && mode != VITO_TEXT)
        event = REFUSAL_TURN_DOWNGRADE; /* it is answered, and not spoken */
    struct refusal refusal =
        tenant_refusal(event, tenant_find_session(tenant, admission->session.id), mode,
                       &admission->decision, problem_token(problem));
    tenant_tell_refusal(self, tenant, &refusal);
}

static void
tell_lowered(struct rt_actor *self, struct tenant *tenant, const struct tenant_admission *admission)
{
    const struct frame_decision *decision = &admission->decision;
    if (admission->is_hold || strcmp(decision->action, "downgrade") != 0)
        return;
    struct refusal refusal =
        tenant_refusal(admission->ask.is_video ? REFUSAL_SESSION_DOWNGRADE : REFUSAL_TURN_DOWNGRADE,
                       tenant_find_session(tenant, admission->session.id), admission->ask.mode,
                       decision, decision->reason);
    tenant_tell_refusal(self, tenant, &refusal);
}

void
tenant_admission_refuse(struct rt_actor *self, struct tenant *tenant,
                        struct tenant_admission *admission, const struct problem *problem)
{
    if (!admission->is_hold && tenant->book != NULL) {
        struct policy_question question = question_of(self, tenant, admission);
        tenant_record(self, tenant, &question, &admission->decision, "deny",
                      problem_token(problem));
    }
    if (!admission->is_hold)
        metrics_turn("deny", problem);
    struct rt_message *message = admitted_message(admission);
    if (message != NULL) {
        struct tenant_admitted *admitted = rt_message_payload(message);
        admitted->problem = *problem;
        RT_TEXT_SET(admitted->problem.decision_id, admission->decision.id);
        rt_owed_answer(self, admission->owed, message);
    } else {
        rt_owed_failed(self, admission->owed, RT_NO_MEMORY);
    }
    tell_refused(self, tenant, admission, problem);
    tenant_admission_free(self, tenant, admission);
    tenant_became_idle(self, tenant);
}

void
tenant_admission_grant(struct rt_actor *self, struct tenant *tenant,
                       struct tenant_admission *admission, const struct leg_grant *grant)
{
    struct frame_decision *decision = &admission->decision;
    if (decision->action[0] == '\0')
        RT_TEXT_SET(decision->action, "pass");
    if (!admission->is_hold) {
        struct policy_question question = question_of(self, tenant, admission);
        tenant_record(self, tenant, &question, decision, decision->action, "");
        metrics_turn(decision->action, NULL);
    }
    struct rt_message *message = admitted_message(admission);
    if (message != NULL) {
        struct tenant_admitted *admitted = rt_message_payload(message);
        admitted->leg = *grant;
        if (grant->hold != NULL)
            vito_hold_acquire(grant->hold);
        rt_owed_answer(self, admission->owed, message);
    } else {
        rt_owed_failed(self, admission->owed, RT_NO_MEMORY);
    }
    tell_lowered(self, tenant, admission);
    tenant_admission_free(self, tenant, admission);
}

/* A session has ended: nobody waits for these any more. */
void
tenant_admissions_drop(struct rt_actor *self, struct tenant *tenant, struct rt_address session)
{
    for (struct tenant_admission *admission = tenant->admissions, *next; admission != NULL;
         admission = next) {
        next = admission->next;
        if (!rt_address_is(admission->session, session) ||
            (admission->leg != NULL && admission->leg->hold != NULL))
            continue; /* one that waits for its intent row is ended when that is written */
        rt_owed_failed(self, admission->owed, RT_CANCELLED);
        if (admission->leg != NULL)
            tenant_leg_free(self, tenant, admission->leg);
        tenant_admission_free(self, tenant, admission);
    }
}

/* A video leg that is not to be: the session goes on without it. */
static void
grant_nothing(struct rt_actor *self, struct tenant *tenant, struct tenant_admission *admission)
{
    struct leg_grant none = {.mode = admission->decision.mode};
    tenant_admission_grant(self, tenant, admission, &none);
}

static void
ask_policy(struct rt_actor *self, struct tenant *tenant, struct tenant_admission *admission)
{
    struct policy_question question = question_of(self, tenant, admission);
    struct policy_decision decision;
    tenant_ask_policy(self, tenant, &question, &decision);
    RT_TEXT_SET(admission->decision.policy_version, decision.version);
    switch (decision.action) {
    case POLICY_DENY: {
        struct problem problem = tenant_policy_problem(tenant, &decision);
        tenant_admission_refuse(self, tenant, admission, &problem);
        return;
    }
    case POLICY_DOWNGRADE:
        tenant_lower_mode(&admission->decision, decision.mode, decision.reason);
        if (admission->ask.is_video) {
            grant_nothing(self, tenant, admission);
            return;
        }
        break;
    case POLICY_THROTTLE:
        if (admission->decision.action[0] == '\0')
            RT_TEXT_SET(admission->decision.action, "throttle");
        if (decision.delay_ms > 0) {
            uint32_t delay_ms =
                decision.delay_ms < THROTTLE_MAX_MS ? decision.delay_ms : THROTTLE_MAX_MS;
            rt_timer_set(self, &admission->delay, delay_ms * RT_NS_PER_MS);
            return;
        }
        break;
    case POLICY_PASS:
    case POLICY_WARN:
        break;
    }
    tenant_leg_open(self, tenant, admission);
}

/* In the queue, or because the policy wanted it; the time an admission takes is not waiting. */
static void
note_wait(const struct rt_actor *self, struct tenant_admission *admission)
{
    uint64_t waited_ns = rt_now_ns(self) - admission->arrived_ns;
    admission->decision.waited_ms = (uint32_t)((waited_ns + RT_NS_PER_MS - 1) / RT_NS_PER_MS);
}

bool
tenant_on_admission_timer(struct rt_actor *self, struct tenant *tenant,
                          const struct rt_timer *timer)
{
    for (struct tenant_admission *admission = tenant->admissions; admission != NULL;
         admission = admission->next) {
        if (&admission->delay != timer)
            continue;
        note_wait(self, admission);
        tenant_leg_open(self, tenant, admission);
        return true;
    }
    return false;
}

static struct problem
rate_problem(const struct tenant *tenant, enum problem_reason reason, uint32_t retry_after_s)
{
    struct problem problem = problem_make(reason, NULL);
    problem.retry_after_s = retry_after_s;
    problem.has_rate = true;
    problem.rate_per_second = tenant->config->rules.rate.per_second;
    problem.rate_burst = tenant->config->rules.rate.burst;
    return problem;
}

static void
set_bucket_timer(struct rt_actor *self, struct tenant *tenant)
{
    uint64_t wake_ns = vito_bucket_wake_ns(tenant->bucket);
    uint64_t now_ns = rt_now_ns(self);
    if (wake_ns == UINT64_MAX)
        rt_timer_cancel(self, &tenant->bucket_timer);
    else
        rt_timer_set(self, &tenant->bucket_timer, wake_ns > now_ns ? wake_ns - now_ns : 0);
}

void
tenant_on_bucket_timer(struct rt_actor *self, struct tenant *tenant)
{
    struct vito_bucket_served served;
    while ((served = vito_bucket_next(tenant->bucket, rt_now_ns(self))).waiter != NULL) {
        struct tenant_admission *admission =
            RT_CONTAINER_OF(served.waiter, struct tenant_admission, waiter);
        if (served.timed_out) {
            struct problem problem = rate_problem(tenant, PROBLEM_QUEUE_WAIT, served.retry_after_s);
            tenant_admission_refuse(self, tenant, admission, &problem);
        } else {
            RT_TEXT_SET(admission->decision.action, "throttle");
            note_wait(self, admission);
            ask_policy(self, tenant, admission);
        }
    }
    set_bucket_timer(self, tenant);
}

static void
tell_queued(struct rt_actor *self, const struct tenant_admission *admission,
            const struct vito_bucket_answer *answer)
{
    struct rt_message *message = rt_message_create(TENANT_QUEUED, sizeof(struct tenant_queued));
    if (message == NULL)
        return;
    struct tenant_queued *queued = rt_message_payload(message);
    *queued = (struct tenant_queued){
        .turn = admission->turn,
        .position = answer->position,
        .eta_ms = (answer->eta_ns + RT_NS_PER_MS - 1) / RT_NS_PER_MS,
    };
    rt_send_control(self, admission->session, message);
}

static void
ask_bucket(struct rt_actor *self, struct tenant *tenant, struct tenant_admission *admission)
{
    struct vito_bucket_answer answer = vito_bucket_arrive(tenant->bucket, admission->ask.caller,
                                                          &admission->waiter, rt_now_ns(self));
    switch (answer.verdict) {
    case VITO_BUCKET_ADMIT:
        if (vito_bucket_waiting(tenant->bucket) > 0)
            set_bucket_timer(self, tenant); /* a slot was claimed: a turn may come earlier */
        ask_policy(self, tenant, admission);
        break;
    case VITO_BUCKET_WAIT:
        tell_queued(self, admission, &answer);
        set_bucket_timer(self, tenant);
        break;
    case VITO_BUCKET_REFUSE: {
        enum problem_reason reason = tenant->config->rules.rate.queue == 0 ? PROBLEM_BURST_RATE
                                     : answer.queue_full                   ? PROBLEM_QUEUE_FULL
                                                                           : PROBLEM_QUEUE_WAIT;
        struct problem problem = rate_problem(tenant, reason, answer.retry_after_s);
        tenant_admission_refuse(self, tenant, admission, &problem);
        break;
    }
    }
}

/* The mode that this turn can have at all. */
static void
settle_mode(struct tenant *tenant, struct tenant_admission *admission)
{
    struct frame_decision *decision = &admission->decision;
    const struct vito_account *account = &tenant->book->account;
    const struct tenant_session *session = tenant_find_session(tenant, admission->session.id);
    decision->mode = admission->ask.mode;
    /* A session says which mode it has; who asked for one turn hears of it only here. */
    if (session != NULL && session->transport == TENANT_ONE_TURN && session->lowered[0] != '\0')
        tenant_lower_mode(decision, decision->mode, session->lowered);
    if (admission->ask.is_video)
        return; /* its quota is looked at when it is sized */
    if (decision->mode == VITO_VIDEO)
        tenant_lower_mode(decision, VITO_VOICE, "video_needs_session");
    if (decision->mode == VITO_VOICE && !tenant->config->rules.modes[VITO_VOICE])
        tenant_lower_mode(decision, VITO_TEXT, "mode_not_allowed");
    if (decision->mode == VITO_VOICE &&
        tenant_quota_left_ms(tenant, account, VITO_VOICE) < MODE_MS_MIN)
        tenant_lower_mode(decision, VITO_TEXT, "voice_quota");
}

void
tenant_on_admit(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    struct tenant_admission *admission = make_admission(self, tenant, message);
    if (admission == NULL)
        return;
    admission->ask = *(const struct tenant_admit *)rt_message_payload(message);
    tenant_make_id(self, tenant, "dec", admission->decision.id, NULL);
    if (tenant->broken != PROBLEM_NONE || tenant->draining) {
        struct problem problem = tenant->draining ? problem_make(PROBLEM_SHUTDOWN, NULL)
                                                  : tenant_money_problem(tenant, tenant->broken);
        tenant_admission_refuse(self, tenant, admission, &problem);
        return;
    }
    settle_mode(tenant, admission);
    ask_bucket(self, tenant, admission);
}

void
tenant_on_hold(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct tenant_hold *hold = rt_message_payload(message);
    struct tenant_admission *admission = make_admission(self, tenant, message);
    if (admission == NULL)
        return;
    admission->is_hold = true;
    admission->ask = (struct tenant_admit){
        .mode = hold->mode,
        .prompt_bytes = hold->prompt_bytes,
        .prompt_messages = hold->prompt_messages,
        .provider_index = hold->provider_index,
    };
    admission->decision.mode = hold->mode;
    RT_TEXT_SET(admission->decision.id, hold->decision_id);
    RT_TEXT_SET(admission->decision.policy_version, hold->policy_version);
    tenant_leg_open(self, tenant, admission);
}
