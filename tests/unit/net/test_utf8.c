/* What the UTF-8 check promises: the same verdict as RFC 3629 for every sequence, however the
 * bytes are cut, and "no" at the first byte that cannot be right. */
#include <criterion/criterion.h>
#include <string.h>

#include "net/utf8.h"

TestSuite(utf8, .timeout = 60);

/* Encodes any number below 2^21 in so many bytes, right or wrong. */
static size_t
encode(uint32_t point, unsigned count, uint8_t out[4])
{
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    if (count == 1) {
        out[0] = (uint8_t)point;
        return 1;
    }
    for (unsigned i = count; i > 1; i--) {
        out[i - 1] = (uint8_t)(0x80 | (point & 0x3F));
        point >>= 6;
    }
    out[0] = (uint8_t)(leads[count] | point);
    return count;
}

static unsigned
shortest(uint32_t point)
{
    return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

Test(utf8, every_number_is_accepted_in_its_shortest_form_only_and_never_a_surrogate)
{
    static const uint32_t above[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (unsigned count = 1; count <= 4; count++) {
        for (uint32_t point = 0; point < above[count]; point++) {
            uint8_t bytes[4];
            size_t size_bytes = encode(point, count, bytes);
            bool is_scalar = point <= 0x10FFFF && (point < 0xD800 || point > 0xDFFF);
            bool wanted = is_scalar && shortest(point) == count;
            cr_assert_eq(net_utf8_is_valid(bytes, size_bytes), wanted, "U+%X in %u", point, count);
        }
    }
}

Test(utf8, a_character_cut_anywhere_is_the_same_character)
{
    static const char text[] = "a\u00e9\u4e2d\U0001F600 plain ascii text behind it\u00f1";
    size_t size_bytes = sizeof(text) - 1;
    for (size_t cut = 0; cut <= size_bytes; cut++) {
        struct net_utf8 utf8 = {0};
        cr_assert(net_utf8_feed(&utf8, (const uint8_t *)text, cut));
        cr_assert(net_utf8_feed(&utf8, (const uint8_t *)text + cut, size_bytes - cut));
        cr_assert(net_utf8_is_complete(&utf8));
    }
}

Test(utf8, an_unfinished_character_is_possible_but_not_valid)
{
    cr_assert_not(net_utf8_is_valid((const uint8_t *)"\xE4\xB8", 2));
    struct net_utf8 utf8 = {0};
    cr_assert(net_utf8_feed(&utf8, (const uint8_t *)"\xE4\xB8", 2));
    cr_assert_not(net_utf8_is_complete(&utf8));
}

Test(utf8, the_first_impossible_byte_is_refused_at_once)
{
    static const char *const bad[] = {"\x80",     "\xC0",        "\xC1",     "\xF5",
                                      "\xFF",     "\xED\xA0",    "\xF4\x90", "\xE0\x80",
                                      "\xF0\x8F", "abcdefgh\xBF"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct net_utf8 utf8 = {0};
        cr_assert_not(net_utf8_feed(&utf8, (const uint8_t *)bad[i], strlen(bad[i])), "%zu", i);
    }
}
