/*
 * lua/adapter_state.h - an adapter VM and its legs, shared by the files adapter_*.c alone.
 *
 *   adapter_vm.c        the port; VMs opened and closed
 *   adapter_leg.c       legs: verbs begun, resumed and ended
 *   adapter_code.c      the Lua side: modules, adapters' files, data sheets
 *   adapter_host.c      what scripts call to reach the host (`native` in lua/twin/)
 *   adapter_exchange.c  answers of the vendor that no script has read yet
 *   adapter_scripts.c   texts of adapters
 */
#ifndef LUA_ADAPTER_STATE_H
#define LUA_ADAPTER_STATE_H

#include <lua.h>

#include "actors/adapter.h"
#include "lua/adapter_scripts.h"
#include "lua/vm.h"

enum {
    TLUA_EXCHANGES_MAX = 16,                /* of one leg at once */
    TLUA_EXCHANGE_BYTES_MAX = 1024 * 1024,  /* unread; far beyond the host's window */
    TLUA_HTTP_BODY_BYTES_MAX = 1024 * 1024, /* of a request */
    TLUA_IDLE_COROUTINES_MAX = 64,          /* kept for the next verbs */
};

struct tlua_coroutine {
    lua_State *state;
    int anchor; /* its place in the registry */
};

/* One request of a leg and what has come of its answer. */
struct tlua_exchange {
    struct tlua_exchange *next;
    uint64_t id;
    bool has_head, has_ended;
    enum net_http_result result; /* once it has ended */
    int status;
    int64_t retry_after_s;
    /* received and not read: bytes[read_bytes … size_bytes) */
    char *bytes;
    size_t capacity_bytes, size_bytes, read_bytes;
};

struct tlua_leg {
    struct adapter_leg *port; /* the host's; its address is the leg's name there */
    const struct tlua_adapter_script *script;
    struct tlua_coroutine coroutine; /* of the verb under way; its state NULL: none */
    enum adapter_verb verb;
    uint32_t slot; /* place in the VM, from 1 */
    /* what has happened, for the script to look at */
    bool is_cut, cut_is_new;
    bool is_covered, has_room, is_awake;
    struct tlua_exchange *exchanges;
};

struct tlua_adapters {
    struct tlua_adapter_scripts scripts;
    struct tlua_vm_limits limits;
};

struct adapter_vm {
    struct tlua_vm vm;
    struct tlua_adapters *adapters;
    struct adapter_host host;
    struct tlua_leg **legs; /* by slot - 1; NULL: free */
    size_t leg_count;       /* length of that array */
    size_t leg_free;        /* no free slot is before this index */
    struct tlua_leg *running;
    struct tlua_coroutine idle[TLUA_IDLE_COROUTINES_MAX]; /* ended well, their stacks empty */
    unsigned idle_count;
    /* places in the registry */
    int verbs, sessions, loaded;
};

/* The adapter VM of a state or coroutine. */
static inline struct adapter_vm *
tlua_adapter_vm_of(lua_State *state)
{
    return RT_CONTAINER_OF(tlua_vm_of(state), struct adapter_vm, vm);
}

void tlua_leg_begin(struct adapter_vm *vm, struct adapter_leg *port, const char *provider,
                    enum adapter_verb verb, const struct adapter_input *input);
void tlua_leg_resume(struct adapter_vm *vm, struct adapter_leg *port,
                     const struct adapter_event *event);
void tlua_leg_forget(struct adapter_vm *vm, struct adapter_leg *port);
void tlua_leg_free(struct adapter_vm *vm, struct tlua_leg *leg);

/* A lua_CFunction: makes the modules and the places in the registry of a fresh VM. */
int tlua_adapter_set_up(lua_State *state);

/* A lua_CFunction: reads the sheet of the script that is its light userdata. */
int tlua_adapter_read_sheet(lua_State *state);

/* Pushes what an adapter's file returned, running it the first time. */
void tlua_adapter_push_raise(lua_State *state, const struct tlua_adapter_script *script);

/* Pushes the table `native` of functions that reach the host. */
void tlua_adapter_native_push_raise(lua_State *state);

/* NULL when out of memory or there are too many. */
struct tlua_exchange *tlua_exchange_add(struct tlua_leg *leg, uint64_t id);
struct tlua_exchange *tlua_exchange_find(const struct tlua_leg *leg, uint64_t id);
void tlua_exchange_remove(struct tlua_leg *leg, struct tlua_exchange *exchange);

/* Forgets all of a leg's; the host is told to cancel those that have not ended. */
void tlua_exchange_cancel_all(struct adapter_vm *vm, struct tlua_leg *leg);

/* Takes in an event. False when the host sends more than it should: the exchange is then to be
 * cancelled, and counts as ended badly. */
bool tlua_exchange_take_in(struct tlua_exchange *exchange, const struct adapter_event *event);

#endif
