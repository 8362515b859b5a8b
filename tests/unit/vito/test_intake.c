/* Where requests wait for a store: tenants take turns, each one's requests keep their order, and
 * one about no tenant keeps its place among all. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "runtime/sim.h"
#include "runtime/table.h"
#include "runtime/text.h"
#include "vito/store/intake.h"

static struct rt_sim *sim;
static struct vito_intake intake;
static char crowd[VITO_TENANT_ID_BYTES] = "crowd", quiet[VITO_TENANT_ID_BYTES];

/* What the next message has its actor submit: so many requests about a tenant. */
struct errand {
    char tenant_id[VITO_TENANT_ID_BYTES];
    unsigned count;
};

static uint64_t submitted; /* requests are numbered from 1 */
static unsigned answered;

static void
handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    answered += message->kind == VITO_STORED;
    if (message->kind != RT_KIND_USER)
        return;
    const struct errand *errand = rt_message_payload(message);
    struct vito_request request = {.op = VITO_BUDGET_GRANT};
    RT_TEXT_SET(request.tenant_id, errand->tenant_id);
    for (unsigned i = 0; i < errand->count; i++)
        vito_intake_submit(&intake, self, &request, ++submitted);
}

static const struct rt_behaviour asking = {
    .name = "asker", .limits = {100, 1 << 16}, .handle = handle};

static struct rt_address asker;

static void
setup(void)
{
    sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    cr_assert_eq(vito_intake_init(&intake, rt_sim_system(sim)), RT_OK);
    struct rt_spawn_options options = {.behaviour = &asking, .worker = RT_ANY_WORKER};
    cr_assert_eq(rt_spawn(rt_sim_system(sim), &options, &asker), RT_OK);
    for (unsigned i = 0; quiet[0] == '\0'; i++) { /* one that does not share the crowd's turns */
        snprintf(quiet, sizeof(quiet), "quiet-%u", i);
        if (rt_hash_text(quiet) % VITO_INTAKE_TURNS == rt_hash_text(crowd) % VITO_INTAKE_TURNS)
            quiet[0] = '\0';
    }
}

static void
teardown(void)
{
    vito_intake_deinit(&intake); /* asserts that nothing is left */
    rt_sim_destroy(sim);
}

TestSuite(intake, .init = setup, .fini = teardown, .timeout = 60);

static void
submit(const char *tenant_id, unsigned count)
{
    struct rt_message *message = rt_message_create(RT_KIND_USER, sizeof(struct errand));
    struct errand *errand = rt_message_payload(message);
    RT_TEXT_SET(errand->tenant_id, tenant_id);
    errand->count = count;
    cr_assert_eq(rt_post(rt_sim_system(sim), asker, message), RT_OK);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_MS);
}

/* Takes a batch and answers it; the numbers of its requests. */
static unsigned
take(uint64_t numbers[VITO_INTAKE_BATCH_MAX])
{
    struct vito_intake_item *items[VITO_INTAKE_BATCH_MAX];
    unsigned count = vito_intake_take(&intake, items);
    for (unsigned i = 0; i < count; i++) {
        numbers[i] = items[i]->request_id;
        vito_intake_answer(&intake, items[i], false);
    }
    return count;
}

static uint64_t numbers[VITO_INTAKE_BATCH_MAX];

Test(intake, requests_of_one_tenant_keep_their_order_and_fill_a_batch)
{
    submit(crowd, VITO_INTAKE_BATCH_MAX + 1);
    cr_assert_eq(take(numbers), VITO_INTAKE_BATCH_MAX);
    for (unsigned i = 0; i < VITO_INTAKE_BATCH_MAX; i++)
        cr_assert_eq(numbers[i], i + 1);
    cr_assert_eq(take(numbers), 1);
    cr_assert_eq(take(numbers), 0);
}

Test(intake, who_comes_behind_a_crowd_is_served_in_turn)
{
    submit(crowd, 500);
    submit(quiet, 2);
    cr_assert_eq(take(numbers), 2 * VITO_INTAKE_SHARE, "and nobody waits for a long batch");
    static const uint64_t first[] = {1, 501, 2, 502, 3, 4, 5};
    for (unsigned i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        cr_assert_eq(numbers[i], first[i]);
    submit(quiet, 1);
    take(numbers);
    cr_assert(numbers[0] == 503 || numbers[1] == 503);
    while (take(numbers) > 0)
        ;
}

Test(intake, what_is_submitted_is_taken_and_answered_once)
{
    for (unsigned round = 0; round < 20; round++) {
        submit(round % 3 == 0 ? "" : round % 3 == 1 ? crowd : quiet, 1 + round * 7);
        if (round % 4 == 0)
            take(numbers);
    }
    while (take(numbers) > 0)
        ;
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_S);
    cr_assert_eq(answered, submitted);
}

Test(intake, a_request_about_no_tenant_keeps_its_place_among_all)
{
    submit(crowd, 3);
    submit("", 1);
    submit(quiet, 2);
    submit("", 1);
    submit(crowd, 1);
    cr_assert_eq(take(numbers), 8);
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(numbers[i], i + 1);
}

Test(intake, a_batch_is_grouped_by_tenant_and_each_ones_requests_keep_their_order)
{
    for (unsigned i = 0; i < 30; i++) { /* they come in turn: 1 2 1 2 … */
        submit(quiet, 1);
        submit(crowd, 1);
    }
    struct vito_intake_item *items[VITO_INTAKE_BATCH_MAX];
    cr_assert_eq(vito_intake_take(&intake, items), 60);
    vito_intake_group(items, 60);
    for (unsigned i = 0; i < 60; i++) {
        const char *tenant_id = i < 30 ? crowd : quiet;
        cr_assert_str_eq(items[i]->request.tenant_id, tenant_id);
        cr_assert_eq(items[i]->request_id, i < 30 ? 2 * i + 2 : 2 * (i - 30) + 1);
        vito_intake_answer(&intake, items[i], false);
    }
}

Test(intake, many_tenants_fill_a_batch_together)
{
    char name[VITO_TENANT_ID_BYTES];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof(name), "one-of-many-%u", i);
        submit(name, 20);
    }
    cr_assert_eq(take(numbers), VITO_INTAKE_BATCH_MAX);
    cr_assert_eq(take(numbers), VITO_INTAKE_BATCH_MAX);
    cr_assert_eq(take(numbers), 0);
}

Test(intake, when_one_tenant_is_left_alone_its_batches_grow_again)
{
    submit(crowd, 300);
    submit(quiet, 1);
    cr_assert_eq(take(numbers), 2 * VITO_INTAKE_SHARE);
    cr_assert_eq(take(numbers), VITO_INTAKE_SHARE, "the other one may come again");
    while (take(numbers) > 0)
        ;
    unsigned largest = 0;
    for (unsigned i = 0; i < 60; i++) {
        submit(crowd, 300);
        unsigned count = take(numbers);
        largest = count > largest ? count : largest;
    }
    cr_assert_gt(largest, VITO_INTAKE_SHARE);
    while (take(numbers) > 0)
        ;
}
