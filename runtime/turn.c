/*
 * One turn of one actor: some messages, handled one after the other.
 */
#include "runtime/assert.h"
#include "runtime/internal.h"

enum { MESSAGES_PER_CLOCK_READ = 8 };

_Thread_local struct rt_worker *rt_worker_here;

void
rt_take(struct rt_actor *self, struct rt_message *message)
{
    RT_ASSERT(message == rt_turn_of(self)->message);
    rt_turn_of(self)->taken = true;
}

void
rt_stop(struct rt_actor *self, enum rt_exit_reason reason)
{
    struct rt_turn_state *turn = rt_turn_of(self);
    if (turn->stopping)
        return;
    turn->stopping = true;
    turn->reason = reason;
}

void
rt_fail(struct rt_actor *self, const char *why)
{
    struct rt_turn_state *turn = rt_turn_of(self);
    turn->failing = true;
    turn->why = why;
}

/* The messages the runtime handles itself, wholly or before the actor. True: not for it. */
static bool
handle_own(struct rt_actor *actor, struct rt_message *message)
{
    switch (message->kind) {
    case RT_KIND_EXIT: {
        enum rt_exit_reason reason = ((struct rt_exit *)rt_message_payload(message))->reason;
        if (reason == RT_EXIT_FAILED)
            rt_fail(actor, "told_to");
        else
            rt_stop(actor, reason);
        return true;
    }
    case RT_KIND_MONITOR: {
        struct rt_address watcher = *(struct rt_address *)rt_message_payload(message);
        if (!rt_peer_add(actor, RT_PEER_WATCHER, watcher))
            rt_bounce(actor->system, message);
        return true;
    }
    case RT_KIND_UNMONITOR:
        rt_peer_remove(actor, RT_PEER_WATCHER, *(struct rt_address *)rt_message_payload(message));
        return true;
    case RT_KIND_DOWN: {
        struct rt_address who = ((struct rt_down *)rt_message_payload(message))->who;
        bool watched = rt_peer_remove(actor, RT_PEER_WATCHED, who);
        bool child = rt_peer_remove(actor, RT_PEER_CHILD, who);
        return !watched && !child; /* not watched any more */
    }
    case RT_KIND_TIMER:
        return !rt_timer_accept(actor, message);
    default:
        return false;
    }
}

static void
handle(struct rt_actor *actor, struct rt_message *message)
{
    if (message->target_id != rt_actor_id(actor)) { /* meant for one who was here before */
        rt_bounce(actor->system, message);
        return;
    }
    atomic_store_explicit(&actor->messages, actor->messages + 1, memory_order_relaxed);
    if (RT_UNLIKELY(message->kind < RT_KIND_USER) && handle_own(actor, message))
        return;
    rt_behaviour_of(actor)->handle(actor, actor->state, message);
    if ((message->flags & RT_MESSAGE_REQUEST) && !rt_turn_of(actor)->answered)
        rt_answer_failed(actor, message, RT_INVALID); /* every request gets its answer */
}

/* After a handler that asked to stop or to fail. The message is left or held. */
static enum rt_turn
leave_for_good(struct rt_actor *actor, struct rt_message *message)
{
    struct rt_turn_state turn = *rt_turn_of(actor);
    bool paused;
    if (turn.failing && !turn.stopping &&
        rt_actor_reset(actor, message, turn.taken, turn.why, &paused))
        return paused ? RT_TURN_GONE : RT_TURN_AGAIN;
    rt_actor_end(actor, message, turn.taken, turn.stopping ? turn.reason : RT_EXIT_FAILED);
    return RT_TURN_GONE;
}

enum rt_turn
rt_turn_run(struct rt_actor *actor, const struct rt_turn_limits *limits)
{
    if (RT_UNLIKELY(actor->flags & RT_ACTOR_RENEW) && !rt_actor_renew(actor)) {
        rt_actor_end(actor, NULL, false, RT_EXIT_FAILED);
        return RT_TURN_GONE;
    }
    struct rt_turn_state *turn = &rt_worker_here->turn;
    const struct rt_link *last = rt_mailbox_snapshot(&actor->mailbox);
    uint64_t start_ns = 0;
    for (unsigned count = 1;; count++) {
        struct rt_message *message;
        switch (rt_mailbox_begin(&actor->mailbox, &message)) {
        case RT_MAILBOX_READY:
            break;
        case RT_MAILBOX_PARKED:
            return RT_TURN_PARKED;
        case RT_MAILBOX_STUCK:
            return RT_TURN_AGAIN;
        }
        bool is_last = &message->link == last;
        *turn = (struct rt_turn_state){.message = message};
        handle(actor, message);
        if (RT_UNLIKELY(turn->stopping || turn->failing))
            return leave_for_good(actor, message);
        switch (rt_mailbox_leave(&actor->mailbox, message, turn->taken)) {
        case RT_MAILBOX_READY:
            break;
        case RT_MAILBOX_PARKED:
            return RT_TURN_PARKED;
        case RT_MAILBOX_STUCK:
            return RT_TURN_AGAIN;
        }
        if (is_last || count >= limits->messages_max)
            break;
        if (count % MESSAGES_PER_CLOCK_READ == 0) {
            uint64_t now_ns = rt_now_ns(actor);
            if (start_ns == 0)
                start_ns = now_ns;
            else if (now_ns - start_ns >= limits->time_max_ns)
                break;
        }
    }
    rt_mailbox_account(&actor->mailbox);
    return RT_TURN_AGAIN;
}
