#include "vito/store/postgres/arguments.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"

enum { HEADER_BYTES = 20, ROOM_FIRST = 4096 };

static char *
extend(struct vito_pg_array *array, size_t more_bytes)
{
    size_t needed = array->size_bytes + more_bytes;
    size_t room = array->room_bytes == 0 ? ROOM_FIRST : array->room_bytes;
    while (room < needed)
        room *= 2;
    if (room > array->room_bytes) {
        char *bytes = realloc(array->bytes, room);
        if (bytes == NULL) {
            array->failed = true;
            return NULL;
        }
        array->bytes = bytes;
        array->room_bytes = room;
    }
    char *at = array->bytes + array->size_bytes;
    array->size_bytes = needed;
    return at;
}

static void
put_u32(char *at, uint32_t value)
{
    uint32_t big = htobe32(value);
    memcpy(at, &big, sizeof(big));
}

/* The header of an array of one dimension; count and null flag are filled in at the end. */
void
vito_pg_array_begin(struct vito_pg_array *array, enum vito_pg_type type)
{
    array->size_bytes = 0;
    array->count = 0;
    array->has_null = false;
    array->failed = false;
    char *header = extend(array, HEADER_BYTES);
    if (header == NULL)
        return;
    put_u32(header, 1); /* dimensions */
    put_u32(header + 8, (uint32_t)type);
    put_u32(header + 16, 1); /* the first index */
}

void
vito_pg_array_add_bytes(struct vito_pg_array *array, const void *bytes, size_t size_bytes)
{
    char *at = extend(array, 4 + size_bytes);
    if (at == NULL)
        return;
    put_u32(at, (uint32_t)size_bytes);
    if (size_bytes > 0)
        memcpy(at + 4, bytes, size_bytes);
    array->count++;
}

void
vito_pg_array_add_i64(struct vito_pg_array *array, int64_t value)
{
    uint64_t big = htobe64((uint64_t)value);
    vito_pg_array_add_bytes(array, &big, sizeof(big));
}

void
vito_pg_array_add_null(struct vito_pg_array *array)
{
    char *at = extend(array, 4);
    if (at == NULL)
        return;
    put_u32(at, UINT32_MAX);
    array->has_null = true;
    array->count++;
}

void
vito_pg_array_add_text(struct vito_pg_array *array, const char *text)
{
    if (text == NULL || *text == '\0')
        vito_pg_array_add_null(array);
    else
        vito_pg_array_add_bytes(array, text, strlen(text));
}

void
vito_pg_array_add_raw(struct vito_pg_array *array, const void *bytes, size_t size_bytes)
{
    char *at = extend(array, size_bytes);
    if (at != NULL)
        memcpy(at, bytes, size_bytes);
}

void
vito_pg_array_deinit(struct vito_pg_array *array)
{
    free(array->bytes);
    *array = (struct vito_pg_array){0};
}

static void
add(struct vito_pg_arguments *arguments, const void *bytes, size_t size_bytes)
{
    RT_ASSERT(arguments->count < VITO_PG_ARGUMENTS_MAX);
    int at = arguments->count++;
    arguments->values[at] = bytes;
    arguments->sizes[at] = (int)size_bytes;
    arguments->formats[at] = 1;
}

void
vito_pg_add_i64(struct vito_pg_arguments *arguments, int64_t value)
{
    uint64_t *number = &arguments->numbers[arguments->count];
    *number = htobe64((uint64_t)value);
    add(arguments, number, sizeof(*number));
}

void
vito_pg_add_text(struct vito_pg_arguments *arguments, const char *text)
{
    bool is_null = text == NULL || *text == '\0';
    add(arguments, is_null ? NULL : text, is_null ? 0 : strlen(text));
}

void
vito_pg_add_bytes(struct vito_pg_arguments *arguments, const void *bytes, size_t size_bytes)
{
    add(arguments, bytes == NULL ? NULL : bytes, size_bytes);
}

/* An array without elements has no dimensions either. */
void
vito_pg_add_array(struct vito_pg_arguments *arguments, struct vito_pg_array *array)
{
    if (array->failed) {
        arguments->failed = true;
        return;
    }
    put_u32(array->bytes, array->count > 0 ? 1 : 0);
    put_u32(array->bytes + 4, array->has_null ? 1 : 0);
    put_u32(array->bytes + 12, array->count);
    add(arguments, array->bytes, array->count > 0 ? array->size_bytes : 12);
}
