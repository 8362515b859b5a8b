/*
 * runtime/run_queue.h - the actors a worker will run next, oldest first.
 *
 * A ring its worker pushes to and pops from, and that others steal half of. Positions only
 * grow; a slot is position modulo the size.
 *
 *      stolen/popped here ──► head … tail ◄── pushed here (owner only)
 *
 * Source: the shape of Go's per-P run queue (runtime/proc.go, read 2026-11): single producer,
 * many consumers, consumers agree by compare-and-swap of `head`.
 */
#ifndef RUNTIME_RUN_QUEUE_H
#define RUNTIME_RUN_QUEUE_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"

struct rt_actor;

enum { RT_RUN_QUEUE_SLOTS = 256 };

struct rt_run_queue {
    alignas(RT_CACHE_LINE_BYTES) atomic_uint head; /* owner and thieves */
    alignas(RT_CACHE_LINE_BYTES) atomic_uint tail; /* owner writes, thieves read */
    _Atomic(struct rt_actor *) slots[RT_RUN_QUEUE_SLOTS];
};

void rt_run_queue_init(struct rt_run_queue *queue);

/* Appends. False when full. Threads: the owner. */
RT_MUST_USE bool rt_run_queue_push(struct rt_run_queue *queue, struct rt_actor *actor);

/* Takes the oldest, or NULL. Threads: the owner. */
struct rt_actor *rt_run_queue_pop(struct rt_run_queue *queue);

/*
 * Takes the older half of `victim`, at most `actors_max`, into `actors_out`; of one, that one.
 *
 *   returns    how many
 *   threads    any
 */
unsigned rt_run_queue_steal(struct rt_run_queue *victim, struct rt_actor **actors_out,
                            unsigned actors_max);

/* How many are in it, about; exact for the owner when nobody steals. */
unsigned rt_run_queue_count(const struct rt_run_queue *queue);

#endif
