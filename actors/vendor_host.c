/*
 * What a vendor actor does for its scripts.
 */
#include "actors/metrics.h"
#include "actors/session.h"
#include "actors/vendor_state.h"
#include "actors/vendor_wire.h"
#include "runtime/pool.h"

enum { USED_EVERY_MS = 500 };

/* A vendor by the clock is told to stop by the first request of the leg's end, … */
static void
hurry_stop_request(struct vendor *vendor, struct vendor_leg *leg, uint64_t transfer)
{
    const struct net_http_port *http = &vendor->world->http;
    if (leg->cut_ns == 0 || leg->verb != ADAPTER_TERMINATE || !leg->by_clock)
        return;
    if (http->hurry != NULL)
        http->hurry(http->self, vendor->self, transfer, leg->cut_ns, metrics_cut_seconds());
    leg->cut_ns = 0;
}

/* … another one by the end of its stream. */
static void
time_stop_of_stream(struct vendor *vendor, struct vendor_leg *leg)
{
    if (leg->cut_ns == 0 || leg->by_clock)
        return;
    rt_histogram_record(metrics_cut_seconds(), rt_now_ns(vendor->self) - leg->cut_ns);
    leg->cut_ns = 0;
}

static enum rt_status
on_http_start(void *host, struct adapter_leg *adapter, const struct adapter_http *request,
              uint64_t *exchange_out)
{
    struct vendor *vendor = host;
    struct vendor_leg *leg = vendor_leg_of(adapter);
    struct vendor_exchange *exchange = rt_pool_take(sizeof(*exchange));
    if (exchange == NULL)
        return RT_NO_MEMORY;
    *exchange = (struct vendor_exchange){
        .transfer = ++vendor->transfer, .leg = leg, .next = leg->exchanges};
    if (!rt_table_add(&vendor->exchanges, &exchange->link, rt_hash_u64(exchange->transfer))) {
        rt_pool_give(exchange, sizeof(*exchange));
        return RT_NO_MEMORY;
    }
    leg->exchanges = exchange;
    enum rt_status status = vendor_wire_start(vendor->world, vendor->self, leg->hold, leg->provider,
                                              request, exchange->transfer);
    if (status != RT_OK) {
        vendor_forget_exchange(vendor, exchange);
        return status;
    }
    *exchange_out = exchange->transfer;
    hurry_stop_request(vendor, leg, exchange->transfer);
    return RT_OK;
}

static void
on_http_consume(void *host, struct adapter_leg *adapter, uint64_t exchange, uint32_t bytes)
{
    (void)adapter;
    struct vendor *vendor = host;
    const struct net_http_port *http = &vendor->world->http;
    http->consume(http->self, vendor->self, exchange, bytes);
}

static void
on_http_stop(void *host, struct adapter_leg *adapter, uint64_t exchange)
{
    struct vendor *vendor = host;
    const struct net_http_port *http = &vendor->world->http;
    http->stop(http->self, vendor->self, exchange);
    time_stop_of_stream(vendor, vendor_leg_of(adapter));
}

static void
on_http_cancel(void *host, struct adapter_leg *adapter, uint64_t transfer)
{
    struct vendor *vendor = host;
    const struct net_http_port *http = &vendor->world->http;
    struct vendor_exchange *exchange = vendor_find_exchange(vendor, transfer);
    if (exchange == NULL)
        return;
    http->cancel(http->self, vendor->self, transfer);
    time_stop_of_stream(vendor, vendor_leg_of(adapter));
    vendor_forget_exchange(vendor, exchange);
}

static void
on_sleep(void *host, struct adapter_leg *adapter, uint32_t ms)
{
    vendor_wake_after(host, &vendor_leg_of(adapter)->sleep, ms);
}

static int64_t
on_wall_ms(void *host)
{
    return rt_wall_ms(((struct vendor *)host)->self);
}

static int64_t
on_boot_ms(void *host)
{
    return (int64_t)(rt_boot_ns(((struct vendor *)host)->self) / RT_NS_PER_MS);
}

bool
vendor_is_covered(const struct vendor_leg *leg)
{
    /* What still comes while the leg is being stopped is counted; the hold has room for it. */
    return leg->verb == ADAPTER_TERMINATE ||
           (leg->tokens <= leg->allowed_tokens && leg->media_ms <= leg->allowed_ms);
}

static bool
on_use(void *host, struct adapter_leg *adapter, const struct adapter_use *use)
{
    struct vendor *vendor = host;
    struct vendor_leg *leg = vendor_leg_of(adapter);
    if (use->tokens > 0)
        leg->tokens += use->tokens;
    if (use->media_ms > 0)
        leg->media_ms += use->media_ms;
    bool waited = leg->waits_for_cover;
    leg->waits_for_cover = !vendor_is_covered(leg);
    if (leg->waits_for_cover && !waited)
        leg->waits_since_ns = rt_now_ns(vendor->self);
    if (leg->waits_for_cover || leg->tokens >= leg->renew_tokens ||
        leg->media_ms >= leg->renew_ms ||
        rt_now_ns(vendor->self) - leg->reported_ns >= USED_EVERY_MS * RT_NS_PER_MS)
        vendor_report_use(vendor, leg);
    /* By the clock, what is held beyond the allowance is needed to stop it, not to wait for more.
     */
    if (leg->waits_for_cover && (leg->last_ns != 0 || leg->by_clock))
        vendor->spent = leg;
    return !leg->waits_for_cover;
}

static void
on_final_use(void *host, struct adapter_leg *adapter, const struct adapter_final_use *use)
{
    (void)host;
    struct vendor_leg *leg = vendor_leg_of(adapter);
    if (use->tokens >= 0)
        leg->tokens = use->tokens;
    if (use->media_ms >= 0)
        leg->media_ms = use->media_ms;
}

static bool
emit(struct vendor *vendor, struct vendor_leg *leg, enum twin_kind kind, const void *bytes,
     size_t size)
{
    if (leg->stop_wanted)
        return true; /* nobody listens any more */
    struct rt_message *message = vendor_event_message(vendor, leg, kind);
    if (message != NULL)
        message->buffer = rt_buffer_copy(bytes, size);
    if (message != NULL && message->buffer == NULL) {
        rt_message_destroy(message);
        message = NULL;
    }
    leg->unacked_bytes += (uint32_t)size + SESSION_FRAME_WEIGHT;
    leg->waits_for_room = leg->unacked_bytes > VENDOR_WINDOW_BYTES;
    bool room = !leg->waits_for_room;
    leg->lost_output |= !vendor_tell_owner(vendor, leg, message);
    return room;
}

static bool
on_emit_text(void *host, struct adapter_leg *adapter, const char *text, size_t bytes)
{
    return emit(host, vendor_leg_of(adapter), VENDOR_TEXT, text, bytes);
}

static bool
on_emit_audio(void *host, struct adapter_leg *adapter, const void *audio, size_t bytes)
{
    return emit(host, vendor_leg_of(adapter), VENDOR_AUDIO, audio, bytes);
}

const struct adapter_host vendor_host = {
    .http_start = on_http_start,
    .http_consume = on_http_consume,
    .http_stop = on_http_stop,
    .http_cancel = on_http_cancel,
    .sleep = on_sleep,
    .wall_ms = on_wall_ms,
    .boot_ms = on_boot_ms,
    .use = on_use,
    .final_use = on_final_use,
    .emit_text = on_emit_text,
    .emit_audio = on_emit_audio,
    .finished = vendor_on_finished,
};
