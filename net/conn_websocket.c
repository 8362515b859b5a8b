/*
 * A connection while it speaks WebSocket.
 */
#include "net/conn.h"

#include <string.h>

#include "net/refusals.h"
#include "runtime/assert.h"
#include "runtime/world.h"

enum {
    CLOSE_MS = 5000,
    REASON_BYTES_MAX = NET_WS_CONTROL_BYTES_MAX - 2,
    PINGS_UNANSWERED_MAX = 2,
};

static bool
queue_frame(struct net_conn *conn, enum net_ws_opcode opcode, const void *bytes, size_t size_bytes)
{
    uint8_t *to = net_bytes_reserve(&conn->out, NET_WS_HEADER_BYTES_MAX + size_bytes);
    if (to == NULL)
        return false;
    size_t header_bytes = net_ws_write_header(to, opcode, size_bytes, NULL);
    if (size_bytes > 0)
        memcpy(to + header_bytes, bytes, size_bytes);
    net_bytes_commit(&conn->out, header_bytes + size_bytes);
    return true;
}

void
net_conn_set_message_bytes_max(struct net_conn *conn, size_t message_bytes_max)
{
    if (conn->phase == NET_CONN_OPEN)
        net_ws_reader_set_message_bytes_max(conn->reader, message_bytes_max);
}

enum rt_status
net_conn_send(struct net_conn *conn, enum net_ws_type type, const void *bytes, size_t size_bytes)
{
    if (conn->phase != NET_CONN_OPEN)
        return RT_CLOSED;
    if (!net_conn_has_room(conn, size_bytes))
        return RT_FULL;
    net_conn_check(conn, queue_frame(conn, (enum net_ws_opcode)type, bytes, size_bytes));
    net_conn_wake(conn);
    return RT_OK;
}

/* A peer that pings and does not read gets no more pongs than it has room for. */
static void
queue_pong(struct net_conn *conn, const struct net_ws_event *ping)
{
    if (!net_conn_has_room(conn, ping->size_bytes))
        return;
    net_conn_check(conn, queue_frame(conn, NET_WS_OP_PONG, ping->bytes, ping->size_bytes));
    net_conn_wake(conn);
}

/* NO_STATUS and other codes that are not for the wire are sent as a close without a code. */
static bool
queue_close(struct net_conn *conn, uint16_t code, const char *reason)
{
    uint8_t payload[NET_WS_CONTROL_BYTES_MAX];
    size_t size_bytes = 0;
    if (net_ws_code_is_valid(code)) {
        size_t reason_bytes = reason == NULL ? 0 : strlen(reason);
        RT_ASSERT(reason_bytes <= REASON_BYTES_MAX);
        payload[0] = (uint8_t)(code >> 8);
        payload[1] = (uint8_t)code;
        memcpy(payload + 2, reason == NULL ? "" : reason, reason_bytes);
        size_bytes = 2 + reason_bytes;
    }
    return queue_frame(conn, NET_WS_OP_CLOSE, payload, size_bytes);
}

void
net_conn_close_websocket(struct net_conn *conn, uint16_t code, const char *reason)
{
    conn->phase = NET_CONN_CLOSING;
    conn->is_paused = false; /* the peer's close frame must be read */
    net_conn_set_deadline(conn, CLOSE_MS);
    net_conn_check(conn, queue_close(conn, code, reason));
    net_conn_wake(conn);
}

/* The peer's close frame has come; ours follows if it has not gone before. */
static void
take_close(struct net_conn *conn, const struct net_ws_event *event)
{
    conn->close_code = event->close_code;
    if (conn->phase == NET_CONN_OPEN) {
        net_conn_set_deadline(conn, CLOSE_MS);
        net_conn_check(conn, queue_close(conn, event->close_code, NULL));
    }
    net_conn_end(conn);
}

/* The peer broke the protocol: it is told so, and not listened to any more. */
static void
break_off(struct net_conn *conn, uint16_t code)
{
    if (conn->phase == NET_CONN_OPEN) {
        net_refusals_websocket(code);
        net_conn_set_deadline(conn, CLOSE_MS);
        net_conn_check(conn, queue_close(conn, code, NULL));
    }
    net_conn_end(conn);
}

static void
take_event(struct net_conn *conn, const struct net_ws_event *event)
{
    const struct net_server_events *events = net_conn_events(conn);
    bool is_open = conn->phase == NET_CONN_OPEN;
    switch (event->opcode) {
    case NET_WS_OP_TEXT:
    case NET_WS_OP_BINARY:
        if (is_open && events->on_message != NULL)
            events->on_message(events->context, conn, (enum net_ws_type)event->opcode, event->bytes,
                               event->size_bytes);
        break;
    case NET_WS_OP_PING:
        if (is_open)
            queue_pong(conn, event);
        break;
    case NET_WS_OP_CLOSE:
        take_close(conn, event);
        break;
    case NET_WS_OP_PONG:
    case NET_WS_OP_CONTINUATION:
        break;
    }
}

size_t
net_conn_read_frames(struct net_conn *conn, uint8_t *bytes, size_t size_bytes)
{
    size_t used = 0;
    struct net_ws_event event;
    uint16_t code;
    switch (net_ws_reader_feed(conn->reader, bytes, size_bytes, &used, &event, &code)) {
    case NET_WS_READ_MORE:
        break;
    case NET_WS_READ_EVENT:
        take_event(conn, &event);
        break;
    case NET_WS_READ_BROKEN:
        break_off(conn, code);
        break;
    }
    return used;
}

/* ping_interval_ms are over. If something was heard in them, the rest of the interval after it
 * is waited for; so a busy connection pays nothing for its pings. */
void
net_conn_was_silent(struct net_conn *conn)
{
    struct net_timers *timers = conn->listener->timers;
    uint64_t interval_ns = conn->listener->options->ping_interval_ms * RT_NS_PER_MS;
    uint64_t silence_ns = net_timers_now_ns(timers) - conn->heard_ns;
    if (silence_ns < interval_ns) {
        net_timers_set(timers, &conn->deadline, interval_ns - silence_ns);
        return;
    }
    if (conn->pings_unanswered == PINGS_UNANSWERED_MAX) {
        net_conn_doom(conn);
        return;
    }
    conn->pings_unanswered++;
    net_timers_set(timers, &conn->deadline, interval_ns);
    net_conn_check(conn, queue_frame(conn, NET_WS_OP_PING, NULL, 0));
    net_conn_wake(conn);
}
