/*
 * lua/codec.h - the modules twin.json, twin.base64 and twin.sse, for adapters.
 */
#ifndef LUA_CODEC_H
#define LUA_CODEC_H

#include <lua.h>

/*
 * Pushes a table of
 *   decode(text)   the value, or nil when the text is not JSON
 *   encode(value)  text; raises when the value cannot be written
 *   null           what JSON's null is in arrays, and what writes it
 */
void tlua_codec_push_json_raise(lua_State *state);

/*
 * Pushes a table of
 *   decode(text)   bytes, or nil when the text is not base64 (RFC 4648, section 4, padded)
 *   encode(bytes)
 */
void tlua_codec_push_base64_raise(lua_State *state);

/*
 * Pushes a table of
 *   parser(event_bytes_max)  an object with
 *     feed(bytes)  false when an event is longer than that, or memory is out: it is of no use then
 *     next()       data and name of the next whole event, or nil
 */
void tlua_codec_push_sse_raise(lua_State *state);

#endif
