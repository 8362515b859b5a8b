/* What a pace promises: as many pieces as time allows, and none for time in which nobody took
 * them. */
#include <criterion/criterion.h>

#include "bench/vendor_sim/pace.h"

TestSuite(sim_pace, .timeout = 60);

enum { PIECE = 100 };

Test(sim_pace, the_first_piece_is_due_at_the_start_and_the_others_follow)
{
    struct sim_pace pace = {.start_ns = 1000, .piece_ns = PIECE};
    cr_assert_eq(sim_pace_due(&pace, 999, 64), 0);
    cr_assert_eq(sim_pace_wait_ns(&pace, 900), 100);
    cr_assert_eq(sim_pace_due(&pace, 1000, 64), 1);
    pace.made = 1;
    cr_assert_eq(sim_pace_due(&pace, 1099, 64), 0);
    cr_assert_eq(sim_pace_wait_ns(&pace, 1099), 1);
    cr_assert_eq(sim_pace_due(&pace, 1100, 64), 1);
}

Test(sim_pace, what_was_missed_is_due_at_once_up_to_a_bound)
{
    struct sim_pace pace = {.start_ns = 0, .piece_ns = PIECE, .made = 2};
    cr_assert_eq(sim_pace_due(&pace, 1000, 64), 9);
    cr_assert_eq(sim_pace_due(&pace, 1000, 4), 4);
    cr_assert_eq(sim_pace_wait_ns(&pace, 1000), 0);
}

Test(sim_pace, time_in_which_nothing_was_taken_does_not_count)
{
    struct sim_pace pace = {.start_ns = 0, .piece_ns = PIECE, .made = 3};
    sim_pace_shift(&pace, 5000);
    cr_assert_eq(sim_pace_due(&pace, 5299, 64), 0);
    cr_assert_eq(sim_pace_due(&pace, 5300, 64), 1);
}

Test(sim_pace, after_a_pause_the_next_piece_is_due_now)
{
    struct sim_pace pace = {.start_ns = 0, .piece_ns = PIECE, .made = 3};
    sim_pace_resume(&pace, 77777);
    cr_assert_eq(sim_pace_due(&pace, 77777, 64), 1);
    cr_assert_eq(sim_pace_due(&pace, 77876, 64), 1);
}

Test(sim_pace, without_a_pace_everything_is_due)
{
    struct sim_pace pace = {.start_ns = 10};
    cr_assert_eq(sim_pace_due(&pace, 10, 64), 64);
    cr_assert_eq(sim_pace_wait_ns(&pace, 10), 0);
}
