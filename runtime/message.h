/*
 * runtime/message.h - what actors send to each other.
 *
 * A message is a header, a small payload that its `kind` gives a type, and perhaps one
 * buffer. It has one owner at a time: who makes it, then (by sending) the mailbox, then
 * the receiving turn, which frees it unless the handler takes it.
 */
#ifndef RUNTIME_MESSAGE_H
#define RUNTIME_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/queue.h"
#include "runtime/status.h"

struct rt_actor;

/*
 * Names an actor for ever: `id` is never used again in this process, so a message to
 * an actor that died never reaches another one in the same place. Zero means nobody.
 */
struct rt_address {
    struct rt_actor *actor;
    uint64_t id;
};

#define RT_NOBODY ((struct rt_address){NULL, 0})

static inline bool
rt_address_is(struct rt_address a, struct rt_address b)
{
    return a.id == b.id;
}

/* Kinds below RT_KIND_USER are the runtime's own. */
enum rt_kind {
    RT_KIND_START = 1,   /* no payload: the first message of every actor */
    RT_KIND_EXIT = 2,    /* struct rt_exit: please end; the runtime does it after this turn */
    RT_KIND_DOWN = 3,    /* struct rt_down: an actor you watch, or your child, has ended */
    RT_KIND_TIMER = 4,   /* struct rt_timer_fired */
    RT_KIND_FAILED = 5,  /* struct rt_failed: the answer to a request that got none */
    RT_KIND_MONITOR = 6, /* struct rt_address of the watcher; handled by the runtime */
    RT_KIND_UNMONITOR = 7,
    RT_KIND_LINK = 8, /* struct rt_address of the other one; handled by the runtime */
    RT_KIND_UNLINK = 9,
    RT_KIND_LINK_BROKEN = 10, /* struct rt_down: to who traps it; see rt_link() */
    RT_KIND_USER = 64,
};

enum rt_message_flag {
    RT_MESSAGE_CONTROL = 1 << 0, /* control lane: overtakes data, never refused for lack of room */
    RT_MESSAGE_REQUEST = 1 << 1, /* the sender waits for exactly one answer */
    RT_MESSAGE_ANSWER = 1 << 2,  /* answers `request_id` */
};

/* The flags' upper byte: how often its handling has failed an actor. */
enum { RT_MESSAGE_FAILURES_SHIFT = 8 };

struct rt_message {
    struct rt_link link;
    uint64_t target_id;
    struct rt_address from; /* RT_NOBODY when sent from outside the actors */
    uint64_t request_id;    /* chosen by the requester; 0 when there is none */
    uint32_t kind;
    uint16_t size_bytes; /* of the payload */
    uint16_t flags;
    struct rt_buffer *buffer; /* or NULL; one hold of it belongs to the message */
    /* Or NULL: gives back what the payload owns, when the message is freed with or without having
     * been handled. A receiver that takes something out of the payload leaves NULL there. */
    void (*give_back)(struct rt_message *message);
    _Alignas(16) uint8_t payload[];
};

_Static_assert(sizeof(struct rt_message) == 64, "a message without payload is one cache line");

enum { RT_MESSAGE_PAYLOAD_BYTES_MAX = 4096 };

/*
 * Makes a message with a zeroed payload.
 *
 *   kind           RT_KIND_USER or above
 *   payload_bytes  at most RT_MESSAGE_PAYLOAD_BYTES_MAX
 *   returns        NULL when out of memory
 *   ownership      the caller's, until it is sent
 *   threads        any
 */
struct rt_message *rt_message_create(uint32_t kind, size_t payload_bytes);

/*
 * As rt_message_create(), for what must be said even without memory: answers, ends, timers. Then
 * it comes from a reserve, which is filled up again while there is memory; when that is used up
 * too, the process aborts, and what was durable is recovered at its next start.
 *
 *   payload_bytes  at most RT_MESSAGE_VITAL_BYTES_MAX
 *   returns        never NULL
 */
struct rt_message *rt_message_create_vital(uint32_t kind, size_t payload_bytes);

enum { RT_MESSAGE_VITAL_BYTES_MAX = 384 };

/* Fills the reserve. Before the first actor. RT_OK | RT_NO_MEMORY. Threads: any. */
RT_MUST_USE enum rt_status rt_message_reserve(void);

/* Frees a message and its hold on the buffer. NULL is ignored. Threads: the owner's. */
void rt_message_destroy(struct rt_message *message);

/* The payload as the type that the kind stands for. */
static inline void *
rt_message_payload(struct rt_message *message)
{
    return message->payload;
}

/* What counts against a mailbox's byte limit. */
static inline uint64_t
rt_message_weight_bytes(const struct rt_message *message)
{
    uint64_t bytes = sizeof(struct rt_message) + message->size_bytes;
    return message->buffer == NULL ? bytes : bytes + message->buffer->size_bytes;
}

#endif
