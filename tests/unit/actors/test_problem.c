/* What problems promise: a token, a title and a status for each, and codes a browser can read. */
#include <criterion/criterion.h>
#include <string.h>

#include "actors/problem.h"

TestSuite(problem, .timeout = 60);

Test(problem, every_reason_has_its_words_and_is_found_by_its_token)
{
    for (enum problem_reason reason = 1; reason < PROBLEM_REASON_COUNT; reason++) {
        struct problem problem = problem_make(reason, NULL);
        cr_assert_not_null(problem_token(&problem));
        cr_assert_not_null(problem_title(&problem));
        cr_assert_geq(problem_status(&problem), 400);
        cr_assert_lt(problem_status(&problem), 600);
        cr_assert_neq(problem_close_code(&problem), 0);
        cr_assert_eq(problem_of_token(problem_token(&problem)), reason, "%s is used twice",
                     problem_token(&problem));
    }
    cr_assert_eq(problem_of_token("no such thing"), PROBLEM_NONE);
}

Test(problem, money_is_402_and_sleeps)
{
    struct problem problem = problem_make(PROBLEM_MONTHLY_HARD_LIMIT, NULL);
    cr_assert_eq(problem_status(&problem), 402);
    cr_assert_str_eq(problem_title(&problem), "Twin is sleeping");
    cr_assert_eq(problem_close_code(&problem), 4402);
    cr_assert_not(problem_is_retryable(&problem));
}

Test(problem, a_long_detail_is_cut_not_overrun)
{
    struct problem problem = problem_make(PROBLEM_INTERNAL, "%0600d", 1);
    cr_assert_eq(strlen(problem.detail), PROBLEM_DETAIL_BYTES - 1);
}

Test(problem, a_detail_is_not_cut_within_a_character)
{
    struct problem problem =
        problem_make(PROBLEM_INTERNAL, "%0*d\xc3\xb1", PROBLEM_DETAIL_BYTES - 2, 1);
    cr_assert_eq(strlen(problem.detail), PROBLEM_DETAIL_BYTES - 2);
    problem = problem_make(PROBLEM_INTERNAL, "%0*d\xc3\xb1", PROBLEM_DETAIL_BYTES - 3, 1);
    cr_assert_str_eq(problem.detail + PROBLEM_DETAIL_BYTES - 3, "\xc3\xb1");
}
