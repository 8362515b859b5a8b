#include "lua/codec.h"

#include <lauxlib.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "lua/json.h"
#include "lua/owned.h"
#include "net/sse.h"

#define PARSER "twin.sse.parser"

static void
push_functions_raise(lua_State *state, const luaL_Reg *functions)
{
    lua_newtable(state);
    luaL_register(state, NULL, functions);
}

static const struct tlua_json_bounds json_bounds = {
    .items = 50000, .depth = TLUA_JSON_DEPTH_MAX, .printed = true};

static int
json_decode(lua_State *state)
{
    const char *text = tlua_json_text_of(state, 1);
    size_t size_bytes = text == NULL ? 0 : strlen(text);
    if (text == NULL)
        text = luaL_checklstring(state, 1, &size_bytes);
    return tlua_json_decode_raise(state, text, size_bytes) ? 1 : 0;
}

static int
json_encode(lua_State *state)
{
    luaL_checkany(state, 1);
    lua_settop(state, 1);
    struct tlua_owned *text = tlua_owned_push_raise(state, cJSON_free);
    const char *problem = "out of memory";
    cJSON *tree = tlua_json_from_raise(state, 1, &json_bounds, &problem);
    if (tree != NULL)
        text->thing = cJSON_PrintUnformatted(tree);
    cJSON_Delete(tree);
    if (text->thing == NULL)
        return luaL_error(state, "json.encode: %s", problem);
    lua_pushstring(state, text->thing);
    tlua_owned_drop(text);
    return 1;
}

void
tlua_codec_push_json_raise(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"decode", json_decode}, {"encode", json_encode}, {NULL, NULL}};
    push_functions_raise(state, functions);
    lua_pushlightuserdata(state, NULL);
    lua_setfield(state, -2, "null");
}

static int
base64_decode(lua_State *state)
{
    size_t text_bytes, size_bytes;
    const char *text = luaL_checklstring(state, 1, &text_bytes);
    unsigned char *bytes = lua_newuserdata(state, text_bytes / 4 * 3 + 3);
    if (sodium_base642bin(bytes, text_bytes / 4 * 3 + 3, text, text_bytes, NULL, &size_bytes, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0)
        return 0;
    lua_pushlstring(state, (const char *)bytes, size_bytes);
    return 1;
}

static int
base64_encode(lua_State *state)
{
    size_t size_bytes;
    const char *bytes = luaL_checklstring(state, 1, &size_bytes);
    size_t text_bytes = sodium_base64_ENCODED_LEN(size_bytes, sodium_base64_VARIANT_ORIGINAL);
    char *text = lua_newuserdata(state, text_bytes);
    sodium_bin2base64(text, text_bytes, (const unsigned char *)bytes, size_bytes,
                      sodium_base64_VARIANT_ORIGINAL);
    lua_pushstring(state, text);
    return 1;
}

void
tlua_codec_push_base64_raise(lua_State *state)
{
    static const luaL_Reg functions[] = {
        {"decode", base64_decode}, {"encode", base64_encode}, {NULL, NULL}};
    push_functions_raise(state, functions);
}

struct parser {
    struct net_sse *sse; /* NULL: out of memory, or collected */
};

static struct parser *
check_parser_raise(lua_State *state)
{
    return luaL_checkudata(state, 1, PARSER);
}

static int
sse_feed(lua_State *state)
{
    struct parser *parser = check_parser_raise(state);
    size_t size_bytes;
    const char *bytes = luaL_checklstring(state, 2, &size_bytes);
    lua_pushboolean(state,
                    parser->sse != NULL && net_sse_feed(parser->sse, bytes, size_bytes) == RT_OK);
    return 1;
}

static int
sse_next(lua_State *state)
{
    struct parser *parser = check_parser_raise(state);
    struct net_sse_event event;
    if (parser->sse == NULL || net_sse_next(parser->sse, &event) != RT_OK)
        return 0;
    lua_pushlstring(state, event.data, event.data_bytes);
    lua_pushstring(state, event.event);
    return 2;
}

static int
sse_collect(lua_State *state)
{
    struct parser *parser = check_parser_raise(state);
    if (parser->sse != NULL)
        net_sse_destroy(parser->sse);
    parser->sse = NULL;
    return 0;
}

static int
sse_parser(lua_State *state)
{
    lua_Integer event_bytes_max = luaL_checkinteger(state, 1);
    luaL_argcheck(state, event_bytes_max > 0, 1, "must be a number of bytes");
    struct parser *parser = lua_newuserdata(state, sizeof(*parser));
    parser->sse = NULL;
    luaL_getmetatable(state, PARSER);
    lua_setmetatable(state, -2);
    parser->sse = net_sse_create((size_t)event_bytes_max);
    return 1;
}

void
tlua_codec_push_sse_raise(lua_State *state)
{
    static const luaL_Reg methods[] = {{"feed", sse_feed}, {"next", sse_next}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"parser", sse_parser}, {NULL, NULL}};
    luaL_newmetatable(state, PARSER);
    push_functions_raise(state, methods);
    lua_setfield(state, -2, "__index");
    lua_pushcfunction(state, sse_collect);
    lua_setfield(state, -2, "__gc");
    lua_pop(state, 1);
    push_functions_raise(state, functions);
}
