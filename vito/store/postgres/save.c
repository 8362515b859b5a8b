/*
 * What a batch changed, written in groups: one statement a table.
 */
#include "vito/store/postgres/internal.h"

static void
begin_columns(struct vito_postgres *database, const enum vito_pg_type *types, int count)
{
    for (int i = 0; i < count; i++)
        vito_pg_array_begin(&database->columns[i], types[i]);
}

/* Queues the statement, unless there is nothing to write. */
static void
send_columns(struct vito_postgres *database, enum vito_pg_statement statement, int count,
             bool with_node)
{
    if (database->columns[0].count == 0 && !database->columns[0].failed)
        return;
    struct vito_pg_arguments arguments = {0};
    for (int i = 0; i < count; i++)
        vito_pg_add_array(&arguments, &database->columns[i]);
    if (with_node) {
        vito_pg_add_text(&arguments, database->node);
        vito_pg_add_i64(&arguments, database->epoch);
    }
    vito_pg_send(&database->link, statement, &arguments);
}

static void
save_months(struct vito_postgres *database)
{
    static const enum vito_pg_type types[] = {VITO_PG_TEXT, VITO_PG_I64, VITO_PG_I64, VITO_PG_I64,
                                              VITO_PG_I64,  VITO_PG_I64, VITO_PG_I64, VITO_PG_I64,
                                              VITO_PG_I64,  VITO_PG_I64};
    struct vito_pg_array *columns = database->columns;
    const struct vito_pg_month *months = database->books.months.rows;
    begin_columns(database, types, RT_COUNT_OF(types));
    for (size_t i = 0; i < database->books.months.count; i++) {
        const struct vito_budget *figures = &months[i].figures;
        if (!months[i].changed)
            continue;
        vito_pg_array_add_text(&columns[0], months[i].tenant_id);
        vito_pg_array_add_i64(&columns[1], months[i].period_start_ms);
        vito_pg_array_add_i64(&columns[2], figures->posted_nusd);
        vito_pg_array_add_i64(&columns[3], figures->reserved_nusd);
        vito_pg_array_add_i64(&columns[4], months[i].excess_nusd);
        vito_pg_array_add_i64(&columns[5], figures->tokens);
        vito_pg_array_add_i64(&columns[6], figures->interactions);
        vito_pg_array_add_i64(&columns[7], figures->media_ms[VITO_TEXT]);
        vito_pg_array_add_i64(&columns[8], figures->media_ms[VITO_VOICE]);
        vito_pg_array_add_i64(&columns[9], figures->media_ms[VITO_VIDEO]);
    }
    send_columns(database, VITO_PG_SAVE_BUDGETS, RT_COUNT_OF(types), false);
}

/* Those that are new, or those that are there. */
static void
save_grants(struct vito_postgres *database, bool added)
{
    static const enum vito_pg_type types[] = {VITO_PG_TEXT, VITO_PG_I64, VITO_PG_TEXT,
                                              VITO_PG_I64,  VITO_PG_I64, VITO_PG_I64};
    struct vito_pg_array *columns = database->columns;
    const struct vito_pg_grant *grants = database->books.grants.rows;
    begin_columns(database, types, RT_COUNT_OF(types));
    for (size_t i = 0; i < database->books.grants.count; i++) {
        if (!grants[i].changed || grants[i].added != added)
            continue;
        vito_pg_array_add_text(&columns[0], grants[i].tenant_id);
        vito_pg_array_add_i64(&columns[1], grants[i].period_start_ms);
        vito_pg_array_add_text(&columns[2], grants[i].node);
        vito_pg_array_add_i64(&columns[3], grants[i].epoch);
        vito_pg_array_add_i64(&columns[4], grants[i].left_nusd);
        vito_pg_array_add_i64(&columns[5], grants[i].granted_nusd);
    }
    send_columns(database, added ? VITO_PG_ADD_GRANTS : VITO_PG_SAVE_GRANTS, RT_COUNT_OF(types),
                 false);
}

/* What a settlement adds to a leg; nulls while it is open. Seven columns. */
static void
add_settlement(struct vito_pg_array *columns, const struct vito_pg_leg *leg)
{
    if (!leg->settled) {
        for (int i = 0; i < 7; i++)
            vito_pg_array_add_null(&columns[i]);
        return;
    }
    vito_pg_array_add_i64(&columns[0], leg->row.at_ms);
    vito_pg_array_add_text(&columns[1], leg->row.outcome);
    vito_pg_array_add_i64(&columns[2], leg->row.cost_nusd);
    vito_pg_array_add_i64(&columns[3], leg->overrun_nusd);
    vito_pg_array_add_i64(&columns[4], leg->row.use.tokens);
    vito_pg_array_add_i64(&columns[5], leg->row.use.media_ms);
    vito_pg_array_add_i64(&columns[6], leg->row.use.interactions);
}

static void
add_legs(struct vito_postgres *database)
{
    static const enum vito_pg_type types[] = {
        VITO_PG_TEXT, VITO_PG_TEXT, VITO_PG_I64, VITO_PG_TEXT, VITO_PG_TEXT, VITO_PG_TEXT,
        VITO_PG_TEXT, VITO_PG_TEXT, VITO_PG_I64, VITO_PG_I64,  VITO_PG_I64,  VITO_PG_TEXT,
        VITO_PG_I64,  VITO_PG_I64,  VITO_PG_I64, VITO_PG_I64,  VITO_PG_I64};
    struct vito_pg_array *columns = database->columns;
    const struct vito_pg_leg *legs = database->books.legs.rows;
    begin_columns(database, types, RT_COUNT_OF(types));
    for (size_t i = 0; i < database->books.legs.count; i++) {
        const struct vito_leg *row = &legs[i].row;
        if (!legs[i].added)
            continue;
        vito_pg_array_add_text(&columns[0], legs[i].tenant_id);
        vito_pg_array_add_text(&columns[1], row->id);
        vito_pg_array_add_i64(&columns[2], legs[i].period_start_ms);
        vito_pg_array_add_text(&columns[3], row->session_id);
        vito_pg_array_add_text(&columns[4], row->provider_id);
        vito_pg_array_add_text(&columns[5], row->decision_id);
        vito_pg_array_add_text(&columns[6], row->policy_version);
        vito_pg_array_add_text(&columns[7], vito_mode_name(row->mode));
        vito_pg_array_add_i64(&columns[8], row->held_nusd);
        vito_pg_array_add_i64(&columns[9], legs[i].opened_ms);
        add_settlement(&columns[10], &legs[i]);
    }
    send_columns(database, VITO_PG_ADD_LEGS, RT_COUNT_OF(types), true);
}

static void
save_legs(struct vito_postgres *database)
{
    static const enum vito_pg_type types[] = {VITO_PG_TID,  VITO_PG_TEXT, VITO_PG_I64, VITO_PG_I64,
                                              VITO_PG_TEXT, VITO_PG_I64,  VITO_PG_I64, VITO_PG_I64,
                                              VITO_PG_I64,  VITO_PG_I64};
    struct vito_pg_array *columns = database->columns;
    const struct vito_pg_leg *legs = database->books.legs.rows;
    begin_columns(database, types, RT_COUNT_OF(types));
    for (size_t i = 0; i < database->books.legs.count; i++) {
        if (legs[i].added || !legs[i].changed)
            continue;
        vito_pg_array_add_bytes(&columns[0], legs[i].place, sizeof(legs[i].place));
        vito_pg_array_add_text(&columns[1], legs[i].row.id);
        vito_pg_array_add_i64(&columns[2], legs[i].row.held_nusd);
        add_settlement(&columns[3], &legs[i]);
    }
    send_columns(database, VITO_PG_SAVE_LEGS, RT_COUNT_OF(types), false);
}

/* A number that only legs have. */
static void
add_of_leg(struct vito_pg_array *column, const struct vito_audit_record *record, int64_t number)
{
    if (record->is_leg)
        vito_pg_array_add_i64(column, number);
    else
        vito_pg_array_add_null(column);
}

static void
add_record(struct vito_pg_array *columns, const struct vito_pg_event *event)
{
    const struct vito_audit_record *record = &event->record;
    vito_pg_array_add_text(&columns[0], event->tenant_id);
    vito_pg_array_add_i64(&columns[1], event->seq);
    vito_pg_array_add_text(&columns[2], event->id);
    vito_pg_array_add_i64(&columns[3], record->at_ms);
    vito_pg_array_add_text(&columns[4], record->event);
    vito_pg_array_add_text(&columns[5], record->session_id);
    vito_pg_array_add_text(&columns[6], record->provider_id);
    add_of_leg(&columns[7], record, record->cost_nusd);
    add_of_leg(&columns[8], record, record->tokens);
    add_of_leg(&columns[9], record, record->media_ms);
    add_of_leg(&columns[10], record, record->interactions);
    vito_pg_array_add_text(&columns[11], record->decision_id);
    vito_pg_array_add_text(&columns[12], record->policy_version);
    vito_pg_array_add_text(&columns[13], record->mode);
    vito_pg_array_add_text(&columns[14], record->outcome);
    if (record->details == NULL)
        vito_pg_array_add_null(&columns[15]);
    else
        vito_pg_array_add_bytes(&columns[15], record->details, record->details_bytes);
    vito_pg_array_add_bytes(&columns[16], event->chain.bytes, sizeof(event->chain.bytes));
}

static void
add_events(struct vito_postgres *database)
{
    static const enum vito_pg_type types[] = {
        VITO_PG_TEXT, VITO_PG_I64,  VITO_PG_TEXT, VITO_PG_I64,  VITO_PG_TEXT, VITO_PG_TEXT,
        VITO_PG_TEXT, VITO_PG_I64,  VITO_PG_I64,  VITO_PG_I64,  VITO_PG_I64,  VITO_PG_TEXT,
        VITO_PG_TEXT, VITO_PG_TEXT, VITO_PG_TEXT, VITO_PG_JSON, VITO_PG_BYTEA};
    const struct vito_pg_event *events = database->books.events.rows;
    begin_columns(database, types, RT_COUNT_OF(types));
    for (size_t i = 0; i < database->books.events.count; i++)
        if (events[i].added)
            add_record(database->columns, &events[i]);
    send_columns(database, VITO_PG_ADD_EVENTS, RT_COUNT_OF(types), false);
}

static void
save_heads(struct vito_postgres *database)
{
    static const enum vito_pg_type types[] = {VITO_PG_TEXT, VITO_PG_I64, VITO_PG_BYTEA};
    struct vito_pg_array *columns = database->columns;
    const struct vito_pg_head *heads = database->books.heads.rows;
    begin_columns(database, types, RT_COUNT_OF(types));
    for (size_t i = 0; i < database->books.heads.count; i++) {
        if (!heads[i].changed)
            continue;
        vito_pg_array_add_text(&columns[0], heads[i].tenant_id);
        vito_pg_array_add_i64(&columns[1], heads[i].seq);
        vito_pg_array_add_bytes(&columns[2], heads[i].chain.bytes, sizeof(heads[i].chain.bytes));
    }
    send_columns(database, VITO_PG_SAVE_HEADS, RT_COUNT_OF(types), false);
}

void
vito_pg_save(struct vito_postgres *database)
{
    save_months(database);
    save_grants(database, true);
    save_grants(database, false);
    add_legs(database);
    save_legs(database);
    add_events(database);
    save_heads(database);
}
