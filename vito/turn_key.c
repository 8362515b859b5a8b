#include "vito/turn_key.h"

#include <string.h>

static struct rt_buffer *
make(const void *head, size_t head_bytes, const void *bytes, size_t size_bytes)
{
    struct rt_buffer *document = rt_buffer_create(head_bytes + size_bytes);
    if (document == NULL)
        return NULL;
    memcpy(document->bytes, head, head_bytes);
    if (size_bytes > 0)
        memcpy(document->bytes + head_bytes, bytes, size_bytes);
    return document;
}

static bool
read(const struct rt_buffer *document, void *head_out, size_t head_bytes, const uint8_t **bytes_out,
     size_t *size_bytes_out)
{
    if (document == NULL || document->size_bytes < head_bytes)
        return false;
    memcpy(head_out, document->bytes, head_bytes);
    *bytes_out = document->bytes + head_bytes;
    *size_bytes_out = document->size_bytes - head_bytes;
    return true;
}

struct rt_buffer *
vito_turn_answer_make(const struct vito_turn_answer *answer, const void *bytes, size_t size_bytes)
{
    return make(answer, sizeof(*answer), bytes, size_bytes);
}

bool
vito_turn_answer_read(const struct rt_buffer *document, struct vito_turn_answer *answer_out,
                      const uint8_t **bytes_out, size_t *size_bytes_out)
{
    return read(document, answer_out, sizeof(*answer_out), bytes_out, size_bytes_out) &&
           memchr(answer_out->session_id, '\0', sizeof(answer_out->session_id)) != NULL;
}

bool
vito_turn_judge(const struct vito_turn_row *row, struct vito_turn_found *found_out)
{
    *found_out = (struct vito_turn_found){.state = VITO_TURN_RUNNING};
    if (row->status != 0) {
        found_out->state = VITO_TURN_DONE;
        found_out->status = (int32_t)row->status;
    } else if (!row->is_live && !row->has_open_legs) {
        if (row->legs == 0)
            return false;
        found_out->state = VITO_TURN_LOST;
        found_out->cost_nusd = row->cost_nusd;
    }
    if (!row->is_same)
        *found_out = (struct vito_turn_found){.state = VITO_TURN_ANOTHER};
    return true;
}

struct rt_buffer *
vito_turn_found_make(const struct vito_turn_found *found, const void *bytes, size_t size_bytes)
{
    return make(found, sizeof(*found), bytes, size_bytes);
}

bool
vito_turn_found_read(const struct rt_buffer *document, struct vito_turn_found *found_out,
                     const uint8_t **bytes_out, size_t *size_bytes_out)
{
    return read(document, found_out, sizeof(*found_out), bytes_out, size_bytes_out);
}
