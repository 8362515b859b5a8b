/*
 * A session's legs: from the tenant's grant to the vendor and back to the ledger.
 */
#include <stdio.h>
#include <string.h>

#include "actors/session_state.h"
#include "actors/vendor.h"
#include "runtime/pool.h"
#include "runtime/text.h"

struct session_leg *
session_find_leg(const struct session *session, uint64_t number)
{
    struct session_leg *leg = session->legs;
    while (leg != NULL && leg->grant.number != number)
        leg = leg->next;
    return leg;
}

struct session_leg *
session_leg_by_request(const struct session *session, uint64_t request_id)
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
        .renew_ms = session_leg_renew_at(grant->allowed_ms, leg->sheet->quantum_ms),
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
        session_begin(self, session, join);
        session_emit_late_warning(self, session, session->video);
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
    session_look_after(self, session, leg);
}

static const char *
outcome_of(const struct vendor_closed *closed)
{
    return closed->error == ADAPTER_ERROR_NONE ? "completed" : adapter_error_name(closed->error);
}

static bool
has_come(const struct session_leg *leg, const struct vendor_closed *closed)
{
    if (leg->grant.mode == VITO_TEXT)
        return leg->turn != NULL && leg->turn->answer_bytes > 0;
    return closed->media_ms > 0;
}

void
session_on_vendor_closed(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct vendor_closed *closed = rt_message_payload(message);
    struct session_leg *leg = session_find_leg(session, closed->leg);
    if (leg == NULL || leg->state == LEG_CLOSED || leg->state == LEG_SETTLING)
        return;
    leg->use = (struct vito_use){.tokens = closed->tokens, .media_ms = closed->media_ms};
    leg->unproven = vendor_is_unproven(closed, has_come(leg, closed));
    if (leg->state == LEG_RUNNING && closed->is_spent)
        session_leg_spent(self, session, leg);
    if (leg->outcome[0] == '\0')
        RT_TEXT_SET(leg->outcome, outcome_of(closed));
    bool was_stopped = leg->state == LEG_STOPPING;
    leg->state = LEG_CLOSED;
    if (leg->turn != NULL)
        session_turn_leg_closed(self, session, leg, closed);
    else
        session_video_closed(self, session, leg, closed, was_stopped);
    settle(self, session, leg); /* also while the tenant meters it: that may take long */
}

void
session_on_settled(struct rt_actor *self, struct session *session,
                   const struct tenant_settled *settled, uint64_t request_id)
{
    struct session_leg *leg = session_leg_by_request(session, request_id);
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
    struct session_leg *leg = session_leg_by_request(session, request_id);
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
