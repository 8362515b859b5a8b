#include "vito/store/postgres/link.h"

#include <endian.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "runtime/assert.h"

enum { EXCHANGE_MS = 5000, CONNECT_S = 2 };

/* Time limits, so that a gateway that stands still does not hold locks for long; and plans by
 * index only, because every statement looks rows up by key, however few a table has today. */
static const char session[] =
    "SET statement_timeout = '4s'; SET lock_timeout = '2s';"
    "SET idle_in_transaction_session_timeout = '2s';"
    "SET synchronous_commit = on;"
    "SET plan_cache_mode = force_generic_plan;"
    "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;"
    "SET jit = off";

static void
take_message(struct vito_pg_link *link, const char *text)
{
    snprintf(link->message, sizeof(link->message), "%s", text == NULL ? "" : text);
    link->message[strcspn(link->message, "\n")] = '\0';
}

static void
forget_results(struct vito_pg_link *link)
{
    for (unsigned i = 0; i < VITO_PG_SENT_MAX; i++) {
        PQclear(link->results[i]);
        link->results[i] = NULL;
    }
}

void
vito_pg_disconnect(struct vito_pg_link *link)
{
    forget_results(link);
    link->sent = 0;
    if (link->connection != NULL)
        PQfinish(link->connection);
    link->connection = NULL;
}

/* Notices go nowhere: they would be printed to stderr. */
static void
ignore_notice(void *context, const PGresult *notice)
{
    (void)context, (void)notice;
}

static enum rt_status
set_up(struct vito_pg_link *link)
{
    PGresult *result = PQexec(link->connection, session);
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    const char *encoding = PQparameterStatus(link->connection, "server_encoding");
    if (!done) {
        take_message(link, PQerrorMessage(link->connection));
        return RT_IO;
    }
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0) {
        take_message(link, "the database is not in UTF8");
        return RT_INVALID;
    }
    return RT_OK;
}

enum rt_status
vito_pg_connect(struct vito_pg_link *link, const char *uri)
{
    char connect_s[8];
    snprintf(connect_s, sizeof(connect_s), "%d", CONNECT_S);
    const char *const names[] = {"dbname",
                                 "fallback_application_name",
                                 "connect_timeout",
                                 "client_encoding",
                                 "tcp_user_timeout",
                                 "keepalives_idle",
                                 NULL};
    const char *const values[] = {uri, "twin-gateway", connect_s, "UTF8", "5000", "10", NULL};
    vito_pg_disconnect(link);
    link->connection = PQconnectdbParams(names, values, 1);
    if (PQstatus(link->connection) != CONNECTION_OK) {
        take_message(link, PQerrorMessage(link->connection));
        vito_pg_disconnect(link);
        return RT_IO;
    }
    PQsetNoticeReceiver(link->connection, ignore_notice, NULL);
    enum rt_status status = set_up(link);
    if (status != RT_OK)
        vito_pg_disconnect(link);
    return status;
}

enum vito_pg_outcome
vito_pg_prepare_all(struct vito_pg_link *link)
{
    PGresult *result = PQexec(link->connection, "SET ROLE twin_gateway; LISTEN vito");
    bool done = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    for (int i = 0; i < VITO_PG_STATEMENT_COUNT && done; i++) {
        const char *text = vito_pg_statement_text((enum vito_pg_statement)i);
        result = PQprepare(link->connection, vito_pg_statement_name((enum vito_pg_statement)i),
                           text, 0, NULL);
        done = PQresultStatus(result) == PGRES_COMMAND_OK;
        PQclear(result);
    }
    if (!done) {
        take_message(link, PQerrorMessage(link->connection));
        return PQstatus(link->connection) == CONNECTION_OK ? VITO_PG_REFUSED : VITO_PG_LOST;
    }
    done = PQsetnonblocking(link->connection, 1) == 0 && PQenterPipelineMode(link->connection) == 1;
    return done ? VITO_PG_DONE : VITO_PG_LOST;
}

unsigned
vito_pg_send(struct vito_pg_link *link, enum vito_pg_statement statement,
             const struct vito_pg_arguments *arguments)
{
    RT_ASSERT(link->sent < VITO_PG_SENT_MAX);
    static const struct vito_pg_arguments none;
    const struct vito_pg_arguments *all = arguments == NULL ? &none : arguments;
    if (all->failed || link->connection == NULL ||
        PQsendQueryPrepared(link->connection, vito_pg_statement_name(statement), all->count,
                            all->values, all->sizes, all->formats, 1) != 1)
        vito_pg_disconnect(link); /* only for want of memory or a connection: no half batches */
    return link->sent++;
}

unsigned
vito_pg_send_text(struct vito_pg_link *link, const char *sql)
{
    RT_ASSERT(link->sent < VITO_PG_SENT_MAX);
    if (link->connection == NULL ||
        PQsendQueryParams(link->connection, sql, 0, NULL, NULL, NULL, NULL, 1) != 1)
        vito_pg_disconnect(link);
    return link->sent++;
}

/* Waits until the socket is ready. False when it is too late, or broken. */
static bool
await_socket(struct vito_pg_link *link, bool writing, uint64_t until_ns)
{
    uint64_t now_ns = link->world->now_ns(link->world->self);
    if (now_ns >= until_ns)
        return false;
    struct pollfd socket = {.fd = PQsocket(link->connection),
                            .events = (short)(POLLIN | (writing ? POLLOUT : 0))};
    return poll(&socket, 1, (int)((until_ns - now_ns) / RT_NS_PER_MS) + 1) >= 0;
}

/* The next result, or NULL. False when there is none to come. */
static bool
await_result(struct vito_pg_link *link, uint64_t until_ns, PGresult **result_out)
{
    for (;;) {
        int unsent = PQflush(link->connection);
        if (unsent < 0)
            return false;
        if (!PQisBusy(link->connection)) {
            *result_out = PQgetResult(link->connection);
            return true;
        }
        if (!await_socket(link, unsent == 1, until_ns) || PQconsumeInput(link->connection) != 1)
            return false;
    }
}

static void
take_error(struct vito_pg_link *link, const PGresult *result)
{
    if (link->state[0] != '\0')
        return; /* the first one is the cause of the others */
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(link->state, sizeof(link->state), "%s", state == NULL ? "08000" : state);
    take_message(link, PQresultErrorMessage(result));
}

/* Takes results until the sync's own. An idle pipeline yields NULL for ever: two in a row are its
 * end, and that must not come before the sync. */
static bool
collect(struct vito_pg_link *link)
{
    uint64_t until_ns = link->world->now_ns(link->world->self) + EXCHANGE_MS * RT_NS_PER_MS;
    unsigned at = 0, nulls = 0;
    PGresult *result;
    while (nulls < 2 && await_result(link, until_ns, &result)) {
        if (result == NULL) {
            nulls++;
            at++;
            continue;
        }
        nulls = 0;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            return true;
        }
        if (status == PGRES_FATAL_ERROR)
            take_error(link, result);
        RT_ASSERT(at < VITO_PG_SENT_MAX);
        PQclear(link->results[at]);
        link->results[at] = result;
    }
    return false;
}

enum vito_pg_outcome
vito_pg_sync(struct vito_pg_link *link)
{
    forget_results(link);
    link->sent = 0;
    link->state[0] = '\0';
    if (link->connection != NULL && PQpipelineSync(link->connection) == 1 && collect(link) &&
        PQstatus(link->connection) == CONNECTION_OK)
        return link->state[0] == '\0' ? VITO_PG_DONE : VITO_PG_REFUSED;
    if (link->connection != NULL && link->state[0] == '\0')
        take_message(link, PQstatus(link->connection) == CONNECTION_OK
                               ? "no answer in time"
                               : PQerrorMessage(link->connection));
    vito_pg_disconnect(link);
    return VITO_PG_LOST;
}

enum vito_pg_outcome
vito_pg_fail(struct vito_pg_link *link, const char *state, const char *message)
{
    snprintf(link->state, sizeof(link->state), "%s", state);
    take_message(link, message);
    return VITO_PG_REFUSED;
}

bool
vito_pg_is_tagged(const struct vito_pg_link *link, unsigned result, const char *tag)
{
    return strcmp(PQcmdStatus(link->results[result]), tag) == 0;
}

int
vito_pg_rows(const struct vito_pg_link *link, unsigned result)
{
    return PQntuples(link->results[result]);
}

int64_t
vito_pg_changes(const struct vito_pg_link *link, unsigned result)
{
    int64_t count = 0;
    for (const char *at = PQcmdTuples(link->results[result]); *at != '\0'; at++)
        count = count * 10 + (*at - '0');
    return count;
}

int64_t
vito_pg_i64(const struct vito_pg_link *link, unsigned result, int row, int column)
{
    const PGresult *rows = link->results[result];
    if (PQgetisnull(rows, row, column))
        return 0;
    RT_ASSERT(PQgetlength(rows, row, column) == 8); /* our statements cast to bigint */
    uint64_t big;
    memcpy(&big, PQgetvalue(rows, row, column), sizeof(big));
    return (int64_t)be64toh(big);
}

const char *
vito_pg_text(const struct vito_pg_link *link, unsigned result, int row, int column)
{
    const PGresult *rows = link->results[result];
    return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

void
vito_pg_copy(const struct vito_pg_link *link, unsigned result, int row, int column, char *out,
             size_t room)
{
    const char *text = vito_pg_text(link, result, row, column);
    size_t size = text == NULL ? 0 : strnlen(text, room - 1);
    if (size > 0)
        memcpy(out, text, size);
    out[size] = '\0';
}

const void *
vito_pg_bytes(const struct vito_pg_link *link, unsigned result, int row, int column,
              size_t size_bytes)
{
    const PGresult *rows = link->results[result];
    if (PQgetisnull(rows, row, column) || (size_t)PQgetlength(rows, row, column) != size_bytes)
        return NULL;
    return PQgetvalue(rows, row, column);
}

const void *
vito_pg_value(const struct vito_pg_link *link, unsigned result, int row, int column,
              size_t *size_bytes_out)
{
    *size_bytes_out = (size_t)PQgetlength(link->results[result], row, column);
    return PQgetvalue(link->results[result], row, column);
}

enum rt_status
vito_pg_buffer(const struct vito_pg_link *link, unsigned result, int row, int column,
               struct rt_buffer **buffer_out)
{
    const PGresult *rows = link->results[result];
    int size = PQgetlength(rows, row, column);
    if (size > RT_BUFFER_BYTES_MAX)
        return RT_TOO_BIG;
    struct rt_buffer *buffer = rt_buffer_copy(PQgetvalue(rows, row, column), (size_t)size);
    if (buffer == NULL)
        return RT_NO_MEMORY;
    *buffer_out = buffer;
    return RT_OK;
}

enum rt_status
vito_pg_status(const struct vito_pg_link *link)
{
    if (strcmp(link->state, "23503") == 0)
        return RT_NOT_FOUND;
    if (strcmp(link->state, "23505") == 0)
        return RT_EXISTS;
    bool is_input = strncmp(link->state, "22", 2) == 0 || strncmp(link->state, "23", 2) == 0;
    return is_input ? RT_INVALID : RT_UNAVAILABLE;
}

bool
vito_pg_is_transient(const struct vito_pg_link *link)
{
    static const char *const states[] = {"40001", "40P01", "55P03"};
    for (size_t i = 0; i < RT_COUNT_OF(states); i++)
        if (strcmp(link->state, states[i]) == 0)
            return true;
    return false;
}
