/* Server-sent events: the same bytes cut into any pieces are the same events, none larger than it
 * may be. */
#include <string.h>

#include "net/sse.h"
#include "tests/fuzz/fuzz.h"

enum { EVENT_BYTES_MAX = 256 };

static uint64_t
take_events(struct net_sse *sse, uint64_t hash)
{
    struct net_sse_event event;
    while (net_sse_next(sse, &event) == RT_OK) {
        FUZZ_CHECK(event.data_bytes <= EVENT_BYTES_MAX);
        FUZZ_CHECK(event.event[0] != '\0' && strlen(event.event) <= EVENT_BYTES_MAX);
        FUZZ_CHECK(strpbrk(event.event, "\r\n") == NULL);
        FUZZ_CHECK(memchr(event.data, '\r', event.data_bytes) == NULL);
        hash = fuzz_hash(hash, event.event, strlen(event.event));
        hash = fuzz_hash(hash, event.data, event.data_bytes);
    }
    return hash;
}

static uint64_t
read_in_pieces(const uint8_t *bytes, size_t size_bytes, size_t piece_bytes, bool *too_big_out)
{
    uint64_t hash = FUZZ_HASH;
    struct net_sse *sse = net_sse_create(EVENT_BYTES_MAX);
    FUZZ_CHECK(sse != NULL);
    *too_big_out = false;
    for (size_t at = 0; at < size_bytes && !*too_big_out; at += piece_bytes) {
        size_t piece = size_bytes - at < piece_bytes ? size_bytes - at : piece_bytes;
        *too_big_out = net_sse_feed(sse, bytes + at, piece) != RT_OK;
        if (!*too_big_out)
            hash = take_events(sse, hash);
    }
    net_sse_destroy(sse);
    return hash;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    size_t piece_bytes = 1 + fuzz_byte(&input) % 16;
    bool whole_is_too_big, is_too_big;
    uint64_t whole = read_in_pieces(input.at, input.left_bytes, size_bytes + 1, &whole_is_too_big);
    uint64_t pieces = read_in_pieces(input.at, input.left_bytes, piece_bytes, &is_too_big);
    /* One big piece may be refused where small ones pass: its events are not taken in between. */
    FUZZ_CHECK(whole_is_too_big || (!is_too_big && whole == pieces));
    return 0;
}
