/* JSON read into Lua: what RFC 8259 allows, but for zero bytes, and nothing else, whatever its
 * bytes; and the stack as it was when it is refused. */
#include <criterion/criterion.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "lua/json.h"
#include "lua/owned.h"
#include "lua/vm.h"
#include "runtime/compiler.h"

static struct tlua_vm vm;

static int
let_it_own(lua_State *state)
{
    tlua_owned_set_up_raise(state);
    return 0;
}

static void
setup(void)
{
    static const struct tlua_vm_limits limits = {.instructions = 100000,
                                                 .heap_bytes = TLUA_MIB,
                                                 .block_bytes = 64 * TLUA_KIB,
                                                 .text_bytes = 16 * TLUA_KIB};
    cr_assert(tlua_vm_init(&vm, &limits));
    cr_assert_eq(tlua_vm_do(&vm, let_it_own, NULL), TLUA_DONE);
    tlua_vm_seal(&vm);
}

static void
teardown(void)
{
    tlua_vm_deinit(&vm);
    cr_assert_eq(vm.used_bytes, 0, "all memory is given back");
}

TestSuite(lua_json, .init = setup, .fini = teardown, .timeout = 60);

/* A text, and what is pushed for it. */
struct reading {
    const char *json;
    size_t size_bytes;
    bool is_read;
    void (*look)(lua_State *state);
};

/* The text is copied to its exact size: a reader that goes beyond its end is seen by ASan. */
static int
read_once(lua_State *state)
{
    struct reading *reading = lua_touserdata(state, 1);
    char *exact = malloc(reading->size_bytes);
    memcpy(exact, reading->json, reading->size_bytes);
    reading->is_read = tlua_json_decode_raise(state, exact, reading->size_bytes);
    free(exact);
    cr_assert_eq(lua_gettop(state), reading->is_read ? 2 : 1, "%s", reading->json);
    if (reading->look != NULL)
        reading->look(state);
    return 0;
}

static bool
reads(const char *json, size_t size_bytes, void (*look)(lua_State *state))
{
    struct reading reading = {.json = json, .size_bytes = size_bytes, .look = look};
    cr_assert_eq(tlua_vm_do(&vm, read_once, &reading), TLUA_DONE, "%s: %s", json, vm.problem);
    return reading.is_read;
}

Test(lua_json, what_is_no_json_is_refused)
{
    static const char *const texts[] = {
        " ",
        "[",
        "]",
        "[1",
        "[1,",
        "[1,]",
        "[,1]",
        "{",
        "{}}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{,}",
        "{\"a\" 1}",
        "{1:1}",
        "1 2",
        "01",
        "-",
        "-01",
        "1.",
        ".5",
        "1e",
        "1e+",
        "+1",
        "0x10",
        "NaN",
        "Infinity",
        "nul",
        "nulll",
        "True",
        "\"",
        "\"a",
        "\"\\",
        "\"\\\"",
        "\"\\x41\"",
        "\"\\u12\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\ud800x\"",
        "\"a\nb\"",
        "\"\x1f\"",
        "\"\xff\"",
        "\"\xc0\x80\"",
        "'a'",
        "// 1",
        "1//",
        "\"\\u0000\"",
    };
    for (size_t i = 0; i < RT_COUNT_OF(texts); i++)
        cr_assert_not(reads(texts[i], strlen(texts[i]), NULL), "%s", texts[i]);
    cr_assert_not(reads("", 0, NULL));
    cr_assert_not(reads("1\0", 2, NULL), "a zero byte is not a blank");
    cr_assert_not(reads("\"\\\0\"", 4, NULL), "nor a letter to escape");
}

static void
is_a_number(lua_State *state)
{
    lua_Number wanted = strtod(((struct reading *)lua_touserdata(state, 1))->json, NULL);
    cr_assert_eq(lua_type(state, 2), LUA_TNUMBER);
    cr_assert_eq(lua_tonumber(state, 2), wanted, "%.17g, not %.17g", lua_tonumber(state, 2),
                 wanted);
}

Test(lua_json, numbers_are_the_nearest_doubles)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "7",
        "-12",
        "999999999999999",
        "-999999999999999",
        "1000000000000000",
        "9007199254740993",
        "999999999999999999",
        "99999999999999999999",
        "123456789012345678901234567890",
        "0.1",
        "-1.5e3",
        "1E5",
        "1e-7",
        "2.2250738585072011e-308",
        "1.7976931348623157e308",
        "1e999",
        "0.30000000000000004",
    };
    for (size_t i = 0; i < RT_COUNT_OF(texts); i++)
        cr_assert(reads(texts[i], strlen(texts[i]), is_a_number), "%s", texts[i]);
}

static void
is_the_text(lua_State *state)
{
    static const char wanted[] = "\"\\/\b\f\n\r\t A\xc3\xa9\xe2\x82\xac\xf0\x9d\x84\x9e\x7fz";
    size_t size_bytes;
    const char *text = lua_tolstring(state, 2, &size_bytes);
    cr_assert_eq(size_bytes, sizeof(wanted) - 1);
    cr_assert_arr_eq(text, wanted, size_bytes);
}

Test(lua_json, escapes_are_what_they_stand_for)
{
    static const char json[] = "\"\\\"\\\\\\/\\b\\f\\n\\r\\t \\u0041\\u00e9\\u20AC\\ud834\\uDD1E"
                               "\x7fz\"";
    cr_assert(reads(json, sizeof(json) - 1, is_the_text));
}

static void
is_the_object(lua_State *state)
{
    lua_getfield(state, 2, "");
    cr_assert_eq(lua_tointeger(state, -1), 2, "the last of a name counts");
    lua_getfield(state, 2, "none");
    cr_assert(lua_isnil(state, -1), "null is left out");
    lua_getfield(state, 2, "list");
    cr_assert_eq(lua_objlen(state, -1), 7);
    lua_rawgeti(state, -1, 1);
    cr_assert(lua_touserdata(state, -1) == NULL && lua_islightuserdata(state, -1));
    lua_rawgeti(state, -2, 7);
    lua_getfield(state, -1, "deep");
    cr_assert(lua_isboolean(state, -1) && !lua_toboolean(state, -1));
}

Test(lua_json, objects_and_lists_hold_each_other)
{
    static const char json[] = " {\"\" : 1 ,\"list\":[null,true,\"\",{},[] , 6\r\n,\t{\"deep\":"
                               "false,\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5}],\"none\":null,"
                               "\"\":2} \n";
    cr_assert(reads(json, sizeof(json) - 1, is_the_object));
}

Test(lua_json, a_text_longer_than_any_buffer_is_whole)
{
    enum { PLAIN = 30000 };
    char json[PLAIN + 8] = "\"\\n";
    memset(json + 3, 'x', PLAIN);
    memcpy(json + 3 + PLAIN, "\\t\"", 3);
    struct reading reading = {.json = json, .size_bytes = PLAIN + 6};
    cr_assert_eq(tlua_vm_do(&vm, read_once, &reading), TLUA_DONE, "%s", vm.problem);
    cr_assert(reading.is_read);
}

static int
read_list(lua_State *state)
{
    struct reading *reading = lua_touserdata(state, 1);
    (void)tlua_json_decode_raise(state, reading->json, reading->size_bytes);
    return 0;
}

Test(lua_json, reading_counts_against_the_budget)
{
    enum { ITEMS = 2000 };
    char json[2 * ITEMS + 1];
    for (size_t i = 0; i < ITEMS; i++)
        memcpy(json + 1 + 2 * i, "0,", 2);
    json[0] = '[';
    json[2 * ITEMS] = ']';
    struct reading reading = {.json = json, .size_bytes = sizeof(json)};
    vm.limits.instructions = ITEMS + 1;
    cr_assert_eq(tlua_vm_do(&vm, read_list, &reading), TLUA_DONE, "%s", vm.problem);
    vm.limits.instructions = ITEMS - 1;
    cr_assert_eq(tlua_vm_do(&vm, read_list, &reading), TLUA_TOO_LONG);
}
