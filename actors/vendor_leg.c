/*
 * Legs of a vendor actor: verb by verb, and what their owners hear of them.
 */
#include <string.h>

#include "actors/vendor_state.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { INITIALIZE_MAX_MS = 30000, TERMINATE_MAX_MS = 12000, CUT_MAX_MS = 3000 };

struct vendor_leg *
vendor_find_leg(const struct vendor *vendor, uint64_t number)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&vendor->legs, rt_hash_u64(number), link)) != NULL)
        if (RT_CONTAINER_OF(link, struct vendor_leg, link)->number == number)
            return RT_CONTAINER_OF(link, struct vendor_leg, link);
    return NULL;
}

struct vendor_exchange *
vendor_find_exchange(const struct vendor *vendor, uint64_t transfer)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&vendor->exchanges, rt_hash_u64(transfer), link)) != NULL)
        if (RT_CONTAINER_OF(link, struct vendor_exchange, link)->transfer == transfer)
            return RT_CONTAINER_OF(link, struct vendor_exchange, link);
    return NULL;
}

struct vendor_leg *
vendor_leg_of(struct adapter_leg *adapter)
{
    return RT_CONTAINER_OF(adapter, struct vendor_leg, adapter);
}

void
vendor_set_timer(struct vendor *vendor)
{
    uint64_t next_ns = rt_wheel_next_ns(&vendor->wheel);
    uint64_t now_ns = rt_now_ns(vendor->self);
    if (next_ns == RT_WHEEL_NEVER)
        rt_timer_cancel(vendor->self, &vendor->timer);
    else
        rt_timer_set(vendor->self, &vendor->timer, next_ns > now_ns ? next_ns - now_ns : 0);
}

void
vendor_wake_after(struct vendor *vendor, struct vendor_alarm *alarm, uint32_t ms)
{
    rt_wheel_remove(&vendor->wheel, &alarm->entry);
    rt_wheel_insert(&vendor->wheel, &alarm->entry, rt_now_ns(vendor->self) + ms * RT_NS_PER_MS);
    vendor_set_timer(vendor);
}

struct rt_message *
vendor_event_message(const struct vendor *vendor, const struct vendor_leg *leg, enum twin_kind kind)
{
    struct rt_message *message = rt_message_create(kind, sizeof(struct vendor_event));
    if (message == NULL)
        return NULL;
    *(struct vendor_event *)rt_message_payload(message) = (struct vendor_event){
        .leg = leg->number,
        .tokens = leg->tokens,
        .media_ms = vendor_clock_media_ms(vendor, leg),
        .waiting = leg->waits_for_cover,
        .waiting_ns = leg->waits_for_cover ? leg->waits_since_ns : 0,
    };
    return message;
}

bool
vendor_want_stop(struct vendor_leg *leg, enum adapter_stop_reason reason)
{
    if (leg->stop_wanted)
        return false;
    leg->stop_wanted = true;
    leg->reason = reason;
    return true;
}

/* An owner that takes nothing any more has ended: so does the leg, once its script, in the middle
 * of whose call we may be, waits again. */
bool
vendor_tell_owner(struct vendor *vendor, struct vendor_leg *leg, struct rt_message *message)
{
    if (message != NULL && rt_send(vendor->self, leg->owner, message) == RT_OK)
        return true;
    if (vendor_want_stop(leg, ADAPTER_USER_EXIT))
        vendor_wake_after(vendor, &leg->sleep, 0);
    return false;
}

void
vendor_report_use(struct vendor *vendor, struct vendor_leg *leg)
{
    leg->reported_ns = rt_now_ns(vendor->self);
    vendor_tell_owner(vendor, leg, vendor_event_message(vendor, leg, VENDOR_USED));
}

void
vendor_forget_exchange(struct vendor *vendor, struct vendor_exchange *exchange)
{
    struct vendor_exchange **at = &exchange->leg->exchanges;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    rt_table_remove(&vendor->exchanges, &exchange->link);
    rt_pool_give(exchange, sizeof(*exchange));
}

static void
free_leg(struct vendor *vendor, struct vendor_leg *leg)
{
    const struct net_http_port *http = &vendor->world->http;
    if (vendor->spent == leg)
        vendor->spent = NULL;
    if (leg->adapter.vm_slot != 0)
        vendor->world->adapters.forget(vendor->vm, &leg->adapter);
    while (leg->exchanges != NULL) {
        http->cancel(http->self, vendor->self, leg->exchanges->transfer);
        vendor_forget_exchange(vendor, leg->exchanges);
    }
    rt_wheel_remove(&vendor->wheel, &leg->sleep.entry);
    rt_wheel_remove(&vendor->wheel, &leg->patience.entry);
    rt_wheel_remove(&vendor->wheel, &leg->clock.entry);
    rt_table_remove(&vendor->legs, &leg->link);
    rt_buffer_release(leg->inputs);
    rt_buffer_release(leg->ref);
    vito_hold_release(leg->hold);
    rt_pool_give(leg, sizeof(*leg));
}

static void
tell_closed(struct vendor *vendor, struct rt_address to, const struct vendor_closed *closed)
{
    struct rt_message *message =
        rt_message_create_vital(VENDOR_CLOSED, sizeof(struct vendor_closed));
    *(struct vendor_closed *)rt_message_payload(message) = *closed;
    rt_send_control(vendor->self, to, message);
}

bool
vendor_is_unproven(const struct vendor_closed *closed, bool something_came)
{
    if (closed->stopped == ADAPTER_STOP_IMPOSSIBLE)
        return true;
    return closed->error == ADAPTER_ERROR_UNKNOWN && closed->reached && !something_came;
}

/* What costs by the clock, and may do so for longer than anybody waits for its end. */
static void
hand_over(const struct vendor *vendor, const struct vendor_leg *leg, enum adapter_stopped stopped)
{
    struct rt_address recovery = vendor->world->recovery;
    bool is_left = leg->opened
                       ? stopped == ADAPTER_STOP_IMPOSSIBLE
                       : leg->error == ADAPTER_ERROR_UNKNOWN || leg->error == ADAPTER_ERROR_BUG;
    if (!leg->by_clock || !is_left || !vito_hold_is_touched(leg->hold) ||
        rt_address_is(leg->owner, recovery))
        return;
    struct rt_message *message = rt_message_create(RECOVERY_STRAY, sizeof(struct recovery_stray));
    rt_log(RT_LOG_WARN, "vendor.left", RT_STR("provider", leg->provider),
           RT_STR("leg", vito_hold_leg_id(leg->hold)));
    if (message == NULL)
        return; /* its vendor ends it when everybody has left */
    struct recovery_stray *stray = rt_message_payload(message);
    *stray = (struct recovery_stray){.mode = vito_hold_mode(leg->hold)};
    RT_TEXT_SET(stray->tenant_id, vito_hold_tenant_id(leg->hold));
    RT_TEXT_SET(stray->leg_id, vito_hold_leg_id(leg->hold));
    RT_TEXT_SET(stray->provider, leg->provider);
    if (leg->ref != NULL)
        memcpy(stray->vendor_ref, leg->ref->bytes, leg->ref->size_bytes);
    rt_send_control(vendor->self, recovery, message);
}

void
vendor_close_leg(struct vendor *vendor, struct vendor_leg *leg, enum adapter_stopped stopped)
{
    struct rt_message *message =
        rt_message_create_vital(VENDOR_CLOSED, sizeof(struct vendor_closed));
    struct vendor_closed closed = {
        .leg = leg->number,
        .tokens = leg->tokens,
        .media_ms = leg->media_ms,
        .error = leg->error,
        .stopped = stopped,
        .opened = leg->opened,
        .reached = vito_hold_is_touched(leg->hold),
        .is_spent = leg->stop_wanted && leg->reason == ADAPTER_COST_LIMIT,
        .status = leg->status,
        .retry_after_s = leg->retry_after_s,
    };
    bool ends_well = leg->error == ADAPTER_ERROR_NONE || leg->error == ADAPTER_ERROR_CUT;
    if (leg->lost_output && ends_well) /* let it not pass for a whole answer */
        closed.error = ADAPTER_ERROR_RETRYABLE;
    *(struct vendor_closed *)rt_message_payload(message) = closed;
    /* Data lane: behind the output that was sent before. */
    enum rt_status status = rt_send(vendor->self, leg->owner, message);
    if (status == RT_FULL) { /* some output is lost likewise */
        if (closed.error == ADAPTER_ERROR_NONE)
            closed.error = ADAPTER_ERROR_RETRYABLE;
        tell_closed(vendor, leg->owner, &closed);
    } else if (status != RT_OK) {
        tell_closed(vendor, leg->heir, &closed);
    }
    hand_over(vendor, leg, stopped);
    free_leg(vendor, leg);
}

void
vendor_begin_verb(struct vendor *vendor, struct vendor_leg *leg, enum adapter_verb verb)
{
    const char *config = (const char *)leg->inputs->bytes;
    const char *limits = config + strlen(config) + 1;
    const char *drive = limits + strlen(limits) + 1;
    struct adapter_input input = {
        .config = config,
        .limits = limits,
        .drive = drive,
        .messages = drive + strlen(drive) + 1,
        .reason = leg->reason,
    };
    leg->verb = verb;
    leg->verb_runs = true;
    leg->waits_for_cover = leg->waits_for_room = false;
    rt_wheel_remove(&vendor->wheel, &leg->sleep.entry);
    if (verb == ADAPTER_TERMINATE)
        rt_wheel_remove(&vendor->wheel, &leg->clock.entry);
    if (verb == ADAPTER_DRIVE)
        rt_wheel_remove(&vendor->wheel, &leg->patience.entry);
    else
        vendor_wake_after(vendor, &leg->patience,
                          verb == ADAPTER_INITIALIZE ? INITIALIZE_MAX_MS : TERMINATE_MAX_MS);
    vendor->world->adapters.begin(vendor->vm, &leg->adapter, leg->provider, verb, &input);
}

void
vendor_resume(struct vendor *vendor, struct vendor_leg *leg, const struct adapter_event *event)
{
    if (leg->verb_runs)
        vendor->world->adapters.resume(vendor->vm, &leg->adapter, event);
    if (vendor->spent != NULL)
        vendor_end_spent(vendor, vendor->spent);
}

void
vendor_end_spent(struct vendor *vendor, struct vendor_leg *leg)
{
    uint64_t cut_ns = leg->waits_since_ns > leg->last_ns ? leg->waits_since_ns : leg->last_ns;
    vendor->spent = NULL;
    vendor_stop_leg(vendor, leg,
                    &(struct vendor_stop){.reason = ADAPTER_COST_LIMIT, .cut_ns = cut_ns});
}

void
vendor_resume_with(struct vendor *vendor, struct vendor_leg *leg, enum adapter_event_kind kind)
{
    vendor_resume(vendor, leg, &(struct adapter_event){.kind = kind});
}

/* Cuts what is driven. A create is never cut in the middle: what it makes could not be ended. */
void
vendor_stop_leg(struct vendor *vendor, struct vendor_leg *leg, const struct vendor_stop *stop)
{
    if (!vendor_want_stop(leg, stop->reason))
        return;
    leg->cut_ns = stop->cut_ns;
    rt_wheel_remove(&vendor->wheel, &leg->clock.entry);
    if (leg->verb != ADAPTER_DRIVE)
        return;
    vendor_wake_after(vendor, &leg->patience, CUT_MAX_MS);
    vendor_resume_with(vendor, leg, ADAPTER_EVENT_CUT);
}

/* A session that goes on without us can be found again by its name. Nobody waits for the answer:
 * without the name it is looked for. */
static void
keep_ref(const struct vendor *vendor, struct vendor_leg *leg, const char *ref)
{
    const struct vito_store *store = &vendor->world->store;
    struct vito_request request = {.op = VITO_LEG_REF};
    size_t size = ref == NULL ? 0 : strlen(ref);
    if (!leg->by_clock || size == 0 || size >= VITO_VENDOR_REF_BYTES ||
        rt_address_is(leg->owner, vendor->world->recovery)) /* it is to be ended at once */
        return;
    leg->ref = rt_buffer_copy(ref, size);
    if (leg->ref == NULL)
        return;
    RT_TEXT_SET(request.tenant_id, vito_hold_tenant_id(leg->hold));
    RT_TEXT_SET(request.leg.id, vito_hold_leg_id(leg->hold));
    request.document = rt_buffer_acquire(leg->ref);
    store->submit(store->self, vendor->self, &request, 0);
}

static void
initialized(struct vendor *vendor, struct vendor_leg *leg, const struct adapter_result *result)
{
    if (result->error != ADAPTER_ERROR_NONE) {
        vendor_close_leg(vendor, leg, ADAPTER_STOPPED);
        return;
    }
    leg->opened = true;
    keep_ref(vendor, leg, result->vendor_ref);
    struct rt_message *message = vendor_event_message(vendor, leg, VENDOR_OPENED);
    if (message != NULL && result->join != NULL && result->join[0] != '\0')
        message->buffer = rt_buffer_copy(result->join, strlen(result->join) + 1);
    if (message != NULL && message->buffer != NULL)
        message->buffer->size_bytes--; /* NUL-terminated, but not counted */
    vendor_tell_owner(vendor, leg, message);
    if (leg->stop_wanted) {
        leg->error = ADAPTER_ERROR_CUT;
        vendor_begin_verb(vendor, leg, ADAPTER_TERMINATE);
    } else {
        vendor_begin_verb(vendor, leg, ADAPTER_DRIVE);
    }
}

void
vendor_on_finished(void *host, struct adapter_leg *adapter, const struct adapter_result *result)
{
    struct vendor *vendor = host;
    struct vendor_leg *leg = vendor_leg_of(adapter);
    leg->verb_runs = false;
    if (result->verb != ADAPTER_TERMINATE) {
        leg->error = result->error;
        leg->status = result->status;
        leg->retry_after_s = result->retry_after_s;
    }
    if (result->error != ADAPTER_ERROR_NONE && result->error != ADAPTER_ERROR_CUT)
        rt_log(RT_LOG_WARN, "vendor.failed", RT_STR("provider", leg->provider),
               RT_STR("leg", vito_hold_leg_id(leg->hold)),
               RT_STR("error", adapter_error_name(result->error)), RT_I64("status", result->status),
               RT_STR("detail", result->detail));
    switch (result->verb) {
    case ADAPTER_INITIALIZE:
        initialized(vendor, leg, result);
        break;
    case ADAPTER_DRIVE:
        vendor_begin_verb(vendor, leg, ADAPTER_TERMINATE);
        break;
    case ADAPTER_TERMINATE:
        vendor_close_leg(vendor, leg,
                         result->error == ADAPTER_ERROR_NONE ? result->stopped
                                                             : ADAPTER_STOP_IMPOSSIBLE);
        break;
    }
}
