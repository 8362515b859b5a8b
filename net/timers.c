#include "net/timers.h"

#include <ev.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/world.h"

struct net_timers {
    struct rt_wheel wheel;
    struct ev_loop *loop;
    const struct rt_world *world;
    ev_io alarm;
    ev_check check;
    uint64_t round_ns;
    uint64_t alarm_ns; /* what the timerfd is set to; RT_WHEEL_NEVER when it is not */
    bool is_firing;
};

uint64_t
net_timers_now_ns(const struct net_timers *timers)
{
    return timers->world->now_ns(timers->world->self);
}

uint64_t
net_timers_round_ns(const struct net_timers *timers)
{
    return timers->round_ns;
}

static void
on_check(struct ev_loop *loop, ev_check *watcher, int events)
{
    (void)loop, (void)events;
    struct net_timers *timers = watcher->data;
    timers->round_ns = net_timers_now_ns(timers);
}

/* Makes sure of an alarm at `at_ns` at the latest. One that comes too early costs a wake-up and
 * nothing else, so a cancelled timer leaves it as it is. */
static void
set_alarm(struct net_timers *timers, uint64_t at_ns)
{
    if (at_ns >= timers->alarm_ns)
        return;
    uint64_t ns = at_ns == 0 ? 1 : at_ns; /* zero would disarm it */
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(ns / RT_NS_PER_S), .tv_nsec = (long)(ns % RT_NS_PER_S)}};
    int failed = timerfd_settime(timers->alarm.fd, TFD_TIMER_ABSTIME, &when, NULL);
    RT_ASSERT(failed == 0);
    timers->alarm_ns = at_ns;
}

static void
on_alarm(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    struct net_timers *timers = watcher->data;
    uint64_t expirations;
    if (read(watcher->fd, &expirations, sizeof(expirations)) < 0)
        return; /* it was set anew in the meantime */
    timers->alarm_ns = RT_WHEEL_NEVER;
    timers->is_firing = true;
    /* Only what is due by now: a timer that sets itself again at once must not hold the loop. */
    uint64_t now_ns = net_timers_now_ns(timers);
    struct rt_wheel_entry *entry;
    while ((entry = rt_wheel_expire(&timers->wheel, now_ns)) != NULL) {
        struct net_timer *timer = RT_CONTAINER_OF(entry, struct net_timer, entry);
        timer->fire(timer);
    }
    timers->is_firing = false;
    set_alarm(timers, rt_wheel_next_ns(&timers->wheel));
}

struct net_timers *
net_timers_create(struct ev_loop *loop, const struct rt_world *world)
{
    struct net_timers *timers = calloc(1, sizeof(*timers));
    if (timers == NULL)
        return NULL;
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) {
        free(timers);
        return NULL;
    }
    timers->loop = loop;
    timers->world = world;
    timers->alarm_ns = RT_WHEEL_NEVER;
    timers->round_ns = net_timers_now_ns(timers);
    rt_wheel_init(&timers->wheel, timers->round_ns);
    ev_check_init(&timers->check, on_check);
    ev_set_priority(&timers->check, EV_MAXPRI); /* before the events of the round */
    timers->check.data = timers;
    ev_check_start(loop, &timers->check);
    ev_io_init(&timers->alarm, on_alarm, fd, EV_READ);
    timers->alarm.data = timers;
    ev_io_start(loop, &timers->alarm);
    return timers;
}

void
net_timers_destroy(struct net_timers *timers)
{
    if (timers == NULL)
        return;
    ev_check_stop(timers->loop, &timers->check);
    ev_io_stop(timers->loop, &timers->alarm);
    close(timers->alarm.fd);
    free(timers);
}

void
net_timers_set(struct net_timers *timers, struct net_timer *timer, uint64_t delay_ns)
{
    RT_ASSERT(timer->fire != NULL);
    uint64_t at_ns = net_timers_now_ns(timers) + delay_ns;
    rt_wheel_remove(&timers->wheel, &timer->entry);
    rt_wheel_insert(&timers->wheel, &timer->entry, at_ns);
    if (!timers->is_firing)
        set_alarm(timers, at_ns);
}

void
net_timers_cancel(struct net_timers *timers, struct net_timer *timer)
{
    rt_wheel_remove(&timers->wheel, &timer->entry);
}
