/*
 * What a tenant's policy is asked, and the record of what was decided.
 */
#include <stdio.h>
#include <string.h>

#include "actors/tenant_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

static int64_t
used_up_of(int64_t limit, int64_t used)
{
    return limit == VITO_UNLIMITED ? VITO_UNLIMITED : limit > used ? limit - used : 0;
}

struct policy_question
tenant_question(struct rt_actor *self, const struct tenant *tenant,
                const struct tenant_session *session, enum policy_question_kind kind,
                enum vito_mode mode)
{
    const struct vito_account *account = &tenant->book->account;
    const struct vito_policy_config *rules = &tenant->config->rules;
    int64_t now_ms = rt_wall_ms(self);
    struct policy_question question = {
        .kind = kind,
        .mode = mode,
        .user = "",
        .seconds_left = VITO_UNLIMITED,
        .tenant_id = tenant->config->id,
        .limit_nusd = account->limit_nusd,
        .posted_nusd = account->posted_nusd,
        .held_nusd = account->held_nusd,
        .remaining_nusd = vito_account_remaining(account) + tenant_recallable(tenant, tenant->book),
        .voice_ms = account->media_ms[VITO_VOICE] + account->media_held_ms[VITO_VOICE],
        .voice_max_ms = rules->limits.voice_ms,
        .video_ms = account->media_ms[VITO_VIDEO] + account->media_held_ms[VITO_VIDEO],
        .video_max_ms = rules->limits.video_ms,
        .tokens = account->tokens,
        .interactions = account->interactions,
        .sessions = (int64_t)tenant->sessions.count,
        .queued = vito_bucket_waiting(tenant->bucket),
        .rate_per_second = rules->rate.per_second,
        .now_ms = now_ms,
        .local = vito_zone_local(rules->zone, now_ms),
        .period_start_ms = account->period.start_ms,
        .period_end_ms = account->period.end_ms,
        .settings = rules->settings,
        .memory = tenant->memory,
    };
    if (session == NULL)
        return question;
    question.session_ms = now_ms - session->began_ms;
    question.session_nusd = session->settled_nusd + session->held_nusd;
    question.session_tokens = session->tokens;
    question.session_turns = session->turns;
    return question;
}

int64_t
tenant_quota_left_ms(const struct tenant *tenant, const struct vito_account *account,
                     enum vito_mode mode)
{
    const struct vito_limits *limits = &tenant->config->rules.limits;
    int64_t limit = mode == VITO_VIDEO   ? limits->video_ms
                    : mode == VITO_VOICE ? limits->voice_ms
                                         : VITO_UNLIMITED;
    return used_up_of(limit, account->media_ms[mode] + account->media_held_ms[mode]);
}

/* Who puts another policy in the place of this one is recorded with the tenant's document. */
static void
note_version(struct rt_actor *self, struct tenant *tenant, const char *version)
{
    bool is_same_policy = strcmp(tenant->decides_by, tenant->config->policy) == 0;
    if (version[0] == '\0' || (is_same_policy && strcmp(tenant->decides_version, version) == 0))
        return;
    if (is_same_policy)
        tenant_tell_policy(self, tenant, tenant->decides_version, version);
    RT_TEXT_SET(tenant->decides_by, tenant->config->policy);
    RT_TEXT_SET(tenant->decides_version, version);
}

void
tenant_ask_policy(struct rt_actor *self, struct tenant *tenant,
                  const struct policy_question *question, struct policy_decision *decision)
{
    const struct policy_port *policies = &tenant->world->policies;
    memset(decision, 0, sizeof(*decision));
    policies->ask(policies->self, rt_worker_index(self), tenant->config->policy, question,
                  decision);
    note_version(self, tenant, decision->version);
    if (decision->action == POLICY_DOWNGRADE && decision->mode >= question->mode)
        decision->action = POLICY_PASS; /* not a step down: the host clamps */
    if (decision->memory != NULL) {
        rt_buffer_release(tenant->memory);
        tenant->memory = decision->memory;
        tenant->memory_changed = true;
        decision->memory = NULL;
    }
}

struct problem
tenant_policy_problem(const struct tenant *tenant, const struct policy_decision *decision)
{
    enum problem_reason known = problem_of_token(decision->reason);
    if (known == PROBLEM_MONTHLY_HARD_LIMIT || known == PROBLEM_SESSION_LIMIT)
        return tenant_money_problem(tenant, known);
    if (known == PROBLEM_POLICY_FAILED)
        return problem_make(PROBLEM_POLICY_FAILED, "policy \"%s\" failed; nothing was spent",
                            tenant->config->policy);
    struct problem problem =
        problem_make(PROBLEM_POLICY_DENIED, "policy \"%s\" refused", tenant->config->policy);
    snprintf(problem.token, sizeof(problem.token), "%s", decision->reason);
    return problem;
}

void
tenant_lower_mode(struct frame_decision *decision, enum vito_mode mode, const char *reason)
{
    decision->mode = mode;
    RT_TEXT_SET(decision->action, "downgrade");
    snprintf(decision->reason, sizeof(decision->reason), "%s", reason);
}

void
tenant_record(struct rt_actor *self, struct tenant *tenant, const struct policy_question *question,
              const struct frame_decision *decision, const char *action, const char *facts)
{
    struct tenant_decision **place =
        &tenant->decisions[tenant->decision_count++ % TENANT_DECISIONS];
    if (*place == NULL)
        *place = rt_pool_take(sizeof(**place));
    if (*place == NULL)
        return; /* a decision that cannot be explained is still a decision */
    struct tenant_decision *record = *place;
    record->decision = *decision;
    record->question = *question;
    record->question.user = NULL;
    record->question.refused = NULL;
    record->question.tenant_id = NULL;
    record->question.settings = NULL;
    record->question.memory = NULL;
    record->at_ms = rt_wall_ms(self);
    RT_TEXT_SET(record->action, action);
    RT_TEXT_SET(record->policy, tenant->config->policy);
    RT_TEXT_SET(record->facts, facts);
}

const struct tenant_decision *
tenant_find_decision(const struct tenant *tenant, const char *id)
{
    for (int i = 0; i < TENANT_DECISIONS; i++)
        if (tenant->decisions[i] != NULL && strcmp(tenant->decisions[i]->decision.id, id) == 0)
            return tenant->decisions[i];
    return NULL;
}

void
tenant_forget_decisions(struct tenant *tenant)
{
    for (int i = 0; i < TENANT_DECISIONS; i++)
        rt_pool_give(tenant->decisions[i], sizeof(struct tenant_decision));
    memset(tenant->decisions, 0, sizeof(tenant->decisions));
}
