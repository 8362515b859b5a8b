/* Messages that fail their actor: answered, counted and shown, and tried again only where the
 * supervisor says so. */
#include <criterion/criterion.h>

#include "runtime/sim.h"

enum { KIND_ASK = RT_KIND_USER, KIND_NOTE, KIND_ANSWER, KIND_TELL };

/* A server whose first so many tries of an ASK fail it. */
static unsigned failures_left, tries, starts, notes, given_back;
static unsigned note_at_try; /* how often ASK had been tried when the note came */
static bool answers_first, is_poison_answer;

static void
give_back(struct rt_message *message)
{
    (void)message;
    given_back++;
}

static void
server_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind == RT_KIND_START)
        starts++;
    if (message->kind == KIND_NOTE) {
        notes++;
        note_at_try = tries;
    }
    if (message->kind != KIND_ASK && !(is_poison_answer && message->kind == KIND_ANSWER))
        return;
    tries++;
    if (message->kind == KIND_ASK) {
        cr_assert_eq(*(int *)rt_message_payload(message), 42);
        cr_assert_eq(message->buffer->bytes[0], 'x');
    }
    if (answers_first)
        rt_answer(self, message, rt_message_create(KIND_ANSWER, 0));
    if (failures_left > 0) {
        failures_left--;
        rt_fail(self, "test");
    } else if (!answers_first && message->kind == KIND_ASK) {
        rt_answer(self, message, rt_message_create(KIND_ANSWER, 0));
    }
}

static const struct rt_behaviour serving = {
    .name = "server", .limits = {10, 1 << 16}, .handle = server_handle};

/* Who asks. */
static struct rt_sim *sim;
static struct rt_system *runtime;
static struct rt_address server, client;
static unsigned answers, refusals;

static struct rt_message *
question(void)
{
    struct rt_message *ask = rt_message_create(KIND_ASK, sizeof(int));
    *(int *)rt_message_payload(ask) = 42;
    ask->buffer = rt_buffer_copy("x", 1);
    ask->give_back = give_back;
    return ask;
}

static void
client_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind == KIND_TELL) {
        rt_request(self, server, question(), 7);
        rt_send(self, server, rt_message_create(KIND_NOTE, 0));
    } else if (message->kind == KIND_ANSWER) {
        cr_assert_eq(message->request_id, 7);
        answers++;
    } else if (message->kind == RT_KIND_FAILED) {
        cr_assert_eq(message->request_id, 7);
        cr_assert_eq(((struct rt_failed *)rt_message_payload(message))->status, RT_CLOSED);
        refusals++;
    }
}

static const struct rt_behaviour asking = {
    .name = "client", .limits = {10, 1 << 16}, .handle = client_handle};

static void
setup(void)
{
    sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 2});
    runtime = rt_sim_system(sim);
}

static void
teardown(void)
{
    rt_sim_destroy(sim);
}

TestSuite(poison, .init = setup, .fini = teardown, .timeout = 60);

/* Has the client ask a server that fails so often. */
static void
ask(unsigned failures, uint32_t restarts_max, uint8_t message_tries_max)
{
    failures_left = failures;
    struct rt_spawn_options options = {.behaviour = &serving,
                                       .worker = RT_ANY_WORKER,
                                       .restarts_max = restarts_max,
                                       .restart_window_ms = 10000,
                                       .restart_backoff_ms = 10,
                                       .message_tries_max = message_tries_max};
    cr_assert_eq(rt_spawn(runtime, &options, &server), RT_OK);
    options = (struct rt_spawn_options){.behaviour = &asking, .worker = RT_ANY_WORKER};
    cr_assert_eq(rt_spawn(runtime, &options, &client), RT_OK);
    cr_assert_eq(rt_post(runtime, client, rt_message_create(KIND_TELL, 0)), RT_OK);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
}

static void
assert_parked(unsigned times)
{
    struct rt_parked parked[RT_PARKED_KEPT];
    cr_assert_eq(rt_system_parked(runtime, parked), 1);
    cr_assert_eq(rt_system_stats(runtime).parked, 1);
    cr_assert_eq(parked[0].actor, server.id);
    cr_assert_str_eq(parked[0].kind, "server");
    cr_assert_eq(parked[0].message_kind, KIND_ASK);
    cr_assert_eq(parked[0].times, times);
    cr_assert_eq(given_back, 1, "what it owned was given back once");
}

Test(poison, a_message_is_tried_once_unless_the_supervisor_says_otherwise)
{
    ask(1, 10, 0);
    cr_assert_eq(tries, 1);
    cr_assert_eq(refusals, 1);
    cr_assert_eq(answers, 0);
    assert_parked(1);
    cr_assert_eq(notes, 1, "the next one is handled by the new state");
}

Test(poison, a_message_is_parked_after_so_many_tries_and_its_request_fails)
{
    ask(100, 10, RT_MESSAGE_TRIES);
    cr_assert_eq(tries, 3);
    cr_assert_eq(starts, 4);
    cr_assert_eq(refusals, 1);
    assert_parked(3);
    cr_assert_eq(notes, 1);
}

Test(poison, a_message_that_goes_through_at_last_is_answered_once_and_not_parked)
{
    ask(2, 10, RT_MESSAGE_TRIES);
    cr_assert_eq(tries, 3);
    cr_assert_eq(answers, 1);
    cr_assert_eq(refusals, 0);
    cr_assert_eq(rt_system_stats(runtime).parked, 0);
    cr_assert_eq(given_back, 1);
}

Test(poison, a_message_tried_again_comes_before_what_was_sent_after_it)
{
    ask(2, 10, RT_MESSAGE_TRIES);
    cr_assert_eq(note_at_try, 3);
}

Test(poison, a_message_that_was_answered_is_not_tried_again)
{
    answers_first = true;
    ask(1, 10, RT_MESSAGE_TRIES);
    cr_assert_eq(tries, 1);
    cr_assert_eq(answers, 1);
    cr_assert_eq(refusals, 0);
    assert_parked(1);
}

Test(poison, when_the_restarts_are_used_up_first_the_request_fails_all_the_same)
{
    ask(100, 1, RT_MESSAGE_TRIES);
    cr_assert_eq(tries, 2);
    cr_assert_eq(refusals, 1);
    assert_parked(2);
    cr_assert_eq(rt_system_stats(runtime).actors, 1);
}

Test(poison, an_actor_that_ends_in_its_pause_answers_what_it_had_yet_to_try)
{
    failures_left = 100;
    ask(100, 10, RT_MESSAGE_TRIES);
    tries = refusals = 0;
    cr_assert_eq(rt_post(runtime, client, rt_message_create(KIND_TELL, 0)), RT_OK);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_MS); /* in the back-off of the fourth */
    cr_assert_eq(tries, 1);
    cr_assert_eq(refusals, 0);
    rt_sim_destroy(sim); /* ends all; what the message owns is not leaked */
    cr_assert_eq(given_back, 2);
    setup();
}

/* An answer belongs to the state that asked. */
Test(poison, an_answer_is_never_tried_again)
{
    is_poison_answer = true;
    ask(0, 10, RT_MESSAGE_TRIES);
    tries = 0;
    failures_left = 1;
    struct rt_message *answer = rt_message_create(KIND_ANSWER, 0);
    answer->flags = RT_MESSAGE_CONTROL | RT_MESSAGE_ANSWER;
    cr_assert_eq(rt_post(runtime, server, answer), RT_OK);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
    cr_assert_eq(tries, 1);
    cr_assert_eq(starts, 2);
}

Test(poison, an_actor_told_to_fail_parks_nothing)
{
    ask(0, 10, RT_MESSAGE_TRIES);
    rt_exit(runtime, server, RT_EXIT_FAILED);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
    cr_assert_eq(starts, 2);
    cr_assert_eq(rt_system_stats(runtime).parked, 0);
}

Test(poison, of_many_parked_messages_the_latest_are_shown)
{
    ask(0, 1000, 0);
    for (unsigned i = 0; i < RT_PARKED_KEPT + 5; i++) {
        failures_left = 1;
        cr_assert_eq(rt_post(runtime, server, question()), RT_OK);
        rt_sim_run_until(sim, rt_sim_now_ns(sim) + 100 * RT_NS_PER_S);
    }
    struct rt_parked parked[RT_PARKED_KEPT];
    cr_assert_eq(rt_system_parked(runtime, parked), RT_PARKED_KEPT);
    cr_assert_eq(rt_system_stats(runtime).parked, RT_PARKED_KEPT + 5);
}
