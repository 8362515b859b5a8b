/* What the HTTP client promises: the messages of its port in their order, everything the vendor
 * sent before a stop, no more than the window, an honest word on how it ended, and never a second
 * request where one was asked for. */
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

static void
note(const char *words)
{
    size_t used = strlen(seen.words);
    snprintf(seen.words + used, sizeof(seen.words) - used, "%s", words);
}

static void
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

static void
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

static void
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

static void
give_order(const struct order *order)
{
    struct rt_message *message = rt_message_create(KIND_ORDER, sizeof(*order));
    *(struct order *)rt_message_payload(message) = *order;
    cr_assert_eq(rt_post(edge_system, owner, message), RT_OK);
}

static void
tell(enum verb verb, uint64_t transfer, uint32_t bytes)
{
    give_order(&(struct order){.verb = verb, .transfer = transfer, .bytes = bytes});
}

static struct rt_histogram *hurried; /* what try_start() starts, if it is to be hurried */

static enum rt_status
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

static void
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

static void
await_body(size_t wanted)
{
    for (int i = 0; atomic_load(&body_bytes) < wanted; i++) {
        cr_assert_lt(i, 15000, "%zu of %zu bytes", atomic_load(&body_bytes), wanted);
        usleep(1000);
    }
}

/* A request to `path` on this port of ours. Valid until the next call. */
static struct net_http_request *
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

static void
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

static void
teardown(void)
{
    rt_system_stop(edge_system);
    net_http_client_destroy(client);
    net_server_close(edge_server);
    rt_system_destroy(edge_system);
}

TestSuite(http_client, .init = setup, .fini = teardown, .timeout = 60);

static int rogue_listen_fd;
static atomic_uint rogue_connections, rogue_requests;

/* Reads a request with its body, if it has a Content-Length. False when none came. */
static bool
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

static void *
rogue_serve(void *context)
{
    int fd = (int)(intptr_t)context;
    rogue_script(fd);
    close(fd);
    return NULL;
}

static void *
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
static uint16_t
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

static void
say(int fd, const char *text)
{
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

Test(http_client, an_answer_is_head_data_and_end)
{
    start(7, request_to(net_server_port(edge_server), "GET", "/hello"));
    cr_assert_str_eq(words_at_end(1), "7: head 200 text/plain -1; 7: complete; ");
    cr_assert_eq(strncmp(seen.body, "hello", 5), 0);
}

Test(http_client, headers_and_body_arrive_as_they_were_given)
{
    struct net_http_header headers[] = {{"X-Secret", "s3cret"}, {"X-Empty", ""}};
    struct net_http_request *request = request_to(net_server_port(edge_server), "POST", "/echo");
    request->headers = headers;
    request->header_count = 2;
    request->body = "the body";
    request->body_bytes = 8;
    start(1, request);
    words_at_end(1);
    cr_assert_eq(seen.body_bytes, 8);
    cr_assert_eq(memcmp(seen.body, "the body", 8), 0);
}

Test(http_client, a_large_body_goes_out_and_comes_back_in_messages)
{
    static char large[99000];
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)('a' + i % 23);
    struct net_http_request *request = request_to(net_server_port(edge_server), "PUT", "/echo");
    request->body = large;
    request->body_bytes = sizeof(large);
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: head 200 text/plain -1; 1: complete; ");
    cr_assert_eq(seen.body_bytes, sizeof(large));
    cr_assert_eq(memcmp(seen.body, large, sizeof(large)), 0);
}

Test(http_client, a_chunked_answer_is_its_pieces)
{
    start(1, request_to(net_server_port(edge_server), "GET", "/stream"));
    words_at_end(1);
    cr_assert_eq(seen.body_bytes, 7);
    cr_assert_eq(memcmp(seen.body, "one two", 7), 0);
}

Test(http_client, methods_without_answer_or_body_end_too)
{
    start(1, request_to(net_server_port(edge_server), "HEAD", "/hello"));
    words_at_end(1);
    start(2, request_to(net_server_port(edge_server), "DELETE", "/nothing"));
    words_at_end(2);
    start(3, request_to(net_server_port(edge_server), "POST", "/echo"));
    cr_assert_str_eq(
        words_at_end(3),
        "1: head 200 text/plain -1; 1: complete; 2: head 204 text/plain -1; 2: complete; "
        "3: head 200 text/plain -1; 3: complete; ");
    cr_assert_eq(seen.body_bytes, 0);
}

static void
count_connections(int fd)
{
    while (rogue_read(fd))
        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

Test(http_client, connections_are_kept_and_used_again)
{
    uint16_t to_port = rogue_start(count_connections);
    for (unsigned i = 1; i <= 5; i++) {
        start(i, request_to(to_port, "GET", "/"));
        words_at_end(i);
    }
    cr_assert_eq(rogue_connections, 1);
    cr_assert_eq(rogue_requests, 5);
}

static void
answer_with_headers(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 103 Early Hints\r\nRetry-After: 99\r\n\r\n"
            "HTTP/1.1 429 Slow Down\r\ncontent-type:  Text/HTML ; charset=utf-8\r\n"
            "RETRY-AFTER: 7 \r\nContent-Length: 0\r\n\r\n");
    rogue_read(fd);
    say(fd, "HTTP/1.1 429 Slow Down\r\nretry-after-ms: 1001\r\nretry-after: 60\r\n"
            "Content-Length: 0\r\n\r\n");
    rogue_read(fd);
    say(fd, "HTTP/1.1 503 No\r\nretry-after: Fri, 31 Dec 1999 23:59:59 GMT\r\n"
            "Content-Length: 0\r\n\r\n");
}

Test(http_client, the_head_says_status_type_and_when_to_try_again)
{
    uint16_t to_port = rogue_start(answer_with_headers);
    for (unsigned i = 1; i <= 3; i++) {
        start(i, request_to(to_port, "GET", "/"));
        words_at_end(i);
    }
    cr_assert_str_eq(words(), "1: head 429 text/html 7; 1: complete; 2: head 429  2; 2: complete; "
                              "3: head 503  -1; 3: complete; ");
}

Test(http_client, reading_stops_at_the_window_and_goes_on_with_credit)
{
    atomic_store(&owner_consumes, false);
    start(1, request_to(net_server_port(edge_server), "GET", "/endless"));
    await_body(90000);
    usleep(100000);
    size_t before = atomic_load(&body_bytes);
    cr_assert_leq(before, 100000 + NET_HTTP_DATA_BYTES_MAX);
    tell(VERB_CONSUME, 1, (uint32_t)before);
    await_body(before + 80000);
    tell(VERB_CANCEL, 1, 0);
}

static void
send_until_stopped(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    char byte;
    unsigned pieces = 0;
    while (recv(fd, &byte, 1, MSG_DONTWAIT) < 0) {
        say(fd, "4\r\nword\r\n");
        pieces++;
        usleep(200);
    }
    for (int i = 0; i < 50; i++, pieces++) /* what it made before it heard of the stop */
        say(fd, "4\r\nword\r\n");
    atomic_store(&edge_messages, pieces * 4);
    say(fd, "0\r\n\r\n"); /* a proper end, and the connection stays open */
    cr_assert_geq(dup(fd), 0);
}

Test(http_client, a_stop_gets_every_byte_the_vendor_sent)
{
    uint16_t to_port = rogue_start(send_until_stopped);
    start(1, request_to(to_port, "POST", "/"));
    await_body(100);
    tell(VERB_STOP, 1, 0);
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: stopped; ");
    cr_assert_eq(seen.body_bytes, edge_messages);
    struct net_http_request *request = request_to(to_port, "POST", "/");
    request->body = "again";
    request->body_bytes = 5;
    start(2, request); /* not on the half-closed connection */
    await_body(seen.body_bytes + 4);
    cr_assert_eq(rogue_connections, 2);
    tell(VERB_CANCEL, 2, 0);
}

Test(http_client, our_own_server_hears_a_stop_as_the_end)
{
    start(1, request_to(net_server_port(edge_server), "GET", "/hanging"));
    await_body(7);
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: stopped; ");
    cr_assert_eq(seen.body_bytes, 7);
    edge_await(&edge_closed, 1);
}

static void
never_stop(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (send(fd, "4\r\nword\r\n", 9, MSG_NOSIGNAL) == 9)
        usleep(5000);
}

Test(http_client, a_vendor_that_does_not_stop_is_cut)
{
    start(1, request_to(rogue_start(never_stop), "GET", "/"));
    await_body(8);
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: cut; ");
}

static void
never_answer(int fd)
{
    rogue_read(fd);
    rogue_read(fd); /* until the client leaves */
}

Test(http_client, a_cancelled_transfer_says_nothing_more)
{
    uint16_t to_port = rogue_start(never_answer);
    start(1, request_to(to_port, "GET", "/"));
    edge_await(&rogue_requests, 1);
    tell(VERB_CANCEL, 1, 0);
    tell(VERB_CANCEL, 1, 0);
    tell(VERB_STOP, 1, 0);
    tell(VERB_CONSUME, 99, 5);
    start(1, request_to(net_server_port(edge_server), "GET", "/hello"));
    cr_assert_str_eq(words_at_end(1), "1: head 200 text/plain -1; 1: complete; ");
}

/* A port that neither accepts nor refuses: its queue is full. */
static uint16_t
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

Test(http_client, a_transfer_stopped_before_it_reached_anybody_is_stopped)
{
    start(1, request_to(unresponsive_port(), "GET", "/"));
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: stopped; ");
}

Test(http_client, transfers_under_way_are_dropped_with_the_client)
{
    uint16_t to_port = rogue_start(never_answer);
    for (unsigned i = 1; i <= 20; i++)
        start(i, request_to(to_port, "GET", "/"));
}

Test(http_client, a_port_where_nobody_listens_is_unreached)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t name_bytes = sizeof(name);
    bind(fd, (struct sockaddr *)&name, sizeof(name));
    getsockname(fd, (struct sockaddr *)&name, &name_bytes);
    start(1, request_to(ntohs(name.sin_port), "POST", "/"));
    cr_assert_str_eq(words_at_end(1), "1: unreached; ");
    close(fd);
}

Test(http_client, a_host_that_does_not_exist_or_does_not_answer_is_unreached)
{
    struct net_http_request *request = request_to(1, "GET", "/");
    request->url = "http://nowhere.invalid/";
    start(1, request);
    words_at_end(1);
    request = request_to(unresponsive_port(), "GET", "/");
    request->connect_timeout_ms = 50;
    start(2, request);
    cr_assert_str_eq(words_at_end(2), "1: unreached; 2: unreached; ");
}

Test(http_client, silence_is_a_timeout)
{
    struct net_http_request *request = request_to(rogue_start(never_answer), "GET", "/");
    request->idle_timeout_ms = 100;
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: timeout; ");
}

Test(http_client, bytes_now_and_then_are_no_silence_but_the_total_counts)
{
    struct net_http_request *request = request_to(rogue_start(never_stop), "GET", "/");
    request->idle_timeout_ms = 200;
    request->total_timeout_ms = 600;
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: timeout; ");
    cr_assert_gt(seen.body_bytes, 100);
}

Test(http_client, a_transfer_paused_by_its_window_is_not_silent)
{
    atomic_store(&owner_consumes, false);
    struct net_http_request *request = request_to(net_server_port(edge_server), "GET", "/endless");
    request->idle_timeout_ms = 100;
    start(1, request);
    await_body(90000);
    usleep(400000);
    cr_assert_eq(ends, 0);
    tell(VERB_CANCEL, 1, 0);
}

static void
cut_in_the_middle(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
}

Test(http_client, a_connection_cut_in_the_middle_is_cut)
{
    start(1, request_to(rogue_start(cut_in_the_middle), "GET", "/"));
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: cut; ");
    cr_assert_eq(seen.body_bytes, 4);
    start(2, request_to(net_server_port(edge_server), "GET", "/cut"));
    cr_assert_not_null(strstr(words_at_end(2), "2: head 200  -1; 2: cut; "));
}

static void
close_without_answer(int fd)
{
    rogue_read(fd);
}

Test(http_client, a_connection_closed_before_any_answer_is_cut)
{
    start(1, request_to(rogue_start(close_without_answer), "POST", "/"));
    cr_assert_str_eq(words_at_end(1), "1: cut; ");
    cr_assert_eq(rogue_requests, 1);
}

static void
answer_once_then_close(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    rogue_read(fd); /* and then leaves without a word */
}

static bool posts_are_repeatable;

static void
post_twice(const char *body)
{
    uint16_t to_port = rogue_start(answer_once_then_close);
    for (unsigned i = 1; i <= 2; i++) {
        struct net_http_request *request = request_to(to_port, "POST", "/");
        request->body = body;
        request->body_bytes = strlen(body);
        request->is_repeatable = posts_are_repeatable;
        start(i, request);
        words_at_end(i);
    }
    usleep(50000);
}

Test(http_client, a_post_whose_kept_connection_dies_is_not_sent_again)
{
    post_twice("create one");
    cr_assert_str_eq(words(), "1: head 200  -1; 1: complete; 2: cut; ");
    cr_assert_eq(rogue_requests, 2);
}

Test(http_client, a_post_without_body_never_uses_a_kept_connection)
{
    post_twice("");
    cr_assert_str_eq(words(), "1: head 200  -1; 1: complete; 2: head 200  -1; 2: complete; ");
    cr_assert_eq(rogue_connections, 2);
    cr_assert_eq(rogue_requests, 2);
}

Test(http_client, a_repeatable_post_is_sent_again_when_its_kept_connection_dies)
{
    posts_are_repeatable = true;
    post_twice("");
    cr_assert_str_eq(words(), "1: head 200  -1; 1: complete; 2: head 200  -1; 2: complete; ");
    cr_assert_eq(rogue_connections, 2);
    cr_assert_eq(rogue_requests, 3, "once in vain, on the first connection");
}

Test(http_client, a_repeatable_post_uses_a_kept_connection_and_leaves_at_once_when_hurried)
{
    static struct rt_histogram sending;
    uint16_t to_port = rogue_start(count_connections);
    for (unsigned i = 1; i <= 2; i++) {
        struct net_http_request *request = request_to(to_port, "POST", "/end");
        request->is_repeatable = true;
        hurried = i == 1 ? NULL : &sending;
        start(i, request);
        cr_assert_eq(left_at_once, i - 1, "what is not hurried waits for the loop");
        words_at_end(i);
    }
    cr_assert_eq(rogue_connections, 1);
    cr_assert_eq(rogue_requests, 2);
    cr_assert_eq(sending.count, 1);
}

static void
talk_nonsense(int fd)
{
    rogue_read(fd);
    say(fd, "this is not HTTP at all\r\n\r\n");
}

static void
send_endless_head(int fd)
{
    rogue_read(fd);
    say(fd, "HTTP/1.1 200 OK\r\n");
    for (int i = 0; i < 1000; i++)
        say(fd, "X-Line: and another one\r\n");
    rogue_read(fd);
}

Test(http_client, what_is_not_http_is_refused)
{
    start(1, request_to(rogue_start(talk_nonsense), "GET", "/"));
    cr_assert_str_eq(words_at_end(1), "1: refused; ");
}

Test(http_client, a_head_without_end_is_refused)
{
    start(1, request_to(rogue_start(send_endless_head), "GET", "/"));
    cr_assert_str_eq(words_at_end(1), "1: refused; ");
}

static void
answer_over_tls(int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate_file(context, certificate_file, SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context, certificate_key_file, SSL_FILETYPE_PEM);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    char byte;
    if (SSL_accept(ssl) == 1 && SSL_read(ssl, &byte, 1) > 0)
        atomic_fetch_add(&rogue_requests, 1);
    SSL_free(ssl);
    SSL_CTX_free(context);
}

Test(http_client, a_certificate_nobody_vouches_for_gets_no_request)
{
    certificate_make();
    char url[100];
    snprintf(url, sizeof(url), "https://127.0.0.1:%u/", rogue_start(answer_over_tls));
    struct net_http_request *request = request_to(1, "GET", "/");
    request->url = url;
    start(1, request);
    cr_assert_str_eq(words_at_end(1), "1: unreached; ");
    cr_assert_eq(rogue_requests, 0);
    certificate_remove();
}

/* An owner whose lane holds four messages, and that looks at none of them for a while. */
static void
slow_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    if (message->kind == KIND_ORDER)
        usleep(300000); /* after the order was obeyed below */
    owner_handle(self, state, message);
    if (message->kind == KIND_ORDER)
        usleep(1000);
}

static const struct rt_behaviour slow_behaviour = {
    .name = "slow", .limits = {.messages_max = 4, .bytes_max = 1 << 24}, .handle = slow_handle};

Test(http_client, an_owner_whose_lane_is_full_gets_the_end_nevertheless)
{
    struct rt_spawn_options options = {.behaviour = &slow_behaviour, .worker = 0};
    cr_assert_eq(rt_spawn(edge_system, &options, &owner), RT_OK);
    struct net_http_request *request = request_to(net_server_port(edge_server), "GET", "/endless");
    request->window_bytes = 1 << 20;
    start(1, request);
    const char *said = words_at_end(1);
    cr_assert_not_null(strstr(said, "1: refused; "), "%s", said);
}

Test(http_client, urls_headers_and_methods_that_are_none_are_invalid)
{
    static const char *const urls[] = {
        "",        "no-scheme",   "ftp://a/b",      "file:///etc/passwd",
        "http://", "http://a b/", "http://h:99999/"};
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct net_http_request *request = request_to(1, "GET", "/");
        request->url = urls[i];
        cr_assert_eq(try_start(1, request), RT_INVALID, "%s", urls[i]);
    }
    static const struct net_http_header headers[] = {{"X", "a\r\nInjected: yes"},
                                                     {"X\r\nY", "a"},
                                                     {"X Y", "a"},
                                                     {"", "a"},
                                                     {"Content-Length", "3"},
                                                     {"X", "\x7F"},
                                                     {"transfer-encoding", "chunked"}};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct net_http_request *request = request_to(1, "GET", "/");
        request->headers = &headers[i];
        request->header_count = 1;
        cr_assert_eq(try_start(1, request), RT_INVALID, "%zu", i);
    }
    cr_assert_eq(try_start(1, request_to(1, "GET /x", "/")), RT_INVALID);
    cr_assert_eq(ends, 0);
}
