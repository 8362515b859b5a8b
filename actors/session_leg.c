/*
 * A session's legs: from the tenant's grant to the vendor and back to the ledger.
 *
 * While a leg runs, its vendor reports use; when half of the last quantum is gone the tenant is
 * asked for the next. Refused, the leg is in its final unit: the client is warned, and when the
 * allowance is used up the vendor is stopped, the leg settled, and the session steps down or
 * ends. The vendor actor knows which allowance is the last and stops by itself; what waits in
 * anybody's queue by then cannot delay it.
 */
#include <stdio.h>
#include <string.h>

#include "actors/session_state.h"
#include "actors/vendor.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { WARN_FIRST_S = 30, WARN_SECOND_S = 10 };

struct session_leg *
session_find_leg(const struct session *session, uint64_t number)
{
    struct session_leg *leg = session->legs;
    while (leg != NULL && leg->grant.number != number)
        leg = leg->next;
    return leg;
}

static struct session_leg *
find_by_request(const struct session *session, uint64_t request_id)
{
    struct session_leg *leg = session->legs;
    while (leg != NULL && leg->request != request_id)
        leg = leg->next;
    return leg;
}

void
session_leg_free(struct session *session, struct session_leg *leg)
{
    for (struct session_leg **at = &session->legs; *at != NULL; at = &(*at)->next) {
        if (*at != leg)
            continue;
        *at = leg->next;
        break;
    }
    if (session->video == leg)
        session->video = NULL;
    vito_hold_release(leg->grant.hold);
    rt_pool_give(leg, sizeof(*leg));
}

static struct session_leg *
make_leg(struct rt_actor *self, struct session *session, struct session_turn *turn,
         const struct leg_grant *grant)
{
    struct session_leg *leg = rt_pool_take(sizeof(*leg));
    if (leg == NULL) {
        vito_hold_release(grant->hold);
        rt_fail(self, "no_memory"); /* the tenant settles what was held */
        return NULL;
    }
    *leg = (struct session_leg){
        .next = session->legs, .turn = turn, .grant = *grant, .metered_ns = rt_now_ns(self)};
    leg->sheet = session->world->adapters.sheet(session->world->adapters.self, grant->provider);
    session->legs = leg;
    return leg;
}

/* Where use makes us ask for the next quantum: when half of this one is gone. */
static int64_t
renew_at(int64_t allowed, int64_t quantum)
{
    if (allowed == VITO_UNLIMITED)
        return VITO_UNLIMITED;
    return allowed > quantum / 2 ? allowed - quantum / 2 : 0;
}

void
session_leg_start(struct rt_actor *self, struct session *session, struct session_turn *turn,
                  const struct leg_grant *grant)
{
    struct session_leg *leg = make_leg(self, session, turn, grant);
    if (leg == NULL)
        return;
    if (turn == NULL)
        session->video = leg;
    leg->vendor = session->world->vendors[rt_worker_index(self)];
    struct rt_message *message = vendor_open_create();
    struct rt_buffer *inputs = session_vendor_inputs(self, session, turn, grant);
    if (message == NULL || inputs == NULL) {
        rt_message_destroy(message);
        rt_buffer_release(inputs);
        rt_fail(self, "no_memory");
        return;
    }
    struct vendor_open *open = rt_message_payload(message);
    *open = (struct vendor_open){
        .leg = grant->number,
        .hold = vito_hold_acquire(grant->hold),
        .heir = session->tenant,
        .allowed_tokens = grant->allowed_tokens,
        .allowed_ms = grant->allowed_ms,
        .renew_tokens = VITO_UNLIMITED, /* an answer is held whole */
        .renew_ms = renew_at(grant->allowed_ms, leg->sheet->quantum_ms),
    };
    RT_TEXT_SET(open->provider, grant->provider);
    message->buffer = inputs;
    rt_send_control(self, leg->vendor, message);
}

static void
settle(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    leg->state = LEG_SETTLING;
    leg->request = ++session->request_id;
    struct rt_message *message = rt_message_create(TENANT_SETTLE, sizeof(struct tenant_settle));
    if (message == NULL) {
        rt_fail(self, "no_memory");
        return;
    }
    struct tenant_settle *settle = rt_message_payload(message);
    settle->leg = leg->grant.number;
    settle->use = leg->use;
    settle->unproven = leg->unproven;
    RT_TEXT_SET(settle->outcome, leg->outcome);
    message->buffer = session_keyed_answer(session, leg);
    rt_request_control(self, session->tenant, message, leg->request);
}

void
session_leg_decline(struct rt_actor *self, struct session *session, struct session_turn *turn,
                    const struct leg_grant *grant)
{
    struct session_leg *leg = make_leg(self, session, turn, grant);
    if (leg == NULL)
        return;
    RT_TEXT_SET(leg->outcome, "unused");
    settle(self, session, leg);
}

void
session_leg_stop(struct rt_actor *self, struct session *session, struct session_leg *leg,
                 enum adapter_stop_reason reason, const char *outcome)
{
    (void)session;
    if (leg->state != LEG_RUNNING)
        return;
    leg->state = LEG_STOPPING;
    snprintf(leg->outcome, sizeof(leg->outcome), "%s", outcome);
    struct rt_message *message = rt_message_create(VENDOR_STOP, sizeof(struct vendor_stop));
    if (message == NULL) {
        rt_fail(self, "no_memory");
        return;
    }
    *(struct vendor_stop *)rt_message_payload(message) =
        (struct vendor_stop){.leg = leg->grant.number, .reason = reason, .cut_ns = leg->cut_ns};
    rt_send_control(self, leg->vendor, message);
}

/* The allowance is used up and no more will be had. */
static void
cut(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    while (leg->warnings < SESSION_WARNINGS_MIN)
        session_emit_warning(self, session, leg, 0);
    leg->cut_ns = leg->waiting && leg->waiting_ns > leg->final_ns ? leg->waiting_ns : leg->final_ns;
    session_leg_stop(self, session, leg, ADAPTER_COST_LIMIT, "cost_limit");
    if (leg->final == LEG_FINAL_DOWNGRADE)
        session_change_mode(self, session, leg->final_to, leg->reason, NULL);
    else
        session_end(self, session, SESSION_COST_LIMIT, 4402);
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
           leg->use.media_ms >= renew_at(leg->grant.allowed_ms, leg->sheet->quantum_ms);
}

static void
look_after(struct rt_actor *self, struct session *session, struct session_leg *leg)
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
        .renew_ms = renew_at(leg->grant.allowed_ms, leg->sheet->quantum_ms),
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
    look_after(self, session, leg);
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
    struct session_leg *leg = find_by_request(session, request_id);
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
    if (metered->refused != PROBLEM_NONE)
        enter_final(self, session, leg, metered);
    else if (metered->deny || metered->downgrade)
        obey_policy(self, session, leg, metered);
    else if (metered->extended)
        allow(self, leg, metered);
    else
        look_after(self, session, leg); /* it may have begun to need more meanwhile */
}

void
session_tick(struct rt_actor *self, struct session *session)
{
    uint64_t now_ns = rt_now_ns(self);
    for (struct session_leg *leg = session->legs; leg != NULL; leg = leg->next)
        if (leg->opened && now_ns - leg->metered_ns >= RT_NS_PER_S)
            meter(self, session, leg, leg->final == LEG_NOT_FINAL && needs_more(leg));
}

static void
take_text(struct rt_actor *self, struct session *session, struct session_leg *leg,
          struct rt_buffer *delta)
{
    struct session_turn *turn = leg->turn;
    if (turn == NULL || turn->answer_bytes + delta->size_bytes > SESSION_TEXT_BYTES_MAX ||
        !session_turn_append(turn, delta))
        return;
    struct rt_message *frame = session_frame(session, FRAME_OUTPUT_TEXT, turn);
    if (frame != NULL)
        frame->buffer = rt_buffer_acquire(delta);
    session_emit(self, session, frame);
}

static void
take_audio(struct rt_actor *self, struct session *session, struct session_leg *leg,
           struct rt_buffer *samples)
{
    struct rt_message *frame = session_frame(session, FRAME_OUTPUT_AUDIO, leg->turn);
    if (frame != NULL) {
        frame->buffer = rt_buffer_acquire(samples);
        struct frame_out *out = rt_message_payload(frame);
        RT_TEXT_SET(out->format, leg->sheet->audio_format);
    }
    session_emit(self, session, frame);
}

static void
video_opened(struct rt_actor *self, struct session *session, struct rt_buffer *join)
{
    if (session->phase == SESSION_STARTING) {
        session->phase = SESSION_OPEN;
        session_emit_started(self, session, join);
        rt_unstash(self);
    } else {
        session_change_mode(self, session, VITO_VIDEO, "client", join);
    }
}

void
session_on_vendor(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct vendor_event *event = rt_message_payload(message);
    struct session_leg *leg = session_find_leg(session, event->leg);
    if (leg == NULL || leg->state == LEG_SETTLING)
        return; /* late or repeated */
    if (event->tokens > leg->use.tokens)
        leg->use.tokens = event->tokens;
    if (event->media_ms > leg->use.media_ms)
        leg->use.media_ms = event->media_ms;
    leg->waiting = event->waiting;
    leg->waiting_ns = event->waiting_ns;
    bool wanted = leg->state == LEG_RUNNING;
    if (message->kind == VENDOR_OPENED && !leg->opened) {
        leg->opened = true;
        if (leg == session->video && wanted)
            video_opened(self, session, message->buffer);
    } else if (message->kind == VENDOR_TEXT && wanted) {
        take_text(self, session, leg, message->buffer);
    } else if (message->kind == VENDOR_AUDIO && wanted) {
        take_audio(self, session, leg, message->buffer);
    }
    look_after(self, session, leg);
}

static const char *
outcome_of(const struct vendor_closed *closed)
{
    return closed->error == ADAPTER_ERROR_NONE ? "completed" : adapter_error_name(closed->error);
}

/* Whether nobody can say what was used. A stream that was cut tells by what came of it. */
static bool
is_unproven(const struct session_leg *leg, const struct vendor_closed *closed)
{
    if (closed->stopped == ADAPTER_STOP_IMPOSSIBLE)
        return true;
    if (closed->error != ADAPTER_ERROR_UNKNOWN || !closed->reached)
        return false;
    bool something_came = leg->grant.mode == VITO_TEXT
                              ? leg->turn != NULL && leg->turn->answer_bytes > 0
                              : closed->media_ms > 0;
    return !something_came;
}

void
session_on_vendor_closed(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct vendor_closed *closed = rt_message_payload(message);
    struct session_leg *leg = session_find_leg(session, closed->leg);
    if (leg == NULL || leg->state == LEG_CLOSED || leg->state == LEG_SETTLING)
        return;
    leg->use = (struct vito_use){.tokens = closed->tokens, .media_ms = closed->media_ms};
    leg->unproven = is_unproven(leg, closed);
    if (leg->state == LEG_RUNNING && leg->final != LEG_NOT_FINAL &&
        closed->error == ADAPTER_ERROR_CUT)
        cut(self, session, leg); /* it has ended where its last allowance did */
    if (leg->outcome[0] == '\0')
        RT_TEXT_SET(leg->outcome, outcome_of(closed));
    leg->state = LEG_CLOSED;
    if (leg->turn != NULL)
        session_turn_leg_closed(self, session, leg, closed);
    else
        session_video_closed(self, session, leg, closed);
    settle(self, session, leg); /* also while the tenant meters it: that may take long */
}

void
session_on_settled(struct rt_actor *self, struct session *session,
                   const struct tenant_settled *settled, uint64_t request_id)
{
    struct session_leg *leg = find_by_request(session, request_id);
    if (leg == NULL)
        return;
    struct session_turn *turn = leg->turn;
    session_bill(session, leg, settled);
    session_leg_free(session, leg);
    if (session->phase != SESSION_ENDING)
        session_emit_usage(self, session, 0);
    if (turn != NULL)
        session_turn_leg_settled(self, session, turn);
    session_check_end(self, session);
}

/* The tenant could not answer: it is going down, and takes us along, or the question came too
 * late for it. A leg that runs asks again. */
void
session_leg_request_failed(struct rt_actor *self, struct session *session, uint64_t request_id)
{
    struct session_leg *leg = find_by_request(session, request_id);
    if (leg == NULL)
        return;
    leg->request = 0;
    if (leg->state != LEG_SETTLING)
        return;
    struct session_turn *turn = leg->turn;
    session_leg_free(session, leg);
    if (turn != NULL) {
        turn->failure = problem_make(PROBLEM_INTERNAL, "the turn could not be settled");
        session_turn_leg_settled(self, session, turn);
    }
    session_check_end(self, session);
}

void
session_on_credit(struct rt_actor *self, struct session *session, uint32_t bytes)
{
    for (struct session_leg *leg = session->legs; leg != NULL; leg = leg->next) {
        if (leg->turn == NULL || leg->state != LEG_RUNNING)
            continue;
        struct rt_message *message = rt_message_create(VENDOR_CREDIT, sizeof(struct vendor_credit));
        if (message == NULL) {
            rt_fail(self, "no_memory"); /* the vendor would wait for ever */
            return;
        }
        *(struct vendor_credit *)rt_message_payload(message) =
            (struct vendor_credit){.leg = leg->grant.number, .bytes = bytes};
        rt_send_control(self, leg->vendor, message);
        return; /* one leg at a time speaks */
    }
}
