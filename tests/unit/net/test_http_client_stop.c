/* What the HTTP client promises when a transfer is stopped or given up: every byte the vendor sent,
 * then an end; or nothing more at all. */
#include "tests/unit/net/http_client_box.h"

TestSuite(http_client_stop, .init = setup, .fini = teardown, .timeout = 60);

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

Test(http_client_stop, a_stop_gets_every_byte_the_vendor_sent)
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

Test(http_client_stop, our_own_server_hears_a_stop_as_the_end)
{
    start(1, request_to(net_server_port(edge_server), "GET", "/hanging"));
    await_body(7);
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: stopped; ");
    cr_assert_eq(seen.body_bytes, 7);
    edge_await(&edge_closed, 1);
}

Test(http_client_stop, a_vendor_that_does_not_stop_is_cut)
{
    start(1, request_to(rogue_start(never_stop), "GET", "/"));
    await_body(8);
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: head 200  -1; 1: cut; ");
}

Test(http_client_stop, a_cancelled_transfer_says_nothing_more)
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

Test(http_client_stop, a_transfer_stopped_before_it_reached_anybody_is_stopped)
{
    start(1, request_to(unresponsive_port(), "GET", "/"));
    tell(VERB_STOP, 1, 0);
    cr_assert_str_eq(words_at_end(1), "1: stopped; ");
}

Test(http_client_stop, transfers_under_way_are_dropped_with_the_client)
{
    uint16_t to_port = rogue_start(never_answer);
    for (unsigned i = 1; i <= 20; i++)
        start(i, request_to(to_port, "GET", "/"));
}
