/*
 * runtime/timer_wheel.h - many deadlines, cheap to set and to cancel.
 *
 * Four wheels of 64 slots; a slot of the first is one tick (about a millisecond), a slot
 * of each next one is a whole turn of the one before. Deadlines keep their exact time:
 * slots only sort them roughly, so a timer is never early and not a tick late either.
 *
 * A plain data structure: no locks, no clock. Source: the hierarchical wheels of Varghese
 * and Lauck, "Hashed and Hierarchical Timing Wheels", SOSP 1987, scheme 7.
 */
#ifndef RUNTIME_TIMER_WHEEL_H
#define RUNTIME_TIMER_WHEEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RT_WHEEL_LEVELS = 4,
    RT_WHEEL_SLOTS = 64,
    RT_WHEEL_TICK_SHIFT = 20, /* a tick is 2^20 ns, 1.05 ms */
};

struct rt_wheel_link {
    struct rt_wheel_link *next, *previous; /* a ring through the slot; NULL when idle */
};

/* One deadline; lives inside what it wakes. Zeroed means idle. */
struct rt_wheel_entry {
    struct rt_wheel_link link;
    uint64_t deadline_ns;
};

struct rt_wheel {
    uint64_t tick;                      /* all slots before this tick are empty */
    uint64_t occupied[RT_WHEEL_LEVELS]; /* a bit per slot */
    struct rt_wheel_link slots[RT_WHEEL_LEVELS][RT_WHEEL_SLOTS];
};

#define RT_WHEEL_NEVER UINT64_MAX

/* An empty wheel whose present is `now_ns`. */
void rt_wheel_init(struct rt_wheel *wheel, uint64_t now_ns);

/* Sets an idle entry. Deadlines in the past fire at the next expiry; far ones (over four
 * hours) are carried along and still fire on time. */
void rt_wheel_insert(struct rt_wheel *wheel, struct rt_wheel_entry *entry, uint64_t deadline_ns);

/* Makes an entry idle; an idle one stays so. */
void rt_wheel_remove(struct rt_wheel *wheel, struct rt_wheel_entry *entry);

/* Whether the entry waits in a wheel. */
static inline bool
rt_wheel_entry_is_set(const struct rt_wheel_entry *entry)
{
    return entry->link.next != NULL;
}

/*
 * Takes one entry whose deadline is not after `now_ns`, or NULL. Call until NULL. Among
 * those due, the order is by slot, then by age of setting.
 */
struct rt_wheel_entry *rt_wheel_expire(struct rt_wheel *wheel, uint64_t now_ns);

/* When to call rt_wheel_expire() next at the latest; RT_WHEEL_NEVER when empty. May be
 * earlier than the first deadline, never later. */
uint64_t rt_wheel_next_ns(const struct rt_wheel *wheel);

#endif
