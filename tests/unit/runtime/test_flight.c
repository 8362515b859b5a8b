/* What the flight recorder promises: the latest turns in order, what runs now and where, a log
 * line for a worker that is stuck, and the turns on stderr when the process crashes. */
#include <criterion/criterion.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/flight.h"
#include "runtime/log.h"
#include "runtime/sim.h"

enum { KIND_WORK = RT_KIND_USER };

TestSuite(flight, .timeout = 60);

static sem_t entered, released;

/* Works; and on a request waits inside its turn until the test lets it go. */
static void
handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)self, (void)state;
    if (message->kind != KIND_WORK || message->size_bytes == 0)
        return;
    rt_flight_tell("policies/slow.lua", 12);
    sem_post(&entered);
    sem_wait(&released);
}

static const struct rt_behaviour working = {
    .name = "worker_of_test", .limits = {1000, 1 << 20}, .handle = handle};

static struct rt_address
spawn(struct rt_system *system)
{
    struct rt_address address;
    struct rt_spawn_options options = {.behaviour = &working, .worker = 0};
    cr_assert_eq(rt_spawn(system, &options, &address), RT_OK);
    return address;
}

struct seen {
    unsigned count;
    uint64_t last_number, last_actor;
    bool in_order, all_over;
};

static void
note(void *context, const struct rt_flight_turn *turn)
{
    struct seen *seen = context;
    seen->in_order &= seen->count == 0 || turn->number == seen->last_number + 1;
    seen->all_over &= turn->is_over;
    seen->last_number = turn->number;
    seen->last_actor = turn->actor;
    seen->count++;
    cr_assert_str_eq(turn->kind, "worker_of_test");
}

static struct seen
visit(struct rt_system *system)
{
    struct seen seen = {.in_order = true, .all_over = true};
    rt_flight_visit(system, note, &seen);
    return seen;
}

Test(flight, the_latest_turns_are_kept_in_order_and_older_ones_give_way)
{
    struct rt_sim *sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    struct rt_system *system = rt_sim_system(sim);
    struct rt_address address = spawn(system);
    rt_sim_run_until(sim, 2 * RT_NS_PER_S);
    struct seen seen = visit(system);
    cr_assert_gt(seen.count, 0, "START was handled in a turn");
    cr_assert_eq(seen.last_actor, address.id);

    for (int i = 0; i < 3 * RT_FLIGHT_TURNS; i++) {
        rt_post(system, address, rt_message_create(KIND_WORK, 0));
        while (rt_sim_step(sim, rt_sim_now_ns(sim)))
            ;
    }
    seen = visit(system);
    cr_assert(seen.in_order);
    cr_assert(seen.all_over);
    cr_assert_geq(seen.count, RT_FLIGHT_TURNS - 2);
    cr_assert_leq(seen.count, RT_FLIGHT_TURNS);
    struct rt_flight_turn last;
    cr_assert(rt_flight_last(system, 0, &last));
    cr_assert_eq(last.number, seen.last_number);
    cr_assert_eq(last.message_kind, KIND_WORK);
    rt_sim_destroy(sim);
}

static struct rt_system *
start_stuck(void)
{
    sem_init(&entered, 0, 0);
    sem_init(&released, 0, 0);
    struct rt_system *system =
        rt_system_create(&(struct rt_system_options){.workers = 1, .world = rt_world_real()});
    cr_assert_not_null(system);
    cr_assert_eq(rt_system_start(system), RT_OK);
    rt_post(system, spawn(system), rt_message_create(KIND_WORK, 1));
    sem_wait(&entered);
    return system;
}

static void
stop(struct rt_system *system)
{
    sem_post(&released);
    rt_system_stop(system);
    rt_system_destroy(system);
}

Test(flight, what_runs_now_is_seen_with_its_place)
{
    struct rt_system *system = start_stuck();
    struct rt_flight_turn turn;
    char place[RT_FLIGHT_PLACE_BYTES];
    cr_assert(rt_flight_last(system, 0, &turn));
    cr_assert_not(turn.is_over);
    cr_assert_eq(turn.message_kind, KIND_WORK);
    rt_flight_place(system, 0, turn.number, place);
    cr_assert_str_eq(place, "policies/slow.lua:12");
    rt_flight_place(system, 0, turn.number + 1, place);
    cr_assert_str_eq(place, "", "another turn has told nothing");
    stop(system);
}

Test(flight, a_stuck_worker_is_logged_once_a_turn)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    struct rt_log_options options = {
        .level = RT_LOG_INFO, .format = RT_LOG_TEXT, .fd = fds[1], .world = rt_world_real()};
    cr_assert_eq(rt_log_start(&options), RT_OK);
    struct rt_system *system = start_stuck();
    struct rt_watchdog *watchdog;
    cr_assert_eq(rt_watchdog_start(system, 20, &watchdog), RT_OK);
    while (rt_watchdog_stalls() == 0)
        usleep(1000);
    usleep(100000); /* five times the limit: had it been logged twice, it would be by now */
    rt_watchdog_stop(watchdog);
    cr_assert_eq(rt_watchdog_stalls(), 1);
    stop(system);
    rt_log_stop();
    char text[8192];
    ssize_t size = read(fds[0], text, sizeof(text) - 1);
    cr_assert_gt(size, 0);
    text[size] = '\0';
    const char *line = strstr(text, "worker.stalled worker=0");
    cr_assert_not_null(line, "%s", text);
    cr_assert_not_null(strstr(line, "kind=\"worker_of_test\""));
    cr_assert_not_null(strstr(line, "place=\"policies/slow.lua:12\""));
}

Test(flight, a_crash_prints_the_last_turns_and_still_crashes)
{
    int fds[2];
    cr_assert_eq(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL); /* not the test runner's */
        struct rt_system *system = start_stuck();
        rt_flight_on_crash(system, fds[1]);
        abort();
    }
    close(fds[1]);
    char text[8192];
    size_t size = 0;
    for (ssize_t got; (got = read(fds[0], text + size, sizeof(text) - 1 - size)) > 0;)
        size += (size_t)got;
    text[size] = '\0';
    int status;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status));
    cr_assert_eq(WTERMSIG(status), SIGABRT);
    cr_assert_not_null(strstr(text, "flight crashed signal=6\n"));
    cr_assert_not_null(strstr(text, " kind=worker_of_test message=64 "), "%s", text);
    cr_assert_not_null(strstr(text, " running\n"));
}
