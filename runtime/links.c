/*
 * Links: who ends takes the others along, unless they trap it.
 *
 * Each end keeps a note of the other, and a link is there only while both do: who ends tells
 * those it has a note of, and who is told heeds it only with a note of its own. So what crosses on
 * its way does no harm: an unlink that meets a link leaves one note at most, which means nothing.
 */
#include "runtime/internal.h"

static bool
send_note(struct rt_actor *self, enum rt_kind kind, struct rt_address target)
{
    struct rt_message *message = rt_message_create(kind, sizeof(struct rt_address));
    if (message == NULL)
        return false;
    *(struct rt_address *)rt_message_payload(message) = rt_self(self);
    rt_send_control(self, target, message);
    return true;
}

void
rt_link(struct rt_actor *self, struct rt_address target)
{
    /* The message goes even when there is a note: it may be all that is left of an earlier link. */
    if (!rt_peer_add_once(self, RT_PEER_LINKED, target) || !send_note(self, RT_KIND_LINK, target))
        rt_fail(self, "no_memory");
}

void
rt_unlink(struct rt_actor *self, struct rt_address target)
{
    /* Without memory for it the other one's note is left, and means nothing. */
    if (rt_peer_remove(self, RT_PEER_LINKED, target))
        (void)send_note(self, RT_KIND_UNLINK, target);
}

/* The other one has ended, or begins anew. */
static bool
handle_broken(struct rt_actor *actor, const struct rt_down *down)
{
    if (!rt_peer_remove(actor, RT_PEER_LINKED, down->who))
        return true;
    if (rt_behaviour_of(actor)->traps_links)
        return false;
    if (down->reason == RT_EXIT_FAILED || down->reason == RT_EXIT_NOBODY)
        rt_fail(actor, "linked_one_ended");
    else if (down->reason != RT_EXIT_NORMAL)
        rt_stop(actor, down->reason);
    return true;
}

bool
rt_link_handle(struct rt_actor *actor, struct rt_message *message)
{
    if (message->kind == RT_KIND_LINK_BROKEN)
        return handle_broken(actor, rt_message_payload(message));
    struct rt_address other = *(struct rt_address *)rt_message_payload(message);
    if (message->kind == RT_KIND_UNLINK)
        rt_peer_remove(actor, RT_PEER_LINKED, other);
    else if (!rt_peer_add_once(actor, RT_PEER_LINKED, other))
        rt_bounce(actor->system, message);
    return true;
}
