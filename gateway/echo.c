#include "gateway/echo.h"

#include "net/bytes.h"
#include "runtime/assert.h"
#include "runtime/pool.h"

struct echo {
    struct net_bytes held; /* a message that found no room in the queue */
    enum net_ws_type held_type;
    bool holds; /* messages may be empty */
};

static void
refuse(struct net_conn *conn, int status, const char *body, size_t body_bytes)
{
    static const struct net_header headers[] = {{"Content-Type", "application/problem+json"},
                                                {"Upgrade", "websocket"}};
    net_conn_respond(conn, &(struct net_response){.status = status,
                                                  .headers = headers,
                                                  .header_count = status == 426 ? 2 : 1,
                                                  .body = body,
                                                  .body_bytes = body_bytes});
}

struct echo *
echo_open(struct net_conn *conn, const struct net_request *request)
{
    static const char no_upgrade[] =
        "{\"type\":\"about:blank\",\"title\":\"Upgrade Required\",\"status\":426,"
        "\"detail\":\"this is a WebSocket\"}";
    static const char overload[] =
        "{\"type\":\"about:blank\",\"title\":\"Service Unavailable\",\"status\":503}";
    if (!request->wants_websocket) {
        refuse(conn, 426, no_upgrade, sizeof(no_upgrade) - 1);
        return NULL;
    }
    struct echo *echo = rt_pool_take(sizeof(*echo));
    if (echo == NULL) {
        refuse(conn, 503, overload, sizeof(overload) - 1);
        return NULL;
    }
    *echo = (struct echo){0};
    net_conn_upgrade(conn, NULL);
    net_conn_set_message_bytes_max(conn, ECHO_MESSAGE_BYTES_MAX);
    return echo;
}

static void
hold(struct echo *echo, struct net_conn *conn, enum net_ws_type type, const uint8_t *bytes,
     size_t size_bytes)
{
    RT_ASSERT(!echo->holds); /* nothing comes while the connection is paused */
    if (!net_bytes_append(&echo->held, bytes, size_bytes)) {
        net_conn_close(conn, 1011, "out of memory");
        return;
    }
    echo->held_type = type;
    echo->holds = true;
    net_conn_pause(conn);
}

void
echo_on_message(struct echo *echo, struct net_conn *conn, enum net_ws_type type,
                const uint8_t *bytes, size_t size_bytes)
{
    if (net_conn_send(conn, type, bytes, size_bytes) == RT_FULL)
        hold(echo, conn, type, bytes, size_bytes);
}

void
echo_on_drained(struct echo *echo, struct net_conn *conn)
{
    if (!echo->holds)
        return;
    /* The queue is empty, and any one message fits an empty queue. */
    enum rt_status status = net_conn_send(conn, echo->held_type, net_bytes_data(&echo->held),
                                          net_bytes_size(&echo->held));
    RT_ASSERT(status != RT_FULL);
    echo->holds = false;
    net_bytes_clear(&echo->held);
    net_conn_resume(conn);
}

void
echo_on_closed(struct echo *echo)
{
    net_bytes_clear(&echo->held);
    rt_pool_give(echo, sizeof(*echo));
}
