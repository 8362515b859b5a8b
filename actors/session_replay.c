#include "actors/session_replay.h"

#include <stddef.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/pool.h"

struct session_kept {
    struct session_kept *next;
    struct rt_buffer *body;
    uint64_t seq, tick;
    uint32_t frame_bytes;
    uint8_t frame[]; /* the first so many of a frame_out */
};

#define USED_BYTES(member)                                                                         \
    (offsetof(struct frame_out, member) + sizeof(((struct frame_out *)NULL)->member))

/* How much of a frame its type uses. */
static uint32_t
used_bytes(enum frame_type type)
{
    switch (type) {
    case FRAME_SESSION_STARTED:
        return USED_BYTES(started);
    case FRAME_TURN_QUEUED:
        return USED_BYTES(queued);
    case FRAME_TURN_ACCEPTED:
        return USED_BYTES(decision);
    case FRAME_OUTPUT_TEXT:
        return USED_BYTES(id);
    case FRAME_OUTPUT_AUDIO:
        return USED_BYTES(format);
    case FRAME_TURN_DONE:
        return USED_BYTES(done);
    case FRAME_TURN_REFUSED:
    case FRAME_ERROR:
        return USED_BYTES(error);
    case FRAME_USAGE:
        return USED_BYTES(usage);
    case FRAME_MODE_CHANGED:
        return USED_BYTES(mode);
    case FRAME_QUOTA_WARNING:
        return USED_BYTES(warning);
    case FRAME_SESSION_ENDED:
    case FRAME_TYPE_COUNT:
        break;
    }
    return sizeof(struct frame_out);
}

size_t
session_replay_weight(const struct session_kept *kept)
{
    return sizeof(*kept) + kept->frame_bytes + (kept->body == NULL ? 0 : kept->body->size_bytes);
}

static void
drop_first(struct session_replay *replay)
{
    struct session_kept *kept = replay->first;
    replay->first = kept->next;
    replay->count--;
    replay->size_bytes -= session_replay_weight(kept);
    replay->dropped_seq = kept->seq;
    rt_buffer_release(kept->body);
    rt_pool_give(kept, sizeof(*kept) + kept->frame_bytes);
}

void
session_replay_keep(struct session_replay *replay, const struct frame_out *frame,
                    struct rt_buffer *body, uint64_t tick, const struct session_replay_room *room)
{
    RT_ASSERT(replay->count == 0 || replay->last->seq < frame->seq);
    uint32_t frame_bytes = used_bytes(frame->type);
    struct session_kept *kept = rt_pool_take(sizeof(*kept) + frame_bytes);
    if (kept == NULL) { /* a gap: nothing before it is of use */
        session_replay_clear(replay);
        replay->dropped_seq = frame->seq;
        return;
    }
    *kept = (struct session_kept){.body = body == NULL ? NULL : rt_buffer_acquire(body),
                                  .seq = frame->seq,
                                  .tick = tick,
                                  .frame_bytes = frame_bytes};
    memcpy(kept->frame, frame, frame_bytes);
    if (replay->count == 0)
        replay->first = kept;
    else
        replay->last->next = kept;
    replay->last = kept;
    replay->count++;
    replay->size_bytes += session_replay_weight(kept);
    while (replay->count > 1 &&
           (replay->count > room->frames_max || replay->size_bytes > room->bytes_max))
        drop_first(replay);
}

void
session_replay_forget(struct session_replay *replay, uint64_t tick)
{
    while (replay->count > 0 && replay->first->tick < tick)
        drop_first(replay);
}

bool
session_replay_has(const struct session_replay *replay, uint64_t seq)
{
    return seq >= replay->dropped_seq;
}

const struct session_kept *
session_replay_find(const struct session_replay *replay, uint64_t seq)
{
    const struct session_kept *kept = replay->count == 0 ? NULL : replay->first;
    while (kept != NULL && kept->seq <= seq)
        kept = kept->next;
    return kept;
}

const struct session_kept *
session_replay_next(const struct session_kept *kept)
{
    return kept->next;
}

void
session_replay_read(const struct session_kept *kept, struct frame_out *frame_out,
                    struct rt_buffer **body_out)
{
    memset(frame_out, 0, sizeof(*frame_out));
    memcpy(frame_out, kept->frame, kept->frame_bytes);
    *body_out = kept->body;
}

void
session_replay_clear(struct session_replay *replay)
{
    while (replay->count > 0)
        drop_first(replay);
}
