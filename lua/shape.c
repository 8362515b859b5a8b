#include "lua/shape.h"

enum tlua_shape
tlua_shape_of(lua_State *state, int index, size_t *count_out)
{
    size_t texts = 0, numbers = 0, others = 0;
    lua_Number largest = 0;
    lua_pushvalue(state, index);
    lua_pushnil(state);
    while (lua_next(state, -2)) {
        lua_pop(state, 1);
        if (lua_type(state, -1) == LUA_TSTRING) {
            texts++;
        } else if (lua_type(state, -1) == LUA_TNUMBER && lua_tonumber(state, -1) >= 1) {
            numbers++;
            lua_Number key = lua_tonumber(state, -1);
            largest = key > largest ? key : largest;
            others += key != (lua_Number)(lua_Integer)key;
        } else {
            others++;
        }
    }
    lua_pop(state, 1);
    *count_out = texts + numbers;
    if (others > 0 || (texts > 0 && numbers > 0))
        return TLUA_SHAPELESS;
    if (numbers == 0)
        return TLUA_OBJECT;
    return largest == (lua_Number)numbers ? TLUA_LIST : TLUA_SHAPELESS;
}
