/*
 * runtime/table.h - an intrusive hash table: what is kept embeds a link, nothing is allocated
 * per entry. Chains in a power-of-two array that doubles when it is full.
 *
 * A plain data structure. Iteration is in order of insertion, so that simulations repeat.
 */
#ifndef RUNTIME_TABLE_H
#define RUNTIME_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"

struct rt_table_link {
    struct rt_table_link *chain;         /* same bucket */
    struct rt_table_link *newer, *older; /* order of insertion */
    uint64_t hash;
};

struct rt_table {
    struct rt_table_link **buckets;
    size_t bucket_count; /* 0 or a power of two */
    size_t count;
    struct rt_table_link *oldest, *newest;
};

/* A zeroed table is empty. Frees the array; entries are the owner's. */
void rt_table_deinit(struct rt_table *table);

/* Adds an entry whose key is not in the table yet. False when out of memory. */
RT_MUST_USE bool rt_table_add(struct rt_table *table, struct rt_table_link *link, uint64_t hash);

/* Takes an entry out that is in the table. */
void rt_table_remove(struct rt_table *table, struct rt_table_link *link);

/* The first entry of this hash after `previous` (NULL: the very first), or NULL. The caller
 * compares keys. */
struct rt_table_link *rt_table_find(const struct rt_table *table, uint64_t hash,
                                    const struct rt_table_link *previous);

/* The oldest entry; then follow link->newer. */
static inline struct rt_table_link *
rt_table_first(const struct rt_table *table)
{
    return table->oldest;
}

/* Hashes of keys; not secret, not stable between versions. */
uint64_t rt_hash_text(const char *text);
uint64_t rt_hash_bytes(const void *bytes, size_t size_bytes);
uint64_t rt_hash_u64(uint64_t value);

#endif
