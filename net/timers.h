/*
 * net/timers.h - deadlines on a worker's loop, for connections and transfers: a wheel, and one
 * timerfd that wakes the loop when its first deadline is due. Setting and cancelling is O(1)
 * and mostly without a system call.
 *
 * Threads: those of the loop, or one thread while the loop does not run.
 */
#ifndef NET_TIMERS_H
#define NET_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"
#include "runtime/timer_wheel.h"

struct ev_loop;
struct net_timers;
struct rt_world;

/* One deadline; lives inside what it wakes. Zeroed means idle. */
struct net_timer {
    struct rt_wheel_entry entry;
    void (*fire)(struct net_timer *self);
};

/* NULL when out of memory or file descriptors. */
struct net_timers *net_timers_create(struct ev_loop *loop, const struct rt_world *world);

/* Timers that are still set never fire. */
void net_timers_destroy(struct net_timers *timers);

/* Sets the timer `delay_ns` from now, in place of what it was set to. */
void net_timers_set(struct net_timers *timers, struct net_timer *timer, uint64_t delay_ns);
void net_timers_cancel(struct net_timers *timers, struct net_timer *timer);

static inline bool
net_timer_is_set(const struct net_timer *timer)
{
    return rt_wheel_entry_is_set(&timer->entry);
}

/* The world's monotonic clock. */
uint64_t net_timers_now_ns(const struct net_timers *timers);

/* What it was when the loop last looked for events: for those it brings, and without a call. */
uint64_t net_timers_round_ns(const struct net_timers *timers);

#endif
