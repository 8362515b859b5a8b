#include "bench/vendor_sim/sim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench/vendor_sim/exchange.h"
#include "runtime/system.h"
#include "runtime/world.h"

int64_t
sim_wall_ms(const struct sim *sim)
{
    const struct rt_world *world = rt_system_world(sim->system);
    return world->wall_ms(world->self);
}

void
sim_make_id(struct sim *sim, const char *prefix, char id_out[SIM_ID_BYTES])
{
    snprintf(id_out, SIM_ID_BYTES, "%s%016" PRIx64, prefix, rt_hash_u64(++sim->next_id));
}

void
sim_respond_json(struct net_conn *conn, int status, cJSON *body)
{
    const struct net_header header = {"Content-Type", "application/json"};
    char *text = cJSON_PrintUnformatted(body);
    net_conn_respond(conn, &(struct net_response){.status = status,
                                                  .headers = &header,
                                                  .header_count = 1,
                                                  .body = text,
                                                  .body_bytes = text == NULL ? 0 : strlen(text)});
    free(text);
    cJSON_Delete(body);
}

/* What follows "/<name>" when the path is one of this vendor; else NULL. */
static const char *
path_within(const char *path, const struct sim_vendor *vendor)
{
    size_t name_bytes = strlen(vendor->name);
    if (path[0] != '/' || strncmp(path + 1, vendor->name, name_bytes) != 0 ||
        path[1 + name_bytes] != '/')
        return NULL;
    return path + 1 + name_bytes;
}

static void
answer_nobody(struct net_conn *conn)
{
    cJSON *problem = cJSON_CreateObject();
    cJSON_AddStringToObject(problem, "error", "no vendor of this simulator has this path");
    sim_respond_json(conn, 404, problem);
}

static void
on_request(void *context, struct net_conn *conn, const struct net_request *request)
{
    struct sim *sim = context;
    if (strncmp(request->path, "/_", 2) == 0) {
        sim_control(sim, conn, request);
        return;
    }
    for (unsigned i = 0; i < sim_vendor_count; i++) {
        const struct sim_vendor *vendor = sim_vendors[i];
        const char *path = path_within(request->path, vendor);
        if (path == NULL)
            continue;
        bool is_control = strncmp(path, "/_", 2) == 0;
        if (!is_control)
            sim_exchange_begin(sim, conn, vendor, request, path);
        else if (vendor->control == NULL || !vendor->control(sim, conn, request, path))
            break;
        return;
    }
    answer_nobody(conn);
}

static void
on_message(void *context, struct net_conn *conn, enum net_ws_type type, const uint8_t *bytes,
           size_t size_bytes)
{
    (void)context;
    struct sim_exchange *exchange = net_conn_user(conn);
    exchange->vendor->take_message(exchange, type, bytes, size_bytes);
}

static void
on_drained(void *context, struct net_conn *conn)
{
    (void)context;
    struct sim_exchange *exchange = net_conn_user(conn);
    if (exchange != NULL && exchange->drained != NULL)
        exchange->drained(exchange);
    else if (exchange != NULL)
        sim_production_drained(&exchange->production);
}

static void
on_closed(void *context, struct net_conn *conn, uint16_t code)
{
    (void)context, (void)code;
    if (net_conn_user(conn) != NULL)
        sim_exchange_end(net_conn_user(conn));
}

static enum rt_status
open_server(struct sim *sim, char *problem, size_t problem_bytes)
{
    const struct net_server_options options = {
        .system = sim->system,
        .listen = sim->options->listen,
        .events = {.context = sim,
                   .on_request = on_request,
                   .on_message = on_message,
                   .on_drained = on_drained,
                   .on_closed = on_closed},
        .header_bytes_max = 32 * 1024,
        .body_bytes_max = 4 * 1024 * 1024,
        .message_bytes_max = 1024 * 1024,
        .queued_bytes_max = 16 * 1024 * 1024,
        .connections_max = 1 << 20, /* as many as there are file descriptors */
        .header_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .idle_timeout_ms = 300000,
        .ping_interval_ms = 30000,
    };
    return net_server_open(&options, &sim->server, problem, problem_bytes);
}

enum rt_status
sim_open(struct sim *sim, const struct sim_options *options, struct rt_system *system,
         char *problem, size_t problem_bytes)
{
    *sim = (struct sim){.options = options, .system = system, .faults = options->faults};
    sim->next_id = options->id_base * UINT64_C(1000000);
    rt_random_seed(&sim->random, SIM_SEED);
    sim_bill_init(&sim->bill);
    sim->timers = net_timers_create(rt_system_loop(system, 0), rt_system_world(system));
    if (sim->timers == NULL) {
        snprintf(problem, problem_bytes, "out of memory or file descriptors");
        return RT_NO_MEMORY;
    }
    if (options->log_file != NULL && (sim->log = fopen(options->log_file, "ae")) == NULL) {
        snprintf(problem, problem_bytes, "cannot append to %s", options->log_file);
        return RT_IO;
    }
    return open_server(sim, problem, problem_bytes);
}

void
sim_close(struct sim *sim)
{
    if (sim->server != NULL)
        net_server_close(sim->server);
    sim_reset(sim);
    sim_bill_deinit(&sim->bill);
    net_timers_destroy(sim->timers);
    if (sim->log != NULL)
        fclose(sim->log);
}

void
sim_reset(struct sim *sim)
{
    sim->epoch++;
    for (unsigned i = 0; i < sim_vendor_count; i++)
        if (sim_vendors[i]->reset != NULL)
            sim_vendors[i]->reset(sim);
    sim_bill_deinit(&sim->bill);
    sim_bill_init(&sim->bill);
    sim->calls = (struct sim_calls){0};
    sim->faults = (struct sim_faults){0};
    rt_random_seed(&sim->random, SIM_SEED);
}
