/* What amounts promise: exact in both directions, rounded up where a price must be, and no
 * text that is not a plain decimal gets in. */
#include <criterion/criterion.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/money.h"

TestSuite(money, .timeout = 60);

static int64_t
parsed(const char *text)
{
    int64_t nusd = -1;
    cr_assert_eq(vito_money_parse(text, &nusd), RT_OK, "%s", text);
    return nusd;
}

Test(money, decimal_text_becomes_nano_dollars)
{
    cr_assert_eq(parsed("0"), 0);
    cr_assert_eq(parsed("1"), 1000000000);
    cr_assert_eq(parsed("1.00"), 1000000000);
    cr_assert_eq(parsed("0.01"), 10000000);
    cr_assert_eq(parsed("0.000000001"), 1);
    cr_assert_eq(parsed("12.345678901"), 12345678901);
    cr_assert_eq(parsed("000000000000000000000007.5"), 7500000000);
    cr_assert_eq(parsed("9000000"), VITO_NUSD_MAX);
    cr_assert_eq(parsed("9000000.000000000"), VITO_NUSD_MAX);
}

Test(money, anything_but_a_plain_decimal_is_invalid)
{
    static const char *const wrong[] = {
        "",     " ",    "1 ",    " 1",  "+1", "-1",  ".5",  "1.",   "1.1234567890", "1e3",
        "0x10", "1,00", "1.0.0", "NaN", "$1", "1\n", "inf", "1.-1", "\xd9\xa1"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t nusd = 42;
        cr_assert_eq(vito_money_parse(wrong[i], &nusd), RT_INVALID, "\"%s\"", wrong[i]);
        cr_assert_eq(nusd, 42, "written only on success");
    }
}

Test(money, amounts_over_the_maximum_are_too_big_however_long)
{
    static const char *const wrong[] = {"9000000.000000001", "9000001", "9223372036.854775808",
                                        "99999999999999999999999999999999999999999999999999"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        int64_t nusd = 42;
        cr_assert_eq(vito_money_parse(wrong[i], &nusd), RT_TOO_BIG, "%s", wrong[i]);
        cr_assert_eq(nusd, 42);
    }
}

Test(money, amounts_are_shown_with_nine_places)
{
    char text[VITO_USD_TEXT_BYTES];
    cr_assert_str_eq(vito_money_format(0, text), "0.000000000");
    cr_assert_str_eq(vito_money_format(10000000, text), "0.010000000");
    cr_assert_str_eq(vito_money_format(-1, text), "-0.000000001");
    cr_assert_str_eq(vito_money_format(VITO_NUSD_MAX, text), "9000000.000000000");
    cr_assert_str_eq(vito_money_format(INT64_MAX, text), "9223372036.854775807");
    cr_assert_str_eq(vito_money_format(INT64_MIN, text), "-9223372036.854775808");
}

Test(money, what_is_shown_is_read_back_as_the_same_amount)
{
    struct rt_random random;
    rt_random_seed(&random, 1);
    for (int i = 0; i < 100000; i++) {
        int64_t nusd = (int64_t)rt_random_below(&random, (uint64_t)VITO_NUSD_MAX + 1);
        nusd >>= rt_random_below(&random, 54);
        char text[VITO_USD_TEXT_BYTES];
        cr_assert_eq(parsed(vito_money_format(nusd, text)), nusd, "%s", text);
    }
}

Test(money, prices_round_up_to_the_next_nano_dollar)
{
    cr_assert_eq(vito_money_price(0, 45000000, 60000), 0);
    cr_assert_eq(vito_money_price(60000, 45000000, 60000), 45000000);
    cr_assert_eq(vito_money_price(1, 45000000, 60000), 750);
    cr_assert_eq(vito_money_price(1, 1, 1000), 1);
    cr_assert_eq(vito_money_price(1001, 1, 1000), 2);
    cr_assert_eq(vito_money_price(INT64_MAX, 0, 1), 0);
}

Test(money, prices_too_big_for_an_amount_saturate)
{
    cr_assert_eq(vito_money_price(INT64_MAX, INT64_MAX, 1), INT64_MAX);
    cr_assert_eq(vito_money_price(INT64_MAX, VITO_NUSD_MAX, 60000), INT64_MAX);
    cr_assert_eq(vito_money_price(INT64_MAX, 60000, 60000), INT64_MAX);
    cr_assert_eq(vito_money_price(INT64_MAX - 1, 60000, 60000), INT64_MAX - 1);
}

Test(money, what_is_affordable_is_the_most_whose_price_fits)
{
    static const int64_t pers[] = {1, 1000, 60000};
    struct rt_random random;
    rt_random_seed(&random, 2);
    for (int i = 0; i < 100000; i++) {
        int64_t per = pers[rt_random_below(&random, 3)];
        int64_t nusd = (int64_t)(rt_random_u64(&random) >> (11 + rt_random_below(&random, 50)));
        int64_t price =
            1 + (int64_t)(rt_random_u64(&random) >> (20 + rt_random_below(&random, 40)));
        int64_t units = vito_money_affordable(nusd, price, per);
        cr_assert_leq(vito_money_price(units, price, per), nusd);
        if (units < INT64_MAX)
            cr_assert_gt(vito_money_price(units + 1, price, per), nusd);
    }
    cr_assert_eq(vito_money_affordable(0, 0, 1), INT64_MAX, "free");
    cr_assert_eq(vito_money_affordable(VITO_NUSD_MAX, 1, 60000), INT64_MAX, "saturates");
    cr_assert_eq(vito_money_affordable(0, 1, 60000), 0);
}
