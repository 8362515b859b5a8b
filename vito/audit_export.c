#include "vito/audit_export.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vito/period.h"

static void
print_hex(FILE *out, const char *name, const uint8_t *bytes, size_t size_bytes)
{
    fprintf(out, "\"%s\":\"", name);
    for (size_t i = 0; i < size_bytes; i++)
        fprintf(out, "%02x", bytes[i]);
    fputc('"', out);
}

/* "ACCESS_REFUSED" → "dev.twingateway.audit.access_refused.v1" */
static void
print_type(FILE *out, const struct vito_audit_record *record)
{
    if (record->is_leg) {
        fputs("\"type\":\"dev.twingateway.usage.posted.v1\",", out);
        return;
    }
    char event[VITO_AUDIT_EVENT_BYTES];
    size_t size = 0;
    for (; record->event[size] != '\0' && size + 1 < sizeof(event); size++)
        event[size] = (char)tolower((unsigned char)record->event[size]);
    event[size] = '\0';
    fputs("\"type\":\"dev.twingateway.audit.", out);
    vito_json_print_escaped(out, event);
    fputs(".v1\",", out);
}

static void
print_start(FILE *out, const char *id, const char *tenant_id)
{
    fputs("{\"specversion\":\"1.0\",", out);
    vito_json_print_member(out, "id", id);
    fputs(",\"source\":\"/tenants/", out);
    vito_json_print_escaped(out, tenant_id);
    fputs("\",", out);
}

/* What all lines have behind their type; `at_ms` < 0: no time. */
static void
print_attributes(FILE *out, const char *at, int64_t seq)
{
    if (at != NULL) {
        vito_json_print_member(out, "time", at);
        fputc(',', out);
    }
    fprintf(out, "\"datacontenttype\":\"application/json\",\"sequence\":\"%" PRId64 "\",", seq);
}

enum rt_status
vito_audit_export_begin(struct vito_audit_exporter *exporter, uint32_t limit)
{
    *exporter = (struct vito_audit_exporter){.limit = limit};
    exporter->out = open_memstream(&exporter->text, &exporter->size_bytes);
    return exporter->out == NULL ? RT_NO_MEMORY : RT_OK;
}

bool
vito_audit_export_entry(struct vito_audit_exporter *exporter,
                        const struct vito_audit_record *record, int64_t seq,
                        const struct vito_chain *chain)
{
    FILE *out = exporter->out;
    char at[VITO_TIME_TEXT_BYTES];
    if (exporter->printed == exporter->limit || ftell(out) >= VITO_AUDIT_LIST_BYTES_MAX) {
        exporter->has_more = true;
        return false;
    }
    exporter->printed++;
    print_start(out, record->id, record->tenant_id);
    print_type(out, record);
    if (record->session_id != NULL && *record->session_id != '\0') {
        vito_json_print_member(out, "subject", record->session_id);
        fputc(',', out);
    }
    print_attributes(out, vito_time_format(record->at_ms, at), seq);
    print_hex(out, "chain", chain->bytes, sizeof(chain->bytes));
    fputs(",\"data\":", out);
    vito_audit_print_data(out, record);
    fputs("}\n", out);
    return true;
}

void
vito_audit_export_checkpoint(struct vito_audit_exporter *exporter,
                             const struct vito_checkpoint *checkpoint)
{
    FILE *out = exporter->out;
    char id[48], at[VITO_TIME_TEXT_BYTES];
    snprintf(id, sizeof(id), "checkpoint-%" PRId64, checkpoint->seq);
    print_start(out, id, checkpoint->tenant_id);
    fputs("\"type\":\"dev.twingateway.audit.checkpoint.v1\",", out);
    print_attributes(out, vito_time_format(checkpoint->at_ms, at), checkpoint->seq);
    print_hex(out, "chain", checkpoint->chain.bytes, sizeof(checkpoint->chain.bytes));
    fputs(",\"data\":{\"algorithm\":\"ed25519\",", out);
    print_hex(out, "key", checkpoint->key, sizeof(checkpoint->key));
    fputc(',', out);
    print_hex(out, "signature", checkpoint->signature, sizeof(checkpoint->signature));
    fputs("}}\n", out);
}

static void
print_head(FILE *out, const struct vito_audit_head *head)
{
    char id[48];
    snprintf(id, sizeof(id), "head-%" PRId64, head->seq);
    print_start(out, id, head->tenant_id);
    fputs("\"type\":\"dev.twingateway.audit.head.v1\",", out);
    print_attributes(out, NULL, head->seq);
    print_hex(out, "chain", head->chain.bytes, sizeof(head->chain.bytes));
    fprintf(out, ",\"data\":{\"checkpoint\":%" PRId64 ",\"pruned\":%" PRId64 "}}\n",
            head->checkpoint_seq, head->pruned_seq);
}

enum rt_status
vito_audit_export_end(struct vito_audit_exporter *exporter, const struct vito_audit_head *head,
                      struct rt_buffer **document_out)
{
    if (!exporter->has_more)
        print_head(exporter->out, head);
    struct rt_buffer *document = NULL;
    if (fclose(exporter->out) == 0)
        document = rt_buffer_copy(exporter->text, exporter->size_bytes);
    free(exporter->text);
    if (document == NULL)
        return RT_NO_MEMORY;
    *document_out = document;
    return RT_OK;
}
