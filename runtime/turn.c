/*
 * One turn of one actor: some messages, handled one after the other.
 */
#include "runtime/assert.h"
#include "runtime/internal.h"

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
    case RT_KIND_LINK:
    case RT_KIND_UNLINK:
    case RT_KIND_LINK_BROKEN:
        return rt_link_handle(actor, message);
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
    const struct rt_behaviour *behaviour = rt_behaviour_of(actor);
    if (behaviour->is_slow) {
        rt_worker_here->clock_left = 1;
        behaviour->handle(actor, actor->state, message);
    } else {
        rt_outbox_open(rt_worker_here, actor);
        behaviour->handle(actor, actor->state, message);
        rt_outbox_close(rt_worker_here);
    }
    const struct rt_turn_state *turn = rt_turn_of(actor);
    if ((message->flags & RT_MESSAGE_REQUEST) && !turn->answered && !turn->failing)
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
    if (turn.failing)
        rt_poison_park(actor, message);
    /* Who fails while it stops has not done all it wanted: that is no normal end. */
    bool is_failure = !turn.stopping || (turn.failing && turn.reason == RT_EXIT_NORMAL);
    rt_actor_end(actor, message, turn.taken, is_failure ? RT_EXIT_FAILED : turn.reason);
    return RT_TURN_GONE;
}

/* Begins again after a failure. False: this turn is over before it began. */
static bool
renew(struct rt_actor *actor, enum rt_turn *end_out)
{
    bool begun, paused = false;
    if (!rt_actor_renew(actor, &begun, &paused)) {
        rt_actor_end(actor, NULL, false, RT_EXIT_FAILED);
        *end_out = RT_TURN_GONE;
        return false;
    }
    if (!begun)
        *end_out = paused ? RT_TURN_GONE : RT_TURN_AGAIN;
    return begun;
}

static enum rt_turn
run_messages(struct rt_actor *actor, const struct rt_turn_limits *limits,
             struct rt_recorded_turn *recorded)
{
    enum rt_turn end;
    if (RT_UNLIKELY(actor->flags & RT_ACTOR_RENEW) && !renew(actor, &end))
        return end;
    struct rt_worker *worker = rt_worker_here;
    struct rt_turn_state *turn = &worker->turn;
    const struct rt_link *last = rt_mailbox_snapshot(&actor->mailbox);
    uint64_t start_ns = worker->clock_ns;
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
        rt_recorder_message(recorded, message->kind, count);
        handle(actor, message);
        bool is_over = is_last || count >= limits->messages_max;
        if (--worker->clock_left == 0)
            is_over |= rt_worker_read_clock(worker) - start_ns >= limits->time_max_ns;
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
        if (is_over)
            break;
    }
    rt_mailbox_account(&actor->mailbox);
    return RT_TURN_AGAIN;
}

enum rt_turn
rt_turn_run(struct rt_actor *actor, const struct rt_turn_limits *limits)
{
    struct rt_worker *worker = rt_worker_here;
    struct rt_recorded_turn *recorded = rt_recorder_begin(
        &worker->recorder, worker->clock_ns, rt_actor_id(actor), rt_behaviour_of(actor)->name);
    enum rt_turn end = run_messages(actor, limits, recorded);
    rt_recorder_end(recorded);
    return end;
}
