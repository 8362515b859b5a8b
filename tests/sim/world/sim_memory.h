/*
 * tests/sim/world/sim_memory.h - memory that runs out by the dice.
 *
 * The linker puts the functions of sim_memory.c between the actors and the runtime's pool, buffers
 * and tables (--wrap, tests/actors.cmake); the product knows nothing of it. Only what is asked for
 * within an actor's turn can fail, and not what the simulated world takes for itself.
 */
#ifndef TESTS_SIM_WORLD_SIM_MEMORY_H
#define TESTS_SIM_WORLD_SIM_MEMORY_H

#include "runtime/message.h"
#include "runtime/random.h"

/* From now on so many of a million requests fail; 0: none. `dice` must live until the next call. */
void sim_memory_fail(struct rt_random *dice, unsigned per_million);

/* Counts requests from now on, and lets this one fail, from 1; 0: none. */
void sim_memory_fail_one(uint64_t request);

/* How many there were since. */
uint64_t sim_memory_requests(void);

/* How many have failed so far. */
uint64_t sim_memory_failures(void);

/* A message of the world's own: never NULL. */
struct rt_message *sim_message(uint32_t kind, size_t payload_bytes);

/* A buffer of the world's own: never NULL. */
struct rt_buffer *sim_buffer(const void *bytes, size_t size_bytes);

#endif
