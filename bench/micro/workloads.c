#include "bench/micro/micro.h"
#include "runtime/compiler.h"

/* In the order they run. */
const struct micro_workload micro_workloads[] = {
    {"ping_pong", "two actors, one message", {"ns", "cpu_ns"}, micro_ping_pong},
    {"fan_in", "eight actors send to one", {"ns", "cpu_ns"}, micro_fan_in},
    {"ring", "a thousand actors, one message", {"ns", "cpu_ns"}, micro_ring},
    {"big", "256 actors, each pings any other", {"ns", "cpu_ns"}, micro_big},
    {"create", "200,000 actors made, each with a message", {"ns", "cpu_ns", "bytes"}, micro_create},
    {"policy", "a question to a Lua policy", {"ns", "cpu_ns"}, micro_policy},
    {"recorder", "what the flight recorder adds to a turn", {"ns", "cpu_ns"}, micro_recorder},
    {"timer", "lateness of a 20 ms timer", {"late_us", "late_p90_us", "late_max_us"}, micro_timer},
    {"hogs",
     "the same beside two actors that always have work",
     {"late_us", "late_p90_us", "late_max_us"},
     micro_hogs},
    {"lua_hogs",
     "the same beside two policies that never end",
     {"late_us", "late_p90_us", "late_max_us"},
     micro_lua_hogs},
    {"idle", "a thousand actors with nothing to do", {"cpu_percent"}, micro_idle},
};

const unsigned micro_workload_count = RT_COUNT_OF(micro_workloads);
