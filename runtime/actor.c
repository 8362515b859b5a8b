#include "runtime/actor.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/internal.h"
#include "runtime/log.h"
#include "runtime/pool.h"

enum {
    BACKOFF_MAX_MS = 30000,
    NUMBERS_OF_A_LIFE_BITS = 40,
};

struct rt_address
rt_self(const struct rt_actor *self)
{
    return (struct rt_address){(struct rt_actor *)(uintptr_t)self, rt_actor_id(self)};
}

struct rt_system *
rt_system_of(const struct rt_actor *self)
{
    return self->system;
}

void *
rt_state_of(const struct rt_actor *self)
{
    return self->state;
}

uint64_t
rt_numbers_from(const struct rt_actor *self)
{
    return self->restart == NULL ? 0 : self->restart->lives << NUMBERS_OF_A_LIFE_BITS;
}

uint64_t
rt_now_ns(const struct rt_actor *self)
{
    const struct rt_world *world = self->system->world;
    return world->now_ns(world->self);
}

uint64_t
rt_boot_ns(const struct rt_actor *self)
{
    const struct rt_world *world = self->system->world;
    return world->boot_ns(world->self);
}

int64_t
rt_wall_ms(const struct rt_actor *self)
{
    const struct rt_world *world = self->system->world;
    return world->wall_ms(world->self);
}

void
rt_random(const struct rt_actor *self, void *bytes_out, size_t size_bytes)
{
    const struct rt_world *world = self->system->world;
    world->random(world->self, bytes_out, size_bytes);
}

unsigned
rt_worker_index(const struct rt_actor *self)
{
    (void)self;
    return rt_worker_here->index;
}

/* In the memory that the actor has for it. */
static enum rt_status
begin_state(struct rt_actor *actor, const void *args)
{
    const struct rt_behaviour *behaviour = rt_behaviour_of(actor);
    if (behaviour->state_bytes > 0)
        memset(actor->state, 0, behaviour->state_bytes);
    return behaviour->init == NULL ? RT_OK : behaviour->init(actor, actor->state, args);
}

static void
free_state(struct rt_actor *actor)
{
    rt_pool_give(actor->state, rt_behaviour_of(actor)->state_bytes);
    actor->state = NULL;
}

static enum rt_status
make_state(struct rt_actor *actor, const void *args)
{
    size_t state_bytes = rt_behaviour_of(actor)->state_bytes;
    actor->state = state_bytes > 0 ? rt_pool_take(state_bytes) : NULL;
    if (actor->state == NULL && state_bytes > 0)
        return RT_NO_MEMORY;
    enum rt_status status = begin_state(actor, args);
    if (status != RT_OK)
        free_state(actor);
    return status;
}

static enum rt_status
make_restart(struct rt_actor *actor, const struct rt_spawn_options *options)
{
    actor->restart = NULL;
    if (options->restarts_max == 0)
        return RT_OK;
    struct rt_restart *restart = rt_pool_take(sizeof(*restart));
    if (restart == NULL)
        return RT_NO_MEMORY;
    *restart = (struct rt_restart){
        .args = options->args,
        .max = options->restarts_max,
        .window_ms = options->restart_window_ms,
        .backoff_ms = options->restart_backoff_ms,
        .message_tries_max = options->message_tries_max,
    };
    restart->backoff.ends_pause = true;
    actor->restart = restart;
    return RT_OK;
}

static void
drop_restart(struct rt_actor *actor)
{
    if (actor->restart != NULL && actor->restart->retry != NULL) {
        rt_bounce(actor->system, actor->restart->retry);
        rt_message_destroy(actor->restart->retry);
    }
    rt_pool_give(actor->restart, sizeof(*actor->restart));
    actor->restart = NULL;
}

/* Into a new group, or that of its parent, whose turn this is. */
static bool
join_group(struct rt_actor *actor, unsigned weight, struct rt_address parent)
{
    struct rt_groups *groups = &actor->system->groups;
    if (weight > 0) {
        actor->group = rt_group_create(groups, weight);
        return actor->group != RT_NO_GROUP;
    }
    actor->group = parent.id == 0 ? RT_NO_GROUP : parent.actor->group;
    rt_group_join(groups, actor->group);
    return true;
}

static enum rt_status
fill_in(struct rt_actor *actor, struct rt_system *system, const struct rt_spawn_options *options,
        struct rt_address parent)
{
    RT_ASSERT(options->worker < (int)system->worker_count);
    uint64_t id = 1 + atomic_fetch_add_explicit(&system->next_id, 1, memory_order_relaxed);
    actor->system = system;
    actor->parent = parent;
    actor->peers = NULL;
    actor->owed = NULL;
    actor->timers = NULL;
    actor->stash = NULL;
    actor->flags = options->goes_ahead ? RT_ACTOR_AHEAD : 0;
    actor->worker = (int8_t)options->worker;
    atomic_store_explicit(&actor->messages, 0, memory_order_relaxed);
    atomic_store_explicit(&actor->behaviour, options->behaviour, memory_order_relaxed);
    atomic_store_explicit(&actor->id, id, memory_order_relaxed);
    if (!join_group(actor, options->group_weight, parent))
        return RT_NO_MEMORY;
    enum rt_status status = make_restart(actor, options);
    if (status == RT_OK && (status = make_state(actor, options->args)) != RT_OK)
        drop_restart(actor);
    if (status != RT_OK)
        rt_group_part(&system->groups, actor->group);
    return status;
}

static void
send_start(struct rt_actor *actor)
{
    struct rt_message *start = rt_message_create_vital(RT_KIND_START, 0);
    start->flags = RT_MESSAGE_CONTROL;
    rt_deliver(actor->system, rt_self(actor), start);
}

static enum rt_status
spawn(struct rt_system *system, const struct rt_spawn_options *options, struct rt_address parent,
      struct rt_address *address_out)
{
    struct rt_actor *actor = rt_slab_take(&system->slab);
    if (actor == NULL)
        return RT_FULL;
    enum rt_status status = fill_in(actor, system, options, parent);
    if (status != RT_OK) {
        atomic_store_explicit(&actor->id, 0, memory_order_relaxed);
        rt_slab_give(&system->slab, actor);
        return status;
    }
    struct rt_address address = rt_self(actor);
    while (!rt_mailbox_reopen(&actor->mailbox, &options->behaviour->limits))
        ; /* a sender to the last owner of this memory backs out: one exchange of its own */
    send_start(actor);
    *address_out = address;
    return RT_OK;
}

enum rt_status
rt_spawn(struct rt_system *system, const struct rt_spawn_options *options,
         struct rt_address *address_out)
{
    return spawn(system, options, RT_NOBODY, address_out);
}

enum rt_status
rt_spawn_child(struct rt_actor *self, const struct rt_spawn_options *options,
               struct rt_address *address_out)
{
    /* Room for it first: once it is there, what it was given is its own. */
    if (!rt_peer_add(self, RT_PEER_CHILD, RT_NOBODY))
        return RT_NO_MEMORY;
    enum rt_status status = spawn(self->system, options, rt_self(self), address_out);
    if (status == RT_OK)
        rt_peer_name(self, RT_PEER_CHILD, *address_out);
    else
        rt_peer_remove(self, RT_PEER_CHILD, RT_NOBODY);
    return status;
}

void
rt_monitor(struct rt_actor *self, struct rt_address target)
{
    struct rt_message *message = rt_message_create(RT_KIND_MONITOR, sizeof(struct rt_address));
    if (message == NULL || !rt_peer_add(self, RT_PEER_WATCHED, target)) {
        rt_message_destroy(message);
        rt_fail(self, "no_memory");
        return;
    }
    *(struct rt_address *)rt_message_payload(message) = rt_self(self);
    rt_send_control(self, target, message);
}

void
rt_unmonitor(struct rt_actor *self, struct rt_address target)
{
    if (!rt_peer_remove(self, RT_PEER_WATCHED, target))
        return;
    struct rt_message *message = rt_message_create(RT_KIND_UNMONITOR, sizeof(struct rt_address));
    if (message == NULL)
        return; /* it will send a DOWN that is not wanted, and dropped */
    *(struct rt_address *)rt_message_payload(message) = rt_self(self);
    rt_send_control(self, target, message);
}

/* Its memory stays: a restart must not fail for want of some. */
static void
end_state(struct rt_actor *actor, enum rt_exit_reason reason)
{
    const struct rt_behaviour *behaviour = rt_behaviour_of(actor);
    bool has_begun = !(actor->flags & RT_ACTOR_RENEW);
    if (has_begun && behaviour->stop != NULL)
        behaviour->stop(actor, actor->state, reason);
    rt_timers_cancel_all(actor); /* they live in the state */
    rt_owed_fail_all(actor, RT_CLOSED);
    rt_stash_bounce(actor);
}

void
rt_actor_end(struct rt_actor *actor, struct rt_message *current, bool taken,
             enum rt_exit_reason reason)
{
    struct rt_system *system = actor->system;
    if ((current != NULL) && (current->flags & RT_MESSAGE_REQUEST) && !rt_turn_of(actor)->answered)
        rt_refuse_request(system, current, RT_CLOSED);
    end_state(actor, reason);
    free_state(actor);
    rt_peers_part(actor, reason);
    struct rt_message *unread = rt_mailbox_close(&actor->mailbox, current, taken);
    rt_bounce_list(system, unread);
    drop_restart(actor);
    rt_group_part(&system->groups, actor->group);
    atomic_store_explicit(&actor->id, 0, memory_order_relaxed);
    rt_slab_give(&system->slab, actor);
}

/* How long to wait before the next restart; false when the limits are used up. */
static bool
next_backoff(struct rt_restart *restart, uint64_t now_ns, uint64_t *backoff_ns_out)
{
    if (restart->count == 0 ||
        now_ns - restart->window_start_ns > restart->window_ms * RT_NS_PER_MS) {
        restart->window_start_ns = now_ns;
        restart->count = 0;
    }
    if (restart->count == restart->max)
        return false;
    uint64_t backoff_ms = 0;
    if (restart->count > 0) {
        unsigned doublings = restart->count - 1 < 16 ? restart->count - 1 : 16;
        backoff_ms = (uint64_t)restart->backoff_ms << doublings;
    }
    if (backoff_ms > BACKOFF_MAX_MS)
        backoff_ms = BACKOFF_MAX_MS;
    restart->count++;
    *backoff_ns_out = backoff_ms * RT_NS_PER_MS;
    return true;
}

/* False when it is not to begin again. */
static bool
plan_restart(struct rt_actor *actor, const char *why, uint64_t *backoff_ns_out)
{
    struct rt_restart *restart = actor->restart;
    *backoff_ns_out = 0;
    bool again = restart != NULL && next_backoff(restart, rt_now_ns(actor), backoff_ns_out);
    atomic_fetch_add_explicit(&actor->system->failures, 1, memory_order_relaxed);
    rt_log(RT_LOG_ERROR, "actor.failed", RT_U64("actor", rt_actor_id(actor)),
           RT_STR("kind", rt_behaviour_of(actor)->name), RT_STR("why", why),
           RT_U64("restart_in_ms", *backoff_ns_out / RT_NS_PER_MS), RT_BOOL("restarts", again));
    return again;
}

/* The next turn begins with a new state. Returns whether that turn comes by itself. */
static bool
pause_for(struct rt_actor *actor, uint64_t backoff_ns)
{
    actor->flags |= RT_ACTOR_RENEW;
    if (backoff_ns > 0)
        rt_timer_set(actor, &actor->restart->backoff, backoff_ns);
    return backoff_ns > 0;
}

bool
rt_actor_reset(struct rt_actor *actor, struct rt_message *current, bool taken, const char *why,
               bool *paused_out)
{
    uint64_t backoff_ns;
    if (!plan_restart(actor, why, &backoff_ns))
        return false;
    if (!rt_poison_keep(actor, current)) {
        rt_poison_park(actor, current);
        if ((current->flags & RT_MESSAGE_REQUEST) && !rt_turn_of(actor)->answered)
            rt_refuse_request(actor->system, current, RT_CLOSED);
    }
    end_state(actor, RT_EXIT_FAILED);
    rt_peers_part_with_state(actor);
    rt_mailbox_hold(&actor->mailbox, current, taken);
    *paused_out = pause_for(actor, backoff_ns);
    return true;
}

bool
rt_actor_renew(struct rt_actor *actor, bool *begun_out, bool *paused_out)
{
    rt_timers_cancel_all(actor); /* the pause has ended */
    actor->restart->lives++;
    *begun_out = begin_state(actor, actor->restart->args) == RT_OK;
    if (!*begun_out) { /* as if it had failed at once */
        uint64_t backoff_ns;
        if (!plan_restart(actor, "init", &backoff_ns))
            return false;
        *paused_out = pause_for(actor, backoff_ns);
        return true;
    }
    actor->flags &= (uint8_t)~RT_ACTOR_RENEW;
    atomic_fetch_add_explicit(&actor->system->restarts, 1, memory_order_relaxed);
    send_start(actor);
    rt_poison_try_again(actor);
    return true;
}
