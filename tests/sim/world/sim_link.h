/*
 * tests/sim/world/sim_link.h - a gateway's way to the shared store: what the store's thread of
 * vito/store/postgres does, in the gateway's own time, with a network that fails in between.
 *
 * One transaction is under way at a time. When no answer comes, the connection is taken for broken:
 * requests are answered RT_UNAVAILABLE until there is another one. Then it is asked what became of
 * a transaction that may have taken place; when that cannot be had for long, those requests are
 * RT_UNAVAILABLE as well. When others have settled what this node had open, it begins a new epoch.
 */
#ifndef TESTS_SIM_WORLD_SIM_LINK_H
#define TESTS_SIM_WORLD_SIM_LINK_H

#include "tests/sim/world/sim_shared.h"
#include "vito/store/hearing.h"

enum { SIM_LETTERS_MAX = 64 };

/* News on its way. */
struct sim_letter {
    struct sim_link *link; /* NULL: it has arrived */
    struct vito_news news;
    int64_t change; /* of which they are; 0: of none that is numbered */
    bool is_own;
};

struct sim_link {
    struct sim_link *next; /* of all that ever were */
    struct sim_shared *shared;
    struct rt_sim *sim; /* of the gateway */
    uint64_t birth_ns;  /* the gateway's boot clock began then, by the world's */
    unsigned node;
    int64_t epoch, batch;
    struct rt_address listener;

    bool cuts_requests, cuts_answers; /* the network */
    bool is_dead;                     /* the gateway is gone: nothing comes back */

    bool is_connected, must_start;
    uint64_t attached_ns;
    struct sim_item *first, **end;    /* waiting, oldest first */
    struct sim_transaction *busy;     /* under way */
    struct sim_transaction *in_doubt; /* it may have taken place */
    uint64_t doubt_until_ns, patience_until_ns, beat_ns;
    bool wake_is_set, tick_is_set;
    struct sim_transaction *transactions; /* all that are looked at by somebody */
    struct sim_letter letters[SIM_LETTERS_MAX];
    struct vito_hearing hearing;
    uint64_t look_ns;
};

/* For a gateway whose epoch has begun. `link` outlives the gateway, and the clock. */
void sim_link_open(struct sim_link *link, int64_t epoch);

/* The gateway is gone, and its simulation will be. What it has sent may still arrive. */
void sim_link_kill(struct sim_link *link);

/* Frees what it has, when nothing runs any more. */
void sim_link_close(struct sim_link *link);

struct vito_store sim_link_port(struct sim_link *link);

/* Sends news. It may get lost. `change` is its number, if it is numbered, or 0. */
void sim_link_tell(struct sim_link *link, const struct vito_news *news, int64_t change,
                   bool is_own);

/* The gateway's time, by the world's clock. */
uint64_t sim_link_now_ns(const struct sim_link *link);

/* Lets the gateway's time pass up to the world's. */
void sim_link_catch_up(const struct sim_link *link);

#endif
