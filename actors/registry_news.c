/*
 * What other gateways on the same store changed: documents and keys are read again, and what is
 * about money goes to its tenant.
 */
#include <string.h>

#include "actors/registry_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

/* What a change waits for, when news made us ask. */
static const enum twin_kind reads_document = TENANT_NEWS, reads_keys = (enum twin_kind)VITO_NEWS;

enum { RETRY_MS = 1000 };

static void
read_later(struct rt_actor *self, struct registry *registry)
{
    rt_timer_set(self, &registry->news_timer, RETRY_MS * RT_NS_PER_MS);
}

/* False when out of memory. */
static bool
ask(struct rt_actor *self, struct registry *registry, enum vito_op op, enum twin_kind kind,
    const char *tenant_id)
{
    struct vito_request request = {.op = op};
    RT_TEXT_SET(request.tenant_id, tenant_id);
    return registry_submit(self, registry, kind, &request) != NULL;
}

static void
read_document(struct rt_actor *self, struct registry *registry, struct registry_entry *entry)
{
    entry->stale = !ask(self, registry, VITO_TENANT_GET, reads_document, entry->id);
    if (entry->stale)
        read_later(self, registry);
}

static void
read_documents(struct rt_actor *self, struct registry *registry, const char *tenant_id)
{
    for (struct rt_table_link *link = rt_table_first(&registry->entries); link != NULL;
         link = link->newer) {
        struct registry_entry *entry = RT_CONTAINER_OF(link, struct registry_entry, link);
        bool is_meant = *tenant_id == '\0' || strcmp(entry->id, tenant_id) == 0;
        if (is_meant && entry->phase == ENTRY_AWAKE)
            read_document(self, registry, entry);
    }
}

static void
read_keys(struct rt_actor *self, struct registry *registry, const char *tenant_id)
{
    if (ask(self, registry, VITO_KEY_LIST, reads_keys, tenant_id))
        return;
    registry->keys_stale = true;
    read_later(self, registry);
}

void
registry_on_news_timer(struct rt_actor *self, struct registry *registry)
{
    if (registry->keys_stale) {
        registry->keys_stale = false;
        read_keys(self, registry, "");
    }
    for (struct rt_table_link *link = rt_table_first(&registry->entries); link != NULL;
         link = link->newer) {
        struct registry_entry *entry = RT_CONTAINER_OF(link, struct registry_entry, link);
        if (entry->stale && entry->phase == ENTRY_AWAKE)
            read_document(self, registry, entry);
    }
}

static void
pass_on(struct rt_actor *self, const struct registry *registry, const struct vito_news *news)
{
    const struct registry_entry *entry = registry_find(registry, news->tenant_id);
    struct rt_message *message = NULL;
    if (entry != NULL && entry->phase == ENTRY_AWAKE)
        message = rt_message_create(TENANT_NEWS, sizeof(*news));
    if (message == NULL)
        return;
    *(struct vito_news *)rt_message_payload(message) = *news;
    rt_send_control(self, entry->tenant, message);
}

/* The vault's keeper reads again what it has of the tenant, which may be new to it, or gone. */
static void
tell_keeper(struct rt_actor *self, const struct registry *registry, const struct vito_news *news)
{
    if (registry->world->vault == NULL)
        return;
    struct rt_message *message = rt_message_create_vital(VITO_NEWS, sizeof(*news));
    *(struct vito_news *)rt_message_payload(message) = *news;
    rt_send_control(self, registry->world->keeper, message);
}

void
registry_on_news(struct rt_actor *self, struct registry *registry, const struct vito_news *news)
{
    switch (news->kind) {
    case VITO_NEWS_TENANT:
        read_documents(self, registry, news->tenant_id);
        tell_keeper(self, registry, news);
        break;
    case VITO_NEWS_SECRETS:
        tell_keeper(self, registry, news);
        break;
    case VITO_NEWS_KEYS:
        read_keys(self, registry, news->tenant_id);
        break;
    case VITO_NEWS_RECALL:
    case VITO_NEWS_RETURNED:
    case VITO_NEWS_REFUNDED:
        pass_on(self, registry, news);
        break;
    case VITO_NEWS_COUNT:
        break;
    }
}

/* Takes a tenant's keys out of the table, all there are when `tenant_id` is "". */
static struct registry_key *
take_keys_out(struct registry *registry, const char *tenant_id)
{
    struct registry_key *taken = NULL;
    for (struct rt_table_link *link = rt_table_first(&registry->keys), *next; link != NULL;
         link = next) {
        next = link->newer;
        struct registry_key *entry = RT_CONTAINER_OF(link, struct registry_key, link);
        if (*tenant_id != '\0' && strcmp(entry->key.tenant_id, tenant_id) != 0)
            continue;
        rt_table_remove(&registry->keys, link);
        entry->next = taken;
        taken = entry;
    }
    return taken;
}

static bool
is_listed(const struct rt_buffer *list, const struct vito_key *key)
{
    struct vito_key listed;
    size_t size_bytes = list == NULL ? 0 : list->size_bytes;
    for (size_t at = 0; at + sizeof(listed) <= size_bytes; at += sizeof(listed)) {
        memcpy(&listed, list->bytes + at, sizeof(listed));
        if (vito_digest_is(&listed.digest, &key->digest))
            return true;
    }
    return false;
}

/* What was got with a key that is gone goes with it, as it did where it was removed. */
static void
revoke_if_gone(struct rt_actor *self, struct registry *registry, const struct vito_key *key,
               const struct rt_buffer *list)
{
    if (registry_find_key(registry, &key->digest) != NULL || is_listed(list, key))
        return;
    const struct registry_entry *entry = registry_find(registry, key->tenant_id);
    bool awake = entry != NULL && entry->phase == ENTRY_AWAKE;
    registry_revoke(self, awake ? entry->tenant : RT_NOBODY, key->id);
}

/* False when some cannot be kept for want of memory: they are unknown for now. */
static bool
replace_keys(struct rt_actor *self, struct registry *registry, const char *tenant_id,
             const struct rt_buffer *list)
{
    struct registry_key *old = take_keys_out(registry, tenant_id);
    size_t count = list == NULL ? 0 : list->size_bytes / sizeof(struct vito_key);
    bool fits = true;
    for (size_t i = 0; i < count && fits; i++) {
        struct vito_key key;
        memcpy(&key, list->bytes + i * sizeof(key), sizeof(key));
        fits = registry_add_key(registry, &key);
    }
    while (old != NULL) {
        struct registry_key *entry = old;
        old = entry->next;
        revoke_if_gone(self, registry, &entry->key, list);
        rt_pool_give(entry, sizeof(*entry));
    }
    return fits;
}

/* Keys that could not be read stay as they are, until they can be. */
static void
on_keys_read(struct rt_actor *self, struct registry *registry, const struct registry_change *change,
             const struct vito_stored *stored, const struct rt_buffer *list)
{
    if (stored->status == RT_OK && replace_keys(self, registry, change->tenant_id, list)) {
        registry_expire_keys(self, registry);
        return;
    }
    registry->keys_stale = true;
    read_later(self, registry);
}

static void
on_document_read(struct rt_actor *self, struct registry *registry,
                 const struct registry_change *change, const struct vito_stored *stored,
                 struct rt_buffer *document)
{
    struct registry_entry *entry = registry_find(registry, change->tenant_id);
    if (entry == NULL || entry->phase != ENTRY_AWAKE)
        return;
    if (stored->status == RT_OK) {
        registry_configure_tenant(self, entry, document);
    } else if (stored->status == RT_NOT_FOUND) {
        registry_drain_tenant(self, entry);
    } else {
        entry->stale = true;
        read_later(self, registry);
    }
}

bool
registry_on_news_read(struct rt_actor *self, struct registry *registry,
                      const struct registry_change *change, const struct vito_stored *stored,
                      struct rt_buffer *document)
{
    if (change->kind == reads_keys)
        on_keys_read(self, registry, change, stored, document);
    else if (change->kind == reads_document)
        on_document_read(self, registry, change, stored, document);
    return change->kind == reads_keys || change->kind == reads_document;
}
