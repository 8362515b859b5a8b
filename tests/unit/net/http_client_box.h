/*
 * tests/unit/net/http_client_box.h - an owner that keeps what an HTTP client told it, our server
 * for it to talk to, and a server that does as it likes.
 */
#ifndef TESTS_HTTP_CLIENT_BOX_H
#define TESTS_HTTP_CLIENT_BOX_H

#include <openssl/ssl.h>
#include <pthread.h>

#include "net/http_client.h"
#include "tests/unit/net/certificate.h"
#include "tests/unit/net/edge.h"

enum { KIND_ORDER = RT_KIND_USER };

enum verb { VERB_START, VERB_CONSUME, VERB_STOP, VERB_CANCEL };

struct order {
    enum verb verb;
    uint64_t transfer;
    struct net_http_request request;
    uint32_t bytes;
    atomic_int *status_out;
    struct rt_histogram *hurried; /* of its START; or NULL */
};

static struct net_http_client *client;

static struct net_http_port port;

static struct rt_address owner;

static atomic_uint_fast64_t left_at_once; /* requests of the last START, by the end of its turn */
static atomic_bool owner_consumes;        /* at once, all it gets */

static struct {
    pthread_mutex_t mutex;
    char words[4096];
    char body[1 << 20];
    size_t body_bytes;
} seen = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static atomic_uint ends, heads;

static atomic_size_t body_bytes;

static inline void
note(const char *words)
{
    size_t used = strlen(seen.words);
    snprintf(seen.words + used, sizeof(seen.words) - used, "%s", words);
}

static inline void
obey(struct rt_actor *self, const struct order *order)
{
    switch (order->verb) {
    case VERB_START: {
        int status = (int)port.start(port.self, self, order->transfer, &order->request);
        if (order->hurried != NULL)
            port.hurry(port.self, self, order->transfer, rt_now_ns(self), order->hurried);
        left_at_once = order->hurried == NULL ? 0 : order->hurried->count;
        atomic_store(order->status_out, status);
        break;
    }
    case VERB_CONSUME:
        port.consume(port.self, self, order->transfer, order->bytes);
        break;
    case VERB_STOP:
        port.stop(port.self, self, order->transfer);
        break;
    case VERB_CANCEL:
        port.cancel(port.self, self, order->transfer);
        break;
    }
}

static inline void
note_data(struct rt_actor *self, struct rt_message *message)
{
    const struct net_http_data *data = rt_message_payload(message);
    size_t size_bytes = message->buffer->size_bytes;
    cr_assert_leq(size_bytes, NET_HTTP_DATA_BYTES_MAX);
    cr_assert_lt(seen.body_bytes + size_bytes, sizeof(seen.body));
    memcpy(seen.body + seen.body_bytes, message->buffer->bytes, size_bytes);
    seen.body_bytes += size_bytes;
    atomic_fetch_add(&body_bytes, size_bytes);
    if (atomic_load(&owner_consumes))
        port.consume(port.self, self, data->transfer, (uint32_t)size_bytes);
}

static inline void
owner_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    static const char *const results[] = {"complete", "stopped", "unreached",
                                          "timeout",  "cut",     "refused"};
    (void)state;
    char words[200];
    pthread_mutex_lock(&seen.mutex);
    if (message->kind == KIND_ORDER) {
        obey(self, rt_message_payload(message));
    } else if (message->kind == NET_HTTP_HEAD) {
        const struct net_http_head *head = rt_message_payload(message);
        snprintf(words, sizeof(words), "%lu: head %d %s %ld; ", head->transfer, head->status,
                 head->content_type, head->retry_after_s);
        note(words);
        atomic_fetch_add(&heads, 1);
    } else if (message->kind == NET_HTTP_DATA) {
        note_data(self, message);
    } else if (message->kind == NET_HTTP_END) {
        const struct net_http_end *end = rt_message_payload(message);
        snprintf(words, sizeof(words), "%lu: %s; ", end->transfer, results[end->result]);
        note(words);
        atomic_fetch_add(&ends, 1);
    }
    pthread_mutex_unlock(&seen.mutex);
}

static struct rt_behaviour owner_behaviour = {
    .name = "owner",
    .limits = {.messages_max = 1000, .bytes_max = 1 << 24},
    .handle = owner_handle};

static inline void
give_order(const struct order *order)
{
    struct rt_message *message = rt_message_create(KIND_ORDER, sizeof(*order));
    *(struct order *)rt_message_payload(message) = *order;
    cr_assert_eq(rt_post(edge_system, owner, message), RT_OK);
}

static inline void
tell(enum verb verb, uint64_t transfer, uint32_t bytes)
{
    give_order(&(struct order){.verb = verb, .transfer = transfer, .bytes = bytes});
}

static struct rt_histogram *hurried; /* what try_start() starts, if it is to be hurried */

static inline enum rt_status
try_start(uint64_t transfer, const struct net_http_request *request)
{
    atomic_int status = -1;
    give_order(&(struct order){.verb = VERB_START,
                               .transfer = transfer,
                               .request = *request,
                               .status_out = &status,
                               .hurried = hurried});
    for (int i = 0; atomic_load(&status) < 0; i++) {
        cr_assert_lt(i, 15000);
        usleep(1000);
    }
    return (enum rt_status)atomic_load(&status);
}

static inline void
start(uint64_t transfer, const struct net_http_request *request)
{
    cr_assert_eq(try_start(transfer, request), RT_OK);
}

static const char *
words(void)
{
    static char copy[sizeof(seen.words)];
    pthread_mutex_lock(&seen.mutex);
    memcpy(copy, seen.words, sizeof(copy));
    pthread_mutex_unlock(&seen.mutex);
    return copy;
}

static const char *
words_at_end(unsigned wanted)
{
    edge_await(&ends, wanted);
    return words();
}

static inline void
await_body(size_t wanted)
{
    for (int i = 0; atomic_load(&body_bytes) < wanted; i++) {
        cr_assert_lt(i, 15000, "%zu of %zu bytes", atomic_load(&body_bytes), wanted);
        usleep(1000);
    }
}

/* A request to `path` on this port of ours. Valid until the next call. */
static inline struct net_http_request *
request_to(uint16_t to_port, const char *method, const char *path)
{
    static char url[200];
    static struct net_http_request request;
    snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", to_port, path);
    request = (struct net_http_request){.method = method,
                                        .url = url,
                                        .connect_timeout_ms = 2000,
                                        .idle_timeout_ms = 10000,
                                        .window_bytes = 100000};
    return &request;
}

static inline void
setup(void)
{
    edge_setup();
    edge_options.system = edge_system =
        rt_system_create(&(struct rt_system_options){.workers = 1, .world = rt_world_real()});
    char problem[200];
    cr_assert_eq(net_server_open(&edge_options, &edge_server, problem, sizeof(problem)), RT_OK);
    client = net_http_client_create(edge_system);
    port = net_http_client_port(client);
    atomic_store(&owner_consumes, true);
    struct rt_spawn_options options = {.behaviour = &owner_behaviour, .worker = 0};
    cr_assert_eq(rt_spawn(edge_system, &options, &owner), RT_OK);
    cr_assert_eq(rt_system_start(edge_system), RT_OK);
}

static inline void
teardown(void)
{
    rt_system_stop(edge_system);
    net_http_client_destroy(client);
    net_server_close(edge_server);
    rt_system_destroy(edge_system);
}

static int rogue_listen_fd;

static atomic_uint rogue_connections, rogue_requests;

/* Reads a request with its body, if it has a Content-Length. False when none came. */
static inline bool
rogue_read(int fd)
{
    char text[1 << 14];
    size_t used = 0;
    char *blank = NULL;
    while (blank == NULL) {
        ssize_t got = recv(fd, text + used, sizeof(text) - 1 - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
        text[used] = '\0';
        blank = strstr(text, "\r\n\r\n");
    }
    const char *length = strcasestr(text, "content-length: ");
    size_t wanted = (size_t)(blank + 4 - text);
    if (length != NULL)
        wanted += strtoul(length + 16, NULL, 10);
    while (used < wanted) {
        ssize_t got = recv(fd, text + used, sizeof(text) - 1 - used, 0);
        if (got <= 0)
            return false;
        used += (size_t)got;
    }
    atomic_fetch_add(&rogue_requests, 1);
    return true;
}

typedef void (*script)(int fd);

static script rogue_script;

static inline void *
rogue_serve(void *context)
{
    int fd = (int)(intptr_t)context;
    rogue_script(fd);
    close(fd);
    return NULL;
}

static inline void *
rogue_main(void *context)
{
    (void)context;
    int fd;
    while ((fd = accept(rogue_listen_fd, NULL, NULL)) >= 0) {
        atomic_fetch_add(&rogue_connections, 1);
        pthread_t thread;
        cr_assert_eq(pthread_create(&thread, NULL, rogue_serve, (void *)(intptr_t)fd), 0);
        pthread_detach(thread);
    }
    return NULL;
}

/* Starts it; it ends with the test's process. */
static inline uint16_t
rogue_start(script run)
{
    rogue_script = run;
    rogue_listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t name_bytes = sizeof(name);
    cr_assert_eq(bind(rogue_listen_fd, (struct sockaddr *)&name, sizeof(name)), 0);
    cr_assert_eq(listen(rogue_listen_fd, 10), 0);
    getsockname(rogue_listen_fd, (struct sockaddr *)&name, &name_bytes);
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, rogue_main, NULL), 0);
    pthread_detach(thread);
    return ntohs(name.sin_port);
}

static inline void
say(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

static inline void
count_connections(int fd)
{
    while (rogue_read(fd))
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

/* A port that neither accepts nor refuses: its queue is full. */
static inline uint16_t
unresponsive_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t name_bytes = sizeof(name);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    cr_assert_eq(listen(fd, 0), 0);
    getsockname(fd, (struct sockaddr *)&name, &name_bytes);
    for (int i = 0; i < 4; i++) {
        int filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(filler, (struct sockaddr *)&name, sizeof(name));
    }
    return ntohs(name.sin_port);
}

static inline void
never_stop(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (send(fd, "4\r\nword\r\n", 9, MSG_NOSIGNAL) == 9)
        usleep(5000);
}

static inline void
never_answer(int fd)
{
    rogue_read(fd);
    rogue_read(fd); /* until the client leaves */
}

#endif
