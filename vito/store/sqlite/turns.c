/*
 * Turns under an Idempotency-Key.
 */
#include "vito/store/sqlite/internal.h"

static struct vito_value
digest(const struct vito_digest *digest)
{
    return vito_blob(digest->bytes, sizeof(digest->bytes));
}

/* What is kept under the key. RT_OK, with the document | RT_NOT_FOUND | RT_NO_MEMORY |
 * RT_UNAVAILABLE. */
static enum rt_status
find(struct vito_sqlite *database, const struct vito_request *request,
     struct rt_buffer **document_out)
{
    const struct vito_turn_key *turn = &request->turn;
    enum rt_status status =
        VITO_QUERY(database, QUERY_TURN_FIND, vito_text(request->tenant_id), digest(&turn->key),
                   digest(&turn->body), vito_i64(turn->at_ms),
                   vito_i64(turn->at_ms - VITO_TURN_RUNNING_MS_MAX), vito_i64(database->epoch));
    if (status != RT_OK)
        return status == RT_EMPTY ? RT_NOT_FOUND : status;
    const struct vito_turn_row row = {
        .is_same = vito_column_i64(database, 0) != 0,
        .status = vito_column_i64(database, 1),
        .is_live = vito_column_i64(database, 3) != 0,
        .has_open_legs = vito_column_i64(database, 4) != 0,
        .legs = vito_column_i64(database, 5),
        .cost_nusd = vito_column_i64(database, 6),
    };
    struct vito_turn_found found;
    if (!vito_turn_judge(&row, &found))
        return RT_NOT_FOUND;
    size_t size_bytes = 0;
    const void *bytes = NULL;
    if (found.state == VITO_TURN_DONE)
        bytes = vito_column_bytes(database, 2, &size_bytes);
    *document_out = vito_turn_found_make(&found, bytes, size_bytes);
    return *document_out == NULL ? RT_NO_MEMORY : RT_OK;
}

enum rt_status
vito_handle_turn_find(struct vito_sqlite *database, const struct vito_request *request,
                      struct vito_answer *answer)
{
    return find(database, request, &answer->document);
}

/* RT_EMPTY: it was added | RT_FULL: the tenant has too many | RT_NOT_FOUND: there is no such
 * tenant. */
static enum rt_status
add(struct vito_sqlite *database, const struct vito_request *request)
{
    const struct vito_turn_key *turn = &request->turn;
    enum rt_status status =
        VITO_QUERY(database, QUERY_TURN_ADD, vito_text(request->tenant_id), digest(&turn->key),
                   digest(&turn->body), vito_text(turn->session_id), vito_text(VITO_NODE),
                   vito_i64(database->epoch), vito_i64(turn->at_ms), vito_i64(turn->expires_ms),
                   vito_i64(turn->kept_max));
    return status == RT_EMPTY && vito_query_changes(database) == 0 ? RT_FULL : status;
}

enum rt_status
vito_handle_turn_begin(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    enum rt_status status = find(database, request, &answer->document);
    answer->stored.repeated = status == RT_OK;
    if (status != RT_NOT_FOUND)
        return status;
    struct vito_value tenant = vito_text(request->tenant_id);
    if (VITO_QUERY(database, QUERY_TURN_REMOVE, tenant, digest(&request->turn.key)) != RT_EMPTY ||
        VITO_QUERY(database, QUERY_TURN_SWEEP, tenant, vito_i64(request->turn.at_ms)) != RT_EMPTY)
        return RT_UNAVAILABLE;
    status = add(database, request);
    return status == RT_EMPTY ? RT_OK : status;
}

enum rt_status
vito_turn_end(struct vito_sqlite *database, const struct vito_request *request)
{
    struct vito_turn_answer head;
    const uint8_t *bytes;
    size_t size_bytes;
    if (!vito_turn_answer_read(request->document, &head, &bytes, &size_bytes) || head.status < -1 ||
        (head.status > 0 && (head.status < 100 || head.status > 599)))
        return RT_INVALID;
    struct vito_value tenant = vito_text(request->tenant_id), key = digest(&head.key);
    struct vito_value session = vito_text(head.session_id);
    enum rt_status status;
    if (head.status == VITO_TURN_FORGET)
        status = VITO_QUERY(database, QUERY_TURN_FORGET, tenant, key, session);
    else if (head.status == VITO_TURN_GIVE_UP)
        status = VITO_QUERY(database, QUERY_TURN_GIVE_UP, tenant, key, session);
    else
        status = VITO_QUERY(database, QUERY_TURN_KEEP, tenant, key, vito_i64(head.status),
                            vito_blob(bytes, size_bytes), session);
    return status == RT_EMPTY ? RT_OK : status;
}

enum rt_status
vito_handle_turn_end(struct vito_sqlite *database, const struct vito_request *request,
                     struct vito_answer *answer)
{
    (void)answer;
    return vito_turn_end(database, request);
}
