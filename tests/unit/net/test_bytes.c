/* What a byte queue promises: out comes what went in, in order, and an empty one holds nothing. */
#include <criterion/criterion.h>
#include <string.h>

#include "net/bytes.h"
#include "runtime/random.h"

static struct net_bytes bytes;

static void
setup(void)
{
    bytes = (struct net_bytes){0};
}

static void
teardown(void)
{
    net_bytes_clear(&bytes);
}

TestSuite(bytes, .init = setup, .fini = teardown, .timeout = 60);

Test(bytes, an_empty_queue_holds_no_memory)
{
    cr_assert_eq(net_bytes_size(&bytes), 0);
    cr_assert_null(net_bytes_data(&bytes));
    cr_assert(net_bytes_append(&bytes, "", 0));
    cr_assert_eq(bytes.capacity, 0);
}

Test(bytes, what_is_consumed_to_the_end_is_freed)
{
    cr_assert(net_bytes_append(&bytes, "abc", 3));
    net_bytes_consume(&bytes, 1);
    cr_assert_eq(memcmp(net_bytes_data(&bytes), "bc", 2), 0);
    net_bytes_consume(&bytes, 2);
    cr_assert_null(bytes.memory);
}

Test(bytes, room_that_was_reserved_and_not_committed_is_not_there)
{
    uint8_t *room = net_bytes_reserve(&bytes, 100);
    cr_assert_not_null(room);
    memcpy(room, "xyz", 3);
    net_bytes_commit(&bytes, 2);
    cr_assert_eq(net_bytes_size(&bytes), 2);
}

Test(bytes, a_long_queue_with_a_little_movement_stays_in_its_memory)
{
    uint8_t block[64] = {0};
    for (int i = 0; i < 1000; i++) {
        cr_assert(net_bytes_append(&bytes, block, sizeof(block)));
        if (i > 0)
            net_bytes_consume(&bytes, sizeof(block));
    }
    cr_assert_leq(bytes.capacity, 2048);
}

Test(bytes, random_use_agrees_with_two_counters)
{
    struct rt_random random;
    rt_random_seed(&random, 7);
    uint8_t in = 0, out = 0;
    for (int round = 0; round < 20000; round++) {
        size_t size_bytes = rt_random_below(&random, 300);
        uint8_t *room = net_bytes_reserve(&bytes, size_bytes);
        for (size_t i = 0; i < size_bytes; i++)
            room[i] = in++;
        net_bytes_commit(&bytes, size_bytes);
        size_t taken = rt_random_below(&random, net_bytes_size(&bytes) + 1);
        for (size_t i = 0; i < taken; i++)
            cr_assert_eq(net_bytes_data(&bytes)[i], out++);
        net_bytes_consume(&bytes, taken);
        cr_assert_eq(net_bytes_size(&bytes) % 256, (uint8_t)(in - out));
    }
}
