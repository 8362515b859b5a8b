/* What the pool promises: blocks big enough, aligned, used again; and none lost between
 * threads. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

#include "runtime/pool.h"

TestSuite(pool, .timeout = 60);

Test(pool, blocks_of_every_size_are_writable_and_aligned)
{
    for (size_t size = 1; size <= 20000; size += 37) {
        unsigned char *block = rt_pool_take(size);
        cr_assert_not_null(block);
        cr_assert_eq((uintptr_t)block % 16, 0);
        memset(block, 0xa5, size);
        rt_pool_give(block, size);
    }
}

Test(pool, a_block_given_back_is_the_next_one_taken)
{
    void *block = rt_pool_take(100);
    rt_pool_give(block, 100);
    cr_assert_eq(rt_pool_take(120), block, "same class");
    rt_pool_give(block, 120);
}

Test(pool, a_block_is_resized_with_what_it_had)
{
    static const size_t sizes[] = {1, 40, 64, 65, 300, 8192, 8193, 50000, 20000, 8000, 90, 100, 10};
    size_t size = 1;
    unsigned char *block = rt_pool_take(size);
    memset(block, 1, size);
    for (size_t i = 1; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        block = rt_pool_resize(block, size, sizes[i]);
        cr_assert_not_null(block);
        for (size_t j = 0; j < size && j < sizes[i]; j++)
            cr_assert_eq(block[j], (unsigned char)i, "byte %zu of %zu", j, sizes[i]);
        size = sizes[i];
        memset(block, (int)(i + 1), size);
    }
    rt_pool_give(block, size);
}

enum { BLOCKS = 1000 };
static void *blocks[BLOCKS];

static void *
give_all(void *unused)
{
    for (int i = 0; i < BLOCKS; i++)
        rt_pool_give(blocks[i], 128);
    rt_pool_thread_end();
    return unused;
}

Test(pool, blocks_freed_by_another_thread_come_back_without_malloc)
{
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < BLOCKS; i++)
            blocks[i] = rt_pool_take(128);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, give_all, NULL), 0);
        pthread_join(thread, NULL);
    }
    /* A thread that ends returns part of a batch to malloc; the rest is used again. */
    cr_assert_lt(rt_pool_stats().mallocs, 3 * BLOCKS + 50 * 128);
}
