/*
 * Legs: their verbs begun, resumed and ended.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/adapter_scripts.h"
#include "lua/adapter_state.h"
#include "lua/json.h"
#include "runtime/assert.h"
#include "runtime/log.h"
#include "runtime/pool.h"

enum {
    LEGS_MAX = 1 << 16, /* of one VM */
    DETAIL_BYTES = 256,
    VENDOR_REF_BYTES = 256,
    JOIN_BYTES = 4096,
};

/* A free slot, counted from 1; 0 when there is none. */
static uint32_t
take_slot(struct adapter_vm *vm)
{
    while (vm->leg_free < vm->leg_count && vm->legs[vm->leg_free] != NULL)
        vm->leg_free++;
    if (vm->leg_free == vm->leg_count) {
        size_t count = vm->leg_count == 0 ? 16 : vm->leg_count * 2;
        struct tlua_leg **legs = NULL;
        if (count <= LEGS_MAX)
            legs = realloc(vm->legs, count * sizeof(struct tlua_leg *));
        if (legs == NULL)
            return 0;
        for (size_t i = vm->leg_count; i < count; i++)
            legs[i] = NULL;
        vm->legs = legs;
        vm->leg_count = count;
    }
    return (uint32_t)vm->leg_free + 1;
}

void
tlua_leg_free(struct adapter_vm *vm, struct tlua_leg *leg)
{
    while (leg->exchanges != NULL)
        tlua_exchange_remove(leg, leg->exchanges);
    size_t index = leg->slot - 1;
    vm->legs[index] = NULL;
    if (index < vm->leg_free)
        vm->leg_free = index;
    rt_pool_give(leg, sizeof(*leg));
}

static struct tlua_leg *
add_leg(struct adapter_vm *vm, struct adapter_leg *port, const struct tlua_adapter_script *script)
{
    uint32_t slot = take_slot(vm);
    struct tlua_leg *leg = slot == 0 ? NULL : rt_pool_take(sizeof(*leg));
    if (leg == NULL)
        return NULL;
    *leg = (struct tlua_leg){
        .port = port, .script = script, .slot = slot, .coroutine = {NULL, LUA_NOREF}};
    vm->legs[slot - 1] = leg;
    port->vm_slot = slot;
    return leg;
}

static struct tlua_leg *
leg_of(const struct adapter_vm *vm, const struct adapter_leg *port)
{
    RT_ASSERT(port->vm_slot > 0 && port->vm_slot <= vm->leg_count);
    struct tlua_leg *leg = vm->legs[port->vm_slot - 1];
    RT_ASSERT(leg != NULL && leg->port == port);
    return leg;
}

static void
drop_coroutine(struct adapter_vm *vm, struct tlua_leg *leg)
{
    luaL_unref(vm->vm.state, LUA_REGISTRYINDEX, leg->coroutine.anchor);
    leg->coroutine = (struct tlua_coroutine){NULL, LUA_NOREF};
}

/* One that has come to its end can be resumed with another function. */
static void
keep_coroutine(struct adapter_vm *vm, struct tlua_leg *leg)
{
    if (vm->idle_count == TLUA_IDLE_COROUTINES_MAX) {
        drop_coroutine(vm, leg);
        return;
    }
    lua_settop(leg->coroutine.state, 0);
    vm->idle[vm->idle_count++] = leg->coroutine;
    leg->coroutine = (struct tlua_coroutine){NULL, LUA_NOREF};
}

static void
take_coroutine_raise(lua_State *state, struct adapter_vm *vm, struct tlua_leg *leg)
{
    if (vm->idle_count > 0) {
        leg->coroutine = vm->idle[--vm->idle_count];
        return;
    }
    leg->coroutine.state = lua_newthread(state);
    leg->coroutine.anchor = luaL_ref(state, LUA_REGISTRYINDEX);
}

/* Takes the leg's session out of the table of them. Nothing here can raise: setting what is there
 * to nil allocates nothing. */
static void
drop_session(struct adapter_vm *vm, const struct tlua_leg *leg)
{
    lua_State *state = vm->vm.state;
    int top = lua_gettop(state);
    lua_rawgeti(state, LUA_REGISTRYINDEX, vm->sessions);
    if (lua_istable(state, -1)) {
        lua_rawgeti(state, -1, (int)leg->slot);
        if (!lua_isnil(state, -1)) {
            lua_pushnil(state);
            lua_rawseti(state, -3, (int)leg->slot);
        }
    }
    lua_settop(state, top);
}

void
tlua_leg_forget(struct adapter_vm *vm, struct adapter_leg *port)
{
    struct tlua_leg *leg = leg_of(vm, port);
    RT_ASSERT(leg != vm->running);
    drop_coroutine(vm, leg);
    drop_session(vm, leg);
    tlua_leg_free(vm, leg);
    port->vm_slot = 0;
}

/* The result as it is handed to the host, with the texts it points at. */
struct ending {
    struct adapter_result result;
    char detail[DETAIL_BYTES], vendor_ref[VENDOR_REF_BYTES], join[JOIN_BYTES];
};

/* Empty texts, not zeroed ones: they are long. */
static void
begin_ending(struct ending *ending, enum adapter_verb verb)
{
    ending->result = (struct adapter_result){.verb = verb,
                                             .retry_after_s = -1,
                                             .detail = ending->detail,
                                             .vendor_ref = ending->vendor_ref,
                                             .join = ending->join};
    ending->detail[0] = ending->vendor_ref[0] = ending->join[0] = '\0';
}

static const struct {
    const char *name;
    enum adapter_error error;
} kinds[] = {
    {"retryable", ADAPTER_ERROR_RETRYABLE},
    {"rejected", ADAPTER_ERROR_REJECTED},
    {"out_of_money", ADAPTER_ERROR_OUT_OF_MONEY},
    {"malformed", ADAPTER_ERROR_MALFORMED},
    {"unknown", ADAPTER_ERROR_UNKNOWN},
    {"cut", ADAPTER_ERROR_CUT},
    {"bug", ADAPTER_ERROR_BUG},
};

static const char *
text_at(lua_State *state, int index)
{
    return lua_type(state, index) == LUA_TSTRING ? lua_tostring(state, index) : "";
}

/* Copies a line for the log: what is not printable becomes a space. */
static void
copy_line(char *line_out, size_t room, const char *text)
{
    size_t size_bytes = strnlen(text, room - 1);
    memcpy(line_out, text, size_bytes);
    line_out[size_bytes] = '\0';
    for (char *at = line_out; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = ' ';
    }
}

static bool
copy_whole(char *text_out, size_t room, const char *text)
{
    size_t size_bytes = strlen(text);
    if (size_bytes >= room)
        return false;
    memcpy(text_out, text, size_bytes + 1);
    return true;
}

static enum adapter_stopped
stopped_of(const char *name)
{
    if (strcmp(name, "stopped") == 0)
        return ADAPTER_STOPPED;
    return strcmp(name, "requested") == 0 ? ADAPTER_STOP_REQUESTED : ADAPTER_STOP_IMPOSSIBLE;
}

static void
set_bug(struct ending *ending, const char *detail)
{
    ending->result.error = ADAPTER_ERROR_BUG;
    copy_line(ending->detail, sizeof(ending->detail), detail);
}

/* Reads what a verb of lua/twin/leg.lua returned: kind, detail, status, retry_after and, when
 * the kind is nil, what the verb achieved. */
static void
read_ending(lua_State *state, struct ending *ending)
{
    struct adapter_result *result = &ending->result;
    const char *kind = text_at(state, 1);
    for (size_t i = 0; i < RT_COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].name, kind) == 0)
            result->error = kinds[i].error;
    }
    copy_line(ending->detail, sizeof(ending->detail), text_at(state, 2));
    if (lua_type(state, 3) == LUA_TNUMBER)
        result->status = (int)lua_tointeger(state, 3);
    if (lua_type(state, 4) == LUA_TNUMBER)
        result->retry_after_s = (int64_t)lua_tointeger(state, 4);
    if (result->error != ADAPTER_ERROR_NONE)
        return;
    if (result->verb == ADAPTER_TERMINATE)
        result->stopped = stopped_of(text_at(state, 5));
    else if (!copy_whole(ending->vendor_ref, sizeof(ending->vendor_ref), text_at(state, 5)) ||
             !copy_whole(ending->join, sizeof(ending->join), text_at(state, 6)))
        set_bug(ending, "vendor_ref or join is too long");
}

static void
end_verb(struct adapter_vm *vm, struct tlua_leg *leg, struct ending *ending)
{
    if (ending->result.error == ADAPTER_ERROR_BUG)
        rt_log(RT_LOG_ERROR, "adapter.raised", RT_STR("provider", leg->script->name),
               RT_STR("problem", ending->detail));
    tlua_exchange_cancel_all(vm, leg);
    /* The last thing: the host may begin the next verb, or forget the leg, from within. */
    vm->host.finished(vm->host.self, leg->port, &ending->result);
}

/* A run of the VM that did not end well is the script's fault. */
static void
fail_verb(struct adapter_vm *vm, struct tlua_leg *leg, struct ending *ending, enum tlua_end end)
{
    set_bug(ending, vm->vm.problem);
    drop_coroutine(vm, leg);
    if (end == TLUA_NO_MEMORY)
        tlua_vm_collect(&vm->vm); /* the other legs shall not suffer from this one's garbage */
}

static void
run(struct adapter_vm *vm, struct tlua_leg *leg, int arguments)
{
    RT_ASSERT(vm->running == NULL);
    vm->running = leg;
    enum tlua_end end = tlua_vm_resume(&vm->vm, leg->coroutine.state, arguments);
    vm->running = NULL;
    if (end == TLUA_SUSPENDED)
        return;
    struct ending ending;
    begin_ending(&ending, leg->verb);
    if (end == TLUA_DONE) {
        read_ending(leg->coroutine.state, &ending);
        keep_coroutine(vm, leg);
    } else {
        fail_verb(vm, leg, &ending, end);
    }
    end_verb(vm, leg, &ending);
}

struct beginning {
    struct tlua_leg *leg;
    const struct adapter_input *input;
    int arguments;
};

static void
push_json_raise(lua_State *state, const char *name, const char *text)
{
    if (!tlua_json_decode_raise(state, text, strlen(text)))
        luaL_error(state, "the host's %s is not JSON", name);
}

/* Pushes the verb's own arguments; returns how many. */
static int
push_input_raise(lua_State *state, enum adapter_verb verb, const struct adapter_input *input)
{
    switch (verb) {
    case ADAPTER_INITIALIZE:
        push_json_raise(state, "config", input->config);
        push_json_raise(state, "limits", input->limits);
        return 2;
    case ADAPTER_DRIVE:
        push_json_raise(state, "drive", input->drive);
        if (input->messages != NULL && input->messages[0] != '\0') {
            tlua_json_text_push_raise(state, input->messages);
            lua_setfield(state, -2, "messages");
        }
        return 1;
    case ADAPTER_TERMINATE:
        lua_pushstring(state, input->reason == ADAPTER_COST_LIMIT ? "COST_LIMIT" : "USER_EXIT");
        return 1;
    }
    return 0;
}

/* Gives the leg a coroutine, with the verb of lua/twin/leg.lua and its arguments on its stack. */
static int
make_coroutine(lua_State *state)
{
    static const char *const verbs[] = {[ADAPTER_INITIALIZE] = "initialize",
                                        [ADAPTER_DRIVE] = "drive",
                                        [ADAPTER_TERMINATE] = "terminate"};
    struct beginning *beginning = lua_touserdata(state, 1);
    struct tlua_leg *leg = beginning->leg;
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    take_coroutine_raise(state, vm, leg);
    lua_rawgeti(state, LUA_REGISTRYINDEX, vm->verbs);
    lua_getfield(state, -1, verbs[leg->verb]);
    lua_pushinteger(state, (lua_Integer)leg->slot);
    tlua_adapter_push_raise(state, leg->script);
    beginning->arguments = 2 + push_input_raise(state, leg->verb, beginning->input);
    lua_xmove(state, leg->coroutine.state, beginning->arguments + 1);
    return 0;
}

/* A verb that cannot even begin. */
static void
refuse(struct adapter_vm *vm, struct adapter_leg *port, enum adapter_verb verb,
       enum adapter_error error, const char *detail)
{
    struct adapter_result result = {.verb = verb,
                                    .error = error,
                                    .retry_after_s = -1,
                                    .detail = detail,
                                    .vendor_ref = "",
                                    .join = ""};
    vm->host.finished(vm->host.self, port, &result);
}

static void
begin_verb(struct adapter_vm *vm, struct tlua_leg *leg, enum adapter_verb verb,
           const struct adapter_input *input)
{
    struct beginning beginning = {.leg = leg, .input = input};
    RT_ASSERT(leg->coroutine.state == NULL);
    leg->verb = verb;
    leg->is_cut = leg->cut_is_new = false;
    leg->is_covered = leg->has_room = leg->is_awake = false;
    enum tlua_end end = tlua_vm_do(&vm->vm, make_coroutine, &beginning);
    if (end == TLUA_DONE) {
        run(vm, leg, beginning.arguments);
        return;
    }
    struct ending ending;
    begin_ending(&ending, verb);
    fail_verb(vm, leg, &ending, end);
    end_verb(vm, leg, &ending);
}

void
tlua_leg_begin(struct adapter_vm *vm, struct adapter_leg *port, const char *provider,
               enum adapter_verb verb, const struct adapter_input *input)
{
    if (port->vm_slot != 0) {
        begin_verb(vm, leg_of(vm, port), verb, input);
        return;
    }
    const struct tlua_adapter_script *script =
        tlua_adapter_scripts_find(&vm->adapters->scripts, provider);
    struct tlua_leg *leg = script == NULL ? NULL : add_leg(vm, port, script);
    if (leg != NULL)
        begin_verb(vm, leg, verb, input);
    else if (script == NULL)
        refuse(vm, port, verb, ADAPTER_ERROR_REJECTED, "there is no such provider");
    else
        refuse(vm, port, verb, ADAPTER_ERROR_RETRYABLE, "too many legs");
}

static void
note_exchange(struct adapter_vm *vm, struct tlua_leg *leg, const struct adapter_event *event)
{
    struct tlua_exchange *exchange = tlua_exchange_find(leg, event->exchange);
    if (exchange != NULL && !tlua_exchange_take_in(exchange, event))
        vm->host.http_cancel(vm->host.self, leg->port, event->exchange);
}

static void
note(struct adapter_vm *vm, struct tlua_leg *leg, const struct adapter_event *event)
{
    switch (event->kind) {
    case ADAPTER_EVENT_HEAD:
    case ADAPTER_EVENT_DATA:
    case ADAPTER_EVENT_END:
        note_exchange(vm, leg, event);
        break;
    case ADAPTER_EVENT_AWAKE:
        leg->is_awake = true;
        break;
    case ADAPTER_EVENT_COVERED:
        leg->is_covered = true;
        break;
    case ADAPTER_EVENT_ROOM:
        leg->has_room = true;
        break;
    case ADAPTER_EVENT_CUT:
        leg->cut_is_new = !leg->is_cut;
        leg->is_cut = true;
        break;
    }
}

void
tlua_leg_resume(struct adapter_vm *vm, struct adapter_leg *port, const struct adapter_event *event)
{
    struct tlua_leg *leg = leg_of(vm, port);
    if (leg->coroutine.state == NULL)
        return; /* late: its verb has ended */
    note(vm, leg, event);
    run(vm, leg, 0);
}
