#include "vito/id.h"

#include <string.h>

#include "runtime/assert.h"

enum {
    PREFIX_CHARS_MAX = 12,
    TIME_BYTES = 6,
    RANDOM_BYTES = 10,
    ULID_BYTES = TIME_BYTES + RANDOM_BYTES,
};

_Static_assert(PREFIX_CHARS_MAX + 1 + VITO_ULID_CHARS + 1 <= VITO_ID_BYTES, "an id fits");

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* The 128 bits, most significant first, as 26 digits of 5 bits; the first has only 3. */
static void
encode(char text_out[VITO_ULID_CHARS + 1], const uint8_t bytes[ULID_BYTES])
{
    unsigned bits = 0, bit_count = 2; /* two zeros in front make 130 bits, 26 digits */
    char *at = text_out;
    for (int i = 0; i < ULID_BYTES; i++) {
        bits = bits << 8 | bytes[i];
        for (bit_count += 8; bit_count >= 5; bit_count -= 5)
            *at++ = alphabet[bits >> (bit_count - 5) & 31];
    }
    *at = '\0';
}

void
vito_id_make(char id_out[VITO_ID_BYTES], const char *prefix, int64_t wall_ms,
             const uint8_t random[RANDOM_BYTES])
{
    RT_ASSERT(strlen(prefix) <= PREFIX_CHARS_MAX);
    uint8_t bytes[ULID_BYTES];
    uint64_t time_ms = wall_ms < 0 ? 0 : (uint64_t)wall_ms; /* a clock may be that wrong */
    for (int i = 0; i < TIME_BYTES; i++)
        bytes[i] = (uint8_t)(time_ms >> 8 * (TIME_BYTES - 1 - i));
    memcpy(bytes + TIME_BYTES, random, RANDOM_BYTES);

    char *at = id_out;
    while (*prefix != '\0')
        *at++ = *prefix++;
    *at++ = '_';
    encode(at, bytes);
}

bool
vito_id_random(const char *id, uint8_t random_out[RANDOM_BYTES])
{
    enum { RANDOM_CHARS = RANDOM_BYTES * 8 / 5 };
    const char *at = strchr(id, '_');
    if (at == NULL || strlen(at + 1) != VITO_ULID_CHARS)
        return false;
    at += 1 + VITO_ULID_CHARS - RANDOM_CHARS;
    unsigned bits = 0, bit_count = 0;
    for (int i = 0; i < RANDOM_BYTES; at++) {
        const char *digit = *at == '\0' ? NULL : strchr(alphabet, *at);
        if (digit == NULL)
            return false;
        bits = bits << 5 | (unsigned)(digit - alphabet);
        bit_count += 5;
        if (bit_count < 8)
            continue;
        bit_count -= 8;
        random_out[i++] = (uint8_t)(bits >> bit_count);
    }
    return true;
}

static bool
is_of_tenant_id(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= '0' && character <= '9') ||
           character == '-';
}

bool
vito_tenant_id_is_valid(const char *text)
{
    if (text == NULL || *text == '-')
        return false;
    size_t chars = 0; /* by hand: strspn() makes a table first, and stores ask for each request */
    while (chars < VITO_TENANT_ID_BYTES && is_of_tenant_id(text[chars]))
        chars++;
    return chars > 0 && chars < VITO_TENANT_ID_BYTES && text[chars] == '\0';
}
