/*
 * What requests do to the books.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "runtime/text.h"
#include "vito/audit_json.h"
#include "vito/json.h"
#include "vito/store/postgres/books.h"
#include "vito/store/settlement.h"

static int64_t
smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* What stands beyond the limit now, which is nothing new but for `more_nusd`. */
static void
note_excess(struct vito_pg_month *month, int64_t more_nusd)
{
    const struct vito_budget *figures = &month->figures;
    int64_t beyond = figures->posted_nusd - figures->limit_nusd + figures->reserved_nusd;
    int64_t known_nusd = vito_settlement_sum(month->excess_nusd, more_nusd);
    month->excess_nusd = beyond > 0 ? smaller(beyond, known_nusd) : 0;
    month->changed = true;
}

static struct vito_pg_grant *
grant_of(struct vito_books *books, const char *tenant_id, int64_t period_start_ms,
         const struct vito_books_owner *owner)
{
    struct vito_pg_grant key = {.period_start_ms = period_start_ms, .epoch = owner->epoch};
    RT_TEXT_SET(key.tenant_id, tenant_id);
    RT_TEXT_SET(key.node, owner->node);
    struct vito_pg_grant *grant = vito_books_grant(books, &key);
    key.added = true;
    return grant != NULL ? grant : vito_books_add_grant(books, &key);
}

static enum rt_status
carry_out_grant(struct vito_books *books, const struct vito_books_owner *owner,
                const struct vito_request *request, struct vito_stored *stored)
{
    struct vito_pg_month *month =
        vito_books_month(books, request->tenant_id, request->period_start_ms);
    if (month == NULL)
        return RT_NOT_FOUND;
    int64_t need = request->budget.need_nusd, want = request->budget.want_nusd;
    const struct vito_budget *figures = &month->figures;
    int64_t left = figures->limit_nusd - figures->posted_nusd - figures->reserved_nusd;
    int64_t granted = smaller(want > need ? want : need, left);
    stored->budget = *figures;
    stored->budget.life = owner->epoch;
    stored->budget.nodes = owner->nodes;
    if (granted < need || granted <= 0)
        return RT_OK; /* nothing is moved */
    struct vito_pg_grant *grant =
        grant_of(books, request->tenant_id, request->period_start_ms, owner);
    if (grant == NULL)
        return RT_NO_MEMORY;
    grant->left_nusd += granted;
    grant->granted_nusd += granted;
    grant->changed = true;
    month->figures.reserved_nusd += granted;
    month->changed = true; /* its excess is not: the database refuses a grant beyond the limit */
    stored->budget.reserved_nusd += granted;
    stored->budget.granted_nusd = granted;
    return RT_OK;
}

static bool
is_leg_id(const char *id)
{
    return strncmp(id, "leg_", 4) == 0;
}

static enum rt_status
carry_out_open(struct vito_books *books, const struct vito_books_owner *owner,
               const struct vito_request *request)
{
    const struct vito_leg *row = &request->leg;
    if (request->life != 0 && request->life != owner->epoch)
        return RT_DENIED;
    if (!is_leg_id(row->id) || row->held_nusd < 0 || row->provider_id[0] == '\0')
        return RT_INVALID;
    if (vito_books_leg(books, request->tenant_id, row->id) != NULL)
        return RT_EXISTS;
    if (vito_books_month(books, request->tenant_id, request->period_start_ms) == NULL)
        return RT_NOT_FOUND;
    struct vito_pg_leg leg = {
        .period_start_ms = request->period_start_ms,
        .epoch = owner->epoch,
        .opened_ms = row->at_ms,
        .row = *row,
        .added = true,
    };
    RT_TEXT_SET(leg.tenant_id, request->tenant_id);
    RT_TEXT_SET(leg.node, owner->node);
    return vito_books_add_leg(books, &leg) == NULL ? RT_NO_MEMORY : RT_OK;
}

static enum rt_status
carry_out_extend(struct vito_books *books, const struct vito_request *request)
{
    struct vito_pg_leg *leg = vito_books_leg(books, request->tenant_id, request->leg.id);
    if (leg == NULL || leg->settled ||
        leg->adopted) /* who opened that one holds nothing any more */
        return RT_NOT_FOUND;
    if (request->leg.held_nusd > leg->row.held_nusd)
        leg->row.held_nusd = request->leg.held_nusd;
    leg->changed = true;
    return RT_OK;
}

/* Appends a record to its tenant's chain. Its texts outlive the batch. */
static enum rt_status
append(struct vito_books *books, const struct vito_audit_record *record)
{
    struct vito_pg_head *head = vito_books_head(books, record->tenant_id);
    struct vito_pg_event event = {.record = *record, .added = true};
    RT_TEXT_SET(event.tenant_id, record->tenant_id);
    RT_TEXT_SET(event.id, record->id);
    if (head == NULL) { /* the tenant is none this transaction may see */
        books->failed = true;
        return RT_UNAVAILABLE;
    }
    event.chain = vito_audit_chain(&head->chain, record);
    event.seq = head->seq + 1;
    if (vito_books_add_event(books, &event) == NULL)
        return RT_NO_MEMORY;
    head->chain = event.chain;
    head->seq = event.seq;
    head->changed = true;
    return RT_OK;
}

static enum rt_status
append_billing(struct vito_books *books, const struct vito_pg_leg *leg)
{
    const struct vito_leg *row = &leg->row;
    return append(books, &(struct vito_audit_record){
                             .id = row->id,
                             .tenant_id = leg->tenant_id,
                             .event = "BILLING_EVENT",
                             .session_id = row->session_id,
                             .at_ms = row->at_ms,
                             .is_leg = true,
                             .provider_id = row->provider_id,
                             .decision_id = row->decision_id,
                             .policy_version = row->policy_version,
                             .mode = vito_mode_name(row->mode),
                             .outcome = row->outcome,
                             .cost_nusd = row->cost_nusd,
                             .tokens = row->use.tokens,
                             .media_ms = row->use.media_ms,
                             .interactions = row->use.interactions,
                         });
}

/* Takes the cost out of the grant it was held from. */
static struct vito_settlement
spend_grant(struct vito_books *books, const struct vito_pg_leg *leg)
{
    struct vito_pg_grant key = {.period_start_ms = leg->period_start_ms, .epoch = leg->epoch};
    RT_TEXT_SET(key.tenant_id, leg->tenant_id);
    RT_TEXT_SET(key.node, leg->node);
    struct vito_pg_grant *grant = vito_books_grant(books, &key);
    struct vito_settlement settlement = vito_settlement_of(
        leg->row.cost_nusd, grant == NULL ? 0 : grant->left_nusd, leg->adopted, leg->row.held_nusd);
    if (settlement.paid_nusd + settlement.returned_nusd > 0) {
        grant->left_nusd -= settlement.paid_nusd + settlement.returned_nusd;
        grant->granted_nusd -= settlement.returned_nusd;
        grant->changed = true;
    }
    return settlement;
}

static enum rt_status
carry_out_settle(struct vito_books *books, const struct vito_request *request,
                 struct vito_stored *stored)
{
    struct vito_pg_leg *leg = vito_books_leg(books, request->tenant_id, request->leg.id);
    struct vito_pg_month *month =
        leg == NULL ? NULL : vito_books_month(books, leg->tenant_id, leg->period_start_ms);
    if (month == NULL)
        return RT_NOT_FOUND;
    if (leg->settled) {
        stored->repeated = true;
        stored->cost_nusd = leg->row.cost_nusd;
        stored->budget = month->figures;
        return RT_OK;
    }
    const struct vito_leg *from = &request->leg;
    leg->row.cost_nusd = from->cost_nusd;
    leg->row.use = from->use;
    leg->row.at_ms = from->at_ms;
    RT_TEXT_SET(leg->row.outcome, from->outcome);
    vito_settlement_bound(&leg->row);
    struct vito_settlement settlement = spend_grant(books, leg);
    leg->overrun_nusd = leg->row.cost_nusd - settlement.paid_nusd;
    leg->settled = leg->changed = true;
    stored->cost_nusd = leg->row.cost_nusd;
    vito_settlement_post(&settlement, &leg->row, leg->row.mode, &month->figures);
    note_excess(month, leg->overrun_nusd);
    stored->budget = month->figures;
    return append_billing(books, leg);
}

static bool
is_json_object(const struct rt_buffer *document)
{
    cJSON *json;
    const char *problem;
    if (vito_json_parse((const char *)document->bytes, document->size_bytes, &json, &problem) !=
        RT_OK)
        return false;
    bool is_object = cJSON_IsObject(json);
    cJSON_Delete(json);
    return is_object;
}

static enum rt_status
carry_out_append(struct vito_books *books, const struct vito_request *request)
{
    const struct vito_audit_event *event = &request->audit;
    const struct rt_buffer *document = request->document;
    if (event->id[0] == '\0' || event->event[0] == '\0' || is_leg_id(event->id) ||
        strcmp(event->event, "BILLING_EVENT") == 0 ||
        (document != NULL &&
         (!vito_audit_details_are_sound(document) || !is_json_object(document))))
        return RT_INVALID;
    if (vito_books_event(books, request->tenant_id, event->id) != NULL)
        return RT_EXISTS;
    return append(books, &(struct vito_audit_record){
                             .id = event->id,
                             .tenant_id = request->tenant_id,
                             .event = event->event,
                             .session_id = event->session_id,
                             .at_ms = event->at_ms,
                             .details = document == NULL ? NULL : (const char *)document->bytes,
                             .details_bytes = document == NULL ? 0 : document->size_bytes,
                         });
}

void
vito_books_carry_out(struct vito_books *books, const struct vito_books_owner *owner,
                     const struct vito_request *request, struct vito_stored *stored)
{
    *stored = (struct vito_stored){.op = request->op, .status = RT_INVALID};
    switch (request->op) {
    case VITO_BUDGET_GRANT:
        stored->status = carry_out_grant(books, owner, request, stored);
        break;
    case VITO_LEG_OPEN:
        stored->status = carry_out_open(books, owner, request);
        break;
    case VITO_LEG_EXTEND:
        stored->status = carry_out_extend(books, request);
        break;
    case VITO_LEG_SETTLE:
        stored->status = carry_out_settle(books, request, stored);
        break;
    case VITO_AUDIT_APPEND:
        stored->status = carry_out_append(books, request);
        break;
    default:
        break; /* vito_pg_is_grouped() lets no other through */
    }
}
