/*
 * actors/session_replay.h - the last frames a session has said, for a client that comes back.
 *
 *   keep ──► │ oldest … newest │ ──► frames behind a sequence number, in order
 *                 └── dropped: too many, too many bytes, or too old
 *
 * Frames are kept as values, without what their type does not use, and share their bodies with the
 * messages that carried them. What was dropped cannot be replayed: session_replay_has() says so.
 */
#ifndef ACTORS_SESSION_REPLAY_H
#define ACTORS_SESSION_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/frames.h"
#include "runtime/buffer.h"

struct session_replay_room {
    uint32_t frames_max;
    size_t bytes_max; /* of bodies and all */
};

struct session_kept;

/* Zeroed means empty. */
struct session_replay {
    struct session_kept *first, *last; /* oldest first */
    uint32_t count;
    size_t size_bytes;
    uint64_t dropped_seq; /* frames up to this one are not kept */
};

/*
 * Keeps a frame; those that have no room any more are dropped, the oldest first. The newest is
 * always kept, but when there is no memory: then nothing up to it is.
 *
 *   body   its buffer, or NULL; a reference is taken
 *   tick   a clock of the caller's, for session_replay_forget()
 *   room   for all that is kept
 */
void session_replay_keep(struct session_replay *replay, const struct frame_out *frame,
                         struct rt_buffer *body, uint64_t tick,
                         const struct session_replay_room *room);

/* Drops what was kept before `tick`. */
void session_replay_forget(struct session_replay *replay, uint64_t tick);

/* Whether every frame behind `seq` is still there. */
bool session_replay_has(const struct session_replay *replay, uint64_t seq);

/* The oldest kept frame behind `seq`, or NULL; session_replay_next() goes on. */
const struct session_kept *session_replay_find(const struct session_replay *replay, uint64_t seq);
const struct session_kept *session_replay_next(const struct session_kept *kept);

/* About how many bytes it takes. */
size_t session_replay_weight(const struct session_kept *kept);

/* The frame again, as it was. *body_out belongs to what is kept. */
void session_replay_read(const struct session_kept *kept, struct frame_out *frame_out,
                         struct rt_buffer **body_out);

/* Lets go of all. */
void session_replay_clear(struct session_replay *replay);

#endif
