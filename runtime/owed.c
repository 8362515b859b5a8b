/*
 * Answers that an actor has put off. When it ends, whoever waits is told.
 */
#include "runtime/assert.h"
#include "runtime/internal.h"
#include "runtime/pool.h"

struct rt_owed {
    struct rt_owed *next, *previous;
    struct rt_address to;
    uint64_t request_id;
};

static void
send_answer(struct rt_actor *self, struct rt_address to, uint64_t request_id,
            struct rt_message *answer)
{
    answer->request_id = request_id;
    answer->flags = RT_MESSAGE_CONTROL | RT_MESSAGE_ANSWER;
    answer->from = rt_self(self);
    rt_deliver(self->system, to, answer);
}

static struct rt_message *
failed_message(enum rt_status status)
{
    struct rt_message *message = rt_message_create_vital(RT_KIND_FAILED, sizeof(struct rt_failed));
    ((struct rt_failed *)rt_message_payload(message))->status = status;
    return message;
}

void
rt_answer(struct rt_actor *self, const struct rt_message *request, struct rt_message *answer)
{
    struct rt_turn_state *turn = rt_turn_of(self);
    RT_ASSERT(request == turn->message);
    RT_ASSERT(!turn->answered);
    turn->answered = true;
    if (!(request->flags & RT_MESSAGE_REQUEST)) {
        rt_message_destroy(answer); /* sent without waiting for one */
        return;
    }
    send_answer(self, request->from, request->request_id, answer);
}

void
rt_answer_failed(struct rt_actor *self, const struct rt_message *request, enum rt_status status)
{
    rt_answer(self, request, failed_message(status));
}

struct rt_owed *
rt_owe(struct rt_actor *self, const struct rt_message *request)
{
    struct rt_turn_state *turn = rt_turn_of(self);
    RT_ASSERT(request == turn->message);
    RT_ASSERT(!turn->answered);
    struct rt_owed *owed = rt_pool_take(sizeof(*owed));
    if (owed == NULL) {
        rt_answer_failed(self, request, RT_NO_MEMORY);
        return NULL;
    }
    turn->answered = true;
    *owed = (struct rt_owed){
        .next = self->owed,
        .to = request->flags & RT_MESSAGE_REQUEST ? request->from : RT_NOBODY,
        .request_id = request->request_id,
    };
    if (self->owed != NULL)
        self->owed->previous = owed;
    self->owed = owed;
    return owed;
}

struct rt_address
rt_owed_to(const struct rt_owed *owed)
{
    return owed->to;
}

static void
forget(struct rt_actor *self, struct rt_owed *owed)
{
    if (owed->previous != NULL)
        owed->previous->next = owed->next;
    else
        self->owed = owed->next;
    if (owed->next != NULL)
        owed->next->previous = owed->previous;
    rt_pool_give(owed, sizeof(*owed));
}

void
rt_owed_answer(struct rt_actor *self, struct rt_owed *owed, struct rt_message *answer)
{
    if (owed->to.id != 0)
        send_answer(self, owed->to, owed->request_id, answer);
    else
        rt_message_destroy(answer);
    forget(self, owed);
}

void
rt_owed_failed(struct rt_actor *self, struct rt_owed *owed, enum rt_status status)
{
    rt_owed_answer(self, owed, failed_message(status));
}

void
rt_owed_fail_all(struct rt_actor *actor, enum rt_status status)
{
    while (actor->owed != NULL)
        rt_owed_failed(actor, actor->owed, status);
}

void
rt_refuse_request(struct rt_system *system, const struct rt_message *request, enum rt_status status)
{
    if (!(request->flags & RT_MESSAGE_REQUEST) || request->from.id == 0)
        return;
    struct rt_message *answer = failed_message(status);
    answer->request_id = request->request_id;
    answer->flags = RT_MESSAGE_CONTROL | RT_MESSAGE_ANSWER;
    rt_deliver(system, request->from, answer);
}
