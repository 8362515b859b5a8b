/*
 * The audit trail as a whole: exported, signed, and let go of when it is old.
 */
#include <string.h>

#include "vito/audit_json.h"
#include "vito/store/postgres/internal.h"

static void
read_bytes(const struct vito_pg_link *link, unsigned result, int row, int column, uint8_t *out,
           size_t size_bytes)
{
    const void *bytes = vito_pg_bytes(link, result, row, column, size_bytes);
    if (bytes != NULL)
        memcpy(out, bytes, size_bytes);
}

static void
read_head(const struct vito_pg_link *link, unsigned result, int row, struct vito_audit_head *head)
{
    *head = (struct vito_audit_head){.seq = vito_pg_i64(link, result, row, 1),
                                     .checkpoint_seq = vito_pg_i64(link, result, row, 3),
                                     .pruned_seq = vito_pg_i64(link, result, row, 4)};
    vito_pg_copy(link, result, row, 0, head->tenant_id, sizeof(head->tenant_id));
    read_bytes(link, result, row, 2, head->chain.bytes, sizeof(head->chain.bytes));
}

/* Columns behind those of a record. */
enum { SEQ = 15, CHAIN, KIND, KEY, SIGNATURE };

static bool
export_row(const struct vito_pg_link *link, unsigned result, int row,
           struct vito_audit_exporter *exporter)
{
    struct vito_chain chain = {.bytes = {0}};
    int64_t seq = vito_pg_i64(link, result, row, SEQ);
    read_bytes(link, result, row, CHAIN, chain.bytes, sizeof(chain.bytes));
    struct vito_audit_record record = vito_pg_record(link, result, row);
    if (vito_pg_i64(link, result, row, KIND) == 0)
        return vito_audit_export_entry(exporter, &record, seq, &chain);
    struct vito_checkpoint checkpoint = {.seq = seq, .chain = chain, .at_ms = record.at_ms};
    vito_pg_copy(link, result, row, 1, checkpoint.tenant_id, sizeof(checkpoint.tenant_id));
    read_bytes(link, result, row, KEY, checkpoint.key, sizeof(checkpoint.key));
    read_bytes(link, result, row, SIGNATURE, checkpoint.signature, sizeof(checkpoint.signature));
    vito_audit_export_checkpoint(exporter, &checkpoint);
    return true;
}

enum vito_pg_outcome
vito_pg_audit_export(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_pg_link *link = &database->link;
    const struct vito_audit_query *query = &item->request->query;
    uint32_t limit = query->limit < VITO_AUDIT_ENTRIES_MAX ? query->limit : VITO_AUDIT_ENTRIES_MAX;
    struct vito_audit_head head = {.seq = 0};
    struct vito_audit_exporter exporter;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    /* One statement, so that head and rows are of one moment. */
    vito_pg_add_i64(&arguments, query->after);
    vito_pg_add_i64(&arguments, 2 * (int64_t)limit + 2);
    unsigned result = vito_pg_send(&database->link, VITO_PG_TRAIL_EXPORT, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    item->stored.status = limit == 0 ? RT_INVALID : vito_audit_export_begin(&exporter, limit);
    if (item->stored.status != RT_OK)
        return outcome;
    memcpy(head.tenant_id, item->request->tenant_id, sizeof(head.tenant_id));
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        if (vito_pg_i64(link, result, i, KIND) == 2) { /* the first row */
            head.seq = vito_pg_i64(link, result, i, 11);
            head.checkpoint_seq = vito_pg_i64(link, result, i, 12);
            head.pruned_seq = vito_pg_i64(link, result, i, 13);
            read_bytes(link, result, i, CHAIN, head.chain.bytes, sizeof(head.chain.bytes));
        } else if (!export_row(link, result, i, &exporter)) {
            break;
        }
    }
    item->stored.status = vito_audit_export_end(&exporter, &head, &item->document);
    return outcome;
}

enum vito_pg_outcome
vito_pg_audit_heads(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_pg_link *link = &database->link;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->list.after);
    vito_pg_add_i64(&arguments, VITO_AUDIT_HEADS_MAX);
    vito_pg_add_i64(&arguments, item->request->list.all);
    unsigned result = vito_pg_send(&database->link, VITO_PG_TRAIL_HEADS, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    size_t count = (size_t)vito_pg_rows(link, result);
    item->document = rt_buffer_create(count * sizeof(struct vito_audit_head));
    item->stored.status = item->document == NULL ? RT_NO_MEMORY : RT_OK;
    for (size_t i = 0; i < count && item->document != NULL; i++) {
        struct vito_audit_head head;
        read_head(link, result, (int)i, &head);
        memcpy(item->document->bytes + i * sizeof(head), &head, sizeof(head));
    }
    return outcome;
}

enum vito_pg_outcome
vito_pg_audit_checkpoint(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_checkpoint *checkpoint = &item->request->checkpoint;
    struct vito_pg_arguments add = {0}, note = {0};
    vito_pg_add_text(&add, item->request->tenant_id);
    vito_pg_add_i64(&add, checkpoint->seq);
    vito_pg_add_bytes(&add, checkpoint->chain.bytes, sizeof(checkpoint->chain.bytes));
    vito_pg_add_i64(&add, checkpoint->at_ms);
    vito_pg_add_bytes(&add, checkpoint->key, sizeof(checkpoint->key));
    vito_pg_add_bytes(&add, checkpoint->signature, sizeof(checkpoint->signature));
    vito_pg_send(&database->link, VITO_PG_CHECKPOINT_ADD, &add);
    vito_pg_add_text(&note, item->request->tenant_id);
    vito_pg_add_i64(&note, checkpoint->seq);
    vito_pg_add_bytes(&note, checkpoint->chain.bytes, sizeof(checkpoint->chain.bytes));
    unsigned noted = vito_pg_send(&database->link, VITO_PG_CHECKPOINT_NOTE, &note);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE && vito_pg_changes(&database->link, noted) == 0)
        item->stored.status = RT_NOT_FOUND;
    return outcome;
}

/* What may go, up to pruned->through; 0: nothing. The head is locked from here on. */
static enum vito_pg_outcome
find_old(struct vito_postgres *database, const struct vito_request *request,
         struct vito_audit_pruned *pruned)
{
    struct vito_pg_arguments arguments = {0};
    const struct vito_pg_link *link = &database->link;
    vito_pg_add_text(&arguments, request->tenant_id);
    vito_pg_send(&database->link, VITO_PG_PRUNE_LOCK, &arguments);
    vito_pg_add_i64(&arguments, request->prune.before_ms);
    vito_pg_add_i64(&arguments, request->prune.at_ms);
    unsigned found = vito_pg_send(&database->link, VITO_PG_PRUNE_FIND, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    *pruned = (struct vito_audit_pruned){.through = 0};
    if (outcome != VITO_PG_DONE || vito_pg_rows(link, found) == 0)
        return outcome;
    int64_t before_ms = vito_pg_i64(link, found, 0, 1);
    *pruned = (struct vito_audit_pruned){
        .through = vito_pg_i64(link, found, 0, 0),
        .entries = vito_pg_i64(link, found, 0, 2),
        .cost_nusd = vito_pg_i64(link, found, 0, 3),
        .first_ms = vito_pg_i64(link, found, 0, 4),
        .last_ms = vito_pg_i64(link, found, 0, 5),
    };
    if (pruned->last_ms >= before_ms) /* clocks may have been put back */
        pruned->through = 0;
    return outcome;
}

static enum vito_pg_outcome
let_go(struct vito_postgres *database, const struct vito_request *request,
       const struct vito_audit_pruned *pruned)
{
    char details[VITO_AUDIT_PRUNED_BYTES];
    struct vito_audit_event event = {.event = "AUDIT_PRUNED", .at_ms = request->prune.at_ms};
    memcpy(event.id, request->prune.id, sizeof(event.id));
    vito_audit_print_pruned(pruned, details);
    enum vito_pg_outcome outcome =
        vito_pg_append(database, request->tenant_id, &event, details, strlen(details));
    if (outcome != VITO_PG_DONE)
        return outcome;
    struct vito_pg_arguments allow = {0}, checkpoints = {0};
    vito_pg_add_text(&allow, request->tenant_id);
    vito_pg_add_i64(&allow, pruned->through);
    vito_pg_add_i64(&allow, pruned->last_ms);
    vito_pg_send(&database->link, VITO_PG_PRUNE_ALLOW, &allow);
    vito_pg_add_text(&checkpoints, request->tenant_id);
    vito_pg_add_i64(&checkpoints, pruned->through);
    vito_pg_send(&database->link, VITO_PG_PRUNE_CHECKPOINTS, &checkpoints);
    return vito_pg_exchange(database);
}

enum vito_pg_outcome
vito_pg_audit_prune(struct vito_postgres *database, struct vito_pg_item *item)
{
    struct vito_audit_pruned pruned;
    enum vito_pg_outcome outcome = find_old(database, item->request, &pruned);
    if (outcome == VITO_PG_DONE && pruned.through > 0)
        outcome = let_go(database, item->request, &pruned);
    if (outcome != VITO_PG_DONE)
        return outcome;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_add_i64(&arguments, item->request->prune.rows_max);
    unsigned removed = vito_pg_send(&database->link, VITO_PG_PRUNE_ROWS, &arguments);
    outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        item->stored.more =
            vito_pg_changes(&database->link, removed) == item->request->prune.rows_max;
    return outcome;
}
