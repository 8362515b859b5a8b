/*
 * vito/store/postgres/link.h - one connection in pipeline mode, and the prepared statements on it.
 *
 * Statements are sent without waiting; vito_pg_sync() waits for the answers of all that were sent
 * since the last one. After an error the server skips the rest up to that point. Nothing here
 * waits longer than EXCHANGE_MS: a server that does not answer by then counts as lost.
 */
#ifndef VITO_STORE_POSTGRES_LINK_H
#define VITO_STORE_POSTGRES_LINK_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "runtime/status.h"
#include "runtime/world.h"
#include "vito/store/postgres/arguments.h"
#include "vito/store/postgres/statements.h"

enum { VITO_PG_SENT_MAX = 24, VITO_PG_MESSAGE_BYTES = 256 };

struct vito_pg_link {
    const struct rt_world *world;
    PGconn *connection;                  /* NULL: not connected */
    PGresult *results[VITO_PG_SENT_MAX]; /* of the last sync */
    unsigned sent;
    char state[6]; /* SQLSTATE of the first error since the last sync, or "" */
    char message[VITO_PG_MESSAGE_BYTES];
};

enum vito_pg_outcome {
    VITO_PG_DONE,
    VITO_PG_REFUSED, /* an error; the connection is fine, the transaction is not */
    VITO_PG_LOST,    /* no answer, or no connection: what was sent may have happened */
};

/*
 * Connects, and sets the session up; prepares nothing.
 *
 *   returns    RT_OK | RT_IO | RT_INVALID (not in UTF-8); link->message says why
 *   blocking   up to CONNECT_S
 */
RT_MUST_USE enum rt_status vito_pg_connect(struct vito_pg_link *link, const char *uri);
void vito_pg_disconnect(struct vito_pg_link *link);

/* Takes the gateway's role and prepares every statement. The schema is there. */
RT_MUST_USE enum vito_pg_outcome vito_pg_prepare_all(struct vito_pg_link *link);

/* Queues a statement. Returns the number of its result. */
unsigned vito_pg_send(struct vito_pg_link *link, enum vito_pg_statement statement,
                      const struct vito_pg_arguments *arguments);

/* The same for a text without arguments: one command, not prepared. */
unsigned vito_pg_send_text(struct vito_pg_link *link, const char *sql);

/* Waits for the results of all that was queued. */
RT_MUST_USE enum vito_pg_outcome vito_pg_sync(struct vito_pg_link *link);

/* Notes an error of our own. Returns VITO_PG_REFUSED. */
enum vito_pg_outcome vito_pg_fail(struct vito_pg_link *link, const char *state,
                                  const char *message);

/* Whether the command that ended was that one. */
bool vito_pg_is_tagged(const struct vito_pg_link *link, unsigned result, const char *tag);

/* Of one result, in its binary format. */
int vito_pg_rows(const struct vito_pg_link *link, unsigned result);
int64_t vito_pg_changes(const struct vito_pg_link *link, unsigned result);
int64_t vito_pg_i64(const struct vito_pg_link *link, unsigned result, int row, int column);
/* NULL when null; NUL-terminated, until the next sync. */
const char *vito_pg_text(const struct vito_pg_link *link, unsigned result, int row, int column);
/* Cut when it does not fit. */
void vito_pg_copy(const struct vito_pg_link *link, unsigned result, int row, int column, char *out,
                  size_t room);
/* NULL when it is not of that size. */
const void *vito_pg_bytes(const struct vito_pg_link *link, unsigned result, int row, int column,
                          size_t size_bytes);
/* Of any size; until the next sync. */
const void *vito_pg_value(const struct vito_pg_link *link, unsigned result, int row, int column,
                          size_t *size_bytes_out);
/* RT_OK | RT_NO_MEMORY | RT_TOO_BIG. */
RT_MUST_USE enum rt_status vito_pg_buffer(const struct vito_pg_link *link, unsigned result, int row,
                                          int column, struct rt_buffer **buffer_out);

/* What the last error says of the request: RT_NOT_FOUND, RT_EXISTS, RT_INVALID (a constraint
 * refused it), or RT_UNAVAILABLE (it is not the request's fault). */
enum rt_status vito_pg_status(const struct vito_pg_link *link);

/* Whether the last error came from another transaction's locks: trying again may help. */
bool vito_pg_is_transient(const struct vito_pg_link *link);

#endif
