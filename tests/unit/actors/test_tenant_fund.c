/* Where a tenant's money comes from: one grant at a time is asked of the store, exactly what is
 * missing near the limit, and far from it the next slice before this one is spent. */
#include <criterion/criterion.h>
#include <string.h>

#include "actors/tenant_state.h"
#include "runtime/pool.h"
#include "runtime/sim.h"

enum { KIND_DO = RT_KIND_USER, STEPS_MAX = 16, STEP = 100, SLICE = 8 * STEP };

typedef void (*action)(struct rt_actor *self, struct tenant *tenant);

/* Something that takes STEP, and keeps it. */
struct step {
    struct tenant_funding funding;
    bool is_done;
    enum problem_reason why;
};

static struct rt_sim *sim;
static struct world world;
static struct tenant_config config = {.id = "andres"};
static struct rt_address box;
static struct vito_request asked[STEPS_MAX];
static unsigned asked_count;
static struct step steps[STEPS_MAX];
static struct vito_account account; /* the book's, after each action */

static void
submit(void *self, struct rt_actor *caller, const struct vito_request *request, uint64_t request_id)
{
    (void)self, (void)caller, (void)request_id;
    cr_assert_lt(asked_count, STEPS_MAX);
    asked[asked_count++] = *request;
}

static enum rt_status
box_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    struct tenant *tenant = state;
    tenant->world = &world;
    tenant->config = &config;
    tenant->phase = TENANT_SERVING;
    tenant->funding_end = &tenant->funding_first;
    tenant->book = &tenant->books[0];
    *tenant->book = (struct tenant_book){
        .is_open = true, .nodes = 1, .account = {.limit_nusd = *(const int64_t *)args}};
    return RT_OK;
}

static void
box_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct tenant *tenant = state;
    if (message->kind != KIND_DO)
        return;
    (*(action *)rt_message_payload(message))(self, tenant);
    account = tenant->book->account;
}

static void
box_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self, (void)reason;
    struct tenant *tenant = state;
    while (tenant->pending.count > 0) {
        struct rt_table_link *link = rt_table_first(&tenant->pending);
        rt_table_remove(&tenant->pending, link);
        rt_pool_give(RT_CONTAINER_OF(link, struct tenant_pending, link),
                     sizeof(struct tenant_pending));
    }
    rt_table_deinit(&tenant->pending);
}

static const struct rt_behaviour box_behaviour = {
    .name = "box",
    .state_bytes = sizeof(struct tenant),
    .limits = {.messages_max = 64, .bytes_max = 1 << 16},
    .init = box_init,
    .handle = box_handle,
    .stop = box_stop,
};

static void
begin(int64_t limit_nusd)
{
    sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    world = (struct world){.system = rt_sim_system(sim), .store = {.submit = submit}};
    struct rt_spawn_options options = {.behaviour = &box_behaviour, .args = &limit_nusd};
    cr_assert_eq(rt_spawn(world.system, &options, &box), RT_OK);
}

static void
act(action what)
{
    struct rt_message *message = rt_message_create(KIND_DO, sizeof(action));
    *(action *)rt_message_payload(message) = what;
    cr_assert_eq(rt_post(world.system, box, message), RT_OK);
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + RT_NS_PER_MS);
}

static void
end(void)
{
    if (sim != NULL)
        rt_sim_destroy(sim);
}

TestSuite(tenant_fund, .fini = end, .timeout = 60);

static void
on_done(struct rt_actor *self, struct tenant_funding *funding, enum problem_reason why)
{
    (void)self;
    struct step *step = RT_CONTAINER_OF(funding, struct step, funding);
    step->is_done = true;
    step->why = why;
    if (why == PROBLEM_NONE)
        funding->book->account.held_nusd += funding->need_nusd;
}

static unsigned steps_begun;

static void
take_step(struct rt_actor *self, struct tenant *tenant)
{
    struct step *step = &steps[steps_begun++];
    step->funding =
        (struct tenant_funding){.book = tenant->book, .need_nusd = STEP, .done = on_done};
    tenant_fund(self, tenant, &step->funding);
}

static void
take_steps(unsigned count)
{
    while (count-- > 0)
        act(take_step);
}

static void
answer(struct rt_actor *self, struct tenant *tenant, enum rt_status status, int64_t granted_nusd)
{
    struct vito_stored stored = {.op = VITO_BUDGET_GRANT, .status = status};
    stored.budget.limit_nusd = tenant->book->account.limit_nusd;
    stored.budget.reserved_nusd = tenant->book->account.slice_nusd + granted_nusd;
    stored.budget.granted_nusd = granted_nusd;
    stored.budget.nodes = 1;
    tenant_on_granted(self, tenant, tenant->book, &stored);
}

static void
grant_what_is_wanted(struct rt_actor *self, struct tenant *tenant)
{
    answer(self, tenant, RT_OK, asked[asked_count - 1].budget.want_nusd);
}

static void
grant_nothing(struct rt_actor *self, struct tenant *tenant)
{
    answer(self, tenant, RT_OK, 0);
}

static void
say_unavailable(struct rt_actor *self, struct tenant *tenant)
{
    answer(self, tenant, RT_UNAVAILABLE, 0);
}

/* As far as a slice of which less than 30 % are left. */
static void
begin_low(int64_t limit_nusd)
{
    begin(limit_nusd);
    take_steps(1);
    cr_assert_eq(asked_count, 1);
    cr_assert_eq(asked[0].op, VITO_BUDGET_GRANT);
    cr_assert_eq(asked[0].budget.need_nusd, STEP);
    act(grant_what_is_wanted);
    cr_assert(steps[0].is_done);
    take_steps(5);
}

Test(tenant_fund, the_next_slice_is_asked_for_when_less_than_30_percent_are_left)
{
    begin_low(1000000);
    cr_assert_eq(account.slice_nusd, SLICE);
    cr_assert_eq(asked_count, 2);
    cr_assert_eq(asked[1].budget.need_nusd, 0, "nobody is recalled for it");
    cr_assert_eq(asked[1].budget.want_nusd, SLICE);
}

Test(tenant_fund, there_is_no_refill_while_more_is_left)
{
    begin(1000000);
    take_steps(1);
    act(grant_what_is_wanted);
    take_steps(4);
    cr_assert_eq(vito_account_free(&account), 3 * STEP);
    cr_assert_eq(asked_count, 1);
}

Test(tenant_fund, what_the_slice_still_has_is_served_while_a_refill_is_on_its_way)
{
    begin_low(1000000);
    take_steps(2);
    cr_assert(steps[6].is_done && steps[7].is_done);
    cr_assert_eq(steps[7].why, PROBLEM_NONE);
    cr_assert_eq(vito_account_free(&account), 0);
    take_steps(1);
    cr_assert_not(steps[8].is_done, "now there is nothing left");
    cr_assert_eq(asked_count, 2, "one grant at a time");
    act(grant_what_is_wanted);
    cr_assert(steps[8].is_done);
    cr_assert_eq(steps[8].why, PROBLEM_NONE);
    cr_assert_eq(vito_account_free(&account), SLICE - STEP);
    cr_assert_eq(asked_count, 2);
}

Test(tenant_fund, near_the_limit_nothing_is_asked_for_ahead)
{
    begin(3 * SLICE - 1);
    take_steps(1);
    act(grant_what_is_wanted);
    take_steps(7);
    cr_assert(steps[7].is_done);
    cr_assert_eq(vito_account_free(&account), 0);
    cr_assert_eq(asked_count, 1);
}

Test(tenant_fund, a_refill_that_the_store_cannot_answer_refuses_nobody)
{
    begin_low(1000000);
    take_steps(3);
    cr_assert_not(steps[8].is_done);
    act(say_unavailable);
    cr_assert_not(steps[8].is_done);
    cr_assert_eq(asked_count, 3, "who waits asks for himself");
    cr_assert_eq(asked[2].budget.need_nusd, STEP);
    act(say_unavailable);
    cr_assert(steps[8].is_done);
    cr_assert_eq(steps[8].why, PROBLEM_STORE_UNAVAILABLE);
    cr_assert_eq(asked_count, 3);
}

Test(tenant_fund, a_refill_of_nothing_refuses_nobody)
{
    begin_low(1000000);
    take_steps(3);
    act(grant_nothing);
    cr_assert_not(steps[8].is_done);
    cr_assert_eq(asked[2].budget.need_nusd, STEP);
    act(grant_nothing);
    cr_assert_eq(steps[8].why, PROBLEM_MONTHLY_HARD_LIMIT);
}

static void
free_the_first_step(struct rt_actor *self, struct tenant *tenant)
{
    tenant->book->account.held_nusd -= STEP;
    tenant_serve_fundings(self, tenant);
}

Test(tenant_fund, who_is_served_by_what_others_free_is_not_refused_with_the_grant)
{
    begin(3 * SLICE - 1);
    take_steps(1);
    act(grant_what_is_wanted);
    take_steps(10);
    cr_assert_eq(asked_count, 2, "the ninth waits for a grant, the others behind it");
    act(free_the_first_step);
    cr_assert(steps[8].is_done);
    cr_assert_eq(steps[8].why, PROBLEM_NONE);
    cr_assert_not(steps[9].is_done);
    act(grant_nothing);
    cr_assert_not(steps[9].is_done, "it was not for him");
    cr_assert_eq(asked_count, 3);
    act(grant_nothing);
    cr_assert_eq(steps[9].why, PROBLEM_MONTHLY_HARD_LIMIT);
}

static void
begin_draining(struct rt_actor *self, struct tenant *tenant)
{
    (void)self;
    tenant->draining = true;
}

Test(tenant_fund, nothing_is_asked_for_ahead_on_the_way_out)
{
    begin(1000000);
    take_steps(1);
    act(grant_what_is_wanted);
    act(begin_draining);
    take_steps(7);
    cr_assert_eq(vito_account_free(&account), 0);
    cr_assert_eq(asked_count, 1);
}

static void
begin_another_month(struct rt_actor *self, struct tenant *tenant)
{
    (void)self;
    tenant->books[1] = (struct tenant_book){.is_open = true, .nodes = 1};
    tenant->book = &tenant->books[1];
}

static void
take_step_of_last_month(struct rt_actor *self, struct tenant *tenant)
{
    struct step *step = &steps[steps_begun++];
    step->funding =
        (struct tenant_funding){.book = &tenant->books[0], .need_nusd = STEP, .done = on_done};
    tenant_fund(self, tenant, &step->funding);
}

Test(tenant_fund, nothing_is_asked_for_ahead_of_a_month_that_is_over)
{
    begin(1000000);
    take_steps(1);
    act(grant_what_is_wanted);
    act(begin_another_month);
    for (int i = 0; i < 7; i++)
        act(take_step_of_last_month);
    cr_assert(steps[7].is_done);
    cr_assert_eq(asked_count, 1);
}

static void
recall(struct rt_actor *self, struct tenant *tenant)
{
    tenant_on_news(self, tenant, &(struct vito_news){.kind = VITO_NEWS_RECALL});
}

static void
lose_the_return(struct rt_actor *self, struct tenant *tenant)
{
    (void)self;
    tenant_on_returned(tenant->book, &(struct vito_stored){.status = RT_UNAVAILABLE});
}

/* Once the step is settled at what it held, nothing is left that is known of. */
static void
return_slice(struct rt_actor *self, struct tenant *tenant)
{
    tenant->book->account.held_nusd = tenant->book->account.slice_nusd = 0;
    tenant_return_slice(self, tenant, tenant->book);
}

Test(tenant_fund, what_is_given_back_and_not_confirmed_is_returned_again)
{
    begin(1000000);
    take_steps(1);
    act(grant_what_is_wanted);
    act(recall);
    cr_assert_eq(asked_count, 2);
    cr_assert_eq(asked[1].op, VITO_BUDGET_RETURN);
    cr_assert_eq(asked[1].budget.want_nusd, SLICE - STEP);
    act(lose_the_return);
    act(return_slice);
    cr_assert_eq(asked_count, 3);
    cr_assert_eq(asked[2].op, VITO_BUDGET_RETURN);
    cr_assert_eq(asked[2].budget.want_nusd, VITO_UNLIMITED, "all of it");
}
