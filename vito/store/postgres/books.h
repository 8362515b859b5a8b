/*
 * vito/store/postgres/books.h - the rows that a batch is about, in memory: read and locked, then
 * changed in the order of the requests, then written back.
 *
 * The rules are those of vito/store/settlement.h and vito/store/sqlite: one suite of cases holds
 * for both.
 */
#ifndef VITO_STORE_POSTGRES_BOOKS_H
#define VITO_STORE_POSTGRES_BOOKS_H

#include "runtime/table.h"
#include "vito/audit_chain.h"
#include "vito/store.h"
#include "vito/store/postgres/arguments.h"
#include "vito/store/postgres/postgres.h"

enum { VITO_PG_BATCH_MAX = 1000 };

struct vito_pg_month {
    struct rt_table_link link; /* by tenant and period */
    char tenant_id[VITO_TENANT_ID_BYTES];
    int64_t period_start_ms;
    struct vito_budget figures;
    int64_t excess_nusd; /* of posted and reserved, beyond the limit */
    bool changed;
};

struct vito_pg_grant {
    struct rt_table_link link; /* by tenant, period, node and epoch */
    char tenant_id[VITO_TENANT_ID_BYTES];
    char node[VITO_NODE_BYTES];
    int64_t period_start_ms, epoch;
    int64_t left_nusd, granted_nusd;
    bool added, changed;
};

struct vito_pg_leg {
    struct rt_table_link link; /* by tenant and id */
    char tenant_id[VITO_TENANT_ID_BYTES];
    char node[VITO_NODE_BYTES];
    int64_t period_start_ms, epoch, opened_ms, overrun_nusd;
    struct vito_leg row;              /* at_ms: of its settlement */
    uint8_t place[VITO_PG_TID_BYTES]; /* of one that is there: until the transaction ends */
    bool settled, added, changed;
    bool adopted; /* of a former life: nobody's account knows of what it holds */
};

struct vito_pg_head {
    struct rt_table_link link; /* by tenant */
    char tenant_id[VITO_TENANT_ID_BYTES];
    int64_t seq;
    struct vito_chain chain;
    bool changed;
};

/* A record that is there already, or one to be added. */
struct vito_pg_event {
    struct rt_table_link link;       /* by tenant and id */
    struct vito_audit_record record; /* of one that is there: tenant_id and id */
    char tenant_id[VITO_TENANT_ID_BYTES], id[VITO_ID_BYTES];
    int64_t seq;
    struct vito_chain chain;
    bool added;
};

/* Rows of one kind, found by their keys. */
struct vito_pg_shelf {
    struct rt_table table;
    void *rows;
    size_t count;
};

struct vito_books {
    struct vito_pg_shelf months, grants, legs, heads, events;
    bool failed; /* out of memory, half way: nothing of it may be written */
};

RT_MUST_USE bool vito_books_init(struct vito_books *books);
void vito_books_deinit(struct vito_books *books);
void vito_books_clear(struct vito_books *books);

/* Find a row, or NULL. */
struct vito_pg_month *vito_books_month(const struct vito_books *books, const char *tenant_id,
                                       int64_t period_start_ms);
struct vito_pg_grant *vito_books_grant(const struct vito_books *books,
                                       const struct vito_pg_grant *key);
struct vito_pg_leg *vito_books_leg(const struct vito_books *books, const char *tenant_id,
                                   const char *leg_id);
struct vito_pg_head *vito_books_head(const struct vito_books *books, const char *tenant_id);
struct vito_pg_event *vito_books_event(const struct vito_books *books, const char *tenant_id,
                                       const char *id);

/* Add a row whose key is not there yet; its link is the books'. NULL when there is no room: a
 * batch has room for all that VITO_PG_BATCH_MAX requests can be about. */
struct vito_pg_month *vito_books_add_month(struct vito_books *books,
                                           const struct vito_pg_month *month);
struct vito_pg_grant *vito_books_add_grant(struct vito_books *books,
                                           const struct vito_pg_grant *grant);
struct vito_pg_leg *vito_books_add_leg(struct vito_books *books, const struct vito_pg_leg *leg);
struct vito_pg_head *vito_books_add_head(struct vito_books *books, const struct vito_pg_head *head);
struct vito_pg_event *vito_books_add_event(struct vito_books *books,
                                           const struct vito_pg_event *event);

/* Who carries a request out. */
struct vito_books_owner {
    const char *node;
    int64_t epoch;
    uint32_t nodes; /* on the store */
};

/* Carries out a GRANT, LEG_OPEN, LEG_EXTEND, LEG_SETTLE or AUDIT_APPEND. Its answer is in
 * *stored. (entries.c) */
void vito_books_carry_out(struct vito_books *books, const struct vito_books_owner *owner,
                          const struct vito_request *request, struct vito_stored *stored);

#endif
