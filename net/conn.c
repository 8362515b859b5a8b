#include "net/conn.h"

#include "net/refusals.h"
#include "runtime/assert.h"
#include "runtime/pool.h"
#include "runtime/world.h"

enum {
    EARLY_BYTES_MAX = NET_WIRE_READ_BYTES_MAX, /* kept unread before the wire stops reading */
    LINGER_MS = 2000,
};

static void on_deadline(struct net_timer *timer);
static void on_stall(struct net_timer *timer);
static void on_round_end(struct rt_deferred *deferred);

static void
read_peer(struct net_conn *conn)
{
    struct net_address address = {.name_bytes = sizeof(address.name)};
    if (getpeername(net_wire_fd(conn->wire), (struct sockaddr *)&address.name,
                    &address.name_bytes) == 0)
        net_address_text(&address, conn->peer);
}

struct net_conn *
net_conn_open(struct net_listener *listener, struct lws *wire)
{
    struct net_conn *conn = rt_pool_take(sizeof(*conn));
    if (conn == NULL)
        return NULL;
    *conn =
        (struct net_conn){.listener = listener,
                          .wire = wire,
                          .is_reading = true,
                          .is_surplus = listener->conn_count >= listener->options->connections_max,
                          .round = {.run = on_round_end},
                          .deadline = {.fire = on_deadline},
                          .stall = {.fire = on_stall},
                          .close_code = NET_WS_ABNORMAL};
    if (conn->is_surplus)
        net_refusals_newcomer(NET_NEWCOMER_SURPLUS);
    read_peer(conn);
    listener->conn_count++;
    net_conn_set_deadline(conn, listener->options->header_timeout_ms);
    return conn;
}

static struct rt_system *
system_of(const struct net_conn *conn)
{
    return conn->listener->options->system;
}

void
net_conn_wake(struct net_conn *conn)
{
    if (conn->wire == NULL)
        return; /* nothing leaves any more */
    RT_ASSERT(rt_system_worker_here() == (int)conn->listener->worker);
    /* A writer that goes on whenever its bytes have left would never let this round end. */
    if (conn->is_draining)
        net_wire_want_writable(conn->wire);
    else if (conn->is_in_bytes)
        conn->is_woken = true;
    else
        rt_system_defer(system_of(conn), &conn->round);
}

void
net_conn_doom(struct net_conn *conn)
{
    if (conn->wire == NULL || conn->phase == NET_CONN_DOOMED)
        return;
    conn->phase = NET_CONN_DOOMED;
    rt_system_defer(system_of(conn), &conn->round);
}

void
net_conn_check(struct net_conn *conn, bool queued)
{
    if (!queued)
        net_conn_doom(conn);
}

void
net_conn_end(struct net_conn *conn)
{
    if (conn->phase >= NET_CONN_ENDING)
        return;
    conn->phase = NET_CONN_ENDING;
    conn->is_paused = false;
    if (conn->reader == NULL) /* a closing handshake keeps its deadline, all else may take long */
        net_conn_set_deadline(conn, 0);
    net_conn_wake(conn);
}

void
net_conn_set_deadline(struct net_conn *conn, uint32_t ms)
{
    if (ms == 0)
        net_timers_cancel(conn->listener->timers, &conn->deadline);
    else
        net_timers_set(conn->listener->timers, &conn->deadline, ms * RT_NS_PER_MS);
}

static void
on_deadline(struct net_timer *timer)
{
    struct net_conn *conn = RT_CONTAINER_OF(timer, struct net_conn, deadline);
    switch (conn->phase) {
    case NET_CONN_READING:
        net_conn_request_is_late(conn);
        break;
    case NET_CONN_OPEN:
        net_conn_was_silent(conn);
        break;
    case NET_CONN_WAITING:
    case NET_CONN_STREAMING:
    case NET_CONN_CLOSING:
    case NET_CONN_ENDING:
    case NET_CONN_LINGERING:
    case NET_CONN_DOOMED:
        net_conn_doom(conn);
        break;
    }
}

/* The peer takes nothing. */
static void
on_stall(struct net_timer *timer)
{
    net_conn_doom(RT_CONTAINER_OF(timer, struct net_conn, stall));
}

size_t
net_conn_queued_bytes(const struct net_conn *conn)
{
    return net_bytes_size(&conn->out) + conn->wire_bytes;
}

bool
net_conn_has_room(struct net_conn *conn, size_t size_bytes)
{
    size_t queued_bytes = net_conn_queued_bytes(conn);
    uint32_t queued_bytes_max = conn->listener->options->queued_bytes_max;
    bool has_room = queued_bytes == 0 || (queued_bytes <= queued_bytes_max &&
                                          size_bytes <= queued_bytes_max - queued_bytes);
    conn->is_awaited = conn->is_awaited || !has_room;
    return has_room;
}

void
net_conn_await_drained(struct net_conn *conn)
{
    conn->is_awaited = net_conn_queued_bytes(conn) > 0;
}

/* A full wire must not read (carrier.h), nor one whose bytes nobody reads. */
static void
update_reading(struct net_conn *conn)
{
    bool reading =
        !conn->is_paused && conn->wire_bytes == 0 && net_bytes_size(&conn->early) < EARLY_BYTES_MAX;
    if (reading == conn->is_reading)
        return;
    conn->is_reading = reading;
    net_wire_set_reading(conn->wire, reading);
}

/* Gives the wire what it takes. False when it broke. */
static bool
write_out(struct net_conn *conn)
{
    if (conn->wire_bytes > 0 && !net_wire_is_full(conn->wire))
        conn->wire_bytes = 0;
    while (net_bytes_size(&conn->out) > 0 && conn->wire_bytes == 0) {
        size_t size_bytes = net_bytes_size(&conn->out);
        if (size_bytes > NET_WIRE_WRITE_BYTES_MAX)
            size_bytes = NET_WIRE_WRITE_BYTES_MAX;
        enum rt_status status = net_wire_write(conn->wire, net_bytes_data(&conn->out), size_bytes);
        if (status == RT_CLOSED)
            return false;
        net_bytes_consume(&conn->out, size_bytes);
        if (status == RT_FULL)
            conn->wire_bytes = size_bytes; /* some of them; nobody says how many */
    }
    return true;
}

static void
tell_drained(struct net_conn *conn)
{
    if (!conn->is_awaited || (conn->phase != NET_CONN_STREAMING && conn->phase != NET_CONN_OPEN))
        return;
    const struct net_server_events *events = net_conn_events(conn);
    conn->is_awaited = false;
    if (events->on_drained == NULL)
        return;
    conn->is_draining = true;
    events->on_drained(events->context, conn);
    conn->is_draining = false;
}

/* From now on the peer has idle_timeout_ms to take some of what waits for it. */
static void
watch_stall(struct net_conn *conn)
{
    uint32_t stall_ms = conn->listener->options->idle_timeout_ms;
    if (stall_ms > 0 && !net_timer_is_set(&conn->stall))
        net_timers_set(conn->listener->timers, &conn->stall, stall_ms * RT_NS_PER_MS);
}

static void
flush(struct net_conn *conn)
{
    size_t before = net_conn_queued_bytes(conn);
    if (before == 0)
        return;
    if (!write_out(conn)) {
        net_conn_doom(conn);
        return;
    }
    update_reading(conn);
    size_t after = net_conn_queued_bytes(conn);
    if (after < before && net_timer_is_set(&conn->stall))
        net_timers_cancel(conn->listener->timers, &conn->stall);
    if (after == 0)
        tell_drained(conn);
    if (net_conn_queued_bytes(conn) > 0)
        watch_stall(conn);
}

static void
shut_if_all_is_sent(struct net_conn *conn)
{
    if (conn->phase != NET_CONN_ENDING || net_conn_queued_bytes(conn) > 0)
        return;
    net_wire_shut(conn->wire);
    conn->phase = NET_CONN_LINGERING;
    if (!net_timer_is_set(&conn->deadline))
        net_conn_set_deadline(conn, LINGER_MS);
}

/* Reads until the bytes are used up, or nobody wants more for now. */
static size_t
read_bytes(struct net_conn *conn, uint8_t *bytes, size_t size_bytes)
{
    size_t used = 0;
    while (used < size_bytes && !conn->is_paused) {
        switch (conn->phase) {
        case NET_CONN_READING:
            used += net_conn_read_request(conn, bytes + used, size_bytes - used);
            break;
        case NET_CONN_OPEN:
        case NET_CONN_CLOSING:
            used += net_conn_read_frames(conn, bytes + used, size_bytes - used);
            break;
        case NET_CONN_WAITING:
        case NET_CONN_STREAMING:
            return used;
        case NET_CONN_ENDING:
        case NET_CONN_LINGERING:
        case NET_CONN_DOOMED:
            return size_bytes;
        }
    }
    return used;
}

static void
read_early(struct net_conn *conn)
{
    size_t size_bytes = net_bytes_size(&conn->early);
    if (size_bytes > 0)
        net_bytes_consume(&conn->early, read_bytes(conn, net_bytes_data(&conn->early), size_bytes));
    update_reading(conn);
}

/* What was answered while it was read leaves at once, and not at the end of the round: the socket
 * is still warm in the caches, and no other bytes will come of this read. */
void
net_conn_on_bytes(void *owner, uint8_t *bytes, size_t size_bytes)
{
    struct net_conn *conn = owner;
    conn->heard_ns = net_timers_round_ns(conn->listener->timers);
    conn->pings_unanswered = 0;
    conn->is_in_bytes = true;
    size_t used = 0;
    if (net_bytes_size(&conn->early) == 0)
        used = read_bytes(conn, bytes, size_bytes);
    conn->is_in_bytes = false;
    net_conn_check(conn, net_bytes_append(&conn->early, bytes + used, size_bytes - used));
    update_reading(conn);
    if (!conn->is_woken)
        return;
    conn->is_woken = false;
    if (conn->phase == NET_CONN_DOOMED)
        return;
    flush(conn);
    shut_if_all_is_sent(conn);
}

/* Does what was put off: reads what had to wait, writes what is queued. */
static void
advance(struct net_conn *conn)
{
    if (conn->phase == NET_CONN_DOOMED)
        return;
    read_early(conn);
    flush(conn);
    shut_if_all_is_sent(conn);
}

void
net_conn_on_writable(void *owner)
{
    advance(owner);
}

static void
on_round_end(struct rt_deferred *deferred)
{
    struct net_conn *conn = RT_CONTAINER_OF(deferred, struct net_conn, round);
    advance(conn);
    if (conn->phase == NET_CONN_DOOMED)
        net_wire_drop(conn->wire); /* on_gone has run when this returns */
}

void
net_conn_on_gone(void *owner)
{
    struct net_conn *conn = owner;
    struct net_listener *listener = conn->listener;
    conn->wire = NULL;
    conn->phase = NET_CONN_DOOMED;
    if (!listener->is_closing)
        rt_system_undefer(system_of(conn), &conn->round);
    net_timers_cancel(listener->timers, &conn->deadline);
    net_timers_cancel(listener->timers, &conn->stall);
    const struct net_server_events *events = net_conn_events(conn);
    if (conn->had_request && events->on_closed != NULL)
        events->on_closed(events->context, conn, conn->close_code);
    net_bytes_clear(&conn->out);
    net_bytes_clear(&conn->early);
    net_http1_destroy(conn->http);
    net_ws_reader_destroy(conn->reader);
    listener->conn_count--;
    rt_pool_give(conn, sizeof(*conn));
}

void
net_conn_set_user(struct net_conn *conn, void *user)
{
    conn->user = user;
}

void *
net_conn_user(const struct net_conn *conn)
{
    return conn->user;
}

unsigned
net_conn_worker(const struct net_conn *conn)
{
    return conn->listener->worker;
}

struct net_server *
net_conn_server(const struct net_conn *conn)
{
    return conn->listener->server;
}

void
net_conn_close(struct net_conn *conn, uint16_t code, const char *reason)
{
    if (conn->phase == NET_CONN_OPEN)
        net_conn_close_websocket(conn, code, reason);
    else if (conn->phase < NET_CONN_OPEN)
        net_conn_end(conn);
}

void
net_conn_pause(struct net_conn *conn)
{
    if (conn->phase > NET_CONN_OPEN || conn->wire == NULL)
        return;
    conn->is_paused = true;
    net_conn_wake(conn);
}

void
net_conn_resume(struct net_conn *conn)
{
    conn->is_paused = false;
    net_conn_wake(conn);
}
