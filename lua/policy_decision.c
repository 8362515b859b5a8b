#include "lua/policy_decision.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lua/json.h"

static const char *const actions[] = {
    [POLICY_PASS] = "pass", [POLICY_THROTTLE] = "throttle", [POLICY_DOWNGRADE] = "downgrade",
    [POLICY_DENY] = "deny", [POLICY_WARN] = "warn",
};

static const struct tlua_json_bounds facts_bounds = {.items = 64, .depth = 3, .printed = true};

const char *
tlua_action_name(enum policy_action action)
{
    return actions[action];
}

static enum policy_action
read_action_raise(lua_State *state, int index)
{
    lua_getfield(state, index, "action");
    const char *name = lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "";
    size_t action = 0;
    while (action < RT_COUNT_OF(actions) && strcmp(actions[action], name) != 0)
        action++;
    if (action == RT_COUNT_OF(actions))
        luaL_error(state, "the answer must be a decision: pass, throttle, downgrade, deny or warn");
    lua_pop(state, 1);
    return (enum policy_action)action;
}

static uint32_t
read_delay_raise(lua_State *state, int index)
{
    lua_getfield(state, index, "ms");
    lua_Number ms = lua_type(state, -1) == LUA_TNUMBER ? lua_tonumber(state, -1) : -1;
    if (!(ms >= 0 && ms <= TLUA_THROTTLE_MS_MAX))
        luaL_error(state, "throttle: must be from 0 to %d ms", TLUA_THROTTLE_MS_MAX);
    lua_pop(state, 1);
    return (uint32_t)ceil(ms);
}

static enum vito_mode
read_mode_raise(lua_State *state, int index)
{
    lua_getfield(state, index, "mode");
    const char *name = lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "";
    enum vito_mode mode = vito_mode_of(name);
    if (mode == VITO_MODE_COUNT)
        luaL_error(state, "downgrade: the mode must be text, voice or video");
    lua_pop(state, 1);
    return mode;
}

static void
read_reason_raise(lua_State *state, int index, char reason_out[POLICY_TOKEN_BYTES])
{
    lua_getfield(state, index, "reason");
    size_t size_bytes = 0;
    const char *reason =
        lua_type(state, -1) == LUA_TSTRING ? lua_tolstring(state, -1, &size_bytes) : "";
    if (size_bytes == 0 || size_bytes >= POLICY_TOKEN_BYTES ||
        strspn(reason, "abcdefghijklmnopqrstuvwxyz0123456789_") != size_bytes)
        luaL_error(state, "a reason must be a token of a-z, 0-9 and _, at most %d bytes",
                   POLICY_TOKEN_BYTES - 1);
    memcpy(reason_out, reason, size_bytes + 1);
    lua_pop(state, 1);
}

/* Facts explain a decision; one with too many of them is still that decision. */
static void
read_facts_raise(lua_State *state, int index, char facts_out[POLICY_FACTS_BYTES])
{
    lua_getfield(state, index, "facts");
    if (lua_istable(state, -1)) {
        const char *problem;
        cJSON *facts = tlua_json_from_raise(state, -1, &facts_bounds, &problem);
        if (facts == NULL || !cJSON_IsObject(facts) ||
            !cJSON_PrintPreallocated(facts, facts_out, POLICY_FACTS_BYTES, false))
            snprintf(facts_out, POLICY_FACTS_BYTES, "{\"facts\":\"dropped\"}");
        cJSON_Delete(facts);
    } else if (!lua_isnil(state, -1)) {
        luaL_error(state, "facts must be a table");
    }
    lua_pop(state, 1);
}

void
tlua_decision_read_raise(lua_State *state, int index, const struct policy_question *question,
                         struct policy_decision *decision_out)
{
    if (!lua_istable(state, index))
        luaL_error(state, "the answer must be a decision, not a %s", luaL_typename(state, index));
    decision_out->action = read_action_raise(state, index);
    read_facts_raise(state, index, decision_out->facts);
    switch (decision_out->action) {
    case POLICY_PASS:
        break;
    case POLICY_THROTTLE:
        decision_out->delay_ms = read_delay_raise(state, index);
        break;
    case POLICY_DOWNGRADE:
        decision_out->mode = read_mode_raise(state, index);
        read_reason_raise(state, index, decision_out->reason);
        if (decision_out->mode >= question->mode)
            decision_out->action = POLICY_PASS;
        break;
    case POLICY_DENY:
    case POLICY_WARN:
        read_reason_raise(state, index, decision_out->reason);
        break;
    }
    if (decision_out->action == POLICY_PASS)
        decision_out->reason[0] = '\0';
}

void
tlua_decision_fail(struct policy_decision *decision, const char *cause)
{
    decision->action = POLICY_DENY;
    decision->mode = VITO_TEXT;
    decision->delay_ms = 0;
    rt_buffer_release(decision->memory);
    decision->memory = NULL;
    snprintf(decision->reason, sizeof(decision->reason), "policy_failed");
    snprintf(decision->facts, sizeof(decision->facts), "{\"cause\":\"%s\"}", cause);
}
