/*
 * What clients send, and what they wait for.
 */
#include <string.h>

#include "bench/wire/wire.h"
#include "net/websocket.h"

size_t
wire_make_frame(const struct wire_options *options, uint8_t *to)
{
    static const uint8_t mask[4] = {0x5A, 0xC3, 0x17, 0xE8};
    size_t size_bytes = options->text != NULL ? strlen(options->text) : options->size_bytes;
    enum net_ws_opcode opcode = options->text != NULL ? NET_WS_OP_TEXT : NET_WS_OP_BINARY;
    size_t header_bytes = net_ws_write_header(to, opcode, size_bytes, mask);
    if (options->text != NULL)
        memcpy(to + header_bytes, options->text, size_bytes);
    else
        memset(to + header_bytes, 'x', size_bytes);
    net_ws_mask(to + header_bytes, size_bytes, mask, 0);
    return header_bytes + size_bytes;
}

unsigned
wire_count_answers(const struct wire_options *options, uint8_t *bytes, size_t *used)
{
    const char *answer = options->answer;
    size_t at = 0;
    unsigned count = 0;
    while (*used - at >= 4) {
        const uint8_t *frame = bytes + at;
        size_t header = frame[1] < 126 ? 2 : 4;
        size_t size = frame[1] < 126 ? frame[1] : (size_t)(frame[2] << 8 | frame[3]);
        if (*used - at < header + size)
            break;
        count += answer == NULL || memmem(frame + header, size, answer, strlen(answer)) != NULL;
        at += header + size;
    }
    memmove(bytes, bytes + at, *used - at);
    *used -= at;
    return count;
}
