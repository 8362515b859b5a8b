/*
 * An upgraded connection: the client's frames to the session, the session's to the client.
 */
#include <string.h>

#include "actors/connection_state.h"
#include "actors/session.h"
#include "runtime/table.h"

/* The first of the client's subprotocols that we know. */
static const char *
choose_subprotocol(const char *offered, enum wire_format *format_out)
{
    static const struct {
        const char *name;
        enum wire_format format;
    } known[] = {{"twin.v1.json", WIRE_JSON}, {"twin.v1.msgpack", WIRE_MSGPACK}};
    for (const char *at = offered; *at != '\0';) {
        at += strspn(at, " \t,");
        size_t size = strcspn(at, " \t,");
        for (size_t i = 0; i < RT_COUNT_OF(known); i++) {
            if (strlen(known[i].name) == size && strncmp(at, known[i].name, size) == 0) {
                *format_out = known[i].format;
                return known[i].name;
            }
        }
        at += size;
    }
    return NULL;
}

/* The value of `mode` in the query; false when it is no mode. */
static bool
read_mode(struct connection *connection, const char *query)
{
    char name[8];
    for (const char *at = query; *at != '\0'; at += strspn(at, "&")) {
        size_t size = strcspn(at, "&");
        if (size > 5 && strncmp(at, "mode=", 5) == 0) {
            if (size - 5 >= sizeof(name))
                return false;
            memcpy(name, at + 5, size - 5);
            name[size - 5] = '\0';
            connection->has_mode = true;
            connection->mode = vito_mode_of(name);
            return connection->mode != VITO_MODE_COUNT;
        }
        at += size;
    }
    return true;
}

bool
connection_read_session(struct connection *connection)
{
    const char *offered = connection_text(connection, connection->request.subprotocols);
    connection->format = WIRE_JSON;
    connection->subprotocol = choose_subprotocol(offered, &connection->format);
    struct problem problem = problem_make(PROBLEM_NONE, NULL);
    if (offered[0] != '\0' && connection->subprotocol == NULL)
        problem = problem_make(PROBLEM_UNKNOWN_SUBPROTOCOL,
                               "offer twin.v1.json or twin.v1.msgpack, or none for JSON");
    else if (!read_mode(connection, connection_text(connection, connection->request.query)))
        problem = problem_make(PROBLEM_INVALID_FIELD, "?mode must be text, voice or video");
    if (problem.reason != PROBLEM_NONE)
        connection_refuse(connection, &problem);
    return problem.reason == PROBLEM_NONE;
}

void
connection_say_last(struct connection *connection, const struct frame_out *frame)
{
    const struct problem *problem = &frame->error.problem;
    struct wire_bytes bytes;
    if (frame_encode(connection->format, frame, NULL, 0, &bytes) == RT_OK)
        (void)connection->calls->send(connection->socket, connection->format == WIRE_MSGPACK,
                                      bytes.bytes, bytes.size_bytes); /* the close follows anyway */
    connection->calls->close(connection->socket, problem_close_code(problem),
                             problem_token(problem));
}

void
connection_refuse_upgraded(struct connection *connection, const struct problem *problem)
{
    const char *offered = connection_text(connection, connection->request.subprotocols);
    connection->format = WIRE_JSON;
    const char *subprotocol = choose_subprotocol(offered, &connection->format);
    const struct frame_out frame = {
        .type = FRAME_ERROR, .seq = 1, .error = {.problem = *problem, .fatal = true}};
    connection->answered = true;
    connection->phase = CONNECTION_WEBSOCKET;
    connection->calls->upgrade(connection->socket, subprotocol);
    connection_forget_request(connection);
    connection_say_last(connection, &frame);
}

void
connection_upgrade(struct rt_actor *self, struct connection *connection)
{
    struct rt_message *ready = rt_message_create(SESSION_READY, sizeof(struct session_ready));
    if (ready == NULL) {
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    *(struct session_ready *)rt_message_payload(ready) = (struct session_ready){
        .expires_ms = connection->caller.expires_ms,
        .credential = rt_hash_text(connection->caller.name),
    };
    connection->answered = true;
    connection->phase = CONNECTION_WEBSOCKET;
    connection->calls->upgrade(connection->socket, connection->subprotocol);
    connection_forget_request(connection);
    rt_send_control(self, connection->session, ready);
}

void
connection_shed(struct rt_actor *self, struct connection *connection)
{
    if (connection->phase == CONNECTION_TURN) {
        rt_exit(rt_system_of(self), connection->session, RT_EXIT_KILLED);
        connection_give_up_key(self, connection);
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
    } else if (connection->phase == CONNECTION_WEBSOCKET) {
        connection->calls->close(connection->socket, 1013, "overload");
    }
}

void
connection_credit(struct rt_actor *self, struct connection *connection, uint32_t bytes)
{
    struct rt_message *message = rt_message_create(SESSION_CREDIT, sizeof(struct session_credit));
    if (message == NULL) { /* its vendor would wait for ever */
        connection_shed(self, connection);
        return;
    }
    ((struct session_credit *)rt_message_payload(message))->bytes = bytes;
    rt_send_control(self, connection->session, message);
}

static bool
is_slow(const struct connection *connection)
{
    return connection->backlog.first != NULL ||
           connection->calls->is_behind(connection->socket, CONNECTION_BEHIND_BYTES);
}

/* From now on the client has a while to take some of what waits for it. */
static void
owe(struct rt_actor *self, struct connection *connection)
{
    if (connection->credit_owed == 0 && !connection->slice_owed)
        rt_timer_set(self, &connection->slow_timer, CONNECTION_SLOW_MAX_MS * RT_NS_PER_MS);
}

/* Output is credited as fast as the client reads, which is how a slow one slows its vendor. */
static void
account_output(struct rt_actor *self, struct connection *connection, uint32_t bytes)
{
    if (connection->credit_owed == 0 && !is_slow(connection)) {
        connection_credit(self, connection, bytes);
        return;
    }
    owe(self, connection);
    connection->credit_owed += bytes;
}

static void
ask_for_more(struct rt_actor *self, const struct connection *connection)
{
    rt_send_control(self, connection->session, rt_message_create_vital(SESSION_MORE, 0));
}

void
connection_on_slice(struct rt_actor *self, struct connection *connection,
                    const struct rt_message *message)
{
    if (connection->phase != CONNECTION_WEBSOCKET ||
        !rt_address_is(connection->session, message->from))
        return;
    if (!is_slow(connection)) {
        ask_for_more(self, connection);
        return;
    }
    owe(self, connection);
    connection->slice_owed = true;
}

static void
pay(struct rt_actor *self, struct connection *connection)
{
    if (connection->credit_owed > 0)
        connection_credit(self, connection, connection->credit_owed);
    connection->credit_owed = 0;
    if (connection->slice_owed)
        ask_for_more(self, connection);
    connection->slice_owed = false;
}

void
connection_on_drained(struct rt_actor *self, struct connection *connection)
{
    rt_timer_cancel(self, &connection->slow_timer);
    if (!connection_send_held(connection)) { /* it reads, though not fast */
        rt_timer_set(self, &connection->slow_timer, CONNECTION_SLOW_MAX_MS * RT_NS_PER_MS);
        return;
    }
    pay(self, connection);
    if (connection->ahead.messages > 0 && !rt_timer_is_armed(&connection->ahead.timer))
        connection_on_look(self, connection);
}

void
connection_on_frame(struct rt_actor *self, struct connection *connection,
                    struct rt_message *message)
{
    const struct frame_out *frame = rt_message_payload(message);
    if ((connection->resume != NULL || connection->replaced) &&
        connection_resume_drops(connection, frame))
        return;
    const void *body = message->buffer == NULL ? NULL : message->buffer->bytes;
    size_t body_bytes = message->buffer == NULL ? 0 : message->buffer->size_bytes;
    struct wire_bytes bytes;
    enum rt_status status = frame_encode(connection->format, frame, body, body_bytes, &bytes);
    if (status == RT_OK)
        status = connection_send(connection, bytes.bytes, bytes.size_bytes);
    if (status != RT_OK) { /* a frame would be missing: better no connection than a false one */
        connection->calls->close(connection->socket, 1013, "reads too slowly");
        return;
    }
    if (frame->type == FRAME_OUTPUT_TEXT || frame->type == FRAME_OUTPUT_AUDIO)
        account_output(self, connection, (uint32_t)body_bytes + SESSION_FRAME_WEIGHT);
    if (frame->type == FRAME_SESSION_ENDED) {
        connection->session = RT_NOBODY;
        connection_close_behind(connection, frame->ended.close_code,
                                session_end_name(frame->ended.reason));
    }
}

static void
decode(struct connection *connection, struct rt_message *message, struct frame_in *frame,
       struct rt_buffer **body)
{
    bool is_binary = ((const struct conn_message *)rt_message_payload(message))->is_binary;
    *body = NULL;
    if (is_binary == (connection->format == WIRE_MSGPACK)) {
        frame_decode(connection->format, message->buffer->bytes, message->buffer->size_bytes, frame,
                     body);
        return;
    }
    memset(frame, 0, sizeof(*frame));
    frame->type = CLIENT_BAD;
    frame->problem =
        problem_make(is_binary ? PROBLEM_BINARY_ON_JSON : PROBLEM_TEXT_ON_MSGPACK, NULL);
}

/* What the client sent has been forwarded. The socket may read on when the session keeps up. */
static void
account_input(struct rt_actor *self, struct connection *connection, size_t size_bytes)
{
    connection->ahead.messages++;
    connection->ahead.bytes += size_bytes;
    if (!rt_timer_is_armed(&connection->ahead.timer))
        connection_on_look(self, connection);
}

/* While frames wait here for the client to read, it is not read either: connection_on_drained()
 * looks again. */
void
connection_on_look(struct rt_actor *self, struct connection *connection)
{
    if (connection->backlog.first != NULL)
        return;
    if (rt_waiting_bytes(connection->session) > CONNECTION_AHEAD_BYTES) {
        rt_timer_set(self, &connection->ahead.timer, CONNECTION_AHEAD_LOOK_MS * RT_NS_PER_MS);
        return;
    }
    connection->calls->consumed(connection->socket, connection->ahead.messages,
                                connection->ahead.bytes);
    connection->ahead.messages = 0;
    connection->ahead.bytes = 0;
}

static void
pass_on(struct rt_actor *self, struct connection *connection, struct rt_message *message)
{
    if (connection->phase != CONNECTION_WEBSOCKET ||
        (connection->session.id == 0 && connection->resume == NULL))
        return;
    struct rt_message *forward = rt_message_create(SESSION_CLIENT, sizeof(struct frame_in));
    if (forward == NULL) {
        connection->calls->close(connection->socket, 1013, "overload");
        return;
    }
    struct frame_in *frame = rt_message_payload(forward);
    decode(connection, message, frame, &forward->buffer);
    if ((connection->resume != NULL || frame->type == CLIENT_RESUME) &&
        connection_resume_takes(self, connection, forward))
        return;
    if (rt_address_is(connection->session, RT_NOBODY)) { /* the one that was resumed has ended */
        rt_message_destroy(forward);
        return;
    }
    connection->heard = true;
    connection->bad_frames = frame->type == CLIENT_BAD ? connection->bad_frames + 1 : 0;
    if (rt_send(self, connection->session, forward) == RT_FULL)
        connection->calls->close(connection->socket, 1013, "too many frames at once");
    else if (connection->bad_frames > CONNECTION_BAD_FRAMES_MAX)
        connection->calls->close(connection->socket, 4400, "too many bad frames");
}

void
connection_on_message(struct rt_actor *self, struct connection *connection,
                      struct rt_message *message)
{
    pass_on(self, connection, message);
    account_input(self, connection, message->buffer->size_bytes);
}
