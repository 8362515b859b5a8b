/*
 * tests/sim/world/sim_store.h - the embedded store in virtual time: the same SQL as the gateway's,
 * on a database in memory, with delays and faults by the dice.
 */
#ifndef TESTS_SIM_WORLD_SIM_STORE_H
#define TESTS_SIM_WORLD_SIM_STORE_H

#include <stdbool.h>

#include "runtime/sim.h"
#include "vito/store.h"
#include "vito/store/sqlite/sqlite.h"

/* Planted bugs. */
enum sim_store_bug {
    STORE_SOUND,
    STORE_FORGETS,         /* a batch is rolled back, and says it was not */
    STORE_FORGETS_SETTLES, /* the same, of batches with a settlement */
    STORE_FORGETS_RETURNS, /* the same, of batches that return a slice */
    STORE_FORGETS_RECORDS, /* the same, of batches with a refusal's record */
    STORE_GRANTS_FREE,     /* what is granted is not reserved */
    STORE_SAYS_NOTHING,    /* an answer is lost */
    /* of the shared store (sim_shared.h) and the way to it (sim_link.h) alone */
    STORE_FENCES_NOBODY,      /* the epoch of who writes is not looked at */
    STORE_REAPS_TOO_MUCH,     /* gives back what open legs hold, too */
    STORE_REAPS_NOBODY,       /* what a gateway that died has left is left */
    STORE_LINK_PRETENDS,      /* a gateway whose lease is over goes on as if it were not */
    STORE_ADOPTS_UNCHECKED,   /* lets who a room was taken from hold more for it */
    STORE_LINK_DEAF,          /* nobody looks whether news were lost */
    STORE_TAKES_OVER_AT_ONCE, /* or so it says: nothing is held for the time it takes */
};

/* Whether a planted bug is to forget a transaction with such a request. */
bool sim_store_forgets(enum sim_store_bug bug, enum vito_op op, struct rt_random *dice);

/* The planted bug: what was granted stays in the budget. */
void sim_store_unreserve(const struct vito_sqlite *database, enum sim_store_bug bug,
                         const struct vito_request *request, const struct vito_stored *stored);

enum { SIM_STORE_REFUSED_MAX = 16 };

struct sim_store {
    struct rt_sim *sim;
    struct vito_sqlite *database;
    struct sim_store_request *first, **end; /* waiting, oldest first */
    void (*committed)(void *context);       /* after each commit */
    void *context;
    bool flush_is_set;
    bool down;                   /* answers UNAVAILABLE */
    unsigned rollback_per_mille; /* a batch is rolled back, and says so */
    unsigned lost_ack_per_mille; /* a batch is committed, and says it was not */
    unsigned stall_per_mille;    /* the disk stands still before a batch, for seconds */
    enum sim_store_bug bug;
    uint64_t delay_max_ns;
    char refused[SIM_STORE_REFUSED_MAX][VITO_ID_BYTES]; /* legs that asked for more in vain, … */
    unsigned next_refused;
    unsigned *outlived; /* … and got it later: counted here */
};

/* Over a database that outlives it, as a file does. What waits when it is destroyed is lost, as
 * in a crash. */
struct sim_store *sim_store_create(struct rt_sim *sim, struct vito_sqlite *database);
void sim_store_destroy(struct sim_store *store);
struct vito_store sim_store_port(struct sim_store *store);

/* One number out of a database: the sum of what `sql` selects. */
int64_t sim_store_query(const struct vito_sqlite *database, const char *sql);

#endif
