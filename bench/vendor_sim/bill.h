/*
 * bench/vendor_sim/bill.h - what each vendor would charge: the truth that gateways are compared
 * with. One leg for each request id; several requests of one id add up.
 */
#ifndef BENCH_VENDOR_SIM_BILL_H
#define BENCH_VENDOR_SIM_BILL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/table.h"

enum {
    SIM_ID_BYTES = 128,     /* of a request id, with its NUL */
    SIM_LEGS_MAX = 1 << 18, /* what comes later is added up in one leg, "others" per vendor */
    SIM_PRICE_COUNT = 3,
};

struct sim_bill {
    struct rt_table legs;
    int64_t prices_nusd[SIM_PRICE_COUNT];
};

/* An empty bill at the usual prices. */
void sim_bill_init(struct sim_bill *bill);
void sim_bill_deinit(struct sim_bill *bill);

/* Adds use to the leg of `request_id`. */
void sim_bill_add(struct sim_bill *bill, const char *vendor, const char *request_id, int64_t tokens,
                  int64_t media_ms);

/* The answer to GET /_bill. NULL when out of memory; the caller's. */
cJSON *sim_bill_json(const struct sim_bill *bill);

/* The answer to GET /_prices, and its reverse: false, and nothing changed, unless every member
 * is a known price in dollars; then *problem_out names the one that is not. */
cJSON *sim_bill_prices_json(const struct sim_bill *bill);
bool sim_bill_set_prices(struct sim_bill *bill, const cJSON *prices, const char **problem_out);

#endif
