#include "runtime/buffer.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/pool.h"

struct rt_buffer *
rt_buffer_create(size_t size_bytes)
{
    RT_ASSERT(size_bytes <= RT_BUFFER_BYTES_MAX);
    struct rt_buffer *buffer = rt_pool_take(sizeof(*buffer) + size_bytes);
    if (buffer == NULL)
        return NULL;
    atomic_init(&buffer->holders, 1);
    buffer->size_bytes = (uint32_t)size_bytes;
    buffer->room_bytes = (uint32_t)size_bytes;
    return buffer;
}

struct rt_buffer *
rt_buffer_copy(const void *bytes, size_t size_bytes)
{
    struct rt_buffer *buffer = rt_buffer_create(size_bytes);
    if (buffer != NULL && size_bytes > 0)
        memcpy(buffer->bytes, bytes, size_bytes);
    return buffer;
}

struct rt_buffer *
rt_buffer_acquire(struct rt_buffer *buffer)
{
    if (buffer != NULL)
        atomic_fetch_add_explicit(&buffer->holders, 1, memory_order_relaxed);
    return buffer;
}

void
rt_buffer_release(struct rt_buffer *buffer)
{
    if (buffer == NULL)
        return;
    /* Each release pairs with the acquire half of the last one: all reads of the bytes
     * happen before they are freed. */
    unsigned before = atomic_fetch_sub_explicit(&buffer->holders, 1, memory_order_acq_rel);
    RT_ASSERT(before > 0);
    if (before == 1)
        rt_pool_give(buffer, sizeof(*buffer) + buffer->room_bytes);
}
