/* What settings promise: they reach the policy as it declared them, in its units, or not at all,
 * and then every problem is named. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/lua/policy_box.h"

TestSuite(policy_settings, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

static const char with_settings[] =
    "local decision = require 'twin.decision'\n"
    "local money = require 'twin.money'\n"
    "return {\n"
    "  settings = {\n"
    "    cap = { type = 'money', min = money.usd(0), max = '100', required = true },\n"
    "    share = { type = 'integer', min = 0, max = 100, default = 80 },\n"
    "    factor = { type = 'number', default = 1.5 },\n"
    "    word = { type = 'string', max = 5, default = 'hola' },\n"
    "    on = { type = 'boolean', default = false },\n"
    "    warn_after = { type = 'minutes', max = 60, default = 2.5 },\n"
    "    mode = { type = 'enum', values = { 'text', 'deny' }, default = 'text' },\n"
    "    users = { type = 'list', max = 2 },\n"
    "  },\n"
    "  admit = function(request, tenant, settings)\n"
    "    if settings.users then settings.users[1] = 'changed' end\n"
    "    return decision.deny('read', { cap = settings.cap, share = settings.share,\n"
    "      factor = settings.factor, word = settings.word, on = settings.on,\n"
    "      warn_after = settings.warn_after, mode = settings.mode, users = settings.users })\n"
    "  end,\n"
    "}\n";

static struct policy_decision
ask_with(const char *settings)
{
    struct policy_question question = policy_box_question();
    question.settings = rt_buffer_copy(settings, strlen(settings));
    struct policy_decision decision = policy_box_ask("s", &question);
    rt_buffer_release(question.settings);
    return decision;
}

Test(policy_settings, settings_arrive_in_the_units_of_lua)
{
    policy_box_write("s", with_settings);
    cr_assert_str_eq(ask_with("{\"cap\":\"1.25\"}").facts,
                     "{\"cap\":1250000000,\"factor\":1.5,\"mode\":\"text\",\"on\":false,"
                     "\"share\":80,\"warn_after\":150000,\"word\":\"hola\"}");
    cr_assert_str_eq(ask_with("{\"cap\":\"0\",\"share\":0,\"factor\":2,\"word\":\"\",\"on\":true,"
                              "\"warn_after\":60,\"mode\":\"deny\",\"users\":[\"a\",\"b\"]}")
                         .facts,
                     "{\"cap\":0,\"factor\":2,\"mode\":\"deny\",\"on\":true,\"share\":0,"
                     "\"users\":[\"a\",\"b\"],\"warn_after\":3600000,\"word\":\"\"}");
}

Test(policy_settings, settings_of_one_tenant_never_answer_for_another)
{
    policy_box_write("s", with_settings);
    for (int i = 0; i < 2000; i++) { /* more than the VM keeps read */
        char settings[64], wanted[64];
        snprintf(settings, sizeof(settings), "{\"cap\":\"0.00000%04d\"}", i);
        snprintf(wanted, sizeof(wanted), "{\"cap\":%d,", i);
        struct policy_decision decision = ask_with(settings);
        cr_assert_eq(strncmp(decision.facts, wanted, strlen(wanted)), 0, "%s", decision.facts);
    }
}

Test(policy_settings, a_new_version_reads_the_same_settings_its_own_way)
{
    static const char text[] = "local decision = require 'twin.decision'\n"
                               "return { settings = { n = { type = '%s', default = %d } },\n"
                               "admit = function(request, tenant, settings)\n"
                               "  return decision.deny('read', { n = settings.n })\n"
                               "end }\n";
    static const struct {
        const char *type, *wanted;
        int standard;
    } versions[] = {
        {"integer", "{\"n\":1}", 1}, {"integer", "{\"n\":2}", 2}, {"minutes", "{\"n\":180000}", 3}};
    struct policy_question question = policy_box_question();
    for (size_t i = 0; i < RT_COUNT_OF(versions); i++) {
        char version[512];
        snprintf(version, sizeof(version), text, versions[i].type, versions[i].standard);
        policy_box_write("s", version);
        tlua_policies_reload(policy_box_policies());
        cr_expect_str_eq(policy_box_ask("s", &question).facts, versions[i].wanted);
    }
}

Test(policy_settings, settings_that_break_the_declaration_are_denials_with_every_problem)
{
    static const struct {
        const char *settings, *problem;
    } cases[] = {
        {"{}", "s: /settings/cap: is required"},
        {"{\"cap\":1}", "s: /settings/cap: must be an amount of US dollars as a decimal text"},
        {"{\"cap\":\"-1\"}", "s: /settings/cap: must be an amount of US dollars as a decimal text"},
        {"{\"cap\":\"100.01\"}", "s: /settings/cap: must be at most 100.000000000"},
        {"{\"cap\":\"1\",\"share\":101}", "s: /settings/share: must be at most 100"},
        {"{\"cap\":\"1\",\"share\":-1}", "s: /settings/share: must be at least 0"},
        {"{\"cap\":\"1\",\"share\":1.5}", "s: /settings/share: must be a whole number"},
        {"{\"cap\":\"1\",\"share\":1e999}", "s: /settings/share: must be a whole number"},
        {"{\"cap\":\"1\",\"factor\":1e999}", "s: /settings/factor: must be a number"},
        {"{\"cap\":\"1\",\"word\":\"123456\"}",
         "s: /settings/word: must have a length of at most 5"},
        {"{\"cap\":\"1\",\"on\":1}", "s: /settings/on: must be true or false"},
        {"{\"cap\":\"1\",\"warn_after\":61}", "s: /settings/warn_after: must be at most 60"},
        {"{\"cap\":\"1\",\"mode\":\"x\"}", "s: /settings/mode: must be one of text, deny"},
        {"{\"cap\":\"1\",\"users\":[1]}",
         "s: /settings/users: must be a list of texts of at most 1024 bytes"},
        {"{\"cap\":\"1\",\"users\":{\"a\":\"b\"}}",
         "s: /settings/users: must be a list of texts of at most 1024 bytes"},
        {"{\"cap\":\"1\",\"users\":[\"a\",\"b\",\"c\"]}",
         "s: /settings/users: must have a length of at most 2"},
        {"{\"cap\":\"1\",\"typo\":1}", "s: /settings/typo: there is no such setting"},
        {"{\"cap\":true,\"typo\":1}",
         "s: /settings/cap: must be an amount of US dollars as a decimal text; "
         "/settings/typo: there is no such setting"},
        {"[1]", "s: /settings/1: there is no such setting; /settings/cap: is required"},
        {"7", "s: /settings: must be an object"},
        {"{\"cap\":", "s: /settings: not JSON"},
        {"{\"cap\":\"1\"} x", "s: /settings: not JSON"},
    };
    policy_box_write("s", with_settings);
    struct policy_port port = tlua_policies_port(policy_box_policies());
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        struct policy_decision decision = ask_with(cases[i].settings);
        cr_expect(policy_box_failed(&decision, "settings"), "%s", cases[i].settings);
        char problem[VITO_PROBLEM_BYTES] = "";
        struct rt_buffer *settings = rt_buffer_copy(cases[i].settings, strlen(cases[i].settings));
        cr_expect_not(port.check(port.self, 0, "s", settings, problem));
        cr_expect_str_eq(problem, cases[i].problem, "%s gave %s", cases[i].settings, problem);
        rt_buffer_release(settings);
    }
}

Test(policy_settings, check_finds_policies_and_accepts_their_settings)
{
    policy_box_write("s", with_settings);
    struct policy_port port = tlua_policies_port(policy_box_policies());
    char problem[VITO_PROBLEM_BYTES] = "";
    struct rt_buffer *settings = rt_buffer_copy("{\"cap\":\"1\"}", 11);
    cr_assert(port.check(port.self, 0, "s", settings, problem), "%s", problem);
    rt_buffer_release(settings);
    cr_assert_not(port.check(port.self, 0, "s", NULL, problem));
    cr_assert_not(port.check(port.self, 0, "nobody", NULL, problem));
    cr_assert_str_eq(problem, "nobody: not_found");
}

Test(policy_settings, declarations_that_make_no_sense_are_no_policies)
{
    static const char *const declarations[] = {
        "1",
        "{ a = 1 }",
        "{ a = {} }",
        "{ a = { type = 'date' } }",
        "{ a = { type = 'integer', defualt = 1 } }",
        "{ a = { type = 'integer', default = 'x' } }",
        "{ a = { type = 'integer', default = 5, max = 4 } }",
        "{ a = { type = 'money', min = 'x' } }",
        "{ a = { type = 'boolean', min = 1 } }",
        "{ a = { type = 'enum' } }",
        "{ a = { type = 'enum', values = { 1 } } }",
        "{ a = { type = 'enum', values = { 'x' }, default = 'y' } }",
        "{ { type = 'integer' } }",
    };
    for (size_t i = 0; i < RT_COUNT_OF(declarations); i++) {
        char name[16], text[256];
        snprintf(name, sizeof(name), "d%zu", i);
        snprintf(text, sizeof(text), "return { admit = function() end, settings = %s }",
                 declarations[i]);
        policy_box_write(name, text);
        struct policy_question question = policy_box_question();
        struct policy_decision decision = policy_box_ask(name, &question);
        cr_expect(policy_box_failed(&decision, "unknown"), "%s", declarations[i]);
    }
}
