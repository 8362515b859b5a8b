/*
 * lua/sandbox.h - what scripts run in: an environment by whitelist, and modules.
 *
 * The whitelist is lua/twin/base.lua. There are two kinds of code: the library's own scripts
 * (lua/twin/), which see all of Lua but io, os and the like; and scripts of authors, which see
 * the environment and, by `require`, the modules that were added.
 */
#ifndef LUA_SANDBOX_H
#define LUA_SANDBOX_H

#include <lua.h>
#include <stddef.h>

/* Builds it in a fresh state. */
void tlua_sandbox_build_raise(lua_State *state);

/* Makes the table on top of the stack a module, read-only, and takes it off. */
void tlua_sandbox_add_raise(lua_State *state, const char *module);

/* Runs a script of the library with the `arguments` values on top of the stack, and puts
 * `results` of its values in their place. */
void tlua_sandbox_library_raise(lua_State *state, const char *script, int arguments, int results);

/* Pushes an author's script as a function in the environment. Text only: no bytecode.
 * `chunk_name` is what messages call it, with "=" or "@" in front. */
void tlua_sandbox_load_raise(lua_State *state, const char *chunk_name, const char *text,
                             size_t size_bytes);

/* Replaces the table on top of the stack by a read-only view of it. */
void tlua_sandbox_freeze_raise(lua_State *state);

#endif
