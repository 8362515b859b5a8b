/* What a tenant's document promises: defaults that work, every mistake named by its pointer, and
 * prices in their order: agreement, vendor's list, weights. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <string.h>

#include "actors/tenant_config.h"

static struct adapter_sheet sheets[] = {
    {.name = "openai",
     .modes = {true, false, false},
     .price_token_1k_nusd = -1,
     .price_minute_nusd = -1},
    {.name = "cartesia",
     .modes = {false, true, false},
     .price_token_1k_nusd = -1,
     .price_minute_nusd = 45000000},
    {.name = "tavus",
     .modes = {false, false, true},
     .price_token_1k_nusd = -1,
     .price_minute_nusd = 370000000},
};

static const struct adapter_sheet *
find_sheet(void *self, const char *provider)
{
    (void)self;
    for (size_t i = 0; i < RT_COUNT_OF(sheets); i++)
        if (strcmp(sheets[i].name, provider) == 0)
            return &sheets[i];
    return NULL;
}

static const struct adapter_port adapters = {.sheet = find_sheet};
static struct tenant_config *config;
static char problem[VITO_PROBLEM_BYTES];

static void
teardown(void)
{
    tenant_config_release(config);
}

TestSuite(tenant_config, .fini = teardown, .timeout = 60);

static enum rt_status
parse(const char *json)
{
    tenant_config_release(config);
    config = NULL;
    return tenant_config_parse("andres", json, strlen(json), &adapters, &config, problem);
}

Test(tenant_config, an_empty_document_has_defaults_that_work)
{
    cr_assert_eq(parse("{}"), RT_OK, "%s", problem);
    cr_assert_str_eq(config->policy, "default");
    cr_assert_str_eq(config->providers[VITO_TEXT][0].name, "openai");
    cr_assert_str_eq(config->providers[VITO_VOICE][0].name, "cartesia");
    cr_assert_str_eq(config->providers[VITO_VIDEO][0].name, "tavus");
}

Test(tenant_config, a_vendors_list_counts_more_than_weights_and_an_agreement_most)
{
    cr_assert_eq(parse("{\"policy_config\":{\"prices\":{\"token_1k_usd\":\"0.5\","
                       "\"minute_voice_usd\":\"9\"}},\"provider_config\":{\"tavus\":"
                       "{\"prices\":{\"minute_usd\":\"0.30\"}}}}"),
                 RT_OK, "%s", problem);
    cr_assert_eq(config->providers[VITO_TEXT][0].prices.token_1k_nusd, 500000000);
    cr_assert_eq(config->providers[VITO_VOICE][0].prices.minute_nusd, 45000000);
    cr_assert_eq(config->providers[VITO_VIDEO][0].prices.minute_nusd, 300000000);
}

Test(tenant_config, every_mistake_is_named_by_its_pointer)
{
    cr_assert_eq(parse("{\"polcy\":\"x\",\"providers\":{\"text\":\"nobody\",\"smell\":\"x\"},"
                       "\"persona\":{\"age\":3},\"policy_config\":{\"rate\":{\"burst\":0}}}"),
                 RT_INVALID);
    cr_assert_not_null(strstr(problem, "/polcy: unknown field"));
    cr_assert_not_null(strstr(problem, "/providers/text: no provider of text is called"));
    cr_assert_not_null(strstr(problem, "/providers/smell: unknown field"));
    cr_assert_not_null(strstr(problem, "/persona/age: unknown field"));
    cr_assert_not_null(strstr(problem, "/policy_config/rate/burst"));
}

Test(tenant_config, a_provider_serves_only_its_own_mode)
{
    cr_assert_eq(parse("{\"providers\":{\"text\":\"tavus\"}}"), RT_INVALID);
}

Test(tenant_config, alternatives_keep_their_order)
{
    cr_assert_eq(parse("{\"providers\":{\"voice\":[\"cartesia\",\"cartesia\"]}}"), RT_OK);
    cr_assert_eq(config->provider_counts[VITO_VOICE], 2);
}

Test(tenant_config, a_document_of_another_tenant_is_refused)
{
    cr_assert_eq(parse("{\"id\":\"tony\"}"), RT_INVALID);
    cr_assert_not_null(strstr(problem, "/id"));
}

Test(tenant_config, what_is_printed_reads_back_the_same)
{
    cr_assert_eq(parse("{\"display_name\":\"Andr\xc3\xa9s\",\"provider_config\":{\"openai\":"
                       "{\"model\":\"m\",\"temperature\":0.7}},\"persona\":{\"language\":\"es\"}}"),
                 RT_OK);
    char *first = tenant_config_print(config);
    cr_assert_eq(parse(first), RT_OK, "%s", problem);
    char *second = tenant_config_print(config);
    cr_assert_str_eq(first, second);
    cr_assert_not_null(strstr(first, "\"temperature\":0.7"));
    cJSON_free(first);
    cJSON_free(second);
}

Test(tenant_config, nonsense_is_refused_without_harm)
{
    cr_assert_eq(parse(""), RT_INVALID);
    cr_assert_eq(parse("[]"), RT_INVALID);
    cr_assert_eq(parse("{\"providers\":[],\"persona\":1,\"policy\":{}}"), RT_INVALID);
}
