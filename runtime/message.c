#include "runtime/message.h"

#include <pthread.h>
#include <stdatomic.h>
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

enum { RESERVE_MESSAGES = 1024 };

/* Blocks of one size, so that what is taken can go back to the pool as it is. */
static struct {
    pthread_mutex_t mutex;
    atomic_uint count; /* stored under the mutex; a glance without it may be late */
    struct rt_message *messages[RESERVE_MESSAGES];
} reserve = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Adds one message; false when there is no memory, or enough. */
static bool
fill_reserve(void)
{
    if (atomic_load_explicit(&reserve.count, memory_order_relaxed) == RESERVE_MESSAGES)
        return false;
    struct rt_message *message = rt_message_create(RT_KIND_USER, RT_MESSAGE_VITAL_BYTES_MAX);
    if (message == NULL)
        return false;
    pthread_mutex_lock(&reserve.mutex);
    unsigned count = atomic_load_explicit(&reserve.count, memory_order_relaxed);
    bool has_room = count < RESERVE_MESSAGES;
    if (has_room) {
        reserve.messages[count] = message;
        atomic_store_explicit(&reserve.count, count + 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&reserve.mutex);
    if (!has_room)
        rt_message_destroy(message);
    return has_room;
}

static struct rt_message *
take_from_reserve(void)
{
    pthread_mutex_lock(&reserve.mutex);
    unsigned count = atomic_load_explicit(&reserve.count, memory_order_relaxed);
    RT_ASSERT(count > 0);
    struct rt_message *message = reserve.messages[count - 1];
    atomic_store_explicit(&reserve.count, count - 1, memory_order_relaxed);
    pthread_mutex_unlock(&reserve.mutex);
    return message;
}

struct rt_message *
rt_message_create_vital(uint32_t kind, size_t payload_bytes)
{
    RT_ASSERT(payload_bytes <= RT_MESSAGE_VITAL_BYTES_MAX);
    struct rt_message *message = rt_message_create(kind, payload_bytes);
    if (message != NULL) {
        fill_reserve();
        return message;
    }
    message = take_from_reserve();
    message->kind = kind;
    return message;
}

enum rt_status
rt_message_reserve(void)
{
    while (fill_reserve())
        ;
    return atomic_load_explicit(&reserve.count, memory_order_relaxed) == RESERVE_MESSAGES
               ? RT_OK
               : RT_NO_MEMORY;
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
