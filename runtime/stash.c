/*
 * Messages an actor has put aside until it can handle them.
 */
#include "runtime/assert.h"
#include "runtime/internal.h"
#include "runtime/pool.h"

/* A node of its own: while its handler runs, the message is still linked in the mailbox. */
struct rt_stash {
    struct rt_stash *next;
    struct rt_message *message;
};

bool
rt_stash(struct rt_actor *self, struct rt_message *message)
{
    struct rt_turn_state *turn = rt_turn_of(self);
    RT_ASSERT(message == turn->message);
    RT_ASSERT(!turn->answered);
    struct rt_stash *stash = rt_pool_take(sizeof(*stash));
    if (stash == NULL)
        return false;
    *stash = (struct rt_stash){.next = self->stash, .message = message};
    self->stash = stash;
    rt_mailbox_set_aside(&self->mailbox, message);
    turn->taken = true;
    turn->answered = true; /* its answer comes when it is handled again */
    return true;
}

/* Takes all, oldest first, off the mailbox's books too. */
static struct rt_stash *
take_all(struct rt_actor *actor)
{
    struct rt_stash *oldest_first = NULL;
    while (actor->stash != NULL) {
        struct rt_stash *stash = actor->stash;
        actor->stash = stash->next;
        rt_mailbox_put_back(&actor->mailbox, stash->message);
        stash->next = oldest_first;
        oldest_first = stash;
    }
    return oldest_first;
}

void
rt_unstash(struct rt_actor *self)
{
    for (struct rt_stash *stash = take_all(self), *next; stash != NULL; stash = next) {
        next = stash->next;
        rt_deliver_again(self, stash->message);
        rt_pool_give(stash, sizeof(*stash));
    }
}

void
rt_stash_bounce(struct rt_actor *actor)
{
    for (struct rt_stash *stash = take_all(actor), *next; stash != NULL; stash = next) {
        next = stash->next;
        rt_bounce(actor->system, stash->message);
        rt_message_destroy(stash->message);
        rt_pool_give(stash, sizeof(*stash));
    }
}
