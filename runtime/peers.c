/*
 * Who must hear of this actor's end, and whose ends it hears of: a short list an actor.
 */
#include "runtime/internal.h"
#include "runtime/pool.h"

struct rt_peer {
    struct rt_peer *next;
    struct rt_address who;
    enum rt_peer_role role;
};

bool
rt_peer_add(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who)
{
    struct rt_peer *peer = rt_pool_take(sizeof(*peer));
    if (peer == NULL)
        return false;
    *peer = (struct rt_peer){.next = actor->peers, .who = who, .role = role};
    actor->peers = peer;
    return true;
}

void
rt_peer_name(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who)
{
    struct rt_peer *peer = actor->peers;
    while (peer->role != role || peer->who.id != 0)
        peer = peer->next;
    peer->who = who;
}

bool
rt_peer_add_once(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who)
{
    for (const struct rt_peer *peer = actor->peers; peer != NULL; peer = peer->next)
        if (peer->role == role && rt_address_is(peer->who, who))
            return true;
    return rt_peer_add(actor, role, who);
}

bool
rt_peer_remove(struct rt_actor *actor, enum rt_peer_role role, struct rt_address who)
{
    for (struct rt_peer **at = &actor->peers; *at != NULL; at = &(*at)->next) {
        struct rt_peer *peer = *at;
        if (peer->role != role || !rt_address_is(peer->who, who))
            continue;
        *at = peer->next;
        rt_pool_give(peer, sizeof(*peer));
        return true;
    }
    return false;
}

static void
tell_end(struct rt_actor *actor, struct rt_address to, enum rt_kind kind,
         enum rt_exit_reason reason)
{
    struct rt_message *message = rt_message_create_vital(kind, sizeof(struct rt_down));
    struct rt_down *down = rt_message_payload(message);
    *down = (struct rt_down){.who = {actor, rt_actor_id(actor)}, .reason = reason};
    message->flags = RT_MESSAGE_CONTROL;
    rt_deliver(actor->system, to, message);
}

void
rt_peers_part_with_state(struct rt_actor *actor)
{
    for (struct rt_peer **at = &actor->peers; *at != NULL;) {
        struct rt_peer *peer = *at;
        if (peer->role != RT_PEER_CHILD && peer->role != RT_PEER_LINKED) {
            at = &peer->next;
            continue;
        }
        *at = peer->next;
        if (peer->role == RT_PEER_CHILD)
            rt_exit(actor->system, peer->who, RT_EXIT_SHUTDOWN);
        else
            tell_end(actor, peer->who, RT_KIND_LINK_BROKEN, RT_EXIT_FAILED);
        rt_pool_give(peer, sizeof(*peer));
    }
}

void
rt_peers_part(struct rt_actor *actor, enum rt_exit_reason reason)
{
    while (actor->peers != NULL) {
        struct rt_peer *peer = actor->peers;
        actor->peers = peer->next;
        switch (peer->role) {
        case RT_PEER_WATCHER:
            tell_end(actor, peer->who, RT_KIND_DOWN, reason);
            break;
        case RT_PEER_WATCHED: {
            struct rt_message *message =
                rt_message_create(RT_KIND_UNMONITOR, sizeof(struct rt_address));
            if (message == NULL)
                break;
            *(struct rt_address *)rt_message_payload(message) =
                (struct rt_address){actor, rt_actor_id(actor)};
            message->flags = RT_MESSAGE_CONTROL;
            rt_deliver(actor->system, peer->who, message);
            break;
        }
        case RT_PEER_CHILD:
            rt_exit(actor->system, peer->who, RT_EXIT_SHUTDOWN);
            break;
        case RT_PEER_LINKED:
            tell_end(actor, peer->who, RT_KIND_LINK_BROKEN, reason);
            break;
        }
        rt_pool_give(peer, sizeof(*peer));
    }
    if (actor->parent.id != 0)
        tell_end(actor, actor->parent, RT_KIND_DOWN, reason);
}
