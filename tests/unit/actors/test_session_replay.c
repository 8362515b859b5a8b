/* What a session keeps of what it said: in order, bounded, and never with a gap unnoticed. */
#include <criterion/criterion.h>
#include <string.h>

#include "actors/session_replay.h"
#include "runtime/assert.h"
#include "runtime/compiler.h"

static struct session_replay replay;
static const struct session_replay_room room = {.frames_max = 512, .bytes_max = 128 << 10};

static void
keep(uint64_t seq, uint64_t tick, uint32_t body_bytes)
{
    struct frame_out frame = {.type = FRAME_OUTPUT_TEXT, .seq = seq, .session_id = "ses_x"};
    struct rt_buffer *body = body_bytes == 0 ? NULL : rt_buffer_create(body_bytes);
    if (body != NULL)
        memset(body->bytes, (int)seq, body_bytes);
    session_replay_keep(&replay, &frame, body, tick, &room);
    rt_buffer_release(body);
}

/* The sequence numbers behind `seq`, as one number in base ten. */
static uint64_t
behind(uint64_t seq)
{
    uint64_t all = 0;
    const struct session_kept *kept = session_replay_find(&replay, seq);
    for (; kept != NULL; kept = session_replay_next(kept)) {
        struct frame_out frame;
        struct rt_buffer *body;
        session_replay_read(kept, &frame, &body);
        all = all * 10 + frame.seq;
    }
    return all;
}

static void
clear(void)
{
    session_replay_clear(&replay);
}

TestSuite(session_replay, .fini = clear);

Test(session_replay, frames_come_back_in_order_from_where_the_client_stopped)
{
    cr_assert(session_replay_has(&replay, 0));
    for (uint64_t seq = 1; seq <= 5; seq++)
        keep(seq, 0, 10);
    cr_assert_eq(behind(0), 12345);
    cr_assert_eq(behind(3), 45);
    cr_assert_eq(behind(5), 0);
    cr_assert(session_replay_has(&replay, 0));
}

Test(session_replay, a_frame_comes_back_as_it_was)
{
    static const enum frame_type types[] = {
        FRAME_SESSION_STARTED, FRAME_TURN_QUEUED,  FRAME_TURN_ACCEPTED, FRAME_OUTPUT_AUDIO,
        FRAME_TURN_DONE,       FRAME_TURN_REFUSED, FRAME_USAGE,         FRAME_MODE_CHANGED,
        FRAME_QUOTA_WARNING,   FRAME_ERROR};
    struct rt_buffer *body = rt_buffer_copy("{\"x\":1}", 7);
    for (size_t i = 0; i < RT_COUNT_OF(types); i++) {
        struct frame_out frame, again;
        struct wire_bytes bytes;
        struct rt_buffer *its_body;
        /* Every byte of the union that the type uses is told from zero. */
        memset(&frame, 0, sizeof(frame));
        frame.type = types[i];
        frame.seq = i + 1;
        RT_ASSERT(sizeof(frame.session_id) > 5);
        memcpy(frame.session_id, "ses_x", 6);
        memcpy(frame.id.text, "t1", 3);
        if (types[i] == FRAME_TURN_DONE)
            frame.done.cost_nusd = 7, frame.done.interrupted = true,
            memcpy(frame.done.provider_id, "openai", 7);
        if (types[i] == FRAME_USAGE)
            frame.usage.session_nusd = 9;
        if (types[i] == FRAME_TURN_ACCEPTED)
            memcpy(frame.decision.policy_version, "sha256:1", 9);
        if (types[i] == FRAME_SESSION_STARTED)
            memcpy(frame.started.resume_token, "ses_x.y", 8);
        if (types[i] == FRAME_ERROR || types[i] == FRAME_TURN_REFUSED)
            frame.error.problem.reason = PROBLEM_OVERLOAD, frame.error.fatal = true;
        if (types[i] == FRAME_MODE_CHANGED)
            memcpy(frame.mode.reason, "client", 7);
        if (types[i] == FRAME_QUOTA_WARNING)
            frame.warning.remaining_nusd = 11;
        session_replay_keep(&replay, &frame, body, 0, &room);
        session_replay_read(session_replay_find(&replay, i), &again, &its_body);
        cr_assert_eq(its_body, body);
        char first[2048];
        cr_assert_eq(frame_encode(WIRE_JSON, &frame, body->bytes, body->size_bytes, &bytes), RT_OK);
        cr_assert_lt(bytes.size_bytes, sizeof(first));
        memcpy(first, bytes.bytes, bytes.size_bytes);
        size_t first_bytes = bytes.size_bytes;
        cr_assert_eq(frame_encode(WIRE_JSON, &again, body->bytes, body->size_bytes, &bytes), RT_OK);
        cr_assert_eq(bytes.size_bytes, first_bytes);
        cr_assert(memcmp(bytes.bytes, first, first_bytes) == 0, "%.*s", (int)first_bytes, first);
    }
    rt_buffer_release(body);
}

Test(session_replay, too_many_frames_push_out_the_oldest_and_that_is_known)
{
    for (uint64_t seq = 1; seq <= room.frames_max + 2; seq++)
        keep(seq, 0, 0);
    cr_assert_eq(replay.count, room.frames_max);
    cr_assert_not(session_replay_has(&replay, 1));
    cr_assert(session_replay_has(&replay, 2));
}

Test(session_replay, too_many_bytes_push_out_the_oldest_but_never_the_newest)
{
    keep(1, 0, (uint32_t)room.bytes_max / 2);
    keep(2, 0, (uint32_t)room.bytes_max / 2);
    cr_assert_not(session_replay_has(&replay, 0));
    cr_assert(session_replay_has(&replay, 1));
    keep(3, 0, 4 * (uint32_t)room.bytes_max);
    cr_assert_eq(behind(0), 3);
    cr_assert_not(session_replay_has(&replay, 1));
    cr_assert(session_replay_has(&replay, 2));
    keep(4, 0, 10);
    cr_assert_eq(behind(0), 4);
    cr_assert_leq(replay.size_bytes, room.bytes_max);
}

Test(session_replay, old_frames_are_forgotten)
{
    for (uint64_t seq = 1; seq <= 6; seq++)
        keep(seq, seq / 2, 10);
    session_replay_forget(&replay, 2);
    cr_assert_eq(behind(0), 456);
    cr_assert_not(session_replay_has(&replay, 2));
    cr_assert(session_replay_has(&replay, 3));
    session_replay_forget(&replay, 9);
    cr_assert_eq(replay.count, 0);
    cr_assert_eq(replay.size_bytes, 0);
    cr_assert(session_replay_has(&replay, 6));
    keep(7, 9, 10);
    cr_assert_eq(behind(6), 7);
}
