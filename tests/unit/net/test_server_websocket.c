/* What the server promises as a WebSocket server: the handshake, the closing handshake and the
 * pings of RFC 6455; every message whole; nothing lost of what came with the handshake. */
#include <sys/socket.h>

#include "tests/unit/net/edge.h"

TestSuite(server_websocket, .init = edge_setup, .fini = edge_stop, .timeout = 60);

enum { TEXT = 0x81, BINARY = 0x82, CLOSE = 0x88, PING = 0x89, PONG = 0x8A };

Test(server_websocket, an_upgrade_is_accepted_with_the_key_and_the_subprotocol)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, UPGRADE("/ws") "Sec-WebSocket-Protocol: twin.v1.json\r\n\r\n");
    const char *answer = client_read_until(fd, "\r\n\r\n");
    cr_assert_eq(strncmp(answer, "HTTP/1.1 101 Switching Protocols\r\n", 34), 0);
    cr_assert_not_null(strstr(answer, "\r\nUpgrade: websocket\r\n"));
    cr_assert_not_null(strstr(answer, "\r\nConnection: Upgrade\r\n"));
    cr_assert_not_null(
        strstr(answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    cr_assert_not_null(strstr(answer, "\r\nSec-WebSocket-Protocol: twin.v1.json\r\n"));
    close(fd);
}

#define VERSION_AND_KEY(version, key)                                                              \
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"     \
    "Sec-WebSocket-Version: " version "\r\nSec-WebSocket-Key: " key "\r\n\r\n"

Test(server_websocket, a_version_besides_13_is_told_the_right_one)
{
    edge_start(1);
    const char *answer = client_talk(VERSION_AND_KEY("8", "dGhlIHNhbXBsZSBub25jZQ=="));
    cr_assert_eq(strncmp(answer, "HTTP/1.1 426 Upgrade Required\r\n", 31), 0);
    cr_assert_not_null(strstr(answer, "\r\nSec-WebSocket-Version: 13\r\n"));
    cr_assert_eq(edge_requests, 0);
}

Test(server_websocket, a_key_that_is_not_sixteen_bytes_is_refused)
{
    static const char *const requests[] = {
        VERSION_AND_KEY("13", "dGhlIHNhbXBsZSBub25j"),
        VERSION_AND_KEY("13", "dGhlIHNhbXBsZSBub25jZQ=a"),
        VERSION_AND_KEY("13", "dGhlIHNhbXBsZSBub25jZ!=="),
        VERSION_AND_KEY("13", ""),
        "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n",
    };
    edge_start(1);
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
        cr_assert_eq(strncmp(client_talk(requests[i]), "HTTP/1.1 400 ", 13), 0, "%zu", i);
    cr_assert_eq(edge_requests, 0);
}

Test(server_websocket, what_only_looks_like_an_upgrade_is_an_ordinary_request)
{
    edge_start(1);
    cr_assert_str_eq(body_of(client_talk("GET /hello HTTP/1.1\r\nHost: h\r\n"
                                         "Upgrade: websocket\r\nConnection: close\r\n\r\n")),
                     "hello");
    cr_assert_str_eq(body_of(client_talk("POST /hello HTTP/1.1\r\nHost: h\r\n"
                                         "Upgrade: websocket\r\nConnection: upgrade, close\r\n"
                                         "Content-Length: 0\r\n\r\n")),
                     "hello");
}

Test(server_websocket, the_owner_may_answer_an_upgrade_like_any_request)
{
    edge_start(1);
    int fd = client_connect();
    client_say(fd, UPGRADE("/refused") "\r\n");
    cr_assert_eq(strncmp(client_read_until(fd, "hello"), "HTTP/1.1 404 ", 13), 0);
    client_say(fd, UPGRADE("/ws") "\r\n");
    cr_assert_eq(strncmp(client_read_until(fd, "\r\n\r\n"), "HTTP/1.1 101 ", 13), 0,
                 "a later request of the connection may upgrade");
    client_send_frame(fd, TEXT, "hi");
    cr_assert_str_eq(client_read_frame(fd), "81:hi");
    close(fd);
}

Test(server_websocket, frames_that_come_with_the_handshake_are_read_after_it)
{
    edge_start(1);
    uint8_t bytes[1000];
    size_t size_bytes = strlen(strcpy((char *)bytes, UPGRADE("/ws") "\r\n"));
    size_bytes += client_frame(bytes + size_bytes, TEXT, "one", 3);
    size_bytes += client_frame(bytes + size_bytes, TEXT, "two", 3);
    for (size_t cut = size_bytes - 17; cut <= size_bytes; cut++) {
        int fd = client_connect();
        client_send(fd, bytes, cut);
        client_read_until(fd, "\r\n\r\n");
        client_send(fd, bytes + cut, size_bytes - cut);
        cr_assert_str_eq(client_read_frame(fd), "81:one");
        cr_assert_str_eq(client_read_frame(fd), "81:two");
        close(fd);
    }
}

Test(server_websocket, messages_come_back_in_order)
{
    edge_start(1);
    int fd = client_open_websocket();
    char text[32];
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "message %d", i);
        client_send_frame(fd, i % 2 == 0 ? TEXT : BINARY, text);
    }
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "%s:message %d", i % 2 == 0 ? "81" : "82", i);
        cr_assert_str_eq(client_read_frame(fd), text);
    }
    close(fd);
}

Test(server_websocket, a_large_message_comes_whole_and_goes_back_whole)
{
    edge_start(1);
    int fd = client_open_websocket();
    static uint8_t frame[100020];
    static char payload[100001];
    memset(payload, 'z', 100000);
    client_send(fd, frame, client_frame(frame, TEXT, payload, 100000));
    cr_assert_str_eq(client_read_frame(fd) + 3, payload);
    close(fd);
}

Test(server_websocket, fragments_make_one_message)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, 0x01, "a");
    client_send_frame(fd, PING, "between");
    client_send_frame(fd, 0x00, "b");
    client_send_frame(fd, 0x80, "c");
    cr_assert_str_eq(client_read_frame(fd), "8a:between");
    cr_assert_str_eq(client_read_frame(fd), "81:abc");
    cr_assert_eq(edge_messages, 1);
    close(fd);
}

Test(server_websocket, a_sender_is_stopped_at_the_bound)
{
    edge_options.queued_bytes_max = 50000;
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, TEXT, "flood");
    edge_await(&edge_full, 1);
    for (int i = 0; i < 4; i++)
        client_read_frame(fd);
    edge_await(&edge_drained, 1);
    client_send_frame(fd, TEXT, "hi");
    cr_assert_str_eq(client_read_frame(fd), "81:hi");
    client_send_frame(fd, TEXT, "ho");
    cr_assert_str_eq(client_read_frame(fd), "81:ho");
    cr_assert_eq(edge_drained, 1, "only who was refused is told");
    close(fd);
}

Test(server_websocket, one_message_larger_than_the_bound_is_taken_when_nothing_waits)
{
    edge_options.queued_bytes_max = 100;
    edge_start(1);
    int fd = client_open_websocket();
    uint8_t frame[1100];
    char payload[1001];
    memset(payload, 'x', 1000);
    payload[1000] = '\0';
    client_send(fd, frame, client_frame(frame, TEXT, payload, 1000));
    cr_assert_str_eq(client_read_frame(fd) + 3, payload);
    cr_assert_eq(edge_full, 0);
    close(fd);
}

Test(server_websocket, a_paused_connection_reads_nothing_until_it_is_resumed)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, TEXT, "pause");
    client_send_frame(fd, TEXT, "behind it");
    edge_await(&edge_messages, 1);
    client_send_frame(fd, PING, "");
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    cr_assert_eq(poll(&readable, 1, 50), 0, "no pong either");
    cr_assert_eq(edge_messages, 1);
    cr_assert_str_eq(body_of(client_talk("GET /resume HTTP/1.0\r\n\r\n")), "resumed");
    cr_assert_str_eq(client_read_frame(fd), "81:behind it");
    cr_assert_str_eq(client_read_frame(fd), "8a:");
    close(fd);
}

Test(server_websocket, a_connection_that_is_resumed_when_it_has_drained_reads_on_at_once)
{
    edge_start(1);
    int fd = client_open_websocket();
    uint8_t both[100];
    size_t size_bytes = client_frame(both, 0x81, "later", 5);
    size_bytes += client_frame(both + size_bytes, 0x81, "rest", 4);
    client_send(fd, both, size_bytes); /* the rest has been received when reading stops */
    cr_assert_str_eq(client_read_frame(fd), "81:later");
    cr_assert_str_eq(client_read_frame(fd), "81:rest");
    client_send_frame(fd, 0x81, "more"); /* and the socket is read again */
    cr_assert_str_eq(client_read_frame(fd), "81:more");
    close(fd);
}

Test(server_websocket, a_close_of_the_peer_is_answered_with_its_code)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, CLOSE,
                      "\x0F\xA1"
                      "bye");
    cr_assert_str_eq(client_read_frame(fd), "88:\x0F\xA1");
    cr_assert_str_eq(client_read_frame(fd), "gone");
    close(fd);
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_close_code, 4001);
}

Test(server_websocket, a_close_without_a_code_is_answered_without_one)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, CLOSE, "");
    cr_assert_str_eq(client_read_frame(fd), "88:");
    cr_assert_str_eq(client_read_frame(fd), "gone");
    close(fd);
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_close_code, NET_WS_NO_STATUS);
}

Test(server_websocket, our_close_comes_behind_what_was_sent_and_waits_for_the_answer)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, TEXT, "first");
    client_send_frame(fd, TEXT, "close");
    client_send_frame(fd, TEXT, "too late");
    cr_assert_str_eq(client_read_frame(fd), "81:first");
    cr_assert_str_eq(client_read_frame(fd), "88:\x0F\xA1"
                                            "as you wish");
    cr_assert_eq(edge_closed, 0);
    client_send_frame(fd, CLOSE, "\x0F\xA1");
    cr_assert_str_eq(client_read_frame(fd), "gone");
    close(fd);
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_messages, 2);
}

Test(server_websocket, a_paused_connection_that_is_closed_reads_the_answer)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, TEXT, "pause");
    edge_await(&edge_messages, 1);
    client_talk("GET /end HTTP/1.0\r\n\r\n");
    client_read_frame(fd);
    client_send_frame(fd, CLOSE, "\x0F\xA1");
    cr_assert_str_eq(client_read_frame(fd), "gone");
    close(fd);
    edge_await(&edge_closed, 2);
    cr_assert_eq(edge_close_code, 4001);
}

Test(server_websocket, a_peer_that_never_answers_our_close_is_let_go)
{
    edge_start(1);
    int fd = client_open_websocket();
    client_send_frame(fd, TEXT, "close");
    client_read_frame(fd);
    cr_assert_str_eq(client_read_frame(fd), "gone");
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_close_code, NET_WS_ABNORMAL);
    close(fd);
}

Test(server_websocket, a_peer_that_just_leaves_has_closed_abnormally)
{
    edge_start(1);
    close(client_open_websocket());
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_close_code, NET_WS_ABNORMAL);
}

static void
assert_breach(uint8_t first, const char *payload, const char *code)
{
    int fd = client_open_websocket();
    unsigned closed = edge_closed;
    client_send_frame(fd, first, payload);
    char wanted[8] = "88:";
    strcat(wanted, code);
    cr_assert_str_eq(client_read_frame(fd), wanted);
    cr_assert_str_eq(client_read_frame(fd), "gone");
    close(fd);
    edge_await(&edge_closed, closed + 1);
    cr_assert_eq(edge_close_code, NET_WS_ABNORMAL);
}

Test(server_websocket, a_breach_is_answered_with_its_code_and_the_end)
{
    edge_options.message_bytes_max = 10;
    edge_start(1);
    assert_breach(0xC1, "reserved", "\x03\xEA");
    assert_breach(TEXT, "\xFF", "\x03\xEF");
    assert_breach(TEXT, "more than ten", "\x03\xF1");
    cr_assert_eq(edge_messages, 0);
}

Test(server_websocket, a_silent_peer_is_pinged_twice_and_then_let_go)
{
    edge_options.ping_interval_ms = 50;
    edge_start(1);
    int fd = client_open_websocket();
    cr_assert_str_eq(client_read_frame(fd), "89:");
    cr_assert_str_eq(client_read_frame(fd), "89:");
    cr_assert_str_eq(client_read_frame(fd), "gone");
    edge_await(&edge_closed, 1);
    cr_assert_eq(edge_close_code, NET_WS_ABNORMAL);
    close(fd);
}

Test(server_websocket, a_peer_that_answers_pings_stays)
{
    edge_options.ping_interval_ms = 50;
    edge_start(1);
    int fd = client_open_websocket();
    for (int i = 0; i < 10; i++) {
        cr_assert_str_eq(client_read_frame(fd), "89:");
        client_send_frame(fd, PONG, "");
    }
    client_send_frame(fd, TEXT, "still here");
    cr_assert_str_eq(client_read_frame(fd), "81:still here");
    close(fd);
}
