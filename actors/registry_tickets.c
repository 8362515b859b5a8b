/*
 * Tickets: credentials for one use within half a minute, for browsers. They live here alone, so a
 * ticket is good at the gateway that gave it, and in its lifetime.
 */
#include <string.h>

#include "actors/registry_state.h"
#include "runtime/pool.h"

enum {
    TICKETS_MAX = 65536,
    TICKETS_OF_ONE_MAX = 4096, /* once half of all are out */
};

static struct registry_ticket *
oldest_of(const struct registry *registry)
{
    struct rt_table_link *link = rt_table_first(&registry->tickets);
    return link == NULL ? NULL : RT_CONTAINER_OF(link, struct registry_ticket, link);
}

void
registry_drop_ticket(struct registry *registry, struct registry_ticket *ticket)
{
    rt_table_remove(&registry->tickets, &ticket->link);
    rt_pool_give(ticket, sizeof(*ticket));
}

/* They all live equally long, so the oldest ends first. */
static void
drop_expired(struct registry *registry, uint64_t now_ns)
{
    struct registry_ticket *oldest;
    while ((oldest = oldest_of(registry)) != NULL && oldest->expires_ns <= now_ns)
        registry_drop_ticket(registry, oldest);
}

/* Whether there is room for one more of that tenant. One tenant alone cannot take all there is. */
static bool
has_room(const struct registry *registry, const char *tenant_id)
{
    if (registry->tickets.count < TICKETS_MAX / 2)
        return true;
    size_t count = 0;
    for (struct rt_table_link *link = rt_table_first(&registry->tickets); link != NULL;
         link = link->newer)
        if (strcmp(RT_CONTAINER_OF(link, struct registry_ticket, link)->caller.tenant_id,
                   tenant_id) == 0)
            count++;
    return registry->tickets.count < TICKETS_MAX && count < TICKETS_OF_ONE_MAX;
}

static uint64_t
hash_of(const struct vito_digest *digest)
{
    return rt_hash_bytes(digest, sizeof(*digest));
}

static bool
add_ticket(struct registry *registry, const struct registry_ticket_add *add, uint64_t now_ns)
{
    drop_expired(registry, now_ns);
    if (!has_room(registry, add->caller.tenant_id))
        return false;
    struct registry_ticket *ticket = rt_pool_take(sizeof(*ticket));
    if (ticket == NULL)
        return false;
    *ticket = (struct registry_ticket){
        .digest = add->digest,
        .caller = add->caller,
        .expires_ns = now_ns + REGISTRY_TICKET_MS * RT_NS_PER_MS,
    };
    if (rt_table_add(&registry->tickets, &ticket->link, hash_of(&add->digest)))
        return true;
    rt_pool_give(ticket, sizeof(*ticket));
    return false;
}

void
registry_on_ticket_add(struct rt_actor *self, struct registry *registry, struct rt_message *message)
{
    struct rt_message *answer =
        rt_message_create(REGISTRY_TICKET_ADDED, sizeof(struct registry_ticket_added));
    if (answer == NULL) {
        rt_answer_failed(self, message, RT_NO_MEMORY);
        return;
    }
    bool added = add_ticket(registry, rt_message_payload(message), rt_now_ns(self));
    ((struct registry_ticket_added *)rt_message_payload(answer))->refused =
        added ? PROBLEM_NONE : PROBLEM_OVERLOAD;
    rt_answer(self, message, answer);
}

bool
registry_take_ticket(struct registry *registry, const struct vito_digest *digest, uint64_t now_ns,
                     struct access_caller *caller_out)
{
    drop_expired(registry, now_ns);
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&registry->tickets, hash_of(digest), link)) != NULL) {
        struct registry_ticket *ticket = RT_CONTAINER_OF(link, struct registry_ticket, link);
        if (!vito_digest_is(&ticket->digest, digest))
            continue;
        *caller_out = ticket->caller;
        registry_drop_ticket(registry, ticket);
        return true;
    }
    return false;
}

void
registry_revoke(struct rt_actor *self, struct registry *registry, struct rt_address tenant,
                const char *key_id)
{
    for (struct rt_table_link *link = rt_table_first(&registry->tickets), *next; link != NULL;
         link = next) {
        next = link->newer;
        struct registry_ticket *ticket = RT_CONTAINER_OF(link, struct registry_ticket, link);
        if (strcmp(ticket->caller.name, key_id) == 0)
            registry_drop_ticket(registry, ticket);
    }
    if (rt_address_is(tenant, RT_NOBODY))
        return;
    struct rt_message *message =
        rt_message_create_vital(TENANT_REVOKE, sizeof(struct tenant_revoke));
    ((struct tenant_revoke *)rt_message_payload(message))->credential = rt_hash_text(key_id);
    rt_send_control(self, tenant, message);
}
