/* What the frame reader and writer promise: RFC 6455 to the letter, the same reports however the
 * bytes are cut, and a bound on what a message holds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/websocket.h"
#include "runtime/random.h"

static const uint8_t mask[4] = {0x37, 0xfa, 0x21, 0x3d};
static uint8_t wire[1 << 20];
static size_t wire_bytes;
static char seen[1 << 16];

/* Adds a frame to the wire with exactly this first byte; masked unless told. */
static void
put_frame(uint8_t first, const void *payload, size_t size_bytes, bool is_masked)
{
    uint8_t header[NET_WS_HEADER_BYTES_MAX];
    size_t header_bytes =
        net_ws_write_header(header, NET_WS_OP_TEXT, size_bytes, is_masked ? mask : NULL);
    header[0] = first;
    memcpy(wire + wire_bytes, header, header_bytes);
    wire_bytes += header_bytes;
    if (size_bytes > 0)
        memcpy(wire + wire_bytes, payload, size_bytes);
    if (is_masked)
        net_ws_mask(wire + wire_bytes, size_bytes, mask, 0);
    wire_bytes += size_bytes;
}

static void
put(uint8_t first, const char *text)
{
    put_frame(first, text, strlen(text), true);
}

enum { FIN = 0x80, CONT = 0, TEXT = 1, BIN = 2, CLOSE = 8, PING = 9, PONG = 10 };

static void
note_event(const struct net_ws_event *event)
{
    static const char *const names[] = {"?", "text", "bin",   "?",    "?",   "?",
                                        "?", "?",    "close", "ping", "pong"};
    size_t used = strlen(seen);
    if (event->opcode == NET_WS_OP_CLOSE)
        snprintf(seen + used, sizeof(seen) - used, "close %u ", event->close_code);
    else
        snprintf(seen + used, sizeof(seen) - used, "%s ", names[event->opcode]);
    used = strlen(seen);
    if (event->size_bytes > 100)
        snprintf(seen + used, sizeof(seen) - used, "%zu bytes;", event->size_bytes);
    else
        snprintf(seen + used, sizeof(seen) - used, "%.*s;", (int)event->size_bytes,
                 (const char *)event->bytes);
}

/* Feeds one piece. False when the protocol is broken. */
static bool
feed_piece(struct net_ws_reader *reader, uint8_t *bytes, size_t size_bytes)
{
    for (;;) {
        size_t used;
        struct net_ws_event event;
        uint16_t code = 0;
        switch (net_ws_reader_feed(reader, bytes, size_bytes, &used, &event, &code)) {
        case NET_WS_READ_MORE:
            cr_assert_eq(used, size_bytes);
            return true;
        case NET_WS_READ_EVENT:
            note_event(&event);
            break;
        case NET_WS_READ_BROKEN:
            snprintf(seen + strlen(seen), 32, "broken %u", code);
            return false;
        }
        bytes += used;
        size_bytes -= used;
    }
}

/* Reads the whole wire in pieces of at most `most` bytes (0: at once), and empties it. */
static void
read_cut(bool from_client, size_t message_bytes_max, size_t most, struct rt_random *random)
{
    seen[0] = '\0';
    uint8_t *copy = malloc(wire_bytes + 1);
    memcpy(copy, wire, wire_bytes);
    struct net_ws_reader *reader = net_ws_reader_create(from_client, message_bytes_max);
    size_t at = 0;
    while (at < wire_bytes) {
        size_t piece = most == 0 ? wire_bytes : 1 + rt_random_below(random, most);
        if (piece > wire_bytes - at)
            piece = wire_bytes - at;
        if (!feed_piece(reader, copy + at, piece))
            break;
        at += piece;
    }
    net_ws_reader_destroy(reader);
    free(copy);
}

/* Reads the wire at once, then cut in many ways, and asserts one result. */
static const char *
read_all_ways(size_t message_bytes_max)
{
    static char whole[sizeof(seen)];
    read_cut(true, message_bytes_max, 0, NULL);
    memcpy(whole, seen, sizeof(seen));
    struct rt_random random;
    rt_random_seed(&random, 11);
    for (int round = 0; round < 60; round++) {
        read_cut(true, message_bytes_max, 1 + (size_t)round / 2, &random);
        cr_assert_str_eq(seen, whole);
    }
    wire_bytes = 0;
    return whole;
}

static const char *
reads(void)
{
    return read_all_ways(1 << 16);
}

TestSuite(websocket, .timeout = 60);

Test(websocket, a_text_message_is_reported_whole)
{
    put(FIN | TEXT, "Hello");
    put(FIN | BIN, "raw");
    put(FIN | TEXT, "");
    cr_assert_str_eq(reads(), "text Hello;bin raw;text ;");
}

Test(websocket, every_length_encoding_is_read_back)
{
    static uint8_t payload[70000];
    static const size_t sizes[] = {0, 1, 125, 126, 127, 128, 65535, 65536, 70000};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        put_frame(FIN | BIN, payload, sizes[i], true);
        struct net_ws_reader *reader = net_ws_reader_create(true, sizeof(payload));
        size_t used;
        struct net_ws_event event;
        uint16_t code;
        cr_assert_eq(net_ws_reader_feed(reader, wire, wire_bytes, &used, &event, &code),
                     NET_WS_READ_EVENT);
        cr_assert_eq(event.size_bytes, sizes[i]);
        cr_assert_eq(used, wire_bytes);
        net_ws_reader_destroy(reader);
        wire_bytes = 0;
    }
}

Test(websocket, fragments_are_put_together_and_control_frames_come_between_them)
{
    put(TEXT, "Hel");
    put(FIN | PING, "are you there");
    put(CONT, "");
    put(FIN | PONG, "");
    put(FIN | CONT, "lo");
    put(FIN | BIN, "x");
    cr_assert_str_eq(reads(), "ping are you there;pong ;text Hello;bin x;");
}

Test(websocket, a_whole_message_is_not_copied)
{
    put(FIN | TEXT, "in place");
    struct net_ws_reader *reader = net_ws_reader_create(true, 100);
    size_t used;
    struct net_ws_event event;
    uint16_t code;
    cr_assert_eq(net_ws_reader_feed(reader, wire, wire_bytes, &used, &event, &code),
                 NET_WS_READ_EVENT);
    cr_assert(event.bytes > wire && event.bytes < wire + wire_bytes);
    cr_assert_eq(net_ws_reader_held_bytes(reader), 0);
    net_ws_reader_destroy(reader);
}

Test(websocket, a_message_under_way_holds_what_has_come_and_not_what_was_announced)
{
    static uint8_t payload[60000];
    put_frame(FIN | BIN, payload, sizeof(payload), true);
    struct net_ws_reader *reader = net_ws_reader_create(true, 1 << 16);
    size_t used;
    struct net_ws_event event;
    uint16_t code;
    cr_assert_eq(net_ws_reader_feed(reader, wire, 20, &used, &event, &code), NET_WS_READ_MORE);
    cr_assert_leq(net_ws_reader_held_bytes(reader), 2048);
    net_ws_reader_destroy(reader);
}

Test(websocket, a_server_that_sends_to_us_must_not_mask)
{
    put_frame(FIN | TEXT, "Hello", 5, false);
    put_frame(FIN | CLOSE, "\x03\xe8", 2, false);
    read_cut(false, 100, 0, NULL);
    cr_assert_str_eq(seen, "text Hello;close 1000 ;");
    wire_bytes = 0;
    put(FIN | TEXT, "Hello");
    read_cut(false, 100, 0, NULL);
    cr_assert_str_eq(seen, "broken 1002");
}

Test(websocket, the_example_frames_of_the_rfc_are_understood)
{
    static const uint8_t masked[] = {0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
                                     0x7f, 0x9f, 0x4d, 0x51, 0x58};
    memcpy(wire, masked, sizeof(masked));
    wire_bytes = sizeof(masked);
    cr_assert_str_eq(reads(), "text Hello;");
}

Test(websocket, reserved_bits_and_opcodes_are_a_breach)
{
    for (uint8_t bit = 0x10; bit <= 0x40; bit = (uint8_t)(bit << 1)) {
        put(FIN | TEXT, "fine");
        put((uint8_t)(FIN | bit | TEXT), "x");
        cr_assert_str_eq(reads(), "text fine;broken 1002");
    }
    for (uint8_t opcode = 0; opcode < 16; opcode++) {
        bool known = opcode <= BIN || (opcode >= CLOSE && opcode <= PONG);
        if (known)
            continue;
        put((uint8_t)(FIN | opcode), "");
        cr_assert_str_eq(reads(), "broken 1002");
    }
}

Test(websocket, an_unmasked_frame_of_a_client_is_a_breach)
{
    put_frame(FIN | TEXT, "x", 1, false);
    cr_assert_str_eq(reads(), "broken 1002");
}

Test(websocket, a_control_frame_is_short_and_whole)
{
    char payload[127];
    memset(payload, 'p', sizeof(payload));
    put_frame(FIN | PING, payload, 125, true);
    put_frame(FIN | PING, payload, 126, true);
    cr_assert_str_eq(reads() + strlen("ping 125 bytes;"), "broken 1002");
    put(PING, "x");
    cr_assert_str_eq(reads(), "broken 1002");
    put(CLOSE, "");
    cr_assert_str_eq(reads(), "broken 1002");
}

Test(websocket, fragments_come_in_their_order)
{
    put(FIN | CONT, "nothing begun");
    cr_assert_str_eq(reads(), "broken 1002");
    put(TEXT, "begun");
    put(FIN | TEXT, "again");
    cr_assert_str_eq(reads(), "broken 1002");
    put(BIN, "a");
    put(FIN | CONT, "b");
    put(FIN | CONT, "c");
    cr_assert_str_eq(reads(), "bin ab;broken 1002");
}

Test(websocket, a_length_not_in_its_shortest_form_is_a_breach)
{
    static const uint8_t forms[][14] = {
        {0x82, 0xFE, 0, 125},                       /* 125 in two bytes */
        {0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}, /* 65535 in eight */
        {0x82, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0},    /* the highest bit is not ours */
    };
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        memcpy(wire, forms[i], sizeof(forms[i]));
        wire_bytes = sizeof(forms[i]);
        cr_assert_str_eq(reads(), "broken 1002", "%zu", i);
    }
}

Test(websocket, a_message_at_the_limit_passes_and_one_above_it_does_not)
{
    put(FIN | TEXT, "12345678");
    put(FIN | TEXT, "123456789");
    cr_assert_str_eq(read_all_ways(8), "text 12345678;broken 1009");
    put(TEXT, "1234");
    put(CONT, "5678");
    put(FIN | CONT, "");
    put(TEXT, "1234");
    put(CONT, "5678");
    put(FIN | CONT, "9");
    cr_assert_str_eq(read_all_ways(8), "text 12345678;broken 1009");
}

Test(websocket, a_message_announced_above_the_limit_is_refused_at_its_header)
{
    static const uint8_t header[] = {0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF,
                                     0xFF, 0xFF, 0xFF, 1,    2,    3,    4};
    memcpy(wire, header, sizeof(header));
    wire_bytes = sizeof(header);
    cr_assert_str_eq(reads(), "broken 1009");
}

Test(websocket, nothing_is_read_after_a_breach)
{
    put(FIN | CONT, "");
    put(FIN | TEXT, "ignored");
    struct net_ws_reader *reader = net_ws_reader_create(true, 100);
    seen[0] = '\0';
    cr_assert_not(feed_piece(reader, wire, wire_bytes));
    cr_assert_not(feed_piece(reader, wire + 6, wire_bytes - 6));
    cr_assert_str_eq(seen, "broken 1002broken 1002");
    net_ws_reader_destroy(reader);
}

Test(websocket, text_must_be_utf8_also_across_fragments)
{
    put(TEXT, "\xCE");
    put(FIN | PING, "");
    put(FIN | CONT, "\xBA");
    put(FIN | TEXT, "\xED\xA0\x80");
    cr_assert_str_eq(reads(), "ping ;text \xCE\xBA;broken 1007");
    put(FIN | TEXT, "\xCE");
    cr_assert_str_eq(reads(), "broken 1007");
    put(FIN | BIN, "\xCE");
    put(FIN | TEXT, "\xF4\x8F\xBF\xBF");
    cr_assert_str_eq(reads(), "bin \xCE;text \xF4\x8F\xBF\xBF;");
}

Test(websocket, wrong_text_is_refused_before_its_frame_is_complete)
{
    put(FIN | TEXT, "good \xF4\x90 and much more that never comes");
    wire_bytes -= 20;
    cr_assert_str_eq(reads(), "broken 1007");
}

Test(websocket, a_state_of_one_text_does_not_reach_into_the_next)
{
    put(BIN, "\xCE");
    put(FIN | CONT, "");
    put(FIN | TEXT, "\xCE\xBA");
    cr_assert_str_eq(reads(), "bin \xCE;text \xCE\xBA;");
}

Test(websocket, a_close_may_carry_a_code_and_a_reason)
{
    put(FIN | CLOSE, "");
    cr_assert_str_eq(reads(), "close 1005 ;");
    put(FIN | CLOSE, "\x03\xE9going away");
    cr_assert_str_eq(reads(), "close 1001 going away;");
}

Test(websocket, a_close_with_half_a_code_or_a_wrong_reason_is_a_breach)
{
    put(FIN | CLOSE, "\x03");
    cr_assert_str_eq(reads(), "broken 1002");
    put(FIN | CLOSE, "\x03\xE8\xCE");
    cr_assert_str_eq(reads(), "broken 1007");
}

Test(websocket, only_codes_meant_for_the_wire_are_valid_in_a_close)
{
    static const uint16_t valid[] = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010,
                                     1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999};
    static const uint16_t invalid[] = {0,    1,    999,  1004, 1005, 1006, 1015,
                                       1016, 1100, 2000, 2999, 5000, 65535};
    for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
        cr_assert(net_ws_code_is_valid(valid[i]), "%u", valid[i]);
    for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
        cr_assert_not(net_ws_code_is_valid(invalid[i]), "%u", invalid[i]);
        char payload[2] = {(char)(invalid[i] >> 8), (char)(invalid[i] & 0xFF)};
        put_frame(FIN | CLOSE, payload, 2, true);
        cr_assert_str_eq(reads(), "broken 1002");
    }
}

/* A wire of random frames, mostly right. */
static void
put_random_frames(struct rt_random *random)
{
    static const uint8_t firsts[] = {FIN | TEXT, FIN | BIN,  TEXT,       BIN,  CONT,
                                     FIN | CONT, FIN | PING, FIN | PONG, CONT, FIN | CLOSE};
    static char payload[300];
    wire_bytes = 0;
    while (wire_bytes < 2000) {
        uint8_t first = firsts[rt_random_below(random, sizeof(firsts))];
        size_t limit = first >= (FIN | CLOSE) ? 125 : sizeof(payload);
        size_t size_bytes = rt_random_below(random, limit);
        memset(payload, 'a' + (int)rt_random_below(random, 26), sizeof(payload));
        if (rt_random_chance(random, 50) && size_bytes > 0)
            payload[rt_random_below(random, size_bytes)] = (char)rt_random_u64(random);
        put_frame(first, payload, size_bytes, rt_random_chance(random, 995));
    }
}

Test(websocket, random_wires_read_the_same_however_they_are_cut)
{
    struct rt_random random;
    rt_random_seed(&random, 5);
    static char whole[sizeof(seen)];
    for (int round = 0; round < 500; round++) {
        put_random_frames(&random);
        read_cut(true, 1000, 0, NULL);
        memcpy(whole, seen, sizeof(seen));
        for (int cut = 1; cut < 5; cut++) {
            read_cut(true, 1000, (size_t)(cut * cut * cut), &random);
            cr_assert_str_eq(seen, whole, "round %d", round);
        }
    }
}

Test(websocket, masking_in_words_equals_masking_in_bytes_at_every_offset)
{
    uint8_t bytes[64], wanted[64];
    for (size_t size_bytes = 0; size_bytes <= 40; size_bytes++) {
        for (size_t offset = 0; offset < 9; offset++) {
            for (size_t i = 0; i < sizeof(bytes); i++)
                bytes[i] = wanted[i] = (uint8_t)(i * 7);
            for (size_t i = 0; i < size_bytes; i++)
                wanted[i] ^= mask[(offset + i) % 4];
            net_ws_mask(bytes, size_bytes, mask, offset);
            cr_assert_eq(memcmp(bytes, wanted, sizeof(bytes)), 0);
        }
    }
}

Test(websocket, headers_are_written_in_their_shortest_form)
{
    uint8_t header[NET_WS_HEADER_BYTES_MAX];
    cr_assert_eq(net_ws_write_header(header, NET_WS_OP_TEXT, 125, NULL), 2);
    cr_assert_eq(memcmp(header, "\x81\x7D", 2), 0);
    cr_assert_eq(net_ws_write_header(header, NET_WS_OP_BINARY, 256, NULL), 4);
    cr_assert_eq(memcmp(header, "\x82\x7E\x01\x00", 4), 0);
    cr_assert_eq(net_ws_write_header(header, NET_WS_OP_BINARY, 65536, mask), 14);
    cr_assert_eq(memcmp(header, "\x82\xFF\0\0\0\0\0\x01\0\0\x37\xfa\x21\x3d", 14), 0);
}

Test(websocket, the_accept_value_is_that_of_the_rfc)
{
    char accept[29];
    net_ws_accept_value("dGhlIHNhbXBsZSBub25jZQ==", accept);
    cr_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
