/*
 * tests/sim/world/sim_policy.h - a policy that decides by the dice: whatever a policy may say,
 * money must stay right.
 */
#ifndef TESTS_SIM_WORLD_SIM_POLICY_H
#define TESTS_SIM_WORLD_SIM_POLICY_H

#include "actors/policy.h"
#include "runtime/sim.h"

struct policy_port sim_policy_port(struct rt_sim *sim);

#endif
