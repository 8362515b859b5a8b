#include "vito/login_limit.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"

enum {
    ROWS = 1024,
    WAYS = 4,
    TAG_BITS = 24,
    MINUTE_MS = 60000,
    V6_NETWORK_BYTES = 8,
};

/*
 * A cell is a tag in its upper 24 bits, and in the lower 40 the time, in milliseconds, at which his
 * allowance will be empty. Zero is a free cell. One word, so that it is read and changed at once;
 * nothing else is published through it, hence relaxed order throughout. Cells are written by
 * vito_login_limit_failed() alone.
 */
struct vito_login_limit {
    uint32_t per_minute;
    atomic_uint_least64_t cells[ROWS][WAYS];
};

static const uint64_t time_mask = (UINT64_C(1) << (64 - TAG_BITS)) - 1;

struct vito_login_limit *
vito_login_limit_create(uint32_t per_minute)
{
    RT_ASSERT(per_minute > 0);
    RT_ASSERT(per_minute <= MINUTE_MS);
    struct vito_login_limit *limit = calloc(1, sizeof(*limit));
    if (limit != NULL)
        limit->per_minute = per_minute;
    return limit;
}

void
vito_login_limit_destroy(struct vito_login_limit *limit)
{
    free(limit);
}

static uint64_t
tag_of(uint64_t who)
{
    uint64_t tag = who >> (64 - TAG_BITS);
    return tag == 0 ? 1 : tag; /* no cell in use is zero */
}

static int64_t
empty_at(uint64_t cell)
{
    return (int64_t)(cell & time_mask);
}

uint32_t
vito_login_limit_wait_s(const struct vito_login_limit *limit, uint64_t who, int64_t now_ms)
{
    for (int i = 0; i < WAYS; i++) {
        uint64_t cell = atomic_load_explicit(&limit->cells[who % ROWS][i], memory_order_relaxed);
        if (cell >> (64 - TAG_BITS) != tag_of(who))
            continue;
        /* Full is a minute's worth; there is room again when one failure's part has run out. */
        int64_t full_ms = empty_at(cell) - now_ms - MINUTE_MS + MINUTE_MS / limit->per_minute;
        return full_ms <= 0 ? 0 : (uint32_t)((full_ms + 999) / 1000);
    }
    return 0;
}

/* His cell, or the one that has to make room for him. */
static atomic_uint_least64_t *
cell_for(struct vito_login_limit *limit, uint64_t who, uint64_t *cell_out)
{
    atomic_uint_least64_t *chosen = NULL;
    for (int i = 0; i < WAYS; i++) {
        atomic_uint_least64_t *at = &limit->cells[who % ROWS][i];
        uint64_t cell = atomic_load_explicit(at, memory_order_relaxed);
        bool is_his = cell >> (64 - TAG_BITS) == tag_of(who);
        if (is_his || chosen == NULL || empty_at(cell) < empty_at(*cell_out)) {
            chosen = at;
            *cell_out = cell;
        }
        if (is_his)
            break;
    }
    return chosen;
}

void
vito_login_limit_failed(struct vito_login_limit *limit, uint64_t who, int64_t now_ms)
{
    uint64_t cell = 0, changed;
    atomic_uint_least64_t *at;
    do {
        at = cell_for(limit, who, &cell);
        bool is_his = cell >> (64 - TAG_BITS) == tag_of(who);
        int64_t from_ms = is_his && empty_at(cell) > now_ms ? empty_at(cell) : now_ms;
        int64_t until_ms = from_ms + MINUTE_MS / limit->per_minute;
        if (until_ms > now_ms + MINUTE_MS)
            until_ms = now_ms + MINUTE_MS; /* more than full is full */
        changed = tag_of(who) << (64 - TAG_BITS) | ((uint64_t)until_ms & time_mask);
    } while (!atomic_compare_exchange_weak_explicit(at, &cell, changed, memory_order_relaxed,
                                                    memory_order_relaxed));
}

uint64_t
vito_login_place(const struct vito_keyring *keyring, const char *address)
{
    static const unsigned char v4_in_v6[12] = {[10] = 0xff, [11] = 0xff};
    unsigned char bytes[sizeof(struct in6_addr)];
    const char *place = address;
    size_t place_bytes = strlen(address);
    if (inet_pton(AF_INET6, address, bytes) == 1) {
        bool is_v4 = memcmp(bytes, v4_in_v6, sizeof(v4_in_v6)) == 0;
        place = (const char *)bytes;
        place_bytes = is_v4 ? sizeof(bytes) : V6_NETWORK_BYTES;
    }
    struct vito_digest digest = vito_key_digest(keyring, place, place_bytes);
    uint64_t who;
    memcpy(&who, digest.bytes, sizeof(who));
    return who;
}
