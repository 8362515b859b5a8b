/* What the HTTP client promises: the messages of its port in their order, everything the vendor
 * sent before a stop, no more than the window, an honest word on how it ended, and never a second
 * request where one was asked for. */
#include "tests/unit/net/http_client_box.h"

TestSuite(http_client, .init = setup, .fini = teardown, .timeout = 60);

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
