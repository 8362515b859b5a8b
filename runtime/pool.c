#include "runtime/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/compiler.h"

/* Under AddressSanitizer a free block is poisoned, all but its links, and of one that is taken what
 * lies beyond the size that was asked for. */
#ifdef RT_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#define POISON(block, size_bytes)                                                                  \
    ASAN_POISON_MEMORY_REGION((struct block *)(block) + 1, (size_bytes) - sizeof(struct block))
#define UNPOISON(block, size_bytes) ASAN_UNPOISON_MEMORY_REGION(block, size_bytes)
#else
#define POISON(block, size_bytes) (void)0
#define UNPOISON(block, size_bytes) (void)0
#endif

enum {
    CLASS_COUNT = 8,  /* 64, 128, 256 … 8192 bytes */
    BATCH_BLOCKS = 64 /* blocks moved between a thread and the shelf at once */
};

_Static_assert(RT_POOL_BLOCK_BYTES_MIN << (CLASS_COUNT - 1) == RT_POOL_BLOCK_BYTES_MAX,
               "classes double from the smallest to the largest");

struct block {
    struct block *next;
    struct block *next_batch; /* on the shelf only: the first block of the batch below */
};

struct stack {
    struct block *top;
    uint32_t count;
};

/* A thread keeps up to two batches per class: `hot` is in use, `spare` is full or empty,
 * so a thread that goes back and forth over a border does not visit the shelf each time. */
struct cache {
    struct stack hot, spare;
};

static _Thread_local struct cache caches[CLASS_COUNT];

static struct shelf {
    pthread_mutex_t mutex;
    struct block *batches;
} shelves[CLASS_COUNT] = {
    {PTHREAD_MUTEX_INITIALIZER, NULL}, {PTHREAD_MUTEX_INITIALIZER, NULL},
    {PTHREAD_MUTEX_INITIALIZER, NULL}, {PTHREAD_MUTEX_INITIALIZER, NULL},
    {PTHREAD_MUTEX_INITIALIZER, NULL}, {PTHREAD_MUTEX_INITIALIZER, NULL},
    {PTHREAD_MUTEX_INITIALIZER, NULL}, {PTHREAD_MUTEX_INITIALIZER, NULL},
};

static atomic_uint_fast64_t malloc_count;
static atomic_uint_fast64_t live_bytes;

static unsigned
class_of(size_t size_bytes)
{
    if (size_bytes <= RT_POOL_BLOCK_BYTES_MIN)
        return 0;
    return (unsigned)(64 - __builtin_clzl((size_bytes - 1) / RT_POOL_BLOCK_BYTES_MIN));
}

static size_t
class_bytes(unsigned class)
{
    return (size_t)RT_POOL_BLOCK_BYTES_MIN << class;
}

static void *
take_from_malloc(size_t size_bytes)
{
    void *block = malloc(size_bytes);
    if (block != NULL) {
        atomic_fetch_add_explicit(&malloc_count, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&live_bytes, size_bytes, memory_order_relaxed);
    }
    return block;
}

/* Refills `stack` with one batch from the shelf. False when the shelf is empty. */
static bool
take_batch(unsigned class, struct stack *stack)
{
    struct shelf *shelf = &shelves[class];
    pthread_mutex_lock(&shelf->mutex);
    struct block *batch = shelf->batches;
    if (batch != NULL)
        shelf->batches = batch->next_batch;
    pthread_mutex_unlock(&shelf->mutex);
    if (batch == NULL)
        return false;
    stack->top = batch;
    stack->count = BATCH_BLOCKS;
    return true;
}

static void
give_batch(unsigned class, struct stack *stack)
{
    struct shelf *shelf = &shelves[class];
    pthread_mutex_lock(&shelf->mutex);
    stack->top->next_batch = shelf->batches;
    shelf->batches = stack->top;
    pthread_mutex_unlock(&shelf->mutex);
    *stack = (struct stack){0};
}

void *
rt_pool_take(size_t size_bytes)
{
    if (RT_UNLIKELY(size_bytes > RT_POOL_BLOCK_BYTES_MAX))
        return take_from_malloc(size_bytes);
    unsigned class = class_of(size_bytes);
    struct cache *cache = &caches[class];
    if (RT_UNLIKELY(cache->hot.count == 0)) {
        struct stack spare = cache->spare;
        cache->spare = cache->hot;
        cache->hot = spare;
        if (cache->hot.count == 0 && !take_batch(class, &cache->hot))
            return take_from_malloc(class_bytes(class));
    }
    struct block *block = cache->hot.top;
    cache->hot.top = block->next;
    cache->hot.count--;
    UNPOISON(block, size_bytes);
    return block;
}

void
rt_pool_give(void *memory, size_t size_bytes)
{
    if (memory == NULL)
        return;
    if (RT_UNLIKELY(size_bytes > RT_POOL_BLOCK_BYTES_MAX)) {
        atomic_fetch_sub_explicit(&live_bytes, size_bytes, memory_order_relaxed);
        free(memory);
        return;
    }
    unsigned class = class_of(size_bytes);
    struct cache *cache = &caches[class];
    if (RT_UNLIKELY(cache->hot.count == BATCH_BLOCKS)) {
        if (cache->spare.count == BATCH_BLOCKS)
            give_batch(class, &cache->spare);
        struct stack empty = cache->spare;
        cache->spare = cache->hot;
        cache->hot = empty;
    }
    struct block *block = memory;
    block->next = cache->hot.top;
    cache->hot.top = block;
    cache->hot.count++;
    POISON(block, class_bytes(class));
}

void *
rt_pool_resize(void *memory, size_t old_bytes, size_t new_bytes)
{
    bool is_small = old_bytes <= RT_POOL_BLOCK_BYTES_MAX;
    bool stays_small = new_bytes <= RT_POOL_BLOCK_BYTES_MAX;
    if (is_small && stays_small && class_of(old_bytes) == class_of(new_bytes)) {
        UNPOISON(memory, new_bytes);
        return memory;
    }
    if (!is_small && !stays_small) {
        void *moved = realloc(memory, new_bytes);
        if (moved != NULL)
            atomic_fetch_add_explicit(&live_bytes, new_bytes - old_bytes, memory_order_relaxed);
        return moved;
    }
    void *moved = rt_pool_take(new_bytes);
    if (moved != NULL) {
        memcpy(moved, memory, old_bytes < new_bytes ? old_bytes : new_bytes);
        rt_pool_give(memory, old_bytes);
    }
    return moved;
}

/* Only whole batches go to the shelf; what does not fill one returns to malloc. */
static void
end_stack(unsigned class, struct stack *stack)
{
    if (stack->count == BATCH_BLOCKS) {
        give_batch(class, stack);
        return;
    }
    while (stack->top != NULL) {
        struct block *block = stack->top;
        stack->top = block->next;
        atomic_fetch_sub_explicit(&live_bytes, class_bytes(class), memory_order_relaxed);
        UNPOISON(block, class_bytes(class));
        free(block);
    }
    stack->count = 0;
}

void
rt_pool_thread_end(void)
{
    for (unsigned class = 0; class < CLASS_COUNT; class ++) {
        end_stack(class, &caches[class].hot);
        end_stack(class, &caches[class].spare);
    }
}

struct rt_pool_stats
rt_pool_stats(void)
{
    return (struct rt_pool_stats){
        .mallocs = atomic_load_explicit(&malloc_count, memory_order_relaxed),
        .live_bytes = atomic_load_explicit(&live_bytes, memory_order_relaxed),
    };
}
