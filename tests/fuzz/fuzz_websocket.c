/* WebSocket framing: the same bytes cut into any pieces give the same reports, no report is larger
 * than it may be, and text is UTF-8. */
#include <string.h>

#include "net/utf8.h"
#include "net/websocket.h"
#include "tests/fuzz/fuzz.h"

struct run {
    struct net_ws_reader *reader;
    size_t message_bytes_max;
    uint64_t hash;
    bool is_broken;
};

static void
check_event(const struct run *run, const struct net_ws_event *event)
{
    if (event->opcode == NET_WS_OP_TEXT || event->opcode == NET_WS_OP_BINARY)
        FUZZ_CHECK(event->size_bytes <= run->message_bytes_max);
    else
        FUZZ_CHECK(event->size_bytes <= NET_WS_CONTROL_BYTES_MAX);
    FUZZ_CHECK(event->opcode != NET_WS_OP_CONTINUATION);
    if (event->opcode == NET_WS_OP_TEXT)
        FUZZ_CHECK(net_utf8_is_valid(event->bytes, event->size_bytes));
    if (event->opcode == NET_WS_OP_CLOSE)
        FUZZ_CHECK(event->close_code == NET_WS_NO_STATUS ||
                   net_ws_code_is_valid(event->close_code));
}

static void
take(struct run *run, const struct net_ws_event *event)
{
    check_event(run, event);
    run->hash = fuzz_hash(run->hash, &event->opcode, sizeof(event->opcode));
    run->hash = fuzz_hash(run->hash, event->bytes, event->size_bytes);
    if (event->opcode == NET_WS_OP_CLOSE)
        run->hash = fuzz_hash(run->hash, &event->close_code, sizeof(event->close_code));
}

static void
feed(struct run *run, uint8_t *bytes, size_t size_bytes)
{
    while (size_bytes > 0 && !run->is_broken) {
        struct net_ws_event event = {0};
        size_t used = SIZE_MAX;
        uint16_t code = 0;
        enum net_ws_read read =
            net_ws_reader_feed(run->reader, bytes, size_bytes, &used, &event, &code);
        FUZZ_CHECK(net_ws_reader_held_bytes(run->reader) <= 2 * run->message_bytes_max + 4096);
        if (read == NET_WS_READ_BROKEN) {
            FUZZ_CHECK(code == NET_WS_PROTOCOL_ERROR || code == NET_WS_BAD_PAYLOAD ||
                       code == NET_WS_TOO_BIG);
            run->hash = fuzz_hash(run->hash, &code, sizeof(code));
            run->is_broken = true;
            return;
        }
        FUZZ_CHECK(used <= size_bytes);
        FUZZ_CHECK(read == NET_WS_READ_EVENT ? used > 0 : used == size_bytes);
        if (read == NET_WS_READ_EVENT)
            take(run, &event);
        bytes += used;
        size_bytes -= used;
    }
}

static uint64_t
read_in_pieces(const uint8_t *bytes, size_t size_bytes, uint8_t options, size_t piece_bytes)
{
    struct run run = {.message_bytes_max = (size_t)1 << (4 + (options >> 1) % 8),
                      .hash = FUZZ_HASH};
    run.reader = net_ws_reader_create((options & 1) != 0, run.message_bytes_max);
    FUZZ_CHECK(run.reader != NULL);
    for (size_t at = 0; at < size_bytes; at += piece_bytes) {
        size_t piece = size_bytes - at < piece_bytes ? size_bytes - at : piece_bytes;
        uint8_t *copy = malloc(piece); /* is unmasked in place */
        FUZZ_CHECK(copy != NULL);
        memcpy(copy, bytes + at, piece);
        feed(&run, copy, piece);
        free(copy);
    }
    net_ws_reader_destroy(run.reader);
    return run.hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    uint8_t options = fuzz_byte(&input);
    size_t piece_bytes = 1 + fuzz_byte(&input) % 16;
    uint64_t whole = read_in_pieces(input.at, input.left_bytes, options, size_bytes + 1);
    uint64_t pieces = read_in_pieces(input.at, input.left_bytes, options, piece_bytes);
    FUZZ_CHECK(whole == pieces);
    return 0;
}
