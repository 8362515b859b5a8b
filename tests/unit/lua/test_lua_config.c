/* What configuration in Lua promises: a table becomes JSON, and anything else one clear line. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/config.h"
#include "tests/unit/lua/policy_box.h"

TestSuite(lua_config, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

static char path[256], problem[TLUA_PROBLEM_BYTES];

static enum rt_status
read_config(const char *text, cJSON **config_out)
{
    snprintf(path, sizeof(path), "%s/config.lua", policy_box_directory());
    policy_box_write("config", text);
    return tlua_config_read(path, config_out, problem);
}

Test(lua_config, a_table_becomes_json)
{
    cJSON *config = NULL;
    cr_assert_eq(read_config("local port = 8000\n"
                             "return { listen = { '127.0.0.1:' .. port + 80 }, dev = true,\n"
                             "  workers = 2, tls = { cert = 'a', key = 'b' }, none = nil }",
                             &config),
                 RT_OK);
    char *text = cJSON_PrintUnformatted(config);
    cr_assert_str_eq(text, "{\"dev\":true,\"listen\":[\"127.0.0.1:8080\"],"
                           "\"tls\":{\"cert\":\"a\",\"key\":\"b\"},\"workers\":2}");
    free(text);
    cJSON_Delete(config);
}

Test(lua_config, an_empty_table_is_an_empty_object)
{
    cJSON *config = NULL;
    cr_assert_eq(read_config("return {}", &config), RT_OK);
    cr_assert(cJSON_IsObject(config));
    cJSON_Delete(config);
}

Test(lua_config, what_is_no_table_of_json_is_refused_in_one_line)
{
    static const struct {
        const char *text, *problem;
    } cases[] = {
        {"return", "the file must return a table with names"},
        {"return 'text'", "the file must return a table with names"},
        {"return { 1, 2 }", "the file must return a table with names"},
        {"return { f = print, g = function() end }", "a value is neither text, number, boolean"},
        {"return { n = 0 / 0 }", "a number is not finite"},
        {"return { [1.5] = 1 }", "a table has neither text keys nor"},
        {"local t = {} t.t = t return t", "tables are nested too deep"},
        {"return { z = string.char(0) }", "a text has a zero byte in it"},
        {"local t = {} for i = 1, 20000 do t[i] = 1 end return { t = t }", "too many values"},
        {"return {", ":1: unexpected symbol"},
        {"return { home = os.getenv('HOME') }", ":1: attempt to index global 'os'"},
        {"return require('twin.money')", "there is no module twin.money here"},
        {"while true do end", "the script ran longer than its budget"},
        {"local s = 'x' while true do s = s .. s end", "more memory than its cap"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        cJSON *config = NULL;
        cr_expect_eq(read_config(cases[i].text, &config), RT_INVALID, "%s", cases[i].text);
        cr_expect_null(config);
        cr_expect_not_null(strstr(problem, cases[i].problem), "%s gave %s", cases[i].text, problem);
        cr_expect_null(strchr(problem, '\n'));
    }
}

Test(lua_config, a_file_that_is_not_there_is_named)
{
    cJSON *config = NULL;
    cr_assert_eq(tlua_config_read("/nowhere/config.lua", &config, problem), RT_NOT_FOUND);
    cr_assert_str_eq(problem, "/nowhere/config.lua: cannot be read: not_found");
    cr_assert_eq(tlua_config_read("/tmp", &config, problem), RT_INVALID);
}
