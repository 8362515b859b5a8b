/*
 * bench/vendor_sim/production.h - something that is made piece by piece, at a pace, for one
 * connection: words, or speech. A piece is made when it is due and the connection has taken all
 * that was made before, so nothing is made for somebody who does not listen.
 *
 *      make ──► queued ──► taken by the kernel ──► make … ──► finish
 */
#ifndef BENCH_VENDOR_SIM_PRODUCTION_H
#define BENCH_VENDOR_SIM_PRODUCTION_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/vendor_sim/fault.h"
#include "bench/vendor_sim/pace.h"
#include "net/server.h"
#include "net/timers.h"

struct sim_production {
    struct net_timers *timers;
    struct net_conn *conn;
    enum sim_fault fault; /* HANG_MID and CUT happen when half of it is made */

    void (*make)(struct sim_production *self, uint64_t index); /* queues a piece */
    void (*taken)(struct sim_production *self);                /* all that was made has left */
    void (*finish)(struct sim_production *self); /* all pieces were taken; may start anew or free */

    struct net_timer timer;
    struct sim_pace pace;
    uint64_t pieces;     /* to be made in all */
    bool is_waiting;     /* for what was made to be taken */
    uint64_t waiting_ns; /* since then */
};

/* Begins; the fields above the line are set. The first piece is due after `delay_ms`. */
void sim_production_start(struct sim_production *production, uint64_t pieces, uint64_t piece_ns,
                          uint32_t delay_ms);

/* Raises the number of pieces of one that runs or has finished. */
void sim_production_extend(struct sim_production *production, uint64_t pieces);

/* The connection has taken all that was queued. */
void sim_production_drained(struct sim_production *production);

/* Makes no more. */
void sim_production_stop(struct sim_production *production);

#endif
