#include "lua/judge.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/json.h"
#include "lua/money.h"
#include "lua/pack.h"
#include "lua/policy_decision.h"
#include "lua/policy_facts.h"
#include "lua/sandbox.h"
#include "runtime/assert.h"
#include "runtime/table.h"

enum { SETTINGS_SLOTS = 512 /* a power of two */, CHUNK_NAME_BYTES = 64 };

const struct tlua_vm_limits tlua_judge_limits = {
    .instructions = 200000,
    .cpu_ms = 10,
    .heap_bytes = 4 * TLUA_MIB,
    .block_bytes = 256 * TLUA_KIB,
    .text_bytes = 64 * TLUA_KIB,
};

struct policy {
    struct rt_table_link link; /* by name */
    struct tlua_policy_text text;
    uint32_t edition; /* of the files when `text` was got */
    bool is_loaded;   /* then these are places in the VM's registry: */
    int admit, meter, reader;
    char name[];
};

/* Settings that were read lately: the view of them that the policy is handed. */
struct settings_slot {
    const struct policy *policy; /* NULL: the slot is empty */
    struct rt_buffer *settings;  /* held, so that no other settings can have its address */
    int view;
};

struct tlua_judge {
    struct tlua_vm vm;
    bool is_open;
    struct tlua_policy_files *files;
    const struct tlua_vm_limits *limits;
    struct rt_table policies;
    struct settings_slot slots[SETTINGS_SLOTS];
    /* places in the VM's registry */
    int answer, inspect, views[TLUA_FACTS_COUNT];
    /* of the question at hand */
    struct policy *asked;
    struct policy_decision *decision;
    struct rt_buffer *settings;
    bool reads_settings; /* what raises now is about them */
    struct tlua_packed memory;
};

static struct tlua_judge *
judge_of(lua_State *state)
{
    return RT_CONTAINER_OF(tlua_vm_of(state), struct tlua_judge, vm);
}

static void
set_problem(struct tlua_judge *judge, const char *problem)
{
    snprintf(judge->vm.problem, sizeof(judge->vm.problem), "%s", problem);
}

const char *
tlua_judge_problem(const struct tlua_judge *judge)
{
    return judge->vm.problem;
}

/* Pushes a view of a tenant's settings, read by what the policy declares; raises what is wrong
 * with them. */
static void
read_settings_raise(lua_State *state, const struct policy *policy, const struct rt_buffer *settings)
{
    lua_rawgeti(state, LUA_REGISTRYINDEX, policy->reader);
    if (settings == NULL)
        lua_pushnil(state);
    else if (!tlua_json_decode_raise(state, (const char *)settings->bytes, settings->size_bytes))
        luaL_error(state, "/settings: not JSON");
    lua_call(state, 1, 2);
    if (lua_isnil(state, -2)) {
        lua_remove(state, -2);
        lua_error(state); /* with the reader's own words */
    }
    lua_pop(state, 1);
}

static void
empty_slot(struct tlua_judge *judge, struct settings_slot *slot)
{
    if (slot->policy != NULL && judge->is_open)
        luaL_unref(judge->vm.state, LUA_REGISTRYINDEX, slot->view);
    rt_buffer_release(slot->settings);
    *slot = (struct settings_slot){0};
}

static void
push_settings_raise(lua_State *state, struct tlua_judge *judge)
{
    uint64_t hash = rt_hash_u64((uintptr_t)judge->settings ^ (uintptr_t)judge->asked << 1);
    struct settings_slot *slot = &judge->slots[hash & (SETTINGS_SLOTS - 1)];
    if (slot->policy == judge->asked && slot->settings == judge->settings) {
        lua_rawgeti(state, LUA_REGISTRYINDEX, slot->view);
        return;
    }
    judge->reads_settings = true;
    read_settings_raise(state, judge->asked, judge->settings);
    judge->reads_settings = false;
    empty_slot(judge, slot);
    lua_pushvalue(state, -1);
    slot->view = luaL_ref(state, LUA_REGISTRYINDEX);
    slot->policy = judge->asked;
    slot->settings = rt_buffer_acquire(judge->settings);
}

/* The last step of an answer: nothing may raise after the buffer is made. */
static void
take_memory_raise(lua_State *state, struct tlua_judge *judge, int index)
{
    if (lua_isnil(state, index))
        return;
    if (!lua_istable(state, index))
        luaL_error(state, "memory: must be a table");
    tlua_pack_raise(state, index, &judge->memory);
    judge->decision->memory = rt_buffer_copy(judge->memory.bytes, judge->memory.size_bytes);
    if (judge->decision->memory == NULL)
        luaL_error(state, "memory: out of memory");
}

/* Asks the policy at hand; runs inside tlua_vm_call(). */
static int
answer(lua_State *state)
{
    struct tlua_judge *judge = judge_of(state);
    const struct policy_question *question = judge->vm.context;
    bool is_meter = question->kind == POLICY_METER;
    int function = is_meter ? judge->asked->meter : judge->asked->admit;
    if (function == LUA_REFNIL)
        return 0; /* a policy that does not care lets everything pass */
    lua_settop(state, 0);
    lua_rawgeti(state, LUA_REGISTRYINDEX, function);
    lua_rawgeti(state, LUA_REGISTRYINDEX, judge->views[is_meter ? TLUA_SESSION : TLUA_REQUEST]);
    lua_rawgeti(state, LUA_REGISTRYINDEX, judge->views[TLUA_TENANT]);
    push_settings_raise(state, judge);
    lua_call(state, 3, 2);
    tlua_decision_read_raise(state, 1, question, judge->decision);
    take_memory_raise(state, judge, 2);
    return 0;
}

static void
add_module_raise(lua_State *state, const char *script, const char *module)
{
    tlua_money_push_raise(state);
    tlua_sandbox_library_raise(state, script, 1, 1);
    tlua_sandbox_add_raise(state, module);
}

static int
set_up(lua_State *state)
{
    struct tlua_judge *judge = judge_of(state);
    tlua_sandbox_build_raise(state);
    add_module_raise(state, "twin/money", "twin.money");
    add_module_raise(state, "twin/decision", "twin.decision");
    for (int i = 0; i < TLUA_FACTS_COUNT; i++) {
        tlua_facts_push_raise(state, (enum tlua_facts)i);
        judge->views[i] = luaL_ref(state, LUA_REGISTRYINDEX);
    }
    tlua_money_push_raise(state);
    tlua_sandbox_library_raise(state, "twin/settings", 1, 1);
    tlua_sandbox_library_raise(state, "twin/policy", 1, 1);
    judge->inspect = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_pushcfunction(state, answer);
    judge->answer = luaL_ref(state, LUA_REGISTRYINDEX);
    return 0;
}

static bool
open_vm(struct tlua_judge *judge)
{
    if (judge->is_open)
        return true;
    if (!tlua_vm_init(&judge->vm, judge->limits)) {
        set_problem(judge, "out of memory");
        return false;
    }
    judge->is_open = true;
    if (tlua_vm_do(&judge->vm, set_up, NULL) != TLUA_DONE)
        return false;
    tlua_vm_seal(&judge->vm);
    return true;
}

/* Throws the VM away; the next question makes another. Its problem is kept. */
static void
close_vm(struct tlua_judge *judge)
{
    if (!judge->is_open)
        return;
    judge->is_open = false; /* nothing in its registry needs to be given back */
    for (size_t i = 0; i < SETTINGS_SLOTS; i++)
        empty_slot(judge, &judge->slots[i]);
    for (struct rt_table_link *link = rt_table_first(&judge->policies); link != NULL;
         link = link->newer)
        RT_CONTAINER_OF(link, struct policy, link)->is_loaded = false;
    tlua_vm_deinit(&judge->vm);
}

static int
load(lua_State *state)
{
    struct tlua_judge *judge = judge_of(state);
    struct policy *policy = judge->asked;
    const struct rt_buffer *source = policy->text.source;
    char chunk_name[CHUNK_NAME_BYTES];
    snprintf(chunk_name, sizeof(chunk_name), "=%s.lua", policy->name);
    lua_rawgeti(state, LUA_REGISTRYINDEX, judge->inspect);
    tlua_sandbox_load_raise(state, chunk_name, (const char *)source->bytes, source->size_bytes);
    lua_call(state, 0, 1);
    lua_pushstring(state, policy->name);
    lua_call(state, 2, 3);
    policy->reader = luaL_ref(state, LUA_REGISTRYINDEX);
    policy->meter = luaL_ref(state, LUA_REGISTRYINDEX);
    policy->admit = luaL_ref(state, LUA_REGISTRYINDEX);
    return 0;
}

static enum tlua_end
load_policy(struct tlua_judge *judge, struct policy *policy)
{
    judge->asked = policy;
    judge->vm.context = NULL;
    enum tlua_end end = tlua_vm_do(&judge->vm, load, NULL);
    policy->is_loaded = end == TLUA_DONE;
    if (policy->is_loaded)
        tlua_vm_seal(&judge->vm);
    return end;
}

static void
unload_policy(struct tlua_judge *judge, struct policy *policy)
{
    for (size_t i = 0; i < SETTINGS_SLOTS; i++) {
        if (judge->slots[i].policy == policy)
            empty_slot(judge, &judge->slots[i]);
    }
    if (policy->is_loaded) {
        luaL_unref(judge->vm.state, LUA_REGISTRYINDEX, policy->admit);
        luaL_unref(judge->vm.state, LUA_REGISTRYINDEX, policy->meter);
        luaL_unref(judge->vm.state, LUA_REGISTRYINDEX, policy->reader);
    }
    policy->is_loaded = false;
}

static struct policy *
find_policy(const struct tlua_judge *judge, const char *name)
{
    uint64_t hash = rt_hash_text(name);
    struct rt_table_link *link = rt_table_find(&judge->policies, hash, NULL);
    while (link != NULL) {
        struct policy *policy = RT_CONTAINER_OF(link, struct policy, link);
        if (strcmp(policy->name, name) == 0)
            return policy;
        link = rt_table_find(&judge->policies, hash, link);
    }
    return NULL;
}

/* Takes the reference that `text` has. */
static struct policy *
add_policy(struct tlua_judge *judge, const char *name, const struct tlua_policy_text *text)
{
    size_t name_bytes = strlen(name) + 1;
    struct policy *policy = calloc(1, sizeof(*policy) + name_bytes);
    if (policy == NULL || !rt_table_add(&judge->policies, &policy->link, rt_hash_text(name))) {
        free(policy);
        rt_buffer_release(text->source);
        return NULL;
    }
    memcpy(policy->name, name, name_bytes);
    policy->text = *text;
    return policy;
}

/* Gives `policy` the text that is in force; takes the reference that `text` has. */
static void
replace_text(struct tlua_judge *judge, struct policy *policy, const struct tlua_policy_text *text)
{
    if (text->source != policy->text.source)
        unload_policy(judge, policy);
    rt_buffer_release(policy->text.source);
    policy->text = *text;
}

/* The policy in its present version, not necessarily loaded. NULL: there is none. */
static struct policy *
current_policy(struct tlua_judge *judge, const char *name)
{
    uint32_t edition = tlua_policy_files_edition(judge->files);
    struct policy *policy = find_policy(judge, name);
    if (policy != NULL && policy->edition == edition)
        return policy;
    struct tlua_policy_text text;
    enum rt_status status = tlua_policy_files_get(judge->files, name, &text);
    if (status != RT_OK) {
        set_problem(judge, rt_status_name(status));
        return NULL;
    }
    if (policy == NULL)
        policy = add_policy(judge, name, &text);
    else
        replace_text(judge, policy, &text);
    if (policy == NULL)
        set_problem(judge, "out of memory");
    else
        policy->edition = edition;
    return policy;
}

static bool
ended_well(struct tlua_judge *judge, enum tlua_end end, enum tlua_policy_failure *failure_out)
{
    bool about_settings = judge->reads_settings;
    judge->reads_settings = false;
    judge->vm.context = NULL;
    switch (end) {
    case TLUA_DONE:
        return true;
    case TLUA_RAISED:
    case TLUA_SUSPENDED:
        *failure_out = about_settings ? TLUA_FAILURE_SETTINGS : TLUA_FAILURE_RAISED;
        return false;
    case TLUA_TOO_LONG:
        *failure_out = TLUA_FAILURE_TOO_LONG;
        break;
    case TLUA_NO_MEMORY:
        *failure_out = TLUA_FAILURE_NO_MEMORY;
        break;
    }
    close_vm(judge);
    return false;
}

/* Makes `name` the policy at hand, loaded. */
static bool
take_up(struct tlua_judge *judge, const char *name, enum tlua_policy_failure *failure_out)
{
    struct policy *policy = current_policy(judge, name);
    if (policy == NULL) {
        *failure_out = TLUA_FAILURE_UNKNOWN;
        return false;
    }
    if (!open_vm(judge)) {
        close_vm(judge);
        *failure_out = TLUA_FAILURE_NO_MEMORY;
        return false;
    }
    judge->asked = policy;
    return policy->is_loaded || ended_well(judge, load_policy(judge, policy), failure_out);
}

static bool
ask(struct tlua_judge *judge, const struct policy_question *question,
    enum tlua_policy_failure *failure_out)
{
    judge->settings = question->settings;
    judge->vm.context = question;
    lua_rawgeti(judge->vm.state, LUA_REGISTRYINDEX, judge->answer);
    return ended_well(judge, tlua_vm_call(&judge->vm, 0, 0), failure_out);
}

bool
tlua_judge_ask(struct tlua_judge *judge, const char *policy, const struct policy_question *question,
               struct policy_decision *decision_out, enum tlua_policy_failure *failure_out)
{
    *decision_out = (struct policy_decision){.action = POLICY_PASS, .mode = question->mode};
    judge->decision = decision_out;
    bool ok = take_up(judge, policy, failure_out);
    if (ok)
        memcpy(decision_out->version, judge->asked->text.version, sizeof(decision_out->version));
    ok = ok && ask(judge, question, failure_out);
    if (!ok)
        tlua_decision_fail(decision_out, tlua_policy_failure_name(*failure_out));
    return ok;
}

static int
try_settings(lua_State *state)
{
    struct tlua_judge *judge = judge_of(state);
    read_settings_raise(state, judge->asked, judge->settings);
    return 0;
}

bool
tlua_judge_check(struct tlua_judge *judge, const char *policy, struct rt_buffer *settings)
{
    enum tlua_policy_failure failure;
    if (!take_up(judge, policy, &failure))
        return false;
    judge->settings = settings;
    return ended_well(judge, tlua_vm_do(&judge->vm, try_settings, NULL), &failure);
}

struct tlua_judge *
tlua_judge_create(struct tlua_policy_files *files, const struct tlua_vm_limits *limits)
{
    struct tlua_judge *judge = calloc(1, sizeof(*judge));
    if (judge == NULL)
        return NULL;
    judge->files = files;
    judge->limits = limits;
    return judge;
}

void
tlua_judge_destroy(struct tlua_judge *judge)
{
    close_vm(judge);
    struct rt_table_link *link = rt_table_first(&judge->policies);
    while (link != NULL) {
        struct policy *policy = RT_CONTAINER_OF(link, struct policy, link);
        link = link->newer;
        rt_buffer_release(policy->text.source);
        free(policy);
    }
    rt_table_deinit(&judge->policies);
    free(judge);
}

bool
tlua_judge_prove(const char *name, const struct rt_buffer *source,
                 char problem_out[VITO_PROBLEM_BYTES])
{
    struct tlua_judge *judge = tlua_judge_create(NULL, &tlua_judge_limits);
    if (judge == NULL) {
        snprintf(problem_out, VITO_PROBLEM_BYTES, "out of memory");
        return false;
    }
    struct tlua_policy_text text = {.source = rt_buffer_copy(source->bytes, source->size_bytes)};
    bool ok = false;
    struct policy *policy = NULL;
    if (text.source != NULL)
        policy = add_policy(judge, name, &text);
    if (policy == NULL)
        set_problem(judge, "out of memory");
    else
        ok = open_vm(judge) && load_policy(judge, policy) == TLUA_DONE;
    if (!ok)
        snprintf(problem_out, VITO_PROBLEM_BYTES, "%s", tlua_judge_problem(judge));
    tlua_judge_destroy(judge);
    return ok;
}
