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
    [VITO_KEY_REMOVE] = vito_handle_key_remove,
    [VITO_BUDGET_OPEN] = vito_handle_budget_open,
    [VITO_BUDGET_GRANT] = vito_handle_budget_grant,
    [VITO_BUDGET_RETURN] = vito_handle_budget_return,
    [VITO_LEG_OPEN] = vito_handle_leg_open,
    [VITO_LEG_EXTEND] = vito_handle_leg_extend,
    [VITO_LEG_SETTLE] = vito_handle_leg_settle,
    [VITO_AUDIT_APPEND] = vito_handle_audit_append,
    [VITO_AUDIT_LIST] = vito_handle_audit_list,
    [VITO_MEMORY_PUT] = vito_handle_memory_put,
    [VITO_MEMORY_GET] = vito_handle_memory_get,
};

enum rt_status
vito_sqlite_begin(struct vito_sqlite *database)
{
    RT_ASSERT(sqlite3_get_autocommit(database->db));
    return vito_query_run(database, QUERY_BEGIN, NULL, 0) == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_sqlite_commit(struct vito_sqlite *database)
{
    if (vito_query_run(database, QUERY_COMMIT, NULL, 0) == RT_EMPTY)
        return RT_OK;
    vito_sqlite_rollback(database);
    return RT_UNAVAILABLE;
}

void
vito_sqlite_rollback(struct vito_sqlite *database)
{
    vito_query_done(database);
    if (!sqlite3_get_autocommit(database->db)) /* SQLite may have done it by itself */
        sqlite3_exec(database->db, "ROLLBACK", NULL, NULL, NULL);
}

bool
vito_sqlite_execute(struct vito_sqlite *database, const struct vito_request *request,
                    struct vito_stored *stored_out, struct rt_buffer **document_out)
{
    RT_ASSERT((unsigned)request->op < VITO_OP_COUNT);
    struct vito_answer answer = {.stored = {.op = request->op}};
    answer.stored.status = handlers[request->op](database, request, &answer);
    vito_query_done(database);
    if (answer.stored.status != RT_OK) {
        rt_buffer_release(answer.document);
        answer.document = NULL;
    }
    *stored_out = answer.stored;
    *document_out = answer.document;
    return answer.stored.status != RT_UNAVAILABLE;
}
