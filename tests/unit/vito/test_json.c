/* What reading JSON from outside promises: what the grammar has and nothing else, so that all who
 * read the same document read the same. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>

#include "vito/json.h"

TestSuite(json, .timeout = 60);

/* What is wrong with the text; "" when nothing is. */
static const char *
problem_of(const char *text)
{
    cJSON *json = NULL;
    const char *problem = "";
    enum rt_status status = vito_json_parse(text, strlen(text), &json, &problem);
    cr_assert_eq(status == RT_OK, json != NULL, "%s", text);
    cJSON_Delete(json);
    return status == RT_OK ? "" : problem;
}

Test(json, numbers_are_those_of_the_grammar)
{
    static const char *const good[] = {"0", "-0", "10", "-1.5", "1e9", "1E-3", "0.5e+2", "[1,2]"};
    static const char *const bad[] = {"01",  "-01", "1.",  ".5",   "+1",  "-",    "1e",
                                      "1e+", "0x1", "1-2", "1.e3", "--1", "[1,-]"};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        cr_expect_str_eq(problem_of(good[i]), "", "%s", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_str_eq(problem_of(bad[i]), "not JSON", "%s", bad[i]);
}

Test(json, a_number_beyond_a_double_is_refused_by_name)
{
    cr_assert_str_eq(problem_of("{\"a\":[1e999]}"), "a number is too big");
    cr_assert_str_eq(problem_of("-1e999"), "a number is too big");
    cr_assert_str_eq(problem_of("1e308"), "");
}

Test(json, a_number_in_a_text_is_text)
{
    cr_assert_str_eq(problem_of("{\"01\":\"1. -\"}"), "");
}

Test(json, only_four_characters_are_blank)
{
    cr_assert_str_eq(problem_of(" \t\r\n1\n\r\t "), "");
    static const char *const bad[] = {"1\x01", "\x0b[1]", "[1\x17]", "{\f\"a\":1}", "\x7f", "\x1f"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_str_eq(problem_of(bad[i]), "not JSON", "%s", bad[i]);
}

Test(json, an_escape_has_four_digits)
{
    cr_assert_str_eq(problem_of("\"\\u00e9\\uD834\\udd1e\""), "");
    cr_assert_str_eq(problem_of("\"\\\\u%000\""), "", "that is a backslash and text");
    static const char *const bad[] = {"\"\\u%000\"", "\"\\u00 0\"", "\"a\\ud%00b\"", "\"\\u000\""};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_str_eq(problem_of(bad[i]), "not JSON", "%s", bad[i]);
}
