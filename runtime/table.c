#include "runtime/table.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"

enum { BUCKETS_FIRST = 16 };

void
rt_table_deinit(struct rt_table *table)
{
    free(table->buckets);
    *table = (struct rt_table){0};
}

static void
put_in_bucket(struct rt_table *table, struct rt_table_link *link)
{
    struct rt_table_link **bucket = &table->buckets[link->hash & (table->bucket_count - 1)];
    link->chain = *bucket;
    *bucket = link;
}

static bool
grow(struct rt_table *table)
{
    size_t count = table->bucket_count == 0 ? BUCKETS_FIRST : table->bucket_count * 2;
    struct rt_table_link **buckets = calloc(count, sizeof(struct rt_table_link *));
    if (buckets == NULL)
        return false;
    free(table->buckets);
    table->buckets = buckets;
    table->bucket_count = count;
    for (struct rt_table_link *link = table->oldest; link != NULL; link = link->newer)
        put_in_bucket(table, link);
    return true;
}

bool
rt_table_add(struct rt_table *table, struct rt_table_link *link, uint64_t hash)
{
    if (table->count >= table->bucket_count && !grow(table) && table->bucket_count == 0)
        return false; /* otherwise longer chains will do */
    link->hash = hash;
    link->newer = NULL;
    link->older = table->newest;
    if (table->newest != NULL)
        table->newest->newer = link;
    else
        table->oldest = link;
    table->newest = link;
    table->count++;
    put_in_bucket(table, link);
    return true;
}

void
rt_table_remove(struct rt_table *table, struct rt_table_link *link)
{
    struct rt_table_link **at = &table->buckets[link->hash & (table->bucket_count - 1)];
    while (*at != link) {
        RT_ASSERT(*at != NULL);
        at = &(*at)->chain;
    }
    *at = link->chain;
    if (link->older != NULL)
        link->older->newer = link->newer;
    else
        table->oldest = link->newer;
    if (link->newer != NULL)
        link->newer->older = link->older;
    else
        table->newest = link->older;
    table->count--;
    *link = (struct rt_table_link){0};
}

struct rt_table_link *
rt_table_find(const struct rt_table *table, uint64_t hash, const struct rt_table_link *previous)
{
    if (table->bucket_count == 0)
        return NULL;
    struct rt_table_link *link =
        previous != NULL ? previous->chain : table->buckets[hash & (table->bucket_count - 1)];
    while (link != NULL && link->hash != hash)
        link = link->chain;
    return link;
}

uint64_t
rt_hash_u64(uint64_t value)
{
    value ^= value >> 33;
    value *= UINT64_C(0xff51afd7ed558ccd);
    value ^= value >> 33;
    value *= UINT64_C(0xc4ceb9fe1a85ec53);
    return value ^ value >> 33;
}

uint64_t
rt_hash_bytes(const void *bytes, size_t size_bytes)
{
    const unsigned char *at = bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ size_bytes;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return rt_hash_u64(hash);
}

uint64_t
rt_hash_text(const char *text)
{
    return rt_hash_bytes(text, strlen(text));
}
