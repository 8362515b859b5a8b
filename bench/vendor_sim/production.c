#include "bench/vendor_sim/production.h"

#include "net/websocket.h"
#include "runtime/world.h"

enum { PIECES_AT_ONCE_MAX = 64 };

/* Waits until the connection has taken what is queued; nothing is made meanwhile. */
static void
wait_for_connection(struct sim_production *production)
{
    net_conn_await_drained(production->conn);
    production->is_waiting = true;
    production->waiting_ns = net_timers_now_ns(production->timers);
}

/* What was made is taken: on to the next piece when it is due, or to the end. */
static void
wait_for_next(struct sim_production *production)
{
    uint64_t wait_ns = 0;
    production->taken(production);
    if (production->pace.made < production->pieces)
        wait_ns = sim_pace_wait_ns(&production->pace, net_timers_now_ns(production->timers));
    net_timers_set(production->timers, &production->timer, wait_ns);
}

static bool
fails_midway(const struct sim_production *production)
{
    return production->fault == SIM_FAULT_HANG_MID || production->fault == SIM_FAULT_CUT;
}

/* How many pieces are made at all: half of them when the rest shall not come. */
static uint64_t
pieces_to_make(const struct sim_production *production)
{
    return fails_midway(production) ? (production->pieces + 1) / 2 : production->pieces;
}

/* All that is made at all has been taken. */
static void
end_production(struct sim_production *production)
{
    if (!fails_midway(production))
        production->finish(production);
    else if (production->fault == SIM_FAULT_CUT)
        net_conn_close(production->conn, NET_WS_INTERNAL, "cut");
}

/* Makes what is due. */
static void
go_on(struct sim_production *production)
{
    struct sim_pace *pace = &production->pace;
    if (net_conn_queued_bytes(production->conn) > 0) {
        wait_for_connection(production);
        return;
    }
    uint64_t left = pieces_to_make(production) - pace->made;
    if (left == 0) {
        end_production(production);
        return;
    }
    uint64_t now_ns = net_timers_now_ns(production->timers);
    uint64_t due =
        sim_pace_due(pace, now_ns, left < PIECES_AT_ONCE_MAX ? left : PIECES_AT_ONCE_MAX);
    for (; due > 0; due--)
        production->make(production, pace->made++);
    if (net_conn_queued_bytes(production->conn) > 0)
        wait_for_connection(production);
    else
        wait_for_next(production); /* what is made in silence is taken at once */
}

static void
on_timer(struct net_timer *timer)
{
    go_on(RT_CONTAINER_OF(timer, struct sim_production, timer));
}

void
sim_production_start(struct sim_production *production, uint64_t pieces, uint64_t piece_ns,
                     uint32_t delay_ms)
{
    uint64_t delay_ns = delay_ms * RT_NS_PER_MS;
    production->timer.fire = on_timer;
    production->pieces = pieces;
    production->pace = (struct sim_pace){
        .start_ns = net_timers_now_ns(production->timers) + delay_ns, .piece_ns = piece_ns};
    net_timers_set(production->timers, &production->timer, delay_ns);
}

void
sim_production_extend(struct sim_production *production, uint64_t pieces)
{
    bool has_finished = production->pace.made == production->pieces && !production->is_waiting &&
                        !net_timer_is_set(&production->timer);
    production->pieces = pieces;
    if (!has_finished)
        return;
    sim_pace_resume(&production->pace, net_timers_now_ns(production->timers));
    net_timers_set(production->timers, &production->timer, 0);
}

void
sim_production_drained(struct sim_production *production)
{
    if (!production->is_waiting)
        return; /* somebody else's bytes on the same connection */
    uint64_t now_ns = net_timers_now_ns(production->timers);
    sim_pace_shift(&production->pace, now_ns - production->waiting_ns);
    production->is_waiting = false;
    wait_for_next(production);
}

void
sim_production_stop(struct sim_production *production)
{
    net_timers_cancel(production->timers, &production->timer);
    production->is_waiting = false;
}
