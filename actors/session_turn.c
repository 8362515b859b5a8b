/*
 * Turns of a session: every one is admitted when it comes, and carried out when those before it
 * are done: chat, then speech if the decision says so.
 */
#include <string.h>

#include "actors/session_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { ANSWER_ROOM_FIRST = 512 };

static struct session_turn *
find_turn(const struct session *session, uint64_t request_id)
{
    struct session_turn *turn = session->turns;
    while (turn != NULL && turn->request != request_id)
        turn = turn->next;
    return turn;
}

void
session_turn_free(struct session *session, struct session_turn *turn)
{
    for (struct session_turn **at = &session->turns; *at != NULL; at = &(*at)->next) {
        if (*at != turn)
            continue;
        *at = turn->next;
        session->turn_count--;
        break;
    }
    vito_hold_release(turn->grant.hold);
    rt_buffer_release(turn->text);
    rt_pool_give(turn->answer, turn->answer_room_bytes);
    rt_pool_give(turn, sizeof(*turn));
}

/* Makes room for an answer of so many bytes. */
static bool
grow_answer(struct session_turn *turn, size_t size_bytes)
{
    size_t room_bytes = turn->answer_room_bytes == 0 ? ANSWER_ROOM_FIRST : turn->answer_room_bytes;
    while (room_bytes < size_bytes)
        room_bytes *= 2;
    if (room_bytes == turn->answer_room_bytes)
        return true;
    char *longer = rt_pool_take(room_bytes);
    if (longer == NULL)
        return false;
    if (turn->answer != NULL)
        memcpy(longer, turn->answer, turn->answer_bytes);
    rt_pool_give(turn->answer, turn->answer_room_bytes);
    turn->answer = longer;
    turn->answer_room_bytes = room_bytes;
    return true;
}

bool
session_turn_append(struct session_turn *turn, const struct rt_buffer *delta)
{
    if (!grow_answer(turn, turn->answer_bytes + delta->size_bytes + 1))
        return false;
    memcpy(turn->answer + turn->answer_bytes, delta->bytes, delta->size_bytes);
    turn->answer_bytes += delta->size_bytes;
    turn->answer[turn->answer_bytes] = '\0';
    return true;
}

static void
refuse(struct rt_actor *self, struct session *session, const struct session_turn *turn,
       const struct problem *problem)
{
    struct rt_message *message = session_frame(session, FRAME_TURN_REFUSED, turn);
    if (message != NULL)
        ((struct frame_out *)rt_message_payload(message))->error.problem = *problem;
    session_emit(self, session, message);
}

/* A session of one turn is over with it. */
static void
after_turn(struct rt_actor *self, struct session *session)
{
    if (session->transport == TENANT_ONE_TURN)
        rt_stop(self, RT_EXIT_NORMAL);
    else
        session_run_next(self, session);
}

static void
refuse_turn(struct rt_actor *self, struct session *session, struct session_turn *turn,
            const struct problem *problem)
{
    if (problem != &turn->failure)
        turn->failure = *problem;
    if (!session_keyed_may_finish(self, session, turn))
        return; /* and then on */
    refuse(self, session, turn, &turn->failure);
    session_turn_free(session, turn);
    after_turn(self, session);
}

static enum vito_mode
mode_for_turn(const struct session *session)
{
    /* A video twin is driven over the vendor's own channel: turns beside it are spoken. */
    if (session->mode == VITO_VIDEO && session->transport == TENANT_WEBSOCKET)
        return VITO_VOICE;
    return session->mode;
}

static void
ask_tenant(struct rt_actor *self, struct session *session, struct session_turn *turn)
{
    struct rt_message *message = rt_message_create(TENANT_ADMIT, sizeof(struct tenant_admit));
    if (message == NULL) {
        rt_fail(self, "no_memory");
        return;
    }
    struct tenant_admit *ask = rt_message_payload(message);
    ask->mode = mode_for_turn(session);
    ask->caller = session->caller;
    ask->text_bytes = turn->text->size_bytes;
    session_size_prompt(session, turn);
    ask->prompt_bytes = turn->prompt_bytes;
    ask->prompt_messages = turn->prompt_messages;
    turn->request = ++session->request_id;
    rt_request(self, session->tenant, message, turn->request);
}

/* There is no place for it, or no memory. */
static void
refuse_at_once(struct rt_actor *self, struct session *session, const struct frame_in *frame,
               bool has_place)
{
    struct problem problem =
        has_place ? problem_make(PROBLEM_OVERLOAD, NULL)
                  : problem_make(PROBLEM_TOO_MANY_TURNS, "at most %d turns of a session may wait",
                                 SESSION_TURNS_MAX);
    struct session_turn refused = {.id = frame->id};
    problem.retry_after_s = 1;
    refuse(self, session, &refused, &problem);
    after_turn(self, session);
}

void
session_begin_turn(struct rt_actor *self, struct session *session, const struct frame_in *frame,
                   struct rt_buffer *text)
{
    struct session_turn *turn = NULL;
    bool has_place = session->turn_count < SESSION_TURNS_MAX;
    if (has_place && text != NULL)
        turn = rt_pool_take(sizeof(*turn));
    if (turn == NULL) {
        refuse_at_once(self, session, frame, has_place);
        return;
    }
    *turn = (struct session_turn){.id = frame->id, .text = rt_buffer_acquire(text)};
    struct session_turn **end = &session->turns;
    while (*end != NULL)
        end = &(*end)->next;
    *end = turn;
    session->turn_count++;
    ask_tenant(self, session, turn);
}

void
session_on_queued(struct rt_actor *self, struct session *session,
                  const struct tenant_queued *queued)
{
    const struct session_turn *turn = find_turn(session, queued->turn);
    if (turn == NULL)
        return;
    struct rt_message *message = session_frame(session, FRAME_TURN_QUEUED, turn);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->queued.position = queued->position;
        frame->queued.eta_ms = queued->eta_ms;
    }
    session_emit(self, session, message);
}

static void
accept(struct rt_actor *self, struct session *session, struct session_turn *turn,
       const struct tenant_admitted *admitted)
{
    turn->state = TURN_READY;
    turn->decision = admitted->decision;
    turn->grant = admitted->leg;
    turn->request = 0;
    RT_TEXT_SET(turn->provider_id, admitted->leg.provider);
    struct rt_message *message = session_frame(session, FRAME_TURN_ACCEPTED, turn);
    if (message != NULL)
        ((struct frame_out *)rt_message_payload(message))->decision = admitted->decision;
    session_emit(self, session, message);
    session_run_next(self, session);
}

/* A further leg of a running turn was refused. Speech can be done without. */
static void
leg_refused(struct rt_actor *self, struct session *session, struct session_turn *turn,
            const struct problem *problem)
{
    if (turn->spoken)
        session_change_mode(self, session, VITO_TEXT, problem_token(problem), NULL);
    else
        turn->failure = *problem;
    session_turn_leg_settled(self, session, turn);
}

static void
leg_granted(struct rt_actor *self, struct session *session, struct session_turn *turn,
            const struct leg_grant *grant)
{
    bool wanted = session->phase == SESSION_OPEN && !turn->interrupted;
    if (!wanted) {
        session_leg_decline(self, session, turn, grant);
        return;
    }
    RT_TEXT_SET(turn->provider_id, grant->provider);
    session_leg_start(self, session, turn, grant);
}

bool
session_on_turn_admitted(struct rt_actor *self, struct session *session,
                         const struct tenant_admitted *admitted, uint64_t request_id)
{
    struct session_turn *turn = find_turn(session, request_id);
    if (turn == NULL)
        return false;
    bool refused = admitted->problem.reason != PROBLEM_NONE;
    turn->request = 0;
    if (turn->state == TURN_RUNNING) {
        if (refused)
            leg_refused(self, session, turn, &admitted->problem);
        else
            leg_granted(self, session, turn, &admitted->leg);
    } else if (refused) {
        refuse_turn(self, session, turn, &admitted->problem);
    } else if (session->phase == SESSION_ENDING) {
        session_turn_free(session, turn);
        session_leg_decline(self, session, NULL, &admitted->leg);
    } else {
        accept(self, session, turn, admitted);
    }
    return true;
}

bool
session_on_turn_failed(struct rt_actor *self, struct session *session, uint64_t request_id,
                       enum rt_status status)
{
    struct session_turn *turn = find_turn(session, request_id);
    if (turn == NULL)
        return false;
    turn->request = 0;
    struct problem problem = problem_make(
        status == RT_FULL || status == RT_NO_MEMORY ? PROBLEM_OVERLOAD : PROBLEM_INTERNAL, NULL);
    if (turn->state == TURN_RUNNING)
        leg_refused(self, session, turn, &problem);
    else
        refuse_turn(self, session, turn, &problem);
    return true;
}

void
session_run_next(struct rt_actor *self, struct session *session)
{
    if (session->phase != SESSION_OPEN)
        return;
    struct session_turn *ready = NULL;
    for (struct session_turn *turn = session->turns; turn != NULL; turn = turn->next) {
        if (turn->state == TURN_RUNNING)
            return;
        if (turn->state == TURN_READY && ready == NULL)
            ready = turn;
    }
    if (ready == NULL)
        return;
    struct leg_grant grant = ready->grant;
    ready->grant.hold = NULL;
    ready->state = TURN_RUNNING;
    ready->legs = 1;
    session_leg_start(self, session, ready, &grant);
}

static void
ask_for_leg(struct rt_actor *self, struct session *session, struct session_turn *turn,
            enum vito_mode mode)
{
    struct rt_message *message = rt_message_create(TENANT_HOLD, sizeof(struct tenant_hold));
    if (message == NULL) {
        rt_fail(self, "no_memory");
        return;
    }
    struct tenant_hold *hold = rt_message_payload(message);
    RT_TEXT_SET(hold->decision_id, turn->decision.id);
    RT_TEXT_SET(hold->policy_version, turn->decision.policy_version);
    hold->mode = mode;
    hold->provider_index = turn->provider_index[mode];
    hold->prompt_bytes = turn->prompt_bytes;
    hold->prompt_messages = turn->prompt_messages;
    turn->legs++;
    turn->request = ++session->request_id;
    rt_request_control(self, session->tenant, message, turn->request);
}

struct problem
session_vendor_problem(const struct vendor_closed *closed)
{
    switch (closed->error) {
    case ADAPTER_ERROR_REJECTED:
        return problem_make(PROBLEM_VENDOR_REJECTED, "it answered with status %d", closed->status);
    case ADAPTER_ERROR_MALFORMED:
        return problem_make(PROBLEM_VENDOR_MALFORMED, NULL);
    case ADAPTER_ERROR_UNKNOWN:
        return problem_make(PROBLEM_VENDOR_TIMEOUT, NULL);
    case ADAPTER_ERROR_OUT_OF_MONEY:
        return problem_make(PROBLEM_VENDOR_UNAVAILABLE,
                            "this twin's account at the vendor is out of money");
    case ADAPTER_ERROR_BUG:
        return problem_make(PROBLEM_INTERNAL, "the vendor's adapter failed");
    case ADAPTER_ERROR_RETRYABLE:
    case ADAPTER_ERROR_CUT:
    case ADAPTER_ERROR_NONE:
    case ADAPTER_ERROR_COUNT:
        break;
    }
    struct problem problem = problem_make(PROBLEM_VENDOR_UNAVAILABLE, NULL);
    problem.retry_after_s = closed->retry_after_s > 0 ? (uint32_t)closed->retry_after_s : 1;
    return problem;
}

/* Whether the next vendor in the order of preference may still give the whole answer. */
static bool
may_fall_back(const struct session *session, const struct session_turn *turn,
              const struct session_leg *leg, const struct vendor_closed *closed)
{
    enum vito_mode mode = leg->grant.mode;
    bool clean = closed->error == ADAPTER_ERROR_RETRYABLE ||
                 closed->error == ADAPTER_ERROR_REJECTED ||
                 closed->error == ADAPTER_ERROR_OUT_OF_MONEY;
    bool silent = mode == VITO_TEXT ? turn->answer_bytes == 0 : closed->media_ms == 0;
    return clean && silent && session->phase == SESSION_OPEN && !turn->interrupted &&
           turn->provider_index[mode] + 1 < session->config->provider_counts[mode];
}

static void
remember(struct session *session, const struct session_turn *turn)
{
    session_remember(session, "user", turn->text->bytes, turn->text->size_bytes);
    session_remember(session, "assistant", turn->answer, turn->answer_bytes);
}

static void
chat_closed(struct rt_actor *self, struct session *session, struct session_leg *leg,
            const struct vendor_closed *closed)
{
    struct session_turn *turn = leg->turn;
    bool answered = turn->answer_bytes > 0 &&
                    (closed->error == ADAPTER_ERROR_NONE || closed->error == ADAPTER_ERROR_CUT);
    if (!answered) {
        if (closed->error == ADAPTER_ERROR_CUT)
            turn->interrupted = true;
        else if (closed->error == ADAPTER_ERROR_NONE)
            turn->failure = problem_make(PROBLEM_VENDOR_MALFORMED, "the answer was empty");
        else
            turn->failure = session_vendor_problem(closed);
        return;
    }
    leg->use.interactions = 1;
    remember(session, turn);
    bool speak = turn->decision.mode >= VITO_VOICE && session->mode >= VITO_VOICE;
    if (speak && closed->error == ADAPTER_ERROR_NONE && !turn->interrupted &&
        session->phase == SESSION_OPEN) {
        turn->spoken = true;
        ask_for_leg(self, session, turn, VITO_VOICE);
    }
}

void
session_turn_leg_closed(struct rt_actor *self, struct session *session, struct session_leg *leg,
                        const struct vendor_closed *closed)
{
    struct session_turn *turn = leg->turn;
    enum vito_mode mode = leg->grant.mode;
    if (may_fall_back(session, turn, leg, closed)) {
        turn->provider_index[mode]++;
        ask_for_leg(self, session, turn, mode);
    } else if (mode == VITO_TEXT) {
        chat_closed(self, session, leg, closed);
    } else if (closed->error != ADAPTER_ERROR_NONE && closed->error != ADAPTER_ERROR_CUT) {
        struct problem problem = session_vendor_problem(closed);
        session_emit_error(self, session, &turn->id, &problem); /* the text was given */
    }
}

void
session_turn_finish(struct rt_actor *self, struct session *session, struct session_turn *turn)
{
    if (turn->failure.reason != PROBLEM_NONE) {
        refuse_turn(self, session, turn, &turn->failure);
        return;
    }
    if (!session_keyed_may_finish(self, session, turn))
        return;
    struct rt_message *message = session_frame(session, FRAME_TURN_DONE, turn);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->done.use = turn->use;
        frame->done.cost_nusd = turn->cost_nusd;
        frame->done.mode = turn->use.media_ms > 0 ? VITO_VOICE : VITO_TEXT;
        frame->done.interrupted = turn->interrupted;
        RT_TEXT_SET(frame->done.provider_id, turn->provider_id);
        message->buffer = session_keyed_record(session);
    }
    session->bill.turns++;
    session_emit(self, session, message);
    session_turn_free(session, turn);
    after_turn(self, session);
}

void
session_turn_leg_settled(struct rt_actor *self, struct session *session, struct session_turn *turn)
{
    if (--turn->legs == 0)
        session_turn_finish(self, session, turn);
}

void
session_interrupt(struct rt_actor *self, struct session *session)
{
    for (struct session_turn *turn = session->turns; turn != NULL; turn = turn->next)
        if (turn->state == TURN_RUNNING)
            turn->interrupted = true;
    for (struct session_leg *leg = session->legs; leg != NULL; leg = leg->next)
        if (leg->turn != NULL)
            session_leg_stop(self, session, leg, ADAPTER_USER_EXIT, "interrupted");
}

void
session_drop_turns(struct rt_actor *self, struct session *session)
{
    for (struct session_turn *turn = session->turns, *next; turn != NULL; turn = next) {
        next = turn->next;
        if (turn->state != TURN_READY)
            continue; /* admissions are dropped by the tenant when we are gone */
        struct leg_grant grant = turn->grant;
        turn->grant.hold = NULL;
        session_turn_free(session, turn);
        session_leg_decline(self, session, NULL, &grant);
    }
}
