#include "gateway/front.h"

#include <pthread.h>
#include <string.h>

#include "actors/messages.h"
#include "gateway/echo.h"
#include "net/refusals.h"
#include "net/websocket.h"
#include "runtime/metrics.h"
#include "runtime/pool.h"

/* Messages handed over and not yet worked on: at so many, or so much, reading stops. */
enum {
    UNREAD_MAX = 32,
    UNREAD_RESUME = 8,
    UNREAD_BYTES_MAX = 64 * 1024,
    UNREAD_BYTES_RESUME = 16 * 1024,
};

static struct rt_counter pauses_total = {
    .metric = {.name = "twin_reads_paused_total",
               .help = "Times a client was not read on, because it was ahead of its session.",
               .type = RT_METRIC_COUNTER}};

/* One connection, seen from both sides. Both run on its worker, so it needs no lock; it lives
 * until both have let go. */
struct socket {
    struct net_conn *conn; /* NULL: gone */
    struct rt_system *system;
    struct echo *echo; /* in place of an actor */
    struct rt_address actor;
    bool released; /* the actor has ended, or never was */
    bool paused;
    bool closed; /* by its actor: which may say so again, while what it was sent is on its way */
    unsigned unread;
    size_t unread_bytes;
};

static void
free_when_alone(struct socket *socket)
{
    if (socket->conn == NULL && socket->released)
        rt_pool_give(socket, sizeof(*socket));
}

static void
socket_respond(void *context, const struct net_response *response)
{
    struct socket *socket = context;
    if (socket->conn != NULL)
        net_conn_respond(socket->conn, response);
}

static void
socket_upgrade(void *context, const char *subprotocol)
{
    struct socket *socket = context;
    if (socket->conn != NULL)
        net_conn_upgrade(socket->conn, subprotocol);
}

static enum rt_status
socket_send(void *context, bool is_binary, const void *bytes, size_t size_bytes)
{
    struct socket *socket = context;
    if (socket->conn == NULL)
        return RT_CLOSED;
    return net_conn_send(socket->conn, is_binary ? NET_WS_BINARY : NET_WS_TEXT, bytes, size_bytes);
}

static void
cut_for_now(struct net_conn *conn, const char *reason)
{
    net_refusals_websocket(NET_WS_OVERLOAD);
    net_conn_close(conn, NET_WS_OVERLOAD, reason);
}

static void
socket_close(void *context, uint16_t code, const char *reason)
{
    struct socket *socket = context;
    if (socket->conn == NULL || socket->closed)
        return;
    socket->closed = true;
    if (code == NET_WS_OVERLOAD)
        cut_for_now(socket->conn, reason);
    else
        net_conn_close(socket->conn, code, reason);
}

static bool
socket_is_behind(void *context, size_t above_bytes)
{
    struct socket *socket = context;
    if (socket->conn == NULL || net_conn_queued_bytes(socket->conn) <= above_bytes)
        return false;
    net_conn_await_drained(socket->conn);
    return true;
}

static void
socket_consumed(void *context, unsigned messages, size_t bytes)
{
    struct socket *socket = context;
    socket->unread -= messages;
    socket->unread_bytes -= bytes;
    if (!socket->paused || socket->unread > UNREAD_RESUME ||
        socket->unread_bytes > UNREAD_BYTES_RESUME || socket->conn == NULL)
        return;
    socket->paused = false;
    net_conn_resume(socket->conn);
}

static void
socket_release(void *context)
{
    struct socket *socket = context;
    socket->released = true;
    if (socket->conn != NULL) {
        struct net_conn *conn = socket->conn;
        socket->conn = NULL;
        net_conn_set_user(conn, NULL);
        net_conn_close(conn, 1011, "the connection's actor has ended");
    }
    free_when_alone(socket);
}

static const struct connection_socket socket_calls = {
    .respond = socket_respond,
    .upgrade = socket_upgrade,
    .send = socket_send,
    .close = socket_close,
    .is_behind = socket_is_behind,
    .consumed = socket_consumed,
    .release = socket_release,
};

static struct socket *
open_socket(const struct world *world, struct net_conn *conn)
{
    struct socket *socket = rt_pool_take(sizeof(*socket));
    if (socket == NULL)
        return NULL;
    *socket = (struct socket){.conn = conn, .system = world->system};
    struct connection_args args = {.world = world, .calls = &socket_calls, .socket = socket};
    struct rt_spawn_options options = {
        .behaviour = &connection_behaviour,
        .args = &args,
        .worker = (int)net_conn_worker(conn),
    };
    if (rt_spawn(world->system, &options, &socket->actor) != RT_OK) {
        rt_pool_give(socket, sizeof(*socket));
        return NULL;
    }
    net_conn_set_user(conn, socket);
    return socket;
}

/* Texts for a conn_request, one after the other in one buffer. */
struct texts {
    struct rt_buffer *buffer;
    uint32_t used;
};

static uint32_t
add_text(struct texts *texts, const char *text)
{
    if (text == NULL || *text == '\0')
        return 0;
    uint32_t at = texts->used;
    size_t size = strlen(text) + 1;
    memcpy(texts->buffer->bytes + at, text, size);
    texts->used += (uint32_t)size;
    return at;
}

static size_t
text_bytes(const char *text)
{
    return text == NULL ? 0 : strlen(text) + 1;
}

static struct rt_message *
request_message(const struct net_request *request)
{
    const char *authorization = net_request_header(request, "authorization");
    const char *content_type = net_request_header(request, "content-type");
    const char *subprotocols = net_request_header(request, "sec-websocket-protocol");
    const char *idempotency_key = net_request_header(request, "idempotency-key");
    size_t size = 1 + text_bytes(request->method) + text_bytes(request->path) +
                  text_bytes(request->query) + text_bytes(authorization) +
                  text_bytes(content_type) + text_bytes(subprotocols) +
                  text_bytes(idempotency_key) + text_bytes(request->peer) + request->body_bytes;
    struct rt_message *message = rt_message_create(CONN_REQUEST, sizeof(struct conn_request));
    struct texts texts = {.buffer = rt_buffer_create(size), .used = 1};
    if (message == NULL || texts.buffer == NULL) {
        rt_message_destroy(message);
        rt_buffer_release(texts.buffer);
        return NULL;
    }
    texts.buffer->bytes[0] = '\0'; /* offset 0 is the empty text */
    struct conn_request *out = rt_message_payload(message);
    out->method = add_text(&texts, request->method);
    out->path = add_text(&texts, request->path);
    out->query = add_text(&texts, request->query);
    out->authorization = add_text(&texts, authorization);
    out->content_type = add_text(&texts, content_type);
    out->subprotocols = add_text(&texts, subprotocols);
    out->idempotency_key = add_text(&texts, idempotency_key);
    out->peer = add_text(&texts, request->peer);
    out->body = texts.used;
    out->body_bytes = (uint32_t)request->body_bytes;
    out->wants_websocket = request->wants_websocket;
    if (request->body_bytes > 0)
        memcpy(texts.buffer->bytes + texts.used, request->body, request->body_bytes);
    message->buffer = texts.buffer;
    return message;
}

static void
refuse_overloaded(struct net_conn *conn)
{
    static const char body[] = "{\"type\":\"urn:twin-gateway:problem:overload\","
                               "\"title\":\"Too busy\",\"status\":503,\"reason\":\"overload\","
                               "\"retryable\":true}";
    static const struct net_header headers[] = {{"Content-Type", "application/problem+json"},
                                                {"Retry-After", "1"}};
    net_refusals_request(503);
    net_conn_respond(conn, &(struct net_response){.status = 503,
                                                  .headers = headers,
                                                  .header_count = 2,
                                                  .body = body,
                                                  .body_bytes = sizeof(body) - 1,
                                                  .close = true});
}

static void
post_note(struct socket *socket, enum twin_kind kind, uint16_t flags)
{
    struct rt_message *message = rt_message_create_vital(kind, 0);
    message->flags = flags;
    rt_post(socket->system, socket->actor, message);
}

/* The socket has no connection any more. */
static void
let_go(struct socket *socket, enum twin_kind how)
{
    socket->conn = NULL;
    if (socket->echo != NULL)
        echo_on_closed(socket->echo);
    else if (!socket->released)
        post_note(socket, how, RT_MESSAGE_CONTROL);
    free_when_alone(socket);
}

/* An earlier request of this connection may have an actor: it is not needed any more. */
static void
open_echo(const struct world *world, struct net_conn *conn, const struct net_request *request)
{
    struct echo *echo = echo_open(conn, request);
    if (echo == NULL)
        return;
    struct socket *socket = net_conn_user(conn);
    if (socket != NULL)
        let_go(socket, CONN_CLOSED);
    socket = rt_pool_take(sizeof(*socket));
    net_conn_set_user(conn, socket);
    if (socket == NULL) {
        echo_on_closed(echo);
        cut_for_now(conn, "overload");
        return;
    }
    *socket =
        (struct socket){.conn = conn, .system = world->system, .echo = echo, .released = true};
}

static void
on_request(void *context, struct net_conn *conn, const struct net_request *request)
{
    const struct front *front = context;
    const struct world *world = front->world;
    if (front->has_echo && strcmp(request->path, ECHO_PATH) == 0) {
        open_echo(world, conn, request);
        return;
    }
    struct socket *socket = net_conn_user(conn);
    if (socket == NULL)
        socket = open_socket(world, conn);
    struct rt_message *message = socket == NULL ? NULL : request_message(request);
    if (message == NULL || rt_post(world->system, socket->actor, message) != RT_OK)
        refuse_overloaded(conn);
}

static void
on_message(void *context, struct net_conn *conn, enum net_ws_type type, const uint8_t *bytes,
           size_t size_bytes)
{
    (void)context;
    struct socket *socket = net_conn_user(conn);
    if (socket == NULL)
        return;
    if (socket->echo != NULL) {
        echo_on_message(socket->echo, conn, type, bytes, size_bytes);
        return;
    }
    struct rt_message *message = rt_message_create(CONN_MESSAGE, sizeof(struct conn_message));
    if (message != NULL) {
        ((struct conn_message *)rt_message_payload(message))->is_binary = type == NET_WS_BINARY;
        message->buffer = rt_buffer_copy(bytes, size_bytes);
    }
    if (message == NULL || message->buffer == NULL) {
        rt_message_destroy(message);
        cut_for_now(conn, "overload");
        return;
    }
    if (rt_post(socket->system, socket->actor, message) != RT_OK) {
        cut_for_now(conn, "overload");
        return;
    }
    socket->unread++;
    socket->unread_bytes += size_bytes;
    if (!socket->paused &&
        (socket->unread >= UNREAD_MAX || socket->unread_bytes >= UNREAD_BYTES_MAX)) {
        socket->paused = true;
        net_conn_pause(conn);
        rt_counter_add(&pauses_total, 1);
    }
}

static void
on_drained(void *context, struct net_conn *conn)
{
    (void)context;
    struct socket *socket = net_conn_user(conn);
    if (socket != NULL && socket->echo != NULL)
        echo_on_drained(socket->echo, conn);
    else if (socket != NULL)
        post_note(socket, CONN_DRAINED, RT_MESSAGE_CONTROL);
}

static void
on_closed(void *context, struct net_conn *conn, uint16_t code)
{
    (void)context;
    struct socket *socket = net_conn_user(conn);
    if (socket != NULL)
        let_go(socket, code == NET_WS_ABNORMAL ? CONN_BROKEN : CONN_CLOSED);
}

static void
register_metrics(void)
{
    rt_metrics_register(&pauses_total.metric);
}

struct net_server_events
front_events(const struct front *front)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);
    return (struct net_server_events){
        .context = (void *)(uintptr_t)front,
        .on_request = on_request,
        .on_message = on_message,
        .on_drained = on_drained,
        .on_closed = on_closed,
    };
}
