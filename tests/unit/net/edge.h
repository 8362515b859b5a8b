/*
 * tests/unit/net/edge.h - a running server and a plain client, for tests of the edge.
 *
 * The server answers by path, on one or two workers. The client is blocking POSIX code that
 * knows nothing of net/ but the frames of net/websocket.h.
 */
#ifndef TESTS_EDGE_H
#define TESTS_EDGE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/server.h"
#include "net/websocket.h"
#include "runtime/system.h"
#include "runtime/world.h"

static struct rt_system *edge_system;
static struct net_server *edge_server;
static struct net_server_options edge_options;

/* What the owner has seen. */
static atomic_uint edge_requests, edge_messages, edge_closed, edge_drained, edge_full;
static atomic_uint edge_close_code;
static struct net_conn *edge_kept; /* the connection of GET /keep; one worker only */

static inline void
edge_answer(struct net_conn *conn, int status, const void *body, size_t body_bytes)
{
    const struct net_header headers[] = {{"Content-Type", "text/plain"}};
    net_conn_respond(conn, &(struct net_response){.status = status,
                                                  .headers = headers,
                                                  .header_count = 1,
                                                  .body = body,
                                                  .body_bytes = body_bytes});
}

static inline void
edge_fill(struct net_conn *conn)
{
    static const char piece[10000];
    while (net_conn_stream_write(conn, piece, sizeof(piece)) == RT_OK)
        ;
    atomic_fetch_add(&edge_full, 1);
}

static inline void
edge_stream(struct net_conn *conn, const char *path)
{
    net_conn_stream_begin(conn, &(struct net_response){.status = 200});
    if (strcmp(path, "/endless") == 0) {
        net_conn_set_user(conn, &edge_kept);
        edge_fill(conn);
        return;
    }
    cr_assert_eq(net_conn_stream_write(conn, "one ", 4), RT_OK);
    cr_assert_eq(net_conn_stream_write(conn, "", 0), RT_OK);
    cr_assert_eq(net_conn_stream_write(conn, "two", 3), RT_OK);
    if (strcmp(path, "/cut") == 0)
        net_conn_close(conn, 0, NULL);
    else if (strcmp(path, "/stream") == 0)
        net_conn_stream_end(conn);
}

static inline void
edge_on_request(void *context, struct net_conn *conn, const struct net_request *request)
{
    (void)context;
    atomic_fetch_add(&edge_requests, 1);
    const char *path = request->path;
    if (request->wants_websocket && strcmp(path, "/refused") != 0)
        net_conn_upgrade(conn, net_request_header(request, "sec-websocket-protocol"));
    else if (strcmp(path, "/echo") == 0)
        edge_answer(conn, 200, request->body, request->body_bytes);
    else if (strcmp(path, "/peer") == 0)
        edge_answer(conn, 200, request->peer, strlen(request->peer));
    else if (strcmp(path, "/nothing") == 0)
        edge_answer(conn, 204, NULL, 0);
    else if (strcmp(path, "/keep") == 0)
        edge_kept = conn; /* answered by GET /release, or never */
    else if (strcmp(path, "/release") == 0) {
        edge_answer(edge_kept, 200, "late", 4);
        edge_answer(conn, 200, "released", 8);
    } else if (strcmp(path, "/resume") == 0) {
        net_conn_resume(edge_kept);
        edge_answer(conn, 200, "resumed", 7);
    } else if (strcmp(path, "/end") == 0) {
        net_conn_close(edge_kept, 4001, "as you wish");
        edge_answer(conn, 200, "ended", 5);
    } else if (strcmp(path, "/sleep") == 0) {
        usleep(300000);
        edge_answer(conn, 200, "slept", 5);
    } else if (strcmp(path, "/close") == 0)
        net_conn_close(conn, 0, NULL);
    else if (strcmp(path, "/stream") == 0 || strcmp(path, "/hanging") == 0 ||
             strcmp(path, "/cut") == 0 || strcmp(path, "/endless") == 0)
        edge_stream(conn, path);
    else
        edge_answer(conn, strcmp(path, "/hello") == 0 ? 200 : 404, "hello", 5);
}

/* Echoes, but for a few words that make it do other things. */
static inline void
edge_on_message(void *context, struct net_conn *conn, enum net_ws_type type, const uint8_t *bytes,
                size_t size_bytes)
{
    (void)context;
    atomic_fetch_add(&edge_messages, 1);
    if (size_bytes == 5 && memcmp(bytes, "close", 5) == 0) {
        net_conn_close(conn, 4001, "as you wish");
        cr_assert_eq(net_conn_send(conn, type, bytes, size_bytes), RT_CLOSED);
    } else if (size_bytes == 5 && memcmp(bytes, "pause", 5) == 0) {
        edge_kept = conn;
        net_conn_pause(conn);
    } else if (size_bytes == 5 && memcmp(bytes, "flood", 5) == 0) {
        static const uint8_t piece[10000];
        while (net_conn_send(conn, NET_WS_BINARY, piece, sizeof(piece)) == RT_OK)
            ;
        atomic_fetch_add(&edge_full, 1);
    } else if (size_bytes == 5 && memcmp(bytes, "later", 5) == 0) {
        net_conn_set_user(conn, &edge_messages); /* resumed by on_drained */
        net_conn_pause(conn);
        cr_assert_eq(net_conn_send(conn, type, bytes, size_bytes), RT_OK);
        net_conn_await_drained(conn);
    } else if (net_conn_send(conn, type, bytes, size_bytes) != RT_OK) {
        atomic_fetch_add(&edge_full, 1);
    }
}

static inline void
edge_on_drained(void *context, struct net_conn *conn)
{
    (void)context;
    cr_assert_eq(net_conn_queued_bytes(conn), 0);
    atomic_fetch_add(&edge_drained, 1);
    if (net_conn_user(conn) == &edge_kept)
        edge_fill(conn);
    if (net_conn_user(conn) == &edge_messages)
        net_conn_resume(conn);
}

static inline void
edge_on_closed(void *context, struct net_conn *conn, uint16_t code)
{
    (void)context, (void)conn;
    atomic_store(&edge_close_code, code);
    atomic_fetch_add(&edge_closed, 1);
}

/* Defaults; a test changes them, then calls edge_start(). */
static inline void
edge_setup(void)
{
    edge_options = (struct net_server_options){
        .listen = "127.0.0.1:0",
        .events = {.on_request = edge_on_request,
                   .on_message = edge_on_message,
                   .on_drained = edge_on_drained,
                   .on_closed = edge_on_closed},
        .header_bytes_max = 8192,
        .body_bytes_max = 100000,
        .message_bytes_max = 100000,
        .queued_bytes_max = 200000,
        .connections_max = 1000,
        .header_timeout_ms = 5000,
        .body_timeout_ms = 5000,
        .idle_timeout_ms = 5000,
        .ping_interval_ms = 5000,
    };
}

static inline void
edge_start(unsigned workers)
{
    edge_system =
        rt_system_create(&(struct rt_system_options){.workers = workers, .world = rt_world_real()});
    cr_assert_not_null(edge_system);
    edge_options.system = edge_system;
    char problem[200] = "";
    enum rt_status status = net_server_open(&edge_options, &edge_server, problem, sizeof(problem));
    cr_assert_eq(status, RT_OK, "%s", problem);
    cr_assert_eq(rt_system_start(edge_system), RT_OK);
}

static inline void
edge_stop(void)
{
    if (edge_system == NULL)
        return;
    rt_system_stop(edge_system);
    net_server_close(edge_server);
    rt_system_destroy(edge_system);
    edge_system = NULL;
}

/* Waits until a count is reached: events come on the worker's thread. */
static inline void
edge_await(atomic_uint *count, unsigned wanted)
{
    for (int i = 0; atomic_load(count) < wanted; i++) {
        cr_assert_lt(i, 15000, "waited for %u, got %u", wanted, atomic_load(count));
        usleep(1000);
    }
}

static inline int
client_connect(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(net_server_port(edge_server)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval patience = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    cr_assert_eq(connect(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    return fd;
}

static inline void
client_send(int fd, const void *bytes, size_t size_bytes)
{
    cr_assert_eq(send(fd, bytes, size_bytes, MSG_NOSIGNAL), (ssize_t)size_bytes);
}

static inline void
client_say(int fd, const char *text)
{
    client_send(fd, text, strlen(text));
}

/* Reads until `ending` was read; the text stays valid until the next call. */
static inline const char *
client_read_until(int fd, const char *ending)
{
    static char text[1 << 20];
    size_t used = 0, ending_bytes = strlen(ending);
    while (used < ending_bytes || memcmp(text + used - ending_bytes, ending, ending_bytes) != 0) {
        text[used] = '\0';
        cr_assert_eq(recv(fd, text + used, 1, 0), 1, "ended before \"%s\" came: %s", ending, text);
        used++;
        cr_assert_lt(used, sizeof(text));
    }
    text[used] = '\0';
    return text;
}

/* Reads until the server closes; the text stays valid until the next call. */
static inline const char *
client_read_all(int fd)
{
    static char text[1 << 20];
    size_t used = 0;
    for (;;) {
        ssize_t got = recv(fd, text + used, sizeof(text) - 1 - used, 0);
        cr_assert_geq(got, 0, "neither bytes nor an end");
        if (got == 0)
            break;
        used += (size_t)got;
    }
    text[used] = '\0';
    return text;
}

/* One request on a connection of its own, to the end. */
static inline const char *
client_talk(const char *request)
{
    int fd = client_connect();
    client_say(fd, request);
    const char *answer = client_read_all(fd);
    close(fd);
    return answer;
}

static inline const char *
body_of(const char *answer)
{
    const char *blank = strstr(answer, "\r\n\r\n");
    cr_assert_not_null(blank, "no answer: %s", answer);
    return blank + 4;
}

#define UPGRADE(path)                                                                              \
    "GET " path " HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"            \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static inline int
client_open_websocket(void)
{
    int fd = client_connect();
    client_say(fd, UPGRADE("/ws") "\r\n");
    cr_assert_eq(strncmp(client_read_until(fd, "\r\n\r\n"), "HTTP/1.1 101 ", 13), 0);
    return fd;
}

/* Puts one masked frame into `out`; returns its size. */
static inline size_t
client_frame(uint8_t *out, uint8_t first, const void *payload, size_t size_bytes)
{
    static const uint8_t mask[4] = {9, 8, 7, 6};
    size_t header_bytes = net_ws_write_header(out, NET_WS_OP_TEXT, size_bytes, mask);
    out[0] = first;
    if (size_bytes > 0)
        memcpy(out + header_bytes, payload, size_bytes);
    net_ws_mask(out + header_bytes, size_bytes, mask, 0);
    return header_bytes + size_bytes;
}

static inline void
client_send_frame(int fd, uint8_t first, const char *text)
{
    uint8_t frame[1000];
    client_send(fd, frame, client_frame(frame, first, text, strlen(text)));
}

static inline void
client_read_bytes(int fd, uint8_t *to, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t got = recv(fd, to, size_bytes, 0);
        cr_assert_gt(got, 0, "the server closed in the middle");
        to += got;
        size_bytes -= (size_t)got;
    }
}

/* The next frame as "first byte in hex:payload"; "gone" when the server has closed. */
static inline const char *
client_read_frame(int fd)
{
    static char text[1 << 18];
    uint8_t header[10];
    if (recv(fd, header, 1, 0) != 1)
        return "gone";
    client_read_bytes(fd, header + 1, 1);
    size_t size_bytes = header[1];
    if (size_bytes >= 126) {
        size_t count = size_bytes == 126 ? 2 : 8;
        client_read_bytes(fd, header + 2, count);
        size_bytes = 0;
        for (size_t i = 0; i < count; i++)
            size_bytes = size_bytes << 8 | header[2 + i];
    }
    cr_assert_lt(size_bytes, sizeof(text) - 10);
    int used = snprintf(text, sizeof(text), "%02x:", header[0]);
    client_read_bytes(fd, (uint8_t *)text + used, size_bytes);
    text[(size_t)used + size_bytes] = '\0';
    return text;
}

#endif
