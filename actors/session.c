#include "actors/session.h"

#include <stdio.h>
#include <string.h>

#include "actors/session_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { ENDING_MAX_MS = 12000, TICK_MS = 1000, EXPIRY_WARNING_MS = 30000 };

static void
emit_mode_changed(struct rt_actor *self, struct session *session, enum vito_mode from,
                  const char *reason, struct rt_buffer *join)
{
    struct rt_message *message = session_frame(session, FRAME_MODE_CHANGED, NULL);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->mode.from = from;
        frame->mode.to = session->mode;
        snprintf(frame->mode.reason, sizeof(frame->mode.reason), "%s", reason);
        message->buffer = rt_buffer_acquire(join);
    }
    session_emit(self, session, message);
}

void
session_change_mode(struct rt_actor *self, struct session *session, enum vito_mode to,
                    const char *reason, struct rt_buffer *join)
{
    enum vito_mode from = session->mode;
    session->mode = to;
    if (from != to && session->transport != TENANT_ONE_TURN && session->phase != SESSION_ENDING)
        emit_mode_changed(self, session, from, reason, join);
    if (to == VITO_VIDEO)
        return;
    session->wants_video = false;
    if (session->video != NULL)
        session_leg_stop(self, session, session->video, ADAPTER_USER_EXIT, "mode_changed");
}

static enum vito_mode
mode_below_video(const struct session *session)
{
    return session->config->rules.modes[VITO_VOICE] ? VITO_VOICE : VITO_TEXT;
}

void
session_begin(struct rt_actor *self, struct session *session, struct rt_buffer *join)
{
    session->phase = SESSION_OPEN;
    session_emit_started(self, session, join);
    rt_unstash(self);
}

void
session_video_failed(struct rt_actor *self, struct session *session, const struct problem *problem)
{
    session->video_request = 0;
    session->wants_video = false;
    if (session->phase == SESSION_STARTING) {
        session_begin(self, session, NULL); /* as asked for, then at once the step down */
        session_change_mode(self, session, mode_below_video(session), problem_token(problem), NULL);
    } else if (session->phase == SESSION_OPEN) {
        session_emit_error(self, session, &session->mode_id, problem);
    }
}

void
session_ask_for_video(struct rt_actor *self, struct session *session)
{
    struct rt_message *message = rt_message_create(TENANT_ADMIT, sizeof(struct tenant_admit));
    if (message == NULL) {
        rt_fail(self, "no_memory");
        return;
    }
    struct tenant_admit *ask = rt_message_payload(message);
    ask->mode = VITO_VIDEO;
    ask->is_video = true;
    ask->caller = session->caller;
    ask->provider_index = session->video_provider_index;
    session->video_request = ++session->request_id;
    rt_request(self, session->tenant, message, session->video_request);
}

void
session_video_denied(struct rt_actor *self, struct session *session, const char *reason)
{
    struct problem problem = problem_make(PROBLEM_POLICY_DENIED, NULL);
    snprintf(problem.token, sizeof(problem.token), "%s", reason);
    session_video_failed(self, session, &problem);
}

static void
on_video_admitted(struct rt_actor *self, struct session *session,
                  const struct tenant_admitted *admitted)
{
    session->video_request = 0;
    if (session->phase == SESSION_ENDING || !session->wants_video) {
        if (admitted->leg.hold != NULL)
            session_leg_decline(self, session, NULL, &admitted->leg);
    } else if (admitted->problem.reason != PROBLEM_NONE) {
        session_video_failed(self, session, &admitted->problem);
    } else if (admitted->leg.hold == NULL) { /* the policy wants less */
        session_video_denied(self, session, admitted->decision.reason);
    } else {
        session_leg_start(self, session, NULL, &admitted->leg);
    }
}

void
session_video_closed(struct rt_actor *self, struct session *session, const struct session_leg *leg,
                     const struct vendor_closed *closed, bool was_stopped)
{
    session->video = NULL;
    if (session->phase == SESSION_ENDING)
        return;
    if (was_stopped) {
        if (session->wants_video)
            session_ask_for_video(self, session);
        return;
    }
    if (leg->opened) {
        if (session->mode == VITO_VIDEO) /* the vendor has ended it by itself */
            session_change_mode(self, session, mode_below_video(session), "vendor_ended", NULL);
        return;
    }
    bool another = closed->error != ADAPTER_ERROR_UNKNOWN &&
                   session->video_provider_index + 1 < session->config->provider_counts[VITO_VIDEO];
    if (another) {
        session->video_provider_index++;
        session_ask_for_video(self, session);
        return;
    }
    struct problem problem = session_vendor_problem(closed);
    session_video_failed(self, session, &problem);
}

static void
emit_ended(struct rt_actor *self, struct session *session)
{
    session->bill.duration_ms = rt_wall_ms(self) - session->began_ms;
    struct rt_message *message = session_frame(session, FRAME_SESSION_ENDED, NULL);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->ended.reason = session->end_reason;
        frame->ended.close_code = session->close_code;
        frame->ended.bill = session->bill;
    }
    session_emit(self, session, message);
}

void
session_check_end(struct rt_actor *self, struct session *session)
{
    if (session->phase != SESSION_ENDING || session->legs != NULL ||
        session_resume_is_behind(session))
        return;
    emit_ended(self, session);
    rt_stop(self, RT_EXIT_NORMAL);
}

static const char *
outcome_of(enum session_end reason)
{
    switch (reason) {
    case SESSION_COST_LIMIT:
        return "cost_limit";
    case SESSION_USER_EXIT:
        return "user_exit";
    case SESSION_OPERATOR:
        return "operator";
    case SESSION_TIMEOUT:
        return "timeout";
    case SESSION_VENDOR_ERROR:
        return "vendor_error";
    case SESSION_SHUTDOWN:
        return "shutdown";
    }
    return "ended";
}

void
session_end(struct rt_actor *self, struct session *session, enum session_end reason,
            uint16_t close_code)
{
    if (session->phase == SESSION_ENDING)
        return;
    if (session->phase == SESSION_STARTING)
        session_emit_started(self, session, NULL); /* it is always the first frame */
    session->phase = SESSION_ENDING;
    session->end_reason = reason;
    session->close_code = close_code;
    rt_timer_cancel(self, &session->idle_timer);
    rt_timer_cancel(self, &session->duration_timer);
    rt_timer_cancel(self, &session->expiry_timer);
    rt_timer_set(self, &session->ending_timer, ENDING_MAX_MS * RT_NS_PER_MS);
    session_drop_turns(self, session);
    enum adapter_stop_reason stop =
        reason == SESSION_COST_LIMIT ? ADAPTER_COST_LIMIT : ADAPTER_USER_EXIT;
    for (struct session_leg *leg = session->legs; leg != NULL; leg = leg->next)
        session_leg_stop(self, session, leg, stop, outcome_of(reason));
    session_check_end(self, session);
}

static void
on_mode(struct rt_actor *self, struct session *session, const struct frame_in *frame)
{
    if (!session->config->rules.modes[frame->mode]) {
        struct problem problem = problem_make(PROBLEM_MODE_NOT_ALLOWED, "this twin offers no %s",
                                              vito_mode_name(frame->mode));
        session_emit_error(self, session, &frame->id, &problem);
    } else if (frame->mode != VITO_VIDEO) {
        session_change_mode(self, session, frame->mode, "client", NULL);
    } else if (session->mode != VITO_VIDEO && !session->wants_video) {
        session->mode_id = frame->id;
        session->video_provider_index = 0;
        session->wants_video = true;
        if (session->video == NULL && session->video_request == 0)
            session_ask_for_video(self, session);
    }
}

static void
on_client(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct frame_in *frame = rt_message_payload(message);
    struct problem problem;
    rt_timer_set(self, &session->idle_timer, session->world->session_idle_ms * RT_NS_PER_MS);
    switch (frame->type) {
    case CLIENT_TURN:
        session_begin_turn(self, session, frame, message->buffer);
        break;
    case CLIENT_AUDIO:
        break; /* what it says is answered when the utterance is complete */
    case CLIENT_AUDIO_END:
        problem = problem_make(PROBLEM_SPEECH_INPUT_UNAVAILABLE,
                               "no speech recogniser is configured; send a turn with text");
        session_emit_error(self, session, &frame->id, &problem);
        break;
    case CLIENT_INTERRUPT:
        session_interrupt(self, session);
        break;
    case CLIENT_MODE:
        on_mode(self, session, frame);
        break;
    case CLIENT_RESUME: /* the connection sees to it */
        break;
    case CLIENT_END:
        session_end(self, session, SESSION_USER_EXIT, 1000);
        break;
    case CLIENT_BAD:
        session_emit_error(self, session, &frame->id, &frame->problem);
        break;
    }
}

/* What is left of the credential the session was opened with: it is warned of its end half a
 * minute before, or at half of a shorter rest. */
void
session_watch_expiry(struct rt_actor *self, struct session *session, int64_t expires_ms)
{
    session->expires_ms = expires_ms;
    session->expiry_warned = false;
    rt_timer_cancel(self, &session->expiry_timer);
    if (expires_ms == 0)
        return;
    int64_t left_ms = expires_ms - rt_wall_ms(self);
    if (left_ms < 0)
        left_ms = 0;
    int64_t warned_ms = left_ms / 2 > EXPIRY_WARNING_MS ? EXPIRY_WARNING_MS : left_ms / 2;
    rt_timer_set(self, &session->expiry_timer, (uint64_t)(left_ms - warned_ms) * RT_NS_PER_MS);
}

static void
on_expiry(struct rt_actor *self, struct session *session)
{
    int64_t left_ms = session->expires_ms - rt_wall_ms(self);
    if (session->expiry_warned || left_ms <= 0) {
        session_end(self, session, SESSION_TIMEOUT, 4401);
        return;
    }
    session->expiry_warned = true;
    struct problem problem =
        problem_make(PROBLEM_CREDENTIAL_EXPIRES,
                     "in %lld s the session ends with it: open another one with a new credential",
                     (long long)(left_ms + 999) / 1000);
    if (session->phase == SESSION_OPEN)
        session_emit_error(self, session, NULL, &problem);
    rt_timer_set(self, &session->expiry_timer, (uint64_t)left_ms * RT_NS_PER_MS);
}

static void
on_ready(struct rt_actor *self, struct session *session, const struct session_ready *ready)
{
    session->ready = true;
    session_watch_expiry(self, session, ready->expires_ms);
    session_resume_init(self, session, ready->credential);
    session_keyed_init(self, session, ready);
    session->began_ms = rt_wall_ms(self);
    rt_timer_set(self, &session->idle_timer, session->world->session_idle_ms * RT_NS_PER_MS);
    rt_timer_set(self, &session->tick_timer, TICK_MS * RT_NS_PER_MS);
    int64_t session_ms = session->config->rules.limits.session_ms;
    if (session_ms != VITO_UNLIMITED)
        rt_timer_set(self, &session->duration_timer, (uint64_t)session_ms * RT_NS_PER_MS);
    session->wants_video = session->mode == VITO_VIDEO && session->transport == TENANT_WEBSOCKET;
    if (session->wants_video)
        session_ask_for_video(self, session);
    else
        session_begin(self, session, NULL);
}

static void
on_timer(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct rt_timer *timer = rt_timer_of(message);
    if (timer == &session->idle_timer) {
        session_end(self, session, SESSION_TIMEOUT, 4408);
    } else if (session_on_resume_timer(self, session, timer) ||
               session_on_keyed_timer(self, session, timer)) {
        return;
    } else if (timer == &session->duration_timer) {
        session_end(self, session, SESSION_TIMEOUT, 4410);
    } else if (timer == &session->expiry_timer) {
        on_expiry(self, session);
    } else if (timer == &session->ending_timer) {
        emit_ended(self, session); /* what is not settled yet, the tenant sees to */
        rt_stop(self, RT_EXIT_NORMAL);
    } else if (timer == &session->tick_timer) {
        session_tick(self, session);
        session_resume_tick(session);
        rt_timer_set(self, &session->tick_timer, TICK_MS * RT_NS_PER_MS);
    }
}

static void
on_admitted(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    struct tenant_admitted *admitted = rt_message_payload(message);
    if (session->video_request != 0 && message->request_id == session->video_request)
        on_video_admitted(self, session, admitted);
    else if (!session_on_turn_admitted(self, session, admitted, message->request_id) &&
             admitted->leg.hold != NULL)
        session_leg_decline(self, session, NULL, &admitted->leg);
    admitted->leg.hold = NULL; /* a leg or a turn has it now */
}

static void
on_failed(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    enum rt_status status = ((struct rt_failed *)rt_message_payload(message))->status;
    if (session->video_request != 0 && message->request_id == session->video_request) {
        struct problem problem = problem_make(PROBLEM_OVERLOAD, NULL);
        session->video_request = 0;
        if (session->wants_video)
            session_video_failed(self, session, &problem);
    } else if (!session_on_turn_failed(self, session, message->request_id, status)) {
        session_leg_request_failed(self, session, message->request_id);
    }
}

static void
on_terminate(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct session_terminate *terminate = rt_message_payload(message);
    session_end(self, session, terminate->reason, terminate->close_code);
}

static void
from_connection(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    switch (message->kind) {
    case SESSION_READY:
        on_ready(self, session, rt_message_payload(message));
        break;
    case SESSION_CREDIT:
        session_on_credit(self, session, session_resume_count_credit(session, message));
        break;
    default: /* SESSION_CLIENT */
        if (session->phase == SESSION_STARTING) {
            if (!rt_stash(self, message))
                rt_fail(self, "no_memory");
        } else if (session->phase == SESSION_OPEN) {
            on_client(self, session, message);
        }
        break;
    }
}

static void
session_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct session *session = state;
    switch (message->kind) {
    case RT_KIND_START:
        rt_monitor(self, session->connection);
        break;
    case RT_KIND_DOWN:
        session_on_down(self, session, rt_message_payload(message));
        break;
    case RT_KIND_TIMER:
        on_timer(self, session, message);
        break;
    case RT_KIND_FAILED:
        on_failed(self, session, message);
        break;
    case SESSION_READY:
    case SESSION_CLIENT:
    case SESSION_CREDIT:
        from_connection(self, session, message);
        break;
    case SESSION_DETACHED:
        session_on_detached(self, session, message);
        break;
    case SESSION_RESUME:
        session_on_resume(self, session, message);
        break;
    case SESSION_MORE:
        session_on_more(self, session, message);
        break;
    case SESSION_TERMINATE:
        on_terminate(self, session, message);
        break;
    case TENANT_ADMITTED:
        on_admitted(self, session, message);
        break;
    case TENANT_QUEUED:
        session_on_queued(self, session, rt_message_payload(message));
        break;
    case TENANT_METERED:
        session_on_metered(self, session, rt_message_payload(message), message->request_id);
        break;
    case VITO_STORED:
        session_on_stored(self, session, message);
        break;
    case TENANT_SETTLED:
        session_keyed_on_settled(session, message);
        session_on_settled(self, session, rt_message_payload(message), message->request_id);
        break;
    case VENDOR_OPENED:
    case VENDOR_TEXT:
    case VENDOR_AUDIO:
    case VENDOR_USED:
        session_on_vendor(self, session, message);
        break;
    case VENDOR_CLOSED:
        session_on_vendor_closed(self, session, message);
        break;
    default:
        break;
    }
}

static enum rt_status
session_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    const struct session_args *from = args;
    struct session *session = state;
    session->world = from->world;
    session->config = tenant_config_acquire(from->config);
    session->tenant = from->tenant;
    session->connection = from->connection;
    session->transport = from->transport;
    session->mode = from->mode;
    session->caller = from->caller;
    RT_TEXT_SET(session->id, from->id);
    return RT_OK;
}

static void
session_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    struct session *session = state;
    session_resume_deinit(self, session);
    session_keyed_deinit(self, session, reason);
    while (session->legs != NULL)
        session_leg_free(session, session->legs);
    while (session->turns != NULL)
        session_turn_free(session, session->turns);
    session_forget_all(session);
    tenant_config_release(session->config);
}

const struct rt_behaviour session_behaviour = {
    .name = "session",
    .state_bytes = sizeof(struct session),
    .limits = {.messages_max = 8192, .bytes_max = 8 << 20},
    .init = session_init,
    .handle = session_handle,
    .stop = session_stop,
};
