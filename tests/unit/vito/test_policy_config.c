/* What a policy_config promises: the documented defaults, every problem named by its pointer, and
 * a printed document that reads back as the same config. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vito/money.h"
#include "vito/policy_config.h"

TestSuite(policy_config, .timeout = 60);

static const char contract[] =
    "{\"limits\":{\"monthly_hard_limit_usd\":\"1.00\",\"session_limit_usd\":null,"
    "\"video_minutes\":null,\"voice_minutes\":null,\"session_minutes_max\":null,"
    "\"tokens_per_session\":null},"
    "\"rate\":{\"per_second\":50,\"burst\":50,\"queue\":0,\"max_wait_ms\":0},"
    "\"modes\":[\"video\",\"voice\",\"text\"],"
    "\"prices\":{\"interaction_usd\":\"0.01\",\"token_1k_usd\":\"0\",\"minute_voice_usd\":\"0\","
    "\"minute_video_usd\":\"0\"},"
    "\"timezone\":\"UTC\",\"settings\":{}}";

static struct vito_policy_config
parsed(const char *json)
{
    struct vito_policy_config config = {0};
    char problem[VITO_PROBLEM_BYTES];
    enum rt_status status =
        vito_policy_config_parse(json, json == NULL ? 0 : strlen(json), &config, problem);
    cr_assert_eq(status, RT_OK, "%s: %s", json, problem);
    return config;
}

static void
assert_problem(const char *json, const char *wanted)
{
    struct vito_policy_config config;
    char problem[VITO_PROBLEM_BYTES];
    cr_assert_eq(vito_policy_config_parse(json, strlen(json), &config, problem), RT_INVALID, "%s",
                 json);
    cr_assert_str_eq(problem, wanted);
}

static void
assert_printed(struct vito_policy_config config, const char *wanted)
{
    char *text = vito_policy_config_print(&config);
    cr_assert_str_eq(text, wanted);
    free(text);
    vito_policy_config_deinit(&config);
}

Test(policy_config, what_is_left_out_has_the_default_of_the_contract)
{
    char *whole, *empty, *missing;
    struct vito_policy_config configs[] = {parsed(contract), parsed("{}"), parsed(NULL)};
    whole = vito_policy_config_print(&configs[0]);
    empty = vito_policy_config_print(&configs[1]);
    missing = vito_policy_config_print(&configs[2]);
    cr_assert_str_eq(whole, empty);
    cr_assert_str_eq(whole, missing);
    free(whole);
    free(empty);
    free(missing);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(configs[i].limits.month_nusd, VITO_NUSD_PER_USD);
        cr_assert_eq(configs[i].limits.voice_ms, VITO_UNLIMITED);
        cr_assert_eq(configs[i].rate.burst, 50);
        cr_assert(configs[i].modes[VITO_TEXT] && configs[i].modes[VITO_VIDEO]);
        cr_assert_eq(configs[i].prices.interaction_nusd, 10000000);
        cr_assert_not_null(configs[i].zone);
        vito_policy_config_deinit(&configs[i]);
    }
}

Test(policy_config, every_field_is_read)
{
    struct vito_policy_config config =
        parsed(" {\"limits\":{\"monthly_hard_limit_usd\":\"250\",\"session_limit_usd\":\"2.5\","
               "\"video_minutes\":10,\"voice_minutes\":0,\"session_minutes_max\":30,"
               "\"tokens_per_session\":8000},\"rate\":{\"per_second\":1,\"burst\":1000000,"
               "\"queue\":100000,\"max_wait_ms\":600000},\"modes\":[\"text\",\"voice\"],"
               "\"prices\":{\"interaction_usd\":\"0\",\"token_1k_usd\":\"0.000000001\","
               "\"minute_voice_usd\":\"0.045\",\"minute_video_usd\":\"0.2\"},"
               "\"timezone\":\"America/Argentina/Buenos_Aires\","
               "\"settings\": {\"cap\": [1, \"\\u00e9\", {\"deep\": true}]}}\n");
    cr_assert_eq(config.limits.month_nusd, 250 * VITO_NUSD_PER_USD);
    cr_assert_eq(config.limits.session_nusd, 2500000000);
    cr_assert_eq(config.limits.video_ms, 600000);
    cr_assert_eq(config.limits.voice_ms, 0);
    cr_assert_eq(config.limits.session_ms, 1800000);
    cr_assert_eq(config.limits.session_tokens, 8000);
    cr_assert_eq(config.rate.per_second, 1);
    cr_assert_eq(config.rate.burst, 1000000);
    cr_assert_eq(config.rate.queue, 100000);
    cr_assert_eq(config.rate.max_wait_ms, 600000);
    cr_assert_not(config.modes[VITO_VIDEO]);
    cr_assert_eq(config.prices.token_1k_nusd, 1);
    cr_assert_eq(config.prices.minute_nusd[VITO_VIDEO], 200000000);
    cr_assert_str_eq(config.zone_name, "America/Argentina/Buenos_Aires");
    cr_assert_str_eq((char *)config.settings->bytes, "{\"cap\":[1,\"\xc3\xa9\",{\"deep\":true}]}");
    cr_assert_eq(config.settings->size_bytes, strlen((char *)config.settings->bytes));

    char *text = vito_policy_config_print(&config);
    assert_printed(parsed(text), text);
    free(text);
    vito_policy_config_deinit(&config);
}

Test(policy_config, unknown_fields_are_named_by_their_pointer)
{
    assert_problem("{\"limit\":{}}", "/limit: unknown field");
    assert_problem("{\"rate\":{\"bursts\":1}}", "/rate/bursts: unknown field");
    assert_problem("{\"a/b~c\":1}", "/a~1b~0c: unknown field");
    assert_problem("{\"\":1}", "/: unknown field");
    assert_problem("{\"Limits\":{}}", "/Limits: unknown field");
}

Test(policy_config, every_problem_is_told)
{
    assert_problem("{\"x\":1,\"rate\":{\"burst\":0,\"y\":2},\"modes\":[\"text\",\"smell\"]}",
                   "/x: unknown field; /rate/burst: must be a whole number from 1 to 1000000; "
                   "/rate/y: unknown field; /modes/1: must be \"text\", \"voice\" or \"video\"");
}

Test(policy_config, more_problems_than_fit_end_in_and_more)
{
    char json[4096] = "{";
    for (int i = 0; i < 100; i++) {
        size_t used = strlen(json);
        snprintf(json + used, sizeof(json) - used, "%s\"unknown_%d\":1", i > 0 ? "," : "", i);
    }
    strncat(json, "}", 2);
    struct vito_policy_config config;
    char problem[VITO_PROBLEM_BYTES];
    cr_assert_eq(vito_policy_config_parse(json, strlen(json), &config, problem), RT_INVALID);
    cr_assert_eq(strncmp(problem, "/unknown_0: unknown field; ", 27), 0);
    cr_assert_str_eq(problem + strlen(problem) - 10, "; and more");
    cr_assert_null(strstr(problem, "and more; "));
}

Test(policy_config, a_name_of_any_length_is_clipped_between_characters)
{
    char json[2048] = "{\"";
    for (int i = 0; i < 500; i++)
        strncat(json, "\xc3\xa9", 3);
    strncat(json, "\":1}", 5);
    struct vito_policy_config config;
    char problem[VITO_PROBLEM_BYTES];
    cr_assert_eq(vito_policy_config_parse(json, strlen(json), &config, problem), RT_INVALID);
    size_t whole = strspn(problem + 1, "\xc3\xa9");
    cr_assert_eq(whole % 2, 0);
    cr_assert_str_eq(problem + 1 + whole, "…: unknown field");
}

Test(policy_config, amounts_are_decimal_strings)
{
    static const char *const wrong[] = {"1.00", "\"-1\"", "\"1e2\"",       "\"\"",
                                        "true", "null",   "\"9000000.1\"", "[]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"limits\":{\"monthly_hard_limit_usd\":%s}}", wrong[i]);
        assert_problem(json, "/limits/monthly_hard_limit_usd: must be an amount such as \"1.00\", "
                             "at most 9000000");
    }
    assert_problem(
        "{\"limits\":{\"session_limit_usd\":1}}",
        "/limits/session_limit_usd: must be an amount such as \"1.00\", at most 9000000, "
        "or null");
    assert_problem("{\"prices\":{\"token_1k_usd\":null}}",
                   "/prices/token_1k_usd: must be an amount such as \"1.00\", at most 9000000");
}

Test(policy_config, counts_are_whole_numbers_within_bounds)
{
    static const char *const wrong[] = {"0.5", "-1", "1000000001", "\"1\"", "1e300", "[1]"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char json[128];
        snprintf(json, sizeof(json), "{\"limits\":{\"video_minutes\":%s}}", wrong[i]);
        assert_problem(json, "/limits/video_minutes: must be a whole number from 0 to 1000000000, "
                             "or null");
    }
    assert_problem("{\"rate\":{\"queue\":null}}",
                   "/rate/queue: must be a whole number from 0 to 100000");
    assert_problem("{\"limits\":{\"session_minutes_max\":0}}",
                   "/limits/session_minutes_max: must be a whole number from 1 to 1000000000, or "
                   "null");
}

Test(policy_config, contradictions_are_refused)
{
    assert_problem("{\"rate\":{\"queue\":1}}",
                   "/rate/max_wait_ms: must be above 0 for requests to queue");
    assert_problem("{\"modes\":[]}", "/modes: must be a list of at least one mode");
    assert_problem("{\"modes\":\"text\"}", "/modes: must be a list of at least one mode");
    assert_problem("{\"modes\":[\"text\",\"text\"]}", "/modes/1: given twice");
    assert_problem("{\"modes\":[1]}", "/modes/0: must be \"text\", \"voice\" or \"video\"");
    assert_problem("{\"timezone\":\"\",\"timezone\":\"UTC\"}", "/timezone: given twice");
    assert_problem("{\"settings\":{\"a\":[{\"b\":1,\"b\":2}]}}", "/settings/a/0/b: given twice");
}

Test(policy_config, parts_of_the_wrong_type_are_refused)
{
    assert_problem("[]", "must be an object");
    assert_problem("{\"limits\":[]}", "/limits: must be an object");
    assert_problem("{\"rate\":null}", "/rate: must be an object");
    assert_problem("{\"prices\":\"\"}", "/prices: must be an object");
    assert_problem("{\"settings\":[]}", "/settings: must be an object");
    assert_problem("{\"timezone\":1}", "/timezone: must be the name of a time zone");
}

Test(policy_config, time_zones_must_exist)
{
    assert_problem("{\"timezone\":\"Europe/Atlantis\"}",
                   "/timezone: the time-zone database (package tzdata) has no such zone");
    assert_problem("{\"timezone\":\"../../../etc/passwd\"}",
                   "/timezone: the time-zone database (package tzdata) has no such zone");
}

Test(policy_config, text_that_is_not_json_is_refused)
{
    static const char *const wrong[] = {
        "",   " ",       "{",   "{}}",        "{} x",          "{\"a\"",
        "\"", "{'a':1}", "nul", "{\"a\":1,}", "\xef\xbb\xbf{}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_problem(wrong[i], "not JSON");
    assert_problem("{\"a\n\":1}", "control character in a string");
    assert_problem("{\"limits\\u0000\":{}}", "\\u0000 in a string");
}

Test(policy_config, text_that_is_not_utf8_is_refused)
{
    static const char *const wrong[] = {"\x80",
                                        "\xc3",
                                        "\xc0\x80",
                                        "\xe0\x80\x80",
                                        "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xf5\x80\x80\x80",
                                        "\xff",
                                        "\xf0\x80\x80\x80",
                                        "\xe2\x82"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char json[64];
        snprintf(json, sizeof(json), "{\"settings\":{\"a\":\"%s\"}}", wrong[i]);
        assert_problem(json, "text is not UTF-8");
    }
    struct vito_policy_config config = parsed("{\"settings\":{\"a\":\"\xc3\xa9\xe2\x82\xac"
                                              "\xf0\x9f\x98\x80\"}}");
    vito_policy_config_deinit(&config);
}

Test(policy_config, depth_and_size_are_bounded)
{
    char json[70000];
    memset(json, '[', sizeof(json));
    struct vito_policy_config config;
    char problem[VITO_PROBLEM_BYTES];
    cr_assert_eq(vito_policy_config_parse(json, 60000, &config, problem), RT_INVALID);
    cr_assert_str_eq(problem, "nested too deeply");
    cr_assert_eq(vito_policy_config_parse(json, sizeof(json), &config, problem), RT_INVALID);
    cr_assert_str_eq(problem, "longer than 65536 bytes");

    size_t used = (size_t)snprintf(json, sizeof(json), "{\"settings\":{");
    for (int i = 0; i < 257; i++)
        used += (size_t)snprintf(json + used, sizeof(json) - used, "%s\"k%d\":0", i ? "," : "", i);
    snprintf(json + used, sizeof(json) - used, "}}");
    assert_problem(json, "/settings: more than 256 members");
}

Test(policy_config, modes_have_names_and_names_modes)
{
    for (int mode = 0; mode < VITO_MODE_COUNT; mode++)
        cr_assert_eq(vito_mode_of(vito_mode_name((enum vito_mode)mode)), mode);
    cr_assert_eq(vito_mode_of("Text"), VITO_MODE_COUNT);
    cr_assert_eq(vito_mode_of(""), VITO_MODE_COUNT);
    cr_assert_eq(vito_mode_of(NULL), VITO_MODE_COUNT);
}

static cJSON *
read_schema(void)
{
    static char text[16384];
    FILE *file = fopen(TWIN_SCHEMA_DIR "/policy_config.schema.json", "r");
    cr_assert_not_null(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    cJSON *schema = cJSON_Parse(text);
    cr_assert_not_null(schema);
    return schema;
}

/* The document whose every field has the schema's default. */
static cJSON *
defaults_of(const cJSON *schema)
{
    const cJSON *value = cJSON_GetObjectItem(schema, "default");
    if (value != NULL)
        return cJSON_Duplicate(value, true);
    cJSON *object = cJSON_CreateObject();
    const cJSON *property;
    cJSON_ArrayForEach(property, cJSON_GetObjectItem(schema, "properties"))
        cJSON_AddItemToObject(object, property->string, defaults_of(property));
    return object;
}

Test(policy_config, the_schema_has_the_same_fields_and_defaults)
{
    cJSON *schema = read_schema();
    cJSON *document = defaults_of(schema);
    char *text = cJSON_PrintUnformatted(document);
    cr_assert_str_eq(text, contract);
    cJSON_free(text);
    cJSON_Delete(document);
    cJSON_Delete(schema);
}
