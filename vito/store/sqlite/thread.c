/*
 * The store's thread: takes what waits, carries it out in one transaction, commits, answers.
 *
 *   submit ──► queue ──► batch: begin, execute…, commit ──► answers
 *                                        └─ broken ──► rollback, all answered RT_UNAVAILABLE
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/metrics.h"
#include "runtime/pool.h"
#include "runtime/queue.h"
#include "vito/store/sqlite/internal.h"

enum {
    BATCH_MAX = 1000,
    WAITING_MAX = 100000, /* requests, at half a kilobyte each */
};

/* A request under way. */
struct item {
    struct rt_link link;
    struct rt_address caller;
    uint64_t request_id;
    struct vito_request request;
    struct vito_answer answer;
};

struct vito_sqlite_thread {
    struct vito_sqlite *database;
    struct rt_system *system;
    struct rt_queue queue;
    atomic_uint waiting;
    atomic_bool stopping;
    int wake_fd;
    pthread_t id;
    struct item *batch[BATCH_MAX];
};

static struct rt_counter requests_total = {.metric = {.name = "twin_store_requests_total",
                                                      .help = "Requests to the ledger.",
                                                      .type = RT_METRIC_COUNTER}};
static struct rt_counter batches_total = {.metric = {.name = "twin_store_batches_total",
                                                     .help = "Transactions of the ledger.",
                                                     .type = RT_METRIC_COUNTER}};
static struct rt_counter failures_total = {.metric = {.name = "twin_store_failures_total",
                                                      .help = "Transactions that were undone.",
                                                      .type = RT_METRIC_COUNTER}};
static struct rt_gauge waiting_requests = {.metric = {.name = "twin_store_waiting_requests",
                                                      .help = "Requests that wait for the ledger.",
                                                      .type = RT_METRIC_GAUGE}};
static struct rt_histogram commit_seconds = {.metric = {.name = "twin_store_commit_seconds",
                                                        .help = "Time to make a batch durable.",
                                                        .type = RT_METRIC_HISTOGRAM}};

static void
register_metrics(void)
{
    rt_metrics_register(&requests_total.metric);
    rt_metrics_register(&batches_total.metric);
    rt_metrics_register(&failures_total.metric);
    rt_metrics_register(&waiting_requests.metric);
    rt_metrics_register(&commit_seconds.metric);
}

static void
refuse(struct vito_sqlite_thread *thread, struct rt_actor *caller,
       const struct vito_request *request, uint64_t request_id, enum rt_status status)
{
    const struct vito_stored stored = {.op = request->op, .status = status};
    rt_buffer_release(request->document);
    vito_store_answer(thread->system, rt_self(caller), request_id, &stored, NULL);
}

static void
submit(void *self, struct rt_actor *caller, const struct vito_request *request, uint64_t request_id)
{
    struct vito_sqlite_thread *thread = self;
    struct item *item = NULL;
    bool has_room =
        atomic_fetch_add_explicit(&thread->waiting, 1, memory_order_relaxed) < WAITING_MAX;
    if (has_room)
        item = rt_pool_take(sizeof(*item));
    if (item == NULL) {
        atomic_fetch_sub_explicit(&thread->waiting, 1, memory_order_relaxed);
        refuse(thread, caller, request, request_id, has_room ? RT_NO_MEMORY : RT_UNAVAILABLE);
        return;
    }
    rt_gauge_add(&waiting_requests, 1);
    *item = (struct item){.caller = rt_self(caller), .request_id = request_id, .request = *request};
    struct rt_link *last;
    if (rt_queue_push(&thread->queue, &item->link, &last) == RT_QUEUE_PUSHED_FIRST)
        eventfd_write(thread->wake_fd, 1);
}

/* Takes up to a batch from the queue. *parked_out: it is empty, and whoever pushes next wakes. */
static unsigned
take_batch(struct vito_sqlite_thread *thread, bool *parked_out)
{
    unsigned count = 0;
    *parked_out = false;
    struct rt_link *link = rt_queue_first(&thread->queue);
    while (link != NULL && count < BATCH_MAX && !*parked_out) {
        enum rt_queue_advance advance;
        while ((advance = rt_queue_advance(&thread->queue, link)) == RT_QUEUE_BUSY)
            sched_yield(); /* its sender is between two instructions */
        thread->batch[count++] = RT_CONTAINER_OF(link, struct item, link);
        *parked_out = advance == RT_QUEUE_PARKED;
        link = rt_queue_first(&thread->queue);
    }
    atomic_fetch_sub_explicit(&thread->waiting, count, memory_order_relaxed);
    rt_gauge_add(&waiting_requests, -(int64_t)count);
    return count;
}

static bool
carry_out(struct vito_sqlite_thread *thread, unsigned count)
{
    if (vito_sqlite_begin(thread->database) != RT_OK)
        return false;
    for (unsigned i = 0; i < count; i++) {
        struct item *item = thread->batch[i];
        if (!vito_sqlite_execute(thread->database, &item->request, &item->answer.stored,
                                 &item->answer.document))
            return false;
    }
    const struct rt_world *world = rt_system_world(thread->system);
    uint64_t start_ns = world->now_ns(world->self);
    if (vito_sqlite_commit(thread->database) != RT_OK)
        return false;
    rt_histogram_record(&commit_seconds, world->now_ns(world->self) - start_ns);
    return true;
}

static void
answer(struct vito_sqlite_thread *thread, struct item *item, bool done)
{
    if (!done) {
        rt_buffer_release(item->answer.document);
        item->answer =
            (struct vito_answer){.stored = {.op = item->request.op, .status = RT_UNAVAILABLE}};
    }
    vito_store_answer(thread->system, item->caller, item->request_id, &item->answer.stored,
                      item->answer.document);
    rt_buffer_release(item->request.document);
    rt_pool_give(item, sizeof(*item));
}

static void
run_batch(struct vito_sqlite_thread *thread, unsigned count)
{
    bool done = carry_out(thread, count);
    if (!done) {
        vito_sqlite_rollback(thread->database);
        rt_counter_add(&failures_total, 1);
    }
    rt_counter_add(&batches_total, 1);
    rt_counter_add(&requests_total, count);
    for (unsigned i = 0; i < count; i++)
        answer(thread, thread->batch[i], done);
}

static void
drain(struct vito_sqlite_thread *thread)
{
    bool parked = false;
    while (!parked && rt_queue_has_nodes(&thread->queue)) {
        unsigned count = take_batch(thread, &parked);
        if (count > 0)
            run_batch(thread, count);
        else
            sched_yield(); /* the first sender has not finished */
    }
}

static void *
thread_main(void *context)
{
    struct vito_sqlite_thread *thread = context;
    bool stopping;
    do {
        eventfd_t wakes;
        eventfd_read(thread->wake_fd, &wakes);
        /* Acquire pairs with the release in stop: what was submitted before is in the queue. */
        stopping = atomic_load_explicit(&thread->stopping, memory_order_acquire);
        drain(thread);
    } while (!stopping);
    rt_pool_thread_end();
    return NULL;
}

struct vito_sqlite_thread *
vito_sqlite_thread_start(struct vito_sqlite *database, struct rt_system *system)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);
    struct vito_sqlite_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        return NULL;
    thread->database = database;
    thread->system = system;
    rt_queue_init(&thread->queue);
    thread->wake_fd = eventfd(0, EFD_CLOEXEC);
    if (thread->wake_fd >= 0 && pthread_create(&thread->id, NULL, thread_main, thread) == 0)
        return thread;
    if (thread->wake_fd >= 0)
        close(thread->wake_fd);
    free(thread);
    return NULL;
}

struct vito_store
vito_sqlite_thread_store(struct vito_sqlite_thread *thread)
{
    return (struct vito_store){.self = thread, .submit = submit};
}

void
vito_sqlite_thread_stop(struct vito_sqlite_thread *thread)
{
    atomic_store_explicit(&thread->stopping, true, memory_order_release);
    eventfd_write(thread->wake_fd, 1);
    pthread_join(thread->id, NULL);
    RT_ASSERT(!rt_queue_has_nodes(&thread->queue));
    close(thread->wake_fd);
    vito_sqlite_close(thread->database);
    free(thread);
}
