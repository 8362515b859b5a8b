/*
 * vito/store/sqlite/tally.h - what the settlements of one transaction do to months and grants,
 * added up in memory and written once, the ends of the tenants' audit chains, and the last legs
 * that were opened.
 *
 * A month that many legs are settled in is read once and written once a transaction. It stands in
 * the place its key hashes to; one that comes to the same place has it written first. Whatever
 * else reads or changes months or grants calls vito_tally_write() before.
 *
 * The ends of chains and the open legs outlive transactions, since nobody else writes: a rollback
 * forgets them. What is not here, or had to make room, is read.
 */
#ifndef VITO_STORE_SQLITE_TALLY_H
#define VITO_STORE_SQLITE_TALLY_H

#include "vito/audit_chain.h"
#include "vito/store.h"

enum { VITO_TALLY_PLACES = 1024, VITO_TALLY_LEGS = 512 };

/* A leg as its intent was written: who it is for is not said again. */
struct vito_leg_row {
    bool is_open, is_adopted;
    int64_t period_start_ms, epoch, held_nusd, cost_nusd;
    char session_id[VITO_ID_BYTES];
    char provider_id[VITO_PROVIDER_BYTES];
    char decision_id[VITO_ID_BYTES];
    char policy_version[VITO_VERSION_BYTES];
    enum vito_mode mode;
};

struct vito_tally_leg {
    char id[VITO_ID_BYTES]; /* "": the place is free */
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_leg_row row;
};

struct vito_tally_month {
    char tenant_id[VITO_TENANT_ID_BYTES]; /* "": the place is free */
    int64_t period_start_ms, epoch;
    struct vito_budget budget;        /* as it will be written */
    int64_t left_nusd;                /* in the grant of that epoch, as it will be written */
    int64_t paid_nusd, returned_nusd; /* out of that grant since it was read */
};

struct vito_tally_tail {
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_chain chain;
    int64_t seq;  /* of the last record */
    bool changed; /* since it was written */
};

struct vito_tally {
    struct vito_tally_month months[VITO_TALLY_PLACES];
    unsigned months_open; /* places that are not free */
    struct vito_tally_tail tails[VITO_TALLY_PLACES];
    unsigned tails_changed;
    struct vito_tally_leg legs[VITO_TALLY_LEGS];
};

struct vito_sqlite;

/* The month and grant a leg was opened in, to be changed in place until the next call here. RT_OK
 * | RT_UNAVAILABLE (the transaction is broken). */
RT_MUST_USE enum rt_status vito_tally_month(struct vito_sqlite *database, const char *tenant_id,
                                            int64_t period_start_ms, int64_t epoch,
                                            struct vito_tally_month **month_out);

/* Writes all months, and the ends of chains that moved. RT_OK | RT_UNAVAILABLE (the transaction is
 * broken). */
RT_MUST_USE enum rt_status vito_tally_write(struct vito_sqlite *database);

/* Forgets everything: the transaction, or a part of it, was undone. */
void vito_tally_forget(struct vito_sqlite *database);

/* Keeps a leg that was just opened. */
void vito_tally_keep_leg(struct vito_sqlite *database, const char *tenant_id, const char *leg_id,
                         const struct vito_leg_row *row);

/* Takes out a leg that is about to change. False when it is not here. */
bool vito_tally_take_leg(struct vito_sqlite *database, const char *tenant_id, const char *leg_id,
                         struct vito_leg_row *row_out);

/* Where the chain of a tenant ends, or NULL when that is to be read. */
const struct vito_chain *vito_tally_tail(struct vito_sqlite *database, const char *tenant_id);
/* Moves it. As vito_query_run(), without rows. */
RT_MUST_USE enum rt_status vito_tally_set_tail(struct vito_sqlite *database, const char *tenant_id,
                                               const struct vito_chain *chain, int64_t seq);

#endif
