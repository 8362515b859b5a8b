#include "lua/money.h"

#include <lauxlib.h>
#include <math.h>

#include "vito/money.h"

/* Amounts are below 2^53, so a Lua number holds them exactly. */
static int
parse(lua_State *state)
{
    int64_t nusd;
    if (vito_money_parse(luaL_checkstring(state, 1), &nusd) != RT_OK)
        return 0;
    lua_pushnumber(state, (lua_Number)nusd);
    return 1;
}

static int
usd(lua_State *state)
{
    if (lua_type(state, 1) == LUA_TSTRING) {
        if (parse(state) == 1)
            return 1;
        return luaL_error(state, "money.usd: not a decimal amount of at most nine places");
    }
    const int64_t dollars_max = VITO_NUSD_MAX / VITO_NUSD_PER_USD;
    lua_Number dollars = luaL_checknumber(state, 1);
    if (!(dollars >= 0) || dollars != floor(dollars) || dollars > (lua_Number)dollars_max)
        return luaL_error(state, "money.usd: write amounts with a fraction as text, \"1.25\"");
    lua_pushnumber(state, dollars * (lua_Number)VITO_NUSD_PER_USD);
    return 1;
}

static int
format(lua_State *state)
{
    lua_Number amount = luaL_checknumber(state, 1);
    char text[VITO_USD_TEXT_BYTES];
    if (isinf(amount))
        lua_pushliteral(state, "unlimited");
    else if (amount != floor(amount) || fabs(amount) > (lua_Number)VITO_NUSD_MAX)
        return luaL_error(state, "money.format: an amount is a whole number of nano-dollars");
    else
        lua_pushstring(state, vito_money_format((int64_t)amount, text));
    return 1;
}

void
tlua_money_push_raise(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"usd", usd}, {"parse", parse}, {"format", format}, {NULL, NULL}};
    lua_newtable(state);
    luaL_register(state, NULL, functions);
}
