/*
 * tests/sim/world/sim_operator.h - an operator of several gateways: adds keys and removes them, at
 * whichever gateway, by the admin API; and asks a gateway whether it takes a key.
 */
#ifndef TESTS_SIM_WORLD_SIM_OPERATOR_H
#define TESTS_SIM_WORLD_SIM_OPERATOR_H

#include "runtime/random.h"
#include "tests/sim/world/sim_life.h"
#include "tests/sim/world/sim_shared.h"

#define SIM_OPERATOR_TOKEN "operator"

enum { SIM_OPERATOR_KEYS_MAX = 32 };

struct sim_operator_key {
    const char *tenant_id;
    char id[VITO_ID_BYTES], text[VITO_KEY_TEXT_BYTES];
};

/* One request at a time to each gateway. */
struct sim_operator_desk {
    struct sim_operator *admin;
    struct sim_life *life; /* NULL: nothing was asked */
    struct rt_address actor;
    const char *tenant_id;
    bool adds;
    int status; /* of the last answer */
};

struct sim_operator {
    struct rt_random dice;
    struct sim_operator_desk desks[SIM_NODES_MAX];
    struct sim_operator_key keys[SIM_OPERATOR_KEYS_MAX]; /* all that ever were */
    unsigned key_count, changes;
};

void sim_operator_begin(struct sim_operator *admin, uint64_t seed);

/* Changes something at a gateway, unless an answer of it is awaited. */
void sim_operator_change(struct sim_operator *admin, unsigned node, struct sim_life *life);

/* Shows a gateway a key. When the desk is free, its status is 401 if the key is unknown there. */
void sim_operator_show(struct sim_operator *admin, unsigned node, struct sim_life *life,
                       const struct sim_operator_key *key);

/* Whether nothing is awaited. */
bool sim_operator_is_free(const struct sim_operator *admin);

#endif
