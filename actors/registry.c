#include "actors/registry.h"

#include <stdlib.h>
#include <string.h>

#include "actors/registry_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

struct registry_entry *
registry_find(const struct registry *registry, const char *id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&registry->entries, rt_hash_text(id), link)) != NULL)
        if (strcmp(RT_CONTAINER_OF(link, struct registry_entry, link)->id, id) == 0)
            return RT_CONTAINER_OF(link, struct registry_entry, link);
    return NULL;
}

static struct registry_session *
find_session(const struct registry *registry, const char *id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&registry->sessions, rt_hash_text(id), link)) != NULL)
        if (strcmp(RT_CONTAINER_OF(link, struct registry_session, link)->note.session_id, id) == 0)
            return RT_CONTAINER_OF(link, struct registry_session, link);
    return NULL;
}

struct registry_change *
registry_submit(struct rt_actor *self, struct registry *registry, enum twin_kind kind,
                struct vito_request *request)
{
    struct registry_change *change = rt_pool_take(sizeof(*change));
    if (change != NULL)
        *change = (struct registry_change){.id = ++registry->change_id, .kind = kind};
    if (change == NULL ||
        !rt_table_add(&registry->changes, &change->link, rt_hash_u64(change->id))) {
        rt_pool_give(change, sizeof(*change));
        vito_request_release(request);
        return NULL;
    }
    RT_TEXT_SET(change->tenant_id, request->tenant_id);
    registry->world->store.submit(registry->world->store.self, self, request, change->id);
    return change;
}

struct rt_message *
registry_resolved_message(enum problem_reason refused, struct rt_address address,
                          const struct access_caller *caller)
{
    struct rt_message *message =
        rt_message_create(REGISTRY_RESOLVED, sizeof(struct registry_resolved));
    if (message == NULL)
        return NULL;
    struct registry_resolved *resolved = rt_message_payload(message);
    resolved->refused = refused;
    resolved->address = address;
    if (caller != NULL)
        resolved->caller = *caller;
    return message;
}

void
registry_answer(struct rt_actor *self, const struct rt_message *request,
                enum problem_reason refused, struct rt_address address,
                const struct access_caller *caller)
{
    struct rt_message *answer = registry_resolved_message(refused, address, caller);
    if (answer != NULL)
        rt_answer(self, request, answer);
    else
        rt_answer_failed(self, request, RT_NO_MEMORY);
}

/* Whose key it is. False when it is nobody's. */
static bool
caller_of_key(const struct registry *registry, const struct vito_digest *digest, int64_t now_ms,
              struct access_caller *caller_out)
{
    const struct registry_key *entry = registry_find_key(registry, digest);
    if (entry == NULL || (entry->key.expires_ms != 0 && entry->key.expires_ms <= now_ms))
        return false;
    *caller_out = (struct access_caller){
        .role = ACCESS_CLIENT, .by_key = true, .expires_ms = entry->key.expires_ms};
    RT_TEXT_SET(caller_out->tenant_id, entry->key.tenant_id);
    RT_TEXT_SET(caller_out->name, entry->key.id);
    return true;
}

static void
on_resolve(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    const struct registry_resolve *resolve = rt_message_payload(message);
    if (registry->unavailable || registry->draining) {
        registry_answer(self, message,
                        registry->draining ? PROBLEM_SHUTDOWN : PROBLEM_STORE_UNAVAILABLE,
                        RT_NOBODY, NULL);
        return;
    }
    struct access_caller caller = resolve->caller;
    bool is_known = resolve->is_known;
    if (!is_known)
        is_known = caller_of_key(registry, &resolve->digest, rt_wall_ms(self), &caller);
    if (!is_known) {
        registry_answer(self, message, PROBLEM_UNAUTHENTICATED, RT_NOBODY, NULL);
    } else if (resolve->tenant_id[0] != '\0' && !access_may_see(&caller, resolve->tenant_id)) {
        registry_record_refusal(self, registry, resolve->tenant_id, &caller);
        registry_answer(self, message, PROBLEM_FORBIDDEN_TENANT, RT_NOBODY, NULL);
    } else if (resolve->wakes) {
        registry_resolve_tenant(self, registry, message, resolve->tenant_id, &caller);
    } else {
        registry_answer(self, message, PROBLEM_NONE, RT_NOBODY, &caller);
    }
}

static void
on_session_note(struct registry *registry, enum twin_kind kind, const struct session_note *note)
{
    struct registry_session *entry = find_session(registry, note->session_id);
    if (kind == REGISTRY_SESSION_ENDED) {
        if (entry == NULL)
            return;
        rt_table_remove(&registry->sessions, &entry->link);
        rt_pool_give(entry, sizeof(*entry));
    } else if (entry == NULL && (entry = rt_pool_take(sizeof(*entry))) != NULL) {
        *entry = (struct registry_session){.note = *note};
        if (!rt_table_add(&registry->sessions, &entry->link, rt_hash_text(note->session_id)))
            rt_pool_give(entry, sizeof(*entry));
    }
}

/* Where a thing is, and whose it is. */
static void
answer_found(struct rt_actor *self, const struct rt_message *request, struct rt_address address,
             const char *tenant_id)
{
    struct rt_message *answer = registry_resolved_message(PROBLEM_NONE, address, NULL);
    if (answer == NULL) {
        rt_answer_failed(self, request, RT_NO_MEMORY);
        return;
    }
    RT_TEXT_SET(((struct registry_resolved *)rt_message_payload(answer))->tenant_id, tenant_id);
    rt_answer(self, request, answer);
}

static void
on_find_session(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    const struct session_note *note = rt_message_payload(message);
    const struct registry_session *entry = find_session(registry, note->session_id);
    if (entry == NULL)
        registry_answer(self, message, PROBLEM_NOT_FOUND, RT_NOBODY, NULL);
    else
        answer_found(self, message, entry->note.session, entry->note.tenant_id);
}

/* The twenty bits behind the time of a ULID: whose decision it is (tenant_make_id). */
static bool
slot_of(const char *decision_id, uint32_t *slot_out)
{
    static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    enum { PREFIX = 4, TIME_CHARS = 10, SLOT_CHARS = 4 };
    if (strlen(decision_id) != PREFIX + VITO_ULID_CHARS)
        return false;
    uint32_t slot = 0;
    for (int i = 0; i < SLOT_CHARS; i++) {
        const char *at = strchr(alphabet, decision_id[PREFIX + TIME_CHARS + i]);
        if (at == NULL || *at == '\0')
            return false;
        slot = slot << 5 | (uint32_t)(at - alphabet);
    }
    *slot_out = slot;
    return true;
}

static void
on_find_decision(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    const struct decision_query *query = rt_message_payload(message);
    uint32_t slot;
    if (slot_of(query->decision_id, &slot) && slot < registry->slot_count &&
        registry->slots[slot] != NULL && registry->slots[slot]->phase == ENTRY_AWAKE)
        answer_found(self, message, registry->slots[slot]->tenant, registry->slots[slot]->id);
    else
        registry_answer(self, message, PROBLEM_NOT_FOUND, RT_NOBODY, NULL);
}

static void
on_status(struct rt_actor *self, const struct registry *registry, struct rt_message *message)
{
    struct rt_message *answer = rt_message_create(ADMIN_DONE, sizeof(struct admin_done));
    if (answer == NULL)
        return; /* the runtime answers in our place */
    bool ready = registry->loaded && !registry->unavailable && !registry->draining;
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_bool(writer, "ready", ready);
    wire_open_array(writer, "reasons");
    if (!registry->loaded || registry->unavailable)
        wire_text(writer, NULL, "store_unavailable");
    if (registry->draining)
        wire_text(writer, NULL, "shutdown");
    wire_close(writer);
    wire_int(writer, "tenants_awake", (int64_t)registry->entries.count);
    wire_int(writer, "sessions", (int64_t)registry->sessions.count);
    wire_close(writer);
    struct wire_bytes bytes;
    if (wire_end(writer, &bytes) == RT_OK)
        answer->buffer = rt_buffer_copy(bytes.bytes, bytes.size_bytes);
    ((struct admin_done *)rt_message_payload(answer))->status = ready ? 200 : 503;
    rt_answer(self, message, answer);
}

static void
on_request(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    if (!registry->loaded) {
        if (!rt_stash(self, message))
            rt_answer_failed(self, message, RT_NO_MEMORY);
        return;
    }
    switch (message->kind) {
    case REGISTRY_RESOLVE:
        on_resolve(self, registry, message);
        break;
    case REGISTRY_FIND_SESSION:
        on_find_session(self, registry, message);
        break;
    case REGISTRY_FIND_DECISION:
        on_find_decision(self, registry, message);
        break;
    default:
        registry_on_change(self, registry, message);
        break;
    }
}

static void
registry_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct registry *registry = state;
    switch (message->kind) {
    case RT_KIND_START:
        if (registry->world->store.listen != NULL)
            registry->world->store.listen(registry->world->store.self, rt_self(self));
        registry_load_keys(self, registry);
        break;
    case RT_KIND_TIMER:
        if (rt_timer_of(message) == &registry->revive_timer)
            registry_on_revive_timer(self, registry);
        else if (rt_timer_of(message) == &registry->expiry_timer)
            registry_expire_keys(self, registry);
        else if (rt_timer_of(message) == &registry->news_timer)
            registry_on_news_timer(self, registry);
        else if (rt_timer_of(message) == &registry->refusals_timer)
            registry_on_refusals_timer(self, registry);
        else
            registry_load_keys(self, registry);
        break;
    case RT_KIND_DOWN:
        registry_on_down(self, registry, rt_message_payload(message));
        break;
    case REGISTRY_RESOLVE:
    case REGISTRY_FIND_SESSION:
    case REGISTRY_FIND_DECISION:
    case REGISTRY_TENANT_PUT:
    case REGISTRY_TENANT_REMOVE:
    case REGISTRY_KEY_ADD:
    case REGISTRY_KEY_REMOVE:
    case REGISTRY_KEY_ROTATE:
        on_request(self, registry, message);
        break;
    case REGISTRY_FORMER_TENANT:
        registry_on_former(self, registry, rt_message_payload(message));
        break;
    case REGISTRY_TENANT_IDLE:
        registry_on_idle(self, registry, message);
        break;
    case REGISTRY_SESSION_BEGAN:
    case REGISTRY_SESSION_ENDED:
        on_session_note(registry, (enum twin_kind)message->kind, rt_message_payload(message));
        break;
    case REGISTRY_STATUS:
        on_status(self, registry, message);
        break;
    case REGISTRY_SHUTDOWN:
        registry_on_shutdown(self, registry);
        break;
    case VITO_STORED:
        registry_on_stored(self, registry, message);
        break;
    case VITO_NEWS:
        registry_on_news(self, registry, vito_news_of(message));
        break;
    default:
        break;
    }
}

static enum rt_status
registry_init(struct rt_actor *self, void *state, const void *args)
{
    struct registry *registry = state;
    registry->world = args;
    registry->change_id = rt_numbers_from(self);
    return RT_OK;
}

static void
registry_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)reason;
    struct registry *registry = state;
    while (registry->entries.count > 0) {
        struct registry_entry *entry =
            RT_CONTAINER_OF(rt_table_first(&registry->entries), struct registry_entry, link);
        while (entry->waiters != NULL) {
            struct registry_waiter *waiter = entry->waiters;
            entry->waiters = waiter->next;
            rt_pool_give(waiter, sizeof(*waiter)); /* the runtime answers what is owed */
        }
        registry_bequeath(self, entry);
        registry_drop_entry(registry, entry);
    }
    struct rt_table_link *link;
    while ((link = rt_table_first(&registry->keys)) != NULL) {
        rt_table_remove(&registry->keys, link);
        rt_pool_give(RT_CONTAINER_OF(link, struct registry_key, link), sizeof(struct registry_key));
    }
    while ((link = rt_table_first(&registry->sessions)) != NULL) {
        rt_table_remove(&registry->sessions, link);
        rt_pool_give(RT_CONTAINER_OF(link, struct registry_session, link),
                     sizeof(struct registry_session));
    }
    while ((link = rt_table_first(&registry->changes)) != NULL)
        registry_free_change(registry, RT_CONTAINER_OF(link, struct registry_change, link));
    rt_table_deinit(&registry->entries);
    rt_table_deinit(&registry->keys);
    rt_table_deinit(&registry->sessions);
    rt_table_deinit(&registry->changes);
    free(registry->slots);
}

const struct rt_behaviour registry_behaviour = {
    .name = "registry",
    .state_bytes = sizeof(struct registry),
    .limits = {.messages_max = 100000, .bytes_max = 128 << 20},
    .init = registry_init,
    .handle = registry_handle,
    .stop = registry_stop,
};
