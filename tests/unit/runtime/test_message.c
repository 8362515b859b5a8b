/* What vital messages promise: there is one even when there is no memory, and the reserve that it
 * comes from fills up again. The linker puts __wrap_rt_pool_take() in the pool's place. */
#include <criterion/criterion.h>
#include <string.h>

#include "runtime/message.h"
#include "runtime/pool.h"

TestSuite(message, .timeout = 60);

void *__real_rt_pool_take(size_t size_bytes);
void *__wrap_rt_pool_take(size_t size_bytes);

static bool no_memory;
static unsigned taken;

void *
__wrap_rt_pool_take(size_t size_bytes)
{
    taken += !no_memory;
    return no_memory ? NULL : __real_rt_pool_take(size_bytes);
}

Test(message, a_vital_one_is_had_without_memory)
{
    static const uint8_t zeros[RT_MESSAGE_VITAL_BYTES_MAX];
    struct rt_message *messages[100];
    cr_assert_eq(rt_message_reserve(), RT_OK);
    no_memory = true;
    cr_assert_null(rt_message_create(RT_KIND_USER, 16));
    for (size_t i = 0; i < 100; i++) {
        messages[i] = rt_message_create_vital(RT_KIND_USER + 7, i);
        cr_assert_eq(messages[i]->kind, RT_KIND_USER + 7);
        cr_assert_arr_eq(rt_message_payload(messages[i]), zeros, i);
        memset(rt_message_payload(messages[i]), 0xa5, i);
    }
    for (size_t i = 0; i < 100; i++)
        rt_message_destroy(messages[i]);
}

Test(message, the_reserve_fills_up_again)
{
    enum { ROUNDS = 5000 }; /* more than the reserve has */
    cr_assert_eq(rt_message_reserve(), RT_OK);
    for (int i = 0; i < ROUNDS; i++) {
        no_memory = i % 2 == 0;
        rt_message_destroy(rt_message_create_vital(RT_KIND_USER, 0));
    }
    taken = 0;
    no_memory = false;
    cr_assert_eq(rt_message_reserve(), RT_OK);
    cr_assert_leq(taken, 1, "it was full but for the last one");
}

Test(message, without_memory_there_is_no_reserve)
{
    no_memory = true;
    cr_assert_eq(rt_message_reserve(), RT_NO_MEMORY);
}
