#include "vito/store/sqlite/tally.h"

#include <string.h>

#include "runtime/table.h"
#include "runtime/text.h"
#include "vito/store/sqlite/internal.h"

static bool
is_free(const struct vito_tally_month *month)
{
    return month->tenant_id[0] == '\0';
}

static enum rt_status
write_budget(struct vito_sqlite *database, const struct vito_tally_month *month)
{
    const struct vito_budget *budget = &month->budget;
    return VITO_QUERY(
        database, QUERY_BUDGET_POST, vito_text(month->tenant_id), vito_i64(month->period_start_ms),
        vito_i64(budget->posted_nusd), vito_i64(budget->reserved_nusd), vito_i64(budget->tokens),
        vito_i64(budget->interactions), vito_i64(budget->media_ms[VITO_TEXT]),
        vito_i64(budget->media_ms[VITO_VOICE]), vito_i64(budget->media_ms[VITO_VIDEO]));
}

static enum rt_status
write_grant(struct vito_sqlite *database, const struct vito_tally_month *month)
{
    if (month->paid_nusd == 0 && month->returned_nusd == 0)
        return RT_EMPTY;
    return VITO_QUERY(database, QUERY_GRANT_LOWER, vito_text(month->tenant_id),
                      vito_i64(month->period_start_ms), vito_text(VITO_NODE),
                      vito_i64(month->epoch), vito_i64(month->paid_nusd),
                      vito_i64(month->returned_nusd));
}

/* Writes a month and frees its place. */
static enum rt_status
write_month(struct vito_sqlite *database, struct vito_tally_month *month)
{
    if (write_budget(database, month) != RT_EMPTY || write_grant(database, month) != RT_EMPTY)
        return RT_UNAVAILABLE;
    month->tenant_id[0] = '\0';
    database->tally.months_open--;
    return RT_OK;
}

static enum rt_status
read_month(struct vito_sqlite *database, struct vito_tally_month *month)
{
    enum rt_status status =
        vito_budget_read(database, month->tenant_id, month->period_start_ms, &month->budget);
    if (status != RT_OK)
        return RT_UNAVAILABLE; /* a leg is of a month that is there */
    status =
        VITO_QUERY(database, QUERY_GRANT_READ, vito_text(month->tenant_id),
                   vito_i64(month->period_start_ms), vito_text(VITO_NODE), vito_i64(month->epoch));
    if (status == RT_OK)
        month->left_nusd = vito_column_i64(database, 0);
    return status == RT_OK || status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE;
}

enum rt_status
vito_tally_month(struct vito_sqlite *database, const char *tenant_id, int64_t period_start_ms,
                 int64_t epoch, struct vito_tally_month **month_out)
{
    struct vito_tally *tally = &database->tally;
    uint64_t hash = rt_hash_text(tenant_id) ^ rt_hash_u64((uint64_t)period_start_ms);
    struct vito_tally_month *month = &tally->months[hash % VITO_TALLY_PLACES];
    *month_out = month;
    if (!is_free(month)) {
        if (month->period_start_ms == period_start_ms && month->epoch == epoch &&
            strcmp(month->tenant_id, tenant_id) == 0)
            return RT_OK;
        if (write_month(database, month) != RT_OK)
            return RT_UNAVAILABLE;
    }
    *month = (struct vito_tally_month){.period_start_ms = period_start_ms, .epoch = epoch};
    RT_TEXT_SET(month->tenant_id, tenant_id);
    tally->months_open++;
    return read_month(database, month);
}

static enum rt_status
write_tail(struct vito_sqlite *database, struct vito_tally_tail *tail)
{
    if (!tail->changed)
        return RT_EMPTY;
    tail->changed = false;
    database->tally.tails_changed--;
    return VITO_QUERY(database, QUERY_AUDIT_MOVE_HEAD, vito_text(tail->tenant_id),
                      vito_i64(tail->seq), vito_blob(tail->chain.bytes, sizeof(tail->chain.bytes)));
}

enum rt_status
vito_tally_write(struct vito_sqlite *database)
{
    struct vito_tally *tally = &database->tally;
    for (unsigned i = 0; i < VITO_TALLY_PLACES && tally->months_open > 0; i++)
        if (!is_free(&tally->months[i]) && write_month(database, &tally->months[i]) != RT_OK)
            return RT_UNAVAILABLE;
    for (unsigned i = 0; i < VITO_TALLY_PLACES && tally->tails_changed > 0; i++)
        if (write_tail(database, &tally->tails[i]) != RT_EMPTY)
            return RT_UNAVAILABLE;
    return RT_OK;
}

void
vito_tally_forget(struct vito_sqlite *database)
{
    database->tally = (struct vito_tally){.months_open = 0};
}

static struct vito_tally_tail *
place_of_tail(struct vito_tally *tally, const char *tenant_id)
{
    return &tally->tails[rt_hash_text(tenant_id) % VITO_TALLY_PLACES];
}

const struct vito_chain *
vito_tally_tail(struct vito_sqlite *database, const char *tenant_id)
{
    const struct vito_tally_tail *tail = place_of_tail(&database->tally, tenant_id);
    bool is_known = tenant_id[0] != '\0' && strcmp(tail->tenant_id, tenant_id) == 0;
    return is_known ? &tail->chain : NULL;
}

enum rt_status
vito_tally_set_tail(struct vito_sqlite *database, const char *tenant_id,
                    const struct vito_chain *chain, int64_t seq)
{
    struct vito_tally *tally = &database->tally;
    struct vito_tally_tail *tail = place_of_tail(tally, tenant_id);
    if (strcmp(tail->tenant_id, tenant_id) != 0 && write_tail(database, tail) != RT_EMPTY)
        return RT_UNAVAILABLE;
    tally->tails_changed += !tail->changed;
    RT_TEXT_SET(tail->tenant_id, tenant_id);
    tail->chain = *chain;
    tail->seq = seq;
    tail->changed = true;
    return RT_EMPTY;
}

static struct vito_tally_leg *
place_of_leg(struct vito_sqlite *database, const char *leg_id)
{
    return &database->tally.legs[rt_hash_text(leg_id) % VITO_TALLY_LEGS];
}

void
vito_tally_keep_leg(struct vito_sqlite *database, const char *tenant_id, const char *leg_id,
                    const struct vito_leg_row *row)
{
    struct vito_tally_leg *place = place_of_leg(database, leg_id);
    RT_TEXT_SET(place->id, leg_id);
    RT_TEXT_SET(place->tenant_id, tenant_id);
    place->row = *row;
}

bool
vito_tally_take_leg(struct vito_sqlite *database, const char *tenant_id, const char *leg_id,
                    struct vito_leg_row *row_out)
{
    struct vito_tally_leg *place = place_of_leg(database, leg_id);
    if (leg_id[0] == '\0' || strcmp(place->id, leg_id) != 0 ||
        strcmp(place->tenant_id, tenant_id) != 0)
        return false;
    *row_out = place->row;
    place->id[0] = '\0';
    return true;
}
