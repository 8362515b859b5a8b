#include "bench/vendor_sim/exchange.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/pool.h"
#include "runtime/world.h"

enum { SLOW_FACTOR = 10, SLOW_MS = 2000 };

static const char garbage[] = "<html>}{ data: \xC3\x28 \x01\x02 [DONE ... this is no answer";

static void
read_request_id(struct sim_exchange *exchange, const struct net_request *request)
{
    const char *given = net_request_header(request, "x-request-id");
    if (given == NULL || given[0] == '\0')
        sim_make_id(exchange->sim, "sim-", exchange->request_id);
    else
        snprintf(exchange->request_id, sizeof(exchange->request_id), "%s", given);
}

static void
note_call(struct sim_exchange *exchange, const struct net_request *request)
{
    struct sim_call call = {.vendor = exchange->vendor->name, .at_ms = sim_wall_ms(exchange->sim)};
    snprintf(call.method, sizeof(call.method), "%s", request->method);
    snprintf(call.path, sizeof(call.path), "%s", request->path);
    snprintf(call.request_id, sizeof(call.request_id), "%s", exchange->request_id);
    exchange->call =
        sim_calls_add(&exchange->sim->calls, sim_vendor_index(exchange->vendor), &call);
}

static void
answer_garbage(struct sim_exchange *exchange)
{
    exchange->whole.body = strdup(garbage);
    exchange->whole.body_bytes = sizeof(garbage) - 1;
    sim_answer_json(exchange, 200, NULL);
}

/* Answers, unless something shall go wrong from the start. */
static void
answer(struct sim_exchange *exchange, const struct net_request *request, const char *path)
{
    const struct sim_vendor *vendor = exchange->vendor;
    switch (exchange->fault) {
    case SIM_FAULT_REFUSE:
        vendor->refuse(exchange, SIM_REFUSAL_KEY);
        return;
    case SIM_FAULT_RATE_LIMIT:
        vendor->refuse(exchange, SIM_REFUSAL_RATE);
        return;
    case SIM_FAULT_OUT_OF_MONEY:
        vendor->refuse(exchange, SIM_REFUSAL_MONEY);
        return;
    case SIM_FAULT_SERVER_ERROR:
        vendor->refuse(exchange, SIM_REFUSAL_SERVER);
        return;
    case SIM_FAULT_GARBAGE:
        answer_garbage(exchange);
        return;
    case SIM_FAULT_HANG:
        return;
    case SIM_FAULT_NONE:
    case SIM_FAULT_HANG_MID:
    case SIM_FAULT_CUT:
    case SIM_FAULT_SLOW:
    case SIM_FAULT_COUNT:
        break;
    }
    if (vendor->is_authorised(request))
        vendor->answer(exchange, request, path);
    else
        vendor->refuse(exchange, SIM_REFUSAL_KEY);
}

static void on_latency(struct net_timer *timer);

void
sim_exchange_begin(struct sim *sim, struct net_conn *conn, const struct sim_vendor *vendor,
                   const struct net_request *request, const char *path)
{
    struct sim_exchange *exchange = calloc(1, sizeof(*exchange));
    if (exchange == NULL) {
        net_conn_close(conn, 0, NULL);
        return;
    }
    exchange->sim = sim;
    exchange->conn = conn;
    exchange->vendor = vendor;
    exchange->epoch = sim->epoch;
    exchange->latency.fire = on_latency;
    exchange->fault = sim_faults_pick(&sim->faults, vendor->name, &sim->random);
    exchange->production.timers = sim->timers;
    exchange->production.conn = conn;
    exchange->production.fault = exchange->fault;
    net_conn_set_user(conn, exchange);
    read_request_id(exchange, request);
    note_call(exchange, request);
    answer(exchange, request, path);
}

void
sim_exchange_end(struct sim_exchange *exchange)
{
    net_conn_set_user(exchange->conn, NULL);
    net_timers_cancel(exchange->sim->timers, &exchange->latency);
    sim_production_stop(&exchange->production);
    if (exchange->end != NULL)
        exchange->end(exchange);
    free(exchange->whole.body);
    free(exchange);
}

void
sim_exchange_bill(struct sim_exchange *exchange, int64_t tokens, int64_t media_ms)
{
    struct sim *sim = exchange->sim;
    if (exchange->epoch == sim->epoch && (tokens > 0 || media_ms > 0))
        sim_bill_add(&sim->bill, exchange->vendor->name, exchange->request_id, tokens, media_ms);
}

void
sim_exchange_note(struct sim_exchange *exchange, int status)
{
    struct sim *sim = exchange->sim;
    struct sim_call *call = sim_calls_at(&sim->calls, exchange->call);
    if (exchange->epoch != sim->epoch || call == NULL)
        return;
    call->status = status;
    if (sim->log == NULL)
        return;
    cJSON *line = sim_call_json(call);
    char *text = cJSON_PrintUnformatted(line);
    fprintf(sim->log, "%s\n", text);
    fflush(sim->log);
    free(text);
    cJSON_Delete(line);
}

uint64_t
sim_exchange_pace_ns(const struct sim_exchange *exchange, uint64_t piece_ns)
{
    return exchange->fault == SIM_FAULT_SLOW ? piece_ns * SLOW_FACTOR : piece_ns;
}

uint32_t
sim_exchange_latency_ms(const struct sim_exchange *exchange)
{
    uint32_t latency_ms = exchange->sim->options->latency_ms;
    return exchange->fault == SIM_FAULT_SLOW ? latency_ms * SLOW_FACTOR + SLOW_MS : latency_ms;
}

static void
respond(struct sim_exchange *exchange)
{
    char seconds[16];
    snprintf(seconds, sizeof(seconds), "%u", exchange->whole.retry_after_s);
    const struct net_header headers[] = {{"Content-Type", exchange->whole.content_type},
                                         {"X-Request-Id", exchange->request_id},
                                         {"Retry-After", seconds}};
    const struct net_response response = {
        .status = exchange->whole.status,
        .headers = headers,
        .header_count = exchange->whole.retry_after_s > 0 ? 3 : 2,
        .body = exchange->whole.body,
        .body_bytes = exchange->whole.body_bytes,
    };
    net_conn_respond(exchange->conn, &response);
    sim_exchange_end(exchange);
}

/* Sends half of it, and then no more. */
static void
respond_half(struct sim_exchange *exchange)
{
    const struct net_header header = {"Content-Type", exchange->whole.content_type};
    net_conn_stream_begin(exchange->conn, &(struct net_response){.status = exchange->whole.status,
                                                                 .headers = &header,
                                                                 .header_count = 1});
    sim_stream_write(exchange, exchange->whole.body, exchange->whole.body_bytes / 2);
    if (exchange->fault == SIM_FAULT_CUT)
        net_conn_close(exchange->conn, 0, NULL);
}

static void
on_latency(struct net_timer *timer)
{
    struct sim_exchange *exchange = RT_CONTAINER_OF(timer, struct sim_exchange, latency);
    sim_exchange_note(exchange, exchange->whole.status);
    if (exchange->fault == SIM_FAULT_HANG_MID || exchange->fault == SIM_FAULT_CUT)
        respond_half(exchange);
    else
        respond(exchange);
}

void
sim_answer_json(struct sim_exchange *exchange, int status, cJSON *body)
{
    exchange->whole.status = status;
    exchange->whole.content_type = "application/json";
    if (body != NULL) {
        exchange->whole.body = cJSON_PrintUnformatted(body);
        RT_ASSERT(exchange->whole.body != NULL);
        exchange->whole.body_bytes = strlen(exchange->whole.body);
        cJSON_Delete(body);
    }
    bool has_waited = exchange->production.pieces > 0; /* the answer was made piece by piece */
    uint32_t latency_ms = has_waited ? 0 : sim_exchange_latency_ms(exchange);
    net_timers_set(exchange->sim->timers, &exchange->latency, latency_ms * RT_NS_PER_MS);
}

void
sim_stream_begin(struct sim_exchange *exchange, int status, const char *content_type)
{
    const struct net_header headers[] = {{"Content-Type", content_type},
                                         {"X-Request-Id", exchange->request_id},
                                         {"Cache-Control", "no-cache"}};
    net_conn_stream_begin(
        exchange->conn,
        &(struct net_response){.status = status, .headers = headers, .header_count = 3});
    sim_exchange_note(exchange, status);
}

void
sim_stream_write(struct sim_exchange *exchange, const void *bytes, size_t size_bytes)
{
    enum rt_status status = net_conn_stream_write(exchange->conn, bytes, size_bytes);
    RT_ASSERT(status != RT_FULL); /* pieces are small, and made when nothing is queued */
}

void
sim_stream_end(struct sim_exchange *exchange)
{
    net_conn_stream_end(exchange->conn);
    sim_exchange_end(exchange);
}

void
sim_exchange_produce(struct sim_exchange *exchange, uint64_t pieces, uint64_t piece_ns)
{
    sim_production_start(&exchange->production, pieces, sim_exchange_pace_ns(exchange, piece_ns),
                         sim_exchange_latency_ms(exchange));
}
