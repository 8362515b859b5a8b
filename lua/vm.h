/*
 * lua/vm.h - one Lua state that cannot run away.
 *
 * Memory comes from an allocator with a cap, and every run has a budget of instructions and of
 * CPU time. A count hook watches them; once one is spent the hook fires at each further
 * instruction and raises every time, so that no pcall in a script outlives it. The compiler is
 * off: compiled code never calls hooks.
 *
 *      tlua_vm_init ──► calls of set-up functions ──► tlua_vm_seal ──► tlua_vm_call …
 *
 * A C function that may raise a Lua error is a lua_CFunction or is named `…_raise`, runs inside
 * tlua_vm_call() or tlua_vm_resume() only, and owns nothing outside the state when it raises.
 *
 * Source: M. Pall et al., LuaJIT issues 723 and 1488 (hooks and compiled code), read 2026-11.
 * Threads: one at a time; a VM may move between threads between calls.
 */
#ifndef LUA_VM_H
#define LUA_VM_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lua/problem.h"

#define TLUA_KIB ((size_t)1024)
#define TLUA_MIB (1024 * TLUA_KIB)

struct tlua_vm_limits {
    uint64_t instructions; /* of one run */
    uint32_t cpu_ms;       /* of one run, by this thread's CPU clock; 0: not limited */
    size_t heap_bytes;     /* beyond what the VM held when it was sealed */
    size_t block_bytes;    /* of one string or table: bounds the work of one instruction */
    size_t text_bytes;     /* of what string.rep, string.format and table.concat make */
};

/* How a run ended. */
enum tlua_end {
    TLUA_DONE,
    TLUA_SUSPENDED, /* tlua_vm_resume() only */
    TLUA_RAISED,    /* the script raised an error */
    TLUA_TOO_LONG,  /* more instructions or CPU time than its budget */
    TLUA_NO_MEMORY, /* more memory than its cap */
};

/* "done", "suspended", "raised", "too_long", "no_memory". */
const char *tlua_end_name(enum tlua_end end);

struct tlua_vm {
    lua_State *state;
    const void *context; /* what C functions called by scripts need; set by the owner of the VM */
    struct tlua_vm_limits limits;
    size_t used_bytes, allowed_bytes;
    uint64_t instructions;            /* of the present run, about */
    uint64_t wall_start_ns;           /* of its first hook; 0 before */
    uint64_t cpu_start_ns;            /* this thread's CPU clock, some way in; 0 before */
    enum tlua_end stopped;            /* DONE while the run is inside its bounds */
    bool hook_is_sticky;              /* it fires at each instruction */
    char problem[TLUA_PROBLEM_BYTES]; /* of the last run that did not end DONE */
};

/* Makes an empty state: no library, nothing loaded. False when out of memory. `limits` is
 * copied; the VM must not move afterwards. */
bool tlua_vm_init(struct tlua_vm *vm, const struct tlua_vm_limits *limits);
void tlua_vm_deinit(struct tlua_vm *vm);

/* Calls `function` with `argument` as light userdata: for set-up, and for work on the state that
 * may raise. */
enum tlua_end tlua_vm_do(struct tlua_vm *vm, lua_CFunction function, void *argument);

/*
 * Calls a function that lies on the stack below its arguments, as lua_pcall() does.
 *
 *   returns    DONE: the results are on the stack; else they are not, and vm->problem tells
 */
enum tlua_end tlua_vm_call(struct tlua_vm *vm, int arguments, int results);

/*
 * Starts or continues a coroutine of the VM, as lua_resume() does.
 *
 *   returns    DONE or SUSPENDED: its results are on its stack
 */
enum tlua_end tlua_vm_resume(struct tlua_vm *vm, lua_State *coroutine, int arguments);

/* Collects all garbage. */
void tlua_vm_collect(struct tlua_vm *vm);

/* Collects garbage and takes what is left as the base that heap_bytes comes on top of. */
void tlua_vm_seal(struct tlua_vm *vm);

/* The VM of a state or coroutine. */
struct tlua_vm *tlua_vm_of(lua_State *state);

/* Adds work done in C to the run's count, one for about as much as an instruction does; raises
 * when that spends the budget. */
void tlua_vm_charge_raise(lua_State *state, size_t instructions);

#endif
