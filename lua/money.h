/*
 * lua/money.h - amounts of money for scripts: whole numbers of nano-dollars.
 */
#ifndef LUA_MONEY_H
#define LUA_MONEY_H

#include <lua.h>

/*
 * Pushes a table of
 *   usd(dollars)    an amount from a decimal text or a whole number; raises when it is neither
 *   parse(text)     an amount, or nil
 *   format(amount)  "1.250000000"; "unlimited" for math.huge
 */
void tlua_money_push_raise(lua_State *state);

#endif
