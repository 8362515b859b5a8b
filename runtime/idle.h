/*
 * runtime/idle.h - who sleeps, and whom to wake: an event count.
 *
 * Before a worker sleeps it says so (prepare), then looks once more everywhere work can lie
 * (recheck), then sleeps (commit) or takes its word back (cancel). Whoever adds work first
 * makes it visible, then looks for sleepers. Both sides write first and read second, all
 * sequentially consistent, so at least one of them sees the other: no wake-up is lost.
 *
 * At most one worker is woken at a time for work that anybody may do: it *searches*, and if
 * it finds some and others still sleep, it wakes the next. A wake-up costs as much as two
 * hundred messages.
 *
 * A run queue that its own worker empties fast is left to it. While there is something in one,
 * one sleeper *watches*: it sleeps with an alarm and looks again, and whoever adds to a run
 * queue need not wake anybody. The watcher says that it stops before it looks a last time, and
 * who adds looks for a watcher after adding; so one of the two sees the other, as above.
 *
 * Source: prepare/recheck/commit is the event count of Eigen and taskflow (notifier); the
 * searching counter is Go's "spinning Ms" (runtime/proc.go). Both read 2026-11.
 */
#ifndef RUNTIME_IDLE_H
#define RUNTIME_IDLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rt_idle {
    atomic_uint_fast64_t sleepers; /* a bit per worker: says it sleeps, or is about to */
    atomic_uint searchers;         /* workers that look for work to steal */
    atomic_bool watched;           /* a sleeper will look at the run queues again by itself */
};

/* Says that `worker` is about to sleep. After it, look everywhere again. */
static inline void
rt_idle_prepare(struct rt_idle *idle, unsigned worker)
{
    atomic_fetch_or_explicit(&idle->sleepers, UINT64_C(1) << worker, memory_order_seq_cst);
}

/* Takes it back, or marks the end of sleep. True when a waker had already picked this worker:
 * then it counts as a searcher. */
static inline bool
rt_idle_wake_self(struct rt_idle *idle, unsigned worker)
{
    uint64_t bit = UINT64_C(1) << worker;
    return !(atomic_fetch_and_explicit(&idle->sleepers, ~bit, memory_order_seq_cst) & bit);
}

/* Whether `worker` sleeps, asked after adding work that only it may do. */
static inline bool
rt_idle_is_asleep(struct rt_idle *idle, unsigned worker)
{
    return atomic_load_explicit(&idle->sleepers, memory_order_seq_cst) >> worker & 1;
}

/*
 * Picks a sleeper for work that was just added for anybody. The caller must wake it.
 *
 *   returns    its index, or -1: nobody sleeps, or somebody searches already
 */
static inline int
rt_idle_pick(struct rt_idle *idle)
{
    uint64_t sleepers;
    while ((sleepers = atomic_load_explicit(&idle->sleepers, memory_order_seq_cst)) != 0) {
        unsigned none = 0;
        if (!atomic_compare_exchange_strong_explicit(&idle->searchers, &none, 1,
                                                     memory_order_seq_cst, memory_order_seq_cst))
            return -1;
        while (sleepers != 0) {
            int worker = __builtin_ctzl(sleepers);
            uint64_t bit = UINT64_C(1) << worker;
            sleepers = atomic_fetch_and_explicit(&idle->sleepers, ~bit, memory_order_seq_cst);
            if (sleepers & bit)
                return worker; /* the searcher we counted is that worker now */
        }
        /* They woke by themselves. Who added work meanwhile saw a searcher and relied on it, and
         * they may sleep again: so look once more. */
        atomic_fetch_sub_explicit(&idle->searchers, 1, memory_order_seq_cst);
    }
    return -1;
}

/* Becomes the watcher; false when there is one. After rt_idle_prepare(), before the sleep. */
static inline bool
rt_idle_watch_begin(struct rt_idle *idle)
{
    return !atomic_exchange_explicit(&idle->watched, true, memory_order_seq_cst);
}

/* Stops watching. After it, look at all run queues. */
static inline void
rt_idle_watch_end(struct rt_idle *idle)
{
    atomic_store_explicit(&idle->watched, false, memory_order_seq_cst);
}

/* Asked after adding to a run queue. */
static inline bool
rt_idle_is_watched(struct rt_idle *idle)
{
    return atomic_load_explicit(&idle->watched, memory_order_seq_cst);
}

static inline void
rt_idle_search_begin(struct rt_idle *idle)
{
    atomic_fetch_add_explicit(&idle->searchers, 1, memory_order_seq_cst);
}

/* True when this was the last searcher: if it found work it should pick another, and if not
 * it must look again, for nobody was woken while it searched. */
static inline bool
rt_idle_search_end(struct rt_idle *idle)
{
    return atomic_fetch_sub_explicit(&idle->searchers, 1, memory_order_seq_cst) == 1;
}

#endif
