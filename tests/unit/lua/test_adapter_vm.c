/* What the adapter VM promises: scripts that read straight down and wait where they must, and a
 * script that goes wrong ends its own verb and nothing else. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/adapter_state.h"
#include "tests/unit/lua/adapter_box.h"

TestSuite(adapter_vm, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

Test(adapter_vm, a_session_lives_from_verb_to_verb)
{
    open_with("return { n = limits.n, vendor_ref = 'v1', join = { type = 'mine', list = { 1 } } }",
              "session.n = session.n + input.n return true",
              "return session.n == 7 and reason == 'COST_LIMIT' and 'requested' or 'impossible'");
    fake_initialize(leg, "mine", "{}", "{\"n\":4}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_str_eq(leg->vendor_ref, "v1");
    cr_assert_str_eq(leg->join, "{\"list\":[1],\"type\":\"mine\"}");
    fake_drive(leg, "{\"n\":3}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    fake_terminate(leg, ADAPTER_COST_LIMIT);
    cr_assert_eq(leg->result.stopped, ADAPTER_STOP_REQUESTED);
    close_all();
}

Test(adapter_vm, what_a_verb_returns_must_make_sense)
{
    static const struct {
        const char *body;
        enum adapter_error error;
        const char *detail;
    } cases[] = {
        {"return true", ADAPTER_ERROR_NONE, ""},
        {"return", ADAPTER_ERROR_BUG, "neither a result nor an error"},
        {"return false", ADAPTER_ERROR_BUG, "neither a result nor an error"},
        {"return nil, 7", ADAPTER_ERROR_BUG, "neither a result nor an error"},
        {"return nil, {}", ADAPTER_ERROR_BUG, "neither a result nor an error"},
        {"return nil, { kind = 'odd' }", ADAPTER_ERROR_BUG, "neither a result nor an error"},
        {"return nil, 'a text'", ADAPTER_ERROR_BUG, "a text"},
        {"return nil, provider.error('rejected', 'no', 403, 9)", ADAPTER_ERROR_REJECTED, "no"},
        {"return nil, { kind = 'malformed', detail = {}, status = 'x' }", ADAPTER_ERROR_MALFORMED,
         ""},
        {"error(provider.error('out_of_money', 'thrown'))", ADAPTER_ERROR_OUT_OF_MONEY, "thrown"},
        {"error('on purpose')", ADAPTER_ERROR_BUG, "mine.lua:7: on purpose"},
        {"error()", ADAPTER_ERROR_BUG, "neither a result nor an error"},
        {"return nobody.there", ADAPTER_ERROR_BUG, "mine.lua:7: attempt to index global 'nobody'"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++)
        expect_drive(cases[i].body, cases[i].error, cases[i].detail);
}

Test(adapter_vm, sessions_and_stops_must_make_sense)
{
    static const struct {
        const char *initialize, *terminate, *detail;
    } cases[] = {
        {"return 7", "return 'stopped'", "initialize_session must return a table"},
        {"return { join = { f = clock } }", "return 'stopped'", ""},
        {"return { vendor_ref = ('x'):rep(300) }", "return 'stopped'",
         "vendor_ref or join is too long"},
        {"return { join = { t = ('x'):rep(5000) } }", "return 'stopped'",
         "vendor_ref or join is too long"},
        {"return {}", "return 'gone'", "terminate must return stopped, requested or impossible"},
        {"return {}", "return", "neither a result nor an error"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        open_with(cases[i].initialize, "return true", cases[i].terminate);
        if (leg->result.error == ADAPTER_ERROR_NONE)
            fake_terminate(leg, ADAPTER_USER_EXIT);
        if (cases[i].detail[0] != '\0')
            cr_expect_eq(leg->result.error, ADAPTER_ERROR_BUG, "%s", cases[i].initialize);
        cr_expect_not_null(strstr(leg->detail, cases[i].detail), "%s gave %s", cases[i].initialize,
                           leg->detail);
        close_all();
    }
}

Test(adapter_vm, unknown_providers_are_rejected)
{
    open_drive("return true");
    struct fake_leg *other = fake_leg_create();
    fake_initialize(other, "nobody", "{}", "{}");
    cr_assert_eq(other->ends, 1);
    cr_assert_eq(other->result.error, ADAPTER_ERROR_REJECTED);
    cr_assert_eq(other->port.vm_slot, 0);
    cr_assert_null(fake_host_sheet("nobody"));
    fake_leg_destroy(other);
    close_all();
}

static void
drive_again(struct fake_leg *at)
{
    if (at->ends < 5)
        fake_drive(at, "{}");
}

static void
forget_now(struct fake_leg *at)
{
    tlua_leg_forget(fake_host_vm(), &at->port);
}

Test(adapter_vm, the_next_verb_may_begin_from_within_the_end_of_the_last)
{
    open_drive("return true");
    leg->on_finished = drive_again;
    fake_drive(leg, "{}");
    cr_assert_eq(leg->ends, 5);
    leg->on_finished = forget_now;
    fake_drive(leg, "{}");
    cr_assert_eq(leg->port.vm_slot, 0);
    close_all();
}

Test(adapter_vm, a_forgotten_leg_leaves_no_session_behind)
{
    open_drive("clock.sleep(10) return true");
    fake_drive(leg, "{}");
    uint32_t slot = leg->port.vm_slot;
    tlua_leg_forget(fake_host_vm(), &leg->port);
    lua_State *state = fake_host_vm()->vm.state;
    lua_rawgeti(state, LUA_REGISTRYINDEX, fake_host_vm()->sessions);
    lua_rawgeti(state, -1, (int)slot);
    cr_assert(lua_isnil(state, -1));
    lua_settop(state, 0);
    close_all();
}

Test(adapter_vm, a_script_that_runs_away_ends_its_verb_and_no_other)
{
    static const struct {
        const char *body, *detail;
    } cases[] = {
        {"while true do end", "ran longer than its budget"},
        {"while true do pcall(function() while true do end end) end", "ran longer"},
        {"local function f() pcall(f) return f() end return f()", "memory"},
        {"local s = 'x' while true do s = s .. s end", "more memory than its cap"},
        {"local t = {} for i = 1, 1e9 do t[i] = { i } end", "more memory than its cap"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        char body[512];
        snprintf(body, sizeof(body), "if input.bad then %s end clock.sleep(5) return true",
                 cases[i].body);
        open_drive(body);
        struct fake_leg *other = fake_leg_create();
        fake_initialize(other, "mine", "{}", "{}");
        fake_drive(other, "{}");
        fake_drive(leg, "{\"bad\":true}");
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_BUG);
        cr_expect_not_null(strstr(leg->detail, cases[i].detail), "%s gave %s", cases[i].body,
                           leg->detail);
        fake_pass(other, 5);
        cr_expect_eq(other->ends, 2);
        cr_expect_eq(other->result.error, ADAPTER_ERROR_NONE, "%s", other->detail);
        fake_drive(leg, "{}");
        fake_pass(leg, 5);
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_NONE, "its next verb runs");
        fake_leg_destroy(other);
        close_all();
    }
}

Test(adapter_vm, garbage_that_fills_the_memory_is_collected_for_the_others)
{
    open_drive("if input.bad then local t = {} for i = 1, 1e6 do t[i] = ('x'):rep(1000) .. i end "
               "end return true");
    for (int i = 0; i < 3; i++) {
        fake_drive(leg, "{\"bad\":true}");
        cr_assert_eq(leg->result.error, ADAPTER_ERROR_BUG);
        fake_drive(leg, "{}");
        cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    }
    close_all();
}

Test(adapter_vm, scripts_have_the_whitelist_and_no_more)
{
    expect_drive("for _, name in ipairs { 'io', 'os' } do end "
                 "assert(not (io or os or debug or ffi or jit or coroutine or load or loadstring "
                 "or dofile or setmetatable or getmetatable or rawset or print or _G)) "
                 "assert(not pcall(require, 'twin.leg')) assert(not pcall(require, 'twin.policy')) "
                 "assert(not pcall(function() http.request = nil end)) "
                 "assert(not pcall(function() leaked = 1 end)) return true",
                 ADAPTER_ERROR_NONE, "");
}

Test(adapter_vm, requests_that_cannot_be_sent_are_bugs)
{
    static const char *const requests[] = {
        "{}",
        "{ path = 'no/slash' }",
        "{ path = '/a b' }",
        "{ path = '/a\\r\\nX: y' }",
        "{ path = '/\\0' }",
        "{ path = '/' .. ('x'):rep(1100) }",
        "{ path = '/', headers = { ['x-y'] = 'a\\r\\nb' } }",
        "{ path = '/', headers = { ['x y'] = 'a' } }",
        "{ path = '/', headers = { ['x:y'] = 'a' } }",
        "{ path = '/', headers = { [''] = 'a' } }",
        "{ path = '/', headers = { Host = 'evil' } }",
        "{ path = '/', headers = { ['Content-Length'] = '1' } }",
        "{ path = '/', headers = { ['X-Request-Id'] = 'mine' } }",
        "{ path = '/', headers = { a = 1 } }",
        "{ path = '/', headers = { 'a' } }",
        "{ path = '/', auth = { secret = 'mine.key' } }",
        "{ path = '/', auth = { secret = 7, header = 'a' } }",
        "{ path = '/', json = { f = print, g = http.request } }",
        "{ path = '/', total_ms = 0 }",
        "{ path = '/', idle_ms = 1e9 }",
        "{ path = '/', body = 7, method = 7 }",
    };
    for (size_t i = 0; i < RT_COUNT_OF(requests); i++) {
        char body[256];
        snprintf(body, sizeof(body), "return http.request(%s)", requests[i]);
        open_drive(body);
        fake_drive(leg, "{}");
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_BUG, "%s gave %s", requests[i], leg->detail);
        cr_expect_eq(leg->request_count, 0, "%s", requests[i]);
        close_all();
    }
}

Test(adapter_vm, use_that_makes_no_sense_is_a_bug_and_not_counted)
{
    static const char *const uses[] = {"usage { tokens = -1 }",
                                       "usage { tokens = 1.5 }",
                                       "usage { tokens = 1 / 0 }",
                                       "usage { tokens = 0 / 0 }",
                                       "usage { media_ms = '9' }",
                                       "usage { media_ms = 2 ^ 60 }",
                                       "usage.final { tokens = -2 }",
                                       "usage.final { media_ms = 1 / 0 }",
                                       "usage()",
                                       "usage(7)"};
    for (size_t i = 0; i < RT_COUNT_OF(uses); i++) {
        open_drive(uses[i]);
        fake_drive(leg, "{}");
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_BUG, "%s", uses[i]);
        cr_expect_eq(leg->use_count + leg->final_count, 0, "%s", uses[i]);
        close_all();
    }
}

static void
expect_no_adapters(const char *text, const char *wanted)
{
    char problem[TLUA_PROBLEM_BYTES] = "";
    struct tlua_adapter_options options = {.directory = policy_box_directory(),
                                           .problem_out = problem};
    policy_box_write("mine", text);
    cr_expect_null(tlua_adapters_create(&options), "%s", text);
    cr_expect_not_null(strstr(problem, wanted), "%s gave %s", text, problem);
}

Test(adapter_vm, files_that_are_no_adapters_are_named)
{
    static const char sheet[] = "local p = require 'twin.provider'\nlocal a = "
                                "p.streaming_avatar { %s }\nfunction a.initialize_session() end\n"
                                "function a.drive_avatar() end\nfunction a.terminate() end\n"
                                "return a\n";
    static const struct {
        const char *fields, *wanted;
    } sheets[] = {
        {"name = 'other', modes = { 'text' }, base_url = 'http://x'", "sheet.name must be"},
        {"name = 'mine', base_url = 'http://x'", "sheet.modes is empty"},
        {"name = 'mine', modes = { 'text' }", "sheet.base_url is missing"},
        {"name = 'mine', modes = { 'text' }, typo = 1", "sheet.typo: there is no such field"},
        {"name = 'mine', modes = 'text'", "sheet.modes: must be a table"},
        {"name = 'mine', modes = { 'text' }, quantum_ms = 1.5",
         "sheet.quantum_ms: must be a whole"},
        {"name = 'mine', modes = { 'text' }, quantum_ms = 1e12, base_url = 'http://x'",
         "sheet.quantum_ms: out of range"},
        {"name = 'mine', modes = { 'text' }, price = { minute_usd = 'much' }",
         "sheet.price.minute_usd: must be US dollars"},
        {"name = 'mine', modes = { 'text' }, price = { minuet_usd = '1' }",
         "sheet.price.minuet_usd: there is no such field"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(sheets); i++) {
        char text[1024];
        snprintf(text, sizeof(text), sheet, sheets[i].fields);
        expect_no_adapters(text, sheets[i].wanted);
    }
    expect_no_adapters("return {", "mine.lua:1: unexpected symbol");
    expect_no_adapters("return 7", "the file must return a provider");
    expect_no_adapters("return {}", "initialize_session is missing");
    expect_no_adapters("while true do end", "ran longer than its budget");
    expect_no_adapters("require('twin.http').request { path = '/' }",
                       "this can be called in a verb only");
}

Test(adapter_vm, a_file_of_the_directory_comes_before_the_one_built_in)
{
    policy_box_write("tavus", "local p = require 'twin.provider'\nlocal a = p.streaming_avatar {\n"
                              "  name = 'tavus', modes = { 'video' }, base_url = 'http://own',\n"
                              "  price = { minute_usd = '0.10', dated = '2026-11-21' } }\n"
                              "function a.initialize_session() return {} end\n"
                              "function a.drive_avatar() return true end\n"
                              "function a.terminate() return 'stopped' end\nreturn a\n");
    fake_host_open(policy_box_directory());
    cr_assert_eq(fake_host_sheet("tavus")->price_minute_nusd, 100000000);
    cr_assert_not_null(fake_host_sheet("openai"), "the others are still there");
    fake_host_close();
}

Test(adapter_vm, a_directory_that_is_not_there_is_a_problem)
{
    char problem[TLUA_PROBLEM_BYTES] = "";
    struct tlua_adapter_options options = {.directory = "/nowhere/adapters",
                                           .problem_out = problem};
    cr_assert_null(tlua_adapters_create(&options));
    cr_assert_str_eq(problem, "/nowhere/adapters: not a directory of adapters");
}

Test(adapter_vm, legs_do_not_see_each_others_sessions)
{
    enum { LEGS = 200 };
    open_with("return { n = config.n }",
              "clock.sleep(10) input.emit_text('' .. session.n) "
              "return true",
              "return 'stopped'");
    struct fake_leg *legs[LEGS];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < LEGS; i++) {
            char config[32];
            snprintf(config, sizeof(config), "{\"n\":%d}", i);
            legs[i] = fake_leg_create();
            fake_initialize(legs[i], "mine", config, "{}");
            fake_drive(legs[i], "{}");
        }
        for (int i = LEGS - 1; i >= 0; i -= 2) { /* forgotten while they sleep */
            fake_leg_destroy(legs[i]);
        }
        for (int i = 0; i < LEGS; i += 2) {
            char wanted[16];
            snprintf(wanted, sizeof(wanted), "%d", i);
            fake_now_ms += 10;
            fake_pass(legs[i], 0);
            cr_assert_str_eq(legs[i]->text, wanted);
            fake_leg_destroy(legs[i]);
        }
    }
    cr_assert_leq(fake_host_vm()->leg_count, 512, "slots are used again");
    close_all();
}

Test(adapter_vm, json_goes_both_ways)
{
    expect_drive(
        "local v = json.decode('{\"a\":[1,null,{\"b\":null}],\"n\":null,\"s\":\"x\"}') "
        "assert(v.a[1] == 1 and v.a[2] == json.null and v.a[3].b == nil and v.n == nil) "
        "assert(json.encode(v) == '{\"a\":[1,null,{}],\"s\":\"x\"}') "
        "assert(json.decode('[1') == nil and json.decode('') == nil) "
        "assert(json.decode('1 2') == nil and json.decode(('['):rep(33) .. (']'):rep(33)) == nil) "
        "assert(json.decode(('['):rep(32) .. (']'):rep(32)) ~= nil) "
        "assert(json.encode(2 ^ 53) == '9007199254740992') "
        "assert(json.encode(0.5) == '0.5' and json.encode('\\1\"') == '\"\\\\u0001\\\\\"\"') "
        "assert(not pcall(json.encode, { 1, nil, 3, x = 1 })) "
        "assert(not pcall(json.encode, json.encode)) "
        "local t = {} t.t = t assert(not pcall(json.encode, t)) "
        "assert(not pcall(json.encode)) return true",
        ADAPTER_ERROR_NONE, "");
}

Test(adapter_vm, a_conversation_is_handed_on_unread)
{
    open_drive(
        "local messages = input.messages "
        "assert(json.encode({ m = messages, n = 1 }) == '{\"m\":[{\"b\":1,\"a\":2}],\"n\":1}') "
        "assert(json.decode(messages)[1].b == 1) "
        "assert(not pcall(function() return messages[1] end)) "
        "assert(not pcall(json.encode, sse.parser(64))) return true");
    fake_chat(leg, "{}", "[{\"b\":1,\"a\":2}]");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
}

Test(adapter_vm, base64_goes_both_ways)
{
    expect_drive("assert(base64.decode('AAEC/w==') == '\\0\\1\\2\\255') "
                 "assert(base64.encode('\\0\\1\\2\\255') == 'AAEC/w==') "
                 "assert(base64.decode('') == '' and base64.encode('') == '') "
                 "assert(base64.decode('AAE') == nil and base64.decode('A*==') == nil) "
                 "assert(base64.decode('AAEC\\n') == nil) return true",
                 ADAPTER_ERROR_NONE, "");
}

Test(adapter_vm, events_are_parsed_as_they_come)
{
    expect_drive("local p = sse.parser(64) assert(p:next() == nil) "
                 "assert(p:feed('event: a\\ndata: 1\\n') and p:next() == nil) "
                 "assert(p:feed('data: 2\\n\\ndata: 3\\n\\n')) "
                 "local data, name = p:next() assert(data == '1\\n2' and name == 'a') "
                 "data, name = p:next() assert(data == '3' and name == 'message') "
                 "assert(not p:feed(('x'):rep(100))) "
                 "assert(not pcall(p.feed, {}, 'x') and not pcall(sse.parser, -1)) return true",
                 ADAPTER_ERROR_NONE, "");
}

Test(adapter_vm, times_are_parsed)
{
    expect_drive("assert(clock.parse('2026-11-21T22:00:00Z') == 1795298400000) "
                 "assert(clock.parse('2026-11-21T23:00:00.5+01:00') == 1795298400500) "
                 "assert(clock.parse('soon') == nil and clock.parse(nil) == nil) "
                 "assert(clock.now_ms() > 0) return true",
                 ADAPTER_ERROR_NONE, "");
}
