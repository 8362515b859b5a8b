#include "lua/vm.h"

#include <lauxlib.h>
#include <luajit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "runtime/assert.h"
#include "runtime/flight.h"
#include "runtime/pool.h"
#include "runtime/world.h"

enum {
    HOOK_PERIOD = 100,             /* instructions; with block_bytes it bounds the overshoot */
    SETUP_BYTES = 8 * 1024 * 1024, /* until the VM is sealed */
    SLACK_BLOCKS = 4,              /* beyond the cap, until the next instruction */
};

const char *
tlua_end_name(enum tlua_end end)
{
    static const char *const names[] = {"done", "suspended", "raised", "too_long", "no_memory"};
    return names[end];
}

struct tlua_vm *
tlua_vm_of(lua_State *state)
{
    void *vm;
    lua_getallocf(state, &vm);
    return vm;
}

static void on_count(lua_State *state, lua_Debug *debug);

static void
set_hook(struct tlua_vm *vm, bool sticky)
{
    vm->hook_is_sticky = sticky;
    lua_sethook(vm->state, on_count, LUA_MASKCOUNT, sticky ? 1 : HOOK_PERIOD);
}

/* Whether a block may grow. Beyond the cap it still may, for a moment: the run is stopped at its
 * next instruction. LuaJIT's tables lose members when memory is refused to them in the middle of
 * growing, and tables of other legs live in the same VM. */
static bool
may_grow(struct tlua_vm *vm, size_t old_bytes, size_t new_bytes)
{
    size_t used_bytes = vm->used_bytes + (new_bytes - old_bytes);
    if (new_bytes > vm->limits.block_bytes)
        return false;
    if (used_bytes <= vm->allowed_bytes)
        return true;
    vm->stopped = TLUA_NO_MEMORY;
    if (vm->state != NULL && !vm->hook_is_sticky)
        set_hook(vm, true); /* may be called at any time, says LuaJIT */
    return used_bytes - vm->allowed_bytes <= SLACK_BLOCKS * vm->limits.block_bytes;
}

/* The state's allocator; lua_Alloc in the reference manual. Shrinking never fails. */
static void *
allocate(void *context, void *block, size_t old_bytes, size_t new_bytes)
{
    struct tlua_vm *vm = context;
    if (new_bytes == 0) {
        rt_pool_give(block, old_bytes);
        vm->used_bytes -= old_bytes;
        return NULL;
    }
    void *moved = NULL;
    if (new_bytes <= old_bytes || may_grow(vm, old_bytes, new_bytes))
        moved =
            block == NULL ? rt_pool_take(new_bytes) : rt_pool_resize(block, old_bytes, new_bytes);
    if (moved == NULL && new_bytes <= old_bytes)
        moved = block;
    if (moved == NULL)
        vm->stopped = TLUA_NO_MEMORY;
    else
        vm->used_bytes = vm->used_bytes - old_bytes + new_bytes;
    return moved;
}

static uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * RT_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* A thread's CPU time costs a system call and is never more than the wall clock shows. So the
 * wall clock alone counts for the first quarter of the budget, which few runs ever leave. */
static bool
is_out_of_time(struct tlua_vm *vm)
{
    if (vm->limits.cpu_ms == 0)
        return false;
    uint64_t budget_ns = vm->limits.cpu_ms * RT_NS_PER_MS;
    uint64_t wall_ns = clock_ns(CLOCK_MONOTONIC);
    if (vm->wall_start_ns == 0)
        vm->wall_start_ns = wall_ns;
    uint64_t passed_ns = wall_ns - vm->wall_start_ns;
    if (passed_ns >= budget_ns / 4 && vm->cpu_start_ns == 0)
        vm->cpu_start_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    return passed_ns > budget_ns &&
           clock_ns(CLOCK_THREAD_CPUTIME_ID) - vm->cpu_start_ns > budget_ns / 4 * 3;
}

static void
check_budget_raise(lua_State *state, struct tlua_vm *vm)
{
    if (vm->stopped == TLUA_DONE &&
        (vm->instructions > vm->limits.instructions || is_out_of_time(vm)))
        vm->stopped = TLUA_TOO_LONG;
    if (vm->stopped == TLUA_DONE)
        return;
    if (!vm->hook_is_sticky)
        set_hook(vm, true);
    lua_pushlightuserdata(state, vm); /* no text: there may be no memory for one */
    lua_error(state);
}

static void
on_count(lua_State *state, lua_Debug *debug)
{
    struct tlua_vm *vm = tlua_vm_of(state);
    vm->instructions += HOOK_PERIOD;
    if (RT_UNLIKELY(rt_flight_is_asked()) && lua_getinfo(state, "Sl", debug))
        rt_flight_tell(debug->short_src, debug->currentline);
    check_budget_raise(state, vm);
}

void
tlua_vm_charge_raise(lua_State *state, size_t instructions)
{
    struct tlua_vm *vm = tlua_vm_of(state);
    vm->instructions += instructions;
    check_budget_raise(state, vm);
}

static void
begin_run(struct tlua_vm *vm)
{
    vm->instructions = 0;
    vm->wall_start_ns = 0;
    vm->cpu_start_ns = 0;
    vm->stopped = TLUA_DONE;
    if (vm->hook_is_sticky)
        set_hook(vm, false);
}

static void
describe(struct tlua_vm *vm, lua_State *state, enum tlua_end end)
{
    const char *text = "the script raised something that is not a text";
    if (end == TLUA_TOO_LONG)
        text = "the script ran longer than its budget";
    else if (end == TLUA_NO_MEMORY)
        text = "the script wanted more memory than its cap";
    else if (lua_type(state, -1) == LUA_TSTRING)
        text = lua_tostring(state, -1);
    snprintf(vm->problem, sizeof(vm->problem), "%s", text);
}

/* A script may have caught the error that stopped it and gone on to its end: that is no success. */
static enum tlua_end
end_run(struct tlua_vm *vm, lua_State *state, int status)
{
    enum tlua_end end = TLUA_RAISED;
    if (vm->stopped != TLUA_DONE)
        end = vm->stopped;
    else if (status == 0)
        return TLUA_DONE;
    else if (status == LUA_YIELD)
        return TLUA_SUSPENDED;
    describe(vm, state, end);
    return end;
}

enum tlua_end
tlua_vm_call(struct tlua_vm *vm, int arguments, int results)
{
    int base = lua_gettop(vm->state) - arguments - 1;
    begin_run(vm);
    int status = lua_pcall(vm->state, arguments, results, 0);
    enum tlua_end end = end_run(vm, vm->state, status);
    if (end != TLUA_DONE)
        lua_settop(vm->state, base);
    return end;
}

enum tlua_end
tlua_vm_resume(struct tlua_vm *vm, lua_State *coroutine, int arguments)
{
    begin_run(vm);
    return end_run(vm, coroutine, lua_resume(coroutine, arguments));
}

enum tlua_end
tlua_vm_do(struct tlua_vm *vm, lua_CFunction function, void *argument)
{
    begin_run(vm);
    int base = lua_gettop(vm->state);
    enum tlua_end end = end_run(vm, vm->state, lua_cpcall(vm->state, function, argument));
    lua_settop(vm->state, base);
    return end;
}

static int
on_panic(lua_State *state)
{
    (void)state;
    rt_assert_failed("a Lua error outside a protected call", __FILE__, __LINE__);
}

bool
tlua_vm_init(struct tlua_vm *vm, const struct tlua_vm_limits *limits)
{
    *vm = (struct tlua_vm){.limits = *limits, .allowed_bytes = SETUP_BYTES};
    vm->state = lua_newstate(allocate, vm);
    if (vm->state == NULL)
        return false;
    lua_atpanic(vm->state, on_panic);
    luaJIT_setmode(vm->state, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    set_hook(vm, false);
    return true;
}

void
tlua_vm_deinit(struct tlua_vm *vm)
{
    if (vm->state != NULL)
        lua_close(vm->state);
    vm->state = NULL;
}

static int
collect(lua_State *state)
{
    lua_gc(state, LUA_GCCOLLECT, 0);
    return 0;
}

void
tlua_vm_collect(struct tlua_vm *vm)
{
    (void)tlua_vm_do(vm, collect, NULL);
}

void
tlua_vm_seal(struct tlua_vm *vm)
{
    tlua_vm_collect(vm);
    vm->allowed_bytes = vm->used_bytes + vm->limits.heap_bytes;
}
