/*
 * Frames on their way to a slow client: those for which the socket's queue has no room wait here,
 * in their order. Few do, because output is not credited while the socket is behind.
 */
#include <string.h>

#include "actors/connection_state.h"
#include "runtime/pool.h"

/* One frame, encoded. */
struct connection_held {
    struct connection_held *next;
    size_t size_bytes;
    uint8_t bytes[];
};

static enum rt_status
send_now(struct connection *connection, const void *bytes, size_t size_bytes)
{
    return connection->calls->send(connection->socket, connection->format == WIRE_MSGPACK, bytes,
                                   size_bytes);
}

static enum rt_status
hold(struct connection *connection, const void *bytes, size_t size_bytes)
{
    struct connection_backlog *backlog = &connection->backlog;
    if (backlog->first != NULL && backlog->size_bytes + size_bytes > CONNECTION_HELD_BYTES_MAX)
        return RT_FULL;
    struct connection_held *held = rt_pool_take(sizeof(*held) + size_bytes);
    if (held == NULL)
        return RT_NO_MEMORY;
    held->next = NULL;
    held->size_bytes = size_bytes;
    memcpy(held->bytes, bytes, size_bytes);
    if (backlog->first == NULL)
        backlog->first = held;
    else
        backlog->last->next = held;
    backlog->last = held;
    backlog->size_bytes += size_bytes;
    return RT_OK;
}

enum rt_status
connection_send(struct connection *connection, const void *bytes, size_t size_bytes)
{
    enum rt_status status = RT_FULL;
    if (connection->backlog.first == NULL)
        status = send_now(connection, bytes, size_bytes);
    return status == RT_FULL ? hold(connection, bytes, size_bytes) : status;
}

static void
let_go_first(struct connection_backlog *backlog)
{
    struct connection_held *held = backlog->first;
    backlog->first = held->next;
    backlog->size_bytes -= held->size_bytes;
    rt_pool_give(held, sizeof(*held) + held->size_bytes);
}

bool
connection_send_held(struct connection *connection)
{
    struct connection_backlog *backlog = &connection->backlog;
    while (backlog->first != NULL &&
           send_now(connection, backlog->first->bytes, backlog->first->size_bytes) != RT_FULL)
        let_go_first(backlog);
    if (backlog->first != NULL)
        return false;
    if (backlog->close_code != 0)
        connection->calls->close(connection->socket, backlog->close_code, backlog->close_reason);
    backlog->close_code = 0;
    return true;
}

void
connection_close_behind(struct connection *connection, uint16_t code, const char *reason)
{
    connection->backlog.close_code = code;
    connection->backlog.close_reason = reason;
    if (connection->backlog.first == NULL)
        connection_send_held(connection);
}

void
connection_forget_held(struct connection *connection)
{
    while (connection->backlog.first != NULL)
        let_go_first(&connection->backlog);
}
