/*
 * lua/pack.h - what a policy remembers: small tables as MessagePack.
 *
 * Texts, numbers, booleans and tables of them; whole numbers are kept as integers, members in
 * the order of their names, so that equal memories are equal bytes.
 *
 * Source: MessagePack specification, github.com/msgpack/msgpack/blob/master/spec.md, read 2026-11.
 */
#ifndef LUA_PACK_H
#define LUA_PACK_H

#include <lua.h>
#include <stddef.h>

enum { TLUA_PACK_BYTES_MAX = 4096, TLUA_PACK_DEPTH_MAX = 8 };

struct tlua_packed {
    size_t size_bytes;
    char bytes[TLUA_PACK_BYTES_MAX];
};

/* Packs the table at `index`. Raises when it is too big, too deep, or holds something else. */
void tlua_pack_raise(lua_State *state, int index, struct tlua_packed *packed_out);

/* Pushes what was packed. Raises when the bytes are not what tlua_pack_raise() makes. */
void tlua_unpack_raise(lua_State *state, const void *bytes, size_t size_bytes);

#endif
