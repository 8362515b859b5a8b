/* What the server promises to count: each newcomer, request and WebSocket that it turned away, once
 * and by its reason. A test is a process of its own, so all counts begin at 0. */
#include <fcntl.h>
#include <sys/resource.h>

#include "runtime/metrics.h"
#include "tests/unit/net/edge.h"

TestSuite(server_refusals, .init = edge_setup, .fini = edge_stop, .timeout = 60);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n"

/* How many were refused: "connections", "requests" or "websockets", for `reason`. */
static unsigned long
refused(const char *what, const char *reason)
{
    char name[100];
    snprintf(name, sizeof(name), "\ntwin_%s_refused_total{reason=\"%s\"} ", what, reason);
    size_t size_bytes;
    char *text = rt_metrics_render(&size_bytes);
    const char *at = strstr(text, name);
    cr_assert_not_null(at, "no %s", name);
    unsigned long count = strtoul(at + strlen(name), NULL, 10);
    free(text);
    return count;
}

/* Of all reasons together. */
static unsigned long
refused_in_all(const char *what)
{
    char name[100];
    snprintf(name, sizeof(name), "\ntwin_%s_refused_total{", what);
    size_t size_bytes;
    char *text = rt_metrics_render(&size_bytes);
    unsigned long sum = 0;
    for (const char *at = text; (at = strstr(at, name)) != NULL;) {
        at = strstr(at, "} ") + 2;
        sum += strtoul(at, NULL, 10);
    }
    free(text);
    return sum;
}

Test(server_refusals, a_request_counts_by_the_reason_it_was_told)
{
    static const struct {
        const char *request, *reason;
    } cases[] = {
        {"nonsense\r\n\r\n", "malformed_http"},
        {GET("/") "Expect: miracles\r\n\r\n", "expectation_unknown"},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", "too_big"},
        {"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
         "transfer_encoding"},
        {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", "http_version"},
        {GET("/") "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\n"
                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
         "websocket_version"},
        {"GET / HTTP/1.1\r\nHost:", "request_timeout"},
    };
    edge_options.header_timeout_ms = 200;
    edge_start(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(refused("requests", cases[i].reason), 0);
        cr_assert_not_null(strstr(client_talk(cases[i].request), cases[i].reason));
        cr_assert_eq(refused("requests", cases[i].reason), 1, "%s", cases[i].reason);
        cr_assert_eq(refused_in_all("requests"), i + 1, "%s", cases[i].reason);
    }
    client_talk(GET("/hello") "Connection: close\r\n\r\n");
    cr_assert_eq(refused_in_all("requests"), sizeof(cases) / sizeof(cases[0]));
    cr_assert_eq(refused_in_all("connections"), 0);
}

Test(server_refusals, a_header_that_is_too_big_counts)
{
    edge_start(1);
    static char request[20000] = "GET / HTTP/1.1\r\nX: ";
    memset(request + strlen(request), 'x', sizeof(request) - 1 - strlen(request));
    cr_assert_not_null(strstr(client_talk(request), "header_too_big"));
    cr_assert_eq(refused("requests", "header_too_big"), 1);
}

Test(server_refusals, a_newcomer_above_the_limit_counts_once_whatever_it_is_told)
{
    edge_options.connections_max = 1;
    edge_start(1);
    int first = client_connect();
    client_say(first, GET("/hello") "\r\n");
    client_read_until(first, "hello");
    cr_assert_not_null(strstr(client_talk(GET("/hello") "\r\n"), "\"overload\""));
    cr_assert_eq(refused("connections", "surplus"), 1);
    cr_assert_eq(refused_in_all("connections"), 1);
    cr_assert_eq(refused_in_all("requests"), 0);
    close(first);
}

Test(server_refusals, those_far_above_it_count_apart)
{
    enum { CLIENTS = 100, SERVED = 1, TOLD = 64 };
    edge_options.connections_max = SERVED;
    edge_start(1);
    int fds[CLIENTS];
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client_connect();
    cr_assert_str_eq(client_read_all(fds[CLIENTS - 1]), "");
    cr_assert_eq(refused("connections", "surplus"), TOLD);
    cr_assert_eq(refused("connections", "flood"), CLIENTS - SERVED - TOLD);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}

Test(server_refusals, who_is_dropped_for_want_of_a_descriptor_counts)
{
    edge_start(1);
    int hopeless = socket(AF_INET, SOCK_STREAM, 0);
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 100};
    setrlimit(RLIMIT_NOFILE, &limit);
    while (open("/dev/null", O_RDONLY) >= 0)
        ;
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(net_server_port(edge_server)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    cr_assert_eq(connect(hopeless, (struct sockaddr *)&name, sizeof(name)), 0);
    char byte;
    cr_assert_leq(recv(hopeless, &byte, 1, 0), 0, "it is dropped, not left waiting");
    cr_assert_eq(refused("connections", "no_descriptor"), 1);
    cr_assert_eq(refused_in_all("connections"), 1);
}

Test(server_refusals, a_websocket_that_breaks_the_rules_counts_by_the_rule)
{
    enum { TEXT = 0x81, RESERVED = 0x83, CLOSE = 0x88 };
    static const struct {
        const char *text, *reason;
        uint8_t first;
    } cases[] = {{"", "protocol", RESERVED},
                 {"\xff", "not_utf8", TEXT},
                 {"longer than ten", "too_big", TEXT}};
    edge_options.message_bytes_max = 10;
    edge_start(1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = client_open_websocket();
        client_send_frame(fd, cases[i].first, cases[i].text);
        client_read_all(fd);
        cr_assert_eq(refused("websockets", cases[i].reason), 1, "%s", cases[i].reason);
        cr_assert_eq(refused_in_all("websockets"), i + 1);
        close(fd);
    }
    int fd = client_open_websocket();
    client_send_frame(fd, CLOSE, "");
    client_read_all(fd);
    cr_assert_eq(refused_in_all("websockets"), 3, "to leave is no refusal");
    close(fd);
}
