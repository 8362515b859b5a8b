/* What an answer of the store promises: it reaches its caller with the document, or is let go of
 * when there is no caller any more. */
#include <criterion/criterion.h>

#include "runtime/sim.h"
#include "vito/store.h"

TestSuite(store, .timeout = 60);

static struct vito_stored seen;
static uint64_t seen_request;
static uint32_t seen_document_bytes;

static void
caller_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)self, (void)state;
    if (message->kind != VITO_STORED)
        return;
    cr_assert(message->flags & RT_MESSAGE_ANSWER);
    cr_assert(message->flags & RT_MESSAGE_CONTROL);
    seen = *vito_stored_of(message);
    seen_request = message->request_id;
    seen_document_bytes = message->buffer == NULL ? 0 : message->buffer->size_bytes;
}

static const struct rt_behaviour behaviour = {
    .name = "caller", .limits = {1, 1000}, .handle = caller_handle};

Test(store, an_answer_reaches_its_caller_with_the_document)
{
    struct rt_sim *sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    struct rt_address caller;
    struct rt_spawn_options options = {.behaviour = &behaviour, .worker = RT_ANY_WORKER};
    cr_assert_eq(rt_spawn(rt_sim_system(sim), &options, &caller), RT_OK);
    const struct vito_stored stored = {
        .op = VITO_BUDGET_GRANT, .status = RT_OK, .budget = {.granted_nusd = 7}};
    vito_store_answer(rt_sim_system(sim), caller, 42, &stored, rt_buffer_copy("abc", 3));
    rt_sim_run_until(sim, RT_NS_PER_S);
    cr_assert_eq(seen_request, 42);
    cr_assert_eq(seen.op, VITO_BUDGET_GRANT);
    cr_assert_eq(seen.budget.granted_nusd, 7);
    cr_assert_eq(seen_document_bytes, 3);
    rt_sim_destroy(sim);
}

Test(store, an_answer_to_the_dead_is_let_go)
{
    struct rt_sim *sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    struct rt_address caller;
    struct rt_spawn_options options = {.behaviour = &behaviour, .worker = RT_ANY_WORKER};
    cr_assert_eq(rt_spawn(rt_sim_system(sim), &options, &caller), RT_OK);
    rt_exit(rt_sim_system(sim), caller, RT_EXIT_KILLED);
    rt_sim_run_until(sim, RT_NS_PER_S);
    const struct vito_stored stored = {.op = VITO_TENANT_GET, .status = RT_OK};
    struct rt_buffer *document = rt_buffer_copy("abc", 3);
    vito_store_answer(rt_sim_system(sim), caller, 1, &stored, rt_buffer_acquire(document));
    rt_sim_run_until(sim, 2 * RT_NS_PER_S);
    cr_assert_eq(atomic_load(&document->holders), 1);
    cr_assert_eq(rt_system_stats(rt_sim_system(sim)).dead_letters, 1);
    rt_buffer_release(document);
    rt_sim_destroy(sim);
}
