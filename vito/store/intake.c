#include "vito/store/intake.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/metrics.h"
#include "runtime/pool.h"
#include "runtime/table.h"

enum {
    WAITING_MAX = 100000,    /* requests, at half a kilobyte each */
    SHARED_FOR_BATCHES = 50, /* after the last one with requests of several tenants */
};

/* What requests are about. */
enum kind { KIND_LEG, KIND_BUDGET, KIND_AUDIT, KIND_OTHER, KIND_COUNT };

#define REQUESTS_OF(kind)                                                                          \
    {                                                                                              \
        .metric = {                                                                                \
            .name = "twin_store_requests_total",                                                   \
            .help = "Requests to the ledger.",                                                     \
            .labels = "about=\"" kind "\"",                                                        \
            .type = RT_METRIC_COUNTER                                                              \
        }                                                                                          \
    }
static struct rt_counter requests_total[KIND_COUNT] = {REQUESTS_OF("leg"), REQUESTS_OF("budget"),
                                                       REQUESTS_OF("audit"), REQUESTS_OF("other")};
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
    for (int kind = 0; kind < KIND_COUNT; kind++)
        rt_metrics_register(&requests_total[kind].metric);
    rt_metrics_register(&batches_total.metric);
    rt_metrics_register(&failures_total.metric);
    rt_metrics_register(&waiting_requests.metric);
    rt_metrics_register(&commit_seconds.metric);
}

static enum kind
kind_of(enum vito_op op)
{
    switch (op) {
    case VITO_LEG_OPEN:
    case VITO_LEG_EXTEND:
    case VITO_LEG_REF:
    case VITO_LEG_SETTLE:
        return KIND_LEG;
    case VITO_BUDGET_OPEN:
    case VITO_BUDGET_GRANT:
    case VITO_BUDGET_RETURN:
    case VITO_REFUND:
        return KIND_BUDGET;
    case VITO_AUDIT_APPEND:
    case VITO_AUDIT_LIST:
        return KIND_AUDIT;
    default:
        return KIND_OTHER;
    }
}

void
vito_intake_count(uint64_t commit_ns, bool done)
{
    rt_counter_add(&batches_total, 1);
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
    RT_ASSERT(!rt_queue_has_nodes(&intake->queue) && intake->round == NULL &&
              intake->common == NULL);
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
    rt_counter_add(&requests_total[kind_of(request->op)], 1);
    *item = (struct vito_intake_item){
        .caller = rt_self(caller), .request_id = request_id, .request = *request};
    struct rt_link *last;
    if (rt_queue_push(&intake->queue, &item->link, &last) == RT_QUEUE_PUSHED_FIRST)
        eventfd_write(intake->wake_fd, 1);
}

/* Puts a request at the end of its tenant's turn. */
static void
sort_in(struct vito_intake *intake, struct vito_intake_item *item)
{
    uint64_t hash = rt_hash_text(item->request.tenant_id);
    struct vito_intake_turn *turn = &intake->turns[hash % VITO_INTAKE_TURNS];
    item->next = NULL;
    if (turn->first != NULL) {
        turn->last->next = item;
        turn->last = item;
        return;
    }
    turn->first = turn->last = item;
    if (intake->round == NULL) {
        turn->next = turn;
    } else {
        turn->next = intake->round->next;
        intake->round->next = turn;
    }
    intake->round = turn; /* it waits for all others */
    intake->turn_count++;
}

/* The next request in turn; there must be one. */
static struct vito_intake_item *
take_next(struct vito_intake *intake)
{
    struct vito_intake_turn *turn = intake->round->next;
    struct vito_intake_item *item = turn->first;
    turn->first = item->next;
    if (turn->first != NULL) {
        intake->round = turn;
        return item;
    }
    if (--intake->turn_count == 0)
        intake->round = NULL;
    else
        intake->round->next = turn->next;
    return item;
}

/* The oldest request in the queue. */
static struct vito_intake_item *
take_oldest(struct vito_intake *intake, bool *parked_out)
{
    struct rt_link *link;
    while ((link = rt_queue_first(&intake->queue)) == NULL)
        sched_yield(); /* the first sender has not finished */
    enum rt_queue_advance advance;
    while ((advance = rt_queue_advance(&intake->queue, link)) == RT_QUEUE_BUSY)
        sched_yield(); /* its sender is between two instructions */
    *parked_out = advance == RT_QUEUE_PARKED;
    return RT_CONTAINER_OF(link, struct vito_intake_item, link);
}

/* Sorts what waits in the queue, up to a request about no tenant. */
static void
sort(struct vito_intake *intake)
{
    bool parked = false;
    while (!parked && intake->common == NULL && rt_queue_has_nodes(&intake->queue)) {
        struct vito_intake_item *item = take_oldest(intake, &parked);
        if (item->request.tenant_id[0] == '\0')
            intake->common = item;
        else
            sort_in(intake, item);
    }
}

/* How many requests the next batch may have. */
static unsigned
batch_max(struct vito_intake *intake)
{
    if (intake->turn_count > 1)
        intake->shared = SHARED_FOR_BATCHES;
    else if (intake->shared > 0)
        intake->shared--;
    unsigned fair = VITO_INTAKE_SHARE * (intake->turn_count > 0 ? intake->turn_count : 1);
    return intake->shared > 0 && fair < VITO_INTAKE_BATCH_MAX ? fair : VITO_INTAKE_BATCH_MAX;
}

unsigned
vito_intake_take(struct vito_intake *intake, struct vito_intake_item *items[VITO_INTAKE_BATCH_MAX])
{
    sort(intake);
    unsigned count = 0, count_max = batch_max(intake);
    while (count < count_max && (intake->round != NULL || intake->common != NULL)) {
        if (intake->round != NULL) {
            items[count++] = take_next(intake);
            continue;
        }
        items[count++] = intake->common;
        intake->common = NULL;
        sort(intake);
    }
    atomic_fetch_sub_explicit(&intake->waiting, count, memory_order_relaxed);
    rt_gauge_add(&waiting_requests, -(int64_t)count);
    return count;
}

static int
by_tenant(const void *a, const void *b)
{
    const struct vito_intake_item *const *one = a, *const *other = b;
    int order = strcmp((*one)->request.tenant_id, (*other)->request.tenant_id);
    if (order != 0)
        return order;
    return (*one)->place < (*other)->place ? -1 : 1;
}

void
vito_intake_group(struct vito_intake_item **items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        items[i]->place = i;
    qsort(items, count, sizeof(struct vito_intake_item *), by_tenant);
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
