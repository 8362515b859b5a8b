/*
 * runtime/slab.h - the memory of actors.
 *
 * Actors come in chunks that are never freed while the system lives, so that an address of a
 * dead actor always points at an actor's memory. Free ones are kept on two lists: the
 * mailboxes of the freshly dead may still have a late sender in them, so the oldest are used
 * again first.
 */
#ifndef RUNTIME_SLAB_H
#define RUNTIME_SLAB_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct rt_actor;

enum { RT_SLAB_CHUNK_ACTORS = 1024, RT_SLAB_CHUNKS_MAX = 4096 };

struct rt_slab {
    pthread_mutex_t mutex;
    struct rt_actor *free_first, *free_last; /* linked by run_next, oldest first */
    uint32_t alive, alive_max;
    atomic_uint chunk_count;
    _Atomic(struct rt_actor *) chunks[RT_SLAB_CHUNKS_MAX]; /* written once each, read by visits */
};

void rt_slab_init(struct rt_slab *slab, uint32_t alive_max);
void rt_slab_deinit(struct rt_slab *slab);

/* A free actor, its mailbox closed; or NULL: no memory, or alive_max reached. Threads: any. */
struct rt_actor *rt_slab_take(struct rt_slab *slab);

/* Gives back one whose mailbox is closed. Threads: any. */
void rt_slab_give(struct rt_slab *slab, struct rt_actor *actor);

/* How many are taken. */
uint32_t rt_slab_alive(struct rt_slab *slab);

#endif
