#include "runtime/group.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "runtime/assert.h"
#include "runtime/internal.h"
#include "runtime/pool.h"

struct rt_group {
    pthread_mutex_t mutex;
    struct rt_actor *first, *last; /* runnable and waiting, linked by run_next */
    unsigned weight, represented;  /* how many may be, and are, in run queues */
    uint32_t members;              /* guarded by the mutex of the groups */
};

void
rt_groups_init(struct rt_groups *groups)
{
    *groups = (struct rt_groups){0};
    pthread_mutex_init(&groups->mutex, NULL);
}

void
rt_groups_deinit(struct rt_groups *groups)
{
    free(groups->all); /* every member has parted */
    pthread_mutex_destroy(&groups->mutex);
}

/* A number that no group has, or RT_NO_GROUP. */
static uint16_t
free_number_locked(struct rt_groups *groups)
{
    if (groups->all == NULL)
        groups->all = calloc(RT_GROUPS_MAX + 1, sizeof(struct rt_group *));
    if (groups->all == NULL)
        return RT_NO_GROUP;
    for (unsigned tried = 0; tried < RT_GROUPS_MAX; tried++) {
        groups->newest = groups->newest == RT_GROUPS_MAX ? 1 : (uint16_t)(groups->newest + 1);
        if (groups->all[groups->newest] == NULL)
            return groups->newest;
    }
    return RT_NO_GROUP;
}

uint16_t
rt_group_create(struct rt_groups *groups, unsigned weight)
{
    RT_ASSERT(weight >= 1);
    struct rt_group *group = rt_pool_take(sizeof(*group));
    if (group == NULL)
        return RT_NO_GROUP;
    *group = (struct rt_group){.weight = weight, .members = 1};
    pthread_mutex_init(&group->mutex, NULL);
    pthread_mutex_lock(&groups->mutex);
    uint16_t number = free_number_locked(groups);
    if (number != RT_NO_GROUP)
        groups->all[number] = group;
    pthread_mutex_unlock(&groups->mutex);
    if (number == RT_NO_GROUP) {
        pthread_mutex_destroy(&group->mutex);
        rt_pool_give(group, sizeof(*group));
    }
    return number;
}

void
rt_group_join(struct rt_groups *groups, uint16_t number)
{
    if (number == RT_NO_GROUP)
        return;
    pthread_mutex_lock(&groups->mutex);
    groups->all[number]->members++;
    pthread_mutex_unlock(&groups->mutex);
}

void
rt_group_part(struct rt_groups *groups, uint16_t number)
{
    if (number == RT_NO_GROUP)
        return;
    pthread_mutex_lock(&groups->mutex);
    struct rt_group *group = groups->all[number];
    bool is_last = --group->members == 0;
    if (is_last)
        groups->all[number] = NULL;
    pthread_mutex_unlock(&groups->mutex);
    if (!is_last)
        return;
    pthread_mutex_destroy(&group->mutex);
    rt_pool_give(group, sizeof(*group));
}

/* A member's own group stays where it is while the member lives; that it was put there is known to
 * whoever got hold of the member. */
static struct rt_group *
group_of(const struct rt_groups *groups, const struct rt_actor *actor)
{
    return groups->all[actor->group];
}

bool
rt_group_enter(struct rt_groups *groups, struct rt_actor *actor)
{
    struct rt_group *group = group_of(groups, actor);
    pthread_mutex_lock(&group->mutex);
    bool represents = group->represented < group->weight;
    if (represents) {
        group->represented++;
    } else {
        actor->run_next = NULL;
        if (group->last == NULL)
            group->first = actor;
        else
            group->last->run_next = actor;
        group->last = actor;
    }
    pthread_mutex_unlock(&group->mutex);
    return represents;
}

struct rt_actor *
rt_group_leave(struct rt_groups *groups, struct rt_actor *actor)
{
    struct rt_group *group = group_of(groups, actor);
    pthread_mutex_lock(&group->mutex);
    struct rt_actor *next = group->first;
    if (next == NULL) {
        group->represented--;
    } else {
        group->first = next->run_next;
        if (group->first == NULL)
            group->last = NULL;
    }
    pthread_mutex_unlock(&group->mutex);
    return next;
}
