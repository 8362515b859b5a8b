/* What the server promises as an HTTP server: one answer for each request, in order, framed as
 * its client can read it, on connections that live as long as both sides wish. */
#include "tests/unit/net/edge.h"

TestSuite(server_http, .init = edge_setup, .fini = edge_stop, .timeout = 60);

#define GET(path) "GET " path " HTTP/1.1\r\nHost: h\r\n"
#define CLOSE "Connection: close\r\n"

Test(server_http, a_request_gets_its_answer_with_length_and_date)
{
    edge_start(1);
    const char *answer = client_talk(GET("/hello") CLOSE "\r\n");
    cr_assert_eq(strncmp(answer, "HTTP/1.1 200 OK\r\n", 17), 0, "%s", answer);
    cr_assert_not_null(strstr(answer, "\r\nContent-Length: 5\r\n"));
    cr_assert_not_null(strstr(answer, "\r\nContent-Type: text/plain\r\n"));
    cr_assert_not_null(strstr(answer, "\r\nConnection: close\r\n"));
    cr_assert_not_null(strstr(answer, " GMT\r\n"));
    cr_assert_str_eq(body_of(answer), "hello");
}

Test(server_http, the_peer_is_named_by_its_address)
{
    edge_start(1);
    cr_assert_str_eq(body_of(client_talk(GET("/peer") CLOSE "\r\n")), "127.0.0.1");
}

Test(server_http, a_connection_serves_many_requests)
{
    edge_start(1);
    int fd = client_connect();
    for (int i = 0; i < 50; i++) {
        client_say(fd, GET("/hello") "\r\n");
        cr_assert_null(strstr(client_read_until(fd, "hello"), "Connection:"));
    }
    close(fd);
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_requests, 50);
}

Test(server_http, pipelined_requests_are_answered_in_order)
{
    edge_start(1);
    const char *answer = client_talk(
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1"
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n2"
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nConnection: close\r\n\r\n3"
        "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n4");
    for (int i = 1; i <= 3; i++) {
        const char *body = body_of(answer);
        cr_assert_eq(body[0], '0' + i);
        answer = body + 1;
    }
    cr_assert_str_eq(answer, "", "nothing is read behind the last request");
    cr_assert_eq(edge_requests, 3);
}

Test(server_http, while_a_request_waits_the_next_one_is_not_read)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/keep") "\r\n" GET("/hello") "\r\n");
    edge_await(&edge_requests, 1);
    const char *released = client_talk(GET("/release") CLOSE "\r\n");
    cr_assert_str_eq(body_of(released), "released");
    cr_assert_str_eq(body_of(client_read_until(fd, "late")), "late");
    client_read_until(fd, "hello");
    cr_assert_eq(edge_requests, 3);
    close(fd);
}

/* The worker sleeps in a request meanwhile, so it finds at once that one connection's answer is
 * released and that more bytes came on it; in this order or in the other. */
static void
release_while_more_comes(bool release_first)
{
    unsigned requests = edge_requests;
    int waiting = client_connect(), releasing = client_connect(), sleeping = client_connect();
    client_say(waiting, GET("/keep") "\r\n" GET("/hello"));
    edge_await(&edge_requests, requests + 1);
    usleep(20000);
    client_say(sleeping, GET("/sleep") "\r\n");
    edge_await(&edge_requests, requests + 2);
    if (release_first)
        client_say(releasing, GET("/release") "\r\n");
    client_say(waiting, CLOSE "\r\n");
    if (!release_first)
        client_say(releasing, GET("/release") "\r\n");
    const char *answers = client_read_all(waiting);
    cr_assert_eq(strncmp(body_of(answers), "lateHTTP/1.1 200 OK\r\n", 21), 0, "%s", answers);
    close(waiting);
    close(releasing);
    close(sleeping);
}

Test(server_http, bytes_that_come_before_what_waits_was_read_stay_behind_it)
{
    edge_start(1);
    release_while_more_comes(true);
    release_while_more_comes(false);
}

Test(server_http, a_body_larger_than_a_packet_comes_whole_and_goes_back_whole)
{
    edge_start(1);
    static char request[100000];
    static char body[90001];
    memset(body, 'b', sizeof(body) - 1);
    int head_bytes = snprintf(request, sizeof(request),
                              "POST /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
                              "Content-Length: 90000\r\n\r\n");
    memcpy(request + head_bytes, body, 90000);
    request[head_bytes + 90000] = '\0';
    cr_assert_str_eq(body_of(client_talk(request)), body);
}

Test(server_http, a_client_that_waits_before_its_body_is_told_to_go_on)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
                   "Expect: 100-continue\r\nConnection: close\r\n\r\n");
    cr_assert_str_eq(client_read_until(fd, "\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client_say(fd, "body");
    cr_assert_str_eq(body_of(client_read_all(fd)), "body");
    close(fd);
}

Test(server_http, an_answer_to_head_has_the_length_but_no_body)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, "HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n" GET("/hello") CLOSE "\r\n");
    const char *answer = client_read_all(fd);
    cr_assert_not_null(strstr(answer, "Content-Length: 5\r\n"));
    cr_assert_eq(strncmp(body_of(answer), "HTTP/1.1 200 OK\r\n", 17), 0);
    close(fd);
}

Test(server_http, a_streamed_answer_to_head_is_its_head)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, "HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n" GET("/hello") CLOSE "\r\n");
    const char *answer = client_read_all(fd);
    cr_assert_not_null(strstr(answer, "Transfer-Encoding: chunked\r\n"));
    cr_assert_eq(strncmp(body_of(answer), "HTTP/1.1 200 OK\r\n", 17), 0);
    close(fd);
}

Test(server_http, an_answer_that_can_have_no_body_has_no_length)
{
    edge_start(1);
    const char *answer = client_talk(GET("/nothing") CLOSE "\r\n");
    cr_assert_eq(strncmp(answer, "HTTP/1.1 204 No Content\r\n", 25), 0);
    cr_assert_null(strstr(answer, "Content-Length"));
    cr_assert_str_eq(body_of(answer), "");
}

Test(server_http, a_streamed_answer_comes_in_chunks)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/stream") "\r\n");
    const char *answer = client_read_until(fd, "0\r\n\r\n");
    cr_assert_not_null(strstr(answer, "Transfer-Encoding: chunked\r\n"));
    cr_assert_str_eq(body_of(answer), "4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n");
    client_say(fd, GET("/hello") CLOSE "\r\n");
    cr_assert_str_eq(body_of(client_read_all(fd)), "hello", "the connection goes on");
    close(fd);
}

Test(server_http, a_streamed_answer_to_an_old_client_ends_with_the_connection)
{
    edge_start(1);
    const char *answer = client_talk("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cr_assert_null(strstr(answer, "Transfer-Encoding"));
    cr_assert_not_null(strstr(answer, "Connection: close\r\n"));
    cr_assert_str_eq(body_of(answer), "one two");
}

Test(server_http, an_old_client_is_told_that_the_connection_goes_on)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    cr_assert_not_null(strstr(client_read_until(fd, "hello"), "Connection: keep-alive\r\n"));
    client_say(fd, "GET /hello HTTP/1.0\r\n\r\n");
    cr_assert_not_null(strstr(client_read_all(fd), "Connection: close\r\n"));
    close(fd);
}

Test(server_http, a_stream_that_is_closed_in_the_middle_is_visibly_incomplete)
{
    edge_start(1);
    cr_assert_str_eq(body_of(client_talk(GET("/cut") "\r\n")), "4\r\none \r\n3\r\ntwo\r\n");
    edge_await(&edge_closed, 1);
    cr_assert_str_eq(client_talk(GET("/close") "\r\n"), "", "no answer at all");
}

Test(server_http, a_writer_is_stopped_at_the_bound_and_told_when_to_go_on)
{
    edge_options.queued_bytes_max = 50000;
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/endless") "\r\n");
    static uint8_t sink[100000];
    for (int i = 0; i < 200; i++)
        client_read_bytes(fd, sink, sizeof(sink));
    cr_assert_gt(edge_full, 100);
    cr_assert_gt(edge_drained, 100);
    close(fd);
    edge_await(&edge_closed, 1);
}

Test(server_http, a_client_that_leaves_or_half_leaves_a_stream_ends_it)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, GET("/hanging") "\r\n");
    client_read_until(fd, "two");
    close(fd);
    edge_await(&edge_closed, 1);
    fd = client_connect();
    client_say(fd, GET("/hanging") "\r\n");
    client_read_until(fd, "two");
    shutdown(fd, SHUT_WR);
    edge_await(&edge_closed, 2);
    cr_assert_str_eq(client_read_all(fd), "\r\n", "nothing more is written");
    close(fd);
}

Test(server_http, the_owner_hears_once_of_each_end_and_never_of_connections_without_request)
{
    edge_start(1);
    close(client_connect());
    int fd = client_connect();
    client_say(fd, "GET / HTTP/1.1\r\n");
    close(fd);
    for (int i = 0; i < 20; i++)
        client_talk(GET("/hello") CLOSE "\r\n");
    edge_await(&edge_closed, 20);
    usleep(20000);
    cr_assert_eq(edge_closed, 20);
}

Test(server_http, two_workers_share_one_port)
{
    edge_start(2);
    for (int i = 0; i < 100; i++)
        cr_assert_str_eq(body_of(client_talk(GET("/hello") CLOSE "\r\n")), "hello");
    edge_await(&edge_closed, 100);
}

Test(server_http, closing_the_server_tells_the_owner_of_every_connection_left)
{
    edge_start(2);
    int fds[10];
    for (unsigned i = 0; i < 10; i++) {
        fds[i] = client_connect();
        client_say(fds[i], GET("/hanging") "\r\n");
        client_read_until(fds[i], "two");
    }
    edge_stop();
    cr_assert_eq(edge_closed, 10);
    for (int i = 0; i < 10; i++)
        close(fds[i]);
}

Test(server_http, a_server_that_stops_accepting_serves_what_it_has)
{
    edge_start(2);
    int fd = client_connect();
    client_say(fd, GET("/hello") "\r\n");
    client_read_until(fd, "hello");
    net_server_stop_accepting(edge_server);
    struct sockaddr_in name = {.sin_family = AF_INET,
                               .sin_port = htons(net_server_port(edge_server)),
                               .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int refused = 0;
    for (int i = 0; i < 1000 && refused == 0; i++) {
        int other = socket(AF_INET, SOCK_STREAM, 0);
        refused = connect(other, (struct sockaddr *)&name, sizeof(name));
        close(other);
        usleep(1000);
    }
    cr_assert_neq(refused, 0, "the port is still open");
    client_say(fd, GET("/hello") "\r\n");
    cr_assert_not_null(strstr(client_read_all(fd), "Connection: close\r\n"), "and says goodbye");
    close(fd);
}
