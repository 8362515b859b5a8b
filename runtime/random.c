#include "runtime/random.h"

#include <string.h>

#include "runtime/assert.h"

static uint64_t
rotate_left(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

void
rt_random_seed(struct rt_random *random, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        random->state[i] = z ^ z >> 31;
    }
}

uint64_t
rt_random_u64(struct rt_random *random)
{
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint64_t
rt_random_below(struct rt_random *random, uint64_t bound)
{
    RT_ASSERT(bound > 0);
    return rt_random_u64(random) % bound; /* the bias is under 2^-40 for our small bounds */
}

bool
rt_random_chance(struct rt_random *random, unsigned per_mille)
{
    return rt_random_below(random, 1000) < per_mille;
}

void
rt_random_bytes(struct rt_random *random, void *bytes_out, size_t size_bytes)
{
    unsigned char *at = bytes_out;
    while (size_bytes > 0) {
        uint64_t word = rt_random_u64(random);
        size_t count = size_bytes < sizeof(word) ? size_bytes : sizeof(word);
        memcpy(at, &word, count);
        at += count;
        size_bytes -= count;
    }
}
