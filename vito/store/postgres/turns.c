/*
 * Turns under an Idempotency-Key. Two gateways may begin the same one at once: the row is one's.
 */
#include "vito/store/postgres/internal.h"

static void
add_digest(struct vito_pg_arguments *arguments, const struct vito_digest *digest)
{
    vito_pg_add_bytes(arguments, digest->bytes, sizeof(digest->bytes));
}

static unsigned
send_find(struct vito_postgres *database, const struct vito_request *request)
{
    const struct vito_turn_key *turn = &request->turn;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, request->tenant_id);
    add_digest(&arguments, &turn->key);
    add_digest(&arguments, &turn->body);
    vito_pg_add_i64(&arguments, turn->at_ms);
    vito_pg_add_i64(&arguments, turn->at_ms - VITO_TURN_RUNNING_MS_MAX);
    return vito_pg_send(&database->link, VITO_PG_TURN_FIND, &arguments);
}

/* What that found. RT_OK, with the document | RT_NOT_FOUND | RT_NO_MEMORY. */
static enum rt_status
read_found(const struct vito_pg_link *link, unsigned result, struct rt_buffer **document_out)
{
    if (vito_pg_rows(link, result) == 0)
        return RT_NOT_FOUND;
    const struct vito_turn_row row = {
        .is_same = vito_pg_i64(link, result, 0, 0) != 0,
        .status = vito_pg_i64(link, result, 0, 1),
        .is_live = vito_pg_i64(link, result, 0, 3) != 0,
        .has_open_legs = vito_pg_i64(link, result, 0, 4) != 0,
        .legs = vito_pg_i64(link, result, 0, 5),
        .cost_nusd = vito_pg_i64(link, result, 0, 6),
    };
    struct vito_turn_found found;
    if (!vito_turn_judge(&row, &found))
        return RT_NOT_FOUND;
    size_t size_bytes = 0;
    const void *bytes = NULL;
    if (found.state == VITO_TURN_DONE)
        bytes = vito_pg_value(link, result, 0, 2, &size_bytes);
    *document_out = vito_turn_found_make(&found, bytes, size_bytes);
    return *document_out == NULL ? RT_NO_MEMORY : RT_OK;
}

enum vito_pg_outcome
vito_pg_turn_find(struct vito_postgres *database, struct vito_pg_item *item)
{
    unsigned result = send_find(database, item->request);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        item->stored.status = read_found(&database->link, result, &item->document);
    return outcome;
}

/* Removes what is over; and, when `former` is one, a turn of that session that came to nothing. */
static void
send_remove(struct vito_postgres *database, const struct vito_request *request, const char *former)
{
    struct vito_pg_arguments arguments = {0}, sweep = {0};
    vito_pg_add_text(&arguments, request->tenant_id);
    add_digest(&arguments, &request->turn.key);
    vito_pg_add_i64(&arguments, request->turn.at_ms);
    vito_pg_add_text(&arguments, former);
    vito_pg_send(&database->link, VITO_PG_TURN_REMOVE, &arguments);
    vito_pg_add_text(&sweep, request->tenant_id);
    vito_pg_add_i64(&sweep, request->turn.at_ms);
    vito_pg_send(&database->link, VITO_PG_TURN_SWEEP, &sweep);
}

static unsigned
send_add(struct vito_postgres *database, const struct vito_request *request)
{
    const struct vito_turn_key *turn = &request->turn;
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_text(&arguments, request->tenant_id);
    add_digest(&arguments, &turn->key);
    add_digest(&arguments, &turn->body);
    vito_pg_add_text(&arguments, turn->session_id);
    vito_pg_add_text(&arguments, database->node);
    vito_pg_add_i64(&arguments, database->epoch);
    vito_pg_add_i64(&arguments, turn->at_ms);
    vito_pg_add_i64(&arguments, turn->expires_ms);
    vito_pg_add_i64(&arguments, turn->kept_max);
    return vito_pg_send(&database->link, VITO_PG_TURN_ADD, &arguments);
}

/* One attempt, with what is in the way and may go removed. `former_out` is the session of a turn
 * that came to nothing, to be removed as well; "" for none. */
static enum vito_pg_outcome
try_to_add(struct vito_postgres *database, struct vito_pg_item *item, char former[VITO_ID_BYTES])
{
    struct vito_pg_link *link = &database->link;
    send_remove(database, item->request, former);
    unsigned added = send_add(database, item->request);
    unsigned found = send_find(database, item->request);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    former[0] = '\0';
    if (outcome != VITO_PG_DONE || vito_pg_changes(link, added) == 1)
        return outcome;
    item->stored.status = RT_FULL;
    if (vito_pg_rows(link, found) == 0)
        return outcome;
    item->stored.status = read_found(link, found, &item->document);
    item->stored.repeated = item->stored.status == RT_OK;
    if (item->stored.status == RT_NOT_FOUND)
        vito_pg_copy(link, found, 0, 7, former, VITO_ID_BYTES);
    return outcome;
}

enum vito_pg_outcome
vito_pg_turn_begin(struct vito_postgres *database, struct vito_pg_item *item)
{
    char former[VITO_ID_BYTES] = "";
    enum vito_pg_outcome outcome = try_to_add(database, item, former);
    if (outcome != VITO_PG_DONE || former[0] == '\0')
        return outcome;
    item->stored.status = RT_OK;
    outcome = try_to_add(database, item, former);
    if (outcome == VITO_PG_DONE && item->stored.status == RT_NOT_FOUND)
        item->stored.status = RT_UNAVAILABLE; /* another one came to nothing meanwhile */
    return outcome;
}

static bool
is_sound(const struct vito_turn_answer *head)
{
    return head->status >= VITO_TURN_GIVE_UP &&
           (head->status <= 0 || (head->status >= 100 && head->status <= 599));
}

enum vito_pg_outcome
vito_pg_turn_end(struct vito_postgres *database, struct vito_pg_item *item)
{
    struct vito_turn_answer head;
    const uint8_t *bytes;
    size_t size_bytes;
    struct vito_pg_arguments arguments = {0};
    if (!vito_turn_answer_read(item->request->document, &head, &bytes, &size_bytes) ||
        !is_sound(&head)) {
        item->stored.status = RT_INVALID;
    } else if (head.status > 0) {
        vito_pg_save_turns(database, item, 1);
    } else {
        vito_pg_add_text(&arguments, item->request->tenant_id);
        add_digest(&arguments, &head.key);
        vito_pg_add_text(&arguments, head.session_id);
        vito_pg_send(&database->link,
                     head.status == VITO_TURN_FORGET ? VITO_PG_TURN_FORGET : VITO_PG_TURN_GIVE_UP,
                     &arguments);
    }
    return vito_pg_exchange(database);
}

void
vito_pg_save_turns(struct vito_postgres *database, const struct vito_pg_item *items, size_t count)
{
    static const enum vito_pg_type types[] = {VITO_PG_TEXT, VITO_PG_BYTEA, VITO_PG_I64,
                                              VITO_PG_BYTEA, VITO_PG_TEXT};
    struct vito_pg_array *columns = database->columns;
    for (size_t i = 0; i < RT_COUNT_OF(types); i++)
        vito_pg_array_begin(&columns[i], types[i]);
    for (size_t i = 0; i < count; i++) {
        const struct vito_request *request = items[i].request;
        struct vito_turn_answer head;
        const uint8_t *bytes;
        size_t size_bytes;
        if ((request->op != VITO_LEG_SETTLE && request->op != VITO_TURN_END) ||
            items[i].stored.status != RT_OK ||
            !vito_turn_answer_read(request->document, &head, &bytes, &size_bytes) ||
            head.status <= 0 || !is_sound(&head))
            continue;
        vito_pg_array_add_text(&columns[0], request->tenant_id);
        vito_pg_array_add_bytes(&columns[1], head.key.bytes, sizeof(head.key.bytes));
        vito_pg_array_add_i64(&columns[2], head.status);
        vito_pg_array_add_bytes(&columns[3], bytes, size_bytes);
        vito_pg_array_add_text(&columns[4], head.session_id);
    }
    if (columns[0].count == 0 && !columns[0].failed)
        return;
    struct vito_pg_arguments arguments = {0};
    for (size_t i = 0; i < RT_COUNT_OF(types); i++)
        vito_pg_add_array(&arguments, &columns[i]);
    vito_pg_send(&database->link, VITO_PG_TURN_KEEP, &arguments);
}
