/*
 * The audit trail: appended to, listed, never changed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vito/audit_chain.h"
#include "vito/money.h"
#include "vito/store/sqlite/internal.h"

enum {
    ENTRIES_MAX = 1000,
    LIST_BYTES_MAX = 4 * 1024 * 1024, /* a list ends early when its text is longer */
    DETAILS_BYTES_MAX = 64 * 1024,
};

static enum rt_status
read_last_chain(struct vito_sqlite *database, const char *tenant_id, struct vito_chain *chain_out)
{
    *chain_out = (struct vito_chain){.bytes = {0}};
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
    return VITO_QUERY(
        database, QUERY_AUDIT_ADD, vito_text(record->id), vito_text(record->tenant_id),
        vito_text(record->event), vito_text(record->session_id), vito_i64(record->at_ms),
        vito_text(record->provider_id), vito_text(record->decision_id),
        vito_text(record->policy_version), vito_text(record->mode), vito_text(record->outcome),
        of_leg(record, record->cost_nusd), of_leg(record, record->tokens),
        of_leg(record, record->media_ms), of_leg(record, record->interactions), details_of(record),
        vito_blob(chain.bytes, sizeof(chain.bytes)));
}

enum rt_status
vito_handle_audit_append(struct vito_sqlite *database, const struct vito_request *request,
                         struct vito_answer *answer)
{
    (void)answer;
    const struct vito_audit_event *event = &request->audit;
    const struct rt_buffer *document = request->document;
    if (document != NULL && (document->size_bytes > DETAILS_BYTES_MAX ||
                             memchr(document->bytes, '\0', document->size_bytes) != NULL))
        return RT_INVALID; /* SQLite would take what is before a NUL for all */
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

static void
print_escaped(FILE *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20)
            fprintf(out, "\\u%04x", (unsigned)*text);
        else if (*text == '"' || *text == '\\')
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

/* A member and a comma. */
static void
print_text(FILE *out, const char *name, const char *text)
{
    if (text == NULL) {
        fprintf(out, "\"%s\":null,", name);
        return;
    }
    fprintf(out, "\"%s\":\"", name);
    print_escaped(out, text);
    fputs("\",", out);
}

static void
print_leg(FILE *out, const struct vito_audit_record *record)
{
    char amount[VITO_USD_TEXT_BYTES];
    print_text(out, "provider_id", record->provider_id);
    print_text(out, "cost_amount", vito_money_format(record->cost_nusd, amount));
    fprintf(out,
            "\"units\":{\"tokens\":%" PRId64 ",\"media_ms\":%" PRId64 ",\"interactions\":%" PRId64
            "},",
            record->tokens, record->media_ms, record->interactions);
    print_text(out, "decision_id", record->decision_id);
    print_text(out, "policy_version", record->policy_version);
    print_text(out, "mode", record->mode);
    print_text(out, "outcome", record->outcome);
}

static void
print_entry(FILE *out, const struct vito_audit_record *record, int64_t cursor)
{
    char at[VITO_TIME_TEXT_BYTES];
    fputc('{', out);
    print_text(out, "id", record->id);
    print_text(out, "at", vito_time_format(record->at_ms, at));
    print_text(out, "event", record->event);
    print_text(out, "session_id", record->session_id);
    if (record->is_leg)
        print_leg(out, record);
    else
        fprintf(out, "\"details\":%s,", record->details == NULL ? "{}" : record->details);
    fprintf(out, "\"cursor\":%" PRId64 "}", cursor);
}

/* Prints rows until there are none, or enough. */
static enum rt_status
print_rows(struct vito_sqlite *database, enum rt_status status, uint32_t limit, FILE *out)
{
    enum { CURSOR_COLUMN = 15 };
    int64_t cursor = 0;
    uint32_t printed = 0;
    fputs("{\"entries\":[", out);
    for (; status == RT_OK && printed < limit && ftell(out) < LIST_BYTES_MAX; printed++) {
        struct vito_audit_record record = vito_audit_record_of_row(database);
        cursor = vito_column_i64(database, CURSOR_COLUMN);
        fputs(printed > 0 ? "," : "", out);
        print_entry(out, &record, cursor);
        status = vito_query_next(database);
    }
    if (status == RT_OK)
        fprintf(out, "],\"next\":%" PRId64 "}", cursor);
    else
        fputs("],\"next\":null}", out);
    return status == RT_UNAVAILABLE ? RT_UNAVAILABLE : RT_OK;
}

enum rt_status
vito_handle_audit_list(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    const struct vito_audit_query *query = &request->query;
    if (query->limit == 0)
        return RT_INVALID;
    uint32_t limit = query->limit < ENTRIES_MAX ? query->limit : ENTRIES_MAX;
    struct vito_value tenant_id = vito_text(request->tenant_id), after = vito_i64(query->after);
    struct vito_value rows = vito_i64((int64_t)limit + 1); /* one more tells that there is more */
    char *text = NULL;
    size_t size_bytes = 0;
    FILE *out = open_memstream(&text, &size_bytes);
    if (out == NULL)
        return RT_NO_MEMORY;
    enum rt_status status = *query->session_id == '\0'
                                ? VITO_QUERY(database, QUERY_AUDIT_LIST, tenant_id, after, rows)
                                : VITO_QUERY(database, QUERY_AUDIT_LIST_OF_SESSION, tenant_id,
                                             after, rows, vito_text(query->session_id));
    status = print_rows(database, status, limit, out);
    if (fclose(out) != 0 && status == RT_OK)
        status = RT_NO_MEMORY;
    if (status == RT_OK) {
        answer->document = rt_buffer_copy(text, size_bytes);
        status = answer->document == NULL ? RT_NO_MEMORY : RT_OK;
    }
    free(text);
    return status;
}
