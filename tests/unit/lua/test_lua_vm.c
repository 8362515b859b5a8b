/* What a VM promises whatever runs in it, Lua's own pcall included: bounded instructions, CPU time
 * and memory, and a state that can be used again. */
#include <criterion/criterion.h>
#include <lauxlib.h>
#include <lualib.h>
#include <string.h>

#include "lua/vm.h"
#include "runtime/compiler.h"

static const struct tlua_vm_limits limits = {
    .instructions = 100000,
    .heap_bytes = TLUA_MIB,
    .block_bytes = 64 * TLUA_KIB,
    .text_bytes = 16 * TLUA_KIB,
};

static struct tlua_vm vm;

/* Not luaL_openlibs(): the jit library turns the compiler on, and nothing here would end. */
static int
open_libraries(lua_State *state)
{
    static const lua_CFunction libraries[] = {luaopen_base, luaopen_table, luaopen_string};
    for (size_t i = 0; i < RT_COUNT_OF(libraries); i++) {
        lua_pushcfunction(state, libraries[i]);
        lua_pushliteral(state, "");
        lua_call(state, 1, 0);
    }
    return 0;
}

static void
open_vm(const struct tlua_vm_limits *wanted)
{
    cr_assert(tlua_vm_init(&vm, wanted));
    cr_assert_eq(tlua_vm_do(&vm, open_libraries, NULL), TLUA_DONE);
    tlua_vm_seal(&vm);
}

static void
setup(void)
{
    open_vm(&limits);
}

static void
teardown(void)
{
    tlua_vm_deinit(&vm);
    cr_assert_eq(vm.used_bytes, 0, "all memory is given back");
}

TestSuite(lua_vm, .init = setup, .fini = teardown, .timeout = 60);

static enum tlua_end
run(const char *text)
{
    cr_assert_eq(luaL_loadstring(vm.state, text), 0, "%s", text);
    return tlua_vm_call(&vm, 0, 0);
}

Test(lua_vm, a_run_ends_with_its_results_or_its_problem)
{
    cr_assert_eq(luaL_loadstring(vm.state, "return 7, ..."), 0);
    lua_pushliteral(vm.state, "x");
    cr_assert_eq(tlua_vm_call(&vm, 1, 2), TLUA_DONE);
    cr_assert_eq(lua_tointeger(vm.state, -2), 7);
    cr_assert_str_eq(lua_tostring(vm.state, -1), "x");
    lua_settop(vm.state, 0);
    cr_assert_eq(run("error('on purpose', 0)"), TLUA_RAISED);
    cr_assert_str_eq(vm.problem, "on purpose");
    cr_assert_eq(run("error({})"), TLUA_RAISED);
    cr_assert_str_eq(vm.problem, "the script raised something that is not a text");
    cr_assert_eq(lua_gettop(vm.state), 0);
}

Test(lua_vm, a_spent_budget_ends_loops_that_catch_the_end)
{
    static const char *const loops[] = {
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "while true do pcall(pcall, pcall, error) end",
        "while true do coroutine.wrap(function() while true do end end)() end",
        "while true do pcall(coroutine.wrap(function() while true do end end)) end",
        "while true do pcall(table.sort, { 3, 2, 1 }, function() while true do end end) end",
        "while true do xpcall(error, function() end) end",
    };
    for (size_t i = 0; i < RT_COUNT_OF(loops); i++) {
        cr_expect_eq(run(loops[i]), TLUA_TOO_LONG, "%s", loops[i]);
        cr_expect_eq(run("local n = 0 for i = 1, 1000 do n = n + i end assert(n == 500500)"),
                     TLUA_DONE, "the next run has a budget of its own: %s", vm.problem);
    }
}

Test(lua_vm, cpu_time_ends_what_instructions_do_not)
{
    struct tlua_vm_limits by_time = limits;
    by_time.instructions = UINT64_MAX;
    by_time.cpu_ms = 5;
    tlua_vm_deinit(&vm);
    open_vm(&by_time);
    cr_assert_eq(run("while true do end"), TLUA_TOO_LONG);
    cr_assert_eq(run("while true do pcall(function() while true do end end) end"), TLUA_TOO_LONG);
    cr_assert_eq(run("for i = 1, 1000 do end"), TLUA_DONE);
}

Test(lua_vm, memory_over_the_cap_ends_the_run)
{
    static const char *const bombs[] = {
        "local t = {} for i = 1, 1e9 do t[i] = {} end",
        "local t = {} while true do t = { t } end",
        "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
        "while true do pcall(function() local t = {} while true do t = { t } end end) end",
    };
    for (size_t i = 0; i < RT_COUNT_OF(bombs); i++) {
        enum tlua_end end = run(bombs[i]);
        cr_expect(end == TLUA_NO_MEMORY || end == TLUA_TOO_LONG, "%s: %s", bombs[i],
                  tlua_end_name(end));
        cr_expect_leq(vm.used_bytes, vm.allowed_bytes + 4 * limits.block_bytes);
        tlua_vm_collect(&vm);
        cr_expect_eq(run("local t = {} for i = 1, 100 do t[i] = {} end"), TLUA_DONE, "%s",
                     vm.problem);
    }
    cr_assert_eq(run("local t = {} while true do t = { t } end"), TLUA_NO_MEMORY);
}

Test(lua_vm, one_block_over_its_cap_ends_the_run)
{
    cr_assert_eq(run("return ('x'):rep(60000)"), TLUA_DONE);
    cr_assert_eq(run("return ('x'):rep(70000)"), TLUA_NO_MEMORY);
    cr_assert_eq(run("pcall(string.rep, 'x', 70000) return 1"), TLUA_NO_MEMORY,
                 "also when the script goes on");
    cr_assert_eq(run("local s = 'x' while true do s = s .. s end"), TLUA_NO_MEMORY);
}

static int
work_in_c(lua_State *state)
{
    while (true)
        tlua_vm_charge_raise(state, 10);
    return 0;
}

Test(lua_vm, work_in_c_counts)
{
    cr_assert_eq(tlua_vm_do(&vm, work_in_c, NULL), TLUA_TOO_LONG);
    lua_pushcfunction(vm.state, work_in_c);
    lua_setglobal(vm.state, "work");
    cr_assert_eq(run("while true do pcall(work) end"), TLUA_TOO_LONG);
}

static int
yield(lua_State *state)
{
    return lua_yield(state, 0);
}

Test(lua_vm, coroutines_are_resumed_until_they_end)
{
    lua_pushcfunction(vm.state, yield);
    lua_setglobal(vm.state, "wait");
    lua_State *coroutine = lua_newthread(vm.state);
    cr_assert_eq(luaL_loadstring(coroutine, "wait() pcall(wait) wait() return 'done'"), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(tlua_vm_resume(&vm, coroutine, 0), TLUA_SUSPENDED);
    cr_assert_eq(tlua_vm_resume(&vm, coroutine, 0), TLUA_DONE);
    cr_assert_str_eq(lua_tostring(coroutine, -1), "done");

    lua_State *endless = lua_newthread(vm.state);
    cr_assert_eq(luaL_loadstring(endless, "wait() while true do pcall(wait, {}) end"), 0);
    enum tlua_end end = TLUA_SUSPENDED;
    for (int i = 0; i < 10 && end == TLUA_SUSPENDED; i++)
        end = tlua_vm_resume(&vm, endless, 0);
    cr_assert_eq(end, TLUA_SUSPENDED, "each step has a budget of its own");

    lua_State *bad = lua_newthread(vm.state);
    cr_assert_eq(luaL_loadstring(bad, "wait() while true do end"), 0);
    cr_assert_eq(tlua_vm_resume(&vm, bad, 0), TLUA_SUSPENDED);
    cr_assert_eq(tlua_vm_resume(&vm, bad, 0), TLUA_TOO_LONG);
    lua_settop(vm.state, 0);
}
