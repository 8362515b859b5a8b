#include "vito/json_slice.h"

#include <string.h>

/* A stretch of text, taken from its front. */
struct slice {
    const char *at, *end;
};

static void
skip_space(struct slice *text)
{
    while (text->at < text->end && strchr(" \t\r\n", *text->at) != NULL)
        text->at++;
}

static void
skip_string(struct slice *text)
{
    for (text->at++; text->at < text->end && *text->at != '"'; text->at++)
        if (*text->at == '\\')
            text->at++;
    if (text->at < text->end)
        text->at++;
    else
        text->at = text->end;
}

/* Skips a value, up to the comma or bracket behind it; returns what was skipped. */
static struct slice
skip_value(struct slice *text)
{
    struct slice value = {text->at, text->at};
    int depth = 0;
    while (text->at < text->end && (depth > 0 || strchr(",}]", *text->at) == NULL)) {
        char c = *text->at;
        if (c == '"') {
            skip_string(text);
        } else {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            text->at++;
        }
    }
    value.end = text->at;
    while (value.end > value.at && strchr(" \t\r\n", value.end[-1]) != NULL)
        value.end--;
    return value;
}

/* The value of the member of that name in the object that `text` is. */
static bool
find_member(struct slice text, const char *name, struct slice *value_out)
{
    skip_space(&text);
    if (text.at == text.end || *text.at != '{')
        return false;
    for (text.at++; text.at < text.end && *text.at != '}'; text.at++) {
        skip_space(&text);
        if (text.at == text.end || *text.at != '"')
            return false;
        struct slice key = {text.at + 1, text.at};
        skip_string(&text);
        key.end = text.at - 1;
        skip_space(&text); /* and the colon */
        text.at += text.at < text.end;
        skip_space(&text);
        *value_out = skip_value(&text);
        if ((size_t)(key.end - key.at) == strlen(name) &&
            memcmp(key.at, name, (size_t)(key.end - key.at)) == 0)
            return true;
        if (text.at == text.end || *text.at != ',')
            return false;
    }
    return false;
}

bool
vito_json_slice(const char *text, size_t size_bytes, const char *outer, const char *inner,
                const char **slice_out, size_t *slice_bytes_out)
{
    struct slice value = {text, text + size_bytes};
    if (!find_member(value, outer, &value) || !find_member(value, inner, &value))
        return false;
    *slice_out = value.at;
    *slice_bytes_out = (size_t)(value.end - value.at);
    return true;
}
