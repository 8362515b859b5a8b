/*
 * lua/shape.h - what a Lua table is to formats that tell lists from objects.
 */
#ifndef LUA_SHAPE_H
#define LUA_SHAPE_H

#include <lua.h>
#include <stddef.h>

enum tlua_shape {
    TLUA_LIST,     /* its keys are 1 … count, count > 0 */
    TLUA_OBJECT,   /* its keys are texts, or there are none */
    TLUA_SHAPELESS /* anything else */
};

/* Looks at the table at `index`. Needs three free stack slots; raises nothing. */
enum tlua_shape tlua_shape_of(lua_State *state, int index, size_t *count_out);

#endif
