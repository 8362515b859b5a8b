/*
 * One leg of a former life: stopped at its vendor, priced, settled.
 */
#include <string.h>

#include "actors/recovery_state.h"
#include "actors/vendor.h"
#include "actors/wire.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum {
    GIVE_UP_MS = 3600 * 1000, /* after it was opened: no vendor was asked for more */
    TRIES_MAX = 3, /* in which its vendor could not be asked at all: a secret is missing */
};

static void
submit(struct rt_actor *self, const struct recovery *recovery, const struct recovery_leg *leg,
       struct vito_request *request)
{
    const struct vito_store *store = &recovery->world->store;
    RT_TEXT_SET(request->tenant_id, leg->adopted.tenant_id);
    request->period_start_ms = leg->adopted.period.start_ms;
    request->period_end_ms = leg->adopted.period.end_ms;
    store->submit(store->self, self, request, leg->number);
}

/* NULL when the tenant does not use that provider any more, or is gone. */
static const struct tenant_provider *
find_provider(const struct recovery_leg *leg)
{
    const struct tenant_config *config = leg->config;
    enum vito_mode mode = leg->adopted.leg.mode;
    for (unsigned i = 0; config != NULL && i < config->provider_counts[mode]; i++)
        if (strcmp(config->providers[mode][i].name, leg->adopted.leg.provider_id) == 0)
            return &config->providers[mode][i];
    return NULL;
}

/* What the adapter is given: which leg it is to find again, and how the vendor is configured. */
static struct rt_buffer *
make_inputs(const struct recovery_leg *leg)
{
    static const char rest[] = "{}\0{}\0"; /* no limits, nothing to drive or to say */
    const struct tenant_provider *provider = find_provider(leg);
    const char *own = provider == NULL ? "{}" : provider->config_json;
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "leg_id", leg->adopted.leg.id);
    wire_text(writer, "tenant_id", leg->adopted.tenant_id);
    wire_bool(writer, "reclaim", true);
    wire_int(writer, "opened_ms", leg->adopted.leg.at_ms);
    if (leg->adopted.vendor_ref[0] != '\0')
        wire_text(writer, "vendor_ref", leg->adopted.vendor_ref);
    wire_raw(writer, "provider", own, strlen(own));
    wire_close(writer);
    struct wire_bytes bytes;
    if (wire_end(writer, &bytes) != RT_OK)
        return NULL;
    struct rt_buffer *inputs = rt_buffer_create(bytes.size_bytes + 1 + sizeof(rest));
    if (inputs == NULL)
        return NULL;
    memcpy(inputs->bytes, bytes.bytes, bytes.size_bytes);
    inputs->bytes[bytes.size_bytes] = '\0';
    memcpy(inputs->bytes + bytes.size_bytes + 1, rest, sizeof(rest));
    return inputs;
}

static bool
make_hold(struct recovery_leg *leg)
{
    const struct vito_leg *row = &leg->adopted.leg;
    leg->account = (struct vito_account){
        .period = leg->adopted.period, .limit_nusd = row->held_nusd, .slice_nusd = row->held_nusd};
    return vito_account_hold(&leg->account, leg->adopted.tenant_id, row->id, row->mode,
                             row->held_nusd, 0, &leg->hold) == RT_OK;
}

/* Opened and stopped in one breath: the adapter finds the session again, and then ends it. */
static void
stop_at_vendor(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    struct rt_address vendor = recovery->world->vendors[rt_worker_index(self)];
    struct rt_message *open = vendor_open_create();
    struct rt_message *stop = rt_message_create(VENDOR_STOP, sizeof(struct vendor_stop));
    struct rt_buffer *inputs = make_inputs(leg);
    if (open == NULL || stop == NULL || inputs == NULL || (leg->hold == NULL && !make_hold(leg))) {
        rt_message_destroy(open);
        rt_message_destroy(stop);
        rt_buffer_release(inputs);
        recovery_leg_stall(self, recovery, leg);
        return;
    }
    struct vendor_open *payload = rt_message_payload(open);
    *payload = (struct vendor_open){
        .leg = leg->number,
        .hold = vito_hold_acquire(leg->hold),
        .heir = rt_self(self),
        .allowed_tokens = VITO_UNLIMITED, /* nothing is driven */
        .allowed_ms = VITO_UNLIMITED,
        .renew_tokens = VITO_UNLIMITED,
        .renew_ms = VITO_UNLIMITED,
    };
    RT_TEXT_SET(payload->provider, leg->adopted.leg.provider_id);
    open->buffer = inputs;
    *(struct vendor_stop *)rt_message_payload(stop) =
        (struct vendor_stop){.leg = leg->number, .reason = ADAPTER_USER_EXIT};
    rt_send_control(self, vendor, open);
    rt_send_control(self, vendor, stop);
}

/* Whether all went as it was asked: it was cut by ourselves. */
static bool
went_well(const struct vendor_closed *closed)
{
    return closed->error == ADAPTER_ERROR_NONE || closed->error == ADAPTER_ERROR_CUT;
}

/* A vendor that does not take our key has not looked for the session. */
static bool
is_locked_out(const struct vendor_closed *closed)
{
    return closed->status == 401 || closed->status == 403;
}

/* Nobody said that it has ended, or that there is none: somebody has to ask again, however long
 * that takes. Who was not even asked is rejected by us: then a secret is missing. */
static bool
may_run_on(const struct recovery_leg *leg, const struct vendor_closed *closed)
{
    if (closed->opened)
        return closed->stopped == ADAPTER_STOP_IMPOSSIBLE;
    if (closed->error != ADAPTER_ERROR_REJECTED)
        return !went_well(closed);
    return closed->reached ? is_locked_out(closed) : leg->tries < TRIES_MAX;
}

/* The tenant may change its key meanwhile. */
static void
begin_anew(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
           const struct vendor_closed *closed)
{
    if (leg->tries == 0)
        rt_log(RT_LOG_WARN, "recovery.put_off", RT_STR("leg", leg->adopted.leg.id),
               RT_STR("tenant", leg->adopted.tenant_id),
               RT_STR("provider", leg->adopted.leg.provider_id),
               RT_STR("error", adapter_error_name(closed->error)),
               RT_I64("status", closed->status));
    if (leg->config != NULL)
        tenant_config_release(leg->config);
    rt_buffer_release(leg->document);
    leg->config = NULL;
    leg->document = NULL;
    recovery_leg_put_off(self, recovery, leg);
}

/* The vendor's figure when it has one; else nobody can prove that the hold was not used up. */
static int64_t
price(const struct recovery_leg *leg, const struct vendor_closed *closed)
{
    const struct tenant_provider *provider = find_provider(leg);
    if (provider == NULL || !went_well(closed) || !closed->opened ||
        closed->stopped == ADAPTER_STOP_IMPOSSIBLE)
        return leg->adopted.leg.held_nusd;
    return vito_use_price(&leg->use, &provider->prices);
}

static void
settle(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    struct vito_request request = {.op = VITO_LEG_SETTLE, .leg = leg->adopted.leg};
    RT_TEXT_SET(request.leg.outcome, "recovered");
    request.leg.cost_nusd = leg->cost_nusd;
    request.leg.use = leg->use;
    request.leg.at_ms = rt_wall_ms(self);
    if (leg->hold != NULL)
        vito_account_settle(&leg->account, leg->hold, leg->cost_nusd, &leg->use);
    submit(self, recovery, leg, &request);
}

/* A tenant that is awake reads its books again when it is given its document. */
static void
find_tenant(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    struct rt_message *message =
        rt_message_create(REGISTRY_RESOLVE, sizeof(struct registry_resolve));
    if (leg->document == NULL || message == NULL) {
        rt_message_destroy(message);
        recovery_leg_done(self, recovery, leg);
        return;
    }
    struct registry_resolve *resolve = rt_message_payload(message);
    resolve->wakes = resolve->is_known = true;
    resolve->caller.role = ACCESS_OPERATOR;
    RT_TEXT_SET(resolve->tenant_id, leg->adopted.tenant_id);
    rt_request(self, recovery->world->registry, message, leg->number);
}

void
recovery_leg_step(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    struct vito_request request = {.op = VITO_TENANT_GET};
    leg->stalled = false;
    switch (leg->step) {
    case RECOVERY_LISTED:
        leg->step = RECOVERY_READING;
        submit(self, recovery, leg, &request);
        break;
    case RECOVERY_READING:
        submit(self, recovery, leg, &request);
        break;
    case RECOVERY_STOPPING:
        stop_at_vendor(self, recovery, leg);
        break;
    case RECOVERY_SETTLING:
        settle(self, recovery, leg);
        break;
    case RECOVERY_TELLING:
        find_tenant(self, recovery, leg);
        break;
    }
}

static void
go_on(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
      enum recovery_step step)
{
    leg->step = step;
    recovery_leg_step(self, recovery, leg);
}

static void
take_document(struct recovery *recovery, struct recovery_leg *leg, struct rt_buffer *document)
{
    char problem[VITO_PROBLEM_BYTES];
    if (document == NULL)
        return; /* the tenant was removed; its rooms are ended all the same */
    leg->document = rt_buffer_acquire(document);
    if (tenant_config_parse(leg->adopted.tenant_id, (const char *)document->bytes,
                            document->size_bytes, &recovery->world->adapters, &leg->config,
                            problem) != RT_OK)
        leg->config = NULL;
}

void
recovery_leg_stored(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
                    const struct vito_stored *stored, struct rt_buffer *document)
{
    if (stored->status == RT_UNAVAILABLE || stored->status == RT_NO_MEMORY) {
        recovery_leg_stall(self, recovery, leg);
        return;
    }
    switch (leg->step) {
    case RECOVERY_READING:
        take_document(recovery, leg, document);
        go_on(self, recovery, leg, RECOVERY_STOPPING);
        break;
    case RECOVERY_SETTLING:
        go_on(self, recovery, leg, RECOVERY_TELLING);
        break;
    default:
        break;
    }
}

/* Its leg cost what it held, and whatever else it cost is known to its vendor alone: and to who
 * reads this. */
static void
forget_stray(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
             const struct vendor_closed *closed)
{
    rt_log(RT_LOG_WARN, "leg.ended_late", RT_STR("leg", leg->adopted.leg.id),
           RT_STR("tenant", leg->adopted.tenant_id),
           RT_STR("provider", leg->adopted.leg.provider_id),
           RT_STR("found", closed->opened ? "yes" : "no"), RT_I64("media_ms", leg->use.media_ms));
    vito_account_settle(&leg->account, leg->hold, 0, &leg->use);
    recovery_leg_done(self, recovery, leg);
}

void
recovery_leg_closed(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg,
                    const struct vendor_closed *closed)
{
    if (leg->step != RECOVERY_STOPPING)
        return;
    if (may_run_on(leg, closed) && rt_wall_ms(self) - leg->adopted.leg.at_ms < GIVE_UP_MS) {
        begin_anew(self, recovery, leg, closed);
        return;
    }
    leg->use = (struct vito_use){.tokens = closed->tokens, .media_ms = closed->media_ms};
    if (leg->is_stray) {
        forget_stray(self, recovery, leg, closed);
        return;
    }
    leg->cost_nusd = price(leg, closed);
    rt_log(RT_LOG_INFO, "leg.recovered", RT_STR("leg", leg->adopted.leg.id),
           RT_STR("tenant", leg->adopted.tenant_id),
           RT_STR("provider", leg->adopted.leg.provider_id),
           RT_STR("found", closed->opened ? "yes" : "no"), RT_I64("cost_nusd", leg->cost_nusd));
    go_on(self, recovery, leg, RECOVERY_SETTLING);
}

void
recovery_leg_free(struct recovery *recovery, struct recovery_leg *leg)
{
    rt_table_remove(&recovery->legs, &leg->link);
    rt_table_remove(&recovery->by_id, &leg->by_id);
    vito_hold_release(leg->hold);
    if (leg->config != NULL)
        tenant_config_release(leg->config);
    rt_buffer_release(leg->document);
    rt_pool_give(leg, sizeof(*leg));
}
