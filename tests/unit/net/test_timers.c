/* What timers on a loop promise: none early, none lost, none after it was taken back. */
#include <criterion/criterion.h>
#include <ev.h>

#include "net/timers.h"
#include "runtime/world.h"

enum { TIMERS = 100 };

static struct ev_loop *loop;
static struct net_timers *timers;
static struct net_timer many[TIMERS];
static uint64_t due_ns[TIMERS];
static unsigned fired;

static void
note(struct net_timer *timer)
{
    cr_assert_geq(net_timers_now_ns(timers), due_ns[timer - many], "early");
    cr_assert_not(net_timer_is_set(timer));
    fired++;
}

static void
set(unsigned index, uint64_t delay_ns)
{
    due_ns[index] = net_timers_now_ns(timers) + delay_ns;
    net_timers_set(timers, &many[index], delay_ns);
}

static void
setup(void)
{
    loop = ev_loop_new(0);
    timers = net_timers_create(loop, rt_world_real());
    for (unsigned i = 0; i < TIMERS; i++)
        many[i].fire = note;
}

static void
teardown(void)
{
    net_timers_destroy(timers);
    ev_loop_destroy(loop);
}

TestSuite(timers, .init = setup, .fini = teardown, .timeout = 60);

static void
run_until(unsigned wanted)
{
    while (fired < wanted)
        ev_run(loop, EVRUN_ONCE);
}

Test(timers, each_fires_once_and_none_early)
{
    for (unsigned i = 0; i < TIMERS; i++)
        set(i, (i * 7919 % TIMERS) * RT_NS_PER_MS / 2);
    run_until(TIMERS);
    ev_run(loop, EVRUN_NOWAIT);
    cr_assert_eq(fired, TIMERS);
}

Test(timers, a_cancelled_one_does_not_fire)
{
    for (unsigned i = 0; i < TIMERS; i++)
        set(i, RT_NS_PER_MS);
    for (unsigned i = 0; i < TIMERS; i += 2)
        net_timers_cancel(timers, &many[i]);
    set(0, 20 * RT_NS_PER_MS);
    run_until(TIMERS / 2 + 1);
    cr_assert_eq(fired, TIMERS / 2 + 1);
}

Test(timers, one_that_is_set_again_fires_at_its_new_time_sooner_or_later)
{
    set(0, 500 * RT_NS_PER_S);
    set(0, RT_NS_PER_MS);
    set(1, RT_NS_PER_MS);
    set(1, 30 * RT_NS_PER_MS);
    run_until(2);
}

static unsigned rounds;

static void
again(struct net_timer *timer)
{
    if (++rounds < 50)
        net_timers_set(timers, timer, 0);
    fired = rounds;
}

Test(timers, one_that_sets_itself_again_at_once_leaves_room_for_others)
{
    many[0].fire = again;
    set(0, 0);
    ev_run(loop, EVRUN_ONCE);
    cr_assert_eq(rounds, 1);
    run_until(50);
}

static void
cancel_the_next(struct net_timer *timer)
{
    fired++;
    net_timers_cancel(timers, timer + 1);
}

Test(timers, one_may_cancel_another_that_is_due_too)
{
    many[0].fire = cancel_the_next;
    set(0, RT_NS_PER_MS);
    set(1, RT_NS_PER_MS + 1000);
    set(2, 10 * RT_NS_PER_MS);
    run_until(2);
    cr_assert_eq(fired, 2);
}
