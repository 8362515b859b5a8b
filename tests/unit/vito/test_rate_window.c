/* What the window promises: never less than the last second, at most a slot more. */
#include <criterion/criterion.h>

#include "runtime/random.h"
#include "runtime/world.h"
#include "vito/rate_window.h"

TestSuite(rate_window, .timeout = 60);

enum { EVENTS = 20000 };

Test(rate_window, it_counts_the_last_second_and_at_most_a_slot_more)
{
    static uint64_t at_ns[EVENTS];
    struct vito_window window = {0};
    struct rt_random random;
    uint64_t now_ns = 5 * RT_NS_PER_S, slot_ns = RT_NS_PER_S / VITO_WINDOW_SLOTS;
    rt_random_seed(&random, 1);
    for (unsigned i = 0; i < EVENTS; i++) {
        now_ns += rt_random_chance(&random, 2) ? rt_random_below(&random, 3 * RT_NS_PER_S)
                                               : rt_random_below(&random, 10 * RT_NS_PER_MS);
        vito_window_advance(&window, now_ns);
        unsigned within = 0, nearly = 0;
        for (unsigned j = i; j-- > 0 && now_ns - at_ns[j] <= RT_NS_PER_S + 2 * slot_ns;) {
            within += now_ns - at_ns[j] < RT_NS_PER_S;
            nearly += now_ns - at_ns[j] <= RT_NS_PER_S + slot_ns;
        }
        cr_assert_geq(window.count, within);
        cr_assert_leq(window.count, nearly);
        vito_window_add(&window);
        at_ns[i] = now_ns;
    }
}

Test(rate_window, after_a_long_silence_it_is_empty)
{
    struct vito_window window = {0};
    vito_window_advance(&window, RT_NS_PER_S);
    vito_window_add(&window);
    vito_window_advance(&window, UINT64_MAX / 2);
    cr_assert_eq(window.count, 0);
}
