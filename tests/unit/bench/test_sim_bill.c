/* What the oracle promises: dollars to the last nano-dollar, every use on its leg, every call
 * counted, and a bound on what it keeps. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bench/vendor_sim/bill.h"
#include "bench/vendor_sim/calls.h"
#include "bench/vendor_sim/usd.h"

static struct sim_bill bill;

static void
setup(void)
{
    sim_bill_init(&bill);
}

static void
teardown(void)
{
    sim_bill_deinit(&bill);
}

TestSuite(sim_bill, .init = setup, .fini = teardown, .timeout = 60);

Test(sim_bill, dollars_are_read_to_nine_places)
{
    static const struct {
        const char *text;
        int64_t nusd;
    } cases[] = {{"0", 0},
                 {"0.37", 370000000},
                 {"12.345678901", 12345678901},
                 {"1.", 1000000000},
                 {"1000", 1000 * SIM_NUSD_PER_USD}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t nusd = -1;
        cr_assert(sim_usd_parse(cases[i].text, &nusd), "%s", cases[i].text);
        cr_assert_eq(nusd, cases[i].nusd, "%s", cases[i].text);
    }
}

Test(sim_bill, what_is_no_amount_is_refused)
{
    static const char *const bad[] = {"",    "-1", "+1", ".5",   "1.2345678901",        "1e3",
                                      "1,5", " 1", "1 ", "1001", "99999999999999999999"};
    int64_t nusd;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not(sim_usd_parse(bad[i], &nusd), "%s", bad[i]);
}

Test(sim_bill, amounts_are_written_with_nine_places)
{
    char text[SIM_USD_BYTES];
    sim_usd_format(0, text);
    cr_assert_str_eq(text, "0.000000000");
    sim_usd_format(12000000034, text);
    cr_assert_str_eq(text, "12.000000034");
}

Test(sim_bill, a_price_is_rounded_up_to_the_next_nano_dollar)
{
    cr_assert_eq(sim_usd_of(0, 370000000, 60000), 0);
    cr_assert_eq(sim_usd_of(1, 1, 60000), 1);
    cr_assert_eq(sim_usd_of(60000, 370000000, 60000), 370000000);
    cr_assert_eq(sim_usd_of(60001, 370000000, 60000), 370006167); /* 6166.67 for the one */
    cr_assert_eq(sim_usd_of(3, 20000, 60000), 1);
    cr_assert_eq(sim_usd_of(4, 20000, 60000), 2);
}

static void
assert_bill(const char *wanted)
{
    cJSON *answer = sim_bill_json(&bill);
    char *text = cJSON_PrintUnformatted(answer);
    cr_assert_str_eq(text, wanted);
    cJSON_free(text);
    cJSON_Delete(answer);
}

Test(sim_bill, an_empty_bill_is_nothing)
{
    assert_bill("{\"total_usd\":\"0.000000000\",\"legs\":{}}");
}

Test(sim_bill, requests_of_one_id_add_up_in_one_leg)
{
    sim_bill_add(&bill, "cartesia", "a", 0, 30000);
    sim_bill_add(&bill, "cartesia", "a", 0, 30000);
    sim_bill_add(&bill, "tavus", "b", 0, 1);
    assert_bill("{\"total_usd\":\"0.045006167\",\"legs\":{"
                "\"a\":{\"vendor\":\"cartesia\",\"usd\":\"0.045000000\",\"media_ms\":60000,"
                "\"tokens\":0},"
                "\"b\":{\"vendor\":\"tavus\",\"usd\":\"0.000006167\",\"media_ms\":1,"
                "\"tokens\":0}}}");
}

Test(sim_bill, one_id_at_two_vendors_is_two_legs)
{
    sim_bill_add(&bill, "openai", "a", 5, 0);
    sim_bill_add(&bill, "tavus", "a", 0, 60000);
    sim_bill_add(&bill, "tavus", "a", 0, 60000);
    assert_bill("{\"total_usd\":\"0.740000000\",\"legs\":{"
                "\"a\":{\"vendor\":\"openai\",\"usd\":\"0.000000000\",\"media_ms\":0,"
                "\"tokens\":5},"
                "\"a/tavus\":{\"vendor\":\"tavus\",\"usd\":\"0.740000000\",\"media_ms\":120000,"
                "\"tokens\":0}}}");
}

static bool
set_prices(const char *json, const char **problem)
{
    cJSON *prices = cJSON_Parse(json);
    static char kept[64];
    bool set = sim_bill_set_prices(&bill, prices, problem);
    if (!set) {
        snprintf(kept, sizeof(kept), "%s", *problem);
        *problem = kept;
    }
    cJSON_Delete(prices);
    return set;
}

Test(sim_bill, prices_can_be_changed_all_or_none)
{
    const char *problem;
    sim_bill_add(&bill, "openai", "a", 1500, 0);
    cr_assert(set_prices("{\"openai.token_1k\":\"0.002\",\"tavus.minute\":\"1\"}", &problem));
    assert_bill("{\"total_usd\":\"0.003000000\",\"legs\":{\"a\":{\"vendor\":\"openai\","
                "\"usd\":\"0.003000000\",\"media_ms\":0,\"tokens\":1500}}}");
    cr_assert_not(set_prices("{\"openai.token_1k\":\"5\",\"openai.minute\":\"1\"}", &problem));
    cr_assert_str_eq(problem, "openai.minute");
    cr_assert_not(set_prices("{\"tavus.minute\":0.5}", &problem));
    cr_assert_str_eq(problem, "tavus.minute");
    cJSON *prices = sim_bill_prices_json(&bill);
    char *text = cJSON_PrintUnformatted(prices);
    cr_assert_str_eq(text, "{\"openai.token_1k\":\"0.002000000\","
                           "\"cartesia.minute\":\"0.045000000\",\"tavus.minute\":\"1.000000000\"}");
    cJSON_free(text);
    cJSON_Delete(prices);
}

Test(sim_bill, above_the_bound_the_legs_are_one_and_the_total_stays_true)
{
    char id[32];
    for (int i = 0; i < SIM_LEGS_MAX + 100; i++) {
        snprintf(id, sizeof(id), "leg-%d", i);
        sim_bill_add(&bill, "cartesia", id, 0, 60000);
    }
    cr_assert_eq(bill.legs.count, SIM_LEGS_MAX + 1);
    cJSON *answer = sim_bill_json(&bill);
    const cJSON *others =
        cJSON_GetObjectItem(cJSON_GetObjectItem(answer, "legs"), "others/cartesia");
    cr_assert_eq(cJSON_GetObjectItem(others, "media_ms")->valueint, 100 * 60000);
    char wanted[SIM_USD_BYTES];
    sim_usd_format((SIM_LEGS_MAX + INT64_C(100)) * 45000000, wanted);
    cr_assert_str_eq(cJSON_GetObjectItem(answer, "total_usd")->valuestring, wanted);
    cJSON_Delete(answer);
}

static const char *const names[] = {"openai", "cartesia"};

Test(sim_bill, calls_are_counted_and_the_last_thousand_kept)
{
    static struct sim_calls calls;
    struct sim_call call = {.vendor = "openai", .method = "GET", .at_ms = 1000000000000};
    uint64_t first = sim_calls_add(&calls, 0, &call);
    cr_assert_eq(sim_calls_at(&calls, first)->status, 0);
    for (int i = 1; i < SIM_CALLS_KEPT; i++)
        sim_calls_add(&calls, 1, &call);
    cr_assert_not_null(sim_calls_at(&calls, first));
    uint64_t last = sim_calls_add(&calls, 1, &call);
    cr_assert_null(sim_calls_at(&calls, first));
    cr_assert_null(sim_calls_at(&calls, last + 1));
    sim_calls_at(&calls, last)->status = 200;
    cJSON *answer = sim_calls_json(&calls, names, 2);
    const cJSON *list = cJSON_GetObjectItem(answer, "calls");
    cr_assert_eq(cJSON_GetObjectItem(answer, "total")->valueint, SIM_CALLS_KEPT + 1);
    cr_assert_eq(cJSON_GetArraySize(list), SIM_CALLS_KEPT);
    const cJSON *newest = cJSON_GetArrayItem(list, SIM_CALLS_KEPT - 1);
    cr_assert_eq(cJSON_GetObjectItem(newest, "status")->valueint, 200);
    cJSON_Delete(answer);
}

Test(sim_bill, calls_are_listed_by_vendor_and_each_with_its_facts)
{
    static struct sim_calls calls;
    sim_calls_add(&calls, 1,
                  &(struct sim_call){.vendor = "cartesia",
                                     .method = "POST",
                                     .path = "/cartesia/tts/sse",
                                     .request_id = "leg-1",
                                     .status = 401,
                                     .at_ms = 1795307200465});
    cJSON *answer = sim_calls_json(&calls, names, 2);
    char *text = cJSON_PrintUnformatted(answer);
    cr_assert_str_eq(text, "{\"total\":1,\"by_vendor\":{\"openai\":0,\"cartesia\":1},\"calls\":["
                           "{\"vendor\":\"cartesia\",\"method\":\"POST\",\"path\":"
                           "\"/cartesia/tts/sse\",\"request_id\":\"leg-1\",\"status\":401,"
                           "\"at_ms\":1795307200465}]}");
    cJSON_free(text);
    cJSON_Delete(answer);
}
