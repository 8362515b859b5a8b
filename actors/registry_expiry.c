/*
 * Keys that were replaced are good for a while longer, by the wall clock. When they end, so does
 * what was got with them, as if they were removed; the store keeps them until somebody removes
 * them.
 */
#include <string.h>

#include "actors/registry_state.h"
#include "runtime/pool.h"

enum { LOOK_MS_MAX = 60000 }; /* the wall clock may be set meanwhile */

void
registry_end_key(struct registry *registry, const char *id, int64_t expires_ms)
{
    for (struct rt_table_link *link = rt_table_first(&registry->keys); link != NULL;
         link = link->newer) {
        struct vito_key *key = &RT_CONTAINER_OF(link, struct registry_key, link)->key;
        if (strcmp(key->id, id) == 0 && (key->expires_ms == 0 || key->expires_ms > expires_ms))
            key->expires_ms = expires_ms;
    }
}

void
registry_revoke(struct rt_actor *self, struct rt_address tenant, const char *key_id)
{
    if (rt_address_is(tenant, RT_NOBODY))
        return;
    struct rt_message *message =
        rt_message_create_vital(TENANT_REVOKE, sizeof(struct tenant_revoke));
    ((struct tenant_revoke *)rt_message_payload(message))->credential = rt_hash_text(key_id);
    rt_send_control(self, tenant, message);
}

static void
expire(struct rt_actor *self, struct registry *registry, struct registry_key *expired)
{
    const struct registry_entry *entry = registry_find(registry, expired->key.tenant_id);
    bool awake = entry != NULL && entry->phase == ENTRY_AWAKE;
    registry_revoke(self, awake ? entry->tenant : RT_NOBODY, expired->key.id);
    rt_table_remove(&registry->keys, &expired->link);
    rt_pool_give(expired, sizeof(*expired));
}

void
registry_expire_keys(struct rt_actor *self, struct registry *registry)
{
    int64_t now_ms = rt_wall_ms(self), soonest_ms = INT64_MAX;
    for (struct rt_table_link *link = rt_table_first(&registry->keys), *next; link != NULL;
         link = next) {
        next = link->newer;
        struct registry_key *entry = RT_CONTAINER_OF(link, struct registry_key, link);
        if (entry->key.expires_ms == 0)
            continue;
        if (entry->key.expires_ms <= now_ms)
            expire(self, registry, entry);
        else if (entry->key.expires_ms < soonest_ms)
            soonest_ms = entry->key.expires_ms;
    }
    if (soonest_ms == INT64_MAX)
        return;
    int64_t wait_ms = soonest_ms - now_ms;
    rt_timer_set(self, &registry->expiry_timer,
                 (uint64_t)(wait_ms < LOOK_MS_MAX ? wait_ms : LOOK_MS_MAX) * RT_NS_PER_MS);
}
