/*
 * What a session says: frames to its client, inputs to its vendors, and the bill.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/session_state.h"
#include "runtime/assert.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { ANSWER_USUAL_BYTES = 4096, SAID_FIRST_BYTES = 512 };

struct rt_message *
session_frame(struct session *session, enum frame_type type, const struct session_turn *turn)
{
    struct rt_message *message = rt_message_create(CONN_FRAME, sizeof(struct frame_out));
    if (message == NULL)
        return NULL; /* session_emit() ends the session: the client must not miss a frame */
    struct frame_out *frame = rt_message_payload(message);
    frame->type = type;
    frame->seq = ++session->seq;
    RT_TEXT_SET(frame->session_id, session->id);
    if (turn != NULL)
        frame->id = turn->id;
    return message;
}

void
session_emit(struct rt_actor *self, struct session *session, struct rt_message *frame)
{
    if (frame == NULL) {
        session->is_mute = true;
        rt_fail(self, "no_memory");
        return;
    }
    if (session->is_mute) {
        rt_message_destroy(frame);
        return;
    }
    if (session->keyed != NULL && session_keyed_takes(self, session, frame))
        return;
    if (session->resume != NULL)
        session_resume_keep(self, session, frame);
    if (!session->ready || session_resume_is_behind(session)) {
        rt_message_destroy(frame);
        return;
    }
    /* Output is credited, so its lane has room; when it is full all the same, a frame would be
     * missing: better no connection than a false one. A dead one is about to be reported. */
    if (rt_send(self, session->connection, frame) == RT_FULL)
        rt_exit(rt_system_of(self), session->connection, RT_EXIT_KILLED);
}

void
session_emit_started(struct rt_actor *self, struct session *session, struct rt_buffer *join)
{
    if (session->transport == TENANT_ONE_TURN)
        return;
    struct rt_message *message = session_frame(session, FRAME_SESSION_STARTED, NULL);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->started.mode = session->mode;
        frame->started.limits = session->config->rules.limits;
        session_resume_token(session, frame->started.resume_token);
        message->buffer = rt_buffer_acquire(join);
    }
    session_emit(self, session, message);
}

void
session_emit_usage(struct rt_actor *self, struct session *session, int64_t running_nusd)
{
    uint64_t now_ns = rt_now_ns(self);
    if (session->transport == TENANT_ONE_TURN || session->phase == SESSION_STARTING ||
        (session->usage_sent_ns != 0 && now_ns - session->usage_sent_ns < RT_NS_PER_S))
        return; /* at most once a second */
    session->usage_sent_ns = now_ns;
    struct rt_message *message = session_frame(session, FRAME_USAGE, NULL);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->usage.posted_nusd = session->posted_nusd;
        frame->usage.held_nusd = session->held_nusd;
        frame->usage.remaining_nusd = session->remaining_nusd;
        frame->usage.session_nusd = session->cost_nusd + running_nusd;
    }
    session_emit(self, session, message);
}

void
session_emit_warning(struct rt_actor *self, struct session *session, struct session_leg *leg,
                     int64_t seconds_left)
{
    if (session->phase == SESSION_STARTING) { /* session.started comes first */
        leg->warned_left_s = seconds_left;
        leg->warned_late_ns = rt_now_ns(self);
        return;
    }
    leg->warnings++;
    leg->warned_left_s = seconds_left;
    struct rt_message *message = session_frame(session, FRAME_QUOTA_WARNING, leg->turn);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        frame->warning.seconds_left = seconds_left;
        frame->warning.remaining_nusd = session->remaining_nusd;
    }
    session_emit(self, session, message);
}

void
session_emit_late_warning(struct rt_actor *self, struct session *session, struct session_leg *leg)
{
    if (leg->warned_late_ns == 0)
        return;
    int64_t late_s = (int64_t)((rt_now_ns(self) - leg->warned_late_ns) / RT_NS_PER_S);
    int64_t left_s = leg->warned_left_s;
    if (left_s != VITO_UNLIMITED)
        left_s = left_s > late_s ? left_s - late_s : 0;
    leg->warned_late_ns = 0;
    session_emit_warning(self, session, leg, left_s);
}

void
session_emit_error(struct rt_actor *self, struct session *session, const struct frame_id *id,
                   const struct problem *problem)
{
    struct rt_message *message = session_frame(session, FRAME_ERROR, NULL);
    if (message != NULL) {
        struct frame_out *frame = rt_message_payload(message);
        if (id != NULL)
            frame->id = *id;
        frame->error.problem = *problem;
    }
    session_emit(self, session, message);
}

static void
forget_oldest(struct session *session)
{
    uint32_t json_bytes = session->history[0].json_bytes;
    session->said_bytes -= json_bytes;
    memmove(session->said, session->said + json_bytes, session->said_bytes);
    memmove(&session->history[0], &session->history[1],
            --session->history_count * sizeof(session->history[0]));
}

static size_t
history_bytes(const struct session *session)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < session->history_count; i++)
        bytes += session->history[i].text_bytes;
    return bytes;
}

static void
write_message(struct wire_writer *writer, const char *role, const void *text, size_t size_bytes)
{
    wire_open_map(writer, NULL);
    wire_text(writer, "role", role);
    wire_text_bytes(writer, "content", text, size_bytes);
    wire_close(writer);
}

/* Makes room for so many bytes more. False when out of memory. */
static bool
grow_said(struct session *session, size_t more_bytes)
{
    size_t room_bytes = session->said_room_bytes == 0 ? SAID_FIRST_BYTES : session->said_room_bytes;
    while (room_bytes < session->said_bytes + more_bytes)
        room_bytes *= 2;
    if (room_bytes == session->said_room_bytes)
        return true;
    char *said = session->said == NULL
                     ? rt_pool_take(room_bytes)
                     : rt_pool_resize(session->said, session->said_room_bytes, room_bytes);
    if (said == NULL)
        return false;
    session->said = said;
    session->said_room_bytes = room_bytes;
    return true;
}

void
session_remember(struct session *session, const char *role, const void *text, size_t size_bytes)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    struct wire_bytes json;
    write_message(writer, role, text, size_bytes);
    if (wire_end(writer, &json) != RT_OK || !grow_said(session, json.size_bytes + 1))
        return; /* a gap in the conversation, no more */
    if (session->history_count == SESSION_HISTORY_MAX)
        forget_oldest(session);
    char *end = session->said + session->said_bytes;
    *end = ',';
    memcpy(end + 1, json.bytes, json.size_bytes);
    session->said_bytes += json.size_bytes + 1;
    session->history[session->history_count++] = (struct session_said){
        .text_bytes = (uint32_t)size_bytes, .json_bytes = (uint32_t)json.size_bytes + 1};
    while (session->history_count > 1 && history_bytes(session) > SESSION_HISTORY_BYTES_MAX)
        forget_oldest(session);
}

void
session_forget_all(struct session *session)
{
    rt_pool_give(session->said, session->said_room_bytes);
    session->said = NULL;
    session->said_bytes = session->said_room_bytes = 0;
    session->history_count = 0;
}

/* Turns before it add to the conversation: their texts, and answers of a usual length. */
void
session_size_prompt(const struct session *session, struct session_turn *turn)
{
    size_t instructions = strlen(session->config->instructions);
    size_t history = history_bytes(session);
    uint32_t messages = session->history_count;
    for (const struct session_turn *before = session->turns; before != turn;
         before = before->next) {
        history += before->text->size_bytes + ANSWER_USUAL_BYTES;
        messages += 2;
    }
    if (history > SESSION_HISTORY_BYTES_MAX)
        history = SESSION_HISTORY_BYTES_MAX;
    if (messages > SESSION_HISTORY_MAX)
        messages = SESSION_HISTORY_MAX;
    turn->prompt_bytes = (uint32_t)(instructions + history + turn->text->size_bytes);
    turn->prompt_messages = messages + (instructions > 0 ? 2 : 1);
}

/* The part of the conversation that is sent with a turn: what was paid for with it. */
struct prompt {
    uint32_t first; /* of the history */
    uint32_t messages;
    size_t bytes;
};

static struct prompt
fit_prompt(const struct session *session, const struct session_turn *turn)
{
    size_t instructions = strlen(session->config->instructions);
    struct prompt prompt = {.first = session->history_count,
                            .messages = instructions > 0 ? 2 : 1,
                            .bytes = turn->text->size_bytes + instructions};
    while (prompt.first > 0 && prompt.messages < turn->prompt_messages) {
        size_t more = session->history[prompt.first - 1].text_bytes;
        if (prompt.bytes + more > turn->prompt_bytes)
            break;
        prompt.bytes += more;
        prompt.messages++;
        prompt.first--;
    }
    return prompt;
}

/* What was said, up to and with the turn. */
static void
write_messages(struct wire_writer *writer, const struct session *session,
               const struct session_turn *turn, const struct prompt *prompt)
{
    wire_open_array(writer, NULL);
    if (session->config->instructions[0] != '\0')
        write_message(writer, "system", session->config->instructions,
                      strlen(session->config->instructions));
    size_t from = 0;
    for (uint32_t i = 0; i < prompt->first; i++)
        from += session->history[i].json_bytes;
    if (from < session->said_bytes) /* without its comma */
        wire_raw(writer, NULL, session->said + from + 1, session->said_bytes - from - 1);
    write_message(writer, "user", turn->text->bytes, turn->text->size_bytes);
    wire_close(writer);
}

static const struct tenant_provider *
find_provider(const struct tenant_config *config, const struct leg_grant *grant)
{
    for (unsigned i = 0; i < config->provider_counts[grant->mode]; i++)
        if (strcmp(config->providers[grant->mode][i].name, grant->provider) == 0)
            return &config->providers[grant->mode][i];
    return NULL;
}

static void
write_config(struct wire_writer *writer, const struct session *session,
             const struct leg_grant *grant)
{
    const struct tenant_config *config = session->config;
    const struct tenant_provider *provider = find_provider(config, grant);
    const char *own = provider == NULL ? "{}" : provider->config_json;
    wire_open_map(writer, NULL);
    wire_text(writer, "leg_id", grant->leg_id);
    wire_text(writer, "tenant_id", config->id);
    wire_text(writer, "language", config->language);
    wire_raw(writer, "provider", own, strlen(own));
    wire_raw(writer, "persona", config->persona_json, strlen(config->persona_json));
    wire_close(writer);
}

static void
write_limits(struct rt_actor *self, struct wire_writer *writer, const struct session *session,
             const struct leg_grant *grant)
{
    int64_t session_ms = session->config->rules.limits.session_ms;
    int64_t media_ms = grant->affordable_ms;
    if (session_ms != VITO_UNLIMITED) {
        int64_t left_ms = session->began_ms + session_ms - rt_wall_ms(self);
        media_ms = left_ms < media_ms ? left_ms : media_ms;
    }
    wire_open_map(writer, NULL);
    if (grant->mode != VITO_TEXT && media_ms != VITO_UNLIMITED)
        wire_int(writer, "media_ms", media_ms > 0 ? media_ms : 0);
    if (grant->mode == VITO_TEXT)
        wire_int(writer, "tokens", grant->answer_tokens_max);
    wire_close(writer);
}

/* What a chat is to answer: drive and messages. */
static void
write_chat(struct wire_writer *writer, const struct session *session,
           const struct session_turn *turn, const struct leg_grant *grant)
{
    struct prompt prompt = fit_prompt(session, turn);
    wire_open_map(writer, NULL);
    wire_text_bytes(writer, "text", (const char *)turn->text->bytes, turn->text->size_bytes);
    wire_int(writer, "tokens_max", grant->answer_tokens_max);
    wire_int(writer, "prompt_bytes", (int64_t)prompt.bytes);
    wire_int(writer, "prompt_messages", prompt.messages);
    wire_close(writer);
    wire_next(writer);
    write_messages(writer, session, turn, &prompt);
    wire_next(writer);
}

/* What a voice or a face is to say, which may come later: drive, and no messages. */
static void
write_speech(struct wire_writer *writer, const struct session_turn *turn)
{
    wire_open_map(writer, NULL);
    if (turn != NULL)
        wire_text_bytes(writer, "text", turn->answer, turn->answer_bytes);
    wire_close(writer);
    wire_next(writer);
    wire_next(writer);
}

struct rt_buffer *
session_vendor_inputs(struct rt_actor *self, const struct session *session,
                      const struct session_turn *turn, const struct leg_grant *grant)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    struct wire_bytes bytes;
    write_config(writer, session, grant);
    wire_next(writer);
    write_limits(self, writer, session, grant);
    wire_next(writer);
    if (turn != NULL && grant->mode == VITO_TEXT)
        write_chat(writer, session, turn, grant);
    else
        write_speech(writer, turn);
    return wire_end(writer, &bytes) == RT_OK ? rt_buffer_copy(bytes.bytes, bytes.size_bytes) : NULL;
}

static void
add_use(struct vito_use *sum, const struct vito_use *use)
{
    sum->tokens += use->tokens;
    sum->media_ms += use->media_ms;
    sum->interactions += use->interactions;
}

static struct frame_bill_line *
bill_line(struct frame_bill *bill, const struct leg_grant *grant)
{
    for (uint32_t i = 0; i < bill->line_count; i++)
        if (bill->lines[i].mode == grant->mode &&
            strcmp(bill->lines[i].provider_id, grant->provider) == 0)
            return &bill->lines[i];
    if (bill->line_count == FRAME_BILL_LINES_MAX)
        return &bill->lines[FRAME_BILL_LINES_MAX - 1];
    struct frame_bill_line *line = &bill->lines[bill->line_count++];
    line->mode = grant->mode;
    RT_TEXT_SET(line->provider_id, grant->provider);
    return line;
}

void
session_bill(struct session *session, const struct session_leg *leg,
             const struct tenant_settled *settled)
{
    struct frame_bill_line *line = bill_line(&session->bill, &leg->grant);
    line->legs++;
    line->cost_nusd += settled->cost_nusd;
    add_use(&line->use, &settled->use);
    session->bill.cost_nusd += settled->cost_nusd;
    add_use(&session->bill.use, &settled->use);
    session->cost_nusd += settled->cost_nusd;
    session->posted_nusd = settled->posted_nusd;
    session->held_nusd = settled->held_nusd;
    session->remaining_nusd = settled->remaining_nusd;
    if (leg->turn == NULL)
        return;
    leg->turn->cost_nusd += settled->cost_nusd;
    add_use(&leg->turn->use, &settled->use);
}
