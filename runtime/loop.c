/*
 * A worker's libev loop: one place to wait for sockets, other workers and timers alike.
 */
#include <sys/timerfd.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/scheduler.h"

static void
on_wake(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)loop, (void)watcher, (void)events; /* being awake is all */
}

static void
on_alarm(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    struct rt_thread *thread = watcher->data;
    uint64_t expirations;
    if (read(thread->alarm_fd, &expirations, sizeof(expirations)) > 0)
        thread->alarm_ns = RT_WHEEL_NEVER;
}

enum rt_status
rt_loop_open(struct rt_thread *thread)
{
    thread->alarm_ns = RT_WHEEL_NEVER;
    thread->alarm_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (thread->alarm_fd < 0)
        return RT_IO;
    thread->loop = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (thread->loop == NULL) {
        close(thread->alarm_fd);
        return RT_IO;
    }
    ev_async_init(&thread->wake, on_wake);
    ev_async_start(thread->loop, &thread->wake);
    ev_io_init(&thread->alarm, on_alarm, thread->alarm_fd, EV_READ);
    thread->alarm.data = thread;
    ev_io_start(thread->loop, &thread->alarm);
    return RT_OK;
}

void
rt_loop_close(struct rt_thread *thread)
{
    ev_async_stop(thread->loop, &thread->wake);
    ev_io_stop(thread->loop, &thread->alarm);
    ev_loop_destroy(thread->loop);
    close(thread->alarm_fd);
}

static void
fire_timers(struct rt_thread *thread)
{
    struct rt_system *system = thread->worker.system;
    rt_timers_fire(system, &thread->worker.timers, rt_worker_read_clock(&thread->worker));
}

void
rt_loop_poll(struct rt_thread *thread)
{
    ev_run(thread->loop, EVRUN_NOWAIT);
    fire_timers(thread);
}

static void
set_alarm(struct rt_thread *thread, uint64_t at_ns)
{
    if (thread->alarm_ns == at_ns)
        return;
    struct itimerspec when = {0};
    if (at_ns != RT_WHEEL_NEVER) {
        uint64_t ns = at_ns == 0 ? 1 : at_ns; /* zero would disarm it */
        when.it_value.tv_sec = (time_t)(ns / RT_NS_PER_S);
        when.it_value.tv_nsec = (long)(ns % RT_NS_PER_S);
    }
    int failed = timerfd_settime(thread->alarm_fd, TFD_TIMER_ABSTIME, &when, NULL);
    RT_ASSERT(failed == 0);
    thread->alarm_ns = at_ns;
}

void
rt_loop_sleep(struct rt_thread *thread, uint64_t until_ns)
{
    uint64_t timer_ns = rt_timers_next_ns(&thread->worker.timers);
    set_alarm(thread, timer_ns < until_ns ? timer_ns : until_ns);
    ev_run(thread->loop, EVRUN_ONCE);
    fire_timers(thread);
}

void
rt_loop_wake(struct rt_thread *thread)
{
    ev_async_send(thread->loop, &thread->wake);
}
