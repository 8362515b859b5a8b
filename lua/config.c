#include "lua/config.h"

#include <lauxlib.h>
#include <stdio.h>

#include "lua/file.h"
#include "lua/json.h"
#include "lua/sandbox.h"
#include "lua/vm.h"

static const struct tlua_vm_limits config_limits = {
    .instructions = 10000000,
    .heap_bytes = 8 * TLUA_MIB,
    .block_bytes = TLUA_MIB,
    .text_bytes = 256 * TLUA_KIB,
};

static const struct tlua_json_bounds config_bounds = {.items = 10000, .depth = 16};

struct reading {
    const char *path;
    const struct rt_buffer *text;
    cJSON *config;
};

static int
run(lua_State *state)
{
    struct reading *reading = lua_touserdata(state, 1);
    tlua_sandbox_build_raise(state);
    lua_pushfstring(state, "@%s", reading->path);
    tlua_sandbox_load_raise(state, lua_tostring(state, -1), (const char *)reading->text->bytes,
                            reading->text->size_bytes);
    lua_call(state, 0, 1);
    const char *problem = "the file must return a table with names";
    if (lua_istable(state, -1))
        reading->config = tlua_json_from_raise(state, lua_gettop(state), &config_bounds, &problem);
    if (cJSON_IsObject(reading->config))
        return 0;
    cJSON_Delete(reading->config);
    reading->config = NULL;
    return luaL_error(state, "%s: %s", reading->path, problem);
}

static enum rt_status
evaluate(struct reading *reading, char problem_out[TLUA_PROBLEM_BYTES])
{
    struct tlua_vm vm;
    if (!tlua_vm_init(&vm, &config_limits)) {
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s: out of memory", reading->path);
        return RT_NO_MEMORY;
    }
    enum tlua_end end = tlua_vm_do(&vm, run, reading);
    if (end != TLUA_DONE)
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s", vm.problem);
    tlua_vm_deinit(&vm);
    if (end == TLUA_DONE)
        return RT_OK;
    cJSON_Delete(reading->config);
    return RT_INVALID;
}

enum rt_status
tlua_config_read(const char *path, cJSON **config_out, char problem_out[TLUA_PROBLEM_BYTES])
{
    struct rt_buffer *text;
    enum rt_status status = tlua_file_read(path, &text, NULL);
    if (status != RT_OK) {
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s: cannot be read: %s", path,
                 rt_status_name(status));
        return status;
    }
    struct reading reading = {.path = path, .text = text};
    status = evaluate(&reading, problem_out);
    rt_buffer_release(text);
    if (status == RT_OK)
        *config_out = reading.config;
    return status;
}
