#include "actors/tenant.h"

#include <string.h>

#include "actors/metrics.h"
#include "actors/tenant_state.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { STORE_RETRY_MS = 1000 };

void
tenant_make_id(struct rt_actor *self, const struct tenant *tenant, const char *prefix,
               char id_out[VITO_ID_BYTES], uint64_t *number_out)
{
    uint8_t random[10];
    rt_random(self, random, sizeof(random));
    /* The first twenty bits, four characters of the id, say whose it is (registry.c). */
    random[0] = (uint8_t)(tenant->slot >> 12);
    random[1] = (uint8_t)(tenant->slot >> 4);
    random[2] = (uint8_t)(tenant->slot << 4 | (random[2] & 0x0f));
    vito_id_make(id_out, prefix, rt_wall_ms(self), random);
    if (number_out != NULL)
        memcpy(number_out, random + 2, sizeof(*number_out));
}

bool
tenant_leg_number(const char *id, uint64_t *number_out)
{
    uint8_t random[10];
    if (!vito_id_random(id, random))
        return false;
    memcpy(number_out, random + 2, sizeof(*number_out));
    return true;
}

struct tenant_pending *
tenant_expect(struct rt_actor *self, struct tenant *tenant, enum tenant_pending_kind kind,
              void *subject)
{
    struct tenant_pending *pending = rt_pool_take(sizeof(*pending));
    if (pending == NULL) {
        rt_fail(self, "no_memory");
        return NULL;
    }
    *pending =
        (struct tenant_pending){.id = ++tenant->pending_id, .kind = kind, .subject = subject};
    if (!rt_table_add(&tenant->pending, &pending->link, rt_hash_u64(pending->id))) {
        rt_pool_give(pending, sizeof(*pending));
        rt_fail(self, "no_memory");
        return NULL;
    }
    return pending;
}

void
tenant_submit(struct rt_actor *self, struct tenant *tenant, struct vito_request *request,
              enum tenant_pending_kind kind, void *subject)
{
    struct tenant_pending *pending = tenant_expect(self, tenant, kind, subject);
    if (pending == NULL) {
        vito_request_release(request);
        return;
    }
    pending->period_start_ms = request->period_start_ms;
    RT_TEXT_SET(request->tenant_id, tenant->config->id);
    tenant->world->store.submit(tenant->world->store.self, self, request, pending->id);
}

static struct tenant_pending *
take_pending(struct tenant *tenant, uint64_t id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&tenant->pending, rt_hash_u64(id), link)) != NULL) {
        struct tenant_pending *pending = RT_CONTAINER_OF(link, struct tenant_pending, link);
        if (pending->id != id)
            continue;
        rt_table_remove(&tenant->pending, link);
        return pending;
    }
    return NULL;
}

/* Whether a former life may have left more legs open than are known. */
static bool
may_have_more_orphans(const struct tenant *tenant)
{
    return !tenant->adopted || tenant->more_orphans;
}

static bool
is_idle(const struct tenant *tenant)
{
    return tenant->sessions.count == 0 && tenant->legs.count == 0 && tenant->orphans.count == 0 &&
           tenant->admissions == NULL && tenant->pending.count == 0 &&
           !may_have_more_orphans(tenant);
}

void
tenant_became_idle(struct rt_actor *self, struct tenant *tenant)
{
    if (tenant->phase == TENANT_LEAVING || !is_idle(tenant)) {
        if (tenant->phase == TENANT_LEAVING && is_idle(tenant))
            rt_stop(self, tenant->owes ? RT_EXIT_FAILED : RT_EXIT_NORMAL);
        return;
    }
    rt_timer_set(self, &tenant->idle_timer,
                 tenant->draining ? 0 : tenant->world->tenant_idle_ms * RT_NS_PER_MS);
}

static void
save_memory(struct rt_actor *self, struct tenant *tenant)
{
    if (!tenant->memory_changed)
        return;
    tenant->memory_changed = false;
    struct vito_request request = {.op = VITO_MEMORY_PUT,
                                   .document = rt_buffer_acquire(tenant->memory)};
    tenant_submit(self, tenant, &request, TENANT_PENDING_MEMORY, NULL);
}

/* Gives back what is not spent, then ends. Nothing comes in any more. */
static void
leave(struct rt_actor *self, struct tenant *tenant)
{
    tenant->phase = TENANT_LEAVING;
    for (int i = 0; i < TENANT_BOOKS; i++)
        if (tenant->books[i].is_open)
            tenant_return_slice(self, tenant, &tenant->books[i]);
    save_memory(self, tenant);
    tenant_flush_refusals(self, tenant);
    tenant_became_idle(self, tenant);
}

static void
on_idle_timer(struct rt_actor *self, struct tenant *tenant)
{
    if (!is_idle(tenant) || tenant->phase != TENANT_SERVING)
        return;
    if (tenant->draining) {
        leave(self, tenant);
        return;
    }
    if (tenant->asks_to_leave)
        return; /* of two answers the first would let in whom the second finds */
    if (!tenant_flush_refusals(self, tenant))
        return; /* and asks when the store has answered */
    struct rt_message *message =
        rt_message_create(REGISTRY_TENANT_IDLE, sizeof(struct tenant_name));
    if (message == NULL) {
        tenant_became_idle(self, tenant); /* and asks later */
        return;
    }
    RT_TEXT_SET(((struct tenant_name *)rt_message_payload(message))->tenant_id, tenant->config->id);
    tenant->asks_to_leave = true;
    rt_request(self, tenant->world->registry, message, 1);
}

static void
on_drain(struct rt_actor *self, struct tenant *tenant)
{
    tenant->draining = true;
    for (struct rt_table_link *link = rt_table_first(&tenant->sessions); link != NULL;
         link = link->newer) {
        const struct tenant_session *session = RT_CONTAINER_OF(link, struct tenant_session, link);
        tenant_end_session(self, session, SESSION_SHUTDOWN, 1001);
    }
    tenant_became_idle(self, tenant);
}

static void
on_memory(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    if (tenant->phase != TENANT_LOADING)
        return; /* it was saved */
    rt_buffer_release(tenant->memory);
    tenant->memory = rt_buffer_acquire(message->buffer);
    tenant->phase = TENANT_SERVING;
    rt_unstash(self);
    tenant_became_idle(self, tenant);
}

static void
load_memory(struct rt_actor *self, struct tenant *tenant)
{
    struct vito_request request = {.op = VITO_MEMORY_GET};
    tenant_submit(self, tenant, &request, TENANT_PENDING_MEMORY, NULL);
}

static void
cannot_load(struct rt_actor *self, struct tenant *tenant, enum rt_status status)
{
    tenant->broken = PROBLEM_STORE_UNAVAILABLE;
    tenant->phase = TENANT_SERVING; /* to say so */
    rt_timer_set(self, &tenant->month_timer, STORE_RETRY_MS * RT_NS_PER_MS);
    rt_log(RT_LOG_WARN, "tenant.not_loaded", RT_STR("tenant", tenant->config->id),
           RT_STR("status", rt_status_name(status)));
    rt_unstash(self);
}

/* What a former life left open is looked for once, before there is anything of our own. */
static void
on_orphans(struct rt_actor *self, struct tenant *tenant, const struct vito_stored *stored,
           const struct rt_buffer *list)
{
    enum rt_status status = stored->status;
    if (status == RT_OK && !tenant_adopt(self, tenant, list))
        status = RT_NO_MEMORY;
    if (tenant->adopted) { /* more of them, beside the work of the day */
        if (status != RT_OK)
            rt_timer_set(self, &tenant->look_timer, STORE_RETRY_MS * RT_NS_PER_MS);
        return;
    }
    tenant->adopted = status == RT_OK;
    if (tenant->adopted)
        load_memory(self, tenant);
    else
        cannot_load(self, tenant, status);
}

static void
on_book(struct rt_actor *self, struct tenant *tenant, const struct vito_stored *stored)
{
    bool is_broken = tenant->phase == TENANT_SERVING && tenant->broken != PROBLEM_NONE;
    if (tenant->phase != TENANT_LOADING && !is_broken) {
        if (stored->status == RT_OK)
            tenant_on_book(self, tenant, stored); /* a limit has changed */
        return;
    }
    if (stored->status != RT_OK) {
        cannot_load(self, tenant, stored->status);
        return;
    }
    tenant->phase = TENANT_LOADING; /* who is broken may have been configured: that mends it too */
    tenant->broken = PROBLEM_NONE;
    tenant_on_book(self, tenant, stored);
    if (tenant->adopted)
        load_memory(self, tenant);
    else
        tenant_find_orphans(self, tenant);
}

static void
on_month_timer(struct rt_actor *self, struct tenant *tenant)
{
    if (tenant->phase == TENANT_LEAVING)
        return; /* the next life opens the new month */
    if (tenant->broken != PROBLEM_NONE) {
        tenant->phase = TENANT_LOADING;
        tenant_open_book(self, tenant);
    } else {
        tenant_on_month_timer(self, tenant);
    }
}

static void
on_configure(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    char problem[VITO_PROBLEM_BYTES];
    struct tenant_config *config;
    enum rt_status status = tenant_config_parse(
        tenant->config->id, (const char *)message->buffer->bytes, message->buffer->size_bytes,
        &tenant->world->adapters, &config, problem);
    if (status == RT_NO_MEMORY) {
        rt_fail(self, "no_memory"); /* who wakes next reads it; this one would go by the old one */
        return;
    }
    if (status != RT_OK) {
        rt_log(RT_LOG_ERROR, "tenant.not_configured", RT_STR("tenant", tenant->config->id),
               RT_STR("problem", problem)); /* it was checked when it was put */
        return;
    }
    tenant_config_release(tenant->config);
    tenant->config = config;
    vito_bucket_configure(tenant->bucket, &config->rules.rate, rt_now_ns(self));
    tenant_on_bucket_timer(self, tenant);
    tenant_open_book(self, tenant); /* the store learns the limit, we learn the figures */
    tenant_on_limit(self, tenant);
}

static void
on_stored(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    struct tenant_pending *pending = take_pending(tenant, message->request_id);
    if (pending == NULL)
        return;
    void *subject = pending->subject;
    enum tenant_pending_kind kind = pending->kind;
    int64_t asked_ms = pending->period_start_ms;
    rt_pool_give(pending, sizeof(*pending));
    if ((kind == TENANT_PENDING_BOOK || kind == TENANT_PENDING_VIEW) && stored->status == RT_OK &&
        asked_ms != vito_period_of(tenant->config->rules.zone, rt_wall_ms(self)).start_ms) {
        tenant_ask_book(self, tenant, kind, subject); /* that month has ended meanwhile */
        return;
    }
    switch (kind) {
    case TENANT_PENDING_BOOK:
        on_book(self, tenant, stored);
        break;
    case TENANT_PENDING_REFUND:
        tenant_on_refunded(self, tenant, subject, stored);
        break;
    case TENANT_PENDING_VIEW:
        tenant_on_balance(self, tenant, subject, stored);
        break;
    case TENANT_PENDING_GRANT:
        tenant_on_granted(self, tenant, subject, stored);
        break;
    case TENANT_PENDING_MEMORY:
        on_memory(self, tenant, message);
        break;
    case TENANT_PENDING_LEG_OPEN:
        tenant_on_leg_opened(self, tenant, subject, stored->status);
        break;
    case TENANT_PENDING_LEG_EXTEND:
        tenant_on_leg_extended(self, tenant, subject, stored->status);
        break;
    case TENANT_PENDING_LEG_SETTLE:
        tenant_on_leg_settled(self, tenant, subject, stored);
        break;
    case TENANT_PENDING_ORPHANS:
        on_orphans(self, tenant, stored, message->buffer);
        break;
    case TENANT_PENDING_REFUSAL:
        tenant_on_refusal_told(self, tenant, subject, stored->status);
        break;
    case TENANT_PENDING_ORPHAN:
        tenant_on_orphan_settled(self, tenant, subject, stored->status);
        break;
    case TENANT_PENDING_RETURN:
        tenant_on_returned(subject, stored);
        tenant->owes |=
            tenant->phase == TENANT_LEAVING && stored->status != RT_OK && !tenant->draining;
        break;
    }
    tenant_became_idle(self, tenant);
}

static void
on_timer(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    const struct rt_timer *timer = rt_timer_of(message);
    if (timer == &tenant->bucket_timer)
        tenant_on_bucket_timer(self, tenant);
    else if (timer == &tenant->month_timer)
        on_month_timer(self, tenant);
    else if (timer == &tenant->idle_timer)
        on_idle_timer(self, tenant);
    else if (timer == &tenant->want_timer)
        tenant_on_want_timer(self, tenant);
    else if (timer == &tenant->look_timer)
        tenant_find_orphans(self, tenant);
    else if (!tenant_on_admission_timer(self, tenant, timer) &&
             !tenant_on_orphan_timer(self, tenant, timer) &&
             !tenant_on_refusals_timer(self, tenant, timer))
        tenant_on_leg_timer(self, tenant, timer);
}

/* What needs the month's book waits until it is read. */
static void
on_request(struct rt_actor *self, struct tenant *tenant, struct rt_message *message)
{
    if (tenant->phase == TENANT_LOADING || tenant->asks_to_leave) {
        if (!rt_stash(self, message))
            rt_answer_failed(self, message, RT_NO_MEMORY);
        return;
    }
    if (tenant->phase == TENANT_LEAVING) {
        rt_answer_failed(self, message, RT_CLOSED);
        return;
    }
    switch (message->kind) {
    case TENANT_OPEN:
        tenant_on_open(self, tenant, message);
        break;
    case TENANT_ADMIT:
        tenant_on_admit(self, tenant, message);
        break;
    case TENANT_HOLD:
        tenant_on_hold(self, tenant, message);
        break;
    case TENANT_REFUND:
        tenant_on_refund(self, tenant, message);
        break;
    case TENANT_VIEW:
        tenant_on_view(self, tenant, message);
        break;
    default:
        break;
    }
}

static void
tenant_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct tenant *tenant = state;
    switch (message->kind) {
    case RT_KIND_START:
        tenant_open_book(self, tenant);
        break;
    case RT_KIND_TIMER:
        on_timer(self, tenant, message);
        break;
    case RT_KIND_DOWN:
        tenant_on_down(self, tenant, message);
        break;
    case RT_KIND_FAILED: /* we may not leave: ask again when we are idle for as long again */
        tenant->asks_to_leave = false;
        rt_unstash(self);
        tenant_became_idle(self, tenant);
        break;
    case TENANT_OPEN:
    case TENANT_ADMIT:
    case TENANT_HOLD:
    case TENANT_REFUND:
    case TENANT_VIEW:
        on_request(self, tenant, message);
        break;
    case TENANT_METER:
        tenant_on_meter(self, tenant, message);
        break;
    case TENANT_SETTLE:
        tenant_on_settle(self, tenant, message);
        break;
    case TENANT_CONFIGURE:
        on_configure(self, tenant, message);
        break;
    case TENANT_REVOKE:
        tenant_on_revoke(self, tenant, rt_message_payload(message));
        break;
    case TENANT_DRAIN:
        on_drain(self, tenant);
        break;
    case TENANT_NEWS:
        tenant_on_news(self, tenant, rt_message_payload(message));
        break;
    case VITO_STORED:
        on_stored(self, tenant, message);
        break;
    case VENDOR_CLOSED:
        tenant_on_vendor_closed(self, tenant, message);
        break;
    case REGISTRY_TENANT_LEAVE:
        leave(self, tenant);
        break;
    default:
        break;
    }
}

static enum rt_status
tenant_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    const struct tenant_args *from = args;
    struct tenant *tenant = state;
    const struct rt_world *clock = rt_system_world(from->world->system);
    tenant->world = from->world;
    tenant->config = from->config;
    tenant->slot = from->slot;
    tenant->adopted = !from->after_death;
    tenant->funding_end = &tenant->funding_first;
    tenant->bucket = vito_bucket_create(&from->config->rules.rate, clock->now_ns(clock->self));
    return tenant->bucket == NULL ? RT_NO_MEMORY : RT_OK;
}

static void
tenant_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self, (void)reason;
    struct tenant *tenant = state;
    while (tenant->admissions != NULL) {
        struct tenant_leg *leg = tenant->admissions->leg;
        tenant_admission_free(self, tenant, tenant->admissions);
        if (leg != NULL && leg->hold == NULL) /* not yet among the legs: it waited for money */
            tenant_leg_free(self, tenant, leg);
    }
    while (tenant->legs.count > 0)
        tenant_leg_free(self, tenant,
                        RT_CONTAINER_OF(rt_table_first(&tenant->legs), struct tenant_leg, link));
    while (tenant->orphans.count > 0)
        tenant_orphan_free(
            self, tenant,
            RT_CONTAINER_OF(rt_table_first(&tenant->orphans), struct tenant_orphan, link));
    while (tenant->sessions.count > 0) {
        struct rt_table_link *link = rt_table_first(&tenant->sessions);
        rt_table_remove(&tenant->sessions, link);
        rt_pool_give(RT_CONTAINER_OF(link, struct tenant_session, link),
                     sizeof(struct tenant_session));
        metrics_session_gone();
    }
    while (tenant->pending.count > 0) {
        struct rt_table_link *link = rt_table_first(&tenant->pending);
        rt_table_remove(&tenant->pending, link);
        rt_pool_give(RT_CONTAINER_OF(link, struct tenant_pending, link),
                     sizeof(struct tenant_pending));
    }
    rt_table_deinit(&tenant->legs);
    rt_table_deinit(&tenant->orphans);
    rt_table_deinit(&tenant->sessions);
    rt_table_deinit(&tenant->pending);
    tenant_forget_decisions(tenant);
    tenant_forget_refusals(self, tenant);
    vito_bucket_destroy(tenant->bucket);
    rt_buffer_release(tenant->memory);
    tenant_config_release(tenant->config);
}

const struct rt_behaviour tenant_behaviour = {
    .name = "tenant",
    .state_bytes = sizeof(struct tenant),
    .limits = {.messages_max = 20000, .bytes_max = 32 << 20},
    .is_slow = true, /* it asks policies */
    .init = tenant_init,
    .handle = tenant_handle,
    .stop = tenant_stop,
};
