#include "lua/pack.h"

#include <lauxlib.h>
#include <math.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "lua/shape.h"
#include "runtime/assert.h"

enum { MEMBERS_MAX = 256, SLOTS_PER_LEVEL = 4 };

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

static int
append(void *context, const char *bytes, size_t size_bytes)
{
    struct tlua_packed *packed = context;
    if (size_bytes > sizeof(packed->bytes) - packed->size_bytes)
        return -1;
    memcpy(packed->bytes + packed->size_bytes, bytes, size_bytes);
    packed->size_bytes += size_bytes;
    return 0;
}

/* Of what the packer returns. */
static void
check_room_raise(lua_State *state, int appended)
{
    if (appended != 0)
        luaL_error(state, "memory: more than %d bytes", TLUA_PACK_BYTES_MAX);
}

struct member {
    const char *name; /* held by the table */
    size_t name_bytes;
};

static int
compare_members(const void *a, const void *b)
{
    const struct member *left = a, *right = b;
    size_t common = left->name_bytes < right->name_bytes ? left->name_bytes : right->name_bytes;
    int order = memcmp(left->name, right->name, common);
    if (order != 0)
        return order;
    return (left->name_bytes > right->name_bytes) - (left->name_bytes < right->name_bytes);
}

static void pack_value_raise(lua_State *state, msgpack_packer *packer, int depth_left);

static void
pack_text_raise(lua_State *state, msgpack_packer *packer, const char *text, size_t size_bytes)
{
    check_room_raise(state, msgpack_pack_str(packer, size_bytes));
    check_room_raise(state, msgpack_pack_str_body(packer, text, size_bytes));
}

/* The object of `count` members on top of the stack. */
static void
pack_object_raise(lua_State *state, msgpack_packer *packer, size_t count, int depth_left)
{
    struct member members[MEMBERS_MAX];
    if (count > MEMBERS_MAX)
        luaL_error(state, "memory: more than %d members in a table", MEMBERS_MAX);
    size_t at = 0;
    lua_pushnil(state);
    for (; lua_next(state, -2); at++) {
        lua_pop(state, 1);
        members[at].name = lua_tolstring(state, -1, &members[at].name_bytes);
    }
    qsort(members, count, sizeof(members[0]), compare_members);
    check_room_raise(state, msgpack_pack_map(packer, count));
    for (size_t i = 0; i < count; i++) {
        pack_text_raise(state, packer, members[i].name, members[i].name_bytes);
        lua_pushlstring(state, members[i].name, members[i].name_bytes);
        lua_rawget(state, -2);
        pack_value_raise(state, packer, depth_left);
        lua_pop(state, 1);
    }
}

static void
pack_list_raise(lua_State *state, msgpack_packer *packer, size_t count, int depth_left)
{
    check_room_raise(state, msgpack_pack_array(packer, count));
    for (size_t i = 1; i <= count; i++) {
        lua_rawgeti(state, -1, (int)i);
        pack_value_raise(state, packer, depth_left);
        lua_pop(state, 1);
    }
}

static void
pack_table_raise(lua_State *state, msgpack_packer *packer, int depth_left)
{
    if (depth_left == 0)
        luaL_error(state, "memory: tables are nested too deep");
    luaL_checkstack(state, SLOTS_PER_LEVEL, "memory");
    size_t count;
    switch (tlua_shape_of(state, -1, &count)) {
    case TLUA_LIST:
        pack_list_raise(state, packer, count, depth_left - 1);
        break;
    case TLUA_OBJECT:
        pack_object_raise(state, packer, count, depth_left - 1);
        break;
    case TLUA_SHAPELESS:
        luaL_error(state, "memory: a table has neither text keys nor the keys 1, 2, 3 …");
    }
}

static void
pack_number_raise(lua_State *state, msgpack_packer *packer, lua_Number number)
{
    if (number == floor(number) && fabs(number) <= EXACT_MAX)
        check_room_raise(state, msgpack_pack_int64(packer, (int64_t)number));
    else
        check_room_raise(state, msgpack_pack_double(packer, number));
}

/* The value on top of the stack, which stays there. */
static void
pack_value_raise(lua_State *state, msgpack_packer *packer, int depth_left)
{
    switch (lua_type(state, -1)) {
    case LUA_TSTRING: {
        size_t size_bytes;
        const char *text = lua_tolstring(state, -1, &size_bytes);
        pack_text_raise(state, packer, text, size_bytes);
        break;
    }
    case LUA_TNUMBER:
        pack_number_raise(state, packer, lua_tonumber(state, -1));
        break;
    case LUA_TBOOLEAN:
        check_room_raise(state, lua_toboolean(state, -1) ? msgpack_pack_true(packer)
                                                         : msgpack_pack_false(packer));
        break;
    case LUA_TTABLE:
        pack_table_raise(state, packer, depth_left);
        break;
    default:
        luaL_error(state, "memory: a %s cannot be remembered", luaL_typename(state, -1));
    }
}

void
tlua_pack_raise(lua_State *state, int index, struct tlua_packed *packed_out)
{
    packed_out->size_bytes = 0;
    msgpack_packer packer;
    msgpack_packer_init(&packer, packed_out, append);
    lua_pushvalue(state, index);
    pack_value_raise(state, &packer, TLUA_PACK_DEPTH_MAX);
    lua_pop(state, 1);
}

/* Read by hand: msgpack-c allocates whatever a damaged length says. */
struct reader {
    lua_State *state;
    const unsigned char *at, *end;
};

static void push_next_raise(struct reader *reader, int depth_left);

static const unsigned char *
take_raise(struct reader *reader, size_t size_bytes)
{
    if (size_bytes > (size_t)(reader->end - reader->at))
        luaL_error(reader->state, "memory: unreadable");
    reader->at += size_bytes;
    return reader->at - size_bytes;
}

/* A big-endian number of so many bytes. */
static uint64_t
take_number_raise(struct reader *reader, size_t size_bytes)
{
    const unsigned char *bytes = take_raise(reader, size_bytes);
    uint64_t number = 0;
    for (size_t i = 0; i < size_bytes; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* The same in two's complement. */
static int64_t
take_signed_raise(struct reader *reader, size_t size_bytes)
{
    RT_ASSERT(size_bytes > 0 && size_bytes <= sizeof(uint64_t));
    uint64_t number = take_number_raise(reader, size_bytes);
    uint64_t sign = UINT64_C(1) << (8 * size_bytes - 1);
    return (int64_t)((number ^ sign) - sign);
}

static double
take_double_raise(struct reader *reader)
{
    uint64_t bits = take_number_raise(reader, sizeof(double));
    double number;
    memcpy(&number, &bits, sizeof(number));
    return number;
}

static void
push_text_raise(struct reader *reader, size_t size_bytes)
{
    lua_pushlstring(reader->state, (const char *)take_raise(reader, size_bytes), size_bytes);
}

static void
push_list_raise(struct reader *reader, size_t count, int depth_left)
{
    lua_newtable(reader->state);
    for (size_t i = 1; i <= count; i++) {
        push_next_raise(reader, depth_left);
        lua_rawseti(reader->state, -2, (int)i);
    }
}

static void
push_object_raise(struct reader *reader, size_t count, int depth_left)
{
    lua_newtable(reader->state);
    for (size_t i = 0; i < count; i++) {
        push_next_raise(reader, depth_left);
        if (lua_type(reader->state, -1) != LUA_TSTRING)
            luaL_error(reader->state, "memory: unreadable");
        push_next_raise(reader, depth_left);
        lua_rawset(reader->state, -3);
    }
}

/* Values whose first byte says only what they are: the second half of the specification's table
 * of formats, as far as the packer writes it. */
static void
push_tagged_raise(struct reader *reader, unsigned tag, int depth_left)
{
    lua_State *state = reader->state;
    if (tag == 0xc2 || tag == 0xc3)
        lua_pushboolean(state, tag == 0xc3);
    else if (tag == 0xcb)
        lua_pushnumber(state, take_double_raise(reader));
    else if (tag >= 0xcc && tag <= 0xcf)
        lua_pushnumber(state, (lua_Number)take_number_raise(reader, (size_t)1 << (tag - 0xcc)));
    else if (tag >= 0xd0 && tag <= 0xd3)
        lua_pushnumber(state, (lua_Number)take_signed_raise(reader, (size_t)1 << (tag - 0xd0)));
    else if (tag == 0xd9 || tag == 0xda)
        push_text_raise(reader, take_number_raise(reader, tag - 0xd8));
    else if (tag == 0xdc)
        push_list_raise(reader, take_number_raise(reader, 2), depth_left);
    else if (tag == 0xde)
        push_object_raise(reader, take_number_raise(reader, 2), depth_left);
    else
        luaL_error(state, "memory: unreadable");
}

static void
push_next_raise(struct reader *reader, int depth_left)
{
    if (depth_left == 0)
        luaL_error(reader->state, "memory: nested too deep");
    luaL_checkstack(reader->state, SLOTS_PER_LEVEL, "memory");
    unsigned tag = *take_raise(reader, 1);
    if (tag < 0x80)
        lua_pushinteger(reader->state, (lua_Integer)tag);
    else if (tag < 0x90)
        push_object_raise(reader, tag & 0x0f, depth_left - 1);
    else if (tag < 0xa0)
        push_list_raise(reader, tag & 0x0f, depth_left - 1);
    else if (tag < 0xc0)
        push_text_raise(reader, tag & 0x1f);
    else if (tag < 0xe0)
        push_tagged_raise(reader, tag, depth_left - 1);
    else
        lua_pushinteger(reader->state, (lua_Integer)tag - 0x100);
}

void
tlua_unpack_raise(lua_State *state, const void *bytes, size_t size_bytes)
{
    const unsigned char *start = bytes;
    struct reader reader = {.state = state, .at = start, .end = start + size_bytes};
    push_next_raise(&reader, TLUA_PACK_DEPTH_MAX + 1);
    if (reader.at != reader.end || !lua_istable(state, -1))
        luaL_error(state, "memory: unreadable");
}
