/*
 * The store's thread: takes what waits, carries it out in one transaction, commits, answers.
 *
 *   batch: begin, execute…, commit ──► answers
 *              └─ broken ──► rollback, all answered RT_UNAVAILABLE
 */
#include <pthread.h>
#include <stdlib.h>

#include "runtime/pool.h"
#include "vito/store/intake.h"
#include "vito/store/sqlite/internal.h"

struct vito_sqlite_thread {
    struct vito_intake intake;
    struct vito_sqlite *database;
    pthread_t id;
    struct vito_intake_item *batch[VITO_INTAKE_BATCH_MAX];
};

static bool
carry_out(struct vito_sqlite_thread *thread, unsigned count, uint64_t *commit_ns_out)
{
    if (vito_sqlite_begin(thread->database) != RT_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        struct vito_intake_item *item = thread->batch[i];
        if (!vito_sqlite_execute(thread->database, &item->request, &item->stored, &item->document))
            return false;
    }
    const struct rt_world *world = rt_system_world(thread->intake.system);
    uint64_t start_ns = world->now_ns(world->self);
    if (vito_sqlite_commit(thread->database) != RT_OK)
        return false;
    *commit_ns_out = world->now_ns(world->self) - start_ns;
    return true;
}

static void
drain(struct vito_sqlite_thread *thread)
{
    unsigned count;
    while ((count = vito_intake_take(&thread->intake, thread->batch)) > 0) {
        uint64_t commit_ns = 0;
        bool done = carry_out(thread, count, &commit_ns);
        if (!done)
            vito_sqlite_rollback(thread->database);
        vito_intake_count(commit_ns, done);
        for (unsigned i = 0; i < count; i++)
            vito_intake_answer(&thread->intake, thread->batch[i], done);
    }
}

static void *
thread_main(void *context)
{
    pthread_setname_np(pthread_self(), "twin-store");
    struct vito_sqlite_thread *thread = context;
    bool stopping;
    do {
        vito_intake_rest(&thread->intake);
        stopping = vito_intake_is_stopping(&thread->intake);
        drain(thread);
    } while (!stopping);
    rt_pool_thread_end();
    return NULL;
}

struct vito_sqlite_thread *
vito_sqlite_thread_start(struct vito_sqlite *database, struct rt_system *system)
{
    struct vito_sqlite_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        return NULL;
    thread->database = database;
    if (vito_intake_init(&thread->intake, system) == RT_OK) {
        if (pthread_create(&thread->id, NULL, thread_main, thread) == 0)
            return thread;
        vito_intake_deinit(&thread->intake);
    }
    free(thread);
    return NULL;
}

static void
submit(void *self, struct rt_actor *caller, const struct vito_request *request, uint64_t request_id)
{
    vito_intake_submit(&((struct vito_sqlite_thread *)self)->intake, caller, request, request_id);
}

struct vito_store
vito_sqlite_thread_store(struct vito_sqlite_thread *thread)
{
    return (struct vito_store){.self = thread, .submit = submit};
}

void
vito_sqlite_thread_stop(struct vito_sqlite_thread *thread)
{
    vito_intake_stop(&thread->intake);
    pthread_join(thread->id, NULL);
    vito_intake_deinit(&thread->intake);
    vito_sqlite_close(thread->database);
    free(thread);
}
