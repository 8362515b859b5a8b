#include "bench/vendor_sim/bill.h"

#include <stdio.h>
#include <string.h>

#include "bench/vendor_sim/usd.h"
#include "runtime/assert.h"
#include "runtime/pool.h"

enum meter { METER_TOKENS, METER_MEDIA };

/* The price list. What a vendor does not list costs nothing. */
static const struct price {
    const char *name, *vendor;
    enum meter meter;
    int64_t per; /* units of the meter: tokens, or milliseconds */
    int64_t usual_nusd;
} price_list[SIM_PRICE_COUNT] = {
    {"openai.token_1k", "openai", METER_TOKENS, 1000, 0}, /* depends on who serves the model */
    {"cartesia.minute", "cartesia", METER_MEDIA, 60000, 45000000},
    {"tavus.minute", "tavus", METER_MEDIA, 60000, 370000000},
};

struct leg {
    struct rt_table_link link;
    char request_id[SIM_ID_BYTES];
    const char *vendor;
    int64_t tokens, media_ms;
};

static struct leg *
leg_of(struct rt_table_link *link)
{
    return RT_CONTAINER_OF(link, struct leg, link);
}

void
sim_bill_init(struct sim_bill *bill)
{
    *bill = (struct sim_bill){0};
    for (size_t i = 0; i < SIM_PRICE_COUNT; i++)
        bill->prices_nusd[i] = price_list[i].usual_nusd;
}

void
sim_bill_deinit(struct sim_bill *bill)
{
    struct rt_table_link *link;
    while ((link = rt_table_first(&bill->legs)) != NULL) {
        rt_table_remove(&bill->legs, link);
        rt_pool_give(leg_of(link), sizeof(struct leg));
    }
    rt_table_deinit(&bill->legs);
}

static struct leg *
find(const struct sim_bill *bill, const char *request_id)
{
    struct rt_table_link *link = NULL;
    uint64_t hash = rt_hash_text(request_id);
    while ((link = rt_table_find(&bill->legs, hash, link)) != NULL)
        if (strcmp(leg_of(link)->request_id, request_id) == 0)
            return leg_of(link);
    return NULL;
}

static struct leg *
find_or_add(struct sim_bill *bill, const char *vendor, const char *request_id)
{
    struct leg *leg = find(bill, request_id);
    if (leg != NULL)
        return leg;
    leg = rt_pool_take(sizeof(*leg));
    RT_ASSERT(leg != NULL); /* an oracle that forgets is worse than none */
    *leg = (struct leg){.vendor = vendor};
    snprintf(leg->request_id, sizeof(leg->request_id), "%s", request_id);
    bool added = rt_table_add(&bill->legs, &leg->link, rt_hash_text(request_id));
    RT_ASSERT(added);
    return leg;
}

void
sim_bill_add(struct sim_bill *bill, const char *vendor, const char *request_id, int64_t tokens,
             int64_t media_ms)
{
    char id[SIM_ID_BYTES];
    snprintf(id, sizeof(id), "%s", request_id);
    struct leg *leg = find(bill, id);
    if (leg != NULL && strcmp(leg->vendor, vendor) != 0) /* one id, two vendors: two legs */
        snprintf(id, sizeof(id), "%.100s/%s", request_id, vendor);
    else if (leg == NULL && bill->legs.count >= SIM_LEGS_MAX)
        snprintf(id, sizeof(id), "others/%s", vendor);
    leg = find_or_add(bill, vendor, id);
    leg->tokens += tokens;
    leg->media_ms += media_ms;
}

static int64_t
price_of(const struct sim_bill *bill, const struct leg *leg)
{
    int64_t nusd = 0;
    for (size_t i = 0; i < SIM_PRICE_COUNT; i++) {
        const struct price *price = &price_list[i];
        int64_t units = price->meter == METER_TOKENS ? leg->tokens : leg->media_ms;
        if (strcmp(price->vendor, leg->vendor) == 0)
            nusd += sim_usd_of(units, bill->prices_nusd[i], price->per);
    }
    return nusd;
}

static void
add_usd(cJSON *object, const char *name, int64_t nusd)
{
    char text[SIM_USD_BYTES];
    sim_usd_format(nusd, text);
    cJSON_AddStringToObject(object, name, text);
}

cJSON *
sim_bill_json(const struct sim_bill *bill)
{
    cJSON *answer = cJSON_CreateObject(), *legs = cJSON_CreateObject();
    int64_t total_nusd = 0;
    for (struct rt_table_link *link = rt_table_first(&bill->legs); link != NULL;
         link = link->newer) {
        const struct leg *leg = leg_of(link);
        int64_t nusd = price_of(bill, leg);
        total_nusd += nusd;
        cJSON *line = cJSON_AddObjectToObject(legs, leg->request_id);
        cJSON_AddStringToObject(line, "vendor", leg->vendor);
        add_usd(line, "usd", nusd);
        cJSON_AddNumberToObject(line, "media_ms", (double)leg->media_ms);
        cJSON_AddNumberToObject(line, "tokens", (double)leg->tokens);
    }
    add_usd(answer, "total_usd", total_nusd);
    cJSON_AddItemToObject(answer, "legs", legs);
    return answer;
}

cJSON *
sim_bill_prices_json(const struct sim_bill *bill)
{
    cJSON *answer = cJSON_CreateObject();
    for (size_t i = 0; i < SIM_PRICE_COUNT; i++)
        add_usd(answer, price_list[i].name, bill->prices_nusd[i]);
    return answer;
}

/* Reads one member into the list. False: no such price, or not in dollars. */
static bool
read_price(const cJSON *member, int64_t prices_nusd[SIM_PRICE_COUNT])
{
    for (size_t i = 0; i < SIM_PRICE_COUNT; i++)
        if (strcmp(price_list[i].name, member->string) == 0)
            return cJSON_IsString(member) && sim_usd_parse(member->valuestring, &prices_nusd[i]);
    return false;
}

bool
sim_bill_set_prices(struct sim_bill *bill, const cJSON *prices, const char **problem_out)
{
    int64_t prices_nusd[SIM_PRICE_COUNT];
    memcpy(prices_nusd, bill->prices_nusd, sizeof(prices_nusd));
    const cJSON *member;
    cJSON_ArrayForEach(member, prices)
    {
        if (read_price(member, prices_nusd))
            continue;
        *problem_out = member->string;
        return false;
    }
    memcpy(bill->prices_nusd, prices_nusd, sizeof(prices_nusd));
    return true;
}
