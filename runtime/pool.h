/*
 * runtime/pool.h - memory blocks of a few sizes, recycled per thread.
 *
 * Each thread keeps a short stack of free blocks per size; full stacks go to a shared
 * shelf in batches, so a block freed by another thread than the one that took it (the
 * rule for messages) costs no lock most of the time. Blocks never go back to the
 * operating system: after warm-up nothing here calls malloc.
 */
#ifndef RUNTIME_POOL_H
#define RUNTIME_POOL_H

#include <stddef.h>
#include <stdint.h>

enum {
    RT_POOL_BLOCK_BYTES_MIN = 64,
    RT_POOL_BLOCK_BYTES_MAX = 8192, /* larger requests go to malloc */
};

/*
 * Takes a block of at least `size_bytes`, aligned to 16, contents undefined.
 *
 *   returns    NULL when out of memory
 *   threads    any
 */
void *rt_pool_take(size_t size_bytes);

/*
 * Gives back a block. `size_bytes` is what it was taken with. NULL is ignored.
 *
 *   threads    any, also another one than took it
 */
void rt_pool_give(void *memory, size_t size_bytes);

/*
 * Makes a block of `old_bytes` one of `new_bytes`, in another place if need be, with what it had.
 *
 *   returns    NULL when out of memory: the block is as it was
 *   threads    any, also another one than took it
 */
void *rt_pool_resize(void *memory, size_t old_bytes, size_t new_bytes);

/* Moves this thread's free blocks to the shelf. Call before a thread ends. */
void rt_pool_thread_end(void);

struct rt_pool_stats {
    uint64_t mallocs;    /* calls of malloc so far, all threads */
    uint64_t live_bytes; /* memory obtained by those calls and not returned */
};

/* What the pool has taken from malloc. Exact only while nobody else allocates. */
struct rt_pool_stats rt_pool_stats(void);

#endif
