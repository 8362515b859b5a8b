#include "lua/sandbox.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>

#include "lua/library.h"
#include "lua/owned.h"
#include "lua/script.h"
#include "runtime/assert.h"

/* Names in the registry, which scripts cannot reach. */
#define ENVIRONMENT "twin.environment"
#define MODULES "twin.modules"
#define FREEZE "twin.freeze"

enum { CHUNK_NAME_BYTES = 80 };

static void
open_library_raise(lua_State *state, lua_CFunction open, const char *name)
{
    lua_pushcfunction(state, open);
    lua_pushstring(state, name);
    lua_call(state, 1, 0);
}

/* Of Lua's libraries these alone. The jit library would turn the compiler on, whose code calls no
 * hooks. */
void
tlua_sandbox_build_raise(lua_State *state)
{
    open_library_raise(state, luaopen_base, "");
    open_library_raise(state, luaopen_table, LUA_TABLIBNAME);
    open_library_raise(state, luaopen_string, LUA_STRLIBNAME);
    open_library_raise(state, luaopen_math, LUA_MATHLIBNAME);
    tlua_owned_set_up_raise(state);
    tlua_library_push_raise(state);
    tlua_sandbox_library_raise(state, "twin/base", 1, 3);
    lua_setfield(state, LUA_REGISTRYINDEX, FREEZE);
    lua_setfield(state, LUA_REGISTRYINDEX, MODULES);
    lua_setfield(state, LUA_REGISTRYINDEX, ENVIRONMENT);
}

void
tlua_sandbox_freeze_raise(lua_State *state)
{
    lua_getfield(state, LUA_REGISTRYINDEX, FREEZE);
    lua_insert(state, -2);
    lua_call(state, 1, 1);
}

void
tlua_sandbox_add_raise(lua_State *state, const char *module)
{
    tlua_sandbox_freeze_raise(state);
    lua_getfield(state, LUA_REGISTRYINDEX, MODULES);
    lua_insert(state, -2);
    lua_setfield(state, -2, module);
    lua_pop(state, 1);
}

static void
load_raise(lua_State *state, const char *chunk_name, const char *text, size_t size_bytes)
{
    if (luaL_loadbufferx(state, text, size_bytes, chunk_name, "t") != 0)
        lua_error(state);
}

void
tlua_sandbox_library_raise(lua_State *state, const char *script, int arguments, int results)
{
    const struct tlua_script *found = tlua_script_find(script);
    RT_ASSERT(found != NULL);
    char chunk_name[CHUNK_NAME_BYTES];
    snprintf(chunk_name, sizeof(chunk_name), "=lua/%s.lua", script);
    load_raise(state, chunk_name, found->text, found->size_bytes);
    lua_insert(state, -arguments - 1);
    lua_call(state, arguments, results);
}

void
tlua_sandbox_load_raise(lua_State *state, const char *chunk_name, const char *text,
                        size_t size_bytes)
{
    load_raise(state, chunk_name, text, size_bytes);
    lua_getfield(state, LUA_REGISTRYINDEX, ENVIRONMENT);
    lua_setfenv(state, -2);
}
