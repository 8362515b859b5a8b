/*
 * The meter of a session's legs.
 *
 * While a leg runs, its vendor reports use; when half of the last quantum is gone the tenant is
 * asked for the next. Refused, the leg is in its final unit: the client is warned, and when the
 * allowance is used up the vendor is stopped, the leg settled, and the session steps down or
 * ends. The vendor actor knows which allowance is the last and stops by itself; what waits in
 * anybody's queue by then cannot delay it.
 *
 * While the ledger is away a leg goes on with what it is allowed, and asks again each second. What
 * costs by the clock ends where its allowance does; a stream stands still there for a while.
 */
#include <stdio.h>

#include "actors/session_state.h"

enum { WARN_FIRST_S = 30, WARN_SECOND_S = 10, UNANSWERED_MAX_MS = 10000 };

int64_t
session_leg_renew_at(int64_t allowed, int64_t quantum)
{
    if (allowed == VITO_UNLIMITED)
        return VITO_UNLIMITED;
    return allowed > quantum / 2 ? allowed - quantum / 2 : 0;
}

/* The allowance is used up and no more will be had. */
static void
cut(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    if (session->phase == SESSION_STARTING)
        session_begin(self, session, NULL); /* its room did not come in time */
    while (leg->warnings < SESSION_WARNINGS_MIN)
        session_emit_warning(self, session, leg, 0);
    leg->cut_ns = leg->waiting && leg->waiting_ns > leg->final_ns ? leg->waiting_ns : leg->final_ns;
    session_leg_stop(self, session, leg, ADAPTER_COST_LIMIT, "cost_limit");
    if (leg->final != LEG_FINAL_DOWNGRADE)
        session_end(self, session, SESSION_COST_LIMIT, 4402);
    else if (leg == session->video && session->mode != VITO_VIDEO)
        session_video_denied(self, session, leg->reason); /* asked for from below: not begun */
    else
        session_change_mode(self, session, leg->final_to, leg->reason, NULL);
}

/* Nobody could say in time whether it gets more: the ledger is away, or we are late. */
static void
give_up(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    struct problem problem =
        problem_make(PROBLEM_STORE_UNAVAILABLE,
                     "whether there is money for more could not be said in time; try again");
    problem.retry_after_s = 1;
    session_leg_stop(self, session, leg, ADAPTER_COST_LIMIT, "store_unavailable");
    if (session->phase == SESSION_STARTING)
        session_begin(self, session, NULL);
    session_emit_error(self, session, NULL, &problem);
    session_end(self, session, SESSION_SHUTDOWN, 1013);
}

void
session_leg_spent(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    if (leg->final == LEG_NOT_FINAL)
        give_up(self, session, leg);
    else
        cut(self, session, leg);
}

static void
meter(struct rt_actor *self, struct session *session, struct session_leg *leg, bool wants_more)
{
    if (leg->state != LEG_RUNNING || leg->request != 0)
        return;
    struct rt_message *message = rt_message_create(TENANT_METER, sizeof(struct tenant_meter));
    if (message == NULL)
        return; /* the next report asks again; the vendor waits meanwhile */
    leg->request = ++session->request_id;
    leg->metered_ns = rt_now_ns(self);
    *(struct tenant_meter *)rt_message_payload(message) =
        (struct tenant_meter){.leg = leg->grant.number, .use = leg->use, .wants_more = wants_more};
    rt_request_control(self, session->tenant, message, leg->request);
}

static bool
needs_more(const struct session_leg *leg)
{
    return leg->waiting ||
           leg->use.media_ms >= session_leg_renew_at(leg->grant.allowed_ms, leg->sheet->quantum_ms);
}

void
session_look_after(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    if (leg->state != LEG_RUNNING)
        return;
    if (leg->final == LEG_NOT_FINAL) {
        if (needs_more(leg))
            meter(self, session, leg, true);
    } else if (leg->waiting) {
        cut(self, session, leg);
    }
}

static void
tell_allowance(struct rt_actor *self, const struct session_leg *leg)
{
    struct rt_message *message = rt_message_create(VENDOR_ALLOW, sizeof(struct vendor_allow));
    if (message == NULL) {
        rt_fail(self, "no_memory");
        return;
    }
    *(struct vendor_allow *)rt_message_payload(message) = (struct vendor_allow){
        .leg = leg->grant.number,
        .allowed_tokens = leg->grant.allowed_tokens,
        .allowed_ms = leg->grant.allowed_ms,
        .renew_tokens = VITO_UNLIMITED,
        .renew_ms = session_leg_renew_at(leg->grant.allowed_ms, leg->sheet->quantum_ms),
        .last_ns = leg->final_ns,
    };
    rt_send_control(self, leg->vendor, message);
}

static void
allow(struct rt_actor *self, struct session_leg *leg, const struct tenant_metered *metered)
{
    leg->grant.allowed_tokens = metered->allowed_tokens;
    leg->grant.allowed_ms = metered->allowed_ms;
    leg->waiting = false;
    tell_allowance(self, leg);
}

static void
warn_by_time(struct rt_actor *self, struct session *session, struct session_leg *leg,
             const struct tenant_metered *metered)
{
    int64_t left_s = metered->seconds_left;
    if (left_s == VITO_UNLIMITED)
        return;
    if ((leg->warnings == 0 && left_s <= WARN_FIRST_S) ||
        (leg->warnings == 1 && left_s <= WARN_SECOND_S))
        session_emit_warning(self, session, leg, left_s);
}

/* A policy that warns at each quantum is passed on when half of the time has gone since. */
static bool
is_news(const struct session_leg *leg, int64_t left_s)
{
    return leg->warnings == 0 || left_s <= leg->warned_left_s / 2;
}

/* Without more, what follows: what the policy said, or one mode down for a quota, or the end. */
static void
enter_final(struct rt_actor *self, struct session *session, struct session_leg *leg,
            const struct tenant_metered *metered)
{
    bool quota = metered->refused == PROBLEM_VIDEO_QUOTA || metered->refused == PROBLEM_VOICE_QUOTA;
    snprintf(leg->reason, sizeof(leg->reason), "%s", metered->reason);
    leg->final = LEG_FINAL_END;
    leg->final_ns = metered->decided_ns;
    if (metered->downgrade || (quota && !metered->deny)) {
        leg->final = LEG_FINAL_DOWNGRADE;
        leg->final_to = metered->downgrade ? metered->to : leg->grant.mode - 1;
    }
    if (leg->warnings < SESSION_WARNINGS_MIN)
        session_emit_warning(self, session, leg, metered->seconds_left);
    if (!leg->waiting)
        tell_allowance(self, leg); /* so that it ends there without asking us */
    session_look_after(self, session, leg);
}

/* The policy wants another mode, or none, although there is money. */
static void
obey_policy(struct rt_actor *self, struct session *session, struct session_leg *leg,
            const struct tenant_metered *metered)
{
    snprintf(leg->reason, sizeof(leg->reason), "%s", metered->reason);
    leg->final = metered->deny ? LEG_FINAL_END : LEG_FINAL_DOWNGRADE;
    leg->final_to = metered->to;
    leg->final_ns = metered->decided_ns;
    cut(self, session, leg);
}

void
session_on_metered(struct rt_actor *self, struct session *session,
                   const struct tenant_metered *metered, uint64_t request_id)
{
    struct session_leg *leg = session_leg_by_request(session, request_id);
    if (leg == NULL)
        return;
    leg->request = 0;
    session->posted_nusd = metered->posted_nusd;
    session->held_nusd = metered->held_nusd;
    session->remaining_nusd = metered->remaining_nusd;
    session_emit_usage(self, session, metered->leg_nusd);
    if (leg->state != LEG_RUNNING)
        return;
    if (metered->warn && is_news(leg, metered->seconds_left))
        session_emit_warning(self, session, leg, metered->seconds_left);
    else
        warn_by_time(self, session, leg, metered);
    if (metered->refused == PROBLEM_STORE_UNAVAILABLE)
        return; /* the next report or tick asks again */
    if (metered->refused != PROBLEM_NONE)
        enter_final(self, session, leg, metered);
    else if (metered->deny || metered->downgrade)
        obey_policy(self, session, leg, metered);
    else if (metered->extended)
        allow(self, leg, metered);
    else
        session_look_after(self, session, leg); /* it may have begun to need more meanwhile */
}

static bool
has_waited_long(const struct session_leg *leg, uint64_t now_ns)
{
    return leg->state == LEG_RUNNING && leg->waiting &&
           now_ns - leg->waiting_ns >= UNANSWERED_MAX_MS * RT_NS_PER_MS;
}

void
session_tick(struct rt_actor *self, struct session *session)
{
    uint64_t now_ns = rt_now_ns(self);
    for (struct session_leg *leg = session->legs; leg != NULL; leg = leg->next) {
        if (has_waited_long(leg, now_ns)) {
            session_leg_spent(self, session, leg);
            return; /* the session ends */
        }
        if (leg->opened && now_ns - leg->metered_ns >= RT_NS_PER_S)
            meter(self, session, leg, leg->final == LEG_NOT_FINAL && needs_more(leg));
    }
}
