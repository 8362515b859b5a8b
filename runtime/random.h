/*
 * runtime/random.h - a small seeded generator, for simulations and choices that need no
 * secrecy. Same seed, same numbers, on every machine.
 *
 * Source: D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators", 2021
 * (xoshiro256**), seeded by splitmix64 as they advise.
 */
#ifndef RUNTIME_RANDOM_H
#define RUNTIME_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rt_random {
    uint64_t state[4];
};

void rt_random_seed(struct rt_random *random, uint64_t seed);
uint64_t rt_random_u64(struct rt_random *random);

/* 0 … bound - 1. `bound` > 0. */
uint64_t rt_random_below(struct rt_random *random, uint64_t bound);

/* True in `per_mille` of a thousand cases. */
bool rt_random_chance(struct rt_random *random, unsigned per_mille);

void rt_random_bytes(struct rt_random *random, void *bytes_out, size_t size_bytes);

#endif
