/*
 * vito/store/sqlite/internal.h - what the parts of the embedded store know of each other.
 */
#ifndef VITO_STORE_SQLITE_INTERNAL_H
#define VITO_STORE_SQLITE_INTERNAL_H

#include <sqlite3.h>

#include "vito/audit_chain.h"
#include "vito/store/sqlite/query.h"
#include "vito/store/sqlite/sqlite.h"
#include "vito/store/sqlite/tally.h"

/* The one gateway of an embedded store. */
#define VITO_NODE "local"

enum {
    VITO_APPLICATION_ID = 0x5457494e, /* "TWIN", in the header of the file */
    VITO_BUSY_TIMEOUT_MS = 5000,
};

struct vito_sqlite {
    sqlite3 *db;
    int lock_fd;   /* keeps other gateways out; -1 when nothing is locked */
    int64_t epoch; /* of this life */
    sqlite3_stmt *prepared[QUERY_COUNT];
    sqlite3_stmt *current; /* whose rows are being read, or NULL */
    bool shreds;           /* what was removed or replaced is to leave the log as well */
    struct vito_tally tally;
};

/* Where it is told why a store could not be opened. */
struct vito_store_problem {
    const char *path;
    char *text;
    size_t room_bytes;
};

/* Writes "store <path>: <what>: <remedy>". Returns `status`. */
enum rt_status vito_store_refuse(const struct vito_store_problem *problem, enum rt_status status,
                                 const char *what, const char *remedy);

/* The same, of SQLite's last error. */
enum rt_status vito_store_refuse_error(const struct vito_store_problem *problem, sqlite3 *db);

struct vito_store_file {
    bool is_new;      /* it does not exist, or is empty */
    bool needs_check; /* pages may be missing that a log should have: only a full check can tell */
};

/* Looks at a file before SQLite does, and changes nothing. RT_OK | RT_IO | RT_INVALID. (probe.c) */
RT_MUST_USE enum rt_status vito_store_probe(const struct vito_store_problem *problem,
                                            struct vito_store_file *file_out);

/* Brings the schema up to date, or with `migrate` false refuses one that is not. (migrate.c) */
RT_MUST_USE enum rt_status vito_store_migrate(sqlite3 *db, bool migrate, int64_t now_ms,
                                              const struct vito_store_problem *problem);

/* Begins a new epoch and settles what former ones left open, within a transaction. False when
 * that is broken. (recover.c) */
RT_MUST_USE bool vito_store_recover(struct vito_sqlite *database, int64_t now_ms);

struct vito_answer {
    struct vito_stored stored; /* its status is what the handler returns */
    struct rt_buffer *document;
};

/* Carries out one request; returns its status. RT_UNAVAILABLE: the transaction is broken. */
typedef enum rt_status (*vito_handler)(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);

/* tenants.c */
enum rt_status vito_handle_tenant_put(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_tenant_get(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_tenant_list(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);
enum rt_status vito_handle_tenant_remove(struct vito_sqlite *database,
                                         const struct vito_request *request,
                                         struct vito_answer *answer);
enum rt_status vito_handle_memory_put(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_memory_get(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);

/* keys.c */
enum rt_status vito_handle_key_rotate(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_key_add(struct vito_sqlite *database, const struct vito_request *request,
                                   struct vito_answer *answer);
enum rt_status vito_handle_key_list(struct vito_sqlite *database,
                                    const struct vito_request *request, struct vito_answer *answer);
enum rt_status vito_handle_key_remove(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);

/* budgets.c */
enum rt_status vito_handle_budget_open(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);
enum rt_status vito_handle_budget_grant(struct vito_sqlite *database,
                                        const struct vito_request *request,
                                        struct vito_answer *answer);
enum rt_status vito_handle_budget_return(struct vito_sqlite *database,
                                         const struct vito_request *request,
                                         struct vito_answer *answer);

/* legs.c */
enum rt_status vito_handle_leg_open(struct vito_sqlite *database,
                                    const struct vito_request *request, struct vito_answer *answer);
enum rt_status vito_handle_leg_extend(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_leg_ref(struct vito_sqlite *database, const struct vito_request *request,
                                   struct vito_answer *answer);
enum rt_status vito_handle_leg_settle(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_leg_list_adopted(struct vito_sqlite *database,
                                            const struct vito_request *request,
                                            struct vito_answer *answer);
enum rt_status vito_handle_leg_list(struct vito_sqlite *database,
                                    const struct vito_request *request, struct vito_answer *answer);

/* audit.c */
enum rt_status vito_handle_audit_append(struct vito_sqlite *database,
                                        const struct vito_request *request,
                                        struct vito_answer *answer);
enum rt_status vito_handle_audit_list(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);

/* trail.c */
enum rt_status vito_handle_audit_export(struct vito_sqlite *database,
                                        const struct vito_request *request,
                                        struct vito_answer *answer);
enum rt_status vito_handle_audit_heads(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);
enum rt_status vito_handle_audit_checkpoint(struct vito_sqlite *database,
                                            const struct vito_request *request,
                                            struct vito_answer *answer);
enum rt_status vito_handle_audit_prune(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);

/* refunds.c */
enum rt_status vito_handle_refund(struct vito_sqlite *database, const struct vito_request *request,
                                  struct vito_answer *answer);

/* turns.c */
enum rt_status vito_handle_turn_find(struct vito_sqlite *database,
                                     const struct vito_request *request,
                                     struct vito_answer *answer);
enum rt_status vito_handle_turn_begin(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_turn_end(struct vito_sqlite *database,
                                    const struct vito_request *request, struct vito_answer *answer);

/* Keeps the answer in the request's document. RT_OK | RT_INVALID | RT_UNAVAILABLE. (turns.c) */
RT_MUST_USE enum rt_status vito_turn_end(struct vito_sqlite *database,
                                         const struct vito_request *request);

/* tickets.c */
enum rt_status vito_handle_ticket_add(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_ticket_take(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);

/* vault.c */
enum rt_status vito_handle_vault_list(struct vito_sqlite *database,
                                      const struct vito_request *request,
                                      struct vito_answer *answer);
enum rt_status vito_handle_vault_write(struct vito_sqlite *database,
                                       const struct vito_request *request,
                                       struct vito_answer *answer);

/* The month's figures as they are. RT_OK | RT_NOT_FOUND | RT_UNAVAILABLE. (budgets.c) */
RT_MUST_USE enum rt_status vito_budget_read(struct vito_sqlite *database, const char *tenant_id,
                                            int64_t period_start_ms,
                                            struct vito_budget *budget_out);

/* The figures in the present row. */
struct vito_budget vito_budget_of_row(const struct vito_sqlite *database);

/* Settles an open leg of `tenant_id`: usage, grant, budget and audit record. RT_OK |
 * RT_NOT_FOUND | RT_UNAVAILABLE. (legs.c) */
RT_MUST_USE enum rt_status vito_leg_settle(struct vito_sqlite *database, const char *tenant_id,
                                           const struct vito_leg *leg, struct vito_stored *stored);

/* The record in the present row of a list. */
struct vito_audit_record vito_audit_record_of_row(const struct vito_sqlite *database);

/* Appends a record to its tenant's chain. As vito_query_run(), without rows. (audit.c) */
RT_MUST_USE enum rt_status vito_audit_add(struct vito_sqlite *database,
                                          const struct vito_audit_record *record);

/* The same of a request's note. */
RT_MUST_USE enum rt_status vito_audit_add_note(struct vito_sqlite *database,
                                               const struct vito_request *request);

#endif
