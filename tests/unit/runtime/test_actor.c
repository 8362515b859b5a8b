/* What the machine promises to a behaviour: START first, one answer for every request, DOWN for
 * every watched end, timers that can be taken back. All in the simulated world, so each test is the
 * same every time. */
#include "tests/unit/runtime/actor_box.h"

TestSuite(actor, .init = setup, .fini = teardown, .timeout = 60);

static struct rt_address other; /* for actions that need somebody */

Test(actor, start_is_the_first_message)
{
    struct rt_address a = spawn(&main_behaviour);
    rt_post(runtime, a, rt_message_create(KIND_NOTE, 0));
    run();
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.kinds[0], RT_KIND_START);
    cr_assert_eq(seen.kinds[1], KIND_NOTE);
}

static void
ask_five_ways(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    rt_request(self, other, rt_message_create(KIND_ASK, 0), 7);   /* answered */
    rt_request(self, other, rt_message_create(KIND_ASK, 0), 107); /* forgotten by its handler */
    rt_request(self, RT_NOBODY, rt_message_create(KIND_ASK, 0), 8);
}

Test(actor, every_request_gets_exactly_one_answer)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    run();
    tell(a, ask_five_ways);
    run();
    cr_assert_eq(seen.count, 4);
    bool answered = false, forgotten = false, nobody = false;
    for (unsigned i = 1; i < 4; i++) {
        answered |= seen.kinds[i] == KIND_ANSWER && seen.values[i] == 7;
        forgotten |= seen.kinds[i] == RT_KIND_FAILED && seen.values[i] == RT_INVALID;
        nobody |= seen.kinds[i] == RT_KIND_FAILED && seen.values[i] == RT_CLOSED;
    }
    cr_assert(answered && forgotten && nobody);
}

static void
ask_for_later(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    rt_request(self, other, rt_message_create(KIND_ASK, 0), 200);
}

static void
answer_owed(struct rt_actor *self, struct probe *probe)
{
    rt_owed_answer(self, probe->owed, rt_message_create(KIND_ANSWER, 0));
}

Test(actor, an_answer_can_be_owed_and_paid_later)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    tell(a, ask_for_later);
    run();
    cr_assert_eq(seen.count, 1, "no answer yet");
    tell(other, answer_owed);
    run();
    cr_assert_eq(seen.kinds[1], KIND_ANSWER);
    cr_assert_eq(seen.values[1], 200);
}

Test(actor, a_server_that_ends_fails_the_answers_it_owes)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    tell(a, ask_for_later);
    run();
    rt_exit(runtime, other, RT_EXIT_KILLED);
    run();
    cr_assert_eq(seen.kinds[1], RT_KIND_FAILED);
    cr_assert_eq(seen.values[1], RT_CLOSED);
}

static void
stop_normally(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    rt_stop(self, RT_EXIT_NORMAL);
}

Test(actor, requests_left_in_the_mailbox_of_the_dead_fail)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    run();
    tell(other, stop_normally);
    tell(other, stop_normally);
    tell(a, ask_five_ways);
    run();
    cr_assert_eq(seen.count, 4);
    for (unsigned i = 1; i < 4; i++) {
        cr_assert_eq(seen.kinds[i], RT_KIND_FAILED);
        cr_assert_eq(seen.values[i], RT_CLOSED);
    }
    cr_assert_eq(rt_system_stats(runtime).actors, 1);
}

static void
flood(struct rt_actor *self, struct probe *probe)
{
    for (int i = 0; i < 6; i++)
        probe_note(probe, 1000, rt_send(self, other, rt_message_create(KIND_NOTE, 0)));
    rt_request(self, other, rt_message_create(KIND_ASK, 0), 9);
}

Test(actor, a_full_mailbox_refuses_data_and_fails_requests_at_once)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    run();
    tell(a, flood);
    run();
    unsigned refused = 0, failed = 0;
    for (unsigned i = 0; i < seen.count; i++) {
        refused += seen.kinds[i] == 1000 && seen.values[i] == RT_FULL;
        failed += seen.kinds[i] == RT_KIND_FAILED && seen.values[i] == RT_FULL;
    }
    cr_assert_eq(refused, 2);
    cr_assert_eq(failed, 1);
    cr_assert_eq(rt_system_stats(runtime).refused, 3);
}

static void
note(struct rt_actor *self, struct rt_address to, uint64_t number)
{
    struct rt_message *message = rt_message_create(KIND_NOTE, 0);
    message->request_id = number; /* what the probe keeps of a note */
    cr_assert_eq(rt_send(self, to, message), RT_OK);
}

/* The second and third note may be kept until the handler returns; a post is not. */
static void
note_and_post(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    for (uint64_t number = 1; number <= 3; number++)
        note(self, other, number);
    struct rt_message *posted = rt_message_create(KIND_NOTE, 0);
    posted->request_id = 4;
    cr_assert_eq(rt_post(runtime, other, posted), RT_OK);
}

Test(actor, what_a_handler_sends_in_a_row_is_overtaken_by_nothing_it_sends_later)
{
    other = spawn(&main_behaviour);
    struct rt_address a = spawn(&probe_behaviour);
    run();
    tell(a, note_and_post);
    run();
    cr_assert_eq(seen.count, 5); /* START is the first */
    for (uint64_t number = 1; number <= 4; number++)
        cr_assert_eq(seen.values[number], number);
}

static void
watch(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    rt_monitor(self, other);
}

Test(actor, a_watcher_hears_of_an_end_once)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    tell(a, watch);
    run();
    rt_exit(runtime, other, RT_EXIT_KILLED);
    rt_exit(runtime, other, RT_EXIT_KILLED);
    run();
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.kinds[1], RT_KIND_DOWN);
    cr_assert_eq(seen.values[1], RT_EXIT_KILLED);
}

Test(actor, watching_the_dead_answers_at_once)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    rt_exit(runtime, other, RT_EXIT_NORMAL);
    run();
    tell(a, watch);
    run();
    cr_assert_eq(seen.kinds[1], RT_KIND_DOWN);
    cr_assert_eq(seen.values[1], RT_EXIT_NOBODY);
}

static void
unwatch(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    rt_unmonitor(self, other);
}

Test(actor, a_watch_can_be_taken_back)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&probe_behaviour);
    tell(a, watch);
    run();
    tell(a, unwatch);
    run();
    rt_exit(runtime, other, RT_EXIT_NORMAL);
    run();
    cr_assert_eq(seen.count, 1);
}

static void
spawn_child(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    struct rt_spawn_options options = {.behaviour = &probe_behaviour, .worker = RT_ANY_WORKER};
    cr_assert_eq(rt_spawn_child(self, &options, &other), RT_OK);
}

Test(actor, a_child_ends_with_its_parent)
{
    struct rt_address a = spawn(&main_behaviour);
    tell(a, spawn_child);
    run();
    cr_assert_eq(rt_system_stats(runtime).actors, 2);
    rt_exit(runtime, a, RT_EXIT_NORMAL);
    run();
    cr_assert_eq(rt_system_stats(runtime).actors, 0);
}

Test(actor, a_parent_hears_of_its_childs_end)
{
    struct rt_address a = spawn(&main_behaviour);
    tell(a, spawn_child);
    run();
    rt_exit(runtime, other, RT_EXIT_KILLED);
    run();
    cr_assert_eq(seen.kinds[1], RT_KIND_DOWN);
}

static void
set_timer(struct rt_actor *self, struct probe *probe)
{
    rt_timer_set(self, &probe->timer, 20 * RT_NS_PER_MS);
}

static void
cancel_timer(struct rt_actor *self, struct probe *probe)
{
    rt_timer_cancel(self, &probe->timer);
}

Test(actor, a_timer_fires_once_at_its_time)
{
    struct rt_address a = spawn(&main_behaviour);
    uint64_t start = rt_sim_now_ns(sim);
    tell(a, set_timer);
    rt_sim_run_until(sim, start + 20 * RT_NS_PER_MS - 1);
    cr_assert_eq(seen.count, 1);
    rt_sim_run_until(sim, start + 20 * RT_NS_PER_MS);
    cr_assert_eq(seen.kinds[1], RT_KIND_TIMER);
    rt_sim_run_until(sim, start + RT_NS_PER_S);
    cr_assert_eq(seen.count, 2);
}

Test(actor, a_cancelled_timer_stays_silent_and_one_set_again_fires_only_later)
{
    struct rt_address a = spawn(&main_behaviour);
    uint64_t start = rt_sim_now_ns(sim);
    tell(a, set_timer);
    tell(a, cancel_timer);
    rt_sim_run_until(sim, start + RT_NS_PER_S);
    cr_assert_eq(seen.count, 1);
    tell(a, set_timer);
    rt_sim_run_until(sim, start + RT_NS_PER_S + 10 * RT_NS_PER_MS);
    tell(a, set_timer);
    rt_sim_run_until(sim, start + RT_NS_PER_S + 29 * RT_NS_PER_MS);
    cr_assert_eq(seen.count, 1);
    rt_sim_run_until(sim, start + RT_NS_PER_S + 30 * RT_NS_PER_MS);
    cr_assert_eq(seen.count, 2);
}

static void
set_then_cancel_when_due(struct rt_actor *self, struct probe *probe)
{
    /* The firing is already in the mailbox when this is handled. */
    rt_timer_cancel(self, &probe->timer);
}

Test(actor, a_firing_that_is_under_way_is_void_after_cancel)
{
    struct rt_address a = spawn(&main_behaviour);
    tell(a, set_timer);
    run();
    /* Both become runnable in one step of virtual time; whichever order, no TIMER may follow
     * the cancel. */
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + 18 * RT_NS_PER_MS);
    tell(a, set_then_cancel_when_due);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
    cr_assert_eq(seen.count, 1);
}

/* Two timers that are due at once: the first to fire sets the other one again. */
struct twins {
    struct rt_timer timers[2];
    unsigned fired;
};

static unsigned twins_fired;

static void
twins_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct twins *twins = state;
    if (message->kind == RT_KIND_START) {
        rt_timer_set(self, &twins->timers[0], RT_NS_PER_MS);
        rt_timer_set(self, &twins->timers[1], RT_NS_PER_MS);
    } else if (message->kind == RT_KIND_TIMER) {
        bool is_first = rt_timer_of(message) == &twins->timers[0];
        if (twins->fired++ == 0)
            rt_timer_set(self, &twins->timers[is_first ? 1 : 0], RT_NS_PER_S);
    }
    twins_fired = twins->fired;
}

static const struct rt_behaviour twins_behaviour = {
    .name = "twins",
    .state_bytes = sizeof(struct twins),
    .limits = {.messages_max = 4, .bytes_max = 1 << 16},
    .handle = twins_handle,
};

Test(actor, a_firing_that_is_under_way_is_void_after_the_timer_is_set_again)
{
    uint64_t start = rt_sim_now_ns(sim);
    spawn(&twins_behaviour);
    rt_sim_run_until(sim, start + 500 * RT_NS_PER_MS);
    cr_assert_eq(twins_fired, 1);
    rt_sim_run_until(sim, start + 2 * RT_NS_PER_S);
    cr_assert_eq(twins_fired, 2);
}

/* Under AddressSanitizer a timer that is left on the wheel is seen. */
Test(actor, the_timers_of_an_ended_actor_end_with_it)
{
    struct rt_address a = spawn(&main_behaviour);
    tell(a, set_timer);
    run();
    rt_exit(runtime, a, RT_EXIT_NORMAL);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
    cr_assert_eq(seen.count, 1);
}

static bool stashing;

static void
stashing_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    if (stashing && message->kind >= RT_KIND_USER && message->kind != KIND_DO)
        cr_assert(rt_stash(self, message));
    else
        main_handle(self, state, message);
}

static void
unstash(struct rt_actor *self, struct probe *probe)
{
    (void)probe;
    stashing = false;
    rt_unstash(self);
}

static const struct rt_behaviour stashing_behaviour = {
    .name = "stashing",
    .state_bytes = sizeof(struct probe),
    .limits = {.messages_max = 4, .bytes_max = 1 << 16},
    .handle = stashing_handle,
};

Test(actor, messages_put_aside_come_again_and_requests_among_them_are_still_answered)
{
    struct rt_address a = spawn(&main_behaviour);
    struct rt_address asker = a;
    other = spawn(&stashing_behaviour);
    stashing = true;
    tell(asker, ask_for_later); /* request 200: owed by who handles it */
    run();
    rt_post(runtime, other, rt_message_create(KIND_NOTE, 0));
    run();
    cr_assert_eq(seen.kinds[seen.count - 1], RT_KIND_START);
    tell(other, unstash);
    run();
    cr_assert_eq(seen.kinds[seen.count - 2], KIND_ASK);
    cr_assert_eq(seen.kinds[seen.count - 1], KIND_NOTE);
}

Test(actor, messages_put_aside_count_against_the_mailbox_until_they_come_again)
{
    enum { LIMIT = 4 }; /* of the mailbox */
    other = spawn(&stashing_behaviour);
    stashing = true;
    for (int i = 0; i < LIMIT; i++) {
        cr_assert_eq(rt_post(runtime, other, rt_message_create(KIND_NOTE, 0)), RT_OK);
        run();
    }
    cr_assert_eq(rt_post(runtime, other, rt_message_create(KIND_NOTE, 0)), RT_FULL);
    cr_assert_eq(rt_waiting_bytes(other), LIMIT * sizeof(struct rt_message));
    rt_exit(runtime, other, RT_EXIT_NORMAL);
    run();
    cr_assert_eq(rt_waiting_bytes(other), 0, "who has the mailbox next begins with none");
}

/* Their senders were told that they had been sent. */
Test(actor, messages_put_aside_come_again_though_the_mailbox_is_full_by_then)
{
    enum { ASIDE = 2, MORE = 1 }; /* and unstash itself: four */
    other = spawn(&stashing_behaviour);
    stashing = true;
    for (int i = 0; i < ASIDE; i++)
        cr_assert_eq(rt_post(runtime, other, rt_message_create(KIND_NOTE, 0)), RT_OK);
    run();
    unsigned before = seen.count;
    tell(other, unstash);
    for (int i = 0; i < MORE; i++)
        cr_assert_eq(rt_post(runtime, other, rt_message_create(KIND_NOTE, 0)), RT_OK);
    run();
    cr_assert_eq(seen.count, before + ASIDE + MORE);
    cr_assert_eq(rt_waiting_bytes(other), 0);
}

Test(actor, messages_put_aside_are_bounced_when_the_actor_ends)
{
    struct rt_address a = spawn(&main_behaviour);
    other = spawn(&stashing_behaviour);
    stashing = true;
    tell(a, ask_for_later);
    run();
    rt_exit(runtime, other, RT_EXIT_KILLED);
    run();
    cr_assert_eq(seen.kinds[seen.count - 1], RT_KIND_FAILED);
    cr_assert_eq(seen.values[seen.count - 1], RT_CLOSED);
}

Test(actor, a_message_to_an_old_address_never_reaches_the_new_owner_of_the_memory)
{
    struct rt_address old = spawn(&probe_behaviour);
    rt_exit(runtime, old, RT_EXIT_NORMAL);
    run();
    for (int i = 0; i < 2048; i++)
        spawn(&main_behaviour);
    run();
    memset(&seen, 0, sizeof(seen));
    rt_post(runtime, old, rt_message_create(KIND_NOTE, 0));
    run();
    cr_assert_eq(seen.count, 0);
    cr_assert_eq(rt_system_stats(runtime).dead_letters, 1);
}
