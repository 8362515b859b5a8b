/*
 * Tickets. The clock is the one of who asks.
 */
#include "vito/store/sqlite/internal.h"

static struct vito_value
digest_of(const struct vito_request *request)
{
    return vito_blob(request->ticket.digest.bytes, sizeof(request->ticket.digest.bytes));
}

enum rt_status
vito_handle_ticket_add(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    (void)answer;
    const struct vito_ticket *ticket = &request->ticket;
    struct vito_value tenant = vito_text(request->tenant_id);
    if (VITO_QUERY(database, QUERY_TICKET_SWEEP, tenant, vito_i64(request->at_ms)) != RT_EMPTY)
        return RT_UNAVAILABLE;
    enum rt_status status = VITO_QUERY(
        database, QUERY_TICKET_ADD, digest_of(request), tenant, vito_text(ticket->holder.name),
        vito_text(ticket->holder.key_id), vito_i64(ticket->holder.ends_ms),
        vito_i64(request->at_ms + ticket->ttl_ms), vito_i64(ticket->kept_max));
    if (status != RT_EMPTY)
        return status;
    return vito_query_changes(database) > 0 ? RT_OK : RT_FULL;
}

static bool
read_holder(const struct vito_sqlite *database, struct vito_ticket_holder *holder, int64_t now_ms)
{
    *holder = (struct vito_ticket_holder){.ends_ms = vito_column_i64(database, 3)};
    vito_column_copy(database, 0, holder->tenant_id, sizeof(holder->tenant_id));
    vito_column_copy(database, 1, holder->name, sizeof(holder->name));
    vito_column_copy(database, 2, holder->key_id, sizeof(holder->key_id));
    return vito_column_i64(database, 4) != 0 && vito_ticket_holder_is_valid(holder, now_ms);
}

enum rt_status
vito_handle_ticket_take(struct vito_sqlite *database, const struct vito_request *request,
                        struct vito_answer *answer)
{
    struct vito_ticket_holder holder;
    enum rt_status status =
        VITO_QUERY(database, QUERY_TICKET_READ, digest_of(request), vito_i64(request->at_ms));
    if (status != RT_OK)
        return status == RT_EMPTY ? RT_NOT_FOUND : status;
    bool is_valid = read_holder(database, &holder, request->at_ms);
    if (VITO_QUERY(database, QUERY_TICKET_REMOVE, digest_of(request)) != RT_EMPTY)
        return RT_UNAVAILABLE;
    if (!is_valid)
        return RT_NOT_FOUND;
    answer->document = rt_buffer_copy(&holder, sizeof(holder));
    return answer->document == NULL ? RT_NO_MEMORY : RT_OK;
}
