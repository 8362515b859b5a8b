/*
 * vito/store/sqlite/query.h - every statement of the store, prepared once, by name.
 */
#ifndef VITO_STORE_SQLITE_QUERY_H
#define VITO_STORE_SQLITE_QUERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "runtime/status.h"

struct vito_sqlite;

enum vito_query {
    QUERY_BEGIN,
    QUERY_COMMIT,
    QUERY_NODE_START,
    QUERY_TENANT_UPDATE,
    QUERY_TENANT_INSERT,
    QUERY_TENANT_GET,
    QUERY_TENANT_LIST,
    QUERY_TENANT_REMOVE,
    QUERY_POLICY_CONFIG_ADD,
    QUERY_KEY_ADD,
    QUERY_KEY_COUNT,
    QUERY_KEY_LIST,
    QUERY_KEY_ADD_FOR,
    QUERY_KEY_END,
    QUERY_KEY_REMOVE,
    QUERY_MEMORY_PUT,
    QUERY_MEMORY_GET,
    QUERY_BUDGET_OPEN,
    QUERY_BUDGET_FREEZE_OTHERS,
    QUERY_BUDGET_READ,
    QUERY_BUDGET_RESERVE,
    QUERY_BUDGET_POST,
    QUERY_BUDGET_UNRESERVE_STALE,
    QUERY_GRANT_ADD,
    QUERY_GRANT_READ,
    QUERY_GRANT_READ_FREE,
    QUERY_GRANT_LOWER,
    QUERY_GRANT_CLOSE_STALE,
    QUERY_LEG_OPEN,
    QUERY_LEG_EXTEND,
    QUERY_LEG_REF,
    QUERY_LEG_READ,
    QUERY_LEG_SETTLE,
    QUERY_LEG_FIND_OPEN,
    QUERY_ADOPT_SET_ASIDE,
    QUERY_ADOPT_LOWER_STALE,
    QUERY_ADOPT_LEGS,
    QUERY_LEG_COUNT_ADOPTED,
    QUERY_LEG_LIST_ADOPTED,
    QUERY_LEG_LIST,
    QUERY_AUDIT_LAST_CHAIN,
    QUERY_AUDIT_ADD,
    QUERY_AUDIT_MOVE_HEAD,
    QUERY_AUDIT_LIST,
    QUERY_AUDIT_LIST_OF_SESSION,
    QUERY_AUDIT_CHAINS,
    QUERY_TRAIL_HEAD,
    QUERY_TRAIL_HEADS,
    QUERY_TRAIL_EXPORT,
    QUERY_CHECKPOINT_ADD,
    QUERY_CHECKPOINT_NOTE,
    QUERY_PRUNE_FIND,
    QUERY_PRUNE_MEASURE,
    QUERY_PRUNE_ALLOW,
    QUERY_PRUNE_CHECKPOINTS,
    QUERY_PRUNE_ROWS,
    QUERY_REFUND_GET,
    QUERY_REFUND_OF_LEG,
    QUERY_REFUND_ROOM,
    QUERY_REFUND_ADD,
    QUERY_REFUND_POST,
    QUERY_TURN_FIND,
    QUERY_TURN_REMOVE,
    QUERY_TURN_SWEEP,
    QUERY_TURN_ADD,
    QUERY_TURN_KEEP,
    QUERY_TURN_FORGET,
    QUERY_TURN_GIVE_UP,
    QUERY_TICKET_SWEEP,
    QUERY_TICKET_ADD,
    QUERY_TICKET_READ,
    QUERY_TICKET_REMOVE,
    QUERY_SEALED_LIST,
    QUERY_SEALED_OF_TENANT,
    QUERY_ROOT_GET,
    QUERY_ROOT_ADD,
    QUERY_ROOT_REPLACE,
    QUERY_TENANT_KEY_ADD,
    QUERY_TENANT_KEY_REPLACE,
    QUERY_SECRET_PUT,
    QUERY_SECRET_REMOVE,
    QUERY_SAVEPOINT,
    QUERY_ROLLBACK_TO,
    QUERY_RELEASE,
    QUERY_COUNT,
};

/* The text of a statement. (query_text.c) */
const char *vito_query_text(enum vito_query query);

struct vito_value {
    enum { VALUE_NULL, VALUE_I64, VALUE_TEXT, VALUE_BLOB } type;
    int64_t i64;
    const void *bytes; /* of texts and blobs; must live until the rows are read */
    size_t size_bytes;
};

struct vito_value vito_null(void);
struct vito_value vito_i64(int64_t value);
struct vito_value vito_text(const char *text); /* NULL and "" are null */
struct vito_value vito_blob(const void *bytes, size_t size_bytes);
struct vito_value vito_document(const struct rt_buffer *document); /* text; NULL is null */

/* Prepares all statements; false when one does not fit the schema. */
RT_MUST_USE bool vito_query_prepare_all(struct vito_sqlite *database);
void vito_query_finalize_all(struct vito_sqlite *database);

/*
 * Runs a statement up to its first row; vito_query_next() goes on. One statement at a time: the
 * rows of the one before are gone.
 *
 *   returns    RT_OK (a row) | RT_EMPTY (done, no row) | RT_NOT_FOUND, RT_EXISTS, RT_INVALID (a
 *              constraint refused it: what it refers to is not there, it is there already, or it
 *              is not sound; nothing changed) | RT_UNAVAILABLE (the transaction is broken; logged)
 */
RT_MUST_USE enum rt_status vito_query_run(struct vito_sqlite *database, enum vito_query query,
                                          const struct vito_value *values, size_t count);
RT_MUST_USE enum rt_status vito_query_next(struct vito_sqlite *database);

/* VITO_QUERY(database, QUERY_TENANT_GET, vito_text(id)) */
#define VITO_QUERY(database, query, ...)                                                           \
    vito_query_run(database, query, (const struct vito_value[]){__VA_ARGS__},                      \
                   RT_COUNT_OF(((const struct vito_value[]){__VA_ARGS__})))

/* Lets go of the rows. */
void vito_query_done(struct vito_sqlite *database);

/* How many rows the last statement changed. */
int64_t vito_query_changes(const struct vito_sqlite *database);

/* Columns of the present row, from 0. Texts and blobs are valid until the row is left; NULL when
 * null, or not of `size_bytes`. */
int64_t vito_column_i64(const struct vito_sqlite *database, int column);
const char *vito_column_text(const struct vito_sqlite *database, int column);
const void *vito_column_blob(const struct vito_sqlite *database, int column, size_t size_bytes);

/* A blob of any size. */
const void *vito_column_bytes(const struct vito_sqlite *database, int column,
                              size_t *size_bytes_out);

/* Copies a text; "" when null, cut when it does not fit. */
void vito_column_copy(const struct vito_sqlite *database, int column, char *out, size_t room);

/* A text or blob as a buffer of its own. RT_OK | RT_NO_MEMORY | RT_TOO_BIG. */
RT_MUST_USE enum rt_status vito_column_buffer(const struct vito_sqlite *database, int column,
                                              struct rt_buffer **buffer_out);

#endif
