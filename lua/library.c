#include "lua/library.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "lua/vm.h"

enum {
    BYTES_PER_STEP = 64, /* of plain search or copying, in the time of an instruction */
    CONCAT_ITEMS_MAX = 10000,
    FORMAT_BYTES_MAX = 1024,
};

static size_t
text_bytes_max(lua_State *state)
{
    return tlua_vm_of(state)->limits.text_bytes;
}

/* Lua's own function, which is upvalue 1, with the arguments of this one. */
static int
call_original_raise(lua_State *state)
{
    lua_pushvalue(state, lua_upvalueindex(1));
    lua_insert(state, 1);
    lua_call(state, lua_gettop(state) - 1, LUA_MULTRET);
    return lua_gettop(state);
}

static bool
is_pattern(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] != '\0' && strchr("^$*+?.([%-", text[i]) != NULL)
            return true;
    }
    return false;
}

/* string.find(text, wanted, start, plain): patterns are refused, for they can take for ever. */
static int
find(lua_State *state)
{
    size_t text_bytes, wanted_bytes;
    const char *text = luaL_checklstring(state, 1, &text_bytes);
    const char *wanted = luaL_checklstring(state, 2, &wanted_bytes);
    lua_Integer start = luaL_optinteger(state, 3, 1);
    if (!lua_toboolean(state, 4) && is_pattern(wanted, wanted_bytes))
        return luaL_error(state, "string.find knows no patterns here: pass true as 4th argument");
    if (start < 0)
        start += (lua_Integer)text_bytes + 1;
    size_t skipped = start < 1 ? 0 : (size_t)start - 1;
    if (skipped > text_bytes)
        return 0;
    tlua_vm_charge_raise(state, (text_bytes - skipped) / BYTES_PER_STEP);
    const char *found = memmem(text + skipped, text_bytes - skipped, wanted, wanted_bytes);
    if (found == NULL)
        return 0;
    lua_pushinteger(state, found - text + 1);
    lua_pushinteger(state, found - text + (lua_Integer)wanted_bytes);
    return 2;
}

static int
rep(lua_State *state)
{
    size_t text_bytes, between_bytes;
    luaL_checklstring(state, 1, &text_bytes);
    lua_Number count = luaL_checknumber(state, 2);
    luaL_optlstring(state, 3, "", &between_bytes);
    double result_bytes = count * (double)(text_bytes + between_bytes);
    if (count > 0 && !(result_bytes <= (double)text_bytes_max(state)))
        return luaL_error(state, "string.rep would make too long a text");
    if (count > 0) /* empty pieces are work too */
        tlua_vm_charge_raise(state, (size_t)(result_bytes / BYTES_PER_STEP) + 1);
    if (text_bytes + between_bytes == 0 || count <= 0) {
        lua_pushliteral(state, "");
        return 1;
    }
    return call_original_raise(state);
}

/* Lua bounds widths and precisions to two digits; what else makes a result long are its texts. */
static int
format(lua_State *state)
{
    size_t total_bytes;
    luaL_checklstring(state, 1, &total_bytes);
    if (total_bytes > FORMAT_BYTES_MAX)
        return luaL_error(state, "string.format: the format is too long");
    for (int i = 2; i <= lua_gettop(state); i++) {
        int type = lua_type(state, i);
        if (type != LUA_TSTRING && type != LUA_TNUMBER && type != LUA_TBOOLEAN && type != LUA_TNIL)
            return luaL_error(state, "string.format cannot show a %s", lua_typename(state, type));
        if (type == LUA_TSTRING)
            total_bytes += lua_objlen(state, i);
    }
    if (total_bytes > text_bytes_max(state))
        return luaL_error(state, "string.format would make too long a text");
    tlua_vm_charge_raise(state, total_bytes / BYTES_PER_STEP);
    return call_original_raise(state);
}

static int
concat(lua_State *state)
{
    luaL_checktype(state, 1, LUA_TTABLE);
    size_t between_bytes;
    luaL_optlstring(state, 2, "", &between_bytes);
    lua_Integer first = luaL_optinteger(state, 3, 1);
    lua_Integer last = luaL_optinteger(state, 4, (lua_Integer)lua_objlen(state, 1));
    if (last < first) {
        lua_pushliteral(state, "");
        return 1;
    }
    if (first < 0 || last > CONCAT_ITEMS_MAX)
        return luaL_error(state, "table.concat: too many items");
    tlua_vm_charge_raise(state, (size_t)(last - first) + 1);
    size_t total_bytes = between_bytes * (size_t)(last - first);
    for (lua_Integer i = first; i <= last && total_bytes <= text_bytes_max(state); i++) {
        lua_rawgeti(state, 1, (int)i);
        total_bytes += lua_type(state, -1) == LUA_TSTRING ? lua_objlen(state, -1) : 0;
        lua_pop(state, 1);
    }
    if (total_bytes > text_bytes_max(state))
        return luaL_error(state, "table.concat would make too long a text");
    return call_original_raise(state);
}

/* What pcall gave; raises on when that is the error the run was stopped by. A full stack is such
 * an error, for scripts could climb back to it for ever. */
static int
unless_stopped(lua_State *state)
{
    struct tlua_vm *vm = tlua_vm_of(state);
    if (!lua_toboolean(state, 1) && lua_type(state, 2) == LUA_TSTRING &&
        strstr(lua_tostring(state, 2), "stack overflow") != NULL)
        vm->stopped = TLUA_NO_MEMORY;
    tlua_vm_charge_raise(state, 1);
    return lua_gettop(state);
}

static void
wrap_raise(lua_State *state, const char *library, const char *name, lua_CFunction bounded)
{
    lua_getglobal(state, library);
    lua_getfield(state, -1, name);
    lua_pushcclosure(state, bounded, 1);
    lua_setfield(state, -3, name);
    lua_pop(state, 1);
}

void
tlua_library_push_raise(lua_State *state)
{
    lua_createtable(state, 0, 5);
    lua_pushcfunction(state, unless_stopped);
    lua_setfield(state, -2, "unless_stopped");
    wrap_raise(state, "string", "find", find);
    wrap_raise(state, "string", "format", format);
    wrap_raise(state, "string", "rep", rep);
    wrap_raise(state, "table", "concat", concat);
}
