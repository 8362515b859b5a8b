/* What hearing promises: that news which are lost are missed, whichever they are, and that those
 * which come are not. */
#include <criterion/criterion.h>

#include "vito/store/hearing.h"

static struct vito_hearing hearing;

static void
setup(void)
{
    vito_hearing_begin(&hearing, 100);
}

/* It is looked whether all was heard, and the store is asked for the next look. */
static bool
look(int64_t last)
{
    bool missed = vito_hearing_has_missed(&hearing);
    vito_hearing_ask(&hearing, last);
    vito_hearing_await(&hearing);
    return missed;
}

TestSuite(hearing, .init = setup, .timeout = 60);

Test(hearing, who_hears_all_misses_nothing)
{
    for (int64_t change = 101; change < 110; change++) {
        cr_assert_eq(vito_hearing_take(&hearing, change), VITO_HEARD_NEXT);
        cr_assert_eq(vito_hearing_take(&hearing, change), VITO_HEARD_NEXT, "it has several news");
        cr_assert_not(look(change));
    }
    cr_assert_not(look(109));
    cr_assert_not(look(109));
}

Test(hearing, what_was_read_anyway_is_no_news)
{
    cr_assert_eq(vito_hearing_take(&hearing, 99), VITO_HEARD_BEFORE);
    cr_assert_eq(vito_hearing_take(&hearing, 100), VITO_HEARD_NEXT);
    cr_assert_eq(vito_hearing_take(&hearing, 101), VITO_HEARD_NEXT);
}

Test(hearing, a_number_that_is_left_out_is_missed_at_once)
{
    cr_assert_eq(vito_hearing_take(&hearing, 102), VITO_HEARD_GAP);
    cr_assert_eq(vito_hearing_take(&hearing, 103), VITO_HEARD_NEXT, "all of it is read again");
}

Test(hearing, the_last_ones_are_missed_when_they_have_had_time_to_come)
{
    cr_assert_not(look(102));
    vito_hearing_ask(&hearing, 103);
    cr_assert(look(102));
    cr_assert_not(look(102), "it was read again");
    cr_assert_eq(vito_hearing_take(&hearing, 103), VITO_HEARD_NEXT);
    vito_hearing_ask(&hearing, 104);
    cr_assert_not(look(104), "it may be on its way");
    cr_assert(look(104));
}

Test(hearing, those_that_come_a_little_later_are_not_missed)
{
    for (int64_t change = 101; change < 200; change++) {
        cr_assert_not(look(change));
        cr_assert_eq(vito_hearing_take(&hearing, change), VITO_HEARD_NEXT);
    }
}
