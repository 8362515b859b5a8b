/*
 * The audit trail: appended to, listed, never changed.
 */
#include <string.h>

#include "vito/audit_json.h"
#include "vito/store/sqlite/internal.h"

static enum rt_status
read_last_chain(struct vito_sqlite *database, const char *tenant_id, struct vito_chain *chain_out)
{
    const struct vito_chain *known = vito_tally_tail(database, tenant_id);
    *chain_out = known != NULL ? *known : (struct vito_chain){.bytes = {0}};
    if (known != NULL)
        return RT_EMPTY;
    enum rt_status status = VITO_QUERY(database, QUERY_AUDIT_LAST_CHAIN, vito_text(tenant_id));
    if (status != RT_OK)
        return status;
    const void *bytes = vito_column_blob(database, 0, sizeof(chain_out->bytes));
    if (bytes != NULL)
        memcpy(chain_out->bytes, bytes, sizeof(chain_out->bytes));
    return RT_EMPTY;
}

/* A number that only legs have. */
static struct vito_value
of_leg(const struct vito_audit_record *record, int64_t number)
{
    return record->is_leg ? vito_i64(number) : vito_null();
}

static struct vito_value
details_of(const struct vito_audit_record *record)
{
    if (record->details == NULL)
        return vito_null();
    return (struct vito_value){
        .type = VALUE_TEXT, .bytes = record->details, .size_bytes = record->details_bytes};
}

enum rt_status
vito_audit_add(struct vito_sqlite *database, const struct vito_audit_record *record)
{
    struct vito_chain before;
    enum rt_status status = read_last_chain(database, record->tenant_id, &before);
    if (status != RT_EMPTY)
        return status;
    struct vito_chain chain = vito_audit_chain(&before, record);
    status = VITO_QUERY(
        database, QUERY_AUDIT_ADD, vito_text(record->id), vito_text(record->tenant_id),
        vito_text(record->event), vito_text(record->session_id), vito_i64(record->at_ms),
        vito_text(record->provider_id), vito_text(record->decision_id),
        vito_text(record->policy_version), vito_text(record->mode), vito_text(record->outcome),
        of_leg(record, record->cost_nusd), of_leg(record, record->tokens),
        of_leg(record, record->media_ms), of_leg(record, record->interactions), details_of(record),
        vito_blob(chain.bytes, sizeof(chain.bytes)));
    if (status != RT_EMPTY)
        return status;
    return vito_tally_set_tail(database, record->tenant_id, &chain,
                               sqlite3_last_insert_rowid(database->db));
}

enum rt_status
vito_audit_add_note(struct vito_sqlite *database, const struct vito_request *request)
{
    const struct vito_audit_note *note = (const void *)request->note->bytes;
    const struct vito_audit_record record = {
        .id = note->event.id,
        .tenant_id = request->tenant_id,
        .event = note->event.event,
        .session_id = note->event.session_id,
        .at_ms = note->event.at_ms,
        .details = note->details,
        .details_bytes = note->details_bytes,
    };
    return vito_audit_add(database, &record);
}

enum rt_status
vito_handle_audit_append(struct vito_sqlite *database, const struct vito_request *request,
                         struct vito_answer *answer)
{
    (void)answer;
    const struct vito_audit_event *event = &request->audit;
    const struct rt_buffer *document = request->document;
    if (document != NULL && !vito_audit_details_are_sound(document))
        return RT_INVALID;
    const struct vito_audit_record record = {
        .id = event->id,
        .tenant_id = request->tenant_id,
        .event = event->event,
        .session_id = event->session_id,
        .at_ms = event->at_ms,
        .details = document == NULL ? NULL : (const char *)document->bytes,
        .details_bytes = document == NULL ? 0 : document->size_bytes,
    };
    enum rt_status status = vito_audit_add(database, &record);
    return status == RT_EMPTY ? RT_OK : status;
}

struct vito_audit_record
vito_audit_record_of_row(const struct vito_sqlite *database)
{
    struct vito_audit_record record = {
        .id = vito_column_text(database, 0),
        .tenant_id = vito_column_text(database, 1),
        .event = vito_column_text(database, 2),
        .session_id = vito_column_text(database, 3),
        .at_ms = vito_column_i64(database, 4),
        .provider_id = vito_column_text(database, 5),
        .decision_id = vito_column_text(database, 6),
        .policy_version = vito_column_text(database, 7),
        .mode = vito_column_text(database, 8),
        .outcome = vito_column_text(database, 9),
        .cost_nusd = vito_column_i64(database, 10),
        .tokens = vito_column_i64(database, 11),
        .media_ms = vito_column_i64(database, 12),
        .interactions = vito_column_i64(database, 13),
        .details = vito_column_text(database, 14),
    };
    record.is_leg = strcmp(record.event, "BILLING_EVENT") == 0;
    record.details_bytes = record.details == NULL ? 0 : strlen(record.details);
    return record;
}

/* Prints rows until there are none, or enough. */
static enum rt_status
print_rows(struct vito_sqlite *database, enum rt_status status, struct vito_audit_printer *printer)
{
    enum { CURSOR_COLUMN = 15 };
    while (status == RT_OK) {
        struct vito_audit_record record = vito_audit_record_of_row(database);
        if (!vito_audit_print(printer, &record, vito_column_i64(database, CURSOR_COLUMN)))
            return RT_OK;
        status = vito_query_next(database);
    }
    return status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_handle_audit_list(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    const struct vito_audit_query *query = &request->query;
    if (query->limit == 0)
        return RT_INVALID;
    uint32_t limit = query->limit < VITO_AUDIT_ENTRIES_MAX ? query->limit : VITO_AUDIT_ENTRIES_MAX;
    struct vito_value tenant_id = vito_text(request->tenant_id), after = vito_i64(query->after);
    struct vito_value rows = vito_i64((int64_t)limit + 1); /* one more tells that there is more */
    struct vito_audit_printer printer;
    if (vito_audit_print_begin(&printer, limit) != RT_OK)
        return RT_NO_MEMORY;
    enum rt_status status = *query->session_id == '\0'
                                ? VITO_QUERY(database, QUERY_AUDIT_LIST, tenant_id, after, rows)
                                : VITO_QUERY(database, QUERY_AUDIT_LIST_OF_SESSION, tenant_id,
                                             after, rows, vito_text(query->session_id));
    status = print_rows(database, status, &printer);
    enum rt_status printed = vito_audit_print_end(&printer, &answer->document);
    return status == RT_OK ? printed : status;
}
