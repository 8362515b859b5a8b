/*
 * Frames to the client, and the parts of them that HTTP answers share.
 */
#include "actors/frames.h"

#include <string.h>

#include "runtime/assert.h"

const char *
session_end_name(enum session_end end)
{
    switch (end) {
    case SESSION_COST_LIMIT:
        return "COST_LIMIT";
    case SESSION_USER_EXIT:
        return "USER_EXIT";
    case SESSION_OPERATOR:
        return "OPERATOR";
    case SESSION_TIMEOUT:
        return "TIMEOUT";
    case SESSION_VENDOR_ERROR:
        return "VENDOR_ERROR";
    case SESSION_SHUTDOWN:
        return "SHUTDOWN";
    }
    return "USER_EXIT";
}

static const char *
type_name(enum frame_type type)
{
    static const char *const names[FRAME_TYPE_COUNT] = {
        [FRAME_SESSION_STARTED] = "session.started", [FRAME_TURN_QUEUED] = "turn.queued",
        [FRAME_TURN_ACCEPTED] = "turn.accepted",     [FRAME_OUTPUT_TEXT] = "output.text",
        [FRAME_OUTPUT_AUDIO] = "output.audio",       [FRAME_TURN_DONE] = "turn.done",
        [FRAME_TURN_REFUSED] = "turn.refused",       [FRAME_USAGE] = "usage",
        [FRAME_MODE_CHANGED] = "mode.changed",       [FRAME_QUOTA_WARNING] = "quota.warning",
        [FRAME_SESSION_ENDED] = "session.ended",     [FRAME_ERROR] = "error",
    };
    return names[type];
}

void
problem_write(struct wire_writer *writer, const struct problem *problem)
{
    char type[96] = "urn:twin-gateway:problem:";
    strncat(type, problem_token(problem), sizeof(type) - strlen(type) - 1);
    wire_text(writer, "type", type);
    wire_text(writer, "title", problem_title(problem));
    wire_int(writer, "status", problem_status(problem));
    if (problem->detail[0] != '\0')
        wire_text(writer, "detail", problem->detail);
    wire_text(writer, "reason", problem_token(problem));
    wire_bool(writer, "retryable", problem_is_retryable(problem));
    if (problem->decision_id[0] != '\0') {
        char instance[96] = "urn:twin-gateway:decision:";
        strncat(instance, problem->decision_id, sizeof(instance) - strlen(instance) - 1);
        wire_text(writer, "instance", instance);
        wire_text(writer, "decision_id", problem->decision_id);
    }
    if (problem->retry_after_s > 0)
        wire_int(writer, "retry_after_s", problem->retry_after_s);
    if (problem->has_money) {
        wire_usd(writer, "limit_usd", problem->limit_nusd);
        wire_usd(writer, "posted_usd", problem->posted_nusd);
        wire_usd(writer, "held_usd", problem->held_nusd);
        if (problem->resets_at_ms > 0)
            wire_time(writer, "resets_at", problem->resets_at_ms);
        else
            wire_null(writer, "resets_at");
    }
    if (problem->has_rate) {
        wire_int(writer, "rate_per_second", problem->rate_per_second);
        wire_int(writer, "rate_burst", problem->rate_burst);
    }
}

void
use_write(struct wire_writer *writer, const char *key, const struct vito_use *use)
{
    wire_open_map(writer, key);
    wire_int(writer, "tokens", use->tokens);
    wire_int(writer, "media_ms", use->media_ms);
    wire_int(writer, "interactions", use->interactions);
    wire_close(writer);
}

void
decision_write(struct wire_writer *writer, const char *key, const struct frame_decision *decision)
{
    wire_open_map(writer, key);
    wire_text(writer, "id", decision->id);
    wire_text(writer, "action", decision->action);
    if (decision->reason[0] != '\0')
        wire_text(writer, "reason", decision->reason);
    wire_text(writer, "mode", vito_mode_name(decision->mode));
    wire_int(writer, "waited_ms", decision->waited_ms);
    wire_text(writer, "policy_version", decision->policy_version);
    wire_close(writer);
}

static void
write_whole(struct wire_writer *writer, const char *key, int64_t value)
{
    if (value == VITO_UNLIMITED)
        wire_null(writer, key);
    else
        wire_int(writer, key, value);
}

static void
write_started(struct wire_writer *writer, const struct frame_out *frame)
{
    const struct vito_limits *limits = &frame->started.limits;
    wire_text(writer, "mode", vito_mode_name(frame->started.mode));
    wire_open_map(writer, "limits");
    wire_usd(writer, "session_limit_usd", limits->session_nusd);
    write_whole(writer, "session_ms_max", limits->session_ms);
    write_whole(writer, "session_tokens_max", limits->session_tokens);
    wire_int(writer, "frame_bytes_max", FRAME_JSON_BYTES_MAX);
    wire_int(writer, "audio_bytes_max", FRAME_AUDIO_BYTES_MAX);
    wire_close(writer);
    if (frame->started.resume_token[0] != '\0')
        wire_text(writer, "resume_token", frame->started.resume_token);
}

static void
write_bill(struct wire_writer *writer, const struct frame_bill *bill)
{
    wire_open_map(writer, "bill");
    wire_usd(writer, "cost_usd", bill->cost_nusd);
    use_write(writer, "usage", &bill->use);
    wire_int(writer, "turns", bill->turns);
    wire_int(writer, "duration_ms", bill->duration_ms);
    wire_open_array(writer, "providers");
    for (uint32_t i = 0; i < bill->line_count; i++) {
        const struct frame_bill_line *line = &bill->lines[i];
        wire_open_map(writer, NULL);
        wire_text(writer, "provider_id", line->provider_id);
        wire_text(writer, "mode", vito_mode_name(line->mode));
        wire_int(writer, "legs", line->legs);
        wire_usd(writer, "cost_usd", line->cost_nusd);
        use_write(writer, "usage", &line->use);
        wire_close(writer);
    }
    wire_close(writer);
    wire_close(writer);
}

static void
write_done(struct wire_writer *writer, const struct frame_out *frame)
{
    use_write(writer, "usage", &frame->done.use);
    wire_usd(writer, "cost_usd", frame->done.cost_nusd);
    wire_text(writer, "mode", vito_mode_name(frame->done.mode));
    wire_text(writer, "provider_id", frame->done.provider_id);
    if (frame->done.interrupted)
        wire_bool(writer, "interrupted", true);
}

static void
write_problem(struct wire_writer *writer, const struct frame_out *frame)
{
    wire_open_map(writer, "problem");
    problem_write(writer, &frame->error.problem);
    wire_close(writer);
    if (frame->type == FRAME_ERROR)
        wire_bool(writer, "fatal", frame->error.fatal);
}

static void
write_join(struct wire_writer *writer, const void *body, size_t body_bytes)
{
    if (body != NULL)
        wire_json(writer, "join", body, body_bytes);
}

/* What is peculiar to a type of frame. */
static void
write_fields(struct wire_writer *writer, const struct frame_out *frame, const void *body,
             size_t body_bytes)
{
    switch (frame->type) {
    case FRAME_SESSION_STARTED:
        write_started(writer, frame);
        write_join(writer, body, body_bytes);
        break;
    case FRAME_TURN_QUEUED:
        wire_int(writer, "position", frame->queued.position);
        wire_int(writer, "eta_ms", (int64_t)frame->queued.eta_ms);
        break;
    case FRAME_TURN_ACCEPTED:
        decision_write(writer, "decision", &frame->decision);
        break;
    case FRAME_OUTPUT_TEXT:
        wire_text_bytes(writer, "delta", body, body_bytes);
        break;
    case FRAME_OUTPUT_AUDIO:
        wire_binary(writer, "data", body, body_bytes);
        wire_text(writer, "format", frame->format);
        break;
    case FRAME_TURN_DONE:
        write_done(writer, frame);
        break;
    case FRAME_TURN_REFUSED:
    case FRAME_ERROR:
        write_problem(writer, frame);
        break;
    case FRAME_USAGE:
        wire_usd(writer, "posted_usd", frame->usage.posted_nusd);
        wire_usd(writer, "held_usd", frame->usage.held_nusd);
        wire_usd(writer, "remaining_usd", frame->usage.remaining_nusd);
        wire_usd(writer, "session_usd", frame->usage.session_nusd);
        break;
    case FRAME_MODE_CHANGED:
        wire_text(writer, "from", vito_mode_name(frame->mode.from));
        wire_text(writer, "to", vito_mode_name(frame->mode.to));
        wire_text(writer, "reason", frame->mode.reason);
        write_join(writer, body, body_bytes);
        break;
    case FRAME_QUOTA_WARNING:
        wire_int(writer, "seconds_left", frame->warning.seconds_left);
        wire_usd(writer, "remaining_usd", frame->warning.remaining_nusd);
        break;
    case FRAME_SESSION_ENDED:
        wire_text(writer, "reason", session_end_name(frame->ended.reason));
        write_bill(writer, &frame->ended.bill);
        break;
    case FRAME_TYPE_COUNT:
        break;
    }
}

/* A number was printed by us when it was read. */
static void
write_id(struct wire_writer *writer, const struct frame_id *id)
{
    if (id->text[0] == '\0')
        return;
    if (id->is_number && writer->format == WIRE_JSON)
        wire_raw(writer, "id", id->text, strlen(id->text));
    else if (id->is_number)
        wire_json(writer, "id", id->text, strlen(id->text));
    else
        wire_text(writer, "id", id->text);
}

enum rt_status
frame_encode(enum wire_format format, const struct frame_out *frame, const void *body,
             size_t body_bytes, struct wire_bytes *bytes_out)
{
    RT_ASSERT(frame->type < FRAME_TYPE_COUNT);
    struct wire_writer *writer = wire_begin(format);
    wire_open_map(writer, NULL);
    wire_text(writer, "type", type_name(frame->type));
    wire_int(writer, "seq", (int64_t)frame->seq);
    wire_text(writer, "session_id", frame->session_id);
    write_id(writer, &frame->id);
    write_fields(writer, frame, body, body_bytes);
    wire_close(writer);
    return wire_end(writer, bytes_out);
}
