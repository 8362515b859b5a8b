/*
 * lua/owned.h - a thing of C's that a Lua value owns, so that an error cannot leak it.
 */
#ifndef LUA_OWNED_H
#define LUA_OWNED_H

#include <lua.h>

struct tlua_owned {
    void *thing; /* NULL: nothing yet */
    void (*destroy)(void *thing);
};

/* Once in each state, before the first owner: half a set-up must not be what an owner relies on. */
void tlua_owned_set_up_raise(lua_State *state);

/* Pushes an owner without a thing. When the garbage collector finds it, it destroys its thing. */
struct tlua_owned *tlua_owned_push_raise(lua_State *state, void (*destroy)(void *thing));

/* Destroys the thing now. */
void tlua_owned_drop(struct tlua_owned *owned);

#endif
