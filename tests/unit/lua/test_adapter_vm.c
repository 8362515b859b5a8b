/* What the adapter VM promises: scripts that read straight down and wait where they must; a
 * script that goes wrong ends its own verb and nothing else; late and repeated events change
 * nothing; and no script ever holds a secret. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/adapter_state.h"
#include "tests/unit/lua/fake_host.h"
#include "tests/unit/lua/policy_box.h"

static struct fake_leg *leg;

/* Writes an adapter called "mine" with these bodies of its verbs, and opens a host with it. */
static void
open_with(const char *initialize, const char *drive, const char *terminate)
{
    char text[4096];
    snprintf(text, sizeof(text),
             "local http, json = require 'twin.http', require 'twin.json'\n"
             "local provider, clock = require 'twin.provider', require 'twin.clock'\n"
             "local sse, base64 = require 'twin.sse', require 'twin.base64'\n"
             "local mine = provider.streaming_avatar {\n"
             "  name = 'mine', modes = { 'text' }, base_url = 'https://mine.example' }\n"
             "function mine.initialize_session(config, limits) %s end\n"
             "function mine.drive_avatar(session, input, usage) %s end\n"
             "function mine.terminate(session, reason, usage) %s end\n"
             "return mine\n",
             initialize, drive, terminate);
    policy_box_write("mine", text);
    fake_host_open(policy_box_directory());
    leg = fake_leg_create();
    fake_initialize(leg, "mine", "{}", "{}");
}

static void
open_drive(const char *drive)
{
    open_with("return {}", drive, "return 'stopped'");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
}

static void
close_all(void)
{
    fake_leg_destroy(leg);
    fake_host_close();
}

TestSuite(adapter_vm, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

/* Runs a body of drive_avatar to its end; it must not wait. */
static void
expect_drive(const char *body, enum adapter_error error, const char *detail)
{
    open_drive(body);
    fake_drive(leg, "{\"n\":1}");
    cr_expect_eq(leg->ends, 2, "%s", body);
    cr_expect_eq(leg->result.error, error, "%s\ngave %s", body, leg->detail);
    cr_expect_not_null(strstr(leg->detail, detail), "%s\ngave %s", body, leg->detail);
    close_all();
}

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

Test(adapter_vm, a_cut_that_is_caught_is_still_a_cut)
{
    open_drive("local ok, err = pcall(clock.sleep, 1000) assert(provider.is_cut(err)) "
               "input.emit_text('nobody hears this') usage { tokens = 5 } "
               "assert(not pcall(clock.sleep, 1)) return true");
    leg->allowed_tokens = 0;
    fake_drive(leg, "{}");
    fake_cut(leg);
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT, "%s", leg->detail);
    cr_assert_eq(leg->tokens, 5, "after a cut use is counted without waiting");
    cr_assert_eq(leg->text_bytes, 0);
    close_all();
}

Test(adapter_vm, errors_after_a_cut_are_the_cut_unless_something_may_be_left_over)
{
    open_drive("pcall(clock.sleep, 1000) return nil, provider.error(input.kind, 'x')");
    fake_drive(leg, "{\"kind\":\"retryable\"}");
    fake_cut(leg);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    fake_drive(leg, "{\"kind\":\"unknown\"}");
    fake_cut(leg);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN);
    close_all();
}

Test(adapter_vm, a_new_verb_begins_without_the_cut_of_the_last)
{
    open_with("return {}", "clock.sleep(10) return true",
              "clock.sleep(10) usage { media_ms = 3 } usage.final { media_ms = 9 } "
              "return 'stopped'");
    fake_drive(leg, "{}");
    fake_cut(leg);
    fake_terminate(leg, ADAPTER_USER_EXIT);
    fake_pass(leg, 10);
    cr_assert_eq(leg->result.verb, ADAPTER_TERMINATE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_eq(fake_media_ms(leg), 9);
    close_all();
}

Test(adapter_vm, only_what_a_script_waits_for_lets_it_go_on)
{
    open_drive("clock.sleep(100) input.emit_text('a') usage { tokens = 2 } "
               "input.emit_text('b') return true");
    fake_drive(leg, "{}");
    static const struct adapter_event covered = {.kind = ADAPTER_EVENT_COVERED};
    static const struct adapter_event room = {.kind = ADAPTER_EVENT_ROOM};
    tlua_leg_resume(fake_host_vm(), &leg->port, &covered);
    tlua_leg_resume(fake_host_vm(), &leg->port, &room);
    cr_assert_str_eq(leg->text, "", "it sleeps");
    leg->is_full = true;
    fake_pass(leg, 100);
    tlua_leg_resume(fake_host_vm(), &leg->port, &covered);
    cr_assert_eq(leg->tokens, 0, "it waits for room");
    leg->allowed_tokens = 1;
    fake_make_room(leg);
    tlua_leg_resume(fake_host_vm(), &leg->port, &room);
    cr_assert_str_eq(leg->text, "a", "it waits for money");
    fake_cover(leg, 2, 0);
    cr_assert_str_eq(leg->text, "ab");
    cr_assert_eq(leg->ends, 2);
    close_all();
}

Test(adapter_vm, events_that_come_while_a_script_waits_for_something_else_are_kept)
{
    open_drive("local s = http.stream { path = '/' } clock.sleep(100) "
               "for piece in s:chunks() do input.emit_text(piece) end "
               "return s:finish()");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, "one ");
    fake_data(leg, request, "two ");
    cr_assert_eq(request->consumed_bytes, 0, "what is not read is not asked for again");
    fake_pass(leg, 100);
    cr_assert_str_eq(leg->text, "one two ");
    cr_assert_eq(request->consumed_bytes, 8);
    fake_data(leg, request, "three");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert_str_eq(leg->text, "one two three");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    close_all();
}

Test(adapter_vm, repeated_and_late_events_change_nothing)
{
    open_drive("local a = assert(http.stream { path = '/' }) local text = '' "
               "for piece in a:chunks() do text = text .. piece end "
               "input.emit_text(text) clock.sleep(10) "
               "assert(a:read() == nil and a.status == 200) return a:finish()");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    struct fake_request stranger = {.exchange = 999};
    fake_head(leg, &stranger, 500, -1);
    fake_data(leg, &stranger, "stray");
    fake_head(leg, request, 200, -1);
    fake_head(leg, request, 500, -1);
    fake_data(leg, request, "text");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    fake_data(leg, request, "late");
    fake_end(leg, request, NET_HTTP_CUT);
    fake_head(leg, request, 500, -1);
    fake_pass(leg, 10);
    cr_assert_str_eq(leg->text, "text");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    fake_data(leg, request, "after the verb");
    fake_cut(leg);
    cr_assert_eq(leg->ends, 2);
    close_all();
}

Test(adapter_vm, a_host_that_sends_without_end_is_stopped)
{
    static char block[32 * 1024];
    memset(block, 'x', sizeof(block) - 1);
    open_drive("local s = http.stream { path = '/' } clock.sleep(100) "
               "while s:read() do end return s:finish()");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    for (int i = 0; i < 64 && !request->has_ended; i++)
        fake_data(leg, request, block);
    cr_assert(request->is_cancelled);
    fake_pass(leg, 100);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED);
    close_all();
}

Test(adapter_vm, an_answer_that_is_too_long_is_malformed)
{
    static char block[60 * 1024];
    memset(block, 'x', sizeof(block) - 1);
    open_drive("local answer, err = http.request { path = '/' } return answer, err");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    for (int i = 0; i < 32 && !request->has_ended; i++)
        fake_data(leg, request, block);
    cr_assert(request->is_cancelled);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED);
    cr_assert_str_eq(leg->detail, "the answer is too long");
    close_all();
}

Test(adapter_vm, what_a_verb_leaves_open_is_cancelled_at_its_end)
{
    open_drive("session.stream = http.stream { path = '/' } "
               "local piece = session.stream:read() or '' input.emit_text(piece) return true");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, "x");
    cr_assert_eq(leg->ends, 2);
    cr_assert(request->is_cancelled);
    fake_drive(leg, "{}");
    struct fake_request *second = fake_pending(leg);
    fake_end(leg, second, NET_HTTP_UNREACHED);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_BUG, "there was no stream to read");
    close_all();
}

Test(adapter_vm, requests_one_after_the_other_have_no_end)
{
    open_drive("for i = 1, 40 do assert(http.request { path = '/' .. i }) end return true");
    fake_drive(leg, "{}");
    for (int i = 0; i < 40; i++)
        fake_answer(leg, 200, "{}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    close_all();
}

Test(adapter_vm, too_many_exchanges_at_once_are_refused)
{
    open_drive("for i = 1, 20 do local s, err = http.stream { path = '/' .. i } "
               "if not s then return nil, err end end return true");
    fake_drive(leg, "{}");
    for (int i = 0; i < 16; i++)
        fake_head(leg, &leg->requests[i], 200, -1);
    cr_assert_eq(leg->request_count, 16);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_RETRYABLE);
    for (int i = 0; i < 16; i++)
        cr_assert(leg->requests[i].is_cancelled);
    close_all();
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

static lua_Alloc allocate;
static size_t allocations_left; /* before one fails */

static void *
allocate_or_fail_once(void *context, void *block, size_t old_bytes, size_t new_bytes)
{
    if (new_bytes > old_bytes && --allocations_left == 0)
        return NULL;
    return allocate(context, block, old_bytes, new_bytes);
}

static void
one_turn(struct fake_leg *at)
{
    static const char answer[] = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
                                 "data: [DONE]\n\n";
    fake_initialize(at, "openai", "{\"leg_id\":\"l\",\"provider\":{}}", "{}");
    fake_drive(at, "{\"text\":\"hi\"}");
    struct fake_request *request = &at->requests[0];
    if (at->request_count > 0 && !request->has_ended)
        fake_head(at, request, 200, -1);
    if (at->request_count > 0 && !request->has_ended)
        fake_data(at, request, answer);
    if (at->request_count > 0 && !request->has_ended)
        fake_end(at, request, NET_HTTP_COMPLETE);
    fake_terminate(at, ADAPTER_USER_EXIT);
}

Test(adapter_vm, whichever_allocation_fails_every_verb_has_an_end)
{
    unsigned right = 0;
    for (size_t nth = 1; nth < 400; nth += 3) {
        fake_host_open(NULL);
        lua_State *state = fake_host_vm()->vm.state;
        void *context;
        allocate = lua_getallocf(state, &context);
        lua_setallocf(state, allocate_or_fail_once, context);
        allocations_left = nth;
        struct fake_leg *first = fake_leg_create(), *second = fake_leg_create();
        one_turn(first);
        one_turn(second);
        cr_assert_eq(first->ends, 3);
        cr_assert_eq(second->ends, 3);
        right += second->result.error == ADAPTER_ERROR_NONE;
        fake_leg_destroy(first);
        fake_leg_destroy(second);
        lua_setallocf(state, allocate, context);
        fake_host_close();
    }
    cr_assert_gt(right, 50);
}

/* Every block that the VM's allocator hands out from now on, so that all of its memory can be
 * searched. */
enum { BLOCKS_MAX = 1 << 16 };
static struct {
    void *block;
    size_t size_bytes;
} blocks[BLOCKS_MAX];

static void *
allocate_and_note(void *context, void *block, size_t old_bytes, size_t new_bytes)
{
    size_t at = 0;
    while (at < BLOCKS_MAX &&
           (block == NULL ? blocks[at].block != NULL : blocks[at].block != block))
        at++;
    if (at == BLOCKS_MAX) /* it was there before */
        for (at = 0; blocks[at].block != NULL; at++)
            ;
    void *moved = allocate(context, block, old_bytes, new_bytes);
    if (moved != NULL || new_bytes == 0) {
        blocks[at].block = moved;
        blocks[at].size_bytes = new_bytes;
    }
    return moved;
}

static bool
is_in_the_vm(const char *text)
{
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (blocks[i].block != NULL &&
            memmem(blocks[i].block, blocks[i].size_bytes, text, strlen(text)) != NULL)
            return true;
    }
    return false;
}

Test(adapter_vm, a_secret_never_enters_the_vm)
{
    fake_host_open(NULL);
    lua_State *state = fake_host_vm()->vm.state;
    void *context;
    allocate = lua_getallocf(state, &context);
    lua_setallocf(state, allocate_and_note, context);
    leg = fake_leg_create();
    fake_initialize(leg, "openai",
                    "{\"leg_id\":\"a-visible-marker\",\"provider\":{\"model\":"
                    "\"a-visible-marker\"}}",
                    "{}");
    fake_drive(leg, "{\"text\":\"hi\"}");
    struct fake_request *request = fake_pending(leg);
    cr_assert_not_null(strstr(request->headers, FAKE_SECRET), "the host did put it in");
    fake_head(leg, request, 200, -1);
    cr_assert(is_in_the_vm("a-visible-marker"), "the search finds what is there");
    cr_assert(is_in_the_vm("openai.api_key"), "scripts know the name of a secret");
    cr_assert_not(is_in_the_vm(FAKE_SECRET));
    fake_data(leg, request, "data: [DONE]\n\n");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_not(is_in_the_vm(FAKE_SECRET));
    lua_setallocf(state, allocate, context);
    close_all();
}
