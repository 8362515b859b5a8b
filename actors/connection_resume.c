/*
 * A client that comes back on a new connection: its first frame, `resume`, names the session and
 * shows that it is its own; from then on this connection is that session's.
 *
 *   resume ──► registry: where is it, and whose? ──► session: may he? ──► its frames come here
 *                       └── no ──┴── no ──► error; with ?resume=1 that is the end
 *
 * A client opens the connection with ?resume=1: then no new session is begun. One that does not
 * has a new session, which is left when the old one is found, and gone on with when not.
 */
#include <string.h>

#include "actors/connection_state.h"
#include "runtime/pool.h"
#include "runtime/table.h"
#include "runtime/text.h"

enum { WAITING_MAX = 32, PATIENCE_MS = 10000 };

struct connection_resume {
    char session_id[VITO_ID_BYTES]; /* "": none is asked for yet */
    struct frame_id id;             /* of the frame that asked */
    struct session_resume_ask ask;
    uint64_t request_id; /* under way, to the registry or the session; 0: none is */
    bool found;          /* frames of another session are dropped */
    struct rt_timer patience_timer;
    struct rt_message *waiting[WAITING_MAX]; /* what the client sent meanwhile */
    unsigned waiting_count;
};

bool
connection_is_for_resume(const struct connection *connection)
{
    static const char wanted[] = "resume=1";
    const char *at = connection_text(connection, connection->request.query);
    for (size_t size; *at != '\0'; at += size, at += strspn(at, "&")) {
        size = strcspn(at, "&");
        if (size == sizeof(wanted) - 1 && strncmp(at, wanted, size) == 0)
            return true;
    }
    return false;
}

static struct connection_resume *
make(struct connection *connection)
{
    struct connection_resume *resume = rt_pool_take(sizeof(*resume));
    if (resume != NULL)
        *resume = (struct connection_resume){.request_id = 0};
    return connection->resume = resume;
}

void
connection_resume_free(struct rt_actor *self, struct connection *connection)
{
    struct connection_resume *resume = connection->resume;
    if (resume == NULL)
        return;
    rt_timer_cancel(self, &resume->patience_timer);
    while (resume->waiting_count > 0)
        rt_message_destroy(resume->waiting[--resume->waiting_count]);
    explicit_bzero(&resume->ask, sizeof(resume->ask));
    rt_pool_give(resume, sizeof(*resume));
    connection->resume = NULL;
}

void
connection_await_resume(struct rt_actor *self, struct connection *connection)
{
    if (make(connection) == NULL) {
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    connection->answered = true;
    connection->phase = CONNECTION_WEBSOCKET;
    connection->calls->upgrade(connection->socket, connection->subprotocol);
    connection_forget_request(connection);
    rt_timer_set(self, &connection->resume->patience_timer, PATIENCE_MS * RT_NS_PER_MS);
}

static void
send_waiting(struct rt_actor *self, struct connection *connection)
{
    struct connection_resume *resume = connection->resume;
    bool full = false;
    for (unsigned i = 0; i < resume->waiting_count; i++)
        full = rt_send(self, connection->session, resume->waiting[i]) == RT_FULL || full;
    resume->waiting_count = 0;
    if (full)
        connection->calls->close(connection->socket, 1013, "too many frames at once");
}

/* A new session says it, and is gone on with. Where there is none, that was all. */
static void
refuse(struct rt_actor *self, struct connection *connection, const struct problem *problem)
{
    struct connection_resume *resume = connection->resume;
    resume->request_id = 0;
    if (rt_address_is(connection->session, RT_NOBODY)) {
        const struct frame_out frame = {.type = FRAME_ERROR,
                                        .seq = 1,
                                        .id = resume->id,
                                        .error = {.problem = *problem, .fatal = true}};
        connection_say_last(connection, &frame);
        resume->found = true; /* nothing that comes behind it counts */
        return;
    }
    struct rt_message *message = rt_message_create(SESSION_CLIENT, sizeof(struct frame_in));
    if (message == NULL) {
        connection->calls->close(connection->socket, 1013, "overload");
        return;
    }
    struct frame_in *bad = rt_message_payload(message);
    bad->type = CLIENT_BAD;
    bad->id = resume->id;
    bad->problem = *problem;
    if (rt_send(self, connection->session, message) == RT_FULL)
        connection->calls->close(connection->socket, 1013, "too many frames at once");
    send_waiting(self, connection);
    connection_resume_free(self, connection);
}

static void
refuse_unknown(struct rt_actor *self, struct connection *connection)
{
    struct problem problem = problem_make(PROBLEM_RESUME_UNAVAILABLE, PROBLEM_RESUME_UNKNOWN_TEXT);
    refuse(self, connection, &problem);
}

/* Splits "<session id>.<secret>". */
static bool
read_token(struct connection_resume *resume, const char *token)
{
    const char *dot = strchr(token, '.');
    if (dot == NULL || dot == token || dot - token >= VITO_ID_BYTES ||
        strlen(dot + 1) != FRAME_RESUME_SECRET_BYTES - 1)
        return false;
    memcpy(resume->session_id, token, (size_t)(dot - token));
    RT_TEXT_SET(resume->ask.secret, dot + 1);
    return true;
}

static void
begin(struct rt_actor *self, struct connection *connection, const struct frame_in *frame)
{
    struct connection_resume *resume = connection->resume;
    rt_timer_cancel(self, &resume->patience_timer);
    resume->id = frame->id;
    resume->ask.last_seq = frame->last_seq;
    resume->ask.credential = rt_hash_text(connection->caller.name);
    resume->ask.expires_ms = connection->caller.expires_ms;
    struct rt_message *message = NULL;
    if (read_token(resume, frame->resume_token))
        message = rt_message_create(REGISTRY_FIND_SESSION, sizeof(struct session_note));
    if (message == NULL) {
        refuse_unknown(self, connection);
        return;
    }
    RT_TEXT_SET(((struct session_note *)rt_message_payload(message))->session_id,
                resume->session_id);
    resume->request_id = ++connection->request_id;
    rt_request(self, connection->world->registry, message, resume->request_id);
}

bool
connection_resume_takes(struct rt_actor *self, struct connection *connection,
                        struct rt_message *forward)
{
    struct frame_in *frame = rt_message_payload(forward);
    struct connection_resume *resume = connection->resume;
    bool is_new = resume != NULL && !resume->found && resume->request_id == 0;
    if (resume != NULL && resume->request_id != 0) {
        if (resume->waiting_count < WAITING_MAX) {
            resume->waiting[resume->waiting_count++] = forward;
            return true;
        }
        connection->calls->close(connection->socket, 1013, "too many frames at once");
    } else if (frame->type == CLIENT_RESUME &&
               (is_new || (resume == NULL && !connection->heard && make(connection) != NULL))) {
        begin(self, connection, frame);
    } else if (is_new) {
        struct problem problem =
            problem_make(PROBLEM_RESUME_UNAVAILABLE, "with ?resume=1 the first frame is resume");
        refuse(self, connection, frame->type == CLIENT_BAD ? &frame->problem : &problem);
    } else {
        if (frame->type == CLIENT_RESUME) {
            frame->type = CLIENT_BAD;
            frame->problem = problem_make(PROBLEM_RESUME_UNAVAILABLE,
                                          "resume is the first frame of a connection");
        }
        return false;
    }
    rt_message_destroy(forward);
    return true;
}

void
connection_resume_on_found(struct rt_actor *self, struct connection *connection,
                           struct rt_message *message)
{
    struct connection_resume *resume = connection->resume;
    const struct registry_resolved *resolved = rt_message_payload(message);
    if (resume->request_id == 0 || message->request_id != resume->request_id)
        return;
    struct rt_message *ask = NULL;
    if (resolved->refused == PROBLEM_NONE &&
        strcmp(resolved->tenant_id, connection->tenant_id) == 0)
        ask = rt_message_create(SESSION_RESUME, sizeof(struct session_resume_ask));
    if (ask == NULL) {
        refuse_unknown(self, connection);
        return;
    }
    *(struct session_resume_ask *)rt_message_payload(ask) = resume->ask;
    resume->request_id = ++connection->request_id;
    rt_request_control(self, resolved->address, ask, resume->request_id);
}

/* The session that was begun meanwhile is left: nobody hears of its end. */
static void
leave(struct rt_actor *self, struct connection *connection)
{
    if (rt_address_is(connection->session, RT_NOBODY))
        return;
    struct rt_message *message =
        rt_message_create_vital(SESSION_TERMINATE, sizeof(struct session_terminate));
    *(struct session_terminate *)rt_message_payload(message) =
        (struct session_terminate){.reason = SESSION_USER_EXIT, .close_code = 1000};
    rt_send_control(self, connection->session, message);
}

void
connection_resume_on_answer(struct rt_actor *self, struct connection *connection,
                            struct rt_message *message)
{
    struct connection_resume *resume = connection->resume;
    const struct session_resumed *resumed = rt_message_payload(message);
    if (resume == NULL || resume->request_id == 0 || message->request_id != resume->request_id)
        return;
    if (resumed->problem.reason != PROBLEM_NONE) {
        refuse(self, connection, &resumed->problem);
        return;
    }
    leave(self, connection);
    resume->request_id = 0;
    resume->found = true;
    connection->session = message->from;
    rt_monitor(self, connection->session);
    send_waiting(self, connection);
}

bool
connection_resume_on_failed(struct rt_actor *self, struct connection *connection,
                            const struct rt_message *message)
{
    const struct connection_resume *resume = connection->resume;
    if (resume == NULL || resume->request_id == 0 || message->request_id != resume->request_id)
        return false;
    refuse_unknown(self, connection); /* it has ended meanwhile */
    return true;
}

bool
connection_resume_on_timer(struct connection *connection, const struct rt_timer *timer)
{
    if (connection->resume == NULL || timer != &connection->resume->patience_timer)
        return false;
    connection->calls->close(connection->socket, 4408, "resume did not come");
    return true;
}

bool
connection_resume_drops(const struct connection *connection, const struct frame_out *frame)
{
    const struct connection_resume *resume = connection->resume;
    return connection->replaced ||
           (resume->found && strcmp(frame->session_id, resume->session_id) != 0);
}

void
connection_on_broken(struct rt_actor *self, struct connection *connection)
{
    if (connection->phase == CONNECTION_WEBSOCKET && !rt_address_is(connection->session, RT_NOBODY))
        rt_send_control(self, connection->session, rt_message_create_vital(SESSION_DETACHED, 0));
    rt_stop(self, RT_EXIT_NORMAL);
}

void
connection_on_replaced(struct connection *connection, const struct rt_message *message)
{
    if (!rt_address_is(connection->session, message->from))
        return;
    connection->session = RT_NOBODY;
    connection->replaced = true;
    connection->calls->close(connection->socket, 4409, "resumed on another connection");
}
