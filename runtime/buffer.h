/*
 * runtime/buffer.h - bytes that several actors may hold at once and nobody changes.
 *
 * A buffer is filled by the one who made it, before it is shared; after that it is
 * read-only. Audio and long texts travel in buffers, so that a hop copies a pointer. Their memory
 * comes from the pools (runtime/pool.h).
 */
#ifndef RUNTIME_BUFFER_H
#define RUNTIME_BUFFER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"

enum { RT_BUFFER_BYTES_MAX = 16 * 1024 * 1024 };

struct rt_buffer {
    atomic_uint holders;
    uint32_t size_bytes; /* what is in use; at most … */
    uint32_t room_bytes; /* … what was asked for at creation */
    _Alignas(16) uint8_t bytes[];
};

/*
 * Makes a buffer with one holder, the caller, and undefined contents.
 *
 *   size_bytes   at most RT_BUFFER_BYTES_MAX
 *   returns      NULL when out of memory
 *   threads      any
 */
struct rt_buffer *rt_buffer_create(size_t size_bytes);

/* As rt_buffer_create(), filled with a copy of `bytes`, which may be NULL when size is 0. */
struct rt_buffer *rt_buffer_copy(const void *bytes, size_t size_bytes);

/* One more holder. Returns its argument. NULL is passed through. Threads: any. */
struct rt_buffer *rt_buffer_acquire(struct rt_buffer *buffer);

/* One holder less; the last one frees. NULL is ignored. Threads: any. */
void rt_buffer_release(struct rt_buffer *buffer);

#endif
