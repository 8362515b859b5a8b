#include "vito/problems.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "runtime/assert.h"

enum { POINTER_BYTES_MAX = 120, WHAT_BYTES_MAX = 120 };

static const char dots[] = "…";
static const char more[] = "; and more";

_Static_assert(POINTER_BYTES_MAX + WHAT_BYTES_MAX + sizeof(more) <= VITO_PROBLEMS_BYTES_MIN,
               "the first problem always fits");

struct pointer {
    char text[POINTER_BYTES_MAX];
    size_t size_bytes;
    bool clipped;
};

static void
put(struct pointer *pointer, const char *bytes, size_t size_bytes)
{
    if (size_bytes > sizeof(pointer->text) - sizeof(dots) - pointer->size_bytes)
        pointer->clipped = true;
    if (pointer->clipped)
        return;
    memcpy(pointer->text + pointer->size_bytes, bytes, size_bytes);
    pointer->size_bytes += size_bytes;
}

/* One character of a name, which may take several bytes. Returns how many. */
static size_t
put_character(struct pointer *pointer, const char *name)
{
    size_t bytes = 1;
    while (((unsigned char)name[bytes] & 0xc0) == 0x80)
        bytes++;
    if (*name == '~')
        put(pointer, "~0", 2);
    else if (*name == '/')
        put(pointer, "~1", 2);
    else
        put(pointer, name, bytes);
    return bytes;
}

static void
put_place(struct pointer *pointer, const struct vito_json_place *place)
{
    if (place == NULL)
        return;
    put_place(pointer, place->parent);
    put(pointer, "/", 1);
    if (place->name != NULL) {
        for (const char *at = place->name; *at != '\0' && !pointer->clipped;)
            at += put_character(pointer, at);
    } else {
        char index[16];
        put(pointer, index, (size_t)snprintf(index, sizeof(index), "%d", place->index));
    }
}

static const char *
pointer_text(struct pointer *pointer, const struct vito_json_place *place)
{
    put_place(pointer, place);
    if (pointer->clipped)
        memcpy(pointer->text + pointer->size_bytes, dots, sizeof(dots));
    else
        pointer->text[pointer->size_bytes] = '\0';
    return pointer->text;
}

void
vito_problems_init(struct vito_problems *problems, char *text_out, size_t room_bytes)
{
    RT_ASSERT(room_bytes >= VITO_PROBLEMS_BYTES_MIN);
    *text_out = '\0';
    *problems = (struct vito_problems){.text = text_out, .room_bytes = room_bytes};
}

void
vito_problems_add(struct vito_problems *problems, const struct vito_json_place *place,
                  const char *format, ...)
{
    char what[WHAT_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof(what), format, arguments);
    va_end(arguments);

    problems->count++;
    if (problems->size_bytes == problems->room_bytes)
        return; /* "and more" has been said */
    struct pointer pointer = {.size_bytes = 0};
    char *end = problems->text + problems->size_bytes;
    size_t room = problems->room_bytes - problems->size_bytes - (sizeof(more) - 1);
    int size = snprintf(end, room, "%s%s%s%s", problems->size_bytes > 0 ? "; " : "",
                        pointer_text(&pointer, place), place == NULL ? "" : ": ", what);
    if (size >= 0 && (size_t)size < room) {
        problems->size_bytes += (size_t)size;
        return;
    }
    memcpy(end, more, sizeof(more));
    problems->size_bytes = problems->room_bytes;
}
