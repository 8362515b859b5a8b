/*
 * runtime/group.h - actors that share one place in the run queues: a tenant's.
 *
 * Turns go round by groups first and by actors second. Of the runnable actors of a group only as
 * many as it has weight are in the run queues; they represent it. The others wait here, and when a
 * representative is taken to run, the one that waits longest takes its place at the back. So a
 * group with a thousand busy actors gets as many turns as one with a single one; an actor outside
 * of groups counts as a group of its own.
 *
 *   runnable ──enter──► represents: into a run queue ──taken──► runs, and the next one enters
 *                └────► waits here ─────────────────────────────────────┘
 *
 * The next slot of a worker is outside of this, as it is outside of the ring; its use in a row is
 * limited. Pinned actors are outside, too: they have a list of their own.
 */
#ifndef RUNTIME_GROUP_H
#define RUNTIME_GROUP_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"

struct rt_actor;

enum { RT_GROUPS_MAX = UINT16_MAX, RT_NO_GROUP = 0 };

/* The groups of a system, by their numbers from 1. Zeroed: none yet. */
struct rt_groups {
    pthread_mutex_t mutex;
    struct rt_group **all; /* RT_GROUPS_MAX + 1 of them; made with the first */
    uint16_t newest;       /* where the search for a free number begins */
};

void rt_groups_init(struct rt_groups *groups);
void rt_groups_deinit(struct rt_groups *groups);

/* Makes a group with one member. RT_NO_GROUP when out of memory or numbers. Threads: any. */
uint16_t rt_group_create(struct rt_groups *groups, unsigned weight);

/* One member more; one less, and the last one ends the group. The number must be that of a group
 * with members. RT_NO_GROUP is ignored. Threads: any. */
void rt_group_join(struct rt_groups *groups, uint16_t number);
void rt_group_part(struct rt_groups *groups, uint16_t number);

/*
 * A member has become runnable.
 *
 *   returns    true: it represents the group, queue it; false: it waits, and is the group's
 *   threads    any
 */
RT_MUST_USE bool rt_group_enter(struct rt_groups *groups, struct rt_actor *actor);

/* A representative was taken out of a run queue to run. The member to queue in its place, or NULL.
 * Threads: any. */
struct rt_actor *rt_group_leave(struct rt_groups *groups, struct rt_actor *actor);

#endif
