/*
 * tests/sim/world/sim_chaos.h - what goes wrong in a run, chosen by its seed.
 *
 * Swarm testing (A. Groce et al., "Swarm Testing", ISSTA 2012): every seed switches a random part
 * of the faults on, because faults that are always there hide each other.
 */
#ifndef TESTS_SIM_WORLD_SIM_CHAOS_H
#define TESTS_SIM_WORLD_SIM_CHAOS_H

#include "runtime/sim.h"
#include "tests/sim/world/sim_vendors.h"

enum sim_chaos_kind {
    CHAOS_KILL,  /* an actor ends at once, or fails and is restarted */
    CHAOS_STALL, /* an actor or a worker stands still */
    CHAOS_FLOOD, /* a mailbox is filled up */
    CHAOS_PAUSE, /* the process or the machine stands still */
    CHAOS_CLOCK, /* somebody sets the wall clock */
    CHAOS_KIND_COUNT,
};

enum { SIM_STALL_MAX_MS = 20000 }; /* so long an actor or a worker stands still at most */

struct sim_swarm {
    struct sim_vendor_faults vendor;
    unsigned rollback, lost_ack; /* per mille of the store's batches, … */
    unsigned stall;              /* … and nothing else goes wrong with the gateway itself */
    bool outage;                 /* of the store */
    unsigned memory;             /* requests for memory that fail, per million */
    uint32_t client_delay_max_ms;
    unsigned vanish;                     /* per mille of the clients' actions */
    unsigned resume;                     /* likewise: connections that break; 0: none may resume */
    uint32_t every_ms[CHAOS_KIND_COUNT]; /* on average; 0: never */
    bool is_patient;                     /* sessions may stay idle for long */
    uint32_t acts_within_ms;             /* a client, after it has acted */
};

void sim_swarm_choose(struct sim_swarm *swarm, struct rt_random *dice);

/* A disk that stands still now and then, below a gateway that does not, and clients that stay long
 * enough to notice. */
void sim_swarm_stall(struct sim_swarm *swarm);

/* Takes away what is not in `faults`, a list such as "kill,memory": for a closer look at a seed.
 * False when it names something else. */
RT_MUST_USE bool sim_swarm_only(struct sim_swarm *swarm, const char *faults);

/* Whether actors may die, stand still or lose messages. */
bool sim_swarm_upsets(const struct sim_swarm *swarm);

struct sim_chaos {
    struct rt_sim *sim;
    const struct sim_swarm *swarm;
    bool over; /* faults have healed */
    unsigned happened[CHAOS_KIND_COUNT];
};

void sim_chaos_start(struct sim_chaos *chaos);

#endif
