/*
 * What is listed: tenants, keys, and the audit trail.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vito/audit_json.h"
#include "vito/store/postgres/internal.h"

/* Takes what was printed as the answer's document. */
static void
finish(FILE *out, char **text, const size_t *size_bytes, struct vito_pg_item *item)
{
    bool printed = fclose(out) == 0;
    bool fits = *size_bytes <= RT_BUFFER_BYTES_MAX;
    if (printed && fits)
        item->document = rt_buffer_copy(*text, *size_bytes);
    if (item->document == NULL)
        item->stored.status = fits ? RT_NO_MEMORY : RT_TOO_BIG;
    free(*text);
}

enum vito_pg_outcome
vito_pg_tenant_list(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_pg_link *link = &database->link;
    char *text = NULL;
    size_t size_bytes = 0;
    unsigned result = vito_pg_send(&database->link, VITO_PG_TENANT_LIST, NULL);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    FILE *out = outcome == VITO_PG_DONE ? open_memstream(&text, &size_bytes) : NULL;
    if (out == NULL) {
        item->stored.status = RT_NO_MEMORY;
        return outcome;
    }
    fputc('[', out);
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        fputs(i > 0 ? ",{" : "{", out);
        vito_json_print_member(out, "id", vito_pg_text(link, result, i, 0));
        fputc(',', out);
        vito_json_print_member(out, "display_name", vito_pg_text(link, result, i, 1));
        fputc(',', out);
        vito_json_print_member(out, "policy", vito_pg_text(link, result, i, 2));
        fputc('}', out);
    }
    fputc(']', out);
    finish(out, &text, &size_bytes, item);
    return outcome;
}

static void
read_key(const struct vito_pg_link *link, unsigned result, int row, struct vito_key *key)
{
    *key = (struct vito_key){.created_ms = vito_pg_i64(link, result, row, 3),
                             .expires_ms = vito_pg_i64(link, result, row, 4)};
    vito_pg_copy(link, result, row, 0, key->id, sizeof(key->id));
    vito_pg_copy(link, result, row, 1, key->tenant_id, sizeof(key->tenant_id));
    const void *digest = vito_pg_bytes(link, result, row, 2, sizeof(key->digest.bytes));
    if (digest != NULL)
        memcpy(key->digest.bytes, digest, sizeof(key->digest.bytes));
}

enum vito_pg_outcome
vito_pg_key_list(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_pg_link *link = &database->link;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    unsigned result = vito_pg_send(&database->link, VITO_PG_KEY_LIST, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    int count = vito_pg_rows(link, result);
    size_t size_bytes = (size_t)count * sizeof(struct vito_key);
    item->stored.status = size_bytes > RT_BUFFER_BYTES_MAX ? RT_TOO_BIG : RT_NO_MEMORY;
    if (item->stored.status == RT_TOO_BIG ||
        (item->document = rt_buffer_create(size_bytes)) == NULL)
        return outcome;
    for (int i = 0; i < count; i++) {
        struct vito_key key;
        read_key(link, result, i, &key);
        memcpy(item->document->bytes + (size_t)i * sizeof(key), &key, sizeof(key));
    }
    item->stored.status = RT_OK;
    return outcome;
}

static void
read_open_leg(const struct vito_pg_link *link, unsigned result, int row, struct vito_open_leg *leg)
{
    *leg = (struct vito_open_leg){.mode = vito_mode_of(vito_pg_text(link, result, row, 2)),
                                  .held_nusd = vito_pg_i64(link, result, row, 3),
                                  .period_start_ms = vito_pg_i64(link, result, row, 4)};
    vito_pg_copy(link, result, row, 0, leg->id, sizeof(leg->id));
    vito_pg_copy(link, result, row, 1, leg->provider_id, sizeof(leg->provider_id));
}

enum vito_pg_outcome
vito_pg_leg_list(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_pg_link *link = &database->link;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_add_text(&arguments, database->node);
    vito_pg_add_i64(&arguments, database->epoch);
    vito_pg_add_i64(&arguments, VITO_OPEN_LEGS_MAX);
    unsigned result = vito_pg_send(&database->link, VITO_PG_LEG_LIST, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    size_t count = (size_t)vito_pg_rows(link, result);
    item->document = rt_buffer_create(count * sizeof(struct vito_open_leg));
    item->stored.status = item->document == NULL ? RT_NO_MEMORY : RT_OK;
    for (size_t i = 0; i < count && item->document != NULL; i++) {
        struct vito_open_leg leg;
        read_open_leg(link, result, (int)i, &leg);
        memcpy(item->document->bytes + i * sizeof(leg), &leg, sizeof(leg));
    }
    return outcome;
}

static void
read_adopted(const struct vito_pg_link *link, unsigned result, int row,
             struct vito_adopted_leg *adopted)
{
    *adopted = (struct vito_adopted_leg){
        .period = {vito_pg_i64(link, result, row, 6), vito_pg_i64(link, result, row, 7)},
        .limit_nusd = vito_pg_i64(link, result, row, 8),
        .leg = {.mode = vito_mode_of(vito_pg_text(link, result, row, 3)),
                .held_nusd = vito_pg_i64(link, result, row, 4),
                .at_ms = vito_pg_i64(link, result, row, 5)},
    };
    vito_pg_copy(link, result, row, 0, adopted->leg.id, sizeof(adopted->leg.id));
    vito_pg_copy(link, result, row, 1, adopted->tenant_id, sizeof(adopted->tenant_id));
    vito_pg_copy(link, result, row, 2, adopted->leg.provider_id, sizeof(adopted->leg.provider_id));
    vito_pg_copy(link, result, row, 9, adopted->vendor_ref, sizeof(adopted->vendor_ref));
}

enum vito_pg_outcome
vito_pg_leg_list_adopted(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_pg_link *link = &database->link;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, database->node);
    vito_pg_add_i64(&arguments, database->epoch);
    vito_pg_add_i64(&arguments, RT_BUFFER_BYTES_MAX / sizeof(struct vito_adopted_leg));
    unsigned result = vito_pg_send(&database->link, VITO_PG_LEG_LIST_ADOPTED, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    size_t count = (size_t)vito_pg_rows(link, result);
    item->document = rt_buffer_create(count * sizeof(struct vito_adopted_leg));
    item->stored.status = item->document == NULL ? RT_NO_MEMORY : RT_OK;
    for (size_t i = 0; i < count && item->document != NULL; i++) {
        struct vito_adopted_leg adopted;
        read_adopted(link, result, (int)i, &adopted);
        memcpy(item->document->bytes + i * sizeof(adopted), &adopted, sizeof(adopted));
    }
    return outcome;
}

struct vito_audit_record
vito_pg_record(const struct vito_pg_link *link, unsigned result, int row)
{
    struct vito_audit_record record = {
        .id = vito_pg_text(link, result, row, 0),
        .tenant_id = vito_pg_text(link, result, row, 1),
        .event = vito_pg_text(link, result, row, 2),
        .session_id = vito_pg_text(link, result, row, 3),
        .at_ms = vito_pg_i64(link, result, row, 4),
        .provider_id = vito_pg_text(link, result, row, 5),
        .decision_id = vito_pg_text(link, result, row, 6),
        .policy_version = vito_pg_text(link, result, row, 7),
        .mode = vito_pg_text(link, result, row, 8),
        .outcome = vito_pg_text(link, result, row, 9),
        .cost_nusd = vito_pg_i64(link, result, row, 10),
        .tokens = vito_pg_i64(link, result, row, 11),
        .media_ms = vito_pg_i64(link, result, row, 12),
        .interactions = vito_pg_i64(link, result, row, 13),
        .details = vito_pg_text(link, result, row, 14),
    };
    record.is_leg = strcmp(record.event, "BILLING_EVENT") == 0;
    record.details_bytes = record.details == NULL ? 0 : strlen(record.details);
    return record;
}

enum vito_pg_outcome
vito_pg_audit_list(struct vito_postgres *database, struct vito_pg_item *item)
{
    enum { CURSOR_COLUMN = 15 };
    const struct vito_audit_query *query = &item->request->query;
    struct vito_pg_arguments arguments = {0};
    struct vito_audit_printer printer;
    uint32_t limit = query->limit < VITO_AUDIT_ENTRIES_MAX ? query->limit : VITO_AUDIT_ENTRIES_MAX;
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_add_i64(&arguments, query->after);
    vito_pg_add_i64(&arguments, (int64_t)limit + 1); /* one more tells that there is more */
    vito_pg_add_text(&arguments, query->session_id);
    unsigned result = vito_pg_send(&database->link, VITO_PG_AUDIT_LIST, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    item->stored.status = limit == 0 ? RT_INVALID : vito_audit_print_begin(&printer, limit);
    if (item->stored.status != RT_OK)
        return outcome;
    for (int i = 0; i < vito_pg_rows(&database->link, result); i++) {
        struct vito_audit_record record = vito_pg_record(&database->link, result, i);
        if (!vito_audit_print(&printer, &record,
                              vito_pg_i64(&database->link, result, i, CURSOR_COLUMN)))
            break;
    }
    item->stored.status = vito_audit_print_end(&printer, &item->document);
    return outcome;
}
