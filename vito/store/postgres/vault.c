/*
 * The vault's rows: listed some tenants at a time, and written all or none.
 */
#include <string.h>

#include "vito/store/postgres/internal.h"

enum { ROWS_AT_ONCE = 16 };

static uint8_t *
add_row(const struct vito_pg_link *link, unsigned result, int row, int blob_column,
        struct vito_sealed *sealed, struct vito_sealed_writer *writer)
{
    size_t blob_bytes;
    const void *blob = vito_pg_value(link, result, row, blob_column, &blob_bytes);
    sealed->blob_bytes = (uint32_t)blob_bytes;
    uint8_t *to = vito_sealed_add(writer, sealed);
    if (to != NULL && blob_bytes > 0)
        memcpy(to, blob, blob_bytes);
    return to;
}

static void
add_rows(const struct vito_pg_link *link, unsigned result, struct vito_sealed_writer *writer)
{
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_sealed sealed = {
            .kind = (enum vito_sealed_kind)vito_pg_i64(link, result, i, 1),
            .version = vito_pg_i64(link, result, i, 4),
            .at_ms = vito_pg_i64(link, result, i, 5),
        };
        vito_pg_copy(link, result, i, 0, sealed.tenant_id, sizeof(sealed.tenant_id));
        vito_pg_copy(link, result, i, 2, sealed.name, sizeof(sealed.name));
        vito_pg_copy(link, result, i, 3, sealed.providers, sizeof(sealed.providers));
        add_row(link, result, i, 6, &sealed, writer);
    }
}

enum vito_pg_outcome
vito_pg_vault_list(struct vito_postgres *database, struct vito_pg_item *item)
{
    struct vito_pg_link *link = &database->link;
    const struct vito_request *request = item->request;
    bool is_of_one = request->tenant_id[0] != '\0';
    bool is_first = !is_of_one && request->list.after[0] == '\0';
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, is_of_one ? request->tenant_id : request->list.after);
    unsigned rows =
        vito_pg_send(link, is_of_one ? VITO_PG_VAULT_OF_TENANT : VITO_PG_VAULT_LIST, &arguments);
    unsigned root = is_first ? vito_pg_send(link, VITO_PG_ROOT_GET, NULL) : 0;
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    struct vito_sealed_writer writer = {.bytes = NULL};
    if (is_first && vito_pg_rows(link, root) > 0) {
        struct vito_sealed sealed = {.kind = VITO_SEALED_ROOT,
                                     .version = vito_pg_i64(link, root, 0, 0)};
        add_row(link, root, 0, 1, &sealed, &writer);
    }
    add_rows(link, rows, &writer);
    item->document = vito_sealed_finish(&writer);
    item->stored.status = item->document == NULL ? RT_NO_MEMORY : RT_OK;
    return outcome;
}

/* Queues one row. Returns the number of its result, 0 for rows that must not be counted. */
static unsigned
send_row(struct vito_pg_link *link, const struct vito_sealed_row *row)
{
    const struct vito_sealed *sealed = &row->sealed;
    struct vito_pg_arguments arguments = {0};
    bool is_first = sealed->version == 1;
    if (sealed->kind != VITO_SEALED_ROOT)
        vito_pg_add_text(&arguments, sealed->tenant_id);
    if (sealed->kind == VITO_SEALED_SECRET || sealed->kind == VITO_SEALED_GONE)
        vito_pg_add_text(&arguments, sealed->name);
    if (sealed->kind == VITO_SEALED_GONE) {
        vito_pg_send(link, VITO_PG_SECRET_REMOVE, &arguments);
        return 0;
    }
    vito_pg_add_i64(&arguments, sealed->version);
    vito_pg_add_bytes(&arguments, row->blob, sealed->blob_bytes);
    if (sealed->kind == VITO_SEALED_ROOT)
        return vito_pg_send(link, is_first ? VITO_PG_ROOT_ADD : VITO_PG_ROOT_REPLACE, &arguments);
    if (sealed->kind == VITO_SEALED_KEY)
        return vito_pg_send(link, is_first ? VITO_PG_TENANT_KEY_ADD : VITO_PG_TENANT_KEY_REPLACE,
                            &arguments);
    vito_pg_add_text(&arguments, sealed->providers);
    vito_pg_add_i64(&arguments, sealed->at_ms);
    vito_pg_send(link, VITO_PG_SECRET_PUT, &arguments);
    return 0;
}

static bool
is_row_to_write(const struct vito_sealed_row *row)
{
    return row->sealed.kind == VITO_SEALED_ROOT || row->sealed.kind == VITO_SEALED_KEY ||
           row->sealed.kind == VITO_SEALED_SECRET || row->sealed.kind == VITO_SEALED_GONE;
}

/* Writes some rows from *offset on. `details_out` is the one with the event's details, if it is
 * among them. */
static enum vito_pg_outcome
write_some(struct vito_postgres *database, struct vito_pg_item *item, size_t *offset,
           struct vito_sealed_row *details_out)
{
    unsigned keys[ROWS_AT_ONCE], key_count = 0;
    struct vito_sealed_row row;
    for (int i = 0; i < ROWS_AT_ONCE && vito_sealed_next(item->request->document, offset, &row);
         i++) {
        if (row.sealed.kind == VITO_SEALED_DETAILS)
            *details_out = row;
        unsigned result = is_row_to_write(&row) ? send_row(&database->link, &row) : 0;
        if (result > 0)
            keys[key_count++] = result;
        else if (!is_row_to_write(&row) && row.sealed.kind != VITO_SEALED_DETAILS)
            item->stored.status = RT_INVALID;
    }
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    for (unsigned i = 0; i < key_count && outcome == VITO_PG_DONE; i++)
        if (vito_pg_changes(&database->link, keys[i]) != 1)
            item->stored.status = RT_EXISTS;
    return outcome;
}

static enum vito_pg_outcome
write_event(struct vito_postgres *database, struct vito_pg_item *item,
            const struct vito_sealed_row *details)
{
    if (item->request->audit.id[0] == '\0')
        return VITO_PG_DONE;
    struct vito_request request = {.op = VITO_AUDIT_APPEND, .audit = item->request->audit};
    memcpy(request.tenant_id, item->request->tenant_id, sizeof(request.tenant_id));
    if (details->blob != NULL &&
        (request.document = rt_buffer_copy(details->blob, details->sealed.blob_bytes)) == NULL)
        return vito_pg_fail(&database->link, "53200", "out of memory");
    struct vito_pg_item event = {.request = &request, .stored = {.op = request.op}};
    enum vito_pg_outcome outcome = vito_pg_run(database, &event, 1, false);
    rt_buffer_release(request.document);
    if (outcome == VITO_PG_DONE)
        item->stored.status = event.stored.status;
    return outcome;
}

enum vito_pg_outcome
vito_pg_vault_write(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct rt_buffer *document = item->request->document;
    struct vito_sealed_row details = {.blob = NULL};
    size_t offset = 0, before = 0;
    vito_pg_send_text(&database->link, "SAVEPOINT rows");
    enum vito_pg_outcome outcome;
    do {
        before = offset;
        outcome = write_some(database, item, &offset, &details);
    } while (outcome == VITO_PG_DONE && item->stored.status == RT_OK && offset > before);
    if (outcome == VITO_PG_DONE && item->stored.status == RT_OK &&
        (document == NULL || offset == 0 || offset != document->size_bytes))
        item->stored.status = RT_INVALID;
    if (outcome == VITO_PG_DONE && item->stored.status == RT_OK)
        outcome = write_event(database, item, &details);
    if (outcome == VITO_PG_DONE && item->stored.status == RT_OK)
        vito_pg_tell(database, VITO_NEWS_SECRETS, item->request->tenant_id);
    if (outcome != VITO_PG_DONE || item->stored.status == RT_OK)
        return outcome;
    vito_pg_send_text(&database->link, "ROLLBACK TO rows");
    return vito_pg_exchange(database);
}
