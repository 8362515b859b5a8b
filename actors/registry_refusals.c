/*
 * What the audit trail is told of credentials that were shown for a twin they do not belong to.
 *
 * Whoever has a key could fill the store with it. So in a minute the first ONE_TENANT_MAX of a
 * twin, and ALL_MAX of all, are recorded one by one; the rest is counted, and recorded as one entry
 * a twin when the minute is over. PLACES twins are counted; beyond that, only in a metric.
 */
#include <string.h>

#include "actors/metrics.h"
#include "actors/registry_state.h"
#include "runtime/text.h"

enum { ONE_TENANT_MAX = 20, ALL_MAX = 100, MINUTE_MS = 60000 };

static void
append(struct rt_actor *self, struct registry *registry, const char *tenant_id,
       struct wire_writer *details)
{
    struct vito_request request = {.op = VITO_AUDIT_APPEND};
    struct wire_bytes bytes;
    uint8_t random[10];
    rt_random(self, random, sizeof(random));
    RT_TEXT_SET(request.tenant_id, tenant_id);
    request.audit.at_ms = rt_wall_ms(self);
    vito_id_make(request.audit.id, "aud", request.audit.at_ms, random);
    RT_TEXT_SET(request.audit.event, "ACCESS_REFUSED");
    if (wire_end(details, &bytes) == RT_OK)
        request.document = rt_buffer_copy(bytes.bytes, bytes.size_bytes);
    registry_submit(self, registry, REGISTRY_RESOLVED, &request); /* nothing waits for it */
}

/* The tenant's place; NULL when all are taken by others. */
static struct registry_refusals *
place_of(struct registry *registry, const char *tenant_id)
{
    struct registry_refusals *free_place = NULL;
    for (size_t i = 0; i < REGISTRY_REFUSALS_PLACES; i++) {
        struct registry_refusals *place = &registry->refusals[i];
        if (strcmp(place->tenant_id, tenant_id) == 0)
            return place;
        if (place->tenant_id[0] == '\0' && free_place == NULL)
            free_place = place;
    }
    if (free_place != NULL)
        RT_TEXT_SET(free_place->tenant_id, tenant_id);
    return free_place;
}

void
registry_on_refusals_timer(struct rt_actor *self, struct registry *registry)
{
    for (size_t i = 0; i < REGISTRY_REFUSALS_PLACES; i++) {
        const struct registry_refusals *place = &registry->refusals[i];
        if (place->tenant_id[0] == '\0' || place->more == 0)
            continue;
        struct wire_writer *writer = wire_begin(WIRE_JSON);
        wire_open_map(writer, NULL);
        wire_text(writer, "reason", "forbidden_tenant");
        wire_int(writer, "count", place->more);
        wire_time(writer, "first_at", place->first_ms);
        wire_time(writer, "last_at", place->last_ms);
        wire_close(writer);
        append(self, registry, place->tenant_id, writer);
    }
    memset(registry->refusals, 0, sizeof(registry->refusals));
    registry->refusals_told = 0;
}

void
registry_record_refusal(struct rt_actor *self, struct registry *registry, const char *tenant_id,
                        const struct access_caller *caller)
{
    if (!rt_timer_is_armed(&registry->refusals_timer))
        rt_timer_set(self, &registry->refusals_timer, MINUTE_MS * RT_NS_PER_MS);
    struct registry_refusals *place = place_of(registry, tenant_id);
    if (place == NULL) {
        metrics_refusals_uncounted(1);
        return;
    }
    if (place->told == ONE_TENANT_MAX || registry->refusals_told == ALL_MAX) {
        place->last_ms = rt_wall_ms(self);
        if (place->more++ == 0)
            place->first_ms = place->last_ms;
        return;
    }
    place->told++;
    registry->refusals_told++;
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "reason", "forbidden_tenant");
    wire_text(writer, "caller", caller->name);
    wire_text(writer, "caller_tenant_id", caller->tenant_id);
    wire_close(writer);
    append(self, registry, tenant_id, writer);
}
