/*
 * runtime/flight.h - what the workers did last: a flight recorder.
 *
 * Each worker keeps its latest turns in a ring: which actor, of what kind, since when, and the kind
 * of the message in hand. Writing costs a few plain stores a turn; whoever wants to know reads it
 * from outside, while the worker goes on. Its end is
 * read by the watchdog, which logs a worker that is stuck in one turn, and by a signal handler,
 * which prints the rings when the process crashes.
 */
#ifndef RUNTIME_FLIGHT_H
#define RUNTIME_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"
#include "runtime/system.h"

enum { RT_FLIGHT_TURNS = 256, RT_FLIGHT_PLACE_BYTES = 64 };

/* One turn, as it is shown. */
struct rt_flight_turn {
    unsigned worker;
    uint64_t number;       /* of this worker's turns, from 1 */
    uint64_t since_ns;     /* the world's now_ns when the worker last read it before: a few short
                            * messages earlier, at most */
    uint64_t actor;        /* id */
    const char *kind;      /* of the actor */
    uint32_t message_kind; /* of the last message it began; 0: none yet */
    uint32_t messages;     /* begun */
    bool is_over;
};

/* Calls `visit` for the turns still remembered, each worker's oldest first. Threads: any. */
void rt_flight_visit(struct rt_system *system,
                     void (*visit)(void *context, const struct rt_flight_turn *turn),
                     void *context);

/* The latest turn of a worker. False when it had none. Threads: any. */
bool rt_flight_last(struct rt_system *system, unsigned worker, struct rt_flight_turn *turn_out);

/* Actors that wait in a worker's ring, about. Threads: any. */
unsigned rt_flight_waiting(struct rt_system *system, unsigned worker);

/*
 * A place inside a long turn: "cantor.lua:12". Whoever runs scripts looks at rt_flight_is_asked()
 * now and then, and tells the place when it is. Threads: workers.
 */
bool rt_flight_is_asked(void);
void rt_flight_tell(const char *source, int line);

/* Asks for the place of a turn, to be there a little later. Threads: any. */
void rt_flight_ask(struct rt_system *system, unsigned worker);

/* The place told in the turn `number` of this worker; "" when none was. Threads: any. */
void rt_flight_place(struct rt_system *system, unsigned worker, uint64_t number,
                     char place_out[RT_FLIGHT_PLACE_BYTES]);

/*
 * From now on a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) prints the last turns of every
 * worker to `fd`, then goes its way. NULL ends it; it must be ended before the system is destroyed.
 */
void rt_flight_on_crash(struct rt_system *system, int fd);

struct rt_watchdog;

/*
 * Starts a thread that looks at the workers ten times in `stall_ms` and logs `worker.stalled`, once
 * a turn, when it has seen one last that long, with the turns before it.
 *
 *   stall_ms   at least 10
 *   returns    RT_OK | RT_NO_MEMORY | RT_IO
 */
RT_MUST_USE enum rt_status rt_watchdog_start(struct rt_system *system, uint32_t stall_ms,
                                             struct rt_watchdog **watchdog_out);

/* Ends it, before the system is destroyed. NULL is ignored. Blocks until the thread has ended. */
void rt_watchdog_stop(struct rt_watchdog *watchdog);

/* Stalls logged so far by all watchdogs of the process. */
uint64_t rt_watchdog_stalls(void);

#endif
