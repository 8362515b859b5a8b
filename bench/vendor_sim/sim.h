/*
 * bench/vendor_sim/sim.h - the simulator: vendors' wire APIs in one process, on one worker, with
 * an account of what each call would cost. Everything runs on the loop of that worker.
 *
 *      request ──► a vendor, or /_calls, /_bill, … (control.c)
 *                     └──► an exchange: latency, faults, the answer (exchange.h)
 *
 * A further vendor is one more file and one more line in vendors.c.
 */
#ifndef BENCH_VENDOR_SIM_SIM_H
#define BENCH_VENDOR_SIM_SIM_H

#include <stdio.h>

#include "bench/vendor_sim/bill.h"
#include "bench/vendor_sim/calls.h"
#include "bench/vendor_sim/options.h"
#include "net/server.h"
#include "net/timers.h"
#include "runtime/random.h"

struct sim_exchange;

enum { SIM_SEED = 1 }; /* faults and, by --id-base, ids are the same in every run */

struct sim {
    const struct sim_options *options;
    struct rt_system *system;
    struct net_server *server;
    struct net_timers *timers;
    FILE *log; /* or NULL */
    struct rt_random random;
    struct sim_bill bill;
    struct sim_calls calls;
    struct sim_faults faults;
    uint32_t epoch; /* raised by a reset: what began before it is not billed */
    uint64_t next_id;
    void *vendor_states[SIM_CALL_VENDORS_MAX]; /* see sim_vendor_state() */
};

/* Why a vendor turns a request away in its own words. */
enum sim_refusal {
    SIM_REFUSAL_KEY,
    SIM_REFUSAL_RATE,
    SIM_REFUSAL_MONEY,
    SIM_REFUSAL_SERVER,
};

struct sim_vendor {
    const char *name; /* also the first part of its paths */

    /* Whether the request shows a key that the vendor would know. */
    bool (*is_authorised)(const struct net_request *request);

    /* Answers a request; `path` is what follows "/<name>". */
    void (*answer)(struct sim_exchange *exchange, const struct net_request *request,
                   const char *path);

    /* Answers with its own kind of error. */
    void (*refuse)(struct sim_exchange *exchange, enum sim_refusal refusal);

    /* A WebSocket message. NULL: it has no WebSockets. */
    void (*take_message)(struct sim_exchange *exchange, enum net_ws_type type, const uint8_t *bytes,
                         size_t size_bytes);

    /* What no real vendor has: paths that begin with "/_". False: no such path. NULL: none. */
    bool (*control)(struct sim *sim, struct net_conn *conn, const struct net_request *request,
                    const char *path);

    /* Bills what runs by the clock up to now. NULL: nothing does. */
    void (*bill_running)(struct sim *sim);

    /* Forgets everything. NULL: it remembers nothing. */
    void (*reset)(struct sim *sim);
};

extern const struct sim_vendor sim_openai, sim_cartesia, sim_tavus;

/* All vendors. (vendors.c) */
extern const struct sim_vendor *const sim_vendors[];
extern const char *const sim_vendor_names[];
extern const unsigned sim_vendor_count;

/* A vendor's own memory, for it to set; NULL at first. Its reset() lets go of it. */
void **sim_vendor_state(struct sim *sim, const struct sim_vendor *vendor);

/* The place of a vendor among all. */
unsigned sim_vendor_index(const struct sim_vendor *vendor);

/* Opens the simulator; RT_OK or one line in `problem`. Then rt_system_start(). */
enum rt_status sim_open(struct sim *sim, const struct sim_options *options,
                        struct rt_system *system, char *problem, size_t problem_bytes);

/* After rt_system_stop(). */
void sim_close(struct sim *sim);

/* Begins anew: no calls, no bill, no faults, nothing running, the usual prices. */
void sim_reset(struct sim *sim);

/* Answers one of the simulator's own paths ("/_calls"). (control.c) */
void sim_control(struct sim *sim, struct net_conn *conn, const struct net_request *request);

/* Answers at once, outside any exchange. Takes `body`. */
void sim_respond_json(struct net_conn *conn, int status, cJSON *body);

/* Unix time. */
int64_t sim_wall_ms(const struct sim *sim);

/* Whether a key is one that vendors know: any, but none and those that begin with "bad". */
bool sim_key_is_known(const char *key);

/* An id that no other call returns: `prefix` and sixteen hex digits. */
void sim_make_id(struct sim *sim, const char *prefix, char id_out[SIM_ID_BYTES]);

#endif
