#include "net/bytes.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/pool.h"

/* Room for a round's frames: growing copies, and an empty queue gives it back. */
enum { FIRST_BYTES = 2048 };

static size_t
capacity_for(size_t size_bytes)
{
    size_t capacity = FIRST_BYTES;
    while (capacity < size_bytes)
        capacity *= 2;
    return capacity;
}

static bool
grow(struct net_bytes *bytes, size_t size_bytes)
{
    size_t capacity = capacity_for(size_bytes);
    uint8_t *memory = rt_pool_take(capacity);
    if (memory == NULL)
        return false;
    size_t used = net_bytes_size(bytes);
    if (used > 0)
        memcpy(memory, net_bytes_data(bytes), used);
    rt_pool_give(bytes->memory, bytes->capacity);
    *bytes = (struct net_bytes){.memory = memory, .capacity = capacity, .end = used};
    return true;
}

uint8_t *
net_bytes_reserve(struct net_bytes *bytes, size_t size_bytes)
{
    RT_ASSERT(size_bytes <= SIZE_MAX / 4 - bytes->capacity);
    if (bytes->capacity - bytes->end < size_bytes) {
        size_t used = net_bytes_size(bytes);
        /* Moving is cheap only while the front half is free. */
        if (used + size_bytes <= bytes->capacity && used <= bytes->begin) {
            memcpy(bytes->memory, net_bytes_data(bytes), used);
            bytes->begin = 0;
            bytes->end = used;
        } else if (!grow(bytes, used + size_bytes)) {
            return NULL;
        }
    }
    return bytes->memory + bytes->end;
}

void
net_bytes_commit(struct net_bytes *bytes, size_t size_bytes)
{
    RT_ASSERT(size_bytes <= bytes->capacity - bytes->end);
    bytes->end += size_bytes;
}

bool
net_bytes_append(struct net_bytes *bytes, const void *from, size_t size_bytes)
{
    if (size_bytes == 0)
        return true;
    uint8_t *to = net_bytes_reserve(bytes, size_bytes);
    if (to == NULL)
        return false;
    memcpy(to, from, size_bytes);
    net_bytes_commit(bytes, size_bytes);
    return true;
}

void
net_bytes_consume(struct net_bytes *bytes, size_t size_bytes)
{
    RT_ASSERT(size_bytes <= net_bytes_size(bytes));
    bytes->begin += size_bytes;
    if (bytes->begin == bytes->end)
        net_bytes_clear(bytes);
}

void
net_bytes_wipe(struct net_bytes *bytes)
{
    if (bytes->memory != NULL)
        explicit_bzero(bytes->memory, bytes->end);
    net_bytes_clear(bytes);
}

void
net_bytes_clear(struct net_bytes *bytes)
{
    rt_pool_give(bytes->memory, bytes->capacity);
    *bytes = (struct net_bytes){0};
}
