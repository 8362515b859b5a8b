/*
 * What the flight recorder adds to a turn of one message, by itself: it has no switch, and beside a
 * whole turn it is lost in the noise.
 */
#include <stdlib.h>

#include "bench/micro/micro.h"
#include "runtime/recorder.h"

enum { TURNS = 20000000 };

void
micro_recorder(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    struct rt_recorder *recorder = calloc(1, sizeof(*recorder));
    if (recorder == NULL)
        micro_fail("out of memory");
    uint64_t turns = micro_scaled(setup, TURNS);
    struct micro_span span;
    micro_span_begin(&span);
    for (uint64_t i = 0; i < turns; i++) {
        struct rt_recorded_turn *turn = rt_recorder_begin(recorder, i, i, "recorded");
        rt_recorder_message(turn, (uint32_t)i, 1);
        rt_recorder_end(turn);
    }
    sem_post(&span.done);
    micro_span_await(&span);
    micro_span_report(&span, turns, figures_out);
    free(recorder);
}
