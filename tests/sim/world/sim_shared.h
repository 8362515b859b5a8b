/*
 * tests/sim/world/sim_shared.h - the store that several gateways share, in virtual time: it behaves
 * as vito/store/postgres does, over the embedded store's SQL.
 *
 * Every gateway is a node with an epoch and a lease. A transaction that writes renews the lease,
 * and is refused when the epoch has moved on: then another gateway has settled what the node had
 * open, because its lease had run out. The store's clock is the world's own.
 */
#ifndef TESTS_SIM_WORLD_SIM_SHARED_H
#define TESTS_SIM_WORLD_SIM_SHARED_H

#include <stdbool.h>

#include "runtime/sim.h"
#include "tests/sim/world/sim_store.h"

enum {
    SIM_NODES_MAX = 3,
    SIM_LEASE_MS = 5000,
    SIM_GRACE_MS = 1000, /* after a lease has run out, before it is taken for dead */
    SIM_BEAT_MS = SIM_LEASE_MS / 4,
    SIM_TAKEOVER_MS = SIM_LEASE_MS + SIM_GRACE_MS + SIM_BEAT_MS,
    SIM_TRANSACTION_MAX = 64 /* requests */
};

struct sim_link;

/* Of a gateway's epochs no two are the same, and none is another gateway's: in the database all
 * are epochs of its one node. */
struct sim_lease {
    int64_t epoch;
    bool is_live;        /* nobody has settled the epoch */
    uint64_t expires_ns; /* by the store's clock */
    int64_t batch;       /* of the epoch: the last transaction that took place */
};

struct sim_shared {
    struct rt_sim *clock;
    struct vito_sqlite *database;
    int64_t start_wall_ms;
    void (*committed)(void *context); /* after each commit */
    void *context;
    struct sim_lease leases[SIM_NODES_MAX];
    int64_t last_epoch;
    struct sim_link *links[SIM_NODES_MAX]; /* of who is alive: they hear news */
    bool down;                             /* nothing arrives */
    unsigned rollback_per_mille;           /* a transaction is rolled back, and says so */
    unsigned lost_ack_per_mille;           /* it is committed, and the connection breaks */
    enum sim_store_bug bug;
    int64_t changes;             /* of what gateways keep in memory */
    struct rt_random *news_dice; /* NULL: news of changes are not lost but with a connection */
    unsigned lost_news_per_mille;
    unsigned fenced, reaped, adopted, recalled, lost_news;
};

/* A request of an actor, and its answer. */
struct sim_item {
    struct sim_item *next;
    struct rt_address caller;
    uint64_t request_id;
    struct vito_request request;
    struct vito_stored stored;
    struct rt_buffer *document;
};

enum sim_transaction_kind {
    TRANSACTION_REQUESTS,
    TRANSACTION_BEAT,  /* nothing but the lease; and settles those whose lease ran out, if it may */
    TRANSACTION_FATE,  /* which was the last one of this epoch that took place? */
    TRANSACTION_START, /* begins a new epoch */
};

enum sim_transaction_outcome {
    TRANSACTION_LOST, /* it has not arrived */
    TRANSACTION_DONE,
    TRANSACTION_REFUSED, /* rolled back */
    TRANSACTION_FENCED,
};

struct sim_transaction {
    struct sim_transaction *next; /* of its link's */
    struct sim_link *link;
    unsigned node;
    enum sim_transaction_kind kind;
    enum sim_transaction_outcome outcome;
    bool writes, may_reap;
    bool is_lost_ack;     /* the answer is not to arrive */
    int64_t epoch, batch; /* whose it is; answers of FATE and START: what the store has */
    int64_t change;       /* the last one, when it began */
    struct sim_item *items;
    bool is_over, is_off_the_wire; /* nobody looks at it any more: the link, the network */
};

/* Carries out a transaction, now, by the store's clock. */
void sim_shared_carry_out(struct sim_shared *shared, struct sim_transaction *transaction);

/* Begins a new epoch of a node and settles what it had open. Returns the epoch. */
int64_t sim_shared_start(struct sim_shared *shared, unsigned node);

/* A node has closed: others need not wait for its lease. */
void sim_shared_end(struct sim_shared *shared, unsigned node, int64_t epoch);

/* Whether all that gateways that are not there any more have left is settled. */
bool sim_shared_is_tidy(const struct sim_shared *shared);

/* Whether requests of this kind are carried out in one transaction with others; whether one needs
 * no lease. As in vito/store/postgres. */
bool sim_shared_is_grouped(enum vito_op op);
bool sim_shared_is_reading(enum vito_op op);

#endif
