#include "bench/vendor_sim/calls.h"

#include "runtime/assert.h"

uint64_t
sim_calls_add(struct sim_calls *calls, unsigned vendor_index, const struct sim_call *call)
{
    RT_ASSERT(vendor_index < SIM_CALL_VENDORS_MAX);
    uint64_t number = calls->total++;
    calls->by_vendor[vendor_index]++;
    calls->kept[number % SIM_CALLS_KEPT] = *call;
    return number;
}

struct sim_call *
sim_calls_at(struct sim_calls *calls, uint64_t number)
{
    bool is_kept = number < calls->total && calls->total - number <= SIM_CALLS_KEPT;
    return is_kept ? &calls->kept[number % SIM_CALLS_KEPT] : NULL;
}

cJSON *
sim_call_json(const struct sim_call *call)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "vendor", call->vendor);
    cJSON_AddStringToObject(object, "method", call->method);
    cJSON_AddStringToObject(object, "path", call->path);
    cJSON_AddStringToObject(object, "request_id", call->request_id);
    cJSON_AddNumberToObject(object, "status", call->status);
    cJSON_AddNumberToObject(object, "at_ms", (double)call->at_ms);
    return object;
}

cJSON *
sim_calls_json(const struct sim_calls *calls, const char *const *vendor_names,
               unsigned vendor_count)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddNumberToObject(answer, "total", (double)calls->total);
    cJSON *by_vendor = cJSON_AddObjectToObject(answer, "by_vendor");
    for (unsigned i = 0; i < vendor_count; i++)
        cJSON_AddNumberToObject(by_vendor, vendor_names[i], (double)calls->by_vendor[i]);
    cJSON *list = cJSON_AddArrayToObject(answer, "calls");
    uint64_t kept = calls->total < SIM_CALLS_KEPT ? calls->total : SIM_CALLS_KEPT;
    for (uint64_t number = calls->total - kept; number < calls->total; number++)
        cJSON_AddItemToArray(list, sim_call_json(&calls->kept[number % SIM_CALLS_KEPT]));
    return answer;
}
