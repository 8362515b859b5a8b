/*
 * lua/json.h - JSON to Lua values and back, bounded in size and depth.
 *
 * Objects and arrays are tables. `null` is left out of objects, and in arrays it is
 * light userdata NULL (`json.null`). An empty table is written as an object. What is written
 * has its members in the order of their names, so that equal values are equal texts.
 */
#ifndef LUA_JSON_H
#define LUA_JSON_H

#include <cjson/cJSON.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { TLUA_JSON_DEPTH_MAX = 32 };

struct tlua_json_bounds {
    size_t items; /* values in all */
    int depth;    /* tables within tables; at most TLUA_JSON_DEPTH_MAX */
    bool printed; /* the tree is for printing only: whole numbers in it are exact texts, where
                     cJSON would round them to 15 digits */
};

/*
 * Pushes the value of a text that is nothing but one JSON value (vito/json.h: strict, and no
 * \u0000 in it).
 *
 *   returns    false, and nothing pushed, when it is not, is nested too deep, or memory for the
 *              tree is out; raises when the machine is out of memory or budget
 */
bool tlua_json_decode_raise(lua_State *state, const char *text, size_t size_bytes);

/* Pushes JSON as a value that scripts hand on unread: tlua_json_from_raise() writes it as it is.
 * Only the host makes such values, so it is well-formed. */
void tlua_json_text_push_raise(lua_State *state, const char *json);

/* The text of such a value, as long as that is on the stack; NULL when it is something else. */
const char *tlua_json_text_of(lua_State *state, int index);

/*
 * Makes JSON of the Lua value at `index`.
 *
 *   problem_out  on NULL: what cannot be written, and why
 *   returns      the caller's, by cJSON_Delete(); raises only before there is anything to own
 */
cJSON *tlua_json_from_raise(lua_State *state, int index, const struct tlua_json_bounds *bounds,
                            const char **problem_out);

#endif
