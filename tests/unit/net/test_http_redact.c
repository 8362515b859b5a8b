#include "net/http_redact.h"

#include <criterion/criterion.h>
#include <string.h>

#define SECRET "sksk-sksk-4711"

static char seen[4096];
static size_t seen_bytes;

static bool
see(void *context, const char *bytes, size_t size_bytes)
{
    (void)context;
    cr_assert_gt(size_bytes, 0);
    cr_assert_lt(seen_bytes + size_bytes, sizeof(seen));
    memcpy(seen + seen_bytes, bytes, size_bytes);
    seen_bytes += size_bytes;
    seen[seen_bytes] = '\0';
    return true;
}

static bool
refuse(void *context, const char *bytes, size_t size_bytes)
{
    (void)context, (void)bytes, (void)size_bytes;
    return false;
}

/* What is passed on of a text that comes in pieces of so many bytes. */
static const char *
passed(const char *text, size_t piece_bytes)
{
    struct net_http_redact redact = {.secret = SECRET, .secret_bytes = strlen(SECRET)};
    size_t size = strlen(text);
    seen_bytes = 0;
    seen[0] = '\0';
    for (size_t at = 0; at < size; at += piece_bytes) {
        size_t piece = size - at < piece_bytes ? size - at : piece_bytes;
        cr_assert(net_http_redact(&redact, text + at, piece, see, NULL));
    }
    cr_assert(net_http_redact_end(&redact, see, NULL));
    return seen;
}

Test(http_redact, a_secret_is_struck_out_however_the_text_is_cut)
{
    static const struct {
        const char *text, *passed;
    } cases[] = {
        {"", ""},
        {"nothing of the kind", "nothing of the kind"},
        {SECRET, "[redacted]"},
        {SECRET SECRET, "[redacted][redacted]"},
        {"key: " SECRET ".", "key: [redacted]."},
        {"s" SECRET "s", "s[redacted]s"},
        {"sksk-" SECRET, "sksk-[redacted]"}, /* it begins within its own beginning */
        {"sksk-sksk-" SECRET, "sksk-sksk-[redacted]"},
        {"sksk-sksk-471 is none", "sksk-sksk-471 is none"},
        {"sksk-sk", "[redacted]"}, /* half of it, and no more comes */
        {"it ends with sks", "it ends with sks"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        for (size_t piece = 1; piece <= strlen(cases[i].text) + 1; piece++)
            cr_assert_str_eq(passed(cases[i].text, piece), cases[i].passed, "%s by %zu",
                             cases[i].text, piece);
}

Test(http_redact, texts_made_of_its_parts_keep_all_that_is_not_the_secret)
{
    static const char *const parts[] = {"s", "sk", "sksk-", "-", "sksk-sksk-4", "x"};
    for (unsigned number = 0; number < 6 * 6 * 6 * 6; number++) {
        char text[128] = "";
        for (unsigned rest = number, i = 0; i < 4; i++, rest /= 6)
            strcat(text, parts[rest % 6]);
        strcat(text, ".");
        for (size_t piece = 1; piece < 8; piece++)
            cr_assert_str_eq(passed(text, piece), text, "by %zu", piece);
    }
}

Test(http_redact, without_a_secret_and_with_one_that_is_too_short_all_passes)
{
    struct net_http_redact none = {0}, short_one = {.secret = "sim-key", .secret_bytes = 7};
    seen_bytes = 0;
    cr_assert(net_http_redact(&none, "a sim-key", 9, see, NULL));
    cr_assert(net_http_redact(&short_one, "a sim-key", 9, see, NULL));
    cr_assert(net_http_redact_end(&none, see, NULL));
    cr_assert(net_http_redact_end(&short_one, see, NULL));
    cr_assert_str_eq(seen, "a sim-keya sim-key");
}

Test(http_redact, nobody_is_told_more_when_no_more_can_be_taken)
{
    struct net_http_redact redact = {.secret = SECRET, .secret_bytes = strlen(SECRET)};
    cr_assert_not(net_http_redact(&redact, "a " SECRET, 2 + strlen(SECRET), refuse, NULL));
    cr_assert_not(net_http_redact(&redact, SECRET, strlen(SECRET), refuse, NULL));
    cr_assert(net_http_redact(&redact, "sksk", 4, refuse, NULL), "it is held back");
    cr_assert_not(net_http_redact(&redact, "x", 1, refuse, NULL));
}
