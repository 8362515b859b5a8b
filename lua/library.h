/*
 * lua/library.h - bounded versions of those functions of Lua's library that work in C for as
 * long as their arguments say.
 */
#ifndef LUA_LIBRARY_H
#define LUA_LIBRARY_H

#include <lua.h>

/*
 * Pushes a table with find, format, rep and concat, and with unless_stopped, which passes pcall's
 * results on unless the run was stopped. Lua's own library must be open.
 */
void tlua_library_push_raise(lua_State *state);

#endif
