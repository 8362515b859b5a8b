#include "vito/store/intake.h"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/metrics.h"
#include "runtime/pool.h"

enum { WAITING_MAX = 100000 }; /* requests, at half a kilobyte each */

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

void
vito_intake_count(unsigned count, uint64_t commit_ns, bool done)
{
    rt_counter_add(&batches_total, 1);
    rt_counter_add(&requests_total, count);
    if (done)
        rt_histogram_record(&commit_seconds, commit_ns);
    else
        rt_counter_add(&failures_total, 1);
}

enum rt_status
vito_intake_init(struct vito_intake *intake, struct rt_system *system)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_metrics);
    *intake = (struct vito_intake){.system = system};
    rt_queue_init(&intake->queue);
    intake->wake_fd = eventfd(0, EFD_CLOEXEC);
    return intake->wake_fd >= 0 ? RT_OK : RT_IO;
}

void
vito_intake_deinit(struct vito_intake *intake)
{
    RT_ASSERT(!rt_queue_has_nodes(&intake->queue));
    close(intake->wake_fd);
}

static void
refuse(const struct vito_intake *intake, struct rt_actor *caller,
       const struct vito_request *request, uint64_t request_id, enum rt_status status)
{
    const struct vito_stored stored = {.op = request->op, .status = status};
    vito_request_release(request);
    vito_store_answer(intake->system, rt_self(caller), request_id, &stored, NULL);
}

void
vito_intake_submit(struct vito_intake *intake, struct rt_actor *caller,
                   const struct vito_request *request, uint64_t request_id)
{
    struct vito_intake_item *item = NULL;
    bool has_room =
        atomic_fetch_add_explicit(&intake->waiting, 1, memory_order_relaxed) < WAITING_MAX;
    if (has_room)
        item = rt_pool_take(sizeof(*item));
    if (item == NULL) {
        atomic_fetch_sub_explicit(&intake->waiting, 1, memory_order_relaxed);
        refuse(intake, caller, request, request_id, has_room ? RT_NO_MEMORY : RT_UNAVAILABLE);
        return;
    }
    rt_gauge_add(&waiting_requests, 1);
    *item = (struct vito_intake_item){
        .caller = rt_self(caller), .request_id = request_id, .request = *request};
    struct rt_link *last;
    if (rt_queue_push(&intake->queue, &item->link, &last) == RT_QUEUE_PUSHED_FIRST)
        eventfd_write(intake->wake_fd, 1);
}

/* As long as the queue is not parked. */
static unsigned
take_some(struct vito_intake *intake, struct vito_intake_item **items, bool *parked_out)
{
    unsigned count = 0;
    *parked_out = false;
    struct rt_link *link = rt_queue_first(&intake->queue);
    while (link != NULL && count < VITO_INTAKE_BATCH_MAX && !*parked_out) {
        enum rt_queue_advance advance;
        while ((advance = rt_queue_advance(&intake->queue, link)) == RT_QUEUE_BUSY)
            sched_yield(); /* its sender is between two instructions */
        items[count++] = RT_CONTAINER_OF(link, struct vito_intake_item, link);
        *parked_out = advance == RT_QUEUE_PARKED;
        link = rt_queue_first(&intake->queue);
    }
    atomic_fetch_sub_explicit(&intake->waiting, count, memory_order_relaxed);
    rt_gauge_add(&waiting_requests, -(int64_t)count);
    return count;
}

unsigned
vito_intake_take(struct vito_intake *intake, struct vito_intake_item *items[VITO_INTAKE_BATCH_MAX])
{
    bool parked = false;
    while (!parked && rt_queue_has_nodes(&intake->queue)) {
        unsigned count = take_some(intake, items, &parked);
        if (count > 0)
            return count;
        sched_yield(); /* the first sender has not finished */
    }
    return 0;
}

void
vito_intake_answer(struct vito_intake *intake, struct vito_intake_item *item, bool done)
{
    if (!done)
        item->stored = (struct vito_stored){.op = item->request.op, .status = RT_UNAVAILABLE};
    if (item->stored.status != RT_OK) {
        rt_buffer_release(item->document);
        item->document = NULL;
    }
    vito_store_answer(intake->system, item->caller, item->request_id, &item->stored,
                      item->document);
    vito_request_release(&item->request);
    rt_pool_give(item, sizeof(*item));
}

void
vito_intake_stop(struct vito_intake *intake)
{
    atomic_store_explicit(&intake->stopping, true, memory_order_release);
    eventfd_write(intake->wake_fd, 1);
}

bool
vito_intake_is_stopping(const struct vito_intake *intake)
{
    /* Acquire pairs with the release in vito_intake_stop(). */
    return atomic_load_explicit(&intake->stopping, memory_order_acquire);
}

void
vito_intake_rest(struct vito_intake *intake)
{
    eventfd_t wakes;
    eventfd_read(intake->wake_fd, &wakes);
}
