/*
 * runtime/world.h - clock and chance, behind one table.
 *
 * Nothing outside the two implementations (world.c for the real one, sim.c for the
 * simulated one) asks the machine for the time or for random bytes, so that a whole
 * run can be repeated from a seed.
 */
#ifndef RUNTIME_WORLD_H
#define RUNTIME_WORLD_H

#include <stddef.h>
#include <stdint.h>

#define RT_NS_PER_US UINT64_C(1000)
#define RT_NS_PER_MS UINT64_C(1000000)
#define RT_NS_PER_S UINT64_C(1000000000)

/*
 * Threads: any, for the real world; the simulation's only thread otherwise.
 */
struct rt_world {
    void *self;
    uint64_t (*now_ns)(void *self);  /* monotonic; stands still while the machine sleeps */
    uint64_t (*boot_ns)(void *self); /* monotonic; goes on while the machine sleeps: leases */
    int64_t (*wall_ms)(void *self);  /* Unix time; may step in both directions */
    void (*random)(void *self, void *bytes_out, size_t size_bytes); /* fit for secrets */
};

/* The world of the operating system. Lives as long as the process. */
const struct rt_world *rt_world_real(void);

#endif
