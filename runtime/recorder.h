/*
 * runtime/recorder.h - the worker's side of the flight recorder (flight.h).
 *
 * One writer, the worker; readers come at any time and check afterwards that the turn they read
 * was not written over meanwhile.
 */
#ifndef RUNTIME_RECORDER_H
#define RUNTIME_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/flight.h"

struct rt_recorded_turn {
    _Atomic uint64_t since_ns, actor;
    _Atomic(const char *) kind;
    atomic_uint message_kind, messages;
    atomic_bool is_over;
};

struct rt_recorder {
    _Atomic uint64_t count; /* turns begun */
    atomic_bool is_asked;   /* for the place inside this turn */
    _Atomic uint64_t place_of;
    _Atomic uint64_t place[RT_FLIGHT_PLACE_BYTES / sizeof(uint64_t)]; /* a text, in words */
    struct rt_recorded_turn turns[RT_FLIGHT_TURNS];
};

/* `since_ns` is the worker's clock as it was last read. Reading one here, even the processor's own,
 * would cost more than all the rest (bench/micro, recorder). */
static inline struct rt_recorded_turn *
rt_recorder_begin(struct rt_recorder *recorder, uint64_t since_ns, uint64_t actor, const char *kind)
{
    uint64_t count = atomic_load_explicit(&recorder->count, memory_order_relaxed);
    struct rt_recorded_turn *turn = &recorder->turns[count % RT_FLIGHT_TURNS];
    atomic_store_explicit(&turn->since_ns, since_ns, memory_order_relaxed);
    atomic_store_explicit(&turn->actor, actor, memory_order_relaxed);
    atomic_store_explicit(&turn->kind, kind, memory_order_relaxed);
    atomic_store_explicit(&turn->message_kind, 0, memory_order_relaxed);
    atomic_store_explicit(&turn->messages, 0, memory_order_relaxed);
    atomic_store_explicit(&turn->is_over, false, memory_order_relaxed);
    /* Pairs with the acquire in flight.c: a turn that is counted is there. */
    atomic_store_explicit(&recorder->count, count + 1, memory_order_release);
    return turn;
}

static inline void
rt_recorder_message(struct rt_recorded_turn *turn, uint32_t kind, uint32_t messages)
{
    atomic_store_explicit(&turn->message_kind, kind, memory_order_relaxed);
    atomic_store_explicit(&turn->messages, messages, memory_order_relaxed);
}

static inline void
rt_recorder_end(struct rt_recorded_turn *turn)
{
    atomic_store_explicit(&turn->is_over, true, memory_order_relaxed);
}

#endif
