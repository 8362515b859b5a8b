/* The edge under load: two workers, WebSocket clients that echo, leave and come back, and actors
 * that fetch from the same server, stop and cancel. Every message comes back as it was sent, every
 * transfer ends once, and everything that was opened is closed. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_client.h"
#include "net/server.h"
#include "net/websocket.h"
#include "runtime/pool.h"
#include "runtime/random.h"
#include "runtime/system.h"
#include "tests/stress/stress.h"

enum { WORKERS = 2, CLIENTS = 8, VISITS = 60, MESSAGES = 40, FETCHERS = 16, FETCHES = 120 };

static struct rt_system *runtime;
static struct net_server *server;
static struct net_http_port port;
static atomic_uint opened, closed, fetchers_done;

static void
on_request(void *context, struct net_conn *conn, const struct net_request *request)
{
    (void)context;
    atomic_fetch_add(&opened, net_conn_user(conn) == NULL);
    net_conn_set_user(conn, server);
    if (request->wants_websocket) {
        net_conn_upgrade(conn, NULL);
    } else if (strcmp(request->path, "/stream") == 0) {
        char piece[3000] = {0};
        net_conn_stream_begin(conn, &(struct net_response){.status = 200});
        for (int i = 0; i < 5; i++)
            CHECK(net_conn_stream_write(conn, piece, sizeof(piece)) == RT_OK);
        net_conn_stream_end(conn);
    } else {
        net_conn_respond(conn, &(struct net_response){.status = 200,
                                                      .body = request->body,
                                                      .body_bytes = request->body_bytes});
    }
}

static void
on_message(void *context, struct net_conn *conn, enum net_ws_type type, const uint8_t *bytes,
           size_t size_bytes)
{
    (void)context;
    CHECK(net_conn_send(conn, type, bytes, size_bytes) == RT_OK);
}

static void
on_closed(void *context, struct net_conn *conn, uint16_t code)
{
    (void)context, (void)code;
    CHECK(net_conn_user(conn) == server);
    atomic_fetch_add(&closed, 1);
}

static void
read_exactly(int fd, uint8_t *to, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t got = recv(fd, to, size_bytes, 0);
        CHECK(got > 0);
        to += got;
        size_bytes -= (size_t)got;
    }
}

static int
open_websocket(void)
{
    static const char request[] =
        "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(net_server_port(server)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&name, sizeof(name)) == 0);
    CHECK(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1);
    char ending[4] = {0};
    while (memcmp(ending, "\r\n\r\n", 4) != 0) {
        memmove(ending, ending + 1, 3);
        read_exactly(fd, (uint8_t *)ending + 3, 1);
    }
    return fd;
}

/* Sends one message and reads its echo. */
static void
echo(int fd, struct rt_random *random)
{
    uint8_t mask[4] = {1, 2, 3, 4}, sent[5000], frame[5014], back[5014];
    size_t size_bytes = rt_random_below(random, sizeof(sent));
    rt_random_bytes(random, sent, size_bytes);
    size_t header_bytes = net_ws_write_header(frame, NET_WS_OP_BINARY, size_bytes, mask);
    memcpy(frame + header_bytes, sent, size_bytes);
    net_ws_mask(frame + header_bytes, size_bytes, mask, 0);
    size_t frame_bytes = header_bytes + size_bytes;
    CHECK(send(fd, frame, frame_bytes, MSG_NOSIGNAL) == (ssize_t)frame_bytes);
    read_exactly(fd, back, frame_bytes - sizeof(mask));
    CHECK(memcmp(back + header_bytes - sizeof(mask), sent, size_bytes) == 0);
}

static void *
client_main(void *context)
{
    struct rt_random random;
    rt_random_seed(&random, (uintptr_t)context);
    for (int visit = 0; visit < VISITS; visit++) {
        int fd = open_websocket();
        for (int i = 0; i < MESSAGES; i++)
            echo(fd, &random);
        close(fd);
    }
    return NULL;
}

struct fetcher {
    uint64_t transfer; /* under way */
    unsigned fetches;
    size_t got_bytes;
};

static void
fetch(struct rt_actor *self, struct fetcher *fetcher)
{
    if (fetcher->fetches++ == FETCHES) {
        atomic_fetch_add(&fetchers_done, 1);
        rt_stop(self, RT_EXIT_NORMAL);
        return;
    }
    char url[64];
    bool streams = fetcher->fetches % 2 == 0;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/%s", net_server_port(server),
             streams ? "stream" : "");
    struct net_http_request request = {.method = streams ? "GET" : "POST",
                                       .url = url,
                                       .body = streams ? NULL : "body",
                                       .body_bytes = streams ? 0 : 4,
                                       .connect_timeout_ms = 30000,
                                       .window_bytes = 5000};
    fetcher->got_bytes = 0;
    CHECK(port.start(port.self, self, ++fetcher->transfer, &request) == RT_OK);
}

static void
take_data(struct rt_actor *self, struct fetcher *fetcher, struct rt_message *message)
{
    const struct net_http_data *data = rt_message_payload(message);
    if (data->transfer != fetcher->transfer)
        return; /* was under way to us when we cancelled */
    fetcher->got_bytes += message->buffer->size_bytes;
    port.consume(port.self, self, data->transfer, message->buffer->size_bytes);
    if (fetcher->fetches % 7 == 0) {
        port.cancel(port.self, self, data->transfer);
        fetch(self, fetcher);
    } else if (fetcher->fetches % 5 == 0) {
        port.stop(port.self, self, data->transfer);
    }
}

static void
take_end(struct rt_actor *self, struct fetcher *fetcher, struct rt_message *message)
{
    const struct net_http_end *end = rt_message_payload(message);
    if (end->transfer != fetcher->transfer)
        return;
    if (end->result == NET_HTTP_COMPLETE)
        CHECK(fetcher->got_bytes == (fetcher->fetches % 2 == 0 ? 15000 : 4));
    else
        CHECK(end->result == NET_HTTP_STOPPED);
    fetch(self, fetcher);
}

static void
fetcher_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    if (message->kind == RT_KIND_START)
        fetch(self, state);
    else if (message->kind == NET_HTTP_DATA)
        take_data(self, state, message);
    else if (message->kind == NET_HTTP_END)
        take_end(self, state, message);
}

static const struct rt_behaviour fetching = {.name = "fetcher",
                                             .state_bytes = sizeof(struct fetcher),
                                             .limits = {1000, 1 << 24},
                                             .handle = fetcher_handle};

static void
open_all(struct net_http_client **client_out)
{
    runtime =
        rt_system_create(&(struct rt_system_options){.workers = WORKERS, .world = rt_world_real()});
    CHECK(runtime != NULL);
    struct net_server_options options = {
        .system = runtime,
        .listen = "127.0.0.1:0",
        .events = {.on_request = on_request, .on_message = on_message, .on_closed = on_closed},
        .header_bytes_max = 8192,
        .body_bytes_max = 8192,
        .message_bytes_max = 8192,
        .queued_bytes_max = 1 << 20,
        .connections_max = 1000,
        .header_timeout_ms = 60000,
        .body_timeout_ms = 60000,
        .idle_timeout_ms = 60000,
        .ping_interval_ms = 60000,
    };
    char problem[200];
    CHECK(net_server_open(&options, &server, problem, sizeof(problem)) == RT_OK);
    *client_out = net_http_client_create(runtime);
    port = net_http_client_port(*client_out);
    CHECK(rt_system_start(runtime) == RT_OK);
}

int
main(void)
{
    struct net_http_client *client;
    open_all(&client);
    pthread_t threads[CLIENTS];
    for (uintptr_t i = 0; i < CLIENTS; i++)
        CHECK(pthread_create(&threads[i], NULL, client_main, (void *)(i + 1)) == 0);
    for (int i = 0; i < FETCHERS; i++) {
        struct rt_address address;
        struct rt_spawn_options options = {.behaviour = &fetching, .worker = i % WORKERS};
        CHECK(rt_spawn(runtime, &options, &address) == RT_OK);
    }
    for (int i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
    while (atomic_load(&fetchers_done) < FETCHERS)
        usleep(1000);
    rt_system_stop(runtime);
    net_http_client_destroy(client);
    net_server_close(server);
    CHECK(atomic_load(&closed) == atomic_load(&opened));
    rt_system_destroy(runtime);
    rt_pool_thread_end();
    printf("%u connections, opened and closed\n", opened);
    return 0;
}
