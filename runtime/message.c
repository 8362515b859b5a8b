#include "runtime/message.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/pool.h"

struct rt_message *
rt_message_create(uint32_t kind, size_t payload_bytes)
{
    RT_ASSERT(payload_bytes <= RT_MESSAGE_PAYLOAD_BYTES_MAX);
    struct rt_message *message = rt_pool_take(sizeof(*message) + payload_bytes);
    if (message == NULL)
        return NULL;
    *message = (struct rt_message){.kind = kind, .size_bytes = (uint16_t)payload_bytes};
    if (payload_bytes > 0) /* the header's size is known: it is a few stores */
        memset(message->payload, 0, payload_bytes);
    return message;
}

void
rt_message_destroy(struct rt_message *message)
{
    if (message == NULL)
        return;
    if (message->give_back != NULL)
        message->give_back(message);
    rt_buffer_release(message->buffer);
    rt_pool_give(message, sizeof(*message) + message->size_bytes);
}
