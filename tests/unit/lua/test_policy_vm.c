/* What the policy port promises: a decision for every question, versions by content, and
 * the last good version while a file is broken. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/metrics.h"
#include "tests/unit/lua/policy_box.h"

TestSuite(policy_vm, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

static const char passes[] = "local decision = require 'twin.decision'\n"
                             "return { admit = function() return decision.pass() end }\n";
static const char denies[] = "local decision = require 'twin.decision'\n"
                             "return { admit = function() return decision.deny('no') end }\n";

static struct policy_decision
ask(const char *policy)
{
    struct policy_question question = policy_box_question();
    return policy_box_ask(policy, &question);
}

Test(policy_vm, a_policy_passes_with_its_version)
{
    policy_box_write("p", passes);
    struct policy_decision decision = ask("p");
    cr_assert_eq(decision.action, POLICY_PASS);
    cr_assert_eq(decision.mode, VITO_VOICE);
    cr_assert_eq(strlen(decision.version), 19);
    cr_assert_eq(strncmp(decision.version, "sha256:", 7), 0);
    cr_assert_str_eq(decision.facts, "");
    cr_assert_null(decision.memory);
}

Test(policy_vm, every_decision_arrives_with_what_it_says)
{
    struct policy_decision decision = policy_box_run("return decision.throttle(1500.2)");
    cr_assert_eq(decision.action, POLICY_THROTTLE);
    cr_assert_eq(decision.delay_ms, 1501, "waits are rounded up");

    decision = policy_box_run("return decision.downgrade('text', 'crowded', { queued = 12 })");
    cr_assert_eq(decision.action, POLICY_DOWNGRADE);
    cr_assert_eq(decision.mode, VITO_TEXT);
    cr_assert_str_eq(decision.reason, "crowded");
    cr_assert_str_eq(decision.facts, "{\"queued\":12}");

    decision = policy_box_run("return decision.warn()");
    cr_assert_eq(decision.action, POLICY_WARN);
    cr_assert_str_eq(decision.reason, "policy_warning");

    decision = policy_box_run("return decision.deny('spend_cap', { b = {1, 'x'}, a = true })");
    cr_assert_eq(decision.action, POLICY_DENY);
    cr_assert_str_eq(decision.reason, "spend_cap");
    cr_assert_str_eq(decision.facts, "{\"a\":true,\"b\":[1,\"x\"]}", "members are in order");
}

Test(policy_vm, a_step_to_the_mode_it_has_is_a_pass)
{
    struct policy_decision decision = policy_box_run("return decision.downgrade('voice')");
    cr_assert_eq(decision.action, POLICY_PASS);
    cr_assert_eq(decision.mode, VITO_VOICE);
    cr_assert_str_eq(decision.reason, "");
    cr_assert_eq(policy_box_run("return decision.downgrade('video')").action, POLICY_PASS);
}

Test(policy_vm, answers_that_are_no_decisions_are_denials)
{
    static const char *const bodies[] = {
        "return",
        "return nil",
        "return true",
        "return 'pass'",
        "return {}",
        "return { action = 'allow' }",
        "return { action = 1 }",
        "return decision.pass",
        "return decision.throttle()",
        "return decision.throttle(-1)",
        "return decision.throttle(600001)",
        "return decision.throttle(0 / 0)",
        "return decision.throttle('9')",
        "return decision.downgrade()",
        "return decision.downgrade('audio')",
        "return decision.downgrade('text', 'Not A Token')",
        "return decision.deny()",
        "return decision.deny('')",
        "return decision.deny('a token')",
        "return decision.deny(('x'):rep(32))",
        "return decision.deny(7)",
        "return decision.pass('facts')",
        "return decision.pass(), 'memory'",
        "error('on purpose')",
        "error({ kind = 'table' })",
        "error()",
        "return nobody.there",
        "return request.nothing",
        "return tenant[1]",
        "return settings.undeclared",
    };
    for (size_t i = 0; i < RT_COUNT_OF(bodies); i++) {
        struct policy_decision decision = policy_box_run(bodies[i]);
        cr_expect(policy_box_failed(&decision, "raised"), "%s gave %s %s", bodies[i],
                  decision.reason, decision.facts);
        cr_expect_eq(strlen(decision.version), 19);
    }
}

Test(policy_vm, facts_that_do_not_fit_are_dropped_and_the_decision_stays)
{
    static const char *const bodies[] = {
        "return decision.deny('no', { text = ('x'):rep(600) })",
        "return decision.deny('no', { { { { {} } } } })",
        "return decision.deny('no', { f = function() end })",
        "return decision.deny('no', { n = math.huge })",
        "return decision.deny('no', { 1, 2, 3 })",
        "local t = {} t.t = t return decision.deny('no', t)",
        "return decision.deny('no', { z = 'a' .. string.char(0) })",
        "return decision.deny('no', { z = 'a' .. string.char(255) })",
    };
    for (size_t i = 0; i < RT_COUNT_OF(bodies); i++) {
        struct policy_decision decision = policy_box_run(bodies[i]);
        cr_expect_str_eq(decision.reason, "no", "%s", bodies[i]);
        cr_expect_str_eq(decision.facts, "{\"facts\":\"dropped\"}", "%s gave %s", bodies[i],
                         decision.facts);
    }
}

Test(policy_vm, a_policy_sees_the_facts_of_the_question)
{
    struct policy_decision decision = policy_box_run(
        "assert(request.kind == 'turn' and request.mode == 'voice' and request.user == 'ana')\n"
        "assert(request.price_max == money.usd('0.01') and request.text_bytes == 40)\n"
        "assert(request.session_ms == 60000 and request.session_spent == money.usd('0.02'))\n"
        "assert(request.session_tokens == 100 and request.session_turns == 2)\n"
        "assert(tenant.id == 'andres-cantor' and tenant.limit == money.usd(10))\n"
        "assert(tenant.posted == money.usd(1) and tenant.held == money.usd('0.01'))\n"
        "assert(tenant.remaining == money.usd('8.99') and tenant.voice_max_ms == math.huge)\n"
        "assert(tenant.sessions == 3 and tenant.queued == 0 and tenant.rate_per_second == 50)\n"
        "assert(tenant.local_time.hour == 22 and tenant.local_time.weekday == 6)\n"
        "assert(tenant.period_end_ms > tenant.now_ms and tenant.period_start_ms < tenant.now_ms)\n"
        "assert(type(tenant.memory) == 'table')\n"
        "return decision.deny('seen')");
    cr_assert_str_eq(decision.reason, "seen");
}

Test(policy_vm, a_running_leg_is_asked_about_with_meter)
{
    policy_box_write("m", "local decision = require 'twin.decision'\n"
                          "return { meter = function(session, tenant, settings)\n"
                          "  assert(session.mode == 'voice' and session.elapsed_ms == 60000)\n"
                          "  assert(session.spent == 20000000 and session.tokens == 100)\n"
                          "  assert(session.turns == 2 and session.price_max == 10000000)\n"
                          "  assert(session.seconds_left == math.huge and session.user == 'ana')\n"
                          "  return decision.deny(session.refused or 'not_refused')\n"
                          "end }\n");
    struct policy_question question = policy_box_question();
    question.kind = POLICY_METER;
    cr_assert_str_eq(policy_box_ask("m", &question).reason, "not_refused");
    question.refused = "monthly_hard_limit";
    cr_assert_str_eq(policy_box_ask("m", &question).reason, "monthly_hard_limit");
    question.kind = POLICY_ADMIT_SESSION;
    cr_assert_eq(policy_box_ask("m", &question).action, POLICY_PASS, "it has no admit");
}

Test(policy_vm, facts_kept_for_later_cannot_be_read_later)
{
    policy_box_write("keeper", "local decision = require 'twin.decision'\n"
                               "local kept\n"
                               "return { settings = { x = { type = 'integer', default = 1 } },\n"
                               "  admit = function(request, tenant)\n"
                               "    if kept then return decision.deny('kept_' .. kept.user) end\n"
                               "    kept = request\n"
                               "    return decision.pass()\n"
                               "end }\n"
                               "");
    struct policy_question question = policy_box_question();
    cr_assert_eq(policy_box_ask("keeper", &question).action, POLICY_PASS);
    question.user = "eva";
    cr_assert_str_eq(policy_box_ask("keeper", &question).reason, "kept_eva",
                     "a view shows the question at hand and never a former one");
}

Test(policy_vm, workers_have_vms_of_their_own)
{
    policy_box_write("counter", "local decision = require 'twin.decision'\n"
                                "local count = 0\n"
                                "return { admit = function()\n"
                                "  count = count + 1\n"
                                "  return decision.deny('n' .. count)\n"
                                "end }\n");
    struct policy_port port = tlua_policies_port(policy_box_policies());
    struct policy_question question = policy_box_question();
    for (unsigned worker = 0; worker < 4; worker++) {
        struct policy_decision decision;
        port.ask(port.self, worker, "counter", &question, &decision);
        cr_assert_str_eq(decision.reason, "n1");
    }
}

Test(policy_vm, names_that_are_no_names_are_unknown)
{
    static const char *const names[] = {
        "",  "no_such", "../p", "p.lua",
        "P", "p/q",     "a b",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
    policy_box_write("p", passes);
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        struct policy_decision decision = ask(names[i]);
        cr_expect(policy_box_failed(&decision, "unknown"), "%s", names[i]);
        cr_expect_str_eq(decision.version, "");
    }
}

Test(policy_vm, failures_are_counted_by_cause)
{
    (void)policy_box_run("error('x')");
    (void)policy_box_run("while true do end");
    (void)ask("nobody");
    size_t size_bytes;
    char *text = rt_metrics_render(&size_bytes);
    cr_assert_not_null(strstr(text, "twin_policy_failures_total{cause=\"raised\"} 1\n"));
    cr_assert_not_null(strstr(text, "twin_policy_failures_total{cause=\"too_long\"} 1\n"));
    cr_assert_not_null(strstr(text, "twin_policy_failures_total{cause=\"unknown\"} 1\n"));
    cr_assert_not_null(strstr(text, "twin_policy_reloads_total{result=\"loaded\"} 2\n"));
    free(text);
}

Test(policy_vm, a_changed_file_is_in_force_for_all_workers_within_a_second)
{
    policy_box_write("p", passes);
    struct policy_port port = tlua_policies_port(policy_box_policies());
    struct policy_question question = policy_box_question();
    struct policy_decision first[4], second[4];
    for (unsigned worker = 0; worker < 4; worker++)
        port.ask(port.self, worker, "p", &question, &first[worker]);
    policy_box_write("p", denies);
    port.ask(port.self, 0, "p", &question, &second[0]);
    cr_assert_eq(second[0].action, POLICY_PASS, "files are looked at once a second");
    policy_box_pass(1000);
    for (unsigned worker = 0; worker < 4; worker++) {
        port.ask(port.self, worker, "p", &question, &second[worker]);
        cr_assert_eq(second[worker].action, POLICY_DENY);
        cr_assert_str_eq(second[worker].version, second[0].version);
        cr_assert_str_neq(second[worker].version, first[worker].version);
    }
}

Test(policy_vm, an_explicit_reload_does_not_wait)
{
    policy_box_write("p", passes);
    struct policy_decision first = ask("p");
    policy_box_write("p", denies);
    cr_assert_eq(tlua_policies_reload(policy_box_policies()), 0);
    cr_assert_eq(ask("p").action, POLICY_DENY);
    policy_box_write("p", passes);
    cr_assert_eq(tlua_policies_reload(policy_box_policies()), 0);
    struct policy_decision again = ask("p");
    cr_assert_str_eq(again.version, first.version, "a version is its text");
}

Test(policy_vm, a_broken_file_leaves_the_last_good_version_in_force)
{
    policy_box_write("p", passes);
    struct policy_decision good = ask("p");
    static const char *const broken[] = {"return {", "while true do end", "return {}",
                                         "local s = 'x' while true do s = s .. s end"};
    for (size_t i = 0; i < RT_COUNT_OF(broken); i++) {
        policy_box_write("p", broken[i]);
        cr_assert_eq(tlua_policies_reload(policy_box_policies()), 1);
        cr_assert_eq(tlua_policies_reload(policy_box_policies()), 1, "it is still not in force");
        struct policy_decision decision = ask("p");
        cr_assert_eq(decision.action, POLICY_PASS);
        cr_assert_str_eq(decision.version, good.version);
    }
    policy_box_remove("p");
    cr_assert_eq(tlua_policies_reload(policy_box_policies()), 1);
    cr_assert_eq(ask("p").action, POLICY_PASS);
    policy_box_write("p", denies);
    cr_assert_eq(tlua_policies_reload(policy_box_policies()), 0);
    cr_assert_eq(ask("p").action, POLICY_DENY);
}

Test(policy_vm, a_policy_that_appears_later_is_found)
{
    struct policy_decision decision = ask("late");
    cr_assert(policy_box_failed(&decision, "unknown"));
    policy_box_write("late", passes);
    policy_box_pass(1000);
    cr_assert_eq(ask("late").action, POLICY_PASS);
}

Test(policy_vm, an_overlong_file_is_refused)
{
    static char text[70 * 1024];
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, passes, sizeof(passes) - 1);
    policy_box_write("long", text);
    struct policy_decision decision = ask("long");
    cr_assert(policy_box_failed(&decision, "unknown"));
}
