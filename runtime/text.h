/*
 * runtime/text.h - texts in arrays of fixed size.
 */
#ifndef RUNTIME_TEXT_H
#define RUNTIME_TEXT_H

#include <stdint.h>
#include <string.h>

#include "runtime/assert.h"

/* Copies `text` into the char array `array`, which the caller knows to be long enough; a text that
 * is too long ends the process, for what it names would be something else when cut short. */
#define RT_TEXT_SET(array, text)                                                                   \
    do {                                                                                           \
        _Static_assert(!__builtin_types_compatible_p(__typeof__(array), char *),                   \
                       "RT_TEXT_SET needs the array itself, to know its size");                    \
        rt_text_copy(array, sizeof(array), text);                                                  \
    } while (0)

static inline void
rt_text_copy(char *to, size_t size, const char *text)
{
    size_t length = strlen(text);
    RT_ASSERT(length < size);
    memcpy(to, text, length + 1);
}

enum { RT_INT_TEXT_BYTES = 21 };

/* A number in decimal, without the cost of printf. Returns where in `room` it begins. */
static inline const char *
rt_text_of_int(int64_t value, char room[RT_INT_TEXT_BYTES])
{
    char *at = room + RT_INT_TEXT_BYTES - 1;
    uint64_t left = value < 0 ? -(uint64_t)value : (uint64_t)value;
    *at = '\0';
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (value < 0)
        *--at = '-';
    return at;
}

/* How many bytes of a UTF-8 text to keep so that they are at most `bytes_max` and no character is
 * cut in two. */
static inline size_t
rt_text_cut(const char *text, size_t size_bytes, size_t bytes_max)
{
    if (size_bytes <= bytes_max)
        return size_bytes;
    size_t kept = bytes_max;
    while (kept > 0 && ((unsigned char)text[kept] & 0xc0) == 0x80)
        kept--;
    return kept;
}

#endif
