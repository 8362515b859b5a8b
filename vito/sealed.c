#include "vito/sealed.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM_FIRST_BYTES = 4096 };

bool
vito_sealed_next(const struct rt_buffer *document, size_t *offset, struct vito_sealed_row *row_out)
{
    if (document == NULL || document->size_bytes - *offset < sizeof(row_out->sealed))
        return false;
    struct vito_sealed_row row;
    memcpy(&row.sealed, document->bytes + *offset, sizeof(row.sealed));
    size_t left = document->size_bytes - *offset - sizeof(row.sealed);
    if (row.sealed.blob_bytes > left)
        return false;
    row.blob = document->bytes + *offset + sizeof(row.sealed);
    *offset += sizeof(row.sealed) + row.sealed.blob_bytes;
    *row_out = row;
    return true;
}

static bool
grow(struct vito_sealed_writer *writer, size_t size_bytes)
{
    size_t room = writer->room_bytes == 0 ? ROOM_FIRST_BYTES : writer->room_bytes;
    while (room < size_bytes)
        room *= 2;
    if (room == writer->room_bytes)
        return true;
    uint8_t *bytes = realloc(writer->bytes, room);
    if (bytes == NULL)
        return false;
    writer->bytes = bytes;
    writer->room_bytes = room;
    return true;
}

uint8_t *
vito_sealed_add(struct vito_sealed_writer *writer, const struct vito_sealed *sealed)
{
    size_t size_bytes = writer->size_bytes + sizeof(*sealed) + sealed->blob_bytes;
    if (writer->failed || !grow(writer, size_bytes)) {
        writer->failed = true;
        return NULL;
    }
    memcpy(writer->bytes + writer->size_bytes, sealed, sizeof(*sealed));
    uint8_t *blob = writer->bytes + writer->size_bytes + sizeof(*sealed);
    writer->size_bytes = size_bytes;
    return blob;
}

struct rt_buffer *
vito_sealed_finish(struct vito_sealed_writer *writer)
{
    struct rt_buffer *document = NULL;
    if (!writer->failed && writer->size_bytes <= RT_BUFFER_BYTES_MAX)
        document = rt_buffer_copy(writer->bytes, writer->size_bytes);
    free(writer->bytes);
    *writer = (struct vito_sealed_writer){.bytes = NULL};
    return document;
}
