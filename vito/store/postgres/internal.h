/*
 * vito/store/postgres/internal.h - what the parts of the shared store know of each other.
 */
#ifndef VITO_STORE_POSTGRES_INTERNAL_H
#define VITO_STORE_POSTGRES_INTERNAL_H

#include "vito/store/hearing.h"
#include "vito/store/postgres/books.h"
#include "vito/store/postgres/link.h"
#include "vito/store/postgres/postgres.h"

enum { VITO_PG_URI_BYTES = 1024 };

/* Columns of the groups that are written, at most. */
enum { VITO_PG_COLUMNS_MAX = 17 };

struct vito_postgres {
    struct vito_pg_link link;
    char uri[VITO_PG_URI_BYTES];
    char node[VITO_NODE_BYTES];
    const struct rt_world *world;
    uint32_t lease_ms;
    int64_t epoch;      /* of this life */
    int64_t nodes_live; /* gateways on this database, as of the last transaction */
    bool in_transaction;
    bool fenced;           /* the epoch is not ours any more */
    bool committing;       /* a commit was sent: it may have happened */
    int64_t batch;         /* number of the last transaction of this life that writes */
    unsigned lease_result; /* 0: the transaction only reads */
    bool begin_unread;     /* that result is still to be looked at */
    struct vito_books books;
    struct vito_pg_array news; /* for other gateways, with the commit */
    bool news_are_numbered;    /* they tell of a change that all gateways keep in memory */
    bool news_missed;          /* some were lost: what they were about is to be read again */
    struct vito_hearing hearing;
    struct vito_pg_array columns[VITO_PG_COLUMNS_MAX];
    struct vito_pg_array keys[4];
};

/* A request and its answer. */
struct vito_pg_item {
    const struct vito_request *request;
    struct vito_stored stored;
    struct rt_buffer *document;
};

/* Months of a batch, as they come, each again and again. Some that were seen are forgotten, so a
 * month can be new twice. Zeroed: none. */
enum { VITO_PG_SEEN = 256 };
struct vito_pg_seen {
    const struct vito_request *at[VITO_PG_SEEN];
};

/* Whether the month of a request is seen for the first time, as far as is known. (load.c) */
bool vito_pg_is_new(struct vito_pg_seen *seen, const struct vito_request *request);

/* Where it is told why a store could not be opened. */
struct vito_pg_problem {
    const char *uri;
    char *text;
    size_t room_bytes;
};

/* Writes "store <uri without password>: <what>: <remedy>". Returns `status`. (open.c) */
enum rt_status vito_pg_refuse(const struct vito_pg_problem *problem, enum rt_status status,
                              const char *what, const char *remedy);

/* Connects, takes the node's name, and prepares all. RT_OK | RT_IO | RT_INVALID | RT_EXISTS: the
 * link's message says why. (open.c) */
RT_MUST_USE enum rt_status vito_pg_attach(struct vito_postgres *database);

/* Brings the schema up to date over a link that is not in pipeline mode yet. (migrate.c) */
RT_MUST_USE enum rt_status vito_pg_migrate(struct vito_pg_link *link, bool migrate,
                                           const struct vito_pg_problem *problem);

/* Transactions. (transaction.c)
 *
 * begin queues a transaction that sees the tenants of `items`, or all when there are none or the
 * first names none; with `write` it renews the lease. exchange is a sync that also looks at what
 * begin queued: VITO_PG_LOST as well when the node was fenced. */
void vito_pg_begin(struct vito_postgres *database, const struct vito_pg_item *items, size_t count,
                   bool write);
RT_MUST_USE enum vito_pg_outcome vito_pg_exchange(struct vito_postgres *database);
RT_MUST_USE enum vito_pg_outcome vito_pg_commit(struct vito_postgres *database);
void vito_pg_rollback(struct vito_postgres *database);

/* Whether the transaction of that number took place, asked on a new connection. RT_OK: it did |
 * RT_NOT_FOUND: it did not, and will not | RT_UNAVAILABLE: not known yet. */
RT_MUST_USE enum rt_status vito_pg_fate(struct vito_postgres *database, int64_t batch);

/* Whether requests of this kind are carried out in groups. (batch.c) */
bool vito_pg_is_grouped(enum vito_op op);

/* Carries out requests that are, within a transaction, and writes what changed; with `commit` the
 * commit goes along. (batch.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_run(struct vito_postgres *database,
                                             struct vito_pg_item *items, size_t count, bool commit);

/* Carries out one that is not. Its status is in item->stored when it is VITO_PG_DONE. (single.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_run_single(struct vito_postgres *database,
                                                    struct vito_pg_item *item);
bool vito_pg_is_reading(enum vito_op op);

/* Reads what the requests are about, locks it, and lays it out in database->books. (load.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_load(struct vito_postgres *database,
                                              const struct vito_pg_item *items, size_t count);

/* The figures in a row that begins with them. (load.c) */
struct vito_budget vito_pg_figures(const struct vito_pg_link *link, unsigned result, int row);

/* Queues statements that write what has changed. (save.c) */
void vito_pg_save(struct vito_postgres *database);

/* Begins a new epoch, and settles what former ones left open, in a transaction of its own; again
 * when another gateway's locks were in the way. (recover.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_recover(struct vito_postgres *database);

/* Settles what a node left open in epochs before `epoch`, within a transaction that has fenced
 * it. (recover.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_settle_node(struct vito_postgres *database,
                                                     const char *name, int64_t epoch);

/* The record in a row of a list. (lists.c) */
struct vito_audit_record vito_pg_record(const struct vito_pg_link *link, unsigned result, int row);

/* Appends a record to a trail, within a transaction. `details` may be NULL. (single.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_append(struct vito_postgres *database,
                                                const char *tenant_id,
                                                const struct vito_audit_event *event,
                                                const char *details, size_t details_bytes);

/* Tells other gateways, if there are any, with the commit, which sends them. (news.c) */
void vito_pg_tell(struct vito_postgres *database, enum vito_news_kind kind, const char *tenant_id);

void vito_pg_send_news(struct vito_postgres *database);

/* Reads which change is the last one: what is read from now on has it. (news.c) */
RT_MUST_USE enum rt_status vito_pg_begin_hearing(struct vito_postgres *database);

/* The next thing another gateway told. False when there is none. Sets news_missed. (news.c) */
RT_MUST_USE bool vito_pg_hear(struct vito_postgres *database, struct vito_news *news_out);

/* Settles one node whose lease ran out `grace_ms` ago; *found_out tells whether there was one.
 * (recover.c) */
RT_MUST_USE enum vito_pg_outcome vito_pg_reap(struct vito_postgres *database, uint32_t grace_ms,
                                              bool *found_out);

/* Whether it is about tickets: such requests are carried out together, and are any tenant's. Within
 * a transaction that sees all tenants. (tickets.c) */
bool vito_pg_is_about_tickets(enum vito_op op);
RT_MUST_USE enum vito_pg_outcome vito_pg_run_tickets(struct vito_postgres *database,
                                                     struct vito_pg_item *items, size_t count);

/* single.c's parts: they return what vito_pg_run_single() does. */
enum vito_pg_outcome vito_pg_budget_open(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_budget_return(struct vito_postgres *database,
                                           struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_audit_list(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_audit_export(struct vito_postgres *database,
                                          struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_audit_heads(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_audit_checkpoint(struct vito_postgres *database,
                                              struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_audit_prune(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_turn_find(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_turn_begin(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_turn_end(struct vito_postgres *database, struct vito_pg_item *item);

/* Queues a statement that keeps the answers that came with settlements. (turns.c) */
void vito_pg_save_turns(struct vito_postgres *database, const struct vito_pg_item *items,
                        size_t count);
enum vito_pg_outcome vito_pg_refund(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_tenant_list(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_key_list(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_leg_list(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_leg_list_adopted(struct vito_postgres *database,
                                              struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_vault_list(struct vito_postgres *database, struct vito_pg_item *item);
enum vito_pg_outcome vito_pg_vault_write(struct vito_postgres *database, struct vito_pg_item *item);

#endif
