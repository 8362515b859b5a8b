/*
 * The vault's rows: listed tenant by tenant, and written all or none.
 */
#include <string.h>

#include "vito/store/sqlite/internal.h"

_Static_assert(VITO_SEALED_TENANT == 1, "as the statements have it");
_Static_assert(VITO_SEALED_KEY == 2, "as the statements have it");
_Static_assert(VITO_SEALED_SECRET == 3, "as the statements have it");

enum { PAGE_BYTES = 1024 * 1024 /* a list ends behind the tenant that fills it */ };

static enum rt_status
add_row(const struct vito_sqlite *database, struct vito_sealed_writer *writer)
{
    size_t blob_bytes;
    const void *blob = vito_column_bytes(database, 6, &blob_bytes);
    if (blob_bytes > VITO_SEALED_BLOB_BYTES_MAX)
        return RT_INVALID; /* the schema does not allow it: somebody changed that as well */
    struct vito_sealed sealed = {
        .kind = (enum vito_sealed_kind)vito_column_i64(database, 1),
        .version = vito_column_i64(database, 4),
        .at_ms = vito_column_i64(database, 5),
        .blob_bytes = (uint32_t)blob_bytes,
    };
    vito_column_copy(database, 0, sealed.tenant_id, sizeof(sealed.tenant_id));
    vito_column_copy(database, 2, sealed.name, sizeof(sealed.name));
    vito_column_copy(database, 3, sealed.providers, sizeof(sealed.providers));
    uint8_t *to = vito_sealed_add(writer, &sealed);
    if (to == NULL)
        return RT_NO_MEMORY;
    if (blob_bytes > 0)
        memcpy(to, blob, blob_bytes);
    return RT_OK;
}

static enum rt_status
add_root(struct vito_sqlite *database, struct vito_sealed_writer *writer)
{
    enum rt_status status = vito_query_run(database, QUERY_ROOT_GET, NULL, 0);
    if (status != RT_OK)
        return status;
    size_t blob_bytes;
    const void *blob = vito_column_bytes(database, 1, &blob_bytes);
    struct vito_sealed sealed = {.kind = VITO_SEALED_ROOT,
                                 .version = vito_column_i64(database, 0),
                                 .blob_bytes = (uint32_t)blob_bytes};
    uint8_t *to = vito_sealed_add(writer, &sealed);
    if (to == NULL)
        return RT_NO_MEMORY;
    memcpy(to, blob, blob_bytes);
    return RT_EMPTY;
}

/* Takes rows until the page is full and the tenant complete. */
static enum rt_status
add_rows(struct vito_sqlite *database, struct vito_sealed_writer *writer, enum rt_status status)
{
    for (; status == RT_OK; status = vito_query_next(database)) {
        bool begins_tenant = vito_column_i64(database, 1) == VITO_SEALED_TENANT;
        if (begins_tenant && writer->size_bytes >= PAGE_BYTES)
            return RT_OK;
        status = add_row(database, writer);
        if (status != RT_OK)
            return status;
    }
    return status == RT_EMPTY ? RT_OK : status;
}

enum rt_status
vito_handle_vault_list(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    struct vito_sealed_writer writer = {.bytes = NULL};
    enum rt_status status = RT_EMPTY;
    if (*request->tenant_id != '\0') {
        status = VITO_QUERY(database, QUERY_SEALED_OF_TENANT, vito_text(request->tenant_id));
    } else {
        if (*request->list.after == '\0')
            status = add_root(database, &writer);
        if (status == RT_EMPTY) /* "!" is before all ids */
            status =
                VITO_QUERY(database, QUERY_SEALED_LIST,
                           vito_text(*request->list.after == '\0' ? "!" : request->list.after));
    }
    status = add_rows(database, &writer, status);
    answer->document = vito_sealed_finish(&writer);
    return status == RT_OK && answer->document == NULL ? RT_NO_MEMORY : status;
}

/* Of a statement that was to change exactly one row, the one before. */
static enum rt_status
status_of_replacing(const struct vito_sqlite *database, enum rt_status status)
{
    if (status != RT_EMPTY)
        return status;
    return vito_query_changes(database) == 1 ? RT_OK : RT_EXISTS;
}

static enum rt_status
write_key(struct vito_sqlite *database, const struct vito_sealed_row *row)
{
    const struct vito_sealed *sealed = &row->sealed;
    struct vito_value version = vito_i64(sealed->version);
    struct vito_value blob = vito_blob(row->blob, sealed->blob_bytes);
    bool is_first = sealed->version == 1;
    enum rt_status status;
    if (sealed->kind == VITO_SEALED_ROOT)
        status =
            VITO_QUERY(database, is_first ? QUERY_ROOT_ADD : QUERY_ROOT_REPLACE, version, blob);
    else
        status = VITO_QUERY(database, is_first ? QUERY_TENANT_KEY_ADD : QUERY_TENANT_KEY_REPLACE,
                            vito_text(sealed->tenant_id), version, blob);
    return status_of_replacing(database, status);
}

static enum rt_status
write_row(struct vito_sqlite *database, const struct vito_sealed_row *row)
{
    const struct vito_sealed *sealed = &row->sealed;
    struct vito_value tenant_id = vito_text(sealed->tenant_id), name = vito_text(sealed->name);
    enum rt_status status = RT_INVALID;
    switch (sealed->kind) {
    case VITO_SEALED_ROOT:
    case VITO_SEALED_KEY:
        return write_key(database, row);
    case VITO_SEALED_SECRET:
        status = VITO_QUERY(database, QUERY_SECRET_PUT, tenant_id, name, vito_i64(sealed->version),
                            vito_text(sealed->providers), vito_i64(sealed->at_ms),
                            vito_blob(row->blob, sealed->blob_bytes));
        break;
    case VITO_SEALED_GONE:
        status = VITO_QUERY(database, QUERY_SECRET_REMOVE, tenant_id, name);
        break;
    case VITO_SEALED_DETAILS:
        return RT_OK; /* write_event() has them */
    case VITO_SEALED_TENANT:
    case VITO_SEALED_KIND_COUNT:
        break;
    }
    return status == RT_EMPTY ? RT_OK : status;
}

static enum rt_status
write_event(struct vito_sqlite *database, const struct vito_request *request,
            const struct vito_sealed_row *details)
{
    if (*request->audit.id == '\0')
        return RT_OK;
    const struct vito_audit_record record = {
        .id = request->audit.id,
        .tenant_id = request->tenant_id,
        .event = request->audit.event,
        .session_id = request->audit.session_id,
        .at_ms = request->audit.at_ms,
        .details = (const char *)details->blob,
        .details_bytes = details->sealed.blob_bytes,
    };
    enum rt_status status = vito_audit_add(database, &record);
    return status == RT_EMPTY ? RT_OK : status;
}

static enum rt_status
write_all(struct vito_sqlite *database, const struct vito_request *request)
{
    struct vito_sealed_row row, details = {.blob = NULL};
    size_t offset = 0;
    enum rt_status status = RT_OK;
    while (status == RT_OK && vito_sealed_next(request->document, &offset, &row)) {
        status = write_row(database, &row);
        if (row.sealed.kind == VITO_SEALED_DETAILS)
            details = row;
    }
    if (status == RT_OK && (offset == 0 || offset != request->document->size_bytes))
        status = RT_INVALID;
    return status == RT_OK ? write_event(database, request, &details) : status;
}

enum rt_status
vito_handle_vault_write(struct vito_sqlite *database, const struct vito_request *request,
                        struct vito_answer *answer)
{
    (void)answer;
    if (vito_query_run(database, QUERY_SAVEPOINT, NULL, 0) != RT_EMPTY)
        return RT_UNAVAILABLE;
    enum rt_status status = write_all(database, request);
    if (status == RT_UNAVAILABLE)
        return status; /* the transaction is broken: all of it goes */
    if (status != RT_OK) {
        vito_tally_forget(database);
        if (vito_query_run(database, QUERY_ROLLBACK_TO, NULL, 0) != RT_EMPTY)
            return RT_UNAVAILABLE;
    }
    if (vito_query_run(database, QUERY_RELEASE, NULL, 0) != RT_EMPTY)
        return RT_UNAVAILABLE;
    database->shreds |= status == RT_OK;
    return status;
}
