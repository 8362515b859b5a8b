#include "lua/policy_facts.h"

#include <lauxlib.h>
#include <math.h>
#include <string.h>

#include "lua/pack.h"
#include "lua/vm.h"

enum fact_type { FACT_AMOUNT, FACT_RATE, FACT_TEXT, FACT_MODE, FACT_KIND, FACT_TIME, FACT_MEMORY };

struct fact {
    const char *name;
    enum fact_type type;
    size_t offset; /* in struct policy_question */
};

#define FACT(name, type, member)                                                                   \
    {                                                                                              \
        (name), (type), offsetof(struct policy_question, member)                                   \
    }

static const struct fact request_facts[] = {
    FACT("kind", FACT_KIND, kind),
    FACT("mode", FACT_MODE, mode),
    FACT("price_max", FACT_AMOUNT, price_max_nusd),
    FACT("text_bytes", FACT_AMOUNT, text_bytes),
    FACT("user", FACT_TEXT, user),
    FACT("session_ms", FACT_AMOUNT, session_ms),
    FACT("session_spent", FACT_AMOUNT, session_nusd),
    FACT("session_tokens", FACT_AMOUNT, session_tokens),
    FACT("session_turns", FACT_AMOUNT, session_turns),
    {0},
};

static const struct fact session_facts[] = {
    FACT("mode", FACT_MODE, mode),
    FACT("price_max", FACT_AMOUNT, price_max_nusd),
    FACT("user", FACT_TEXT, user),
    FACT("elapsed_ms", FACT_AMOUNT, session_ms),
    FACT("spent", FACT_AMOUNT, session_nusd),
    FACT("tokens", FACT_AMOUNT, session_tokens),
    FACT("turns", FACT_AMOUNT, session_turns),
    FACT("refused", FACT_TEXT, refused),
    FACT("seconds_left", FACT_AMOUNT, seconds_left),
    {0},
};

static const struct fact tenant_facts[] = {
    FACT("id", FACT_TEXT, tenant_id),
    FACT("limit", FACT_AMOUNT, limit_nusd),
    FACT("posted", FACT_AMOUNT, posted_nusd),
    FACT("held", FACT_AMOUNT, held_nusd),
    FACT("remaining", FACT_AMOUNT, remaining_nusd),
    FACT("voice_ms", FACT_AMOUNT, voice_ms),
    FACT("voice_max_ms", FACT_AMOUNT, voice_max_ms),
    FACT("video_ms", FACT_AMOUNT, video_ms),
    FACT("video_max_ms", FACT_AMOUNT, video_max_ms),
    FACT("tokens", FACT_AMOUNT, tokens),
    FACT("interactions", FACT_AMOUNT, interactions),
    FACT("sessions", FACT_AMOUNT, sessions),
    FACT("queued", FACT_AMOUNT, queued),
    FACT("rate_per_second", FACT_RATE, rate_per_second),
    FACT("now_ms", FACT_AMOUNT, now_ms),
    FACT("local_time", FACT_TIME, local),
    FACT("period_start_ms", FACT_AMOUNT, period_start_ms),
    FACT("period_end_ms", FACT_AMOUNT, period_end_ms),
    FACT("memory", FACT_MEMORY, memory),
    {0},
};

static const struct {
    const char *name;
    const struct fact *facts;
} views[TLUA_FACTS_COUNT] = {
    [TLUA_REQUEST] = {"request", request_facts},
    [TLUA_SESSION] = {"session", session_facts},
    [TLUA_TENANT] = {"tenant", tenant_facts},
};

static const char *const kinds[] = {
    [POLICY_ADMIT_SESSION] = "session", [POLICY_ADMIT_TURN] = "turn", [POLICY_METER] = "meter"};

static const struct {
    const char *name;
    size_t offset; /* in struct vito_local_time */
} time_fields[] = {
    {"year", offsetof(struct vito_local_time, year)},
    {"month", offsetof(struct vito_local_time, month)},
    {"day", offsetof(struct vito_local_time, day)},
    {"hour", offsetof(struct vito_local_time, hour)},
    {"minute", offsetof(struct vito_local_time, minute)},
    {"second", offsetof(struct vito_local_time, second)},
    {"weekday", offsetof(struct vito_local_time, weekday)},
    {"offset_s", offsetof(struct vito_local_time, offset_s)},
};

static void
push_time_raise(lua_State *state, const struct vito_local_time *time)
{
    lua_createtable(state, 0, RT_COUNT_OF(time_fields));
    for (size_t i = 0; i < RT_COUNT_OF(time_fields); i++) {
        int value;
        memcpy(&value, (const char *)time + time_fields[i].offset, sizeof(value));
        lua_pushinteger(state, value);
        lua_setfield(state, -2, time_fields[i].name);
    }
}

static void
push_amount(lua_State *state, int64_t amount)
{
    lua_pushnumber(state, amount == VITO_UNLIMITED ? HUGE_VAL : (lua_Number)amount);
}

static void
push_fact_raise(lua_State *state, const struct fact *fact, const struct policy_question *question)
{
    const void *at = (const char *)question + fact->offset;
    switch (fact->type) {
    case FACT_AMOUNT:
        push_amount(state, *(const int64_t *)at);
        break;
    case FACT_RATE:
        lua_pushnumber(state, *(const uint32_t *)at);
        break;
    case FACT_TEXT:
        lua_pushstring(state, *(const char *const *)at);
        break;
    case FACT_MODE:
        lua_pushstring(state, vito_mode_name(*(const enum vito_mode *)at));
        break;
    case FACT_KIND:
        lua_pushstring(state, kinds[*(const enum policy_question_kind *)at]);
        break;
    case FACT_TIME:
        push_time_raise(state, at);
        break;
    case FACT_MEMORY:
        if (question->memory == NULL)
            lua_newtable(state);
        else
            tlua_unpack_raise(state, question->memory->bytes, question->memory->size_bytes);
    }
}

/* __index of a view. Upvalues: names to places in the list of facts, and which view it is. */
static int
read_fact(lua_State *state)
{
    const struct policy_question *question = tlua_vm_of(state)->context;
    lua_Integer view = lua_tointeger(state, lua_upvalueindex(2));
    lua_pushvalue(state, 2);
    lua_rawget(state, lua_upvalueindex(1));
    if (!lua_isnumber(state, -1))
        return luaL_error(state, "%s has no fact of that name", views[view].name);
    if (question == NULL)
        return luaL_error(state, "facts can be read while a question is asked, not later");
    push_fact_raise(state, &views[view].facts[lua_tointeger(state, -1)], question);
    return 1;
}

static int
refuse(lua_State *state)
{
    return luaL_error(state, "facts cannot be changed");
}

void
tlua_facts_push_raise(lua_State *state, enum tlua_facts facts)
{
    lua_newtable(state);
    lua_newtable(state);
    lua_newtable(state);
    for (int i = 0; views[facts].facts[i].name != NULL; i++) {
        lua_pushinteger(state, i);
        lua_setfield(state, -2, views[facts].facts[i].name);
    }
    lua_pushinteger(state, (lua_Integer)facts);
    lua_pushcclosure(state, read_fact, 2);
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, refuse);
    lua_setfield(state, -2, "__newindex");
    lua_setmetatable(state, -2);
}

static int64_t
check_amount_raise(lua_State *state, const char *name)
{
    lua_Number number = lua_tonumber(state, -1);
    if (lua_type(state, -1) != LUA_TNUMBER || (isfinite(number) && number != floor(number)) ||
        isnan(number))
        luaL_error(state, "%s must be a whole number or math.huge", name);
    return isinf(number) ? VITO_UNLIMITED : (int64_t)number;
}

static const char *
check_text_raise(lua_State *state, const char *name)
{
    if (lua_type(state, -1) != LUA_TSTRING)
        luaL_error(state, "%s must be a text", name);
    return lua_tostring(state, -1);
}

static enum vito_mode
check_mode_raise(lua_State *state, const char *name)
{
    enum vito_mode mode = vito_mode_of(check_text_raise(state, name));
    if (mode == VITO_MODE_COUNT)
        luaL_error(state, "%s must be text, voice or video", name);
    return mode;
}

static enum policy_question_kind
check_kind_raise(lua_State *state, const char *name)
{
    const char *kind = check_text_raise(state, name);
    if (strcmp(kind, "session") != 0 && strcmp(kind, "turn") != 0)
        luaL_error(state, "%s must be session or turn", name);
    return strcmp(kind, "session") == 0 ? POLICY_ADMIT_SESSION : POLICY_ADMIT_TURN;
}

static void
read_time_raise(lua_State *state, struct vito_local_time *time)
{
    luaL_checktype(state, -1, LUA_TTABLE);
    for (size_t i = 0; i < RT_COUNT_OF(time_fields); i++) {
        lua_getfield(state, -1, time_fields[i].name);
        if (!lua_isnil(state, -1)) {
            int value = (int)check_amount_raise(state, time_fields[i].name);
            memcpy((char *)time + time_fields[i].offset, &value, sizeof(value));
        }
        lua_pop(state, 1);
    }
}

/* Sets one fact from the value on top of the stack. */
static void
read_value_raise(lua_State *state, const struct fact *fact, struct policy_question *question)
{
    void *at = (char *)question + fact->offset;
    switch (fact->type) {
    case FACT_AMOUNT:
        *(int64_t *)at = check_amount_raise(state, fact->name);
        break;
    case FACT_RATE:
        *(uint32_t *)at = (uint32_t)check_amount_raise(state, fact->name);
        break;
    case FACT_TEXT:
        *(const char **)at = check_text_raise(state, fact->name);
        break;
    case FACT_MODE:
        *(enum vito_mode *)at = check_mode_raise(state, fact->name);
        break;
    case FACT_KIND:
        *(enum policy_question_kind *)at = check_kind_raise(state, fact->name);
        break;
    case FACT_TIME:
        read_time_raise(state, at);
        break;
    case FACT_MEMORY:
        luaL_error(state, "memory is not set among the facts");
    }
}

void
tlua_facts_read_raise(lua_State *state, int index, enum tlua_facts facts,
                      struct policy_question *question)
{
    lua_pushvalue(state, index);
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        const char *name = lua_type(state, -2) == LUA_TSTRING ? lua_tostring(state, -2) : "";
        const struct fact *fact = views[facts].facts;
        while (fact->name != NULL && strcmp(fact->name, name) != 0)
            fact++;
        if (fact->name == NULL)
            luaL_error(state, "%s has no fact %s", views[facts].name, name);
        read_value_raise(state, fact, question);
        lua_pop(state, 1);
    }
    lua_pop(state, 1);
}
