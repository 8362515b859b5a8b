/*
 * Tickets, many at once: they are added in one statement, and taken in one. The clock is the
 * database's, which all gateways share.
 */
#include <string.h>

#include "vito/store/postgres/internal.h"

bool
vito_pg_is_about_tickets(enum vito_op op)
{
    return op == VITO_TICKET_ADD || op == VITO_TICKET_TAKE;
}

enum { DIGESTS, TENANTS, HOLDERS, KEYS, ENDS, TTLS, KEPT, COLUMNS };

static void
add(struct vito_postgres *database, const struct vito_request *request)
{
    const struct vito_ticket *ticket = &request->ticket;
    struct vito_pg_array *columns = database->columns;
    vito_pg_array_add_bytes(&columns[DIGESTS], ticket->digest.bytes, sizeof(ticket->digest.bytes));
    vito_pg_array_add_text(&columns[TENANTS], request->tenant_id);
    vito_pg_array_add_text(&columns[HOLDERS], ticket->holder.name);
    vito_pg_array_add_text(&columns[KEYS], ticket->holder.key_id);
    vito_pg_array_add_i64(&columns[ENDS], ticket->holder.ends_ms);
    vito_pg_array_add_i64(&columns[TTLS], ticket->ttl_ms);
    vito_pg_array_add_i64(&columns[KEPT], ticket->kept_max);
}

/* Lays out what is added in columns, and the digests of what is taken in keys[1]. */
static void
lay_out(struct vito_postgres *database, struct vito_pg_item *items, size_t count)
{
    static const enum vito_pg_type types[COLUMNS] = {VITO_PG_BYTEA, VITO_PG_TEXT, VITO_PG_TEXT,
                                                     VITO_PG_TEXT,  VITO_PG_I64,  VITO_PG_I64,
                                                     VITO_PG_I64};
    for (int i = 0; i < COLUMNS; i++)
        vito_pg_array_begin(&database->columns[i], types[i]);
    vito_pg_array_begin(&database->keys[1], VITO_PG_BYTEA);
    for (size_t i = 0; i < count; i++) {
        const struct vito_request *request = items[i].request;
        bool adds = request->op == VITO_TICKET_ADD;
        items[i].stored =
            (struct vito_stored){.op = request->op, .status = adds ? RT_FULL : RT_NOT_FOUND};
        if (!adds)
            vito_pg_array_add_bytes(&database->keys[1], request->ticket.digest.bytes,
                                    sizeof(request->ticket.digest.bytes));
        else if (vito_tenant_id_is_valid(request->tenant_id))
            add(database, request);
        else
            items[i].stored.status = RT_INVALID;
    }
}

static unsigned
send_add(struct vito_postgres *database)
{
    struct vito_pg_arguments arguments = {0}, tenants = {0};
    vito_pg_add_array(&tenants, &database->columns[TENANTS]);
    vito_pg_send(&database->link, VITO_PG_TICKET_SWEEP, &tenants);
    for (int i = 0; i < COLUMNS; i++)
        vito_pg_add_array(&arguments, &database->columns[i]);
    return vito_pg_send(&database->link, VITO_PG_TICKET_ADD, &arguments);
}

static unsigned
send_take(struct vito_postgres *database)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_array(&arguments, &database->keys[1]);
    return vito_pg_send(&database->link, VITO_PG_TICKET_TAKE, &arguments);
}

/* The first request about the ticket in a row that was not answered yet: who else shows the same
 * one comes too late. */
static struct vito_pg_item *
find(const struct vito_pg_link *link, unsigned result, int row, struct vito_pg_item *items,
     size_t count, enum vito_op op)
{
    const void *digest = vito_pg_bytes(link, result, row, 0, VITO_DIGEST_BYTES);
    for (size_t i = 0; i < count && digest != NULL; i++)
        if (items[i].request->op == op && items[i].stored.status != RT_OK &&
            memcmp(items[i].request->ticket.digest.bytes, digest, VITO_DIGEST_BYTES) == 0)
            return &items[i];
    return NULL;
}

static void
read_added(const struct vito_pg_link *link, unsigned result, struct vito_pg_item *items,
           size_t count)
{
    for (int row = 0; row < vito_pg_rows(link, result); row++) {
        struct vito_pg_item *item = find(link, result, row, items, count, VITO_TICKET_ADD);
        if (item != NULL)
            item->stored.status = RT_OK;
    }
}

static void
read_taken(const struct vito_pg_link *link, unsigned result, struct vito_pg_item *items,
           size_t count)
{
    for (int row = 0; row < vito_pg_rows(link, result); row++) {
        struct vito_pg_item *item = find(link, result, row, items, count, VITO_TICKET_TAKE);
        struct vito_ticket_holder holder = {.ends_ms = vito_pg_i64(link, result, row, 4)};
        if (item == NULL || vito_pg_i64(link, result, row, 5) == 0 ||
            !vito_ticket_holder_is_valid(&holder, item->request->at_ms))
            continue;
        vito_pg_copy(link, result, row, 1, holder.tenant_id, sizeof(holder.tenant_id));
        vito_pg_copy(link, result, row, 2, holder.name, sizeof(holder.name));
        vito_pg_copy(link, result, row, 3, holder.key_id, sizeof(holder.key_id));
        item->document = rt_buffer_copy(&holder, sizeof(holder));
        item->stored.status = item->document == NULL ? RT_NO_MEMORY : RT_OK;
    }
}

enum vito_pg_outcome
vito_pg_run_tickets(struct vito_postgres *database, struct vito_pg_item *items, size_t count)
{
    lay_out(database, items, count);
    bool adds = database->columns[DIGESTS].count > 0 || database->columns[DIGESTS].failed;
    bool takes = database->keys[1].count > 0 || database->keys[1].failed;
    unsigned added = adds ? send_add(database) : 0;
    unsigned taken = takes ? send_take(database) : 0;
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE && adds)
        read_added(&database->link, added, items, count);
    if (outcome == VITO_PG_DONE && takes)
        read_taken(&database->link, taken, items, count);
    return outcome;
}
