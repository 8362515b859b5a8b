/*
 * Keys and documents: every change goes to the store first, and counts here once it is durable.
 */
#include <sodium.h>
#include <string.h>

#include "actors/registry_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

enum { STORE_RETRY_MS = 1000 };

static uint64_t
hash_digest(const struct vito_digest *digest)
{
    return rt_hash_bytes(digest, sizeof(*digest));
}

struct registry_key *
registry_find_key(const struct registry *registry, const struct vito_digest *digest)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&registry->keys, hash_digest(digest), link)) != NULL) {
        struct registry_key *entry = RT_CONTAINER_OF(link, struct registry_key, link);
        if (vito_digest_is(&entry->key.digest, digest))
            return entry;
    }
    return NULL;
}

bool
registry_add_key(struct registry *registry, const struct vito_key *key)
{
    struct registry_key *entry = rt_pool_take(sizeof(*entry));
    if (entry == NULL)
        return false;
    *entry = (struct registry_key){.key = *key};
    if (rt_table_add(&registry->keys, &entry->link, hash_digest(&key->digest)))
        return true;
    rt_pool_give(entry, sizeof(*entry));
    return false;
}

void
registry_remove_keys(struct registry *registry, const char *tenant_id, const char *id)
{
    for (struct rt_table_link *link = rt_table_first(&registry->keys), *next; link != NULL;
         link = next) {
        next = link->newer;
        struct registry_key *entry = RT_CONTAINER_OF(link, struct registry_key, link);
        if ((*tenant_id != '\0' && strcmp(entry->key.tenant_id, tenant_id) != 0) ||
            (id != NULL && strcmp(entry->key.id, id) != 0))
            continue;
        rt_table_remove(&registry->keys, link);
        rt_pool_give(entry, sizeof(*entry));
    }
}

void
registry_load_keys(struct rt_actor *self, struct registry *registry)
{
    struct vito_request request = {.op = VITO_KEY_LIST};
    if (registry_submit(self, registry, (enum twin_kind)RT_KIND_START, &request) == NULL)
        rt_fail(self, "no_memory");
}

static void
on_keys(struct rt_actor *self, struct registry *registry, const struct vito_stored *stored,
        const struct rt_buffer *list)
{
    registry->unavailable = stored->status != RT_OK;
    registry->loaded = true; /* to answer: with the keys, or that they cannot be had */
    size_t count = list == NULL ? 0 : list->size_bytes / sizeof(struct vito_key);
    if (!registry->unavailable)
        registry_remove_keys(registry, "", NULL); /* some may have been taken the last time */
    for (size_t i = 0; i < count && !registry->unavailable; i++) {
        struct vito_key key;
        memcpy(&key, list->bytes + i * sizeof(key), sizeof(key));
        registry->unavailable = !registry_add_key(registry, &key);
    }
    registry_expire_keys(self, registry);
    if (registry->unavailable)
        rt_timer_set(self, &registry->retry_timer, STORE_RETRY_MS * RT_NS_PER_MS);
    rt_unstash(self);
    registry_tell_drained(registry);
}

static struct registry_change *
find_change(const struct registry *registry, uint64_t id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&registry->changes, rt_hash_u64(id), link)) != NULL)
        if (RT_CONTAINER_OF(link, struct registry_change, link)->id == id)
            return RT_CONTAINER_OF(link, struct registry_change, link);
    return NULL;
}

void
registry_free_change(struct registry *registry, struct registry_change *change)
{
    rt_table_remove(&registry->changes, &change->link);
    rt_buffer_release(change->document);
    rt_pool_give(change, sizeof(*change));
}

static void
answer_done(struct rt_actor *self, struct rt_owed *owed, int status, struct problem problem)
{
    struct rt_message *answer = rt_message_create(ADMIN_DONE, sizeof(struct admin_done));
    if (answer == NULL) {
        rt_owed_failed(self, owed, RT_NO_MEMORY);
        return;
    }
    *(struct admin_done *)rt_message_payload(answer) = (struct admin_done){
        .status = problem.reason == PROBLEM_NONE ? status : problem_status(&problem),
        .problem = problem,
    };
    rt_owed_answer(self, owed, answer);
}

static void
write_digest(struct wire_writer *writer, const struct rt_buffer *document)
{
    uint8_t digest[32];
    char text[2 * sizeof(digest) + 1];
    crypto_generichash(digest, sizeof(digest), document->bytes, document->size_bytes, NULL, 0);
    wire_text(writer, "document_blake2b",
              sodium_bin2hex(text, sizeof(text), digest, sizeof(digest)));
}

/* What the audit trail is told of a change: who, and what, by name. */
static struct rt_buffer *
note_of(struct rt_actor *self, enum twin_kind kind, const struct registry_order *order,
        const struct rt_buffer *document)
{
    static const char *const events[] = {
        [0] = "TENANT_PUT",
        [REGISTRY_TENANT_REMOVE - REGISTRY_TENANT_PUT] = "TENANT_REMOVED",
        [REGISTRY_KEY_ADD - REGISTRY_TENANT_PUT] = "KEY_ADDED",
        [REGISTRY_KEY_REMOVE - REGISTRY_TENANT_PUT] = "KEY_REMOVED",
        [REGISTRY_KEY_ROTATE - REGISTRY_TENANT_PUT] = "KEY_ROTATED",
    };
    struct vito_audit_event event = {.at_ms = rt_wall_ms(self)};
    uint8_t random[10];
    rt_random(self, random, sizeof(random));
    vito_id_make(event.id, "aud", event.at_ms, random);
    RT_TEXT_SET(event.event, events[kind - REGISTRY_TENANT_PUT]);
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "caller", order->caller);
    if (kind == REGISTRY_TENANT_PUT) {
        wire_text(writer, "policy", order->policy);
        wire_usd(writer, "monthly_hard_limit_usd", order->limit_nusd);
        if (document != NULL)
            write_digest(writer, document);
    } else if (kind != REGISTRY_TENANT_REMOVE) {
        wire_text(writer, "key", order->key.id);
    }
    if (kind == REGISTRY_KEY_ROTATE) {
        wire_text(writer, "replaces", order->replaces);
        wire_time(writer, "replaced_until", order->replaced_until_ms);
    }
    wire_close(writer);
    struct wire_bytes json;
    if (wire_end(writer, &json) != RT_OK)
        return NULL;
    return vito_audit_note_make(&event, (const char *)json.bytes, json.size_bytes);
}

/* Hands a change to the store; the answer follows when it is durable. */
void
registry_on_change(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    static const enum vito_op ops[] = {
        [0] = VITO_TENANT_PUT,
        [REGISTRY_TENANT_REMOVE - REGISTRY_TENANT_PUT] = VITO_TENANT_REMOVE,
        [REGISTRY_KEY_ADD - REGISTRY_TENANT_PUT] = VITO_KEY_ADD,
        [REGISTRY_KEY_REMOVE - REGISTRY_TENANT_PUT] = VITO_KEY_REMOVE,
        [REGISTRY_KEY_ROTATE - REGISTRY_TENANT_PUT] = VITO_KEY_ROTATE,
    };
    const struct registry_order *order = rt_message_payload(message);
    struct vito_request request = {.op = ops[message->kind - REGISTRY_TENANT_PUT],
                                   .at_ms = rt_wall_ms(self)};
    RT_TEXT_SET(request.tenant_id, order->tenant_id);
    if (message->kind == REGISTRY_KEY_ADD || message->kind == REGISTRY_KEY_REMOVE)
        request.key = order->key;
    if (message->kind == REGISTRY_KEY_ROTATE) {
        request.rotation = (struct vito_key_rotation){
            .key = order->key, .replaced_until_ms = order->replaced_until_ms};
        RT_TEXT_SET(request.rotation.replaces, order->replaces);
    }
    struct rt_owed *owed = rt_owe(self, message);
    if (owed == NULL)
        return;
    request.note = note_of(self, (enum twin_kind)message->kind, order, message->buffer);
    if (request.note == NULL) {
        rt_owed_failed(self, owed, RT_NO_MEMORY);
        return;
    }
    request.document = rt_buffer_acquire(message->buffer);
    struct registry_change *change =
        registry_submit(self, registry, (enum twin_kind)message->kind, &request);
    if (change == NULL) {
        rt_owed_failed(self, owed, RT_NO_MEMORY);
        return;
    }
    change->owed = owed;
    change->key = request.key;
    if (message->kind == REGISTRY_KEY_ROTATE) {
        RT_TEXT_SET(change->replaces, request.rotation.replaces);
        change->replaced_until_ms = request.rotation.replaced_until_ms;
    }
    change->document = rt_buffer_acquire(message->buffer);
}

static struct problem
problem_of_change(const struct registry_change *change, const struct vito_stored *stored)
{
    switch (stored->status) {
    case RT_OK:
        return problem_make(PROBLEM_NONE, NULL);
    case RT_NOT_FOUND:
        return change->kind == REGISTRY_KEY_REMOVE || change->kind == REGISTRY_KEY_ROTATE
                   ? problem_make(PROBLEM_NOT_FOUND, "\"%s\" has no such key", change->tenant_id)
                   : problem_make(PROBLEM_UNKNOWN_AVATAR, "there is no tenant \"%s\"",
                                  change->tenant_id);
    case RT_EXISTS:
        return problem_make(PROBLEM_CONFLICT, NULL);
    default: {
        struct problem problem = problem_make(PROBLEM_STORE_UNAVAILABLE, NULL);
        problem.retry_after_s = 1;
        return problem;
    }
    }
}

/* The vault knows the tenants there are, so that it can tell whose a secret is. */
static void
tell_vault(struct rt_actor *self, struct vito_vault *vault, const struct registry_change *change)
{
    if (vault == NULL)
        return;
    if (change->kind == REGISTRY_TENANT_REMOVE)
        vito_vault_remove_tenant(vault, change->tenant_id);
    else if (change->kind == REGISTRY_TENANT_PUT &&
             !vito_vault_add_tenant(vault, change->tenant_id))
        rt_fail(self, "no_memory");
}

void
registry_configure_tenant(struct rt_actor *self, const struct registry_entry *entry,
                          struct rt_buffer *document)
{
    struct rt_message *message = rt_message_create_vital(TENANT_CONFIGURE, 0);
    message->buffer = rt_buffer_acquire(document);
    rt_send_control(self, entry->tenant, message);
}

/* A change is durable: now it counts here as well. */
static void
apply_change(struct rt_actor *self, struct registry *registry, const struct registry_change *change)
{
    struct registry_entry *entry = registry_find(registry, change->tenant_id);
    bool awake = entry != NULL && entry->phase == ENTRY_AWAKE;
    tell_vault(self, registry->world->vault, change);
    if (change->kind == REGISTRY_TENANT_PUT && awake) {
        registry_configure_tenant(self, entry, change->document);
    } else if (change->kind == REGISTRY_TENANT_REMOVE) {
        registry_remove_keys(registry, change->tenant_id, NULL);
        if (awake)
            registry_drain_tenant(self, entry);
    } else if (change->kind == REGISTRY_KEY_ADD) {
        if (!registry_add_key(registry, &change->key))
            rt_fail(self, "no_memory"); /* the restart reads it from the store */
    } else if (change->kind == REGISTRY_KEY_ROTATE) {
        if (!registry_add_key(registry, &change->key))
            rt_fail(self, "no_memory");
        registry_end_key(registry, change->replaces, change->replaced_until_ms);
        registry_expire_keys(self, registry);
    } else if (change->kind == REGISTRY_KEY_REMOVE) {
        registry_remove_keys(registry, change->tenant_id, change->key.id);
        registry_revoke(self, awake ? entry->tenant : RT_NOBODY, change->key.id);
    }
}

void
registry_on_stored(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    struct registry_change *change = find_change(registry, message->request_id);
    if (change == NULL)
        return;
    if (registry_on_news_read(self, registry, change, stored, message->buffer)) {
        /* it was not ours */
    } else if (change->kind == (enum twin_kind)RT_KIND_START) {
        on_keys(self, registry, stored, message->buffer);
    } else if (change->kind == REGISTRY_RESOLVE) {
        registry_on_tenant_read(self, registry, change, stored, message->buffer);
    } else if (change->owed != NULL) {
        if (stored->status == RT_OK)
            apply_change(self, registry, change);
        answer_done(self, change->owed, stored->created ? 201 : 200,
                    problem_of_change(change, stored));
    }
    registry_free_change(registry, change);
}
