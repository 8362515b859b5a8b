/*
 * Actors' timers: set on the wheel of the worker they run on, cancelled from anywhere.
 */
#include "runtime/assert.h"
#include "runtime/internal.h"

void
rt_timers_init(struct rt_timers *timers, uint64_t now_ns)
{
    pthread_mutex_init(&timers->mutex, NULL);
    rt_wheel_init(&timers->wheel, now_ns);
}

void
rt_timers_deinit(struct rt_timers *timers)
{
    pthread_mutex_destroy(&timers->mutex);
}

static void
take_off_wheel(struct rt_timer *timer)
{
    if (timer->wheel == NULL)
        return;
    pthread_mutex_lock(&timer->wheel->mutex);
    rt_wheel_remove(&timer->wheel->wheel, &timer->entry);
    pthread_mutex_unlock(&timer->wheel->mutex);
}

static void
list_add(struct rt_actor *self, struct rt_timer *timer)
{
    timer->previous = NULL;
    timer->next = self->timers;
    if (timer->next != NULL)
        timer->next->previous = timer;
    self->timers = timer;
    timer->is_armed = true;
}

static void
list_remove(struct rt_actor *self, struct rt_timer *timer)
{
    if (timer->previous != NULL)
        timer->previous->next = timer->next;
    else
        self->timers = timer->next;
    if (timer->next != NULL)
        timer->next->previous = timer->previous;
    timer->is_armed = false;
}

void
rt_timer_set(struct rt_actor *self, struct rt_timer *timer, uint64_t delay_ns)
{
    if (timer->is_armed)
        take_off_wheel(timer);
    else
        list_add(self, timer);

    struct rt_timers *timers = rt_timers_of(self);
    timer->wheel = timers;
    timer->owner = rt_self(self);
    uint64_t deadline_ns = rt_now_ns(self) + delay_ns;
    pthread_mutex_lock(&timers->mutex);
    timer->sequence = rt_next_sequence(self);
    rt_wheel_insert(&timers->wheel, &timer->entry, deadline_ns);
    pthread_mutex_unlock(&timers->mutex);
}

void
rt_timer_cancel(struct rt_actor *self, struct rt_timer *timer)
{
    if (!timer->is_armed)
        return;
    take_off_wheel(timer);
    list_remove(self, timer);
}

void
rt_timers_cancel_all(struct rt_actor *actor)
{
    while (actor->timers != NULL)
        rt_timer_cancel(actor, actor->timers);
}

/* A firing counts only if that very setting is still wanted. The pointer may be to memory that
 * the actor has freed: it is only compared. */
bool
rt_timer_accept(struct rt_actor *actor, struct rt_message *message)
{
    const struct rt_timer_fired *fired = rt_message_payload(message);
    for (struct rt_timer *timer = actor->timers; timer != NULL; timer = timer->next) {
        if (timer != fired->timer)
            continue;
        if (timer->sequence != fired->sequence)
            return false;
        list_remove(actor, timer);
        return true;
    }
    return false;
}

/* What one due timer asks for. */
struct due {
    struct rt_address owner;
    struct rt_message *message; /* NULL: the owner's pause is over, only schedule it */
};

/* Takes one due timer off the wheel. False when none is due (or memory is short: then it is
 * tried again a millisecond later). */
static bool
take_due(struct rt_timers *timers, uint64_t now_ns, struct due *due_out)
{
    bool taken = false;
    pthread_mutex_lock(&timers->mutex);
    struct rt_wheel_entry *entry = rt_wheel_expire(&timers->wheel, now_ns);
    if (entry != NULL) {
        struct rt_timer *timer = RT_CONTAINER_OF(entry, struct rt_timer, entry);
        *due_out = (struct due){.owner = timer->owner};
        taken = true;
        if (!timer->ends_pause) {
            due_out->message = rt_message_create(RT_KIND_TIMER, sizeof(struct rt_timer_fired));
            taken = due_out->message != NULL;
        }
        if (!taken)
            rt_wheel_insert(&timers->wheel, entry, now_ns + RT_NS_PER_MS);
        else if (due_out->message != NULL)
            *(struct rt_timer_fired *)rt_message_payload(due_out->message) =
                (struct rt_timer_fired){.timer = timer, .sequence = timer->sequence};
    }
    pthread_mutex_unlock(&timers->mutex);
    return taken;
}

void
rt_timers_fire(struct rt_system *system, struct rt_timers *timers, uint64_t now_ns)
{
    struct due due;
    while (take_due(timers, now_ns, &due)) {
        if (due.message == NULL) {
            rt_schedule(due.owner.actor); /* paused: awake, and in nobody's queue */
            continue;
        }
        due.message->flags = RT_MESSAGE_CONTROL;
        rt_deliver(system, due.owner, due.message);
    }
}

uint64_t
rt_timers_next_ns(struct rt_timers *timers)
{
    pthread_mutex_lock(&timers->mutex);
    uint64_t next_ns = rt_wheel_next_ns(&timers->wheel);
    pthread_mutex_unlock(&timers->mutex);
    return next_ns;
}
