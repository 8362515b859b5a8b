/*
 * What no vendor has: the paths of the simulator itself, for tests.
 */
#include <stdio.h>
#include <string.h>

#include "bench/vendor_sim/sim.h"

static void
complain(struct net_conn *conn, const char *what)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddStringToObject(answer, "error", what);
    sim_respond_json(conn, 400, answer);
}

static void
acknowledge(struct net_conn *conn)
{
    cJSON *answer = cJSON_CreateObject();
    cJSON_AddBoolToObject(answer, "ok", true);
    sim_respond_json(conn, 200, answer);
}

/* "0.05", 0.05, or nothing: always. */
static bool
read_rate(const cJSON *rate, uint32_t *rate_per_million_out)
{
    if (rate == NULL) {
        *rate_per_million_out = SIM_RATE_ALWAYS;
        return true;
    }
    if (cJSON_IsString(rate))
        return sim_fault_parse_rate(rate->valuestring, rate_per_million_out);
    if (!cJSON_IsNumber(rate) || rate->valuedouble < 0 || rate->valuedouble > 1)
        return false;
    *rate_per_million_out = (uint32_t)(rate->valuedouble * SIM_RATE_ALWAYS + 0.5);
    return true;
}

/* The static name of a vendor, or NULL. */
static const char *
vendor_named(const char *name)
{
    for (unsigned i = 0; i < sim_vendor_count; i++)
        if (strcmp(sim_vendor_names[i], name) == 0)
            return sim_vendor_names[i];
    return NULL;
}

/* Reads a rule. Returns what is wrong with it, or NULL. */
static const char *
read_rule(const cJSON *body, struct sim_fault_rule *rule_out)
{
    const cJSON *kind = cJSON_GetObjectItem(body, "kind");
    const cJSON *vendor = cJSON_GetObjectItem(body, "vendor");
    const cJSON *count = cJSON_GetObjectItem(body, "count");
    struct sim_fault_rule rule = {.count_left = -1};
    if (cJSON_IsString(kind))
        rule.fault = sim_fault_named(kind->valuestring);
    if (rule.fault == SIM_FAULT_NONE)
        return "kind must be one of those that --help lists";
    if (cJSON_IsString(vendor))
        rule.vendor = vendor_named(vendor->valuestring);
    if (vendor != NULL && rule.vendor == NULL)
        return "vendor must be one that is simulated";
    if (!read_rate(cJSON_GetObjectItem(body, "rate"), &rule.rate_per_million))
        return "rate must be between 0 and 1";
    if (count != NULL && (!cJSON_IsNumber(count) || count->valuedouble < 1))
        return "count must be a number above 0";
    if (count != NULL)
        rule.count_left = (int64_t)count->valuedouble;
    *rule_out = rule;
    return NULL;
}

/* POST adds a rule; with an empty object, or by DELETE, all are taken away. */
static void
set_fault(struct sim *sim, struct net_conn *conn, const struct net_request *request)
{
    cJSON *body = cJSON_ParseWithLength((const char *)request->body, request->body_bytes);
    bool clears = strcmp(request->method, "DELETE") == 0 || request->body_bytes == 0 ||
                  (cJSON_IsObject(body) && body->child == NULL);
    struct sim_fault_rule rule;
    const char *problem = clears ? NULL : read_rule(body, &rule);
    if (clears)
        sim->faults = (struct sim_faults){0};
    else if (problem == NULL && !sim_faults_add(&sim->faults, &rule))
        problem = "too many faults; clear them first";
    if (problem == NULL)
        acknowledge(conn);
    else
        complain(conn, problem);
    cJSON_Delete(body);
}

static void
set_prices(struct sim *sim, struct net_conn *conn, const struct net_request *request)
{
    cJSON *body = cJSON_ParseWithLength((const char *)request->body, request->body_bytes);
    const char *wrong = "";
    if (cJSON_IsObject(body) && sim_bill_set_prices(&sim->bill, body, &wrong)) {
        sim_respond_json(conn, 200, sim_bill_prices_json(&sim->bill));
    } else {
        char text[200];
        snprintf(text, sizeof(text), "not a known price in dollars as a string: %s", wrong);
        complain(conn, text);
    }
    cJSON_Delete(body);
}

static void
show_bill(struct sim *sim, struct net_conn *conn)
{
    for (unsigned i = 0; i < sim_vendor_count; i++)
        if (sim_vendors[i]->bill_running != NULL)
            sim_vendors[i]->bill_running(sim);
    sim_respond_json(conn, 200, sim_bill_json(&sim->bill));
}

void
sim_control(struct sim *sim, struct net_conn *conn, const struct net_request *request)
{
    const char *path = request->path;
    bool reads = strcmp(request->method, "GET") == 0;
    if (strcmp(path, "/_calls") == 0 && reads) {
        sim_respond_json(conn, 200,
                         sim_calls_json(&sim->calls, sim_vendor_names, sim_vendor_count));
    } else if (strcmp(path, "/_bill") == 0 && reads) {
        show_bill(sim, conn);
    } else if (strcmp(path, "/_prices") == 0 && reads) {
        sim_respond_json(conn, 200, sim_bill_prices_json(&sim->bill));
    } else if (strcmp(path, "/_prices") == 0) {
        set_prices(sim, conn, request);
    } else if (strcmp(path, "/_fault") == 0 && !reads) {
        set_fault(sim, conn, request);
    } else if (strcmp(path, "/_reset") == 0 && !reads) {
        sim_reset(sim);
        acknowledge(conn);
    } else {
        complain(conn, "GET /_calls /_bill /_prices, POST /_fault /_reset /_prices");
    }
}
