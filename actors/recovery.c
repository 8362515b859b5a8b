#include "actors/recovery.h"

#include <string.h>

#include "actors/recovery_state.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum {
    RUNNING_MAX = 64, /* at once, so that vendors are not flooded by a restart */
    RETRY_MS = 500,
    PUT_OFF_MAX_MS = 30000,
    STRAYS_MAX = 10000, /* behind that many legs: what is one more has its vendor's own limits */
    LOOK_MS = 500,      /* on a shared store: legs of other gateways that died become ours */
};

static struct recovery_leg *
find(const struct recovery *recovery, uint64_t number)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&recovery->legs, rt_hash_u64(number), link)) != NULL)
        if (RT_CONTAINER_OF(link, struct recovery_leg, link)->number == number)
            return RT_CONTAINER_OF(link, struct recovery_leg, link);
    return NULL;
}

static void
ask_for_list(struct rt_actor *self, struct recovery *recovery)
{
    const struct vito_store *store = &recovery->world->store;
    const struct vito_request request = {.op = VITO_LEG_LIST_ADOPTED};
    recovery->list_request = ++recovery->number;
    store->submit(store->self, self, &request, recovery->list_request);
}

/* Those that were put off for longer are looked at again when the timer fires. */
static void
begin_some(struct rt_actor *self, struct recovery *recovery)
{
    uint64_t now_ns = rt_now_ns(self);
    for (struct rt_table_link *link = rt_table_first(&recovery->legs), *next;
         link != NULL && recovery->running < RUNNING_MAX; link = next) {
        next = link->newer;
        struct recovery_leg *leg = RT_CONTAINER_OF(link, struct recovery_leg, link);
        if (leg->step != RECOVERY_LISTED || leg->not_before_ns > now_ns)
            continue;
        recovery->running++;
        recovery_leg_step(self, recovery, leg);
    }
}

void
recovery_leg_done(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    recovery_leg_free(recovery, leg);
    recovery->running--;
    begin_some(self, recovery);
    if (recovery->legs.count == 0)
        rt_log(RT_LOG_INFO, "recovery.done", RT_I64("at_ms", rt_wall_ms(self)));
}

/* One timer for all that waits: who comes later must not keep those who came before waiting. */
static void
look_again_later(struct rt_actor *self, struct recovery *recovery)
{
    if (!rt_timer_is_armed(&recovery->retry))
        rt_timer_set(self, &recovery->retry, RETRY_MS * RT_NS_PER_MS);
}

void
recovery_leg_stall(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    leg->stalled = true;
    look_again_later(self, recovery);
}

void
recovery_leg_put_off(struct rt_actor *self, struct recovery *recovery, struct recovery_leg *leg)
{
    uint64_t wait_ms = (uint64_t)RETRY_MS << (leg->tries < 6 ? leg->tries : 6);
    leg->tries++;
    leg->step = RECOVERY_LISTED;
    leg->not_before_ns =
        rt_now_ns(self) + (wait_ms < PUT_OFF_MAX_MS ? wait_ms : PUT_OFF_MAX_MS) * RT_NS_PER_MS;
    recovery->running--;
    look_again_later(self, recovery);
    begin_some(self, recovery);
}

static bool
is_known(const struct recovery *recovery, const char *leg_id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&recovery->by_id, rt_hash_text(leg_id), link)) != NULL)
        if (strcmp(RT_CONTAINER_OF(link, struct recovery_leg, by_id)->adopted.leg.id, leg_id) == 0)
            return true;
    return false;
}

static struct recovery_leg *
add(struct recovery *recovery, const struct vito_adopted_leg *adopted)
{
    struct recovery_leg *leg = rt_pool_take(sizeof(*leg));
    if (leg == NULL)
        return NULL;
    *leg = (struct recovery_leg){.number = ++recovery->number, .adopted = *adopted};
    if (!rt_table_add(&recovery->legs, &leg->link, rt_hash_u64(leg->number))) {
        rt_pool_give(leg, sizeof(*leg));
        return NULL;
    }
    if (!rt_table_add(&recovery->by_id, &leg->by_id, rt_hash_text(leg->adopted.leg.id))) {
        rt_table_remove(&recovery->legs, &leg->link);
        rt_pool_give(leg, sizeof(*leg));
        return NULL;
    }
    return leg;
}

static void
on_stray(struct rt_actor *self, struct recovery *recovery, const struct recovery_stray *stray)
{
    struct vito_adopted_leg adopted = {.leg = {.mode = stray->mode, .at_ms = rt_wall_ms(self)}};
    RT_TEXT_SET(adopted.tenant_id, stray->tenant_id);
    RT_TEXT_SET(adopted.leg.id, stray->leg_id);
    RT_TEXT_SET(adopted.leg.provider_id, stray->provider);
    RT_TEXT_SET(adopted.vendor_ref, stray->vendor_ref);
    if (recovery->legs.count >= STRAYS_MAX || is_known(recovery, stray->leg_id))
        return;
    struct recovery_leg *leg = add(recovery, &adopted);
    if (leg == NULL)
        return;
    leg->is_stray = true;
    recovery->running++;
    recovery_leg_put_off(self, recovery, leg);
}

static void
on_list(struct rt_actor *self, struct recovery *recovery, const struct vito_stored *stored,
        const struct rt_buffer *list)
{
    if (stored->status != RT_OK) {
        rt_timer_set(self, recovery->is_listed ? &recovery->look : &recovery->retry,
                     RETRY_MS * RT_NS_PER_MS);
        return;
    }
    recovery->is_listed = true;
    size_t count = list == NULL ? 0 : list->size_bytes / sizeof(struct vito_adopted_leg);
    size_t known = recovery->legs.count;
    for (size_t i = 0; i < count; i++) {
        struct vito_adopted_leg adopted;
        memcpy(&adopted, list->bytes + i * sizeof(adopted), sizeof(adopted));
        if (!is_known(recovery, adopted.leg.id) && add(recovery, &adopted) == NULL) {
            rt_fail(self, "no_memory"); /* and from the beginning: nothing is done twice */
            return;
        }
    }
    if (recovery->world->store.listen != NULL)
        rt_timer_set(self, &recovery->look, LOOK_MS * RT_NS_PER_MS);
    if (recovery->legs.count > known)
        rt_log(RT_LOG_WARN, "recovery.began", RT_U64("legs", recovery->legs.count - known));
    begin_some(self, recovery);
}

static void
on_timer(struct rt_actor *self, struct recovery *recovery, const struct rt_timer *timer)
{
    if (timer == &recovery->look || !recovery->is_listed) {
        ask_for_list(self, recovery);
        return;
    }
    bool is_put_off = false;
    for (struct rt_table_link *link = rt_table_first(&recovery->legs), *next; link != NULL;
         link = next) {
        next = link->newer;
        struct recovery_leg *leg = RT_CONTAINER_OF(link, struct recovery_leg, link);
        is_put_off |= leg->not_before_ns > rt_now_ns(self);
        if (leg->stalled)
            recovery_leg_step(self, recovery, leg);
    }
    if (is_put_off)
        look_again_later(self, recovery);
    begin_some(self, recovery);
}

static void
on_stored(struct rt_actor *self, struct recovery *recovery, struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    struct recovery_leg *leg = find(recovery, message->request_id);
    if (message->request_id == recovery->list_request)
        on_list(self, recovery, stored, message->buffer);
    else if (leg != NULL)
        recovery_leg_stored(self, recovery, leg, stored, message->buffer);
}

static void
on_vendor_closed(struct rt_actor *self, struct recovery *recovery, struct rt_message *message)
{
    const struct vendor_closed *closed = rt_message_payload(message);
    struct recovery_leg *leg = find(recovery, closed->leg);
    if (leg != NULL)
        recovery_leg_closed(self, recovery, leg, closed);
}

static void
on_resolved(struct rt_actor *self, struct recovery *recovery, struct rt_message *message)
{
    struct recovery_leg *leg = find(recovery, message->request_id);
    if (leg == NULL)
        return;
    const struct registry_resolved *resolved = rt_message_payload(message);
    struct rt_message *configure = rt_message_create(TENANT_CONFIGURE, 0);
    if (message->kind == REGISTRY_RESOLVED && resolved->refused == PROBLEM_NONE &&
        configure != NULL) {
        configure->buffer = rt_buffer_acquire(leg->document);
        rt_send_control(self, resolved->address, configure);
    } else {
        rt_message_destroy(configure); /* it reads its books when it is woken */
    }
    recovery_leg_done(self, recovery, leg);
}

static void
recovery_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct recovery *recovery = state;
    switch (message->kind) {
    case RT_KIND_START:
        ask_for_list(self, recovery);
        break;
    case RT_KIND_TIMER:
        on_timer(self, recovery, rt_timer_of(message));
        break;
    case VITO_STORED:
        on_stored(self, recovery, message);
        break;
    case RECOVERY_STRAY:
        on_stray(self, recovery, rt_message_payload(message));
        break;
    case VENDOR_CLOSED:
        on_vendor_closed(self, recovery, message);
        break;
    case REGISTRY_RESOLVED:
    case RT_KIND_FAILED:
        on_resolved(self, recovery, message);
        break;
    default:
        break;
    }
}

static enum rt_status
recovery_init(struct rt_actor *self, void *state, const void *args)
{
    struct recovery *recovery = state;
    recovery->world = args;
    /* Somewhere else than a former life of this actor, whose answers may still come. */
    rt_random(self, &recovery->number, sizeof(recovery->number));
    recovery->number >>= 1;
    return RT_OK;
}

static void
recovery_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self, (void)reason;
    struct recovery *recovery = state;
    while (recovery->legs.count > 0)
        recovery_leg_free(
            recovery, RT_CONTAINER_OF(rt_table_first(&recovery->legs), struct recovery_leg, link));
    rt_table_deinit(&recovery->legs);
    rt_table_deinit(&recovery->by_id);
}

const struct rt_behaviour recovery_behaviour = {
    .name = "recovery",
    .state_bytes = sizeof(struct recovery),
    .limits = {.messages_max = 10000, .bytes_max = 32 << 20},
    .init = recovery_init,
    .handle = recovery_handle,
    .stop = recovery_stop,
};
