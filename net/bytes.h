/*
 * net/bytes.h - a queue of bytes that grows: in at the end, out at the front. Empty ones hold
 * no memory, so that an idle connection costs nothing here.
 */
#ifndef NET_BYTES_H
#define NET_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"

/* Zeroed means empty. */
struct net_bytes {
    uint8_t *memory;
    size_t capacity;
    size_t begin, end; /* what is in use; 0 and 0 when empty */
};

static inline size_t
net_bytes_size(const struct net_bytes *bytes)
{
    return bytes->end - bytes->begin;
}

/* The first byte. Valid until the next call that changes the queue. NULL when it is empty. */
static inline uint8_t *
net_bytes_data(const struct net_bytes *bytes)
{
    return bytes->memory == NULL ? NULL : bytes->memory + bytes->begin;
}

/*
 * Makes room for `size_bytes` more behind the last byte; net_bytes_commit() then adds them.
 *
 *   returns    where to write, or NULL when out of memory
 */
RT_MUST_USE uint8_t *net_bytes_reserve(struct net_bytes *bytes, size_t size_bytes);
void net_bytes_commit(struct net_bytes *bytes, size_t size_bytes);

/* Adds a copy. False, and nothing added, when out of memory. */
RT_MUST_USE bool net_bytes_append(struct net_bytes *bytes, const void *from, size_t size_bytes);

/* Takes bytes from the front. Frees the memory when none is left. */
void net_bytes_consume(struct net_bytes *bytes, size_t size_bytes);

/* Throws all away. */
void net_bytes_clear(struct net_bytes *bytes);

/* The same for what may be secret. */
void net_bytes_wipe(struct net_bytes *bytes);

#endif
