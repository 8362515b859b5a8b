/*
 * A session whose client's connection broke: it goes on for a while, and the client that shows its
 * token, and the credential it was opened with, takes it up where it was.
 *
 *   ATTACHED ──connection broke──► DETACHED ──resume──► ATTACHED: missed frames, then the rest
 *      └──resume on another one──┘     └── the window is over ──► ends, as when a client leaves
 *
 * Nothing else changes meanwhile: legs run, are metered, paid for and cut, and the credential's end
 * is the session's. Output is credited as if it were read.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "actors/session_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { SECRET_RANDOM_BYTES = 16, REPLAY_TICKS = 60 };

void
session_resume_init(struct rt_actor *self, struct session *session, uint64_t credential)
{
    if (session->transport != TENANT_WEBSOCKET || session->world->resume_ms == 0)
        return;
    struct session_resume *resume = rt_pool_take(sizeof(*resume));
    if (resume == NULL)
        return; /* it cannot be resumed, and gives no token */
    *resume = (struct session_resume){.credential = credential};
    uint8_t random[SECRET_RANDOM_BYTES];
    rt_random(self, random, sizeof(random));
    sodium_bin2hex(resume->secret, sizeof(resume->secret), random, sizeof(random));
    session->resume = resume;
}

void
session_resume_deinit(struct rt_actor *self, struct session *session)
{
    struct session_resume *resume = session->resume;
    if (resume == NULL)
        return;
    rt_timer_cancel(self, &resume->window_timer);
    session_replay_clear(&resume->frames);
    explicit_bzero(resume->secret, sizeof(resume->secret));
    rt_pool_give(resume, sizeof(*resume));
    session->resume = NULL;
}

void
session_resume_token(const struct session *session, char token_out[FRAME_RESUME_TOKEN_BYTES])
{
    token_out[0] = '\0';
    if (session->resume != NULL)
        snprintf(token_out, FRAME_RESUME_TOKEN_BYTES, "%s.%s", session->id,
                 session->resume->secret);
}

static bool
is_output(const struct frame_out *frame)
{
    return frame->type == FRAME_OUTPUT_TEXT || frame->type == FRAME_OUTPUT_AUDIO;
}

static void
credit(struct rt_actor *self, struct session *session, uint64_t bytes)
{
    if (bytes > 0)
        session_on_credit(self, session, bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)bytes);
}

void
session_resume_keep(struct rt_actor *self, struct session *session, struct rt_message *frame)
{
    struct session_resume *resume = session->resume;
    const struct frame_out *out = rt_message_payload(frame);
    if (out->type == FRAME_SESSION_ENDED)
        return; /* nobody can come back to it */
    session_replay_keep(&resume->frames, out, frame->buffer, resume->tick,
                        resume->detached ? SESSION_REPLAY_AWAY_BYTES_MAX
                                         : SESSION_REPLAY_BYTES_MAX);
    if (!is_output(out))
        return;
    uint64_t bytes = frame->buffer->size_bytes + SESSION_FRAME_WEIGHT;
    if (resume->detached)
        credit(self, session, bytes);
    else
        resume->uncredited_bytes += bytes;
}

void
session_resume_tick(struct session *session)
{
    struct session_resume *resume = session->resume;
    if (resume == NULL)
        return;
    resume->tick++;
    if (!resume->detached && resume->tick > REPLAY_TICKS)
        session_replay_forget(&resume->frames, resume->tick - REPLAY_TICKS);
}

uint32_t
session_resume_count_credit(struct session *session, struct rt_message *message)
{
    struct session_resume *resume = session->resume;
    uint32_t bytes = ((struct session_credit *)rt_message_payload(message))->bytes;
    if (resume == NULL)
        return bytes;
    if (!rt_address_is(session->connection, message->from))
        return 0; /* of a connection before this one: credited when it went */
    uint32_t again = bytes < resume->ahead_bytes ? bytes : (uint32_t)resume->ahead_bytes;
    resume->ahead_bytes -= again;
    bytes -= again;
    resume->uncredited_bytes -= bytes < resume->uncredited_bytes ? bytes : resume->uncredited_bytes;
    return bytes;
}

/* What the connection was sent and has not credited, nobody will any more. */
static void
detach(struct rt_actor *self, struct session *session)
{
    struct session_resume *resume = session->resume;
    resume->detached = true;
    session->ready = false;
    session->connection = RT_NOBODY;
    uint64_t bytes = resume->uncredited_bytes;
    resume->uncredited_bytes = resume->ahead_bytes = 0;
    credit(self, session, bytes);
}

void
session_on_detached(struct rt_actor *self, struct session *session,
                    const struct rt_message *message)
{
    if (session->resume == NULL || session->phase != SESSION_OPEN ||
        !rt_address_is(session->connection, message->from))
        return; /* it ends when the connection does */
    rt_timer_set(self, &session->resume->window_timer, session->world->resume_ms * RT_NS_PER_MS);
    detach(self, session);
}

void
session_on_down(struct rt_actor *self, struct session *session, const struct rt_down *down)
{
    if (!rt_address_is(session->connection, down->who))
        return; /* of a connection before this one */
    session->ready = false;
    if (session->keyed != NULL)
        return; /* the client may ask again for what comes of it */
    session_end(self, session, SESSION_USER_EXIT, 1000);
}

bool
session_on_resume_timer(struct rt_actor *self, struct session *session,
                        const struct rt_timer *timer)
{
    if (session->resume == NULL || timer != &session->resume->window_timer)
        return false;
    session_end(self, session, SESSION_USER_EXIT, 1000);
    return true;
}

/* Whether whoever asks is who opened it; and then, whether what he missed is still there. */
static struct problem
judge(const struct session *session, struct rt_message *message)
{
    const struct session_resume *resume = session->resume;
    const struct session_resume_ask *ask = rt_message_payload(message);
    if (resume == NULL || session->phase != SESSION_OPEN || ask->credential != resume->credential ||
        sodium_memcmp(ask->secret, resume->secret, sizeof(resume->secret)) != 0 ||
        rt_address_is(session->connection, message->from))
        return problem_make(PROBLEM_RESUME_UNAVAILABLE, PROBLEM_RESUME_UNKNOWN_TEXT);
    if (ask->last_seq > session->seq)
        return problem_make(PROBLEM_RESUME_UNAVAILABLE,
                            "last_seq is %llu, and the session's last frame was %llu",
                            (unsigned long long)ask->last_seq, (unsigned long long)session->seq);
    if (!session_replay_has(&resume->frames, ask->last_seq))
        return problem_make(PROBLEM_RESUME_UNAVAILABLE,
                            "more was missed than is kept: open a new session");
    return problem_make(PROBLEM_NONE, NULL);
}

/* The new connection credits what is replayed; that was done before. */
static void
replay(struct rt_actor *self, struct session *session, uint64_t last_seq)
{
    struct session_resume *resume = session->resume;
    const struct session_kept *kept = session_replay_find(&resume->frames, last_seq);
    for (; kept != NULL; kept = session_replay_next(kept)) {
        struct rt_message *message = rt_message_create(CONN_FRAME, sizeof(struct frame_out));
        if (message == NULL) { /* better no connection than a false one */
            rt_exit(rt_system_of(self), session->connection, RT_EXIT_KILLED);
            return;
        }
        struct rt_buffer *body;
        struct frame_out *frame = rt_message_payload(message);
        session_replay_read(kept, frame, &body);
        message->buffer = body == NULL ? NULL : rt_buffer_acquire(body);
        if (is_output(frame))
            resume->ahead_bytes += body->size_bytes + SESSION_FRAME_WEIGHT;
        if (rt_send(self, session->connection, message) == RT_FULL) {
            rt_exit(rt_system_of(self), session->connection, RT_EXIT_KILLED);
            return;
        }
    }
}

static void
replace(struct rt_actor *self, struct session *session)
{
    struct rt_message *message = rt_message_create_vital(CONN_REPLACED, 0);
    rt_send_control(self, session->connection, message);
    detach(self, session);
}

static void
attach(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    const struct session_resume_ask *ask = rt_message_payload(message);
    if (!session->resume->detached)
        replace(self, session);
    session->resume->detached = false;
    rt_timer_cancel(self, &session->resume->window_timer);
    session->connection = message->from;
    session->ready = true;
    rt_monitor(self, session->connection);
    rt_timer_set(self, &session->idle_timer, session->world->session_idle_ms * RT_NS_PER_MS);
    replay(self, session, ask->last_seq);
    session_watch_expiry(self, session, ask->expires_ms);
    session->usage_sent_ns = 0;
    session_emit_usage(self, session, 0); /* so that the client sees it has come back */
}

void
session_on_resume(struct rt_actor *self, struct session *session, struct rt_message *message)
{
    struct rt_message *answer = rt_message_create(SESSION_RESUMED, sizeof(struct session_resumed));
    if (answer == NULL)
        return; /* the runtime answers in our place */
    struct session_resumed *resumed = rt_message_payload(answer);
    resumed->problem = judge(session, message);
    bool may = resumed->problem.reason == PROBLEM_NONE;
    rt_answer(self, message, answer);
    if (may)
        attach(self, session, message);
}
