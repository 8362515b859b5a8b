#include <string.h>

#include "bench/vendor_sim/sim.h"
#include "runtime/assert.h"

const struct sim_vendor *const sim_vendors[] = {&sim_openai, &sim_cartesia, &sim_tavus};

/* In the same order. */
const char *const sim_vendor_names[] = {"openai", "cartesia", "tavus"};

const unsigned sim_vendor_count = RT_COUNT_OF(sim_vendors);

_Static_assert(RT_COUNT_OF(sim_vendors) == RT_COUNT_OF(sim_vendor_names), "a name each");
_Static_assert(RT_COUNT_OF(sim_vendors) <= SIM_CALL_VENDORS_MAX, "calls.h counts them all");

unsigned
sim_vendor_index(const struct sim_vendor *vendor)
{
    unsigned index = 0;
    while (sim_vendors[index] != vendor)
        RT_ASSERT(++index < sim_vendor_count);
    return index;
}

void **
sim_vendor_state(struct sim *sim, const struct sim_vendor *vendor)
{
    return &sim->vendor_states[sim_vendor_index(vendor)];
}

bool
sim_key_is_known(const char *key)
{
    return key != NULL && key[0] != '\0' && strncmp(key, "bad", 3) != 0;
}
