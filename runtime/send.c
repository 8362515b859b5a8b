/*
 * Ways into a mailbox, and what becomes of messages that find none.
 */
#include "runtime/assert.h"
#include "runtime/internal.h"

static void
count_dead_letter(struct rt_system *system, const struct rt_message *message)
{
    struct rt_dead_letters *letters = &system->dead_letters;
    pthread_mutex_lock(&letters->mutex);
    letters->ring[letters->count++ % RT_DEAD_LETTERS_KEPT] = (struct rt_dead_letter){
        .target_id = message->target_id, .from_id = message->from.id, .kind = message->kind};
    pthread_mutex_unlock(&letters->mutex);
    rt_count_dead_letter();
}

/* A message that the sender is told of. */
static void
count_refusal(struct rt_system *system, const struct rt_message *message, enum rt_status status,
              bool is_bytes)
{
    if (message->kind < RT_KIND_USER)
        return; /* that a timer or an end comes too late is no news */
    if (status == RT_FULL)
        rt_count_refusal(system, is_bytes ? RT_REFUSED_BYTES : RT_REFUSED_MESSAGES);
    else if (message->flags & RT_MESSAGE_CONTROL)
        rt_count_refusal(system, RT_REFUSED_CONTROL);
    else
        rt_count_refusal(system, RT_REFUSED_DEAD);
}

void
rt_bounce(struct rt_system *system, const struct rt_message *message)
{
    if (message->kind == RT_KIND_MONITOR || message->kind == RT_KIND_LINK) {
        enum rt_kind kind = message->kind == RT_KIND_LINK ? RT_KIND_LINK_BROKEN : RT_KIND_DOWN;
        struct rt_message *answer = rt_message_create_vital(kind, sizeof(struct rt_down));
        struct rt_down *down = rt_message_payload(answer);
        down->who.id = message->target_id;
        down->reason = RT_EXIT_NOBODY;
        answer->flags = RT_MESSAGE_CONTROL;
        rt_deliver(system, *(const struct rt_address *)(const void *)message->payload, answer);
    } else if (message->flags & RT_MESSAGE_REQUEST) {
        rt_refuse_request(system, message, RT_CLOSED);
    } else if (message->kind >= RT_KIND_USER) {
        count_dead_letter(system, message);
    }
}

void
rt_bounce_list(struct rt_system *system, struct rt_message *list)
{
    while (list != NULL) {
        struct rt_message *next = rt_mailbox_list_next(list);
        rt_bounce(system, list);
        rt_message_destroy(list);
        list = next;
    }
}

/* Sends what the outbox keeps. */
static void
flush(struct rt_worker *worker)
{
    struct rt_outbox *outbox = &worker->outbox;
    if (outbox->chain.first == NULL)
        return;
    struct rt_mailbox_chain chain = outbox->chain;
    struct rt_actor *to = outbox->to;
    outbox->chain = (struct rt_mailbox_chain){0}; /* a bounce below may send */
    struct rt_mailbox_sent sent = rt_mailbox_push_chain(&to->mailbox, &chain);
    if (RT_UNLIKELY(sent.others != NULL))
        rt_bounce_list(worker->system, sent.others);
    if (sent.wake)
        rt_schedule(to);
}

void
rt_outbox_close(struct rt_worker *worker)
{
    flush(worker);
    worker->outbox.sender = NULL;
    worker->outbox.to = NULL;
}

/* Keeps a data message for the actor that the same handler sent to just before. False when it has
 * to be sent now. */
static bool
keep(struct rt_actor *self, struct rt_address to, struct rt_message *message)
{
    struct rt_outbox *outbox = &rt_worker_here->outbox;
    if (outbox->to != to.actor || outbox->sender != self || message->flags & RT_MESSAGE_CONTROL)
        return false;
    if (outbox->chain.messages == RT_OUTBOX_MESSAGES_MAX ||
        !rt_mailbox_has_room(&to.actor->mailbox, &outbox->chain))
        return false;
    message->target_id = to.id;
    rt_mailbox_chain_add(&outbox->chain, message);
    return true;
}

enum rt_status
rt_deliver(struct rt_system *system, struct rt_address to, struct rt_message *message)
{
    struct rt_worker *here = rt_worker_here;
    if (here != NULL && here->outbox.sender != NULL) {
        flush(here); /* so that nothing overtakes what was sent before it */
        here->outbox.to = to.actor;
    }
    message->target_id = to.id;
    if (to.id == 0) {
        count_refusal(system, message, RT_CLOSED, false);
        rt_bounce(system, message);
        rt_message_destroy(message);
        return RT_CLOSED;
    }
    struct rt_actor *actor = to.actor;
    struct rt_mailbox_sent sent = rt_mailbox_push(&actor->mailbox, message);
    if (RT_UNLIKELY(sent.others != NULL))
        rt_bounce_list(system, sent.others);
    if (sent.wake)
        rt_schedule(actor);
    if (RT_LIKELY(sent.status == RT_OK))
        return RT_OK;
    count_refusal(system, message, sent.status, sent.is_bytes);
    if (sent.status == RT_CLOSED) {
        rt_bounce(system, message);
        rt_message_destroy(message);
        return RT_CLOSED;
    }
    rt_refuse_request(system, message, RT_FULL);
    rt_message_destroy(message);
    return RT_FULL;
}

void
rt_deliver_again(struct rt_actor *self, struct rt_message *message)
{
    struct rt_worker *here = rt_worker_here;
    if (message->flags & RT_MESSAGE_CONTROL) {
        rt_deliver(self->system, rt_self(self), message);
        return;
    }
    if (here != NULL && here->outbox.sender != NULL)
        flush(here); /* so that nothing overtakes what was sent before it */
    struct rt_mailbox_chain chain = {0};
    message->target_id = rt_actor_id(self);
    rt_mailbox_chain_add(&chain, message);
    struct rt_mailbox_sent sent = rt_mailbox_push_chain(&self->mailbox, &chain);
    if (RT_UNLIKELY(sent.others != NULL))
        rt_bounce_list(self->system, sent.others);
    if (sent.wake)
        rt_schedule(self);
}

uint64_t
rt_waiting_bytes(struct rt_address who)
{
    return who.id == 0 ? 0 : rt_mailbox_bytes(&who.actor->mailbox);
}

enum rt_status
rt_post(struct rt_system *system, struct rt_address to, struct rt_message *message)
{
    message->from = RT_NOBODY;
    return rt_deliver(system, to, message);
}

enum rt_status
rt_send(struct rt_actor *self, struct rt_address to, struct rt_message *message)
{
    message->from = rt_self(self);
    if (keep(self, to, message))
        return RT_OK;
    return rt_deliver(self->system, to, message);
}

enum rt_status
rt_send_control(struct rt_actor *self, struct rt_address to, struct rt_message *message)
{
    message->flags |= RT_MESSAGE_CONTROL;
    return rt_send(self, to, message);
}

void
rt_request(struct rt_actor *self, struct rt_address to, struct rt_message *message,
           uint64_t request_id)
{
    RT_ASSERT(request_id != 0);
    message->request_id = request_id;
    message->flags |= RT_MESSAGE_REQUEST;
    rt_send(self, to, message); /* a refusal has already been answered */
}

void
rt_request_control(struct rt_actor *self, struct rt_address to, struct rt_message *message,
                   uint64_t request_id)
{
    message->flags |= RT_MESSAGE_CONTROL;
    rt_request(self, to, message, request_id);
}

void
rt_exit(struct rt_system *system, struct rt_address who, enum rt_exit_reason reason)
{
    struct rt_message *message = rt_message_create_vital(RT_KIND_EXIT, sizeof(struct rt_exit));
    ((struct rt_exit *)rt_message_payload(message))->reason = reason;
    message->flags = RT_MESSAGE_CONTROL;
    rt_post(system, who, message);
}
