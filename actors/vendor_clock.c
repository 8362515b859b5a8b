/*
 * The clock of legs that cost by it.
 *
 * Such a leg costs from the moment its vendor is asked to begin, whatever its script waits for: a
 * slow answer to the create, a look at the room, a report that is a second late. So the vendor
 * actor keeps the time itself, says when more has to be asked for, and stops the leg where its
 * allowance ends. What is billed is still what the script reports and the vendor says in the end.
 */
#include "actors/vendor_state.h"

enum { REPEAT_MS = 1000 }; /* more was asked for, and has not come */

static int64_t
elapsed_ms(const struct vendor *vendor, const struct vendor_leg *leg)
{
    return (int64_t)((rt_boot_ns(vendor->self) - leg->began_ns) / RT_NS_PER_MS);
}

int64_t
vendor_clock_media_ms(const struct vendor *vendor, const struct vendor_leg *leg)
{
    if (!leg->by_clock || leg->verb == ADAPTER_TERMINATE)
        return leg->media_ms;
    int64_t now_ms = elapsed_ms(vendor, leg);
    return now_ms > leg->media_ms ? now_ms : leg->media_ms;
}

void
vendor_clock_set(struct vendor *vendor, struct vendor_leg *leg)
{
    if (!leg->by_clock || leg->allowed_ms == VITO_UNLIMITED || leg->verb == ADAPTER_TERMINATE)
        return;
    int64_t now_ms = elapsed_ms(vendor, leg);
    int64_t next_ms = now_ms < leg->renew_ms ? leg->renew_ms : now_ms + REPEAT_MS;
    if (next_ms > leg->allowed_ms)
        next_ms = leg->allowed_ms;
    vendor_wake_after(vendor, &leg->clock, next_ms > now_ms ? (uint32_t)(next_ms - now_ms) : 0);
}

void
vendor_on_clock(struct vendor *vendor, struct vendor_leg *leg)
{
    vendor_report_use(vendor, leg);
    if (elapsed_ms(vendor, leg) < leg->allowed_ms) {
        vendor_clock_set(vendor, leg);
        return;
    }
    leg->waits_since_ns = rt_now_ns(vendor->self);
    vendor_end_spent(vendor, leg);
}
