/*
 * runtime/sim.h - the simulated world: the same actors, one thread, one seed.
 *
 * Time is virtual and jumps to the next thing that is due when no actor has work. The seed
 * decides which runnable actor goes next, on which virtual worker, and how many messages it
 * may handle before others get their turn. Every turn is mixed into a trace hash: the same
 * seed gives the same hash, or something in the code asked the real world.
 *
 * What the real gateway does by sockets, vendors and the store's thread, a simulation does by
 * events: functions called at a virtual time.
 *
 * Threads: all calls from one thread.
 */
#ifndef RUNTIME_SIM_H
#define RUNTIME_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/random.h"
#include "runtime/system.h"

struct rt_sim;

struct rt_sim_options {
    uint64_t seed;
    unsigned workers;      /* virtual; 1 … RT_WORKERS_MAX */
    int64_t start_wall_ms; /* Unix time at virtual zero */
    uint32_t actors_max;   /* 0: the default of rt_system_options */
};

/* NULL when out of memory. */
struct rt_sim *rt_sim_create(const struct rt_sim_options *options);
void rt_sim_destroy(struct rt_sim *sim);

/* The system whose actors are simulated: spawn and post to it as usual. */
struct rt_system *rt_sim_system(struct rt_sim *sim);
const struct rt_world *rt_sim_world(struct rt_sim *sim);

/* The simulation's own dice, for the environment's faults. */
struct rt_random *rt_sim_random(struct rt_sim *sim);

uint64_t rt_sim_now_ns(const struct rt_sim *sim);

/* Calls `run(context)` after `delay_ns` of virtual time. Events of one time run in the order
 * they were made. False when out of memory. */
RT_MUST_USE bool rt_sim_after(struct rt_sim *sim, uint64_t delay_ns, void (*run)(void *context),
                              void *context);

/* Calls `run(context)` on a worker, as its loop calls back for a socket: with its round's end
 * behind it. From an event or from outside, not from an actor. */
void rt_sim_call(struct rt_sim *sim, unsigned worker, void (*run)(void *context), void *context);

/* One step: one turn of one actor, or one event, or one batch of timers. False when nothing
 * is left to do before `until_ns`; then virtual time is `until_ns`. */
bool rt_sim_step(struct rt_sim *sim, uint64_t until_ns);

/* When the next step takes place; UINT64_MAX when nothing is left to do. */
uint64_t rt_sim_next_ns(struct rt_sim *sim);

/* Lets time pass up to `now_ns`, unless it is past that already. Nothing may be due before. Of one
 * who runs several simulations as one world (tests/sim/world/sim_fleet.h). */
void rt_sim_advance(struct rt_sim *sim, uint64_t now_ns);

/* Steps until nothing is left before `until_ns`. */
void rt_sim_run_until(struct rt_sim *sim, uint64_t until_ns);

/* A living actor of a kind, as its behaviour names it; false when there is none. */
RT_MUST_USE bool rt_sim_pick(struct rt_sim *sim, const char *kind, struct rt_address *who_out);

/* An actor is not scheduled for a while, as if its turn took so long. Of many at once, those that
 * end last are kept. */
void rt_sim_stall(struct rt_sim *sim, struct rt_address who, uint64_t duration_ns);

/* A worker stands still: its timers and what is pinned to it. The others go on. */
void rt_sim_stall_worker(struct rt_sim *sim, unsigned worker, uint64_t duration_ns);

/* The whole process stands still (SIGSTOP); `suspended`: the machine, whose monotonic clock does
 * not count that. */
void rt_sim_pause(struct rt_sim *sim, uint64_t duration_ns, bool suspended);

/* Somebody sets the wall clock. */
void rt_sim_step_wall(struct rt_sim *sim, int64_t step_ms);

/* Mixes a number of the environment's into the trace hash. */
void rt_sim_trace(struct rt_sim *sim, uint64_t value);

uint64_t rt_sim_hash(const struct rt_sim *sim);
uint64_t rt_sim_steps(const struct rt_sim *sim);

/* The runtime's own: queues a woken actor. */
void rt_sim_add(struct rt_actor *actor);

#endif
