/*
 * Tables of cases: each is a question, put together from tables, and what is expected of the
 * answer.
 */
#include <lauxlib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lua/file.h"
#include "lua/json.h"
#include "lua/judge.h"
#include "lua/money.h"
#include "lua/pack.h"
#include "lua/policy_check.h"
#include "lua/policy_decision.h"
#include "lua/policy_facts.h"
#include "lua/sandbox.h"

static const struct tlua_vm_limits case_limits = {
    .instructions = 10000000,
    .heap_bytes = 32 * TLUA_MIB,
    .block_bytes = TLUA_MIB,
    .text_bytes = 256 * TLUA_KIB,
};

static const struct tlua_json_bounds settings_bounds = {.items = 1000, .depth = 4, .printed = true};

#define DOLLAR INT64_C(1000000000)

/* A case says only what matters to it; this is the rest. */
static const struct policy_question usual_question = {
    .kind = POLICY_ADMIT_TURN,
    .mode = VITO_TEXT,
    .user = "",
    .seconds_left = VITO_UNLIMITED,
    .tenant_id = "case",
    .limit_nusd = 100 * DOLLAR,
    .remaining_nusd = -1, /* what limit, posted and held leave */
    .voice_max_ms = VITO_UNLIMITED,
    .video_max_ms = VITO_UNLIMITED,
    .sessions = 1,
    .rate_per_second = 50,
    .now_ms = INT64_C(1795003200000), /* 2026-11-18, a Wednesday, 12:00 UTC */
    .local = {.year = 2026, .month = 11, .day = 18, .hour = 12, .weekday = 3},
    .period_start_ms = INT64_C(1793491200000),
    .period_end_ms = INT64_C(1796083200000),
};

struct runner {
    struct tlua_vm vm; /* of the cases */
    struct tlua_judge *judge;
    const char *policy, *cases_path;
    FILE *out;
    int cases; /* place of the table of cases in the registry */
    size_t index;
    /* of the case at hand */
    const char *name;
    bool failed;        /* it went wrong */
    bool policy_failed; /* which may be what it expects */
    struct rt_buffer *settings, *memory;
    struct policy_decision answers[2];
    struct tlua_packed packed;
};

static struct runner *
runner_of(lua_State *state)
{
    return RT_CONTAINER_OF(tlua_vm_of(state), struct runner, vm);
}

static const char *const case_keys[] = {"name",     "request", "session", "tenant",
                                        "settings", "memory",  "expect"};
static const char *const expect_keys[] = {"action", "mode", "reason", "ms", "facts", "memory"};

static void
check_keys_raise(lua_State *state, int index, const char *const *known, size_t count)
{
    luaL_checktype(state, index, LUA_TTABLE);
    lua_pushnil(state);
    while (lua_next(state, index)) {
        lua_pop(state, 1);
        const char *key = lua_type(state, -1) == LUA_TSTRING ? lua_tostring(state, -1) : "a number";
        size_t i = 0;
        while (i < count && strcmp(known[i], key) != 0)
            i++;
        if (i == count)
            luaL_error(state, "unknown key %s", key);
    }
}

static void
read_facts_raise(lua_State *state, int index, const char *key, enum tlua_facts facts,
                 struct policy_question *question)
{
    lua_getfield(state, index, key);
    if (!lua_isnil(state, -1)) {
        luaL_checktype(state, -1, LUA_TTABLE);
        tlua_facts_read_raise(state, lua_gettop(state), facts, question);
    }
    /* Left on the stack: the question points at its texts. */
}

/* The tree as a buffer of text, or NULL when out of memory. Takes the tree. */
static struct rt_buffer *
print_tree(cJSON *tree)
{
    char *text = cJSON_PrintUnformatted(tree);
    struct rt_buffer *buffer = text == NULL ? NULL : rt_buffer_copy(text, strlen(text));
    cJSON_free(text);
    cJSON_Delete(tree);
    return buffer;
}

static void
read_settings_raise(lua_State *state, int index, struct runner *runner)
{
    lua_getfield(state, index, "settings");
    if (!lua_isnil(state, -1)) {
        const char *problem;
        cJSON *tree = tlua_json_from_raise(state, lua_gettop(state), &settings_bounds, &problem);
        if (tree == NULL)
            luaL_error(state, "settings: %s", problem);
        runner->settings = print_tree(tree);
        if (runner->settings == NULL)
            luaL_error(state, "settings: out of memory");
    }
    lua_pop(state, 1);
}

static void
read_memory_raise(lua_State *state, int index, struct runner *runner)
{
    lua_getfield(state, index, "memory");
    if (!lua_isnil(state, -1)) {
        tlua_pack_raise(state, lua_gettop(state), &runner->packed);
        runner->memory = rt_buffer_copy(runner->packed.bytes, runner->packed.size_bytes);
    }
    lua_pop(state, 1);
}

static int64_t
remaining_of(const struct policy_question *question)
{
    if (question->limit_nusd == VITO_UNLIMITED)
        return VITO_UNLIMITED;
    int64_t remaining_nusd = question->limit_nusd - question->posted_nusd - question->held_nusd;
    return remaining_nusd > 0 ? remaining_nusd : 0;
}

static void
read_question_raise(lua_State *state, int index, struct runner *runner,
                    struct policy_question *question_out)
{
    *question_out = usual_question;
    read_facts_raise(state, index, "request", TLUA_REQUEST, question_out);
    read_facts_raise(state, index, "session", TLUA_SESSION, question_out);
    if (lua_isnil(state, -1) == lua_isnil(state, -2))
        luaL_error(state, "there must be either a request or a session");
    if (!lua_isnil(state, -1))
        question_out->kind = POLICY_METER;
    read_facts_raise(state, index, "tenant", TLUA_TENANT, question_out);
    if (question_out->remaining_nusd < 0)
        question_out->remaining_nusd = remaining_of(question_out);
    read_settings_raise(state, index, runner);
    read_memory_raise(state, index, runner);
    question_out->settings = runner->settings;
    question_out->memory = runner->memory;
}

static void
report(struct runner *runner, const char *what, const char *wanted, const char *got)
{
    runner->failed = true;
    fprintf(runner->out, "%s: %s: expected %s %s, got %s\n", runner->cases_path, runner->name, what,
            wanted, got[0] == '\0' ? "nothing" : got);
}

static void
expect_text_raise(lua_State *state, struct runner *runner, const char *key, const char *got)
{
    lua_getfield(state, lua_gettop(state), key);
    if (!lua_isnil(state, -1) && strcmp(luaL_checkstring(state, -1), got) != 0)
        report(runner, key, lua_tostring(state, -1), got);
    lua_pop(state, 1);
}

/* The facts must have what is expected; they may have more. */
static void
expect_facts_raise(lua_State *state, struct runner *runner, const struct policy_decision *got)
{
    lua_getfield(state, lua_gettop(state), "facts");
    if (!lua_isnil(state, -1)) {
        const char *problem = "";
        struct tlua_json_bounds bounds = {.items = 64, .depth = 3};
        cJSON *wanted = tlua_json_from_raise(state, lua_gettop(state), &bounds, &problem);
        cJSON *facts = cJSON_Parse(got->facts);
        for (const cJSON *fact = wanted == NULL ? NULL : wanted->child; fact != NULL;
             fact = fact->next) {
            const cJSON *same = cJSON_GetObjectItemCaseSensitive(facts, fact->string);
            char *text = cJSON_PrintUnformatted(fact);
            if (!cJSON_Compare(fact, same, true) && text != NULL)
                report(runner, fact->string, text, got->facts);
            cJSON_free(text);
        }
        if (wanted == NULL)
            report(runner, "facts", problem, got->facts);
        cJSON_Delete(wanted);
        cJSON_Delete(facts);
    }
    lua_pop(state, 1);
}

static void
expect_memory_raise(lua_State *state, struct runner *runner, const struct policy_decision *got)
{
    lua_getfield(state, lua_gettop(state), "memory");
    if (!lua_isnil(state, -1)) {
        tlua_pack_raise(state, lua_gettop(state), &runner->packed);
        if (got->memory == NULL || got->memory->size_bytes != runner->packed.size_bytes ||
            memcmp(got->memory->bytes, runner->packed.bytes, runner->packed.size_bytes) != 0)
            report(runner, "memory", "as in the case", got->memory == NULL ? "" : "another");
    }
    lua_pop(state, 1);
}

static void
expect_delay_raise(lua_State *state, struct runner *runner, const struct policy_decision *got)
{
    char text[16];
    snprintf(text, sizeof(text), "%u", got->delay_ms);
    expect_text_raise(state, runner, "ms", text);
}

/* What is expected is the table on top of the stack. */
static void
compare_raise(lua_State *state, struct runner *runner, const struct policy_decision *got)
{
    check_keys_raise(state, lua_gettop(state), expect_keys, RT_COUNT_OF(expect_keys));
    lua_getfield(state, -1, "action");
    if (lua_isnil(state, -1))
        luaL_error(state, "expect.action is missing");
    lua_pop(state, 1);
    expect_text_raise(state, runner, "action", tlua_action_name(got->action));
    expect_text_raise(state, runner, "mode", vito_mode_name(got->mode));
    expect_text_raise(state, runner, "reason", got->reason);
    expect_delay_raise(state, runner, got);
    expect_facts_raise(state, runner, got);
    expect_memory_raise(state, runner, got);
}

static bool
is_same_memory(const struct rt_buffer *a, const struct rt_buffer *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->size_bytes == b->size_bytes && memcmp(a->bytes, b->bytes, a->size_bytes) == 0;
}

static bool
is_same(const struct policy_decision *a, const struct policy_decision *b)
{
    return a->action == b->action && a->mode == b->mode && a->delay_ms == b->delay_ms &&
           strcmp(a->reason, b->reason) == 0 && strcmp(a->facts, b->facts) == 0 &&
           is_same_memory(a->memory, b->memory);
}

static void
ask(struct runner *runner, const struct policy_question *question)
{
    enum tlua_policy_failure failure;
    for (size_t i = 0; i < RT_COUNT_OF(runner->answers); i++) {
        if (!tlua_judge_ask(runner->judge, runner->policy, question, &runner->answers[i], &failure))
            runner->policy_failed = true;
    }
    if (!is_same(&runner->answers[0], &runner->answers[1]))
        report(runner, "the same answer twice:", runner->answers[0].reason,
               runner->answers[1].reason);
}

static int
run_case(lua_State *state)
{
    struct runner *runner = runner_of(state);
    lua_rawgeti(state, LUA_REGISTRYINDEX, runner->cases);
    lua_rawgeti(state, -1, (int)runner->index);
    int index = lua_gettop(state);
    check_keys_raise(state, index, case_keys, RT_COUNT_OF(case_keys));
    lua_getfield(state, index, "name");
    if (lua_type(state, -1) != LUA_TSTRING)
        luaL_error(state, "it has no name");
    runner->name = lua_tostring(state, -1);
    struct policy_question question;
    read_question_raise(state, index, runner, &question);
    ask(runner, &question);
    lua_getfield(state, index, "expect");
    compare_raise(state, runner, &runner->answers[0]);
    return 0;
}

static void
try_case(struct runner *runner, struct tlua_test_result *result)
{
    runner->failed = runner->policy_failed = false;
    if (tlua_vm_do(&runner->vm, run_case, NULL) != TLUA_DONE) {
        runner->failed = true;
        fprintf(runner->out, "%s: case %zu: %s\n", runner->cases_path, runner->index,
                runner->vm.problem);
    }
    if (runner->failed && runner->policy_failed)
        fprintf(runner->out, "%s: case %zu: the policy failed: %s\n", runner->cases_path,
                runner->index, tlua_judge_problem(runner->judge));
    for (size_t i = 0; i < RT_COUNT_OF(runner->answers); i++) {
        rt_buffer_release(runner->answers[i].memory);
        runner->answers[i].memory = NULL;
    }
    rt_buffer_release(runner->settings);
    rt_buffer_release(runner->memory);
    runner->settings = runner->memory = NULL;
    result->cases++;
    result->failures += runner->failed;
}

static int
load_cases(lua_State *state)
{
    struct runner *runner = runner_of(state);
    const struct rt_buffer *source = lua_touserdata(state, 1);
    tlua_sandbox_build_raise(state);
    tlua_money_push_raise(state);
    tlua_sandbox_library_raise(state, "twin/money", 1, 1);
    tlua_sandbox_add_raise(state, "twin.money");
    tlua_sandbox_load_raise(state, "=cases", (const char *)source->bytes, source->size_bytes);
    lua_call(state, 0, 1);
    if (!lua_istable(state, -1) || lua_objlen(state, -1) == 0)
        luaL_error(state, "the file must return a list of cases");
    runner->index = lua_objlen(state, -1);
    runner->cases = luaL_ref(state, LUA_REGISTRYINDEX);
    return 0;
}

static void
run_cases(struct runner *runner, struct rt_buffer *source, struct tlua_test_result *result)
{
    if (!tlua_vm_init(&runner->vm, &case_limits)) {
        fprintf(runner->out, "%s: out of memory\n", runner->cases_path);
        result->failures = 1;
        return;
    }
    if (tlua_vm_do(&runner->vm, load_cases, source) != TLUA_DONE) {
        fprintf(runner->out, "%s: %s\n", runner->cases_path, runner->vm.problem);
        result->failures = 1;
    } else {
        tlua_vm_seal(&runner->vm);
        size_t count = runner->index;
        for (runner->index = 1; runner->index <= count; runner->index++)
            try_case(runner, result);
    }
    tlua_vm_deinit(&runner->vm);
}

static bool
run(struct runner *runner, const char *directory, struct tlua_test_result *result)
{
    struct rt_buffer *source = NULL;
    struct tlua_policy_files *files = tlua_policy_files_create(directory, tlua_judge_prove);
    if (files != NULL)
        runner->judge = tlua_judge_create(files, &tlua_judge_limits);
    bool ok = runner->judge != NULL && tlua_file_read(runner->cases_path, &source, NULL) == RT_OK;
    if (ok)
        run_cases(runner, source, result);
    rt_buffer_release(source);
    if (runner->judge != NULL)
        tlua_judge_destroy(runner->judge);
    if (files != NULL)
        tlua_policy_files_destroy(files);
    return ok;
}

struct tlua_test_result
tlua_policy_test_file(const char *policy_path, const char *cases_path, FILE *out)
{
    struct tlua_test_result result = {0};
    char directory[TLUA_PATH_BYTES], name[TLUA_PATH_BYTES];
    if (tlua_policy_check_file(policy_path, out) > 0 ||
        !tlua_policy_path_split(policy_path, directory, name)) {
        result.failures = 1;
        return result;
    }
    struct runner *runner = calloc(1, sizeof(*runner));
    if (runner != NULL) {
        runner->policy = name;
        runner->cases_path = cases_path;
        runner->out = out;
    }
    if (runner == NULL || !run(runner, directory, &result)) {
        fprintf(out, "%s: cannot be read\n", cases_path);
        result.failures = 1;
    }
    free(runner);
    return result;
}
