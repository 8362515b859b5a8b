/*
 * The audit trail as a whole: exported, signed, and let go of when it is old.
 */
#include <string.h>

#include "vito/audit_json.h"
#include "vito/store/sqlite/internal.h"

static void
read_bytes(const struct vito_sqlite *database, int column, uint8_t *out, size_t size_bytes)
{
    const void *bytes = vito_column_blob(database, column, size_bytes);
    if (bytes != NULL)
        memcpy(out, bytes, size_bytes);
}

static struct vito_audit_head
head_of_row(const struct vito_sqlite *database)
{
    struct vito_audit_head head = {.seq = vito_column_i64(database, 1),
                                   .checkpoint_seq = vito_column_i64(database, 3),
                                   .pruned_seq = vito_column_i64(database, 4)};
    vito_column_copy(database, 0, head.tenant_id, sizeof(head.tenant_id));
    read_bytes(database, 2, head.chain.bytes, sizeof(head.chain.bytes));
    return head;
}

static enum rt_status
read_head(struct vito_sqlite *database, const char *tenant_id, struct vito_audit_head *head_out)
{
    *head_out = (struct vito_audit_head){.seq = 0};
    memcpy(head_out->tenant_id, tenant_id, strlen(tenant_id) + 1);
    enum rt_status status = VITO_QUERY(database, QUERY_TRAIL_HEAD, vito_text(tenant_id));
    if (status == RT_OK)
        *head_out = head_of_row(database);
    return status == RT_EMPTY ? RT_OK : status;
}

/* Columns behind those of a record. */
enum { SEQ = 15, CHAIN, KIND, KEY, SIGNATURE };

static bool
export_row(const struct vito_sqlite *database, struct vito_audit_exporter *exporter)
{
    struct vito_chain chain = {.bytes = {0}};
    read_bytes(database, CHAIN, chain.bytes, sizeof(chain.bytes));
    struct vito_audit_record record = vito_audit_record_of_row(database);
    if (vito_column_i64(database, KIND) == 0)
        return vito_audit_export_entry(exporter, &record, vito_column_i64(database, SEQ), &chain);
    struct vito_checkpoint checkpoint = {
        .seq = vito_column_i64(database, SEQ), .chain = chain, .at_ms = record.at_ms};
    memcpy(checkpoint.tenant_id, record.tenant_id, strlen(record.tenant_id) + 1);
    read_bytes(database, KEY, checkpoint.key, sizeof(checkpoint.key));
    read_bytes(database, SIGNATURE, checkpoint.signature, sizeof(checkpoint.signature));
    vito_audit_export_checkpoint(exporter, &checkpoint);
    return true;
}

enum rt_status
vito_handle_audit_export(struct vito_sqlite *database, const struct vito_request *request,
                         struct vito_answer *answer)
{
    const struct vito_audit_query *query = &request->query;
    struct vito_audit_head head;
    struct vito_audit_exporter exporter;
    uint32_t limit = query->limit < VITO_AUDIT_ENTRIES_MAX ? query->limit : VITO_AUDIT_ENTRIES_MAX;
    enum rt_status status = read_head(database, request->tenant_id, &head);
    if (status != RT_OK || limit == 0)
        return status == RT_OK ? RT_INVALID : status;
    if (vito_audit_export_begin(&exporter, limit) != RT_OK)
        return RT_NO_MEMORY;
    bool from_start = query->after <= head.pruned_seq;
    int64_t after = from_start ? head.pruned_seq : query->after;
    /* The checkpoint that it begins at is listed; one at `after` was, with its entry. */
    int64_t checkpoint_from = from_start && query->after < head.pruned_seq ? after : after + 1;
    status =
        VITO_QUERY(database, QUERY_TRAIL_EXPORT, vito_text(request->tenant_id), vito_i64(after),
                   vito_i64(checkpoint_from), vito_i64(2 * (int64_t)limit + 2));
    while (status == RT_OK && export_row(database, &exporter))
        status = vito_query_next(database);
    enum rt_status printed = vito_audit_export_end(&exporter, &head, &answer->document);
    return status == RT_OK || status == RT_EMPTY ? printed : RT_UNAVAILABLE;
}

enum rt_status
vito_handle_audit_heads(struct vito_sqlite *database, const struct vito_request *request,
                        struct vito_answer *answer)
{
    struct rt_buffer *list =
        rt_buffer_create(VITO_AUDIT_HEADS_MAX * sizeof(struct vito_audit_head));
    answer->document = list;
    if (list == NULL)
        return RT_NO_MEMORY;
    list->size_bytes = 0;
    const char *after = *request->list.after == '\0' ? "!" : request->list.after;
    enum rt_status status = VITO_QUERY(database, QUERY_TRAIL_HEADS, vito_text(after),
                                       vito_i64(VITO_AUDIT_HEADS_MAX), vito_i64(request->list.all));
    for (; status == RT_OK; status = vito_query_next(database)) {
        struct vito_audit_head head = head_of_row(database);
        memcpy(list->bytes + list->size_bytes, &head, sizeof(head));
        list->size_bytes += (uint32_t)sizeof(head);
    }
    return status == RT_EMPTY ? RT_OK : status;
}

enum rt_status
vito_handle_audit_checkpoint(struct vito_sqlite *database, const struct vito_request *request,
                             struct vito_answer *answer)
{
    (void)answer;
    const struct vito_checkpoint *checkpoint = &request->checkpoint;
    struct vito_value tenant_id = vito_text(request->tenant_id), seq = vito_i64(checkpoint->seq);
    struct vito_value chain = vito_blob(checkpoint->chain.bytes, sizeof(checkpoint->chain.bytes));
    enum rt_status status =
        VITO_QUERY(database, QUERY_CHECKPOINT_ADD, tenant_id, seq, chain,
                   vito_i64(checkpoint->at_ms), vito_blob(checkpoint->key, sizeof(checkpoint->key)),
                   vito_blob(checkpoint->signature, sizeof(checkpoint->signature)));
    if (status != RT_EMPTY)
        return status;
    if (vito_query_changes(database) == 0)
        return RT_NOT_FOUND;
    status = VITO_QUERY(database, QUERY_CHECKPOINT_NOTE, tenant_id, seq, chain);
    return status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

/* What may go. RT_OK: something, up to pruned->through | RT_EMPTY: nothing | RT_UNAVAILABLE. */
static enum rt_status
find_old(struct vito_sqlite *database, const struct vito_request *request,
         struct vito_audit_pruned *pruned)
{
    struct vito_value tenant_id = vito_text(request->tenant_id);
    enum rt_status status =
        VITO_QUERY(database, QUERY_PRUNE_FIND, tenant_id, vito_i64(request->prune.before_ms),
                   vito_i64(request->prune.at_ms));
    if (status != RT_OK)
        return status == RT_EMPTY ? status : RT_UNAVAILABLE;
    int64_t through = vito_column_i64(database, 0), before_ms = vito_column_i64(database, 1);
    if (VITO_QUERY(database, QUERY_PRUNE_MEASURE, tenant_id, vito_i64(through)) != RT_OK)
        return RT_UNAVAILABLE;
    *pruned = (struct vito_audit_pruned){
        .through = through,
        .entries = vito_column_i64(database, 0),
        .cost_nusd = vito_column_i64(database, 1),
        .first_ms = vito_column_i64(database, 2),
        .last_ms = vito_column_i64(database, 3),
    };
    return pruned->last_ms < before_ms ? RT_OK : RT_EMPTY; /* clocks may have been put back */
}

static enum rt_status
let_go(struct vito_sqlite *database, const struct vito_request *request,
       const struct vito_audit_pruned *pruned)
{
    char details[VITO_AUDIT_PRUNED_BYTES];
    struct vito_value tenant_id = vito_text(request->tenant_id);
    vito_audit_print_pruned(pruned, details);
    const struct vito_audit_record record = {
        .id = request->prune.id,
        .tenant_id = request->tenant_id,
        .event = "AUDIT_PRUNED",
        .at_ms = request->prune.at_ms,
        .details = details,
        .details_bytes = strlen(details),
    };
    if (vito_audit_add(database, &record) != RT_EMPTY ||
        VITO_QUERY(database, QUERY_PRUNE_ALLOW, tenant_id, vito_i64(pruned->through),
                   vito_i64(pruned->last_ms)) != RT_EMPTY ||
        VITO_QUERY(database, QUERY_PRUNE_CHECKPOINTS, tenant_id, vito_i64(pruned->through)) !=
            RT_EMPTY)
        return RT_UNAVAILABLE;
    return RT_OK;
}

enum rt_status
vito_handle_audit_prune(struct vito_sqlite *database, const struct vito_request *request,
                        struct vito_answer *answer)
{
    struct vito_audit_pruned pruned;
    enum rt_status status = find_old(database, request, &pruned);
    if (status == RT_OK)
        status = let_go(database, request, &pruned);
    if (status != RT_OK && status != RT_EMPTY)
        return RT_UNAVAILABLE;
    if (VITO_QUERY(database, QUERY_PRUNE_ROWS, vito_text(request->tenant_id),
                   vito_i64(request->prune.rows_max)) != RT_EMPTY)
        return RT_UNAVAILABLE;
    answer->stored.more = vito_query_changes(database) == request->prune.rows_max;
    return RT_OK;
}
