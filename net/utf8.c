#include "net/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

/* How many of the bytes are ASCII, counted in whole words. */
static size_t
skip_ascii(const uint8_t *bytes, size_t size_bytes)
{
    size_t at = 0;
    while (size_bytes - at >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof(word));
        if (word & HIGH_BITS)
            break;
        at += sizeof(word);
    }
    return at;
}

/* Begins a character. False when no character begins so. */
static bool
begin(struct net_utf8 *utf8, uint8_t lead)
{
    utf8->lower = 0x80;
    utf8->upper = 0xBF;
    if (lead < 0x80) {
        utf8->missing = 0;
    } else if (lead >= 0xC2 && lead <= 0xDF) {
        utf8->missing = 1;
    } else if (lead >= 0xE0 && lead <= 0xEF) {
        utf8->missing = 2;
        if (lead == 0xE0)
            utf8->lower = 0xA0; /* below would be a long form */
        if (lead == 0xED)
            utf8->upper = 0x9F; /* above are surrogates */
    } else if (lead >= 0xF0 && lead <= 0xF4) {
        utf8->missing = 3;
        if (lead == 0xF0)
            utf8->lower = 0x90;
        if (lead == 0xF4)
            utf8->upper = 0x8F; /* above is beyond U+10FFFF */
    } else {
        return false;
    }
    return true;
}

bool
net_utf8_feed(struct net_utf8 *utf8, const uint8_t *bytes, size_t size_bytes)
{
    size_t at = 0;
    while (at < size_bytes) {
        if (utf8->missing == 0) {
            at += skip_ascii(bytes + at, size_bytes - at);
            if (at < size_bytes && !begin(utf8, bytes[at++]))
                return false;
            continue;
        }
        uint8_t byte = bytes[at++];
        if (byte < utf8->lower || byte > utf8->upper)
            return false;
        utf8->lower = 0x80;
        utf8->upper = 0xBF;
        utf8->missing--;
    }
    return true;
}

bool
net_utf8_is_valid(const uint8_t *bytes, size_t size_bytes)
{
    struct net_utf8 utf8 = {0};
    return net_utf8_feed(&utf8, bytes, size_bytes) && net_utf8_is_complete(&utf8);
}
