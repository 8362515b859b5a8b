#include "vito/store.h"

#include <string.h>

struct rt_buffer *
vito_audit_note_make(const struct vito_audit_event *event, const char *details,
                     size_t details_bytes)
{
    const struct vito_audit_note note = {.event = *event, .details_bytes = (uint32_t)details_bytes};
    struct rt_buffer *buffer = rt_buffer_create(sizeof(note) + details_bytes);
    if (buffer == NULL)
        return NULL;
    memcpy(buffer->bytes, &note, sizeof(note));
    memcpy(buffer->bytes + offsetof(struct vito_audit_note, details), details, details_bytes);
    return buffer;
}

void
vito_store_answer(struct rt_system *system, struct rt_address caller, uint64_t request_id,
                  const struct vito_stored *stored, struct rt_buffer *document)
{
    struct rt_message *message = rt_message_create_vital(VITO_STORED, sizeof(*stored));
    *(struct vito_stored *)rt_message_payload(message) = *stored;
    message->flags = RT_MESSAGE_CONTROL | RT_MESSAGE_ANSWER;
    message->request_id = request_id;
    message->buffer = document;
    rt_post(system, caller, message);
}

void
vito_store_tell(struct rt_system *system, struct rt_address listener, const struct vito_news *news)
{
    struct rt_message *message = rt_message_create(VITO_NEWS, sizeof(*news));
    if (message == NULL)
        return; /* news may be missed */
    *(struct vito_news *)rt_message_payload(message) = *news;
    message->flags = RT_MESSAGE_CONTROL;
    rt_post(system, listener, message);
}
