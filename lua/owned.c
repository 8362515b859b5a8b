#include "lua/owned.h"

#include <lauxlib.h>
#include <stddef.h>

#define METATABLE "twin.owned"

static int
collect(lua_State *state)
{
    tlua_owned_drop(lua_touserdata(state, 1));
    return 0;
}

void
tlua_owned_set_up_raise(lua_State *state)
{
    luaL_newmetatable(state, METATABLE);
    lua_pushcfunction(state, collect);
    lua_setfield(state, -2, "__gc");
    lua_pop(state, 1);
}

struct tlua_owned *
tlua_owned_push_raise(lua_State *state, void (*destroy)(void *thing))
{
    struct tlua_owned *owned = lua_newuserdata(state, sizeof(*owned));
    *owned = (struct tlua_owned){.destroy = destroy};
    luaL_getmetatable(state, METATABLE);
    lua_setmetatable(state, -2);
    return owned;
}

void
tlua_owned_drop(struct tlua_owned *owned)
{
    if (owned->thing != NULL)
        owned->destroy(owned->thing);
    owned->thing = NULL;
}
