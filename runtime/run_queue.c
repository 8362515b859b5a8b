#include "runtime/run_queue.h"

#include <stddef.h>

#include "runtime/assert.h"

void
rt_run_queue_init(struct rt_run_queue *queue)
{
    atomic_init(&queue->head, 0);
    atomic_init(&queue->tail, 0);
    for (unsigned i = 0; i < RT_RUN_QUEUE_SLOTS; i++)
        atomic_init(&queue->slots[i], NULL);
}

bool
rt_run_queue_push(struct rt_run_queue *queue, struct rt_actor *actor)
{
    unsigned tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
    /* Acquire pairs with the consumers' swap: the slot we reuse has been read. */
    unsigned head = atomic_load_explicit(&queue->head, memory_order_acquire);
    if (tail - head >= RT_RUN_QUEUE_SLOTS)
        return false;
    atomic_store_explicit(&queue->slots[tail % RT_RUN_QUEUE_SLOTS], actor, memory_order_relaxed);
    /* Release half pairs with the thieves' load of `tail`. Sequentially consistent, because a
     * look at the sleepers follows it (idle.c) and neither may miss the other. */
    atomic_store_explicit(&queue->tail, tail + 1, memory_order_seq_cst);
    return true;
}

struct rt_actor *
rt_run_queue_pop(struct rt_run_queue *queue)
{
    unsigned head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    for (;;) {
        unsigned tail = atomic_load_explicit(&queue->tail, memory_order_relaxed);
        if (head == tail)
            return NULL;
        struct rt_actor *actor =
            atomic_load_explicit(&queue->slots[head % RT_RUN_QUEUE_SLOTS], memory_order_relaxed);
        /* Release pairs with push: our read of the slot comes before its reuse. */
        if (atomic_compare_exchange_weak_explicit(&queue->head, &head, head + 1,
                                                  memory_order_acq_rel, memory_order_relaxed))
            return actor;
    }
}

unsigned
rt_run_queue_steal(struct rt_run_queue *victim, struct rt_actor **actors_out, unsigned actors_max)
{
    unsigned head = atomic_load_explicit(&victim->head, memory_order_acquire);
    for (;;) {
        /* Acquire half pairs with push: the slots are filled. Sequentially consistent for the
         * last look before sleep (idle.c). */
        unsigned tail = atomic_load_explicit(&victim->tail, memory_order_seq_cst);
        unsigned waiting = tail - head;
        if (waiting == 0)
            return 0;
        if (waiting > RT_RUN_QUEUE_SLOTS) { /* head and tail read at different times */
            head = atomic_load_explicit(&victim->head, memory_order_acquire);
            continue;
        }
        unsigned count = waiting - waiting / 2;
        if (count > actors_max)
            count = actors_max;
        for (unsigned i = 0; i < count; i++)
            actors_out[i] = atomic_load_explicit(&victim->slots[(head + i) % RT_RUN_QUEUE_SLOTS],
                                                 memory_order_relaxed);
        /* Release pairs with push, as in pop. */
        if (atomic_compare_exchange_weak_explicit(&victim->head, &head, head + count,
                                                  memory_order_acq_rel, memory_order_acquire))
            return count;
    }
}

unsigned
rt_run_queue_count(const struct rt_run_queue *queue)
{
    unsigned head = atomic_load_explicit(&queue->head, memory_order_relaxed);
    unsigned tail = atomic_load_explicit(&queue->tail, memory_order_seq_cst);
    return tail - head > RT_RUN_QUEUE_SLOTS ? 0 : tail - head;
}
