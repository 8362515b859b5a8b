/*
 * Transactions: whose rows they may see, the lease they renew, and what became of one whose
 * commit nobody confirmed.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/log.h"
#include "vito/store/postgres/internal.h"

/* "{a,b}": the tenants of the requests, each once, or nearly. Ids that can be none
 * are left out, and so see nothing. */
static void
write_scope(struct vito_pg_array *text, const struct vito_pg_item *items, size_t count)
{
    char part[VITO_TENANT_ID_BYTES + 2];
    struct vito_pg_seen seen = {{NULL}};
    const char *between = "";
    vito_pg_array_begin(text, VITO_PG_TEXT);
    text->size_bytes = 0;
    vito_pg_array_add_raw(text, "{", 1);
    for (size_t i = 0; i < count; i++) {
        const struct vito_request *request = items[i].request;
        if (!vito_tenant_id_is_valid(request->tenant_id) || !vito_pg_is_new(&seen, request))
            continue;
        int size = snprintf(part, sizeof(part), "%s%s", between, request->tenant_id);
        vito_pg_array_add_raw(text, part, (size_t)size);
        between = ",";
    }
    vito_pg_array_add_raw(text, "}", 1);
}

void
vito_pg_begin(struct vito_postgres *database, const struct vito_pg_item *items, size_t count,
              bool write)
{
    struct vito_pg_arguments scope = {0}, lease = {0};
    struct vito_pg_array *text = &database->keys[0];
    vito_pg_send_text(&database->link, "BEGIN");
    bool is_all = count == 0 || items[0].request->tenant_id[0] == '\0';
    if (!is_all)
        write_scope(text, items, count);
    vito_pg_add_bytes(&scope, is_all ? "{*}" : text->bytes, is_all ? 3 : text->size_bytes);
    scope.failed = !is_all && text->failed;
    vito_pg_send(&database->link, VITO_PG_SCOPE, &scope);
    vito_pg_add_text(&lease, database->node);
    vito_pg_add_i64(&lease, database->epoch);
    vito_pg_add_i64(&lease, database->lease_ms);
    vito_pg_add_i64(&lease, database->batch + 1);
    database->lease_result = 0;
    if (write) {
        database->lease_result = vito_pg_send(&database->link, VITO_PG_NODE_LEASE, &lease);
        database->batch++;
    }
    vito_pg_array_begin(&database->news, VITO_PG_TEXT);
    database->news_are_numbered = false;
    database->in_transaction = true;
    database->begin_unread = true;
}

/* False when the node was fenced. */
static bool
read_begin(struct vito_postgres *database)
{
    const struct vito_pg_link *link = &database->link;
    database->begin_unread = false;
    if (database->lease_result == 0)
        return true;
    if (vito_pg_rows(link, database->lease_result) == 0) {
        rt_log(RT_LOG_WARN, "store.fenced", RT_STR("node", database->node),
               RT_I64("epoch", database->epoch));
        database->fenced = true;
        return false;
    }
    database->nodes_live = vito_pg_i64(link, database->lease_result, 0, 0);
    vito_hearing_ask(&database->hearing, vito_pg_i64(link, database->lease_result, 0, 1));
    return true;
}

enum vito_pg_outcome
vito_pg_exchange(struct vito_postgres *database)
{
    enum vito_pg_outcome outcome = vito_pg_sync(&database->link);
    if (outcome == VITO_PG_DONE && database->begin_unread && !read_begin(database))
        return VITO_PG_LOST;
    return outcome;
}

enum vito_pg_outcome
vito_pg_commit(struct vito_postgres *database)
{
    vito_pg_send_news(database);
    unsigned result = vito_pg_send_text(&database->link, "COMMIT");
    database->committing = true;
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_LOST)
        return outcome;
    database->committing = false;
    if (outcome == VITO_PG_REFUSED)
        return outcome;
    database->in_transaction = false;
    /* A transaction that has failed before is rolled back by it, and that is no error. */
    return vito_pg_is_tagged(&database->link, result, "COMMIT") ? VITO_PG_DONE : VITO_PG_REFUSED;
}

void
vito_pg_rollback(struct vito_postgres *database)
{
    if (database->in_transaction && database->link.connection != NULL) {
        vito_pg_send_text(&database->link, "ROLLBACK");
        if (vito_pg_sync(&database->link) != VITO_PG_DONE)
            vito_pg_disconnect(&database->link);
    }
    database->in_transaction = false;
    database->begin_unread = false;
}

enum rt_status
vito_pg_fate(struct vito_postgres *database, int64_t batch)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, database->node);
    vito_pg_add_i64(&arguments, database->epoch);
    unsigned result = vito_pg_send(&database->link, VITO_PG_NODE_BATCH, &arguments);
    if (vito_pg_sync(&database->link) != VITO_PG_DONE)
        return RT_UNAVAILABLE;
    if (vito_pg_rows(&database->link, result) == 0)
        return RT_NOT_FOUND; /* fenced: whatever it did was settled since */
    return vito_pg_i64(&database->link, result, 0, 0) >= batch ? RT_OK : RT_NOT_FOUND;
}
