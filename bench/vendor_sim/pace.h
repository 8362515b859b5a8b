/*
 * bench/vendor_sim/pace.h - when the next piece of something that is made at a steady pace is
 * due. Time in which nobody takes what was made does not count.
 */
#ifndef BENCH_VENDOR_SIM_PACE_H
#define BENCH_VENDOR_SIM_PACE_H

#include <stdint.h>

struct sim_pace {
    uint64_t start_ns; /* when the first piece is due */
    uint64_t piece_ns; /* 0: as fast as it goes */
    uint64_t made;     /* pieces */
};

/* How many pieces are due by now and not made; at most `most`. */
static inline uint64_t
sim_pace_due(const struct sim_pace *pace, uint64_t now_ns, uint64_t most)
{
    if (pace->piece_ns == 0)
        return most;
    if (now_ns < pace->start_ns)
        return 0;
    uint64_t due = (now_ns - pace->start_ns) / pace->piece_ns + 1;
    if (due <= pace->made)
        return 0;
    return due - pace->made < most ? due - pace->made : most;
}

/* How long until the next piece is due. */
static inline uint64_t
sim_pace_wait_ns(const struct sim_pace *pace, uint64_t now_ns)
{
    uint64_t due_ns = pace->start_ns + pace->made * pace->piece_ns;
    return due_ns > now_ns ? due_ns - now_ns : 0;
}

/* Nothing was taken, and nothing made, for so long. */
static inline void
sim_pace_shift(struct sim_pace *pace, uint64_t waited_ns)
{
    pace->start_ns += waited_ns;
}

/* The next piece is due now, after a pause of any length. */
static inline void
sim_pace_resume(struct sim_pace *pace, uint64_t now_ns)
{
    pace->start_ns = now_ns - pace->made * pace->piece_ns;
}

#endif
