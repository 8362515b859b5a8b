#include "vito/json.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "runtime/pool.h"

static const char not_json[] = "not JSON";

/* In front of each block, so that giving it back knows its size; as wide as the alignment. */
struct block {
    _Alignas(16) size_t size_bytes;
};

static void *
take_block(size_t size_bytes)
{
    if (size_bytes > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *block = rt_pool_take(sizeof(*block) + size_bytes);
    if (block == NULL)
        return NULL;
    block->size_bytes = sizeof(*block) + size_bytes;
    return block + 1;
}

static void
give_block(void *memory)
{
    struct block *block = memory;
    if (block != NULL)
        rt_pool_give(block - 1, block[-1].size_bytes);
}

void
vito_json_use_pool(void)
{
    cJSON_InitHooks(&(cJSON_Hooks){.malloc_fn = take_block, .free_fn = give_block});
}

struct scan {
    const unsigned char *at, *end;
    int depth_left;
};

/*
 * Skips one character of UTF-8: no stray continuation bytes, no overlong forms, no surrogates,
 * nothing above U+10FFFF.
 * Source: RFC 3629, section 4.
 */
static bool
skip_character(struct scan *scan)
{
    unsigned char first = *scan->at++;
    if (first < 0x80)
        return true;
    int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || scan->end - scan->at < more)
        return false;
    unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    for (; more > 0; more--, low = 0x80, high = 0xbf) {
        unsigned char next = *scan->at++;
        if (next < low || next > high)
            return false;
    }
    return true;
}

/* What is wrong with the escape whose backslash is at scan->at, or NULL. To cJSON digits that are
 * none are a zero, where it ends the string. */
static const char *
check_escape(const struct scan *scan)
{
    if (scan->end - scan->at < 6 || scan->at[1] != 'u')
        return NULL;
    if (memcmp(scan->at + 2, "0000", 4) == 0)
        return "\\u0000 in a string";
    for (int i = 2; i < 6; i++)
        if (!isxdigit(scan->at[i]))
            return not_json;
    return NULL;
}

/* Skips a string whose opening quote is already behind us. */
static const char *
scan_string(struct scan *scan)
{
    while (scan->at < scan->end && *scan->at != '"') {
        if (*scan->at < 0x20)
            return "control character in a string";
        const char *problem = *scan->at == '\\' ? check_escape(scan) : NULL;
        if (problem != NULL)
            return problem;
        if (*scan->at == '\\')
            scan->at++;
        if (scan->at == scan->end || !skip_character(scan))
            return "text is not UTF-8";
    }
    if (scan->at == scan->end)
        return not_json;
    scan->at++;
    return NULL;
}

static size_t
skip_digits(struct scan *scan)
{
    const unsigned char *from = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return (size_t)(scan->at - from);
}

static bool
skip_one_of(struct scan *scan, const char *characters)
{
    bool is_one =
        scan->at < scan->end && *scan->at != '\0' && strchr(characters, *scan->at) != NULL;
    scan->at += is_one;
    return is_one;
}

/* Skips a number whose first character is at scan->at. cJSON reads 01, 1. and -.5 as well, which
 * others then cannot. Source: RFC 8259, section 6. */
static const char *
scan_number(struct scan *scan)
{
    (void)skip_one_of(scan, "-");
    bool is_zero = scan->at < scan->end && *scan->at == '0';
    size_t digits = skip_digits(scan);
    if (digits == 0 || (is_zero && digits > 1))
        return not_json;
    if (skip_one_of(scan, ".") && skip_digits(scan) == 0)
        return not_json;
    if (!skip_one_of(scan, "eE"))
        return NULL;
    (void)skip_one_of(scan, "+-");
    return skip_digits(scan) == 0 ? not_json : NULL;
}

/* Whether it may stand outside of strings. To cJSON all up to a blank is one. */
static bool
is_outside(unsigned char c)
{
    return (c >= ' ' && c < 0x80) || c == '\t' || c == '\n' || c == '\r';
}

/* What is wrong with the text, or NULL. The rest of the grammar is left to the parser. */
static const char *
scan_text(struct scan *scan)
{
    while (scan->at < scan->end) {
        unsigned char c = *scan->at++;
        if (!is_outside(c))
            return not_json;
        if ((c == '[' || c == '{') && --scan->depth_left < 0)
            return "nested too deeply";
        if (c == ']' || c == '}')
            scan->depth_left++;
        const char *problem = NULL;
        if (c == '"') {
            problem = scan_string(scan);
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            scan->at--;
            problem = scan_number(scan);
        }
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

/* A number beyond what a double holds became infinite, and would compare and print as nothing that
 * was written. */
static bool
is_finite(const cJSON *json)
{
    for (const cJSON *item = json->child; item != NULL; item = item->next)
        if (!is_finite(item))
            return false;
    return !cJSON_IsNumber(json) || isfinite(json->valuedouble);
}

enum rt_status
vito_json_parse_within(const char *text, size_t size_bytes, int depth_max, struct cJSON **json_out,
                       const char **problem_out)
{
    const unsigned char *start = (const unsigned char *)text;
    struct scan scan = {start, start + size_bytes, depth_max};
    *problem_out = scan_text(&scan);
    if (*problem_out != NULL)
        return RT_INVALID;

    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text, size_bytes, &end, false);
    *problem_out = not_json;
    if (json == NULL)
        return RT_INVALID;
    while (end < text + size_bytes && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (end < text + size_bytes) {
        cJSON_Delete(json);
        return RT_INVALID;
    }
    *problem_out = NULL;
    *json_out = json;
    return RT_OK;
}

enum rt_status
vito_json_parse(const char *text, size_t size_bytes, struct cJSON **json_out,
                const char **problem_out)
{
    *problem_out = "longer than 65536 bytes";
    _Static_assert(VITO_JSON_BYTES_MAX == 65536, "the text says so");
    if (size_bytes > VITO_JSON_BYTES_MAX)
        return RT_TOO_BIG;
    cJSON *json;
    enum rt_status status =
        vito_json_parse_within(text, size_bytes, VITO_JSON_DEPTH_MAX, &json, problem_out);
    if (status != RT_OK)
        return status;
    if (!is_finite(json)) {
        *problem_out = "a number is too big";
        cJSON_Delete(json);
        return RT_INVALID;
    }
    *json_out = json;
    return RT_OK;
}

bool
vito_json_repeats_a_name(const struct cJSON *json)
{
    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        if (vito_json_repeats_a_name(item))
            return true;
        for (const cJSON *other = item->next; cJSON_IsObject(json) && other != NULL;
             other = other->next)
            if (strcmp(item->string, other->string) == 0)
                return true;
    }
    return false;
}
