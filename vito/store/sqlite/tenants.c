/*
 * Tenants' documents, their policy configs by version, and what their policies remember.
 */
#include "vito/store/sqlite/internal.h"

/* Of a statement that was to change one row. */
static enum rt_status
status_of_change(const struct vito_sqlite *database, enum rt_status status)
{
    if (status != RT_EMPTY)
        return status;
    return vito_query_changes(database) > 0 ? RT_OK : RT_NOT_FOUND;
}

/* Of a statement that was to find one. */
static enum rt_status
status_of_row(enum rt_status status)
{
    return status == RT_EMPTY ? RT_NOT_FOUND : status;
}

enum rt_status
vito_handle_tenant_put(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    struct vito_value tenant_id = vito_text(request->tenant_id);
    struct vito_value document = vito_document(request->document);
    enum rt_status status =
        status_of_change(database, VITO_QUERY(database, QUERY_TENANT_UPDATE, tenant_id, document));
    if (status == RT_NOT_FOUND) {
        status = status_of_change(database,
                                  VITO_QUERY(database, QUERY_TENANT_INSERT, tenant_id, document));
        answer->stored.created = status == RT_OK;
    }
    if (status != RT_OK)
        return status;
    status = VITO_QUERY(database, QUERY_POLICY_CONFIG_ADD, tenant_id, document,
                        vito_i64(request->at_ms));
    return status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_handle_tenant_get(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    enum rt_status status =
        status_of_row(VITO_QUERY(database, QUERY_TENANT_GET, vito_text(request->tenant_id)));
    return status == RT_OK ? vito_column_buffer(database, 0, &answer->document) : status;
}

enum rt_status
vito_handle_tenant_list(struct vito_sqlite *database, const struct vito_request *request,
                        struct vito_answer *answer)
{
    (void)request;
    enum rt_status status = vito_query_run(database, QUERY_TENANT_LIST, NULL, 0);
    return status == RT_OK ? vito_column_buffer(database, 0, &answer->document) : status;
}

enum rt_status
vito_handle_tenant_remove(struct vito_sqlite *database, const struct vito_request *request,
                          struct vito_answer *answer)
{
    (void)answer;
    database->shreds = true;
    return status_of_change(
        database, VITO_QUERY(database, QUERY_TENANT_REMOVE, vito_text(request->tenant_id)));
}

enum rt_status
vito_handle_memory_put(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    (void)answer;
    if (request->document == NULL)
        return RT_INVALID;
    return status_of_change(
        database, VITO_QUERY(database, QUERY_MEMORY_PUT, vito_text(request->tenant_id),
                             vito_blob(request->document->bytes, request->document->size_bytes)));
}

enum rt_status
vito_handle_memory_get(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    enum rt_status status =
        status_of_row(VITO_QUERY(database, QUERY_MEMORY_GET, vito_text(request->tenant_id)));
    return status == RT_OK ? vito_column_buffer(database, 0, &answer->document) : status;
}
