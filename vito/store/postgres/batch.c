/*
 * Requests in groups, and one at a time for those who want an answer within a transaction.
 */
#include "runtime/assert.h"
#include "vito/store/postgres/internal.h"

bool
vito_pg_is_grouped(enum vito_op op)
{
    return op == VITO_BUDGET_GRANT || op == VITO_LEG_OPEN || op == VITO_LEG_EXTEND ||
           op == VITO_LEG_SETTLE || op == VITO_AUDIT_APPEND;
}

/* Whether a grant was refused that others' slices could make up for. */
static bool
is_short(const struct vito_request *request, const struct vito_stored *stored)
{
    return request->op == VITO_BUDGET_GRANT && stored->status == RT_OK &&
           request->budget.need_nusd > 0 && stored->budget.granted_nusd == 0 &&
           stored->budget.reserved_nusd > 0;
}

enum vito_pg_outcome
vito_pg_run(struct vito_postgres *database, struct vito_pg_item *items, size_t count, bool commit)
{
    RT_ASSERT(count <= VITO_PG_BATCH_MAX);
    enum vito_pg_outcome outcome = vito_pg_load(database, items, count);
    if (outcome != VITO_PG_DONE)
        return outcome;
    const struct vito_books_owner owner = {database->node, database->epoch,
                                           (uint32_t)database->nodes_live};
    for (size_t i = 0; i < count; i++) {
        if (vito_tenant_id_is_valid(items[i].request->tenant_id))
            vito_books_carry_out(&database->books, &owner, items[i].request, &items[i].stored);
        else
            items[i].stored =
                (struct vito_stored){.op = items[i].request->op, .status = RT_INVALID};
    }
    for (size_t i = 0; i < count; i++)
        if (is_short(items[i].request, &items[i].stored))
            vito_pg_tell(database, VITO_NEWS_RECALL, items[i].request->tenant_id);
    if (database->books.failed)
        return vito_pg_fail(&database->link, "53200", "out of memory");
    vito_pg_save(database);
    vito_pg_save_turns(database, items, count);
    return commit ? vito_pg_commit(database) : vito_pg_exchange(database);
}

enum rt_status
vito_postgres_begin(struct vito_postgres *database)
{
    RT_ASSERT(!database->in_transaction);
    vito_pg_begin(database, NULL, 0, true);
    return vito_pg_exchange(database) == VITO_PG_DONE ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_postgres_commit(struct vito_postgres *database)
{
    if (vito_pg_commit(database) == VITO_PG_DONE)
        return RT_OK;
    vito_pg_rollback(database);
    return RT_UNAVAILABLE;
}

void
vito_postgres_rollback(struct vito_postgres *database)
{
    vito_pg_rollback(database);
}

bool
vito_postgres_execute(struct vito_postgres *database, const struct vito_request *request,
                      struct vito_stored *stored_out, struct rt_buffer **document_out)
{
    struct vito_pg_item item = {.request = request, .stored = {.op = request->op}};
    vito_pg_send_text(&database->link, "SAVEPOINT request");
    enum vito_pg_outcome outcome;
    if (vito_pg_is_grouped(request->op))
        outcome = vito_pg_run(database, &item, 1, false);
    else if (vito_pg_is_about_tickets(request->op))
        outcome = vito_pg_run_tickets(database, &item, 1);
    else
        outcome = vito_pg_run_single(database, &item);
    if (outcome == VITO_PG_REFUSED) {
        item.stored =
            (struct vito_stored){.op = request->op, .status = vito_pg_status(&database->link)};
        vito_pg_send_text(&database->link, "ROLLBACK TO request");
        outcome = vito_pg_exchange(database);
    }
    if (outcome != VITO_PG_DONE)
        item.stored.status = RT_UNAVAILABLE;
    if (item.stored.status != RT_OK) {
        rt_buffer_release(item.document);
        item.document = NULL;
    }
    *stored_out = item.stored;
    *document_out = item.document;
    return item.stored.status != RT_UNAVAILABLE;
}

enum rt_status
vito_postgres_ask(struct vito_postgres *database, const struct vito_request *request,
                  struct vito_stored *stored_out, struct rt_buffer **document_out)
{
    *document_out = NULL;
    *stored_out = (struct vito_stored){.op = request->op, .status = RT_UNAVAILABLE};
    if (vito_postgres_begin(database) == RT_OK) {
        if (!vito_postgres_execute(database, request, stored_out, document_out))
            vito_postgres_rollback(database);
        else if (vito_postgres_commit(database) != RT_OK)
            stored_out->status = RT_UNAVAILABLE;
    }
    vito_request_release(request);
    if (stored_out->status != RT_OK) {
        rt_buffer_release(*document_out);
        *document_out = NULL;
    }
    return stored_out->status;
}
