#include "actors/vendor.h"

#include <string.h>

#include "actors/metrics.h"
#include "actors/vendor_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

static void
give_back_hold(struct rt_message *message)
{
    struct vendor_open *open = rt_message_payload(message);
    vito_hold_release(open->hold);
}

struct rt_message *
vendor_open_create(void)
{
    struct rt_message *message = rt_message_create(VENDOR_OPEN, sizeof(struct vendor_open));
    if (message != NULL)
        message->give_back = give_back_hold;
    return message;
}

static bool
is_by_clock(const struct vendor *vendor, const char *provider)
{
    const struct adapter_port *adapters = &vendor->world->adapters;
    const struct adapter_sheet *sheet = adapters->sheet(adapters->self, provider);
    return sheet != NULL && sheet->metered_by_clock;
}

static struct vendor_leg *
make_leg(struct vendor *vendor, struct rt_message *message)
{
    struct vendor_open *open = rt_message_payload(message);
    struct vendor_leg *leg =
        vendor->legs.count < VENDOR_LEGS_MAX ? rt_pool_take(sizeof(*leg)) : NULL;
    if (leg == NULL)
        return NULL;
    *leg = (struct vendor_leg){
        .number = open->leg,
        .owner = message->from,
        .heir = open->heir,
        .hold = open->hold,
        .inputs = rt_buffer_acquire(message->buffer),
        .allowed_tokens = open->allowed_tokens,
        .allowed_ms = open->allowed_ms,
        .renew_tokens = open->renew_tokens,
        .renew_ms = open->renew_ms,
        .by_clock = is_by_clock(vendor, open->provider),
        .began_ns = rt_boot_ns(vendor->self),
        .reported_ns = rt_now_ns(vendor->self),
    };
    leg->sleep.leg = leg->patience.leg = leg->clock.leg = leg;
    leg->patience.kind = VENDOR_ALARM_PATIENCE;
    leg->clock.kind = VENDOR_ALARM_CLOCK;
    RT_TEXT_SET(leg->provider, open->provider);
    if (rt_table_add(&vendor->legs, &leg->link, rt_hash_u64(leg->number))) {
        open->hold = NULL; /* the leg has it now */
        return leg;
    }
    rt_buffer_release(leg->inputs);
    rt_pool_give(leg, sizeof(*leg));
    return NULL;
}

static void
on_open(struct vendor *vendor, struct rt_message *message)
{
    const struct vendor_open *open = rt_message_payload(message);
    struct vendor_leg *leg = make_leg(vendor, message);
    if (leg != NULL) {
        metrics_leg_began(vito_hold_mode(leg->hold));
        vendor_clock_set(vendor, leg);
        vendor_begin_verb(vendor, leg, ADAPTER_INITIALIZE);
        return;
    }
    struct rt_message *closed =
        rt_message_create_vital(VENDOR_CLOSED, sizeof(struct vendor_closed));
    *(struct vendor_closed *)rt_message_payload(closed) =
        (struct vendor_closed){.leg = open->leg, .error = ADAPTER_ERROR_RETRYABLE};
    rt_send_control(vendor->self, message->from, closed);
}

static void
on_allow(struct vendor *vendor, const struct vendor_allow *allow)
{
    struct vendor_leg *leg = vendor_find_leg(vendor, allow->leg);
    if (leg == NULL)
        return;
    leg->allowed_tokens = allow->allowed_tokens;
    leg->allowed_ms = allow->allowed_ms;
    leg->renew_tokens = allow->renew_tokens;
    leg->renew_ms = allow->renew_ms;
    leg->last_ns = allow->last_ns;
    if (!leg->stop_wanted)
        vendor_clock_set(vendor, leg);
    if (!leg->waits_for_cover || leg->stop_wanted)
        return;
    leg->waits_for_cover = !vendor_is_covered(leg);
    if (leg->waits_for_cover && leg->last_ns != 0)
        vendor_end_spent(vendor, leg);
    else if (leg->waits_for_cover)
        vendor_report_use(vendor, leg);
    else
        vendor_resume_with(vendor, leg, ADAPTER_EVENT_COVERED);
}

static void
on_credit(struct vendor *vendor, const struct vendor_credit *credit)
{
    struct vendor_leg *leg = vendor_find_leg(vendor, credit->leg);
    if (leg == NULL)
        return;
    leg->unacked_bytes -= credit->bytes < leg->unacked_bytes ? credit->bytes : leg->unacked_bytes;
    if (!leg->waits_for_room || leg->stop_wanted || leg->unacked_bytes > VENDOR_WINDOW_BYTES / 2)
        return;
    leg->waits_for_room = false;
    vendor_resume_with(vendor, leg, ADAPTER_EVENT_ROOM);
}

static void
on_http(struct vendor *vendor, struct rt_message *message)
{
    /* All three payloads begin with the transfer. */
    struct vendor_exchange *exchange =
        vendor_find_exchange(vendor, *(const uint64_t *)rt_message_payload(message));
    if (exchange == NULL)
        return; /* of a leg that is gone */
    struct vendor_leg *leg = exchange->leg;
    struct adapter_event event = {.exchange = exchange->transfer};
    if (message->kind == NET_HTTP_HEAD) {
        const struct net_http_head *head = rt_message_payload(message);
        event.kind = ADAPTER_EVENT_HEAD;
        event.status = head->status;
        event.content_type = head->content_type;
        event.retry_after_s = head->retry_after_s;
    } else if (message->kind == NET_HTTP_DATA) {
        event.kind = ADAPTER_EVENT_DATA;
        event.bytes = message->buffer->bytes;
        event.size_bytes = message->buffer->size_bytes;
    } else {
        event.kind = ADAPTER_EVENT_END;
        event.result = ((const struct net_http_end *)rt_message_payload(message))->result;
        vendor_forget_exchange(vendor, exchange);
    }
    vendor_resume(vendor, leg, &event);
}

static void
on_alarm(struct vendor *vendor, struct vendor_alarm *alarm)
{
    struct vendor_leg *leg = alarm->leg;
    if (alarm->kind == VENDOR_ALARM_CLOCK) {
        vendor_on_clock(vendor, leg);
    } else if (alarm->kind == VENDOR_ALARM_PATIENCE) { /* it takes too long: nobody knows */
        if (leg->error == ADAPTER_ERROR_NONE)
            leg->error = ADAPTER_ERROR_UNKNOWN;
        vendor_close_leg(vendor, leg, ADAPTER_STOP_IMPOSSIBLE);
    } else if (leg->stop_wanted && leg->verb == ADAPTER_DRIVE) {
        vendor_resume_with(vendor, leg, ADAPTER_EVENT_CUT);
    } else {
        vendor_resume_with(vendor, leg, ADAPTER_EVENT_AWAKE);
    }
}

static void
on_timer(struct vendor *vendor)
{
    struct rt_wheel_entry *entry;
    while ((entry = rt_wheel_expire(&vendor->wheel, rt_now_ns(vendor->self))) != NULL)
        on_alarm(vendor, RT_CONTAINER_OF(entry, struct vendor_alarm, entry));
    vendor_set_timer(vendor);
}

static void
vendor_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct vendor *vendor = state;
    vendor->self = self;
    switch (message->kind) {
    case RT_KIND_TIMER:
        on_timer(vendor);
        break;
    case VENDOR_OPEN:
        on_open(vendor, message);
        break;
    case VENDOR_ALLOW:
        on_allow(vendor, rt_message_payload(message));
        break;
    case VENDOR_CREDIT:
        on_credit(vendor, rt_message_payload(message));
        break;
    case VENDOR_STOP: {
        const struct vendor_stop *stop = rt_message_payload(message);
        struct vendor_leg *leg = vendor_find_leg(vendor, stop->leg);
        if (leg != NULL && stop->heir.id != 0)
            leg->owner = leg->heir = stop->heir;
        if (leg != NULL)
            vendor_stop_leg(vendor, leg, stop);
        break;
    }
    case NET_HTTP_HEAD:
    case NET_HTTP_DATA:
    case NET_HTTP_END:
        on_http(vendor, message);
        break;
    default:
        break;
    }
}

static enum rt_status
vendor_init(struct rt_actor *self, void *state, const void *args)
{
    struct vendor *vendor = state;
    vendor->world = args;
    vendor->self = self;
    vendor->transfer = rt_numbers_from(self);
    rt_wheel_init(&vendor->wheel, rt_now_ns(self));
    struct adapter_host host = vendor_host;
    host.self = vendor;
    vendor->vm = vendor->world->adapters.open(vendor->world->adapters.self, &host);
    return vendor->vm == NULL ? RT_NO_MEMORY : RT_OK;
}

/* Whatever a leg was doing, its vendor may go on with it: only what was never sent is known to be
 * free. */
static void
vendor_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)reason;
    struct vendor *vendor = state;
    vendor->self = self;
    while (vendor->legs.count > 0) {
        struct vendor_leg *leg =
            RT_CONTAINER_OF(rt_table_first(&vendor->legs), struct vendor_leg, link);
        leg->error = ADAPTER_ERROR_BUG;
        vendor_close_leg(vendor, leg,
                         vito_hold_is_touched(leg->hold) ? ADAPTER_STOP_IMPOSSIBLE
                                                         : ADAPTER_STOPPED);
    }
    vendor->world->adapters.close(vendor->vm);
    rt_table_deinit(&vendor->legs);
    rt_table_deinit(&vendor->exchanges);
}

const struct rt_behaviour vendor_behaviour = {
    .name = "vendor",
    .state_bytes = sizeof(struct vendor),
    .limits = {.messages_max = 1 << 17, .bytes_max = 512 << 20},
    .is_slow = true, /* it runs adapters */
    .init = vendor_init,
    .handle = vendor_handle,
    .stop = vendor_stop,
};
