#include "vito/store/postgres/books.h"

#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"

/* A leg can be of another month than its request says, so both are read. */
enum { ROWS_MAX = VITO_PG_BATCH_MAX * 2 };

bool
vito_books_init(struct vito_books *books)
{
    *books = (struct vito_books){0};
    books->months.rows = calloc(ROWS_MAX, sizeof(struct vito_pg_month));
    books->grants.rows = calloc(ROWS_MAX, sizeof(struct vito_pg_grant));
    books->legs.rows = calloc(ROWS_MAX, sizeof(struct vito_pg_leg));
    books->heads.rows = calloc(ROWS_MAX, sizeof(struct vito_pg_head));
    books->events.rows = calloc(ROWS_MAX, sizeof(struct vito_pg_event));
    return books->months.rows != NULL && books->grants.rows != NULL && books->legs.rows != NULL &&
           books->heads.rows != NULL && books->events.rows != NULL;
}

static void
deinit_shelf(struct vito_pg_shelf *shelf)
{
    free(shelf->rows);
    rt_table_deinit(&shelf->table);
}

void
vito_books_deinit(struct vito_books *books)
{
    deinit_shelf(&books->months);
    deinit_shelf(&books->grants);
    deinit_shelf(&books->legs);
    deinit_shelf(&books->heads);
    deinit_shelf(&books->events);
}

static void
clear_shelf(struct vito_pg_shelf *shelf)
{
    while (rt_table_first(&shelf->table) != NULL)
        rt_table_remove(&shelf->table, rt_table_first(&shelf->table));
    shelf->count = 0;
}

void
vito_books_clear(struct vito_books *books)
{
    clear_shelf(&books->months);
    clear_shelf(&books->grants);
    clear_shelf(&books->legs);
    clear_shelf(&books->heads);
    clear_shelf(&books->events);
    books->failed = false;
}

static uint64_t
hash_pair(const char *tenant_id, const char *id)
{
    return rt_hash_u64(rt_hash_text(tenant_id) ^ rt_hash_u64(rt_hash_text(id)));
}

static uint64_t
hash_period(const char *tenant_id, int64_t period_start_ms)
{
    return rt_hash_u64(rt_hash_text(tenant_id) ^ rt_hash_u64((uint64_t)period_start_ms));
}

struct vito_pg_month *
vito_books_month(const struct vito_books *books, const char *tenant_id, int64_t period_start_ms)
{
    uint64_t hash = hash_period(tenant_id, period_start_ms);
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&books->months.table, hash, link)) != NULL) {
        struct vito_pg_month *month = RT_CONTAINER_OF(link, struct vito_pg_month, link);
        if (month->period_start_ms == period_start_ms && strcmp(month->tenant_id, tenant_id) == 0)
            return month;
    }
    return NULL;
}

struct vito_pg_grant *
vito_books_grant(const struct vito_books *books, const struct vito_pg_grant *key)
{
    uint64_t hash = hash_period(key->tenant_id, key->period_start_ms);
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&books->grants.table, hash, link)) != NULL) {
        struct vito_pg_grant *grant = RT_CONTAINER_OF(link, struct vito_pg_grant, link);
        if (grant->period_start_ms == key->period_start_ms && grant->epoch == key->epoch &&
            strcmp(grant->tenant_id, key->tenant_id) == 0 && strcmp(grant->node, key->node) == 0)
            return grant;
    }
    return NULL;
}

struct vito_pg_leg *
vito_books_leg(const struct vito_books *books, const char *tenant_id, const char *leg_id)
{
    uint64_t hash = hash_pair(tenant_id, leg_id);
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&books->legs.table, hash, link)) != NULL) {
        struct vito_pg_leg *leg = RT_CONTAINER_OF(link, struct vito_pg_leg, link);
        if (strcmp(leg->tenant_id, tenant_id) == 0 && strcmp(leg->row.id, leg_id) == 0)
            return leg;
    }
    return NULL;
}

struct vito_pg_head *
vito_books_head(const struct vito_books *books, const char *tenant_id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&books->heads.table, rt_hash_text(tenant_id), link)) != NULL) {
        struct vito_pg_head *head = RT_CONTAINER_OF(link, struct vito_pg_head, link);
        if (strcmp(head->tenant_id, tenant_id) == 0)
            return head;
    }
    return NULL;
}

struct vito_pg_event *
vito_books_event(const struct vito_books *books, const char *tenant_id, const char *id)
{
    uint64_t hash = hash_pair(tenant_id, id);
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&books->events.table, hash, link)) != NULL) {
        struct vito_pg_event *event = RT_CONTAINER_OF(link, struct vito_pg_event, link);
        if (strcmp(event->tenant_id, tenant_id) == 0 && strcmp(event->id, id) == 0)
            return event;
    }
    return NULL;
}

/* Every kind of row begins with its link. */
static void *
add(struct vito_books *books, struct vito_pg_shelf *shelf, const void *row, size_t size_bytes,
    uint64_t hash)
{
    void *at = (char *)shelf->rows + shelf->count * size_bytes;
    if (shelf->count < ROWS_MAX) {
        memcpy(at, row, size_bytes);
        if (rt_table_add(&shelf->table, at, hash)) {
            shelf->count++;
            return at;
        }
    }
    books->failed = true;
    return NULL;
}

struct vito_pg_month *
vito_books_add_month(struct vito_books *books, const struct vito_pg_month *month)
{
    return add(books, &books->months, month, sizeof(*month),
               hash_period(month->tenant_id, month->period_start_ms));
}

struct vito_pg_grant *
vito_books_add_grant(struct vito_books *books, const struct vito_pg_grant *grant)
{
    return add(books, &books->grants, grant, sizeof(*grant),
               hash_period(grant->tenant_id, grant->period_start_ms));
}

struct vito_pg_leg *
vito_books_add_leg(struct vito_books *books, const struct vito_pg_leg *leg)
{
    return add(books, &books->legs, leg, sizeof(*leg), hash_pair(leg->tenant_id, leg->row.id));
}

struct vito_pg_head *
vito_books_add_head(struct vito_books *books, const struct vito_pg_head *head)
{
    return add(books, &books->heads, head, sizeof(*head), rt_hash_text(head->tenant_id));
}

struct vito_pg_event *
vito_books_add_event(struct vito_books *books, const struct vito_pg_event *event)
{
    return add(books, &books->events, event, sizeof(*event),
               hash_pair(event->tenant_id, event->id));
}

_Static_assert(offsetof(struct vito_pg_month, link) == 0, "add() relies on it");
_Static_assert(offsetof(struct vito_pg_grant, link) == 0, "add() relies on it");
_Static_assert(offsetof(struct vito_pg_leg, link) == 0, "add() relies on it");
_Static_assert(offsetof(struct vito_pg_head, link) == 0, "add() relies on it");
_Static_assert(offsetof(struct vito_pg_event, link) == 0, "add() relies on it");
