/*
 * bench/vendor_sim/exchange.h - one request to a vendor while it is answered.
 *
 * It lives from the request to the last byte of the answer, or to the end of the connection. A
 * vendor answers whole (sim_answer_…) or in pieces (sim_stream_begin, then a production). Latency
 * and faults are put in here, so that no vendor has to think of them.
 */
#ifndef BENCH_VENDOR_SIM_EXCHANGE_H
#define BENCH_VENDOR_SIM_EXCHANGE_H

#include "bench/vendor_sim/production.h"
#include "bench/vendor_sim/sim.h"

struct sim_exchange {
    struct sim *sim;
    struct net_conn *conn;
    const struct sim_vendor *vendor;
    char request_id[SIM_ID_BYTES];
    uint64_t call; /* its number */
    uint32_t epoch;
    enum sim_fault fault;

    struct net_timer latency;
    struct { /* a whole answer, while it waits for the latency to pass */
        int status;
        const char *content_type; /* static */
        uint32_t retry_after_s;   /* 0: none */
        char *body;               /* cJSON's */
        size_t body_bytes;
    } whole;

    struct sim_production production; /* of an answer in pieces */
    void *state;                      /* the vendor's; given back by end() */
    void (*drained)(struct sim_exchange *exchange);
    void (*end)(struct sim_exchange *exchange);
};

/* Begins an exchange and has its vendor answer. */
void sim_exchange_begin(struct sim *sim, struct net_conn *conn, const struct sim_vendor *vendor,
                        const struct net_request *request, const char *path);

/* Ends it: the answer is out, or the connection is gone. */
void sim_exchange_end(struct sim_exchange *exchange);

/* Answers whole, after the latency. Takes `body`, which may be NULL: no body. */
void sim_answer_json(struct sim_exchange *exchange, int status, cJSON *body);

/* Begins an answer in pieces. Its production waits for the latency. */
void sim_stream_begin(struct sim_exchange *exchange, int status, const char *content_type);

/* Queues a piece of it. */
void sim_stream_write(struct sim_exchange *exchange, const void *bytes, size_t size_bytes);

/* Ends the answer, and with it the exchange. */
void sim_stream_end(struct sim_exchange *exchange);

/* Starts the exchange's production after the latency, at the exchange's pace. */
void sim_exchange_produce(struct sim_exchange *exchange, uint64_t pieces, uint64_t piece_ns);

/* Bills use to this request's leg. */
void sim_exchange_bill(struct sim_exchange *exchange, int64_t tokens, int64_t media_ms);

/* Notes how the call was answered. */
void sim_exchange_note(struct sim_exchange *exchange, int status);

/* What a pace is for this exchange: ten times slower when it shall be slow. */
uint64_t sim_exchange_pace_ns(const struct sim_exchange *exchange, uint64_t piece_ns);
uint32_t sim_exchange_latency_ms(const struct sim_exchange *exchange);

static inline struct sim_exchange *
sim_exchange_of(struct sim_production *production)
{
    return RT_CONTAINER_OF(production, struct sim_exchange, production);
}

#endif
