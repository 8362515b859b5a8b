/*
 * A session whose client's connection broke: it goes on for a while, and the client that shows its
 * token, and the credential it was opened with, takes it up where it was.
 *
 *   ATTACHED ──connection broke──► DETACHED ──resume──► BEHIND ──has got what it missed──► ATTACHED
 *      └──resume on another one──┘     │                  └─ connection broke, or another ──► …
 *                                      └── the window is over ──► ends, as when a client leaves
 *
 * Missed frames are sent a slice at a time, as the client reads them, and stay kept until then;
 * what is said meanwhile is kept behind them.
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

enum {
    SECRET_RANDOM_BYTES = 16,
    REPLAY_TICKS = 60,
    SLICE_BYTES = 16 * 1024, /* as they are kept; on the wire seldom more than twice that */
};

/* While the client is there, only what may be on its way is needed. While it is behind, a leg's
 * window of output, and what else there is to say, come on top of what was kept for it. */
static const struct session_replay_room rooms[] = {
    [RESUME_ATTACHED] = {.frames_max = 512, .bytes_max = 128 << 10},
    [RESUME_DETACHED] = {.frames_max = 512, .bytes_max = 512 << 10},
    [RESUME_BEHIND] = {.frames_max = 1024, .bytes_max = 640 << 10},
};

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
    session_replay_keep(&resume->frames, out, frame->buffer, resume->tick, &rooms[resume->state]);
    if (!is_output(out))
        return;
    uint64_t bytes = frame->buffer->size_bytes + SESSION_FRAME_WEIGHT;
    if (resume->state == RESUME_DETACHED)
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
    if (resume->state == RESUME_ATTACHED && resume->tick > REPLAY_TICKS)
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
    resume->state = RESUME_DETACHED;
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
    if (session->resume != NULL)
        session->resume->state = RESUME_DETACHED;
    if (session->keyed != NULL)
        return; /* the client may ask again for what comes of it */
    session_end(self, session, SESSION_USER_EXIT, 1000);
    session_check_end(self, session); /* it may have waited for a client that was behind */
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

/* Better no connection than a false one. */
static void
give_up_connection(struct rt_actor *self, const struct session *session)
{
    rt_exit(rt_system_of(self), session->connection, RT_EXIT_KILLED);
}

/* False when it could not be sent. The connection credits it, which was done before for what was
 * said while nobody was there. */
static bool
send_again(struct rt_actor *self, struct session *session, const struct session_kept *kept)
{
    struct session_resume *resume = session->resume;
    struct rt_message *message = rt_message_create(CONN_FRAME, sizeof(struct frame_out));
    if (message == NULL)
        return false;
    struct rt_buffer *body;
    struct frame_out *frame = rt_message_payload(message);
    session_replay_read(kept, frame, &body);
    message->buffer = body == NULL ? NULL : rt_buffer_acquire(body);
    if (is_output(frame) && frame->seq <= resume->credited_seq)
        resume->ahead_bytes += body->size_bytes + SESSION_FRAME_WEIGHT;
    resume->sent_seq = frame->seq;
    return rt_send(self, session->connection, message) != RT_FULL;
}

static void
send_slice(struct rt_actor *self, struct session *session)
{
    struct session_resume *resume = session->resume;
    if (!session_replay_has(&resume->frames, resume->sent_seq)) { /* it reads too slowly */
        give_up_connection(self, session);
        return;
    }
    const struct session_kept *kept = session_replay_find(&resume->frames, resume->sent_seq);
    size_t sent_bytes = 0;
    for (; kept != NULL && sent_bytes < SLICE_BYTES; kept = session_replay_next(kept)) {
        if (!send_again(self, session, kept)) {
            give_up_connection(self, session);
            return;
        }
        sent_bytes += session_replay_weight(kept);
    }
    if (kept == NULL)
        resume->state = RESUME_ATTACHED;
    else if (rt_send(self, session->connection, rt_message_create_vital(CONN_SLICE, 0)) == RT_FULL)
        give_up_connection(self, session);
}

void
session_on_more(struct rt_actor *self, struct session *session, const struct rt_message *message)
{
    if (!session_resume_is_behind(session) || !rt_address_is(session->connection, message->from))
        return;
    send_slice(self, session);
    session_check_end(self, session); /* it may have waited for this */
}

bool
session_resume_is_behind(const struct session *session)
{
    return session->resume != NULL && session->resume->state == RESUME_BEHIND;
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
    struct session_resume *resume = session->resume;
    if (resume->state != RESUME_DETACHED)
        replace(self, session);
    resume->state = RESUME_BEHIND;
    resume->sent_seq = ask->last_seq;
    resume->credited_seq = session->seq;
    rt_timer_cancel(self, &resume->window_timer);
    session->connection = message->from;
    session->ready = true;
    rt_monitor(self, session->connection);
    rt_timer_set(self, &session->idle_timer, session->world->session_idle_ms * RT_NS_PER_MS);
    session_watch_expiry(self, session, ask->expires_ms);
    session->usage_sent_ns = 0;
    session_emit_usage(self, session, 0); /* so that the client sees it has come back */
    send_slice(self, session);
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
