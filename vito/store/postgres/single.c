/*
 * Requests that are carried out one by one: what an operator changes, what is listed, and months.
 */
#include <string.h>

#include "vito/store/postgres/internal.h"
#include "vito/store/settlement.h"

bool
vito_pg_is_reading(enum vito_op op)
{
    return op == VITO_TENANT_GET || op == VITO_TENANT_LIST || op == VITO_KEY_LIST ||
           op == VITO_LEG_LIST || op == VITO_LEG_LIST_ADOPTED || op == VITO_MEMORY_GET ||
           op == VITO_AUDIT_LIST || op == VITO_AUDIT_EXPORT || op == VITO_AUDIT_HEADS ||
           op == VITO_VAULT_LIST || op == VITO_TURN_FIND;
}

/* A statement that is to change one row. */
static enum vito_pg_outcome
change(struct vito_postgres *database, enum vito_pg_statement statement,
       const struct vito_pg_arguments *arguments, struct vito_pg_item *item)
{
    unsigned result = vito_pg_send(&database->link, statement, arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        item->stored.status = vito_pg_changes(&database->link, result) > 0 ? RT_OK : RT_NOT_FOUND;
    return outcome;
}

/* A statement that is to find one document. */
static enum vito_pg_outcome
find(struct vito_postgres *database, enum vito_pg_statement statement, struct vito_pg_item *item)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    unsigned result = vito_pg_send(&database->link, statement, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        item->stored.status = vito_pg_rows(&database->link, result) == 0
                                  ? RT_NOT_FOUND
                                  : vito_pg_buffer(&database->link, result, 0, 0, &item->document);
    return outcome;
}

static void
add_document(struct vito_pg_arguments *arguments, const struct rt_buffer *document)
{
    vito_pg_add_bytes(arguments, document == NULL ? NULL : document->bytes,
                      document == NULL ? 0 : document->size_bytes);
}

static enum vito_pg_outcome
put_tenant(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_request *request = item->request;
    struct vito_pg_arguments arguments = {0};
    if (!vito_tenant_id_is_valid(request->tenant_id)) {
        item->stored.status = RT_INVALID;
        return vito_pg_exchange(database);
    }
    vito_pg_add_text(&arguments, request->tenant_id);
    add_document(&arguments, request->document);
    unsigned put = vito_pg_send(&database->link, VITO_PG_TENANT_PUT, &arguments);
    vito_pg_add_i64(&arguments, request->at_ms);
    vito_pg_send(&database->link, VITO_PG_POLICY_CONFIG_ADD, &arguments);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        item->stored.created = vito_pg_i64(&database->link, put, 0, 0) != 0;
    vito_pg_tell(database, VITO_NEWS_TENANT, request->tenant_id);
    return outcome;
}

static enum vito_pg_outcome
remove_tenant(struct vito_postgres *database, struct vito_pg_item *item)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_tell(database, VITO_NEWS_TENANT, item->request->tenant_id);
    vito_pg_tell(database, VITO_NEWS_KEYS, item->request->tenant_id);
    return change(database, VITO_PG_TENANT_REMOVE, &arguments, item);
}

static enum vito_pg_outcome
put_memory(struct vito_postgres *database, struct vito_pg_item *item)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->tenant_id);
    add_document(&arguments, item->request->document);
    return change(database, VITO_PG_MEMORY_PUT, &arguments, item);
}

static enum vito_pg_outcome
add_key(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_key *key = &item->request->key;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, key->id);
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_add_bytes(&arguments, key->digest.bytes, sizeof(key->digest.bytes));
    vito_pg_add_i64(&arguments, key->created_ms);
    vito_pg_tell(database, VITO_NEWS_KEYS, item->request->tenant_id);
    return change(database, VITO_PG_KEY_ADD, &arguments, item);
}

static enum vito_pg_outcome
rotate_key(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_key_rotation *rotation = &item->request->rotation;
    const struct vito_key *key = &rotation->key;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, key->id);
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_add_bytes(&arguments, key->digest.bytes, sizeof(key->digest.bytes));
    vito_pg_add_i64(&arguments, key->created_ms);
    vito_pg_add_text(&arguments, rotation->replaces);
    vito_pg_add_i64(&arguments, rotation->replaced_until_ms);
    vito_pg_tell(database, VITO_NEWS_KEYS, item->request->tenant_id);
    return change(database, VITO_PG_KEY_ROTATE, &arguments, item);
}

static enum vito_pg_outcome
remove_key(struct vito_postgres *database, struct vito_pg_item *item)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, item->request->key.id);
    vito_pg_add_text(&arguments, item->request->tenant_id);
    vito_pg_tell(database, VITO_NEWS_KEYS, item->request->tenant_id);
    return change(database, VITO_PG_KEY_REMOVE, &arguments, item);
}

static enum vito_pg_outcome
note_ref(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct vito_request *request = item->request;
    struct vito_pg_arguments arguments = {0};
    if (!vito_vendor_ref_is_valid(request->document)) {
        item->stored.status = RT_INVALID;
        return vito_pg_exchange(database);
    }
    vito_pg_add_text(&arguments, request->tenant_id);
    vito_pg_add_text(&arguments, request->leg.id);
    add_document(&arguments, request->document);
    return change(database, VITO_PG_LEG_REF, &arguments, item);
}

enum vito_pg_outcome
vito_pg_append(struct vito_postgres *database, const char *tenant_id,
               const struct vito_audit_event *event, const char *details, size_t details_bytes)
{
    struct vito_request request = {.op = VITO_AUDIT_APPEND, .audit = *event};
    memcpy(request.tenant_id, tenant_id, strlen(tenant_id) + 1);
    if (details != NULL && (request.document = rt_buffer_copy(details, details_bytes)) == NULL)
        return vito_pg_fail(&database->link, "53200", "out of memory");
    struct vito_pg_item item = {.request = &request, .stored = {.op = request.op}};
    enum vito_pg_outcome outcome = vito_pg_run(database, &item, 1, false);
    rt_buffer_release(request.document);
    if (outcome == VITO_PG_DONE && item.stored.status != RT_OK)
        return vito_pg_fail(&database->link, "53000", "an audit record was not taken");
    return outcome;
}

static enum vito_pg_outcome
carry_out(struct vito_postgres *database, struct vito_pg_item *item)
{
    switch (item->request->op) {
    case VITO_TENANT_PUT:
        return put_tenant(database, item);
    case VITO_TENANT_GET:
        return find(database, VITO_PG_TENANT_GET, item);
    case VITO_TENANT_LIST:
        return vito_pg_tenant_list(database, item);
    case VITO_TENANT_REMOVE:
        return remove_tenant(database, item);
    case VITO_KEY_ADD:
        return add_key(database, item);
    case VITO_KEY_LIST:
        return vito_pg_key_list(database, item);
    case VITO_LEG_LIST_ADOPTED:
        return vito_pg_leg_list_adopted(database, item);
    case VITO_LEG_REF:
        return note_ref(database, item);
    case VITO_LEG_LIST:
        return vito_pg_leg_list(database, item);
    case VITO_KEY_ROTATE:
        return rotate_key(database, item);
    case VITO_KEY_REMOVE:
        return remove_key(database, item);
    case VITO_BUDGET_OPEN:
        return vito_pg_budget_open(database, item);
    case VITO_BUDGET_RETURN:
        return vito_pg_budget_return(database, item);
    case VITO_AUDIT_LIST:
        return vito_pg_audit_list(database, item);
    case VITO_AUDIT_EXPORT:
        return vito_pg_audit_export(database, item);
    case VITO_AUDIT_HEADS:
        return vito_pg_audit_heads(database, item);
    case VITO_AUDIT_CHECKPOINT:
        return vito_pg_audit_checkpoint(database, item);
    case VITO_AUDIT_PRUNE:
        return vito_pg_audit_prune(database, item);
    case VITO_TURN_FIND:
        return vito_pg_turn_find(database, item);
    case VITO_TURN_BEGIN:
        return vito_pg_turn_begin(database, item);
    case VITO_TURN_END:
        return vito_pg_turn_end(database, item);
    case VITO_REFUND:
        return vito_pg_refund(database, item);
    case VITO_MEMORY_PUT:
        return put_memory(database, item);
    case VITO_MEMORY_GET:
        return find(database, VITO_PG_MEMORY_GET, item);
    case VITO_VAULT_LIST:
        return vito_pg_vault_list(database, item);
    case VITO_VAULT_WRITE:
        return vito_pg_vault_write(database, item);
    default:
        item->stored.status = RT_INVALID;
        return vito_pg_exchange(database);
    }
}

enum vito_pg_outcome
vito_pg_run_single(struct vito_postgres *database, struct vito_pg_item *item)
{
    const struct rt_buffer *buffer = item->request->note;
    item->stored = (struct vito_stored){.op = item->request->op, .status = RT_OK};
    enum vito_pg_outcome outcome = carry_out(database, item);
    if (outcome != VITO_PG_DONE || buffer == NULL || item->stored.status != RT_OK ||
        item->stored.repeated)
        return outcome;
    const struct vito_audit_note *note = (const void *)buffer->bytes;
    return vito_pg_append(database, item->request->tenant_id, &note->event, note->details,
                          note->details_bytes);
}
