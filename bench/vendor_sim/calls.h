/*
 * bench/vendor_sim/calls.h - which requests reached a vendor: all are counted, the last ones kept.
 */
#ifndef BENCH_VENDOR_SIM_CALLS_H
#define BENCH_VENDOR_SIM_CALLS_H

#include <cjson/cJSON.h>
#include <stdint.h>

#include "bench/vendor_sim/bill.h"

enum { SIM_CALLS_KEPT = 1000, SIM_CALL_VENDORS_MAX = 16 };

struct sim_call {
    const char *vendor;
    char method[16];
    char path[128];
    char request_id[SIM_ID_BYTES];
    int status; /* 0: not answered (yet) */
    int64_t at_ms;
};

/* Zeroed: no calls. */
struct sim_calls {
    uint64_t total;
    uint64_t by_vendor[SIM_CALL_VENDORS_MAX];
    struct sim_call kept[SIM_CALLS_KEPT];
};

/* Notes a call of the vendor of this index. Returns its number, for what follows. */
uint64_t sim_calls_add(struct sim_calls *calls, unsigned vendor_index, const struct sim_call *call);

/* The call of that number while it is kept, or NULL. */
struct sim_call *sim_calls_at(struct sim_calls *calls, uint64_t number);

/* One call as an object. The caller's. */
cJSON *sim_call_json(const struct sim_call *call);

/* The answer to GET /_calls. The caller's. */
cJSON *sim_calls_json(const struct sim_calls *calls, const char *const *vendor_names,
                      unsigned vendor_count);

#endif
