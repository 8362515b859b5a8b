#include "lua/json.h"

#include <lauxlib.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/owned.h"
#include "lua/shape.h"
#include "lua/vm.h"
#include "net/utf8.h"
#include "vito/json.h"

enum { SLOTS_PER_LEVEL = 4, NUMBER_BYTES = 24 };

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

static void push_value_raise(lua_State *state, const cJSON *value);

static void
push_children_raise(lua_State *state, const cJSON *parent)
{
    int count = cJSON_GetArraySize(parent);
    bool is_array = cJSON_IsArray(parent);
    lua_createtable(state, is_array ? count : 0, is_array ? 0 : count);
    int index = 1;
    for (const cJSON *child = parent->child; child != NULL; child = child->next, index++) {
        tlua_vm_charge_raise(state, 1);
        if (is_array) {
            push_value_raise(state, child);
            lua_rawseti(state, -2, index);
        } else if (!cJSON_IsNull(child)) {
            lua_pushstring(state, child->string);
            push_value_raise(state, child);
            lua_rawset(state, -3);
        }
    }
}

static void
push_value_raise(lua_State *state, const cJSON *value)
{
    luaL_checkstack(state, SLOTS_PER_LEVEL, "JSON is nested too deep");
    if (cJSON_IsString(value))
        lua_pushstring(state, value->valuestring);
    else if (cJSON_IsNumber(value))
        lua_pushnumber(state, value->valuedouble);
    else if (cJSON_IsBool(value))
        lua_pushboolean(state, cJSON_IsTrue(value));
    else if (cJSON_IsNull(value))
        lua_pushlightuserdata(state, NULL);
    else
        push_children_raise(state, value);
}

static void
destroy_tree(void *tree)
{
    cJSON_Delete(tree);
}

bool
tlua_json_decode_raise(lua_State *state, const char *text, size_t size_bytes)
{
    struct tlua_owned *owned = tlua_owned_push_raise(state, destroy_tree);
    const char *problem;
    cJSON *tree = NULL;
    bool ok =
        vito_json_parse_within(text, size_bytes, TLUA_JSON_DEPTH_MAX, &tree, &problem) == RT_OK;
    owned->thing = tree;
    if (ok)
        push_value_raise(state, tree);
    tlua_owned_drop(owned);
    lua_remove(state, ok ? -2 : -1);
    return ok;
}

#define TEXT_METATABLE "twin.json.text"

void
tlua_json_text_push_raise(lua_State *state, const char *json)
{
    size_t size_bytes = strlen(json) + 1;
    memcpy(lua_newuserdata(state, size_bytes), json, size_bytes);
    if (luaL_newmetatable(state, TEXT_METATABLE)) {
        lua_pushboolean(state, false);
        lua_setfield(state, -2, "__metatable");
    }
    lua_setmetatable(state, -2);
}

const char *
tlua_json_text_of(lua_State *state, int index)
{
    if (lua_type(state, index) != LUA_TUSERDATA || !lua_getmetatable(state, index))
        return NULL;
    luaL_getmetatable(state, TEXT_METATABLE);
    bool is_text = lua_rawequal(state, -1, -2);
    lua_pop(state, 2);
    return is_text ? lua_touserdata(state, index) : NULL;
}

/* While the tree grows nothing may raise: enough stack was made sure of, texts are read as
 * texts only, and keys are never converted. */
struct writer {
    lua_State *state;
    size_t items_left;
    bool printed;
    const char *problem; /* the first one, or NULL */
};

static cJSON *write_value(struct writer *writer, int depth_left);

static cJSON *
fail(struct writer *writer, cJSON *tree, const char *problem)
{
    if (writer->problem == NULL)
        writer->problem = problem;
    cJSON_Delete(tree);
    return NULL;
}

/* The text on top of the stack; NULL when it is none that JSON, or cJSON, can hold. */
static const char *
text_at_top(struct writer *writer)
{
    size_t size_bytes;
    const char *text = lua_tolstring(writer->state, -1, &size_bytes);
    const char *problem = NULL;
    if (strlen(text) != size_bytes)
        problem = "a text has a zero byte in it";
    else if (!net_utf8_is_valid((const uint8_t *)text, size_bytes))
        problem = "a text is not UTF-8";
    if (problem != NULL)
        (void)fail(writer, NULL, problem);
    return problem == NULL ? text : NULL;
}

static cJSON *
write_text(struct writer *writer)
{
    const char *text = text_at_top(writer);
    return text == NULL ? NULL : cJSON_CreateString(text);
}

/* The list of n items whose table is on top of the stack. */
static cJSON *
write_list(struct writer *writer, size_t count, int depth_left)
{
    cJSON *list = cJSON_CreateArray();
    for (size_t i = 1; list != NULL && i <= count; i++) {
        lua_rawgeti(writer->state, -1, (int)i);
        cJSON *item = write_value(writer, depth_left);
        lua_pop(writer->state, 1);
        if (item == NULL)
            return fail(writer, list, "out of memory");
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static int
compare_names(const void *a, const void *b)
{
    const cJSON *const *left = a, *const *right = b;
    return strcmp((*left)->string, (*right)->string);
}

/* Puts the members of an object into the order of their names. False when out of memory. */
static bool
sort_members(cJSON *object)
{
    size_t count = (size_t)cJSON_GetArraySize(object);
    if (count < 2)
        return true;
    cJSON **members = malloc(count * sizeof(cJSON *));
    if (members == NULL)
        return false;
    size_t at = 0;
    for (cJSON *child = object->child; child != NULL; child = child->next)
        members[at++] = child;
    qsort(members, count, sizeof(cJSON *), compare_names);
    for (size_t i = 0; i < count; i++) {
        members[i]->next = i + 1 < count ? members[i + 1] : NULL;
        members[i]->prev = members[i == 0 ? count - 1 : i - 1];
    }
    object->child = members[0];
    free(members);
    return true;
}

static cJSON *
write_object(struct writer *writer, int depth_left)
{
    cJSON *object = cJSON_CreateObject();
    lua_pushnil(writer->state);
    while (object != NULL && lua_next(writer->state, -2)) {
        cJSON *member = write_value(writer, depth_left);
        lua_pop(writer->state, 1);
        const char *name = text_at_top(writer);
        if (member == NULL || name == NULL || !cJSON_AddItemToObject(object, name, member)) {
            cJSON_Delete(member);
            lua_pop(writer->state, 1);
            return fail(writer, object, "out of memory");
        }
    }
    if (object == NULL)
        lua_pop(writer->state, 1);
    else if (!sort_members(object))
        return fail(writer, object, "out of memory");
    return object;
}

static cJSON *
write_table(struct writer *writer, int depth_left)
{
    if (depth_left == 0)
        return fail(writer, NULL, "tables are nested too deep");
    size_t count;
    enum tlua_shape shape = tlua_shape_of(writer->state, -1, &count);
    if (count > writer->items_left)
        return fail(writer, NULL, "there are too many values");
    switch (shape) {
    case TLUA_LIST:
        return write_list(writer, count, depth_left - 1);
    case TLUA_OBJECT:
        return write_object(writer, depth_left - 1);
    case TLUA_SHAPELESS:
        break;
    }
    return fail(writer, NULL, "a table has neither text keys nor the keys 1, 2, 3 …");
}

static cJSON *
write_number(struct writer *writer, lua_Number number)
{
    if (!isfinite(number))
        return fail(writer, NULL, "a number is not finite");
    if (!writer->printed || number != floor(number) || fabs(number) > EXACT_MAX)
        return cJSON_CreateNumber(number);
    char text[NUMBER_BYTES];
    snprintf(text, sizeof(text), "%.0f", number);
    return cJSON_CreateRaw(text);
}

/* What the host made is handed on as it is; all else is refused. */
static cJSON *
write_json_text(struct writer *writer)
{
    const char *text = tlua_json_text_of(writer->state, -1);
    if (text != NULL)
        return cJSON_CreateRaw(text);
    return fail(writer, NULL, "a value is neither text, number, boolean nor table");
}

/* JSON of the value on top of the stack, which stays there. */
static cJSON *
write_value(struct writer *writer, int depth_left)
{
    lua_State *state = writer->state;
    if (writer->items_left == 0)
        return fail(writer, NULL, "there are too many values");
    writer->items_left--;
    switch (lua_type(state, -1)) {
    case LUA_TSTRING:
        return write_text(writer);
    case LUA_TNUMBER:
        return write_number(writer, lua_tonumber(state, -1));
    case LUA_TBOOLEAN:
        return cJSON_CreateBool(lua_toboolean(state, -1));
    case LUA_TTABLE:
        return write_table(writer, depth_left);
    case LUA_TLIGHTUSERDATA:
        return cJSON_CreateNull();
    case LUA_TUSERDATA:
        return write_json_text(writer);
    default:
        return fail(writer, NULL, "a value is neither text, number, boolean nor table");
    }
}

cJSON *
tlua_json_from_raise(lua_State *state, int index, const struct tlua_json_bounds *bounds,
                     const char **problem_out)
{
    luaL_checkstack(state, (bounds->depth + 2) * SLOTS_PER_LEVEL, "JSON is nested too deep");
    struct writer writer = {
        .state = state, .items_left = bounds->items, .printed = bounds->printed};
    lua_pushvalue(state, index);
    cJSON *value = write_value(&writer, bounds->depth);
    lua_pop(state, 1);
    if (value == NULL)
        *problem_out = writer.problem == NULL ? "out of memory" : writer.problem;
    return value;
}
