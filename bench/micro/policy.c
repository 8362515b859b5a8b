/*
 * Policies in Lua: what one answer costs, and what those cost the others that never answer.
 */
#include <string.h>

#include "bench/micro/micro.h"
#include "lua/policy_vm.h"

enum { ASKED = 200000, HOGS = 2, HOG_WAITING = 20, KIND_WORK = RT_KIND_USER };

static struct policy_port port;
static struct micro_span span;

static struct tlua_policies *
open_policies(const struct micro_setup *setup, const char *directory)
{
    struct tlua_policy_options options = {
        .directory = directory, .workers = setup->workers, .world = rt_world_real()};
    struct tlua_policies *policies = tlua_policies_create(&options);
    if (policies == NULL)
        micro_fail("out of memory");
    port = tlua_policies_port(policies);
    return policies;
}

/* A turn by text, of a tenant with some money left. */
static struct policy_question
usual_question(void)
{
    return (struct policy_question){
        .kind = POLICY_ADMIT_TURN,
        .mode = VITO_TEXT,
        .price_max_nusd = 10000000,
        .text_bytes = 80,
        .user = "somebody",
        .tenant_id = "andres-cantor",
        .limit_nusd = 10000000000,
        .posted_nusd = 1000000000,
        .remaining_nusd = 9000000000,
        .sessions = 10,
        .rate_per_second = 50,
    };
}

static void
asker_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != KIND_WORK)
        return;
    struct policy_question question = usual_question();
    struct policy_decision decision = {0};
    port.ask(port.self, rt_worker_index(self), "andres_cantor", &question, &decision);
    if (decision.action != POLICY_PASS)
        micro_fail("the policy did not pass a usual turn");
    rt_buffer_release(decision.memory);
    if (--*micro_number(message) == 0)
        sem_post(&span.done);
    else
        rt_send(self, rt_self(self), micro_message(KIND_WORK, *micro_number(message)));
}

void
micro_policy(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    static const struct rt_behaviour asking = {
        .name = "asker", .limits = {10, 1 << 20}, .handle = asker_handle};
    struct tlua_policies *policies = open_policies(setup, POLICY_DIRECTORY);
    struct rt_system *system = micro_system(setup);
    uint64_t asked = micro_scaled(setup, ASKED);
    struct rt_address asker = micro_spawn(system, &asking, NULL);
    micro_post(system, asker, KIND_WORK, 1); /* the VM is made at the first question */
    micro_sleep_ms(50);
    micro_span_begin(&span);
    micro_post(system, asker, KIND_WORK, asked);
    micro_span_await(&span);
    micro_system_end(system);
    tlua_policies_destroy(policies);
    micro_span_report(&span, asked, figures_out);
}

/* Asks a policy that does not end; the VM's budget ends it. */
static void
hog_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != KIND_WORK)
        return;
    struct policy_question question = usual_question();
    struct policy_decision decision;
    port.ask(port.self, rt_worker_index(self), "endless", &question, &decision);
    if (strcmp(decision.reason, "policy_failed") != 0)
        micro_fail("an endless policy came to an end");
    rt_send(self, rt_self(self), micro_message(KIND_WORK, 0));
}

void
micro_lua_hogs(const struct micro_setup *setup, struct micro_figures *figures_out)
{
    static const struct rt_behaviour hogging = {
        .name = "lua_hog", .limits = {1000, 1 << 24}, .is_slow = true, .handle = hog_handle};
    struct tlua_policies *policies = open_policies(setup, MICRO_DIRECTORY);
    struct rt_system *system = micro_system(setup);
    for (unsigned i = 0; i < HOGS; i++) {
        struct rt_address hog = micro_spawn(system, &hogging, NULL);
        for (unsigned j = 0; j < HOG_WAITING; j++)
            micro_post(system, hog, KIND_WORK, 0);
    }
    micro_watch(setup, system, figures_out);
    micro_system_end(system);
    tlua_policies_destroy(policies);
}
