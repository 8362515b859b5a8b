/*
 * What the audit trail is told of turns, sessions and legs that were refused, or lowered; and of a
 * policy that changed.
 *
 * Nobody waits for it: a client has his answer before the record is on its way. A record is kept
 * until the store has it, and tried again under the same id, so that it is there once. While the
 * store is away nothing is told one by one: it is counted, and told when the store is back.
 */
#include <string.h>

#include "actors/metrics.h"
#include "actors/tenant_state.h"
#include "runtime/assert.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { STORE_RETRY_MS = 1000 };

_Static_assert(sizeof(struct tenant_refusals) <= RT_POOL_BLOCK_BYTES_MAX, "malloc is not asked");

/* On its way to the store, or to be tried again. */
struct refusal_record {
    struct refusal_record *next;
    struct vito_audit_event event;
    struct rt_buffer *details;
    int64_t count; /* of refusals it stands for */
    bool failed;
};

struct refusal
tenant_refusal(enum refusal_event event, const struct tenant_session *session, enum vito_mode mode,
               const struct frame_decision *decision, const char *reason)
{
    struct refusal refusal = {.event = event, .mode = mode};
    RT_TEXT_SET(refusal.reason, reason);
    if (session != NULL) {
        RT_TEXT_SET(refusal.session_id, session->id);
        RT_TEXT_SET(refusal.caller, session->opened_by);
    }
    if (decision != NULL) {
        RT_TEXT_SET(refusal.decision_id, decision->id);
        RT_TEXT_SET(refusal.policy_version, decision->policy_version);
    }
    return refusal;
}

static struct tenant_refusals *
refusals_of(struct rt_actor *self, struct tenant *tenant)
{
    if (tenant->refusals == NULL) {
        tenant->refusals = rt_pool_take(sizeof(*tenant->refusals));
        if (tenant->refusals == NULL)
            return NULL;
        memset(tenant->refusals, 0, sizeof(*tenant->refusals));
    }
    if (!rt_timer_is_armed(&tenant->refusals->minute))
        rt_timer_set(self, &tenant->refusals->minute, REFUSAL_MINUTE_MS * RT_NS_PER_MS);
    return tenant->refusals;
}

static void
free_record(struct tenant_refusals *refusals, struct refusal_record *record)
{
    for (struct refusal_record **at = &refusals->records; *at != NULL; at = &(*at)->next) {
        if (*at != record)
            continue;
        *at = record->next;
        break;
    }
    rt_buffer_release(record->details);
    rt_pool_give(record, sizeof(*record));
}

static void
write_if_any(struct wire_writer *writer, const char *key, const char *text)
{
    if (text[0] != '\0')
        wire_text(writer, key, text);
}

/* NULL when out of memory. */
static struct rt_buffer *
details_of(const struct tenant *tenant, const struct refusal *refusal,
           const struct refusal_sum *sum)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    struct wire_bytes bytes;
    wire_open_map(writer, NULL);
    wire_text(writer, "reason", refusal->reason);
    wire_text(writer, "mode", vito_mode_name(refusal->mode));
    wire_text(writer, "policy", tenant->config->policy);
    write_if_any(writer, "policy_version", refusal->policy_version);
    write_if_any(writer, "decision_id", refusal->decision_id);
    write_if_any(writer, "leg_id", refusal->leg_id);
    write_if_any(writer, "caller", refusal->caller);
    if (sum != NULL) {
        wire_int(writer, "count", sum->count);
        wire_time(writer, "first_at", sum->first_ms);
        wire_time(writer, "last_at", sum->last_ms);
    }
    wire_close(writer);
    return wire_end(writer, &bytes) == RT_OK ? rt_buffer_copy(bytes.bytes, bytes.size_bytes) : NULL;
}

static void
submit(struct rt_actor *self, struct tenant *tenant, struct refusal_record *record)
{
    struct vito_request request = {.op = VITO_AUDIT_APPEND,
                                   .audit = record->event,
                                   .document = rt_buffer_acquire(record->details)};
    record->failed = false;
    tenant_submit(self, tenant, &request, TENANT_PENDING_REFUSAL, record);
}

/* Has a record kept, which stands for so many. Takes the reference to its details. False when out
 * of memory. */
static bool
keep(struct rt_actor *self, struct tenant *tenant, const struct vito_audit_event *event,
     struct rt_buffer *details, int64_t count)
{
    struct refusal_record *record = details == NULL ? NULL : rt_pool_take(sizeof(*record));
    if (record == NULL) {
        rt_buffer_release(details);
        return false;
    }
    *record = (struct refusal_record){
        .next = tenant->refusals->records, .event = *event, .details = details, .count = count};
    tenant->refusals->records = record;
    tenant_make_id(self, tenant, "aud", record->event.id, NULL);
    record->event.at_ms = rt_wall_ms(self);
    submit(self, tenant, record);
    return true;
}

/* Tells one refusal, or a sum of them. False when out of memory. */
static bool
tell(struct rt_actor *self, struct tenant *tenant, const struct refusal *refusal,
     const struct refusal_sum *sum)
{
    struct vito_audit_event event = {.at_ms = 0};
    RT_TEXT_SET(event.event, refusal_event_name(refusal->event));
    RT_TEXT_SET(event.session_id, refusal->session_id);
    return keep(self, tenant, &event, details_of(tenant, refusal, sum),
                sum == NULL ? 1 : sum->count);
}

void
tenant_tell_policy(struct rt_actor *self, struct tenant *tenant, const char *from, const char *to)
{
    struct tenant_refusals *refusals = refusals_of(self, tenant);
    struct vito_audit_event event = {.event = "POLICY_CHANGED"};
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    struct wire_bytes bytes;
    wire_open_map(writer, NULL);
    wire_text(writer, "policy", tenant->config->policy);
    wire_text(writer, "from_version", from);
    wire_text(writer, "to_version", to);
    wire_close(writer);
    bool is_written = refusals != NULL && wire_end(writer, &bytes) == RT_OK;
    if (!is_written ||
        !keep(self, tenant, &event, rt_buffer_copy(bytes.bytes, bytes.size_bytes), 0))
        rt_log(RT_LOG_ERROR, "audit.policy_lost", RT_STR("tenant", tenant->config->id),
               RT_STR("version", to), RT_STR("why", "out of memory"));
}

void
tenant_tell_refusal(struct rt_actor *self, struct tenant *tenant, const struct refusal *refusal)
{
    struct tenant_refusals *refusals = refusals_of(self, tenant);
    if (refusals == NULL) {
        metrics_refusals_uncounted(1);
        return;
    }
    int64_t now_ms = rt_wall_ms(self);
    if (!refusals->away && !refusal_book_note(&refusals->book, refusal, now_ms))
        return; /* it is counted */
    if (refusals->away || !tell(self, tenant, refusal, NULL))
        refusal_book_count(&refusals->book, refusal, now_ms);
}

/* Tells what was counted, as far as there is memory. */
static void
tell_sums(struct rt_actor *self, struct tenant *tenant)
{
    struct refusal_sum *sum;
    while ((sum = refusal_book_next(&tenant->refusals->book)) != NULL &&
           tell(self, tenant, &sum->of, sum))
        sum->count = 0;
}

static void
forget(struct rt_actor *self, struct tenant *tenant)
{
    struct tenant_refusals *refusals = tenant->refusals;
    rt_timer_cancel(self, &refusals->minute);
    rt_timer_cancel(self, &refusals->retry);
    rt_pool_give(refusals, sizeof(*refusals));
    tenant->refusals = NULL;
}

static void
on_minute(struct rt_actor *self, struct tenant *tenant)
{
    struct tenant_refusals *refusals = tenant->refusals;
    if (!refusals->away)
        tell_sums(self, tenant);
    bool is_told = refusal_book_next(&refusals->book) == NULL;
    if (is_told)
        memset(&refusals->book, 0, sizeof(refusals->book));
    if (is_told && refusals->records == NULL)
        forget(self, tenant);
    else
        rt_timer_set(self, &refusals->minute, REFUSAL_MINUTE_MS * RT_NS_PER_MS);
}

static void
try_again(struct rt_actor *self, struct tenant *tenant)
{
    for (struct refusal_record *record = tenant->refusals->records; record != NULL;
         record = record->next)
        if (record->failed)
            submit(self, tenant, record);
}

bool
tenant_on_refusals_timer(struct rt_actor *self, struct tenant *tenant, const struct rt_timer *timer)
{
    struct tenant_refusals *refusals = tenant->refusals;
    if (refusals == NULL || (timer != &refusals->minute && timer != &refusals->retry))
        return false;
    if (timer == &refusals->minute)
        on_minute(self, tenant);
    else
        try_again(self, tenant);
    return true;
}

static bool
any_failed(const struct tenant_refusals *refusals)
{
    const struct refusal_record *record = refusals->records;
    while (record != NULL && !record->failed)
        record = record->next;
    return record != NULL;
}

static void
lose(struct tenant *tenant, struct refusal_record *record)
{
    metrics_refusals_uncounted((uint64_t)record->count);
    rt_log(RT_LOG_ERROR, "audit.refusals_lost", RT_STR("tenant", tenant->config->id),
           RT_STR("event", record->event.event), RT_I64("count", record->count),
           RT_STR("why", "the store cannot be asked, and the gateway ends"));
    free_record(tenant->refusals, record);
}

void
tenant_on_refusal_told(struct rt_actor *self, struct tenant *tenant, void *subject,
                       enum rt_status status)
{
    struct tenant_refusals *refusals = tenant->refusals;
    struct refusal_record *record = subject;
    record->failed = status == RT_UNAVAILABLE || status == RT_NO_MEMORY;
    if (!record->failed) {
        free_record(refusals, record); /* RT_EXISTS: the answer before was lost */
    } else if (tenant->phase == TENANT_LEAVING) {
        lose(tenant, record);
    } else {
        rt_timer_set(self, &refusals->retry, STORE_RETRY_MS * RT_NS_PER_MS);
    }
    refusals->away = any_failed(refusals);
}

bool
tenant_flush_refusals(struct rt_actor *self, struct tenant *tenant)
{
    if (tenant->refusals == NULL)
        return true;
    tell_sums(self, tenant);
    if (tenant->phase == TENANT_LEAVING)
        try_again(self, tenant);
    return tenant->refusals->records == NULL && refusal_book_next(&tenant->refusals->book) == NULL;
}

void
tenant_forget_refusals(struct rt_actor *self, struct tenant *tenant)
{
    if (tenant->refusals == NULL)
        return;
    for (struct refusal_sum *sum; (sum = refusal_book_next(&tenant->refusals->book)) != NULL;
         sum->count = 0)
        metrics_refusals_uncounted((uint64_t)sum->count);
    while (tenant->refusals->records != NULL)
        free_record(tenant->refusals, tenant->refusals->records);
    forget(self, tenant);
}
