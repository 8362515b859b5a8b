/*
 * What a batch is about: read, locked, and laid out.
 */
#include <string.h>

#include "vito/store/postgres/internal.h"

static bool
is_about_leg(const struct vito_request *request)
{
    return request->op == VITO_LEG_OPEN || request->op == VITO_LEG_EXTEND ||
           request->op == VITO_LEG_SETTLE;
}

static bool
is_sound(const struct vito_request *request)
{
    return vito_tenant_id_is_valid(request->tenant_id);
}

static bool
is_about_trail(const struct vito_request *request)
{
    return request->op == VITO_LEG_SETTLE || request->op == VITO_AUDIT_APPEND;
}

bool
vito_pg_is_new(struct vito_pg_seen *seen, const struct vito_request *request)
{
    uint64_t hash = rt_hash_text(request->tenant_id) ^ (uint64_t)request->period_start_ms;
    const struct vito_request **at = &seen->at[hash % VITO_PG_SEEN];
    bool is_new = *at == NULL || (*at)->period_start_ms != request->period_start_ms ||
                  strcmp((*at)->tenant_id, request->tenant_id) != 0;
    *at = request;
    return is_new;
}

/* The months and grants to be looked for: four columns of keys. */
enum { KEY_TENANTS, KEY_STARTS, KEY_NODES, KEY_EPOCHS };

static void
begin_keys(struct vito_postgres *database)
{
    vito_pg_array_begin(&database->keys[KEY_TENANTS], VITO_PG_TEXT);
    vito_pg_array_begin(&database->keys[KEY_STARTS], VITO_PG_I64);
    vito_pg_array_begin(&database->keys[KEY_NODES], VITO_PG_TEXT);
    vito_pg_array_begin(&database->keys[KEY_EPOCHS], VITO_PG_I64);
}

static void
add_key(struct vito_postgres *database, const char *tenant_id, int64_t period_start_ms,
        const char *node, int64_t epoch)
{
    vito_pg_array_add_text(&database->keys[KEY_TENANTS], tenant_id);
    vito_pg_array_add_i64(&database->keys[KEY_STARTS], period_start_ms);
    vito_pg_array_add_text(&database->keys[KEY_NODES], node);
    vito_pg_array_add_i64(&database->keys[KEY_EPOCHS], epoch);
}

/* Asks for the months, which are locked, and the grants. Two results. */
static void
send_keys(struct vito_postgres *database)
{
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_array(&arguments, &database->keys[KEY_TENANTS]);
    vito_pg_add_array(&arguments, &database->keys[KEY_STARTS]);
    vito_pg_send(&database->link, VITO_PG_LOAD_BUDGETS, &arguments);
    vito_pg_add_array(&arguments, &database->keys[KEY_NODES]);
    vito_pg_add_array(&arguments, &database->keys[KEY_EPOCHS]);
    vito_pg_send(&database->link, VITO_PG_LOAD_GRANTS, &arguments);
}

static void
send_months(struct vito_postgres *database, const struct vito_pg_item *items, size_t count)
{
    struct vito_pg_seen seen = {{NULL}};
    begin_keys(database);
    for (size_t i = 0; i < count; i++) {
        const struct vito_request *request = items[i].request;
        if (!is_sound(request) || request->op == VITO_AUDIT_APPEND ||
            !vito_pg_is_new(&seen, request))
            continue;
        add_key(database, request->tenant_id, request->period_start_ms, database->node,
                database->epoch);
    }
    send_keys(database);
}

static void
send_legs(struct vito_postgres *database, const struct vito_pg_item *items, size_t count)
{
    struct vito_pg_array *tenants = &database->keys[0], *ids = &database->keys[1];
    vito_pg_array_begin(tenants, VITO_PG_TEXT);
    vito_pg_array_begin(ids, VITO_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        if (!is_sound(items[i].request) || !is_about_leg(items[i].request))
            continue;
        vito_pg_array_add_text(tenants, items[i].request->tenant_id);
        vito_pg_array_add_text(ids, items[i].request->leg.id);
    }
    struct vito_pg_arguments arguments = {0};
    vito_pg_add_array(&arguments, tenants);
    vito_pg_add_array(&arguments, ids);
    vito_pg_send(&database->link, VITO_PG_LOAD_LEGS, &arguments);
}

static void
send_trail(struct vito_postgres *database, const struct vito_pg_item *items, size_t count)
{
    struct vito_pg_array *tenants = &database->keys[0], *ids = &database->keys[1],
                         *owners = &database->keys[2];
    vito_pg_array_begin(tenants, VITO_PG_TEXT);
    vito_pg_array_begin(ids, VITO_PG_TEXT);
    vito_pg_array_begin(owners, VITO_PG_TEXT);
    struct vito_pg_seen seen = {{NULL}};
    for (size_t i = 0; i < count; i++) {
        const struct vito_request *request = items[i].request;
        if (!is_sound(request))
            continue;
        if (is_about_trail(request) && vito_pg_is_new(&seen, request))
            vito_pg_array_add_text(tenants, request->tenant_id);
        if (request->op != VITO_AUDIT_APPEND)
            continue;
        vito_pg_array_add_text(owners, request->tenant_id);
        vito_pg_array_add_text(ids, request->audit.id);
    }
    struct vito_pg_arguments heads = {0}, events = {0};
    vito_pg_add_array(&heads, tenants);
    vito_pg_send(&database->link, VITO_PG_LOAD_HEADS, &heads);
    vito_pg_add_array(&events, owners);
    vito_pg_add_array(&events, ids);
    vito_pg_send(&database->link, VITO_PG_LOAD_EVENTS, &events);
}

struct vito_budget
vito_pg_figures(const struct vito_pg_link *link, unsigned result, int row)
{
    return (struct vito_budget){
        .limit_nusd = vito_pg_i64(link, result, row, 0),
        .posted_nusd = vito_pg_i64(link, result, row, 1),
        .reserved_nusd = vito_pg_i64(link, result, row, 2),
        .tokens = vito_pg_i64(link, result, row, 3),
        .interactions = vito_pg_i64(link, result, row, 4),
        .media_ms = {[VITO_TEXT] = vito_pg_i64(link, result, row, 5),
                     [VITO_VOICE] = vito_pg_i64(link, result, row, 6),
                     [VITO_VIDEO] = vito_pg_i64(link, result, row, 7)},
    };
}

static bool
take_months(struct vito_postgres *database, unsigned result)
{
    const struct vito_pg_link *link = &database->link;
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_pg_month month = {
            .figures = vito_pg_figures(link, result, i),
            .period_start_ms = vito_pg_i64(link, result, i, 9),
            .excess_nusd = vito_pg_i64(link, result, i, 10),
        };
        vito_pg_copy(link, result, i, 8, month.tenant_id, sizeof(month.tenant_id));
        if (vito_books_month(&database->books, month.tenant_id, month.period_start_ms) == NULL &&
            vito_books_add_month(&database->books, &month) == NULL)
            return false;
    }
    return true;
}

static bool
take_grants(struct vito_postgres *database, unsigned result)
{
    const struct vito_pg_link *link = &database->link;
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_pg_grant grant = {
            .period_start_ms = vito_pg_i64(link, result, i, 1),
            .epoch = vito_pg_i64(link, result, i, 3),
            .left_nusd = vito_pg_i64(link, result, i, 4),
            .granted_nusd = vito_pg_i64(link, result, i, 5),
        };
        vito_pg_copy(link, result, i, 0, grant.tenant_id, sizeof(grant.tenant_id));
        vito_pg_copy(link, result, i, 2, grant.node, sizeof(grant.node));
        if (vito_books_grant(&database->books, &grant) == NULL &&
            vito_books_add_grant(&database->books, &grant) == NULL)
            return false;
    }
    return true;
}

static bool
take_legs(struct vito_postgres *database, unsigned result)
{
    const struct vito_pg_link *link = &database->link;
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_pg_leg leg = {
            .settled = strcmp(vito_pg_text(link, result, i, 2), "settled") == 0,
            .period_start_ms = vito_pg_i64(link, result, i, 3),
            .epoch = vito_pg_i64(link, result, i, 5),
            .row = {.mode = vito_mode_of(vito_pg_text(link, result, i, 10)),
                    .held_nusd = vito_pg_i64(link, result, i, 11),
                    .cost_nusd = vito_pg_i64(link, result, i, 13)},
            .adopted = vito_pg_i64(link, result, i, 12) != 0,
        };
        struct vito_leg *row = &leg.row;
        const void *place = vito_pg_bytes(link, result, i, 14, sizeof(leg.place));
        if (place == NULL)
            return false;
        memcpy(leg.place, place, sizeof(leg.place));
        vito_pg_copy(link, result, i, 0, leg.tenant_id, sizeof(leg.tenant_id));
        vito_pg_copy(link, result, i, 1, row->id, sizeof(row->id));
        vito_pg_copy(link, result, i, 4, leg.node, sizeof(leg.node));
        vito_pg_copy(link, result, i, 6, row->session_id, sizeof(row->session_id));
        vito_pg_copy(link, result, i, 7, row->provider_id, sizeof(row->provider_id));
        vito_pg_copy(link, result, i, 8, row->decision_id, sizeof(row->decision_id));
        vito_pg_copy(link, result, i, 9, row->policy_version, sizeof(row->policy_version));
        /* A request that is there twice finds its leg twice. */
        if (vito_books_leg(&database->books, leg.tenant_id, row->id) == NULL &&
            vito_books_add_leg(&database->books, &leg) == NULL)
            return false;
    }
    return true;
}

static bool
take_heads(struct vito_postgres *database, unsigned result)
{
    const struct vito_pg_link *link = &database->link;
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_pg_head head = {.seq = vito_pg_i64(link, result, i, 1)};
        const void *chain = vito_pg_bytes(link, result, i, 2, sizeof(head.chain.bytes));
        vito_pg_copy(link, result, i, 0, head.tenant_id, sizeof(head.tenant_id));
        if (chain == NULL)
            return false;
        memcpy(head.chain.bytes, chain, sizeof(head.chain.bytes));
        if (vito_books_head(&database->books, head.tenant_id) == NULL &&
            vito_books_add_head(&database->books, &head) == NULL)
            return false;
    }
    return true;
}

static bool
take_events(struct vito_postgres *database, unsigned result)
{
    const struct vito_pg_link *link = &database->link;
    for (int i = 0; i < vito_pg_rows(link, result); i++) {
        struct vito_pg_event event = {0};
        vito_pg_copy(link, result, i, 0, event.tenant_id, sizeof(event.tenant_id));
        vito_pg_copy(link, result, i, 1, event.id, sizeof(event.id));
        if (vito_books_event(&database->books, event.tenant_id, event.id) == NULL &&
            vito_books_add_event(&database->books, &event) == NULL)
            return false;
    }
    return true;
}

/* What the first reading did not find. */
struct missing {
    bool months, heads;
    unsigned first; /* result */
};

/* A leg can be of another month than its request says, or of a grant that is not this life's. Asks
 * for what is not there yet; false when nothing is missing. */
static bool
send_missing_months(struct vito_postgres *database)
{
    const struct vito_pg_leg *legs = database->books.legs.rows;
    begin_keys(database);
    for (size_t i = 0; i < database->books.legs.count; i++) {
        const struct vito_pg_leg *leg = &legs[i];
        bool is_ours = leg->epoch == database->epoch && strcmp(leg->node, database->node) == 0;
        if (!is_ours ||
            vito_books_month(&database->books, leg->tenant_id, leg->period_start_ms) == NULL)
            add_key(database, leg->tenant_id, leg->period_start_ms, leg->node, leg->epoch);
    }
    if (database->keys[KEY_TENANTS].count == 0)
        return false;
    send_keys(database);
    return true;
}

/* Begins the trails of tenants that have none; false when there are none such. */
static bool
send_missing_heads(struct vito_postgres *database, const struct vito_pg_item *items, size_t count)
{
    struct vito_pg_array *tenants = &database->keys[0];
    struct vito_pg_seen seen = {{NULL}};
    vito_pg_array_begin(tenants, VITO_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        const struct vito_request *request = items[i].request;
        if (is_sound(request) && is_about_trail(request) && vito_pg_is_new(&seen, request) &&
            vito_books_head(&database->books, request->tenant_id) == NULL)
            vito_pg_array_add_text(tenants, request->tenant_id);
    }
    if (tenants->count == 0)
        return false;
    struct vito_pg_arguments heads = {0};
    vito_pg_add_array(&heads, tenants);
    vito_pg_send(&database->link, VITO_PG_MAKE_HEADS, &heads);
    vito_pg_send(&database->link, VITO_PG_LOAD_HEADS, &heads);
    return true;
}

static bool
take_missing(struct vito_postgres *database, const struct missing *missing)
{
    unsigned first = missing->first;
    if (missing->months && !(take_months(database, first) && take_grants(database, first + 1)))
        return false;
    return !missing->heads || take_heads(database, first + (missing->months ? 3 : 1));
}

enum vito_pg_outcome
vito_pg_load(struct vito_postgres *database, const struct vito_pg_item *items, size_t count)
{
    vito_books_clear(&database->books);
    unsigned first = database->link.sent;
    send_months(database, items, count);
    send_legs(database, items, count);
    send_trail(database, items, count);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    if (!take_months(database, first) || !take_grants(database, first + 1) ||
        !take_legs(database, first + 2) || !take_heads(database, first + 3) ||
        !take_events(database, first + 4))
        return VITO_PG_LOST;
    struct missing missing = {.first = database->link.sent};
    missing.months = send_missing_months(database);
    missing.heads = send_missing_heads(database, items, count);
    if (!missing.months && !missing.heads)
        return VITO_PG_DONE;
    outcome = vito_pg_exchange(database);
    if (outcome != VITO_PG_DONE)
        return outcome;
    return take_missing(database, &missing) ? VITO_PG_DONE : VITO_PG_LOST;
}
