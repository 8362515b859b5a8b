/* What the policies that come with us promise, and what the workbench promises to their authors:
 * every case is tried, and every case that goes wrong is named. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/policy_check.h"
#include "tests/unit/lua/policy_box.h"

TestSuite(policies, .timeout = 60);

static char *printed;
static size_t printed_bytes;

static FILE *
open_output(void)
{
    free(printed);
    FILE *out = open_memstream(&printed, &printed_bytes);
    cr_assert_not_null(out);
    return out;
}

static size_t
check(const char *path)
{
    FILE *out = open_output();
    size_t problems = tlua_policy_check_file(path, out);
    fclose(out);
    return problems;
}

static struct tlua_test_result
test(const char *policy, const char *cases)
{
    FILE *out = open_output();
    struct tlua_test_result result = tlua_policy_test_file(policy, cases, out);
    fclose(out);
    return result;
}

static void
expect_policy_keeps_its_cases(const char *name, size_t cases_min)
{
    char policy[256], cases[256];
    snprintf(policy, sizeof(policy), "%s/%s.lua", POLICY_DIRECTORY, name);
    snprintf(cases, sizeof(cases), "%s/cases/%s.lua", POLICY_DIRECTORY, name);
    struct tlua_test_result result = test(policy, cases);
    cr_expect_eq(result.failures, 0, "%s", printed);
    cr_expect_geq(result.cases, cases_min);
    cr_expect_str_eq(printed, "");
}

Test(policies, the_default_policy_keeps_its_cases)
{
    expect_policy_keeps_its_cases("default", 15);
}

Test(policies, andres_cantor_keeps_its_cases)
{
    expect_policy_keeps_its_cases("andres_cantor", 22);
}

Test(policies, jose_luis_fernandez_keeps_its_cases)
{
    expect_policy_keeps_its_cases("jose_luis_fernandez", 21);
}

static char policy_path[256], cases_path[256];

static void
open_bench(void)
{
    policy_box_open();
    snprintf(policy_path, sizeof(policy_path), "%s/p.lua", policy_box_directory());
    snprintf(cases_path, sizeof(cases_path), "%s/cases.lua", policy_box_directory());
}

TestSuite(policy_bench, .init = open_bench, .fini = policy_box_close, .timeout = 60);

static void
write_policy(const char *body)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "local decision = require 'twin.decision'\n"
             "local count = 0\n"
             "return { settings = { cap = { type = 'money', default = '1' } },\n"
             "admit = function(request, tenant, settings)\n%s\nend }\n",
             body);
    policy_box_write("p", text);
}

/* Tries one case of the policy; `wanted` is what must be printed about it. */
static void
expect_report(const char *one_case, const char *wanted)
{
    char text[2048];
    snprintf(text, sizeof(text), "local money = require 'twin.money'\nreturn { %s }\n", one_case);
    policy_box_write("cases", text);
    struct tlua_test_result result = test(policy_path, cases_path);
    cr_expect_eq(result.failures, wanted[0] == '\0' ? 0 : 1, "%s\n%s", one_case, printed);
    char line[1024] = "";
    if (wanted[0] != '\0')
        snprintf(line, sizeof(line), "%s: %s\n", cases_path, wanted);
    cr_expect_str_eq(printed, line, "%s\nprinted: %s\nwanted: %s", one_case, printed, line);
}

Test(policy_bench, a_case_that_goes_wrong_says_what_was_expected_and_what_came)
{
    write_policy("return decision.deny('no', { price = request.price_max, user = request.user }),\n"
                 "  { turns = 1 }");
    expect_report("{ name = 'c', request = {}, expect = { action = 'deny', reason = 'no' } }", "");
    expect_report("{ name = 'c', request = {}, expect = { action = 'pass' } }",
                  "c: expected action pass, got deny");
    expect_report("{ name = 'c', request = {}, expect = { action = 'deny', reason = 'yes' } }",
                  "c: expected reason yes, got no");
    expect_report("{ name = 'c', request = { price_max = money.usd(2), user = 'ana' },"
                  "expect = { action = 'deny', facts = { price = money.usd(2) } } }",
                  "");
    expect_report("{ name = 'c', request = {}, expect = { action = 'deny', facts = { x = 1 } } }",
                  "c: expected x 1, got {\"price\":0,\"user\":\"\"}");
    expect_report("{ name = 'c', request = {},"
                  "expect = { action = 'deny', memory = { turns = 1 } } }",
                  "");
    expect_report("{ name = 'c', request = {},"
                  "expect = { action = 'deny', memory = { turns = 2 } } }",
                  "c: expected memory as in the case, got another");
}

Test(policy_bench, a_case_says_only_what_matters_to_it)
{
    write_policy("assert(tenant.limit == 100e9 and tenant.remaining == 99e9)\n"
                 "assert(tenant.voice_max_ms == math.huge and request.mode == 'text')\n"
                 "assert(tenant.local_time.hour == 12 and tenant.local_time.minute == 30)\n"
                 "assert(tenant.memory.turns == 4 and settings.cap == 2e9)\n"
                 "return decision.throttle(20)");
    expect_report("{ name = 'c', request = {}, memory = { turns = 4 }, settings = { cap = '2' },"
                  "tenant = { posted = money.usd(1), local_time = { minute = 30 } },"
                  "expect = { action = 'throttle', ms = 20, mode = 'text' } }",
                  "");
}

Test(policy_bench, a_case_that_makes_no_sense_is_a_failure)
{
    static const struct {
        const char *one_case, *wanted;
    } cases[] = {
        {"{ request = {}, expect = { action = 'pass' } }", "case 1: it has no name"},
        {"{ name = 'c', expect = { action = 'pass' } }",
         "case 1: there must be either a request or a session"},
        {"{ name = 'c', request = {}, session = {}, expect = { action = 'pass' } }",
         "case 1: there must be either a request or a session"},
        {"{ name = 'c', request = {}, expect = {} }", "case 1: expect.action is missing"},
        {"{ name = 'c', request = {}, expect = { action = 'pass', actoin = 1 } }",
         "case 1: unknown key actoin"},
        {"{ name = 'c', request = { pirce = 1 }, expect = { action = 'pass' } }",
         "case 1: request has no fact pirce"},
        {"{ name = 'c', request = { mode = 'song' }, expect = { action = 'pass' } }",
         "case 1: mode must be text, voice or video"},
        {"{ name = 'c', request = { price_max = 0.5 }, expect = { action = 'pass' } }",
         "case 1: price_max must be a whole number or math.huge"},
        {"{ name = 'c', request = {}, settings = { f = print }, settings = { [1.5] = 1 },"
         "expect = { action = 'pass' } }",
         "case 1: settings: a table has neither text keys nor the keys 1, 2, 3 …"},
    };
    write_policy("return decision.pass()");
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++)
        expect_report(cases[i].one_case, cases[i].wanted);
}

Test(policy_bench, a_policy_that_answers_differently_the_second_time_is_found)
{
    write_policy("count = count + 1\nreturn decision.deny('n' .. count)");
    expect_report("{ name = 'c', request = {}, expect = { action = 'deny' } }",
                  "c: expected the same answer twice: n1, got n2");
}

Test(policy_bench, files_that_cannot_be_used_are_failures)
{
    write_policy("return decision.pass()");
    cr_assert_eq(test(policy_path, cases_path).failures, 1);
    policy_box_write("cases", "return {}");
    cr_assert_eq(test(policy_path, cases_path).failures, 1);
    policy_box_write("cases", "while true do end");
    cr_assert_eq(test(policy_path, cases_path).failures, 1);
    policy_box_write("cases",
                     "return { { name = 'c', request = {}, expect = { action = 'pass' } } }");
    cr_assert_eq(test(policy_path, cases_path).failures, 0);
    policy_box_write("p", "return {");
    cr_assert_eq(test(policy_path, cases_path).failures, 1);
}

Test(policy_bench, check_prints_every_problem_of_a_policy)
{
    policy_box_write("p", "return { admit = 1, name = 'q', typo = true, settings = {\n"
                          "  a = { type = 'integer', default = 5, max = 4 },\n"
                          "  b = { type = 'date' } } }");
    cr_assert_eq(check(policy_path), 5);
    char wanted[2048];
    snprintf(wanted, sizeof(wanted),
             "%s: admit: must be a function\n"
             "%s: name: must be the file's, p\n"
             "%s: settings.a.default: must be at most 4\n"
             "%s: settings.b.type: must be boolean, enum, integer, list, minutes, money, number or "
             "string\n"
             "%s: unknown key typo\n",
             policy_path, policy_path, policy_path, policy_path, policy_path);
    cr_assert_str_eq(printed, wanted);
    write_policy("return decision.pass()");
    cr_assert_eq(check(policy_path), 0);
    cr_assert_str_eq(printed, "");
}

Test(policy_bench, check_names_files_that_are_no_policies_at_all)
{
    cr_assert_eq(check(policy_path), 1);
    cr_assert_not_null(strstr(printed, "p.lua: cannot be read: not_found\n"));
    cr_assert_eq(check("/tmp/Bad Name.lua"), 1);
    cr_assert_eq(check("p.txt"), 1);
    policy_box_write("p", "return +");
    cr_assert_eq(check(policy_path), 1);
    cr_assert_not_null(strstr(printed, "p.lua:1: unexpected symbol"));
}
