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
    memset(message, 0, sizeof(*message) + payload_bytes);
    message->kind = kind;
    message->size_bytes = (uint16_t)payload_bytes;
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
