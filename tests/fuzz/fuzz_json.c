/* JSON: what is accepted holds finite numbers and UTF-8 within its depth, is the same after being
 * written and read again, in Lua too; and a document put into an answer leaves that answer whole.
 */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "actors/wire.h"
#include "lua/codec.h"
#include "lua/json.h"
#include "lua/owned.h"
#include "lua/sandbox.h"
#include "lua/vm.h"
#include "tests/fuzz/fuzz.h"
#include "vito/json.h"

struct text {
    const char *bytes;
    size_t size_bytes;
};

static void
check_tree(const cJSON *item, int depth_left)
{
    FUZZ_CHECK(depth_left >= 0);
    FUZZ_CHECK(!cJSON_IsNumber(item) || isfinite(item->valuedouble));
    bool holds = cJSON_IsArray(item) || cJSON_IsObject(item);
    for (const cJSON *child = item->child; child != NULL; child = child->next)
        check_tree(child, depth_left - holds);
}

static void
check_strict(struct text text)
{
    cJSON *json = NULL, *again = NULL;
    const char *problem = NULL;
    if (vito_json_parse(text.bytes, text.size_bytes, &json, &problem) != RT_OK) {
        FUZZ_CHECK(problem != NULL && json == NULL);
        return;
    }
    check_tree(json, VITO_JSON_DEPTH_MAX);
    char *once = cJSON_PrintUnformatted(json);
    FUZZ_CHECK(vito_json_parse(once, strlen(once), &again, &problem) == RT_OK);
    char *twice = cJSON_PrintUnformatted(again);
    FUZZ_CHECK(strcmp(once, twice) == 0);
    FUZZ_CHECK(vito_json_repeats_a_name(json) == vito_json_repeats_a_name(again));
    free(once);
    free(twice);
    cJSON_Delete(json);
    cJSON_Delete(again);
}

/* Lua's own way there and back, three times. The first may change a number in its last bit, for
 * cJSON prints fifteen digits where they are near enough; from then on nothing changes. */
static int
there_and_back(lua_State *state)
{
    struct text *text = lua_touserdata(state, 1);
    tlua_owned_set_up_raise(state);
    tlua_codec_push_json_raise(state);
    if (!tlua_json_decode_raise(state, text->bytes, text->size_bytes))
        return 0;
    for (int i = 0; i < 3; i++) {
        lua_getfield(state, 2, "encode");
        lua_insert(state, -2);
        lua_call(state, 1, 1);
        lua_pushvalue(state, -1); /* kept: the texts are at 3, 4 and 5 */
        size_t size_bytes;
        const char *encoded = lua_tolstring(state, -1, &size_bytes);
        FUZZ_CHECK(tlua_json_decode_raise(state, encoded, size_bytes));
        lua_remove(state, -2);
    }
    FUZZ_CHECK(lua_rawequal(state, 4, 5));
    return 0;
}

static void
check_lua(struct text text)
{
    static const struct tlua_vm_limits limits = {.instructions = 10000000,
                                                 .heap_bytes = 32 * TLUA_MIB,
                                                 .block_bytes = 8 * TLUA_MIB,
                                                 .text_bytes = 8 * TLUA_MIB};
    struct tlua_vm vm;
    FUZZ_CHECK(tlua_vm_init(&vm, &limits));
    enum tlua_end end = tlua_vm_do(&vm, there_and_back, &text);
    FUZZ_CHECK(end == TLUA_DONE || end == TLUA_RAISED);
    tlua_vm_deinit(&vm);
}

static void
check_inside(struct text text)
{
    struct wire_bytes wire;
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_json(writer, "inside", text.bytes, text.size_bytes);
    wire_text(writer, "last", "here");
    wire_close(writer);
    FUZZ_CHECK(wire_end(writer, &wire) == RT_OK);
    cJSON *json = cJSON_ParseWithLengthOpts((const char *)wire.bytes, wire.size_bytes, NULL, false);
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(json, "last");
    FUZZ_CHECK(cJSON_GetArraySize(json) == 2 && cJSON_IsString(last));
    FUZZ_CHECK(strcmp(last->valuestring, "here") == 0);
    cJSON_Delete(json);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct text text = {(const char *)bytes, size_bytes};
    check_strict(text);
    check_lua(text);
    check_inside(text);
    return 0;
}
