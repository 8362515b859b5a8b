/*
 * Requests within a transaction.
 */
#include "runtime/assert.h"
#include "vito/store/sqlite/internal.h"

static const vito_handler handlers[VITO_OP_COUNT] = {
    [VITO_TENANT_PUT] = vito_handle_tenant_put,
    [VITO_TENANT_GET] = vito_handle_tenant_get,
    [VITO_TENANT_LIST] = vito_handle_tenant_list,
    [VITO_TENANT_REMOVE] = vito_handle_tenant_remove,
    [VITO_KEY_ADD] = vito_handle_key_add,
    [VITO_KEY_LIST] = vito_handle_key_list,
    [VITO_KEY_ROTATE] = vito_handle_key_rotate,
    [VITO_KEY_REMOVE] = vito_handle_key_remove,
    [VITO_BUDGET_OPEN] = vito_handle_budget_open,
    [VITO_BUDGET_GRANT] = vito_handle_budget_grant,
    [VITO_BUDGET_RETURN] = vito_handle_budget_return,
    [VITO_LEG_OPEN] = vito_handle_leg_open,
    [VITO_LEG_EXTEND] = vito_handle_leg_extend,
    [VITO_LEG_REF] = vito_handle_leg_ref,
    [VITO_LEG_SETTLE] = vito_handle_leg_settle,
    [VITO_LEG_LIST_ADOPTED] = vito_handle_leg_list_adopted,
    [VITO_LEG_LIST] = vito_handle_leg_list,
    [VITO_AUDIT_APPEND] = vito_handle_audit_append,
    [VITO_AUDIT_LIST] = vito_handle_audit_list,
    [VITO_AUDIT_EXPORT] = vito_handle_audit_export,
    [VITO_AUDIT_HEADS] = vito_handle_audit_heads,
    [VITO_AUDIT_CHECKPOINT] = vito_handle_audit_checkpoint,
    [VITO_AUDIT_PRUNE] = vito_handle_audit_prune,
    [VITO_REFUND] = vito_handle_refund,
    [VITO_TURN_FIND] = vito_handle_turn_find,
    [VITO_TURN_BEGIN] = vito_handle_turn_begin,
    [VITO_TURN_END] = vito_handle_turn_end,
    [VITO_TICKET_ADD] = vito_handle_ticket_add,
    [VITO_TICKET_TAKE] = vito_handle_ticket_take,
    [VITO_MEMORY_PUT] = vito_handle_memory_put,
    [VITO_MEMORY_GET] = vito_handle_memory_get,
    [VITO_VAULT_LIST] = vito_handle_vault_list,
    [VITO_VAULT_WRITE] = vito_handle_vault_write,
};

enum rt_status
vito_sqlite_begin(struct vito_sqlite *database)
{
    RT_ASSERT(sqlite3_get_autocommit(database->db));
    return vito_query_run(database, QUERY_BEGIN, NULL, 0) == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

/* The log has copies of pages as they were, with keys that are destroyed by now. Who reads it just
 * now is not waited for: the next commit tries again. */
static void
shred(struct vito_sqlite *database)
{
    sqlite3_busy_timeout(database->db, 0);
    int code =
        sqlite3_wal_checkpoint_v2(database->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(database->db, VITO_BUSY_TIMEOUT_MS);
    database->shreds = code != SQLITE_OK;
}

enum rt_status
vito_sqlite_commit(struct vito_sqlite *database)
{
    if (vito_tally_write(database) != RT_OK ||
        vito_query_run(database, QUERY_COMMIT, NULL, 0) != RT_EMPTY) {
        vito_sqlite_rollback(database);
        return RT_UNAVAILABLE;
    }
    if (database->shreds)
        shred(database);
    return RT_OK;
}

enum rt_status
vito_sqlite_ask(struct vito_sqlite *database, const struct vito_request *request,
                struct vito_stored *stored_out, struct rt_buffer **document_out)
{
    *document_out = NULL;
    *stored_out = (struct vito_stored){.op = request->op, .status = RT_UNAVAILABLE};
    if (vito_sqlite_begin(database) == RT_OK) {
        if (!vito_sqlite_execute(database, request, stored_out, document_out))
            vito_sqlite_rollback(database);
        else if (vito_sqlite_commit(database) != RT_OK)
            stored_out->status = RT_UNAVAILABLE;
    }
    vito_request_release(request);
    if (stored_out->status != RT_OK) {
        rt_buffer_release(*document_out);
        *document_out = NULL;
    }
    return stored_out->status;
}

void
vito_sqlite_rollback(struct vito_sqlite *database)
{
    vito_query_done(database);
    vito_tally_forget(database);
    if (!sqlite3_get_autocommit(database->db)) /* SQLite may have done it by itself */
        sqlite3_exec(database->db, "ROLLBACK", NULL, NULL, NULL);
}

/* Those neither read nor change months and grants but through the tally. */
static bool
is_about_leg(enum vito_op op)
{
    return op == VITO_LEG_OPEN || op == VITO_LEG_EXTEND || op == VITO_LEG_REF ||
           op == VITO_LEG_SETTLE;
}

bool
vito_sqlite_execute(struct vito_sqlite *database, const struct vito_request *request,
                    struct vito_stored *stored_out, struct rt_buffer **document_out)
{
    RT_ASSERT((unsigned)request->op < VITO_OP_COUNT);
    struct vito_answer answer = {.stored = {.op = request->op}};
    answer.stored.status = is_about_leg(request->op) ? RT_OK : vito_tally_write(database);
    if (answer.stored.status == RT_OK)
        answer.stored.status = handlers[request->op](database, request, &answer);
    if (answer.stored.status == RT_OK && !answer.stored.repeated && request->note != NULL &&
        vito_audit_add_note(database, request) != RT_EMPTY)
        answer.stored.status = RT_UNAVAILABLE; /* the change goes with its record */
    vito_query_done(database);
    if (answer.stored.status != RT_OK) {
        rt_buffer_release(answer.document);
        answer.document = NULL;
    }
    *stored_out = answer.stored;
    *document_out = answer.document;
    return answer.stored.status != RT_UNAVAILABLE;
}
