#include "vito/audit_json.h"

#include <inttypes.h>
#include <stdlib.h>

#include "vito/money.h"
#include "vito/period.h"

void
vito_json_print_escaped(FILE *out, const char *text)
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

void
vito_json_print_member(FILE *out, const char *name, const char *text)
{
    if (text == NULL) {
        fprintf(out, "\"%s\":null", name);
        return;
    }
    fprintf(out, "\"%s\":\"", name);
    vito_json_print_escaped(out, text);
    fputc('"', out);
}

static void
print_text(FILE *out, const char *name, const char *text)
{
    vito_json_print_member(out, name, text);
    fputc(',', out);
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

void
vito_audit_print_data(FILE *out, const struct vito_audit_record *record)
{
    fputc('{', out);
    print_text(out, "event", record->event);
    if (record->is_leg)
        print_leg(out, record);
    vito_json_print_member(out, "session_id", record->session_id);
    if (!record->is_leg)
        fprintf(out, ",\"details\":%s", record->details == NULL ? "null" : record->details);
    fputc('}', out);
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

const char *
vito_audit_print_pruned(const struct vito_audit_pruned *pruned,
                        char text_out[VITO_AUDIT_PRUNED_BYTES])
{
    char amount[VITO_USD_TEXT_BYTES], first[VITO_TIME_TEXT_BYTES], last[VITO_TIME_TEXT_BYTES];
    snprintf(text_out, VITO_AUDIT_PRUNED_BYTES,
             "{\"through\":%" PRId64 ",\"entries\":%" PRId64 ",\"cost_amount\":\"%s\","
             "\"first_at\":\"%s\",\"last_at\":\"%s\"}",
             pruned->through, pruned->entries, vito_money_format(pruned->cost_nusd, amount),
             vito_time_format(pruned->first_ms, first), vito_time_format(pruned->last_ms, last));
    return text_out;
}

bool
vito_audit_details_are_sound(const struct rt_buffer *details)
{
    if (details->size_bytes > VITO_AUDIT_DETAILS_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < details->size_bytes; i++)
        if (details->bytes[i] == '\0' || details->bytes[i] == '\n' || details->bytes[i] == '\r')
            return false;
    return true;
}

enum rt_status
vito_audit_print_begin(struct vito_audit_printer *printer, uint32_t limit)
{
    *printer = (struct vito_audit_printer){.limit = limit};
    printer->out = open_memstream(&printer->text, &printer->size_bytes);
    if (printer->out == NULL)
        return RT_NO_MEMORY;
    fputs("{\"entries\":[", printer->out);
    return RT_OK;
}

bool
vito_audit_print(struct vito_audit_printer *printer, const struct vito_audit_record *record,
                 int64_t cursor)
{
    if (printer->printed == printer->limit || ftell(printer->out) >= VITO_AUDIT_LIST_BYTES_MAX) {
        printer->has_more = true;
        return false;
    }
    if (printer->printed++ > 0)
        fputc(',', printer->out);
    print_entry(printer->out, record, cursor);
    printer->cursor = cursor;
    return true;
}

enum rt_status
vito_audit_print_end(struct vito_audit_printer *printer, struct rt_buffer **document_out)
{
    enum rt_status status = RT_OK;
    if (printer->has_more)
        fprintf(printer->out, "],\"next\":%" PRId64 "}", printer->cursor);
    else
        fputs("],\"next\":null}", printer->out);
    struct rt_buffer *document = NULL;
    if (fclose(printer->out) == 0)
        document = rt_buffer_copy(printer->text, printer->size_bytes);
    if (document == NULL)
        status = RT_NO_MEMORY;
    else
        *document_out = document;
    free(printer->text);
    return status;
}
