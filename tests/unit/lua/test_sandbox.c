/* What the sandbox promises: no policy can outrun its budget, leave its environment, change what
 * others see, or bring down the worker; and after each attempt the next question is answered. */
#include <criterion/criterion.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/lua/policy_box.h"

static void
setup(void)
{
    policy_box_open();
    policy_box_write("sound", "local decision = require 'twin.decision'\n"
                              "return { admit = function(request, tenant)\n"
                              "  return decision.deny('sound', { posted = tenant.posted })\n"
                              "end }\n");
}

TestSuite(sandbox, .init = setup, .fini = policy_box_close, .timeout = 60);

static void
expect_next_is_answered(void)
{
    struct policy_question question = policy_box_question();
    struct policy_decision decision = policy_box_ask("sound", &question);
    cr_assert_str_eq(decision.reason, "sound");
    cr_assert_str_eq(decision.facts, "{\"posted\":1000000000}");
}

struct attack {
    const char *body;
    const char *cause; /* NULL: any */
};

static void
expect_all_fail(const struct attack *attacks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct policy_decision decision = policy_box_run(attacks[i].body);
        cr_expect(policy_box_failed(&decision, attacks[i].cause), "%s\ngave %s %s", attacks[i].body,
                  decision.reason, decision.facts);
        expect_next_is_answered();
    }
}

Test(sandbox, endless_loops_are_stopped)
{
    static const struct attack attacks[] = {
        {"while true do end", "too_long"},
        {"local s = 0 while true do s = s + 1 end", "too_long"},
        {"repeat until false", "too_long"},
        {"for i = 1, math.huge do end", "too_long"},
        {"local function f() return f() end return f()", "too_long"},
        {"::again:: goto again", "too_long"},
    };
    expect_all_fail(attacks, RT_COUNT_OF(attacks));
}

Test(sandbox, loops_that_catch_the_kill_are_stopped)
{
    static const struct attack attacks[] = {
        {"while true do pcall(function() while true do end end) end", "too_long"},
        {"while true do xpcall(function() while true do end end, function() end) end", "too_long"},
        {"xpcall(function() error('x') end, function() while true do end end)", "too_long"},
        {"while true do xpcall(error, function() while true do end end) end", "too_long"},
        {"while true do pcall(pcall, pcall, function() while true do end end) end", "too_long"},
        {"while true do pcall(table.sort, {3, 2, 1}, function() while true do end end) end",
         "too_long"},
        {"pcall(function() while true do end end) return decision.pass()", "too_long"},
        {"while true do pcall(string.rep) end", "too_long"},
    };
    expect_all_fail(attacks, RT_COUNT_OF(attacks));
}

/* Where the stack is full the hook has no room to run in: nothing but pcall itself can end these,
 * which else climb up and down for longer than the universe has been there. */
Test(sandbox, loops_that_hide_where_the_stack_is_full_are_stopped)
{
    static const struct attack attacks[] = {
        {"local function f() pcall(f) return f() end return f()", "no_memory"},
        {"local function f() pcall(pcall, f) return f() end return f()", "no_memory"},
        {"local function f() xpcall(f, f) return f() end return f()", "no_memory"},
        {"local function f() pcall(f) pcall(f) pcall(f) end f() return decision.pass()",
         "no_memory"},
        {"local function f() table.sort({1, 2}, function() pcall(f) return f() end) end f()",
         "no_memory"},
    };
    expect_all_fail(attacks, RT_COUNT_OF(attacks));
}

Test(sandbox, work_in_c_is_bounded_too)
{
    static const struct attack attacks[] = {
        {"local a, b = ('a'):rep(30) .. 'b', ('a-'):rep(28) .. 'c' return a:find(b)", "raised"},
        {"local a = ('a'):rep(60000) while true do a:find(('a'):rep(30000) .. 'b', 1, true) end",
         "too_long"},
        {"local t = {} for i = 1, 9000 do t[i] = 'x' end while true do table.concat(t) end",
         "too_long"},
        {"local t = {} for i = 1, 1e9 do t[i] = 'xxxxxxxx' end", NULL},
        {"while true do local s = ('x'):rep(60000):upper():lower():reverse() end", "too_long"},
        {"while true do string.format('%99.99f', 1e308) end", "too_long"},
        {"local s = ('9'):rep(60000) while true do local n = s + 0 end", "too_long"},
        {"local s = ('9'):rep(60000) while true do local n = tonumber(s) end", "too_long"},
        {"local s = ('x'):rep(60000) local u = s .. 'a' local v = s .. 'b' "
         "while true do local n = u < v end",
         "too_long"},
        {"local t = {} for i = 1, 8000 do t[i] = i end while true do local n = {unpack(t)} end",
         NULL},
        {"local t = {} for i = 1, 20000 do table.insert(t, 1, i) end "
         "while true do table.insert(t, 1, 1) table.remove(t, 1) end",
         NULL},
        {"local t = {} for i = 1, 5000 do t[i] = i % 2 * i end while true do table.sort(t) end",
         "too_long"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(attacks); i++) {
        struct policy_decision decision = policy_box_run(attacks[i].body);
        cr_expect_str_eq(decision.reason, "policy_failed", "%s\ngave %s %s", attacks[i].body,
                         decision.reason, decision.facts);
        if (attacks[i].cause != NULL)
            cr_expect(policy_box_failed(&decision, attacks[i].cause), "%s\ngave %s",
                      attacks[i].body, decision.facts);
        expect_next_is_answered();
    }
}

Test(sandbox, memory_bombs_are_stopped)
{
    static const struct attack attacks[] = {
        {"local s = 'x' while true do s = s .. s end", "no_memory"},
        {"local s = ('x'):rep(60000) s = s .. s s = s .. s s = s .. s return decision.pass()",
         "no_memory"},
        {"local t = {} for i = 1, 1e9 do t[i] = {i} end", NULL},
        {"local t = {} while true do t = {t, {}, {}} end", NULL},
        {"local t = {} for i = 1, 1e9 do t['k' .. i] = i end", NULL},
        {"local function f() return 1 + f() end return f()", NULL},
        {"local function f(...) return f(1, ...) end return f()", NULL},
        {"while true do pcall(function() local s = 'x' while true do s = s .. s end end) end",
         "no_memory"},
        {"pcall(function() local s = 'x' while true do s = s .. s end end) return decision.pass()",
         "no_memory"},
        {"return ('x'):rep(1e9)", "raised"},
        {"return ('x'):rep(1e300)", "raised"},
        {"return (''):rep(1e18, '') == ''", NULL},
        {"return string.format('%s%s', ('x'):rep(40000), ('x'):rep(40000))", "raised"},
        {"local t = {} for i = 1, 20 do t[i] = ('x'):rep(60000) .. i end return table.concat(t)",
         "raised"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(attacks); i++) {
        struct policy_decision decision = policy_box_run(attacks[i].body);
        cr_expect_str_eq(decision.reason, "policy_failed", "%s", attacks[i].body);
        if (attacks[i].cause != NULL)
            cr_expect(policy_box_failed(&decision, attacks[i].cause), "%s\ngave %s",
                      attacks[i].body, decision.facts);
        expect_next_is_answered();
    }
}

Test(sandbox, what_is_not_on_the_whitelist_is_not_there)
{
    static const char *const names[] = {"io",
                                        "os",
                                        "debug",
                                        "ffi",
                                        "jit",
                                        "bit",
                                        "package",
                                        "coroutine",
                                        "load",
                                        "loadstring",
                                        "loadfile",
                                        "dofile",
                                        "module",
                                        "print",
                                        "newproxy",
                                        "collectgarbage",
                                        "gcinfo",
                                        "getfenv",
                                        "setfenv",
                                        "getmetatable",
                                        "setmetatable",
                                        "rawget",
                                        "rawset",
                                        "rawequal",
                                        "next",
                                        "_G",
                                        "_VERSION",
                                        "string.dump",
                                        "string.match",
                                        "string.gmatch",
                                        "string.gsub",
                                        "math.random",
                                        "math.randomseed",
                                        "table.maxn",
                                        "table.foreach",
                                        "table.move"};
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        char body[128];
        snprintf(body, sizeof(body), "return decision.deny(%s == nil and 'absent' or 'present')",
                 names[i]);
        struct policy_decision decision = policy_box_run(body);
        cr_expect_str_eq(decision.reason, "absent", "%s: %s", names[i], decision.reason);
    }
}

Test(sandbox, texts_have_no_way_to_the_raw_library)
{
    static const struct attack attacks[] = {
        {"return ('x').gsub('x', 'x', 'y')", "raised"},
        {"return ('x'):match('x')", "raised"},
        {"return ('x'):dump()", "raised"},
        {"return ('aaa'):find('a-b')", "raised"},
        {"string.rep = nil", "raised"},
        {"string.format = function() return 'mine' end", "raised"},
        {"math.huge = 1", "raised"},
        {"decision.pass = nil", "raised"},
        {"money.usd = nil", "raised"},
        {"a_global = 1", "raised"},
        {"table = nil", "raised"},
        {"require('twin.settings')", "raised"},
        {"require('string')", "raised"},
        {"require('io')", "raised"},
        {"request.mode = 'text'", "raised"},
        {"tenant.posted = 0", "raised"},
        {"settings.x = 1", "raised"},
    };
    expect_all_fail(attacks, RT_COUNT_OF(attacks));
}

static int
append_bytes(lua_State *state, const void *bytes, size_t size_bytes, void *file)
{
    (void)state;
    return fwrite(bytes, 1, size_bytes, file) == size_bytes ? 0 : 1;
}

Test(sandbox, bytecode_is_refused)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/bytes.lua", policy_box_directory());
    FILE *file = fopen(path, "w");
    lua_State *state = luaL_newstate();
    cr_assert_eq(luaL_loadstring(state, "return { admit = function() end }"), 0);
    cr_assert_eq(lua_dump(state, append_bytes, file), 0);
    lua_close(state);
    cr_assert_eq(fclose(file), 0);
    struct policy_question question = policy_box_question();
    struct policy_decision decision = policy_box_ask("bytes", &question);
    cr_assert(policy_box_failed(&decision, "unknown"));
}

Test(sandbox, nothing_shows_an_address_or_an_order_of_chance)
{
    struct policy_decision decision = policy_box_run(
        "local t = {} for i = 1, 40 do t['k' .. i] = i end\n"
        "local names = {} for name in pairs(t) do names[#names + 1] = name end\n"
        "for i = 2, #names do if not (names[i - 1] < names[i]) then return end end\n"
        "if tostring(t) ~= 'table' or tostring(pairs) ~= 'function' then return end\n"
        "if pcall(string.format, '%s', t) then return end\n"
        "if pcall(pairs, tenant) or pcall(pairs, string) then return end\n"
        "return decision.deny('pure')");
    cr_assert_str_eq(decision.reason, "pure");
}

Test(sandbox, the_bounded_library_does_what_luas_does)
{
    static const char body[] =
        "local function is(got, wanted)\n"
        "  if got ~= wanted then error(tostring(got) .. ' is not ' .. tostring(wanted)) end\n"
        "end\n"
        "is(('ab'):rep(3), 'ababab') is(('a'):rep(3, ','), 'a,a,a') is(('a'):rep(-1), '')\n"
        "is((''):rep(5), '') is((('abc'):find('b')), 2) is((('abc'):find('c', -1)), 3)\n"
        "is(('a.c'):find('.', 1, true), 2) is(('abc'):find('x'), nil) is((('x'):find('')), 1)\n"
        "is(('x'):find('', 3), nil) is((pcall(string.find, 'aaa', 'a-b')), false) "
        "is(string.format('%5.1f|%d|%s|%%', 1.5, 7, 'z'), '  "
        "1.5|7|z|%')\n"
        "is(table.concat({1, 2, 3}, '-'), '1-2-3') is(table.concat({}, ','), '')\n"
        "is(table.concat({'a', 'b', 'c'}, '', 2, 3), 'bc')\n"
        "local t = {5, 3, 9, 1, 3} table.sort(t) is(table.concat(t, ' '), '1 3 3 5 9')\n"
        "table.sort(t, function(a, b) return a > b end) is(table.concat(t, ' '), '9 5 3 3 1')\n"
        "local ok, what = xpcall(function(x) error(x, 0) end, function(e) return e .. '!' end, "
        "'no')\n"
        "is(ok, false) is(what, 'no!') is(select('#', xpcall(function() return nil, nil end)), 3)\n"
        "is(money.usd('1.25'), 1250000000) is(money.usd(3), 3000000000)\n"
        "is(money.format(1250000000), '1.250000000') is(money.format(math.huge), 'unlimited')\n"
        "is(money.per_cent(money.usd('8999999.99'), 99), 8909999990100000)\n"
        "is(money.per_cent(math.huge, 10), math.huge) is(money.per_cent(199, 50), 99)\n"
        "return decision.deny('same')";
    struct policy_decision decision = policy_box_run(body);
    cr_assert_str_eq(decision.reason, "same", "%s", decision.facts);
}

Test(sandbox, texts_that_run_at_load_are_bounded_as_well)
{
    static const char *const texts[] = {
        "while true do end",
        "local s = 'x' while true do s = s .. s end",
        "local function f() return 1 + f() end f()",
        "error({})",
        "return 7",
        "return",
        "this is not Lua",
        "return { admit = 3 }",
        "return { admit = function() end, typo = 1 }",
        "return { settings = {} }",
        "return { name = 'other', admit = function() end }",
    };
    for (size_t i = 0; i < RT_COUNT_OF(texts); i++) {
        char name[32];
        snprintf(name, sizeof(name), "load%zu", i);
        policy_box_write(name, texts[i]);
        struct policy_question question = policy_box_question();
        struct policy_decision decision = policy_box_ask(name, &question);
        cr_expect(policy_box_failed(&decision, "unknown"), "%s gave %s %s", texts[i],
                  decision.reason, decision.facts);
        expect_next_is_answered();
    }
}
