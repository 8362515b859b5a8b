/*
 * Messages whose handling fails their actor: tried again where that was asked for, then parked.
 */
#include <string.h>

#include "runtime/internal.h"
#include "runtime/log.h"

void
rt_parking_init(struct rt_parking *parking)
{
    pthread_mutex_init(&parking->mutex, NULL);
}

void
rt_parking_deinit(struct rt_parking *parking)
{
    pthread_mutex_destroy(&parking->mutex);
}

uint64_t
rt_parking_count(struct rt_parking *parking)
{
    pthread_mutex_lock(&parking->mutex);
    uint64_t count = parking->count;
    pthread_mutex_unlock(&parking->mutex);
    return count;
}

/* How often it has been handled, this time included. */
static unsigned
tries_of(const struct rt_message *message)
{
    return (unsigned)(message->flags >> RT_MESSAGE_FAILURES_SHIFT) + 1;
}

/* On the control lane, so that it comes before what its sender sent after it. */
static struct rt_message *
copy_for_retry(const struct rt_message *message)
{
    struct rt_message *copy = rt_message_create(message->kind, message->size_bytes);
    if (copy == NULL)
        return NULL;
    copy->from = message->from;
    copy->request_id = message->request_id;
    copy->flags = (uint16_t)((message->flags & RT_MESSAGE_REQUEST) | RT_MESSAGE_CONTROL |
                             tries_of(message) << RT_MESSAGE_FAILURES_SHIFT);
    copy->buffer = rt_buffer_acquire(message->buffer);
    memcpy(copy->payload, message->payload, message->size_bytes);
    return copy;
}

bool
rt_poison_keep(struct rt_actor *actor, struct rt_message *current)
{
    struct rt_restart *restart = actor->restart;
    const struct rt_turn_state *turn = rt_turn_of(actor);
    if (current->kind < RT_KIND_USER || current->flags & RT_MESSAGE_ANSWER || turn->taken ||
        turn->answered || tries_of(current) >= restart->message_tries_max)
        return false;
    restart->retry = copy_for_retry(current);
    if (restart->retry == NULL)
        return false;
    restart->retry->target_id = rt_actor_id(actor);
    restart->retry->give_back = current->give_back; /* what the payload owns is the copy's now */
    current->give_back = NULL;
    return true;
}

void
rt_poison_try_again(struct rt_actor *actor)
{
    struct rt_message *retry = actor->restart->retry;
    actor->restart->retry = NULL;
    if (retry != NULL)
        rt_deliver(actor->system, rt_self(actor), retry);
}

void
rt_poison_park(struct rt_actor *actor, const struct rt_message *current)
{
    if (current->kind < RT_KIND_USER)
        return; /* what the runtime says itself is no poison: a timer, an end, being told to fail */
    struct rt_parked parked = {.actor = rt_actor_id(actor),
                               .kind = rt_behaviour_of(actor)->name,
                               .message_kind = current->kind,
                               .times = tries_of(current)};
    rt_log(RT_LOG_ERROR, "message.parked", RT_U64("actor", parked.actor),
           RT_STR("kind", parked.kind), RT_U64("message_kind", parked.message_kind),
           RT_U64("times", parked.times));
    struct rt_parking *parking = &actor->system->parking;
    pthread_mutex_lock(&parking->mutex);
    parking->ring[parking->count++ % RT_PARKED_KEPT] = parked;
    pthread_mutex_unlock(&parking->mutex);
    rt_count_parked();
}

unsigned
rt_system_parked(struct rt_system *system, struct rt_parked parked_out[RT_PARKED_KEPT])
{
    struct rt_parking *parking = &system->parking;
    pthread_mutex_lock(&parking->mutex);
    uint64_t kept = parking->count < RT_PARKED_KEPT ? parking->count : RT_PARKED_KEPT;
    for (unsigned i = 0; i < kept; i++)
        parked_out[i] = parking->ring[(parking->count - kept + i) % RT_PARKED_KEPT];
    pthread_mutex_unlock(&parking->mutex);
    return (unsigned)kept;
}
