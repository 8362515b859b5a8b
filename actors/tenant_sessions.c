/*
 * Sessions of a tenant: judged, begun as children, and seen off when they end.
 */
#include <string.h>

#include "actors/metrics.h"
#include "actors/session.h"
#include "actors/tenant_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

struct tenant_session *
tenant_find_session(const struct tenant *tenant, uint64_t actor_id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&tenant->sessions, rt_hash_u64(actor_id), link)) != NULL) {
        struct tenant_session *session = RT_CONTAINER_OF(link, struct tenant_session, link);
        if (session->address.id == actor_id)
            return session;
    }
    return NULL;
}

static void
note_session(struct rt_actor *self, const struct tenant *tenant, enum twin_kind kind,
             const struct tenant_session *session)
{
    if (session->transport == TENANT_ONE_TURN)
        return; /* over before anybody could look for it */
    struct rt_message *message = rt_message_create_vital(kind, sizeof(struct session_note));
    struct session_note *note = rt_message_payload(message);
    RT_TEXT_SET(note->session_id, session->id);
    RT_TEXT_SET(note->tenant_id, tenant->config->id);
    note->session = session->address;
    rt_send_control(self, tenant->world->registry, message);
}

static enum rt_status
spawn_session(struct rt_actor *self, struct tenant *tenant, const struct tenant_open *open,
              struct tenant_session *session)
{
    struct session_args args = {
        .world = tenant->world,
        .config = tenant->config,
        .tenant = rt_self(self),
        .connection = open->connection,
        .transport = open->transport,
        .mode = session->mode,
        .caller = open->caller,
    };
    RT_TEXT_SET(args.id, session->id);
    struct rt_spawn_options options = {
        .behaviour = &session_behaviour, .args = &args, .worker = RT_ANY_WORKER};
    return rt_spawn_child(self, &options, &session->address);
}

static struct problem
begin_session(struct rt_actor *self, struct tenant *tenant, const struct tenant_open *open,
              const struct frame_decision *decision, struct tenant_opened *opened)
{
    struct tenant_session *session = rt_pool_take(sizeof(*session));
    if (session == NULL)
        return problem_make(PROBLEM_OVERLOAD, "out of memory");
    *session = (struct tenant_session){.transport = open->transport,
                                       .credential = open->credential,
                                       .mode = decision->mode,
                                       .began_ms = rt_wall_ms(self)};
    RT_TEXT_SET(session->lowered, decision->reason);
    RT_TEXT_SET(session->opened_by, open->opened_by);
    uint64_t number;
    tenant_make_id(self, tenant, "ses", session->id, &number);
    if (spawn_session(self, tenant, open, session) != RT_OK) {
        rt_pool_give(session, sizeof(*session));
        return problem_make(PROBLEM_OVERLOAD, "too many sessions in this process");
    }
    if (!rt_table_add(&tenant->sessions, &session->link, rt_hash_u64(session->address.id))) {
        rt_exit(tenant->world->system, session->address, RT_EXIT_FAILED);
        rt_pool_give(session, sizeof(*session));
        return problem_make(PROBLEM_OVERLOAD, "out of memory");
    }
    metrics_session_began();
    note_session(self, tenant, REGISTRY_SESSION_BEGAN, session);
    opened->session = session->address;
    RT_TEXT_SET(opened->session_id, session->id);
    return problem_make(PROBLEM_NONE, NULL);
}

/* The best mode the tenant offers that is not above the one asked for. */
static bool
allowed_mode(const struct tenant *tenant, enum vito_mode wanted, enum vito_mode *mode_out)
{
    for (int mode = (int)wanted; mode >= VITO_TEXT; mode--) {
        if (!tenant->config->rules.modes[mode])
            continue;
        *mode_out = (enum vito_mode)mode;
        return true;
    }
    return false;
}

static bool
is_revoked(const struct tenant *tenant, uint64_t credential)
{
    for (uint32_t i = 0; i < tenant->revoked_count && i < TENANT_REVOKED_KEPT; i++)
        if (tenant->revoked[i] == credential)
            return true;
    return false;
}

void
tenant_end_session(struct rt_actor *self, const struct tenant_session *session,
                   enum session_end reason, uint16_t close_code)
{
    struct rt_message *message =
        rt_message_create_vital(SESSION_TERMINATE, sizeof(struct session_terminate));
    *(struct session_terminate *)rt_message_payload(message) =
        (struct session_terminate){.reason = reason, .close_code = close_code};
    rt_send_control(self, session->address, message);
}

void
tenant_on_revoke(struct rt_actor *self, struct tenant *tenant, const struct tenant_revoke *revoke)
{
    tenant->revoked[tenant->revoked_count++ % TENANT_REVOKED_KEPT] = revoke->credential;
    for (struct rt_table_link *link = rt_table_first(&tenant->sessions); link != NULL;
         link = link->newer) {
        const struct tenant_session *session = RT_CONTAINER_OF(link, struct tenant_session, link);
        if (session->credential == revoke->credential)
            tenant_end_session(self, session, SESSION_OPERATOR, 4401);
    }
}

static struct problem
ask_policy(struct rt_actor *self, struct tenant *tenant, struct frame_decision *decision)
{
    struct policy_question question =
        tenant_question(self, tenant, NULL, POLICY_ADMIT_SESSION, decision->mode);
    struct policy_decision answer;
    tenant_ask_policy(self, tenant, &question, &answer);
    RT_TEXT_SET(decision->policy_version, answer.version);
    if (answer.action == POLICY_DENY)
        return tenant_policy_problem(tenant, &answer);
    if (answer.action != POLICY_DOWNGRADE)
        return problem_make(PROBLEM_NONE, NULL);
    if (!allowed_mode(tenant, answer.mode, &decision->mode))
        return problem_make(PROBLEM_MODE_NOT_ALLOWED, "the policy allows only %s here",
                            vito_mode_name(answer.mode));
    tenant_lower_mode(decision, decision->mode, answer.reason);
    return problem_make(PROBLEM_NONE, NULL);
}

/* Whether a session may begin, and in which mode: decision->mode is what was asked for. */
static struct problem
judge_session(struct rt_actor *self, struct tenant *tenant, const struct tenant_open *open,
              struct frame_decision *decision)
{
    enum vito_mode wanted = decision->mode;
    if (tenant->broken != PROBLEM_NONE) {
        struct problem problem = problem_make(tenant->broken, NULL);
        problem.retry_after_s = 1;
        return problem;
    }
    if (tenant->draining)
        return problem_make(PROBLEM_SHUTDOWN, NULL);
    if (is_revoked(tenant, open->credential))
        return problem_make(PROBLEM_UNAUTHENTICATED, NULL);
    if (tenant->sessions.count >= tenant->world->sessions_max)
        return problem_make(PROBLEM_OVERLOAD, "this twin has %u sessions, its most",
                            tenant->world->sessions_max);
    if (!allowed_mode(tenant, wanted, &decision->mode))
        return problem_make(PROBLEM_MODE_NOT_ALLOWED, "%s is not among this twin's modes",
                            vito_mode_name(wanted));
    if (decision->mode != wanted)
        tenant_lower_mode(decision, decision->mode, "mode_not_allowed");
    struct vito_account *account = &tenant->book->account;
    int64_t cheapest = tenant->config->rules.prices.interaction_nusd;
    int64_t remaining = vito_account_remaining(account) + tenant_recallable(tenant, tenant->book);
    if (remaining < (cheapest > 0 ? cheapest : 1))
        return tenant_money_problem(tenant, PROBLEM_MONTHLY_HARD_LIMIT);

    return ask_policy(self, tenant, decision);
}

/* Gives what was not let in as it came a decision that can be asked for, and a record. */
static void
explain(struct rt_actor *self, struct tenant *tenant, const struct tenant_open *open,
        struct frame_decision *decision, struct tenant_opened *opened)
{
    struct problem *problem = &opened->problem;
    bool is_turn = open->transport == TENANT_ONE_TURN;
    bool is_refused = problem->reason != PROBLEM_NONE;
    if (problem->reason == PROBLEM_SHUTDOWN || (is_turn && !is_refused))
        return; /* a turn that is lowered says so when it is admitted */
    enum vito_mode wanted = open->has_mode ? open->mode : VITO_TEXT;
    const char *reason = is_refused ? problem_token(problem) : decision->reason;
    tenant_make_id(self, tenant, "dec", decision->id, NULL);
    RT_TEXT_SET(problem->decision_id, decision->id);
    if (tenant->broken == PROBLEM_NONE) {
        struct policy_question question =
            tenant_question(self, tenant, NULL, POLICY_ADMIT_SESSION, wanted);
        tenant_record(self, tenant, &question, decision, is_refused ? "deny" : decision->action,
                      reason);
    }
    struct refusal refusal = tenant_refusal(is_turn      ? REFUSAL_TURN
                                            : is_refused ? REFUSAL_SESSION
                                                         : REFUSAL_SESSION_DOWNGRADE,
                                            NULL, wanted, decision, reason);
    RT_TEXT_SET(refusal.caller, open->opened_by);
    if (!is_refused)
        RT_TEXT_SET(refusal.session_id, opened->session_id);
    tenant_tell_refusal(self, tenant, &refusal);
}

void
tenant_on_open(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct tenant_open *open = rt_message_payload(message);
    struct rt_message *answer = rt_message_create(TENANT_OPENED, sizeof(struct tenant_opened));
    if (answer == NULL)
        return; /* the runtime answers in our place */
    struct tenant_opened *opened = rt_message_payload(answer);
    struct frame_decision decision = {.mode = open->has_mode ? open->mode : VITO_TEXT};
    opened->problem = judge_session(self, tenant, open, &decision);
    if (opened->problem.reason == PROBLEM_NONE)
        opened->problem = begin_session(self, tenant, open, &decision, opened);
    if (opened->problem.reason != PROBLEM_NONE || decision.action[0] != '\0')
        explain(self, tenant, open, &decision, opened);
    rt_answer(self, message, answer);
    if (tenant->sessions.count == 0)
        tenant_became_idle(self, tenant);
}

void
tenant_on_down(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct rt_down *down = rt_message_payload(message);
    struct tenant_session *session = tenant_find_session(tenant, down->who.id);
    if (session == NULL)
        return;
    note_session(self, tenant, REGISTRY_SESSION_ENDED, session);
    tenant_admissions_drop(self, tenant, session->address);
    tenant_orphan_legs(self, tenant, session->address);
    rt_table_remove(&tenant->sessions, &session->link);
    metrics_session_gone();
    rt_pool_give(session, sizeof(*session));
    tenant_became_idle(self, tenant);
}
