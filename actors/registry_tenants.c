/*
 * Tenants: woken when somebody asks for them, let go when they are idle, drained at the end.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/registry_state.h"
#include "actors/tenant.h"
#include "runtime/log.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { DEATHS_WINDOW_S = 60, DEATHS_MAX = 10, REVIVE_MS = 1000 };

static void
answer_waiters(struct rt_actor *self, struct registry_entry *entry, enum problem_reason refused)
{
    while (entry->waiters != NULL) {
        struct registry_waiter *waiter = entry->waiters;
        entry->waiters = waiter->next;
        struct rt_message *answer =
            registry_resolved_message(refused, entry->tenant, &waiter->caller);
        if (answer != NULL)
            rt_owed_answer(self, waiter->owed, answer);
        else
            rt_owed_failed(self, waiter->owed, RT_NO_MEMORY);
        rt_pool_give(waiter, sizeof(*waiter));
    }
}

static bool
take_slot(struct registry *registry, struct registry_entry *entry)
{
    for (uint32_t i = 0; i < registry->slot_count; i++) {
        uint32_t slot = (registry->slot_hint + i) % registry->slot_count;
        if (registry->slots[slot] != NULL)
            continue;
        registry->slots[slot] = entry;
        registry->slot_hint = slot + 1;
        entry->slot = slot;
        return true;
    }
    uint32_t more = registry->slot_count == 0 ? 64 : registry->slot_count * 2;
    if (more > REGISTRY_TENANTS_MAX)
        return false;
    struct registry_entry **slots =
        realloc(registry->slots, more * sizeof(struct registry_entry *));
    if (slots == NULL)
        return false;
    memset(slots + registry->slot_count, 0,
           (more - registry->slot_count) * sizeof(struct registry_entry *));
    registry->slots = slots;
    registry->slot_hint = registry->slot_count;
    registry->slot_count = more;
    return take_slot(registry, entry);
}

void
registry_drop_entry(struct registry *registry, struct registry_entry *entry)
{
    registry->slots[entry->slot] = NULL;
    rt_table_remove(&registry->entries, &entry->link);
    rt_pool_give(entry, sizeof(*entry));
}

static struct registry_entry *
make_entry(struct registry *registry, const char *id)
{
    struct registry_entry *entry = rt_pool_take(sizeof(*entry));
    if (entry == NULL)
        return NULL;
    *entry = (struct registry_entry){.phase = ENTRY_LOADING};
    RT_TEXT_SET(entry->id, id);
    if (!take_slot(registry, entry)) {
        rt_pool_give(entry, sizeof(*entry));
        return NULL;
    }
    if (!rt_table_add(&registry->entries, &entry->link, rt_hash_text(id))) {
        registry->slots[entry->slot] = NULL;
        rt_pool_give(entry, sizeof(*entry));
        return NULL;
    }
    return entry;
}

static bool
load_tenant(struct rt_actor *self, struct registry *registry, struct registry_entry *entry)
{
    struct vito_request request = {.op = VITO_TENANT_GET};
    RT_TEXT_SET(request.tenant_id, entry->id);
    entry->phase = ENTRY_LOADING;
    return registry_submit(self, registry, REGISTRY_RESOLVE, &request) != NULL;
}

static enum problem_reason
wake_tenant(struct rt_actor *self, struct registry *registry, struct registry_entry *entry,
            const struct rt_buffer *document)
{
    char problem[VITO_PROBLEM_BYTES];
    struct tenant_args args = {
        .world = registry->world, .after_death = registry->after_death, .slot = entry->slot};
    enum rt_status status =
        tenant_config_parse(entry->id, (const char *)document->bytes, document->size_bytes,
                            &registry->world->adapters, &args.config, problem);
    if (status != RT_OK) {
        rt_log(RT_LOG_ERROR, "tenant.unreadable", RT_STR("tenant", entry->id),
               RT_STR("problem", problem));
        return PROBLEM_INTERNAL;
    }
    struct rt_spawn_options options = {
        .behaviour = &tenant_behaviour,
        .args = &args,
        .worker = RT_ANY_WORKER,
        .group_weight = 1, /* with its sessions: a crowd at one twin must not starve the others */
    };
    if (rt_spawn_child(self, &options, &entry->tenant) != RT_OK) {
        tenant_config_release(args.config);
        return PROBLEM_OVERLOAD;
    }
    entry->phase = ENTRY_AWAKE;
    return PROBLEM_NONE;
}

/* Not before the keys are read: by then all tenants of a former life are known. */
void
registry_tell_drained(struct registry *registry)
{
    const struct world *world = registry->world;
    if (!registry->draining || registry->drained_told || !registry->loaded ||
        registry->entries.count > 0)
        return;
    registry->drained_told = true;
    if (world->drained != NULL)
        world->drained(world->drained_context);
}

static void
cannot_wake(struct rt_actor *self, struct registry *registry, struct registry_entry *entry,
            enum problem_reason why)
{
    answer_waiters(self, entry, why);
    if (entry->died && why != PROBLEM_UNKNOWN_AVATAR) {
        entry->to_revive = true;
        entry->phase = ENTRY_LOADING;
        rt_timer_set(self, &registry->revive_timer, REVIVE_MS * RT_NS_PER_MS);
    } else {
        registry_drop_entry(registry, entry);
        registry_tell_drained(registry);
    }
}

void
registry_on_revive_timer(struct rt_actor *self, struct registry *registry)
{
    for (struct rt_table_link *link = rt_table_first(&registry->entries), *next; link != NULL;
         link = next) {
        next = link->newer;
        struct registry_entry *entry = RT_CONTAINER_OF(link, struct registry_entry, link);
        if (!entry->to_revive)
            continue;
        entry->to_revive = false;
        if (!load_tenant(self, registry, entry))
            cannot_wake(self, registry, entry, PROBLEM_OVERLOAD);
    }
}

void
registry_on_tenant_read(struct rt_actor *self, struct registry *registry,
                        const struct registry_change *change, const struct vito_stored *stored,
                        const struct rt_buffer *document)
{
    struct registry_entry *entry = registry_find(registry, change->tenant_id);
    if (entry == NULL || entry->phase != ENTRY_LOADING)
        return;
    enum problem_reason refused = PROBLEM_STORE_UNAVAILABLE;
    if (stored->status == RT_NOT_FOUND)
        refused = PROBLEM_UNKNOWN_AVATAR;
    else if (stored->status == RT_OK && document != NULL)
        refused = wake_tenant(self, registry, entry, document);
    if (refused != PROBLEM_NONE) {
        cannot_wake(self, registry, entry, refused);
        return;
    }
    entry->died = false;
    answer_waiters(self, entry, PROBLEM_NONE);
    if (registry->draining)
        registry_drain_tenant(self, entry);
}

/* Answers now if the tenant is awake, else when it is. */
void
registry_resolve_tenant(struct rt_actor *self, struct registry *registry,
                        const struct rt_message *message, const char *id,
                        const struct access_caller *caller)
{
    struct registry_entry *entry = registry_find(registry, id);
    if (entry != NULL && entry->phase == ENTRY_AWAKE) {
        registry_answer(self, message, PROBLEM_NONE, entry->tenant, caller);
        return;
    }
    struct registry_waiter *waiter = rt_pool_take(sizeof(*waiter));
    if (entry == NULL && waiter != NULL) {
        entry = make_entry(registry, id);
        if (entry != NULL && !load_tenant(self, registry, entry)) {
            registry_drop_entry(registry, entry);
            entry = NULL;
        }
    }
    if (waiter == NULL || entry == NULL) {
        rt_pool_give(waiter, sizeof(*waiter));
        registry_answer(self, message, PROBLEM_OVERLOAD, RT_NOBODY, NULL);
        return;
    }
    *waiter = (struct registry_waiter){
        .next = entry->waiters, .owed = rt_owe(self, message), .caller = *caller};
    if (waiter->owed == NULL)
        rt_pool_give(waiter, sizeof(*waiter));
    else
        entry->waiters = waiter;
}

/* Two of one tenant would spend its slice twice: after a failure nobody is woken before the one
 * that ends has ended. The mailbox outlives the failure. */
static void
tell_next_life(struct rt_actor *self, const char *tenant_id, struct rt_address tenant)
{
    struct rt_message *message =
        rt_message_create_vital(REGISTRY_FORMER_TENANT, sizeof(struct former_tenant));
    struct former_tenant *former = rt_message_payload(message);
    RT_TEXT_SET(former->tenant_id, tenant_id);
    former->tenant = tenant;
    rt_send_control(self, rt_self(self), message);
}

void
registry_bequeath(struct rt_actor *self, const struct registry_entry *entry)
{
    if (entry->tenant.id != 0 || entry->died)
        tell_next_life(self, entry->id, entry->tenant);
}

void
registry_on_former(struct rt_actor *self, struct registry *registry,
                   const struct former_tenant *former)
{
    struct registry_entry *entry = registry_find(registry, former->tenant_id);
    if (entry == NULL)
        entry = make_entry(registry, former->tenant_id);
    if (entry == NULL) { /* this message is gone with us: another one tells the next life */
        tell_next_life(self, former->tenant_id, former->tenant);
        rt_fail(self, "no_memory");
        return;
    }
    registry->after_death = true;
    entry->tenant = former->tenant;
    entry->died = entry->tenant.id == 0; /* before we did: it was being woken again */
    if (!entry->died) {
        entry->phase = ENTRY_LEAVING;
        rt_monitor(self, entry->tenant);
    } else if (!load_tenant(self, registry, entry)) {
        cannot_wake(self, registry, entry, PROBLEM_OVERLOAD);
    }
}

/* One that dies again and again is left alone until somebody asks for it. */
static bool
may_wake_again(const struct rt_actor *self, struct registry_entry *entry)
{
    uint64_t now_ns = rt_now_ns(self);
    if (now_ns - entry->deaths_since_ns > DEATHS_WINDOW_S * RT_NS_PER_S) {
        entry->deaths_since_ns = now_ns;
        entry->deaths = 0;
    }
    return ++entry->deaths <= DEATHS_MAX;
}

void
registry_on_down(struct rt_actor *self, struct registry *registry, const struct rt_down *down)
{
    for (struct rt_table_link *link = rt_table_first(&registry->entries); link != NULL;
         link = link->newer) {
        struct registry_entry *entry = RT_CONTAINER_OF(link, struct registry_entry, link);
        if (entry->tenant.id != down->who.id)
            continue;
        if (down->reason != RT_EXIT_NORMAL)
            rt_log(RT_LOG_ERROR, "tenant.died", RT_STR("tenant", entry->id),
                   RT_U64("reason", down->reason));
        entry->tenant = RT_NOBODY;
        /* Whoever asked while it was leaving gets a fresh one; and what one that died has left
         * open is seen to by the next. */
        registry->after_death |= down->reason != RT_EXIT_NORMAL;
        entry->died = down->reason != RT_EXIT_NORMAL && may_wake_again(self, entry);
        bool wanted = entry->died || entry->waiters != NULL;
        if (!wanted || !load_tenant(self, registry, entry))
            cannot_wake(self, registry, entry, PROBLEM_OVERLOAD);
        return;
    }
}

void
registry_on_idle(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    struct registry_entry *entry =
        registry_find(registry, ((struct tenant_name *)rt_message_payload(message))->tenant_id);
    if (entry == NULL || entry->phase != ENTRY_AWAKE ||
        !rt_address_is(entry->tenant, message->from))
        return; /* it leaves already, or has died meanwhile */
    struct rt_message *answer = rt_message_create(REGISTRY_TENANT_LEAVE, 0);
    if (answer == NULL)
        return; /* it asks again */
    entry->phase = ENTRY_LEAVING;
    rt_answer(self, message, answer);
}

void
registry_drain_tenant(struct rt_actor *self, struct registry_entry *entry)
{
    struct rt_message *message = rt_message_create_vital(TENANT_DRAIN, 0);
    entry->phase = ENTRY_LEAVING;
    rt_send_control(self, entry->tenant, message);
}

void
registry_on_shutdown(struct rt_actor *self, struct registry *registry)
{
    registry->draining = true;
    for (struct rt_table_link *link = rt_table_first(&registry->entries); link != NULL;
         link = link->newer) {
        struct registry_entry *entry = RT_CONTAINER_OF(link, struct registry_entry, link);
        if (entry->phase == ENTRY_AWAKE)
            registry_drain_tenant(self, entry);
    }
    registry_tell_drained(registry);
}
