/* What the server promises against clients that are wrong, slow or too many: a clear answer where
 * one is possible, and a bound on everything. */
#include <fcntl.h>
#include <sys/resource.h>

#include "tests/unit/net/edge.h"

TestSuite(server_limits, .init = edge_setup, .fini = edge_stop, .timeout = 60);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n"
#define CLOSE "Connection: close\r\n"

static void
assert_problem(const char *answer, int status, const char *reason)
{
    char line[32], member[64];
    snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
    snprintf(member, sizeof(member), "\"reason\":\"%s\"", reason);
    cr_assert_eq(strncmp(answer, line, strlen(line)), 0, "%s", answer);
    cr_assert_not_null(strstr(answer, "Content-Type: application/problem+json\r\n"));
    cr_assert_not_null(strstr(answer, "Connection: close\r\n"));
    cr_assert_not_null(strstr(answer, "{\"type\":\"about:blank\",\"title\":\""));
    cr_assert_not_null(strstr(answer, member), "%s", answer);
}

Test(server_limits, malformed_http_is_answered_400)
{
    edge_start(1);
    assert_problem(client_talk("nonsense\r\n\r\n"), 400, "malformed_http");
    assert_problem(client_talk("GET / HTTP/1.1\r\n\r\n"), 400, "malformed_http");
    cr_assert_eq(edge_requests, 0);
}

Test(server_limits, what_is_too_big_is_answered_while_the_client_still_sends)
{
    edge_start(1);
    static char request[1 << 20];
    memset(request, 'x', sizeof(request) - 1);
    memcpy(request, "GET / HTTP/1.1\r\nX: ", 19);
    assert_problem(client_talk(request), 431, "header_too_big");
    memcpy(request, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n", 54);
    assert_problem(client_talk(request), 413, "too_big");
}

Test(server_limits, a_slow_header_is_answered_408_and_silence_is_just_closed)
{
    edge_options.header_timeout_ms = 100;
    edge_start(1);
    assert_problem(client_talk("GET / HTTP/1.1\r\nHost:"), 408, "request_timeout");
    cr_assert_str_eq(client_talk(""), "");
}

Test(server_limits, dripping_bytes_does_not_buy_time)
{
    edge_options.header_timeout_ms = 300;
    edge_start(1);
    int fd = client_connect();
    client_say(fd, "GET / HTTP/1.1\r\n");
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    int drips = 0;
    while (poll(&readable, 1, 20) == 0) {
        send(fd, "X", 1, MSG_NOSIGNAL);
        cr_assert_lt(++drips, 500);
    }
    assert_problem(client_read_all(fd), 408, "request_timeout");
    close(fd);
}

Test(server_limits, a_slow_body_is_answered_408)
{
    edge_options.header_timeout_ms = 60000;
    edge_options.body_timeout_ms = 100;
    edge_start(1);
    assert_problem(client_talk("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf"),
                   408, "request_timeout");
}

Test(server_limits, a_connection_idle_between_requests_is_closed_without_words)
{
    edge_options.idle_timeout_ms = 100;
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/hello") "\r\n");
    cr_assert_str_eq(body_of(client_read_all(fd)), "hello");
    close(fd);
    edge_await(&edge_closed, 1);
}

Test(server_limits, a_second_request_has_its_own_time)
{
    edge_options.header_timeout_ms = 150;
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/hello") "\r\n");
    client_read_until(fd, "hello");
    usleep(300000);
    client_say(fd, GET("/hello") "\r\nGET / HTTP");
    assert_problem(strstr(client_read_all(fd), "hello") + 5, 408, "request_timeout");
    close(fd);
}

Test(server_limits, a_client_that_does_not_read_is_let_go)
{
    edge_options.idle_timeout_ms = 200;
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/endless") "\r\n");
    edge_await(&edge_closed, 1);
    close(fd);
}

Test(server_limits, a_client_that_sends_and_does_not_read_costs_no_processor_time)
{
    edge_options.queued_bytes_max = 20 << 20; /* more than the kernel takes */
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/endless") "\r\n");
    edge_await(&edge_full, 1);
    usleep(200000);
    client_say(fd, "and a little more");
    struct rusage before, after;
    usleep(100000);
    getrusage(RUSAGE_SELF, &before);
    usleep(500000);
    getrusage(RUSAGE_SELF, &after);
    int64_t us = (after.ru_utime.tv_sec - before.ru_utime.tv_sec) * 1000000 +
                 (after.ru_utime.tv_usec - before.ru_utime.tv_usec) +
                 (after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1000000 +
                 (after.ru_stime.tv_usec - before.ru_stime.tv_usec);
    cr_assert_lt(us, 250000, "a loop that spins uses all of the half second");
    close(fd);
}

Test(server_limits, connections_above_the_limit_are_told_so)
{
    edge_options.connections_max = 2;
    edge_start(1);
    int first = client_connect(), second = client_connect();
    client_say(first, GET("/hello") "\r\n");
    client_read_until(first, "hello");
    client_say(second, GET("/hello") "\r\n");
    client_read_until(second, "hello");
    const char *answer = client_talk(GET("/hello") "\r\n");
    assert_problem(answer, 503, "overload");
    cr_assert_not_null(strstr(answer, "Retry-After: 1\r\n"));
    close(first);
    close(second);
    edge_await(&edge_closed, 2);
    cr_assert_str_eq(body_of(client_talk(GET("/hello") CLOSE "\r\n")), "hello");
}

Test(server_limits, far_above_the_limit_they_are_just_closed)
{
    edge_options.connections_max = 1;
    edge_start(1);
    int fds[100];
    for (int i = 0; i < 100; i++)
        fds[i] = client_connect();
    cr_assert_str_eq(client_read_all(fds[99]), "");
    for (int i = 0; i < 100; i++)
        close(fds[i]);
}

Test(server_limits, without_file_descriptors_new_connections_are_dropped_and_old_ones_served)
{
    edge_start(1);
    int old = client_connect(), hopeless = socket(AF_INET, SOCK_STREAM, 0);
    client_say(old, GET("/hello") "\r\n");
    client_read_until(old, "hello");
    int hogs[100], count = 0;
    struct rlimit limit = {.rlim_cur = 100, .rlim_max = 100};
    setrlimit(RLIMIT_NOFILE, &limit);
    while (count < 100 && (hogs[count] = open("/dev/null", O_RDONLY)) >= 0)
        count++;
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(net_server_port(edge_server)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    cr_assert_eq(connect(hopeless, (struct sockaddr *)&name, sizeof(name)), 0);
    char byte;
    cr_assert_leq(recv(hopeless, &byte, 1, 0), 0, "it is dropped, not left waiting");
    client_say(old, GET("/hello") "\r\n");
    client_read_until(old, "hello");
    while (count > 0)
        close(hogs[--count]);
    close(hopeless);
    cr_assert_str_eq(body_of(client_talk(GET("/hello") CLOSE "\r\n")), "hello", "and it recovers");
    close(old);
}

static enum rt_status
try_to_open(const char *listen, char problem[200])
{
    struct rt_system *system =
        rt_system_create(&(struct rt_system_options){.workers = 2, .world = rt_world_real()});
    struct net_server_options options = edge_options;
    options.system = system;
    options.listen = listen;
    struct net_server *server;
    enum rt_status status = net_server_open(&options, &server, problem, 200);
    if (status == RT_OK)
        net_server_close(server);
    rt_system_destroy(system);
    return status;
}

Test(server_limits, an_address_that_is_none_is_refused_in_words)
{
    static const char *const bad[] = {
        "",        "8080",    ":8080", "localhost:",     "a:b",    "::1:80",      "host:65536",
        "host:1x", "[::1:80", "[]:80", "1.2.3.4.5.6:80", "a b:80", "host:123456", "[::1]"};
    char problem[200];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(try_to_open(bad[i], problem), RT_INVALID, "%s", bad[i]);
        cr_assert_not_null(strstr(problem, "not an address"));
    }
    cr_assert_eq(try_to_open("localhost:0", problem), RT_OK);
    cr_assert_eq(try_to_open("[::1]:0", problem), RT_OK);
}

Test(server_limits, a_port_somebody_else_has_is_refused_also_to_a_second_server_of_ours)
{
    edge_start(2);
    char listen[32], problem[200];
    snprintf(listen, sizeof(listen), "127.0.0.1:%u", net_server_port(edge_server));
    cr_assert_eq(try_to_open(listen, problem), RT_IO);
    cr_assert_not_null(strstr(problem, "Address already in use"), "%s", problem);
}
