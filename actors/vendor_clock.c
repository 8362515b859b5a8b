/*
 * The clock of legs that cost by it.
 *
 * Such a leg costs from the moment its vendor is asked to begin, whatever its script waits for: a
 * slow answer to the create, a look at the room. So the vendor actor keeps the time itself, tells
 * it each second, says when more has to be asked for, and stops the leg where its allowance ends.
 * The script need not be woken for that. What is billed is still what it reports, and what the
 * vendor says in the end.
 */
#include "actors/vendor_state.h"

/* A hundred rooms that were opened together end together, and to tell their vendor takes the actor
 * some 0.13 ms each: so it begins a little before. */
enum { REPORT_MS = 1000, LEAD_MS = 20 };

static uint64_t
elapsed_ns(const struct vendor *vendor, const struct vendor_leg *leg)
{
    return rt_boot_ns(vendor->self) - leg->began_ns;
}

static int64_t
elapsed_ms(const struct vendor *vendor, const struct vendor_leg *leg)
{
    return (int64_t)(elapsed_ns(vendor, leg) / RT_NS_PER_MS);
}

/* When the leg is stopped, unless more has come by then. */
static int64_t
end_ms(const struct vendor_leg *leg)
{
    return leg->allowed_ms > LEAD_MS ? leg->allowed_ms - LEAD_MS : 0;
}

int64_t
vendor_clock_media_ms(const struct vendor *vendor, const struct vendor_leg *leg)
{
    if (!leg->by_clock || leg->verb == ADAPTER_TERMINATE)
        return leg->media_ms;
    int64_t now_ms = elapsed_ms(vendor, leg);
    if (now_ms > leg->allowed_ms) /* an estimate is no proof that it cost more than was held */
        now_ms = leg->allowed_ms;
    return now_ms > leg->media_ms ? now_ms : leg->media_ms;
}

void
vendor_clock_set(struct vendor *vendor, struct vendor_leg *leg)
{
    if (!leg->by_clock || leg->allowed_ms == VITO_UNLIMITED || leg->verb == ADAPTER_TERMINATE)
        return;
    int64_t now_ms = elapsed_ms(vendor, leg);
    int64_t next_ms = now_ms + REPORT_MS;
    if (now_ms < leg->renew_ms && next_ms > leg->renew_ms)
        next_ms = leg->renew_ms;
    if (next_ms > end_ms(leg))
        next_ms = end_ms(leg);
    vendor_wake_after(vendor, &leg->clock, next_ms > now_ms ? (uint32_t)(next_ms - now_ms) : 0);
}

void
vendor_on_clock(struct vendor *vendor, struct vendor_leg *leg)
{
    uint64_t used_ns = elapsed_ns(vendor, leg);
    vendor_report_use(vendor, leg);
    if (used_ns < (uint64_t)end_ms(leg) * RT_NS_PER_MS) {
        vendor_clock_set(vendor, leg);
        return;
    }
    /* When its allowance ends: soon, or some time ago when we are late. */
    leg->waits_since_ns =
        rt_now_ns(vendor->self) + (uint64_t)leg->allowed_ms * RT_NS_PER_MS - used_ns;
    vendor_end_spent(vendor, leg);
}
