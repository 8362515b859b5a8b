/*
 * net/utf8.h - is it UTF-8, as far as one can see? Bytes may come in any pieces; the answer
 * "no" comes with the first byte that cannot be right.
 *
 * Source: RFC 3629, section 4 (no surrogates, nothing above U+10FFFF, shortest forms only).
 */
#ifndef NET_UTF8_H
#define NET_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: at the beginning of a character. */
struct net_utf8 {
    uint8_t missing;      /* bytes the character still needs */
    uint8_t lower, upper; /* bounds of the next one, when some are missing */
};

/* False when the bytes cannot be the continuation of what was seen. */
bool net_utf8_feed(struct net_utf8 *utf8, const uint8_t *bytes, size_t size_bytes);

/* Whether the last character is complete. */
static inline bool
net_utf8_is_complete(const struct net_utf8 *utf8)
{
    return utf8->missing == 0;
}

/* Whether a whole text is UTF-8. */
bool net_utf8_is_valid(const uint8_t *bytes, size_t size_bytes);

#endif
