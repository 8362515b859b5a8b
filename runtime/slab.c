#include "runtime/slab.h"

#include <stdlib.h>

#include "runtime/internal.h"

void
rt_slab_init(struct rt_slab *slab, uint32_t alive_max)
{
    pthread_mutex_init(&slab->mutex, NULL);
    uint32_t room = RT_SLAB_CHUNKS_MAX * RT_SLAB_CHUNK_ACTORS;
    slab->alive_max = alive_max < room ? alive_max : room;
}

void
rt_slab_deinit(struct rt_slab *slab)
{
    unsigned count = atomic_load_explicit(&slab->chunk_count, memory_order_relaxed);
    for (unsigned i = 0; i < count; i++)
        free(atomic_load_explicit(&slab->chunks[i], memory_order_relaxed));
    pthread_mutex_destroy(&slab->mutex);
}

static void
append_free(struct rt_slab *slab, struct rt_actor *actor)
{
    actor->run_next = NULL;
    if (slab->free_last == NULL)
        slab->free_first = actor;
    else
        slab->free_last->run_next = actor;
    slab->free_last = actor;
}

static void
add_chunk(struct rt_slab *slab)
{
    unsigned index = atomic_load_explicit(&slab->chunk_count, memory_order_relaxed);
    if (index == RT_SLAB_CHUNKS_MAX)
        return;
    struct rt_actor *chunk =
        aligned_alloc(RT_CACHE_LINE_BYTES, RT_SLAB_CHUNK_ACTORS * sizeof(*chunk));
    if (chunk == NULL)
        return;
    for (unsigned i = 0; i < RT_SLAB_CHUNK_ACTORS; i++) {
        chunk[i] = (struct rt_actor){.worker = RT_ANY_WORKER};
        rt_mailbox_init(&chunk[i].mailbox);
        append_free(slab, &chunk[i]);
    }
    /* Release pairs with the acquire of a visit. */
    atomic_store_explicit(&slab->chunks[index], chunk, memory_order_relaxed);
    atomic_store_explicit(&slab->chunk_count, index + 1, memory_order_release);
}

struct rt_actor *
rt_slab_take(struct rt_slab *slab)
{
    pthread_mutex_lock(&slab->mutex);
    struct rt_actor *actor = NULL;
    if (slab->alive < slab->alive_max) {
        if (slab->free_first == NULL)
            add_chunk(slab);
        actor = slab->free_first;
    }
    if (actor != NULL) {
        slab->free_first = actor->run_next;
        if (slab->free_first == NULL)
            slab->free_last = NULL;
        actor->run_next = NULL;
        slab->alive++;
    }
    pthread_mutex_unlock(&slab->mutex);
    return actor;
}

void
rt_slab_give(struct rt_slab *slab, struct rt_actor *actor)
{
    pthread_mutex_lock(&slab->mutex);
    append_free(slab, actor);
    slab->alive--;
    pthread_mutex_unlock(&slab->mutex);
}

uint32_t
rt_slab_alive(struct rt_slab *slab)
{
    pthread_mutex_lock(&slab->mutex);
    uint32_t alive = slab->alive;
    pthread_mutex_unlock(&slab->mutex);
    return alive;
}
