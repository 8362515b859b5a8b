/*
 * The Lua side of an adapter VM: the modules of lua/twin/, and the files of adapters with their
 * data sheets.
 */
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "lua/adapter_scripts.h"
#include "lua/adapter_state.h"
#include "lua/codec.h"
#include "lua/money.h"
#include "lua/sandbox.h"
#include "runtime/assert.h"

/* Leaves the module's raw table on the stack, too: other scripts of the library are built on it. */
static void
keep_module_raise(lua_State *state, const char *module)
{
    lua_pushvalue(state, -1);
    tlua_sandbox_add_raise(state, module);
}

/* Runs a script of the library with the values at these places of the stack. */
static void
build_raise(lua_State *state, const char *script, const int *places, int count, int results)
{
    for (int i = 0; i < count; i++)
        lua_pushvalue(state, places[i]);
    tlua_sandbox_library_raise(state, script, count, results);
}

int
tlua_adapter_set_up(lua_State *state)
{
    struct adapter_vm *vm = tlua_adapter_vm_of(state);
    enum { NATIVE = 1, JSON, BASE64, SSE, SESSIONS, MONEY, VERBS, WAIT, CUT, PROVIDER };
    lua_settop(state, 0);
    luaL_checkstack(state, 2 * LUA_MINSTACK, "setting up");
    tlua_sandbox_build_raise(state);
    tlua_adapter_native_push_raise(state);
    tlua_codec_push_json_raise(state);
    keep_module_raise(state, "twin.json");
    tlua_codec_push_base64_raise(state);
    keep_module_raise(state, "twin.base64");
    tlua_codec_push_sse_raise(state);
    keep_module_raise(state, "twin.sse");
    lua_newtable(state);
    tlua_money_push_raise(state);
    lua_getfield(state, MONEY, "parse");
    lua_setfield(state, NATIVE, "parse_usd");
    RT_ASSERT(lua_gettop(state) == MONEY);
    build_raise(state, "twin/leg", (const int[]){NATIVE, JSON, SESSIONS}, 3, 3);
    build_raise(state, "twin/provider", (const int[]){NATIVE, CUT}, 2, 1);
    keep_module_raise(state, "twin.provider");
    build_raise(state, "twin/clock", (const int[]){NATIVE, WAIT, CUT}, 3, 1);
    tlua_sandbox_add_raise(state, "twin.clock");
    build_raise(state, "twin/http", (const int[]){NATIVE, WAIT, JSON, SSE, PROVIDER}, 5, 1);
    tlua_sandbox_add_raise(state, "twin.http");
    build_raise(state, "twin/money", (const int[]){MONEY}, 1, 1);
    tlua_sandbox_add_raise(state, "twin.money");
    lua_settop(state, VERBS);
    vm->verbs = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_settop(state, SESSIONS);
    vm->sessions = luaL_ref(state, LUA_REGISTRYINDEX);
    lua_newtable(state);
    vm->loaded = luaL_ref(state, LUA_REGISTRYINDEX);
    return 0;
}

static void
check_verbs_raise(lua_State *state, const char *chunk_name)
{
    static const char *const names[] = {"initialize_session", "drive_avatar", "terminate"};
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        lua_getfield(state, -1, names[i]);
        if (!lua_isfunction(state, -1))
            luaL_error(state, "%s: %s is missing", chunk_name + 1, names[i]);
        lua_pop(state, 1);
    }
}

/* Pushes what a provider's file returned, running it the first time. */
void
tlua_adapter_push_raise(lua_State *state, const struct tlua_adapter_script *script)
{
    lua_rawgeti(state, LUA_REGISTRYINDEX, tlua_adapter_vm_of(state)->loaded);
    lua_getfield(state, -1, script->name);
    if (lua_isnil(state, -1)) {
        lua_pop(state, 1);
        tlua_sandbox_load_raise(state, script->chunk_name, script->text, script->size_bytes);
        lua_call(state, 0, 1);
        if (!lua_istable(state, -1))
            luaL_error(state, "%s: the file must return a provider", script->chunk_name + 1);
        check_verbs_raise(state, script->chunk_name);
        lua_pushvalue(state, -1);
        lua_setfield(state, -3, script->name);
    }
    lua_remove(state, -2);
}

static int64_t
sheet_number_raise(lua_State *state, const char *name)
{
    lua_getfield(state, -1, name);
    int64_t number = (int64_t)luaL_checknumber(state, -1);
    lua_pop(state, 1);
    return number;
}

static uint32_t
sheet_count_raise(lua_State *state, const char *name)
{
    int64_t number = sheet_number_raise(state, name);
    if (number < 0 || number > INT32_MAX)
        luaL_error(state, "sheet.%s: out of range", name);
    return (uint32_t)number;
}

static bool
sheet_flag_raise(lua_State *state, const char *name)
{
    lua_getfield(state, -1, name);
    bool flag = lua_toboolean(state, -1);
    lua_pop(state, 1);
    return flag;
}

static void
sheet_text_raise(lua_State *state, const char *name, char *text_out, size_t room)
{
    lua_getfield(state, -1, name);
    const char *text = luaL_checkstring(state, -1);
    if (strlen(text) >= room)
        luaL_error(state, "sheet.%s: too long", name);
    snprintf(text_out, room, "%s", text);
    lua_pop(state, 1);
}

/* Reads the sheet that twin.provider made; it is on top of the stack. */
static void
read_sheet_raise(lua_State *state, struct adapter_sheet *sheet)
{
    *sheet = (struct adapter_sheet){
        .modes = {[VITO_TEXT] = sheet_flag_raise(state, "text"),
                  [VITO_VOICE] = sheet_flag_raise(state, "voice"),
                  [VITO_VIDEO] = sheet_flag_raise(state, "video")},
        .metered_by_clock = sheet_flag_raise(state, "metered_by_clock"),
        .price_token_1k_nusd = sheet_number_raise(state, "price_token_1k"),
        .price_minute_nusd = sheet_number_raise(state, "price_minute"),
        .quantum_ms = sheet_count_raise(state, "quantum_ms"),
        .stop_ms = sheet_count_raise(state, "stop_ms"),
        .quantum_tokens = sheet_count_raise(state, "quantum_tokens"),
        .prompt_bytes_per_token = sheet_count_raise(state, "prompt_bytes_per_token"),
        .prompt_tokens_fixed = sheet_count_raise(state, "prompt_tokens_fixed"),
    };
    sheet_text_raise(state, "name", sheet->name, sizeof(sheet->name));
    sheet_text_raise(state, "audio_format", sheet->audio_format, sizeof(sheet->audio_format));
    sheet_text_raise(state, "base_url", sheet->default_base_url, sizeof(sheet->default_base_url));
}

int
tlua_adapter_read_sheet(lua_State *state)
{
    struct tlua_adapter_script *script = lua_touserdata(state, 1);
    tlua_adapter_push_raise(state, script);
    lua_getfield(state, -1, "sheet");
    if (!lua_istable(state, -1))
        return luaL_error(state, "%s: there is no sheet", script->chunk_name + 1);
    read_sheet_raise(state, &script->sheet);
    const struct adapter_sheet *sheet = &script->sheet;
    if (strcmp(sheet->name, script->name) != 0)
        return luaL_error(state, "%s: sheet.name must be the file's", script->chunk_name + 1);
    if (!sheet->modes[VITO_TEXT] && !sheet->modes[VITO_VOICE] && !sheet->modes[VITO_VIDEO])
        return luaL_error(state, "%s: sheet.modes is empty", script->chunk_name + 1);
    if (strncmp(sheet->default_base_url, "http", 4) != 0)
        return luaL_error(state, "%s: sheet.base_url is missing", script->chunk_name + 1);
    return 0;
}
