/*
 * The store's thread: takes what waits, carries it out in groups, answers; keeps the lease while
 * there is nothing to do, and the connection.
 *
 *   CONNECTED ──lost──► AWAY: everything is answered RT_UNAVAILABLE; tries again at intervals
 *       ▲    └─lost between commit and answer──► asks for its fate first ──► AWAY or CONNECTED
 *       └─── attached ──┘
 *   fenced: a new epoch is begun, and what waited for the old one is answered RT_UNAVAILABLE
 */
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/pool.h"
#include "vito/store/intake.h"
#include "vito/store/postgres/internal.h"

enum {
    RETRY_FIRST_MS = 50,
    RETRY_MAX_MS = 2000,
    RECONCILE_MS = 10000, /* how long the fate of a commit is asked for */
    TRIES_MAX = 3,        /* of a transaction that met another one's locks */
    BEATS_PER_LEASE = 5,  /* once a second, if leases are as long as they are */
    GRACE_MS = 1000,      /* after a lease has run out */
    BEAT_EARLY_MS = 500,  /* for a look */
};

struct vito_postgres_thread {
    struct vito_intake intake;
    struct vito_postgres *database;
    const struct rt_world *world;
    pthread_t id;
    uint64_t beat_ns;  /* when the lease is to be renewed, unless it was by work */
    uint64_t reap_ns;  /* when the dead are to be looked for, work or not */
    uint64_t look_ns;  /* when it is to be looked whether all news were heard */
    uint64_t retry_ns; /* away: when to try again */
    uint32_t retry_ms;
    pthread_mutex_t listener_lock;
    struct rt_address listener;
    struct vito_intake_item *batch[VITO_INTAKE_BATCH_MAX];
    struct vito_pg_item items[VITO_INTAKE_BATCH_MAX];
};
_Static_assert((int)VITO_INTAKE_BATCH_MAX <= (int)VITO_PG_BATCH_MAX, "a batch has room for it");

static uint64_t
now_ns(const struct vito_postgres_thread *thread)
{
    return thread->world->now_ns(thread->world->self);
}

static bool
is_connected(const struct vito_postgres_thread *thread)
{
    return thread->database->link.connection != NULL;
}

static uint64_t
next_beat_ns(const struct vito_postgres_thread *thread)
{
    return now_ns(thread) + thread->database->lease_ms * RT_NS_PER_MS / BEATS_PER_LEASE;
}

/* Not before a whole lease and its grace after we came: when all were cut off together, each may
 * renew its own first. */
static void
plan_first_reap(struct vito_postgres_thread *thread)
{
    thread->reap_ns = now_ns(thread) + (thread->database->lease_ms + GRACE_MS) * RT_NS_PER_MS;
}

static void
tell(struct vito_postgres_thread *thread, const struct vito_news *news)
{
    pthread_mutex_lock(&thread->listener_lock);
    struct rt_address listener = thread->listener;
    pthread_mutex_unlock(&thread->listener_lock);
    vito_store_tell(thread->intake.system, listener, news);
}

/* A former life of this node was settled by others: begins the next one. */
static void
begin_life(struct vito_postgres_thread *thread)
{
    struct vito_postgres *database = thread->database;
    vito_pg_rollback(database);
    if (vito_pg_recover(database) == VITO_PG_DONE)
        rt_log(RT_LOG_WARN, "store.began_anew", RT_STR("node", database->node),
               RT_I64("epoch", database->epoch));
    else
        vito_pg_disconnect(&database->link);
}

static void
plan_retry(struct vito_postgres_thread *thread)
{
    thread->retry_ns = now_ns(thread) + thread->retry_ms * RT_NS_PER_MS;
    thread->retry_ms =
        thread->retry_ms * 2 < RETRY_MAX_MS ? thread->retry_ms * 2 : (uint32_t)RETRY_MAX_MS;
}

/* After a transaction that did not end well. */
static void
mend(struct vito_postgres_thread *thread)
{
    struct vito_postgres *database = thread->database;
    if (database->fenced && is_connected(thread))
        begin_life(thread);
    if (is_connected(thread)) {
        vito_pg_rollback(database);
        return;
    }
    database->in_transaction = false;
    rt_log(RT_LOG_WARN, "store.away", RT_STR("why", database->link.message));
    thread->retry_ms = RETRY_FIRST_MS;
    plan_retry(thread);
}

/* Some may be missing: everything that news could be about is to be read again. */
static void
tell_all(struct vito_postgres_thread *thread)
{
    tell(thread, &(struct vito_news){.kind = VITO_NEWS_TENANT});
    tell(thread, &(struct vito_news){.kind = VITO_NEWS_KEYS});
    tell(thread, &(struct vito_news){.kind = VITO_NEWS_SECRETS});
}

static void
tell_missed(struct vito_postgres_thread *thread)
{
    rt_log(RT_LOG_WARN, "store.news_missed", RT_I64("change", thread->database->hearing.heard));
    tell_all(thread);
}

static void
hear(struct vito_postgres_thread *thread)
{
    struct vito_postgres *database = thread->database;
    struct vito_news news;
    bool was_connected = is_connected(thread);
    while (vito_pg_hear(database, &news))
        tell(thread, &news);
    if (database->news_missed)
        tell_missed(thread);
    database->news_missed = false;
    if (was_connected && !is_connected(thread))
        mend(thread);
}

/* One attempt to come back. */
static void
attach(struct vito_postgres_thread *thread)
{
    struct vito_postgres *database = thread->database;
    if (vito_pg_attach(database) != RT_OK) {
        rt_log(RT_LOG_DEBUG, "store.still_away", RT_STR("why", database->link.message));
        plan_retry(thread);
        return;
    }
    rt_log(RT_LOG_INFO, "store.back", RT_STR("node", database->node));
    thread->retry_ms = RETRY_FIRST_MS;
    plan_first_reap(thread);
    if (database->fenced)
        begin_life(thread);
    thread->beat_ns = thread->look_ns = next_beat_ns(thread);
    tell_all(thread);
}

/* Whether a transaction whose commit nobody confirmed took place. */
static bool
is_committed(struct vito_postgres_thread *thread, int64_t batch)
{
    uint64_t until_ns = now_ns(thread) + RECONCILE_MS * RT_NS_PER_MS;
    thread->retry_ms = RETRY_FIRST_MS;
    enum rt_status fate = RT_UNAVAILABLE;
    while (fate == RT_UNAVAILABLE && now_ns(thread) < until_ns) {
        if (!is_connected(thread))
            attach(thread);
        if (is_connected(thread))
            fate = vito_pg_fate(thread->database, batch);
        if (fate == RT_UNAVAILABLE)
            poll(NULL, 0, (int)thread->retry_ms);
    }
    rt_log(RT_LOG_WARN, "store.commit_reconciled", RT_I64("batch", batch),
           RT_STR("fate", fate == RT_OK          ? "committed"
                          : fate == RT_NOT_FOUND ? "aborted"
                                                 : "unknown"));
    return fate == RT_OK;
}

/* Carries items out in one transaction. */
static enum vito_pg_outcome
run_once(struct vito_postgres_thread *thread, struct vito_pg_item *items, unsigned count,
         uint64_t *commit_ns_out)
{
    struct vito_postgres *database = thread->database;
    enum vito_op op = items[0].request->op;
    bool grouped = vito_pg_is_grouped(op), of_all = vito_pg_is_about_tickets(op);
    enum vito_pg_outcome outcome;
    database->committing = false;
    vito_pg_begin(database, items, of_all ? 0 : count, !vito_pg_is_reading(op));
    uint64_t start_ns = now_ns(thread);
    if (grouped)
        outcome = vito_pg_run(database, items, count, true);
    else
        outcome = of_all ? vito_pg_run_tickets(database, items, count)
                         : vito_pg_run_single(database, items);
    if (outcome == VITO_PG_DONE && !grouped)
        outcome = vito_pg_commit(database);
    *commit_ns_out = now_ns(thread) - start_ns;
    return outcome;
}

/* The same, again when another gateway's locks were in the way. */
static enum vito_pg_outcome
run(struct vito_postgres_thread *thread, struct vito_pg_item *items, unsigned count,
    uint64_t *commit_ns_out)
{
    struct vito_postgres *database = thread->database;
    enum vito_pg_outcome outcome = VITO_PG_LOST;
    for (int tries = 0; tries < TRIES_MAX; tries++) {
        for (unsigned i = 0; i < count; i++)
            rt_buffer_release(items[i].document);
        for (unsigned i = 0; i < count; i++)
            items[i].document = NULL;
        outcome = run_once(thread, items, count, commit_ns_out);
        if (outcome != VITO_PG_REFUSED || !vito_pg_is_transient(&database->link))
            break;
        vito_pg_rollback(database);
    }
    if (outcome != VITO_PG_LOST)
        return outcome;
    bool in_doubt = database->committing && !is_connected(thread) && database->lease_result > 0;
    int64_t batch = database->batch;
    mend(thread);
    return in_doubt && is_committed(thread, batch) ? VITO_PG_DONE : VITO_PG_LOST;
}

static void
answer(struct vito_postgres_thread *thread, unsigned first, unsigned count, bool done)
{
    for (unsigned i = first; i < first + count; i++) {
        struct vito_intake_item *item = thread->batch[i];
        item->stored = thread->items[i].stored;
        item->document = thread->items[i].document;
        vito_intake_answer(&thread->intake, item, done);
    }
}

static void
run_group(struct vito_postgres_thread *thread, unsigned first, unsigned count)
{
    struct vito_pg_item *items = &thread->items[first];
    uint64_t commit_ns = 0;
    enum vito_pg_outcome outcome = VITO_PG_LOST;
    if (is_connected(thread))
        outcome = run(thread, items, count, &commit_ns);
    vito_intake_count(commit_ns, outcome == VITO_PG_DONE);
    if (outcome != VITO_PG_REFUSED) {
        answer(thread, first, count, outcome == VITO_PG_DONE);
        return;
    }
    enum rt_status status = vito_pg_status(&thread->database->link);
    rt_log(RT_LOG_WARN, "store.refused", RT_STR("why", thread->database->link.message),
           RT_U64("requests", count));
    vito_pg_rollback(thread->database);
    if (count == 1) {
        items->stored = (struct vito_stored){.op = items->request->op, .status = status};
        answer(thread, first, 1, true);
        return;
    }
    for (unsigned i = 0; i < count; i++) /* one of them is at fault; the others are not */
        run_group(thread, first + i, 1);
}

/* Requests that can share a transaction, in the order they came. */
static unsigned
count_group(const struct vito_postgres_thread *thread, unsigned first, unsigned count)
{
    unsigned end = first + 1;
    enum vito_op op = thread->batch[first]->request.op;
    bool grouped = vito_pg_is_grouped(op), of_tickets = vito_pg_is_about_tickets(op);
    for (; (grouped || of_tickets) && end < count; end++) {
        op = thread->batch[end]->request.op;
        if (vito_pg_is_grouped(op) != grouped || vito_pg_is_about_tickets(op) != of_tickets)
            break;
    }
    return end - first;
}

/* Tenants know nothing of each other, so they need not take turns within a transaction. */
static void
order_group(struct vito_postgres_thread *thread, unsigned first, unsigned count)
{
    vito_intake_group(&thread->batch[first], count);
    for (unsigned i = first; i < first + count; i++)
        thread->items[i] = (struct vito_pg_item){
            .request = &thread->batch[i]->request,
            .stored = {.op = thread->batch[i]->request.op},
        };
}

static void
drain(struct vito_postgres_thread *thread)
{
    int64_t written = thread->database->batch;
    unsigned count;
    while ((count = vito_intake_take(&thread->intake, thread->batch)) > 0) {
        for (unsigned first = 0, size; first < count; first += size) {
            size = count_group(thread, first, count);
            order_group(thread, first, size);
            run_group(thread, first, size);
        }
        if (thread->database->batch != written)
            thread->beat_ns = next_beat_ns(thread); /* what only reads renews no lease */
        written = thread->database->batch;
    }
}

/* Renews the lease. */
static void
beat(struct vito_postgres_thread *thread)
{
    struct vito_postgres *database = thread->database;
    vito_pg_begin(database, NULL, 0, true);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE)
        outcome = vito_pg_commit(database);
    if (outcome != VITO_PG_DONE)
        mend(thread);
    thread->beat_ns = next_beat_ns(thread);
}

/* Settles those whose lease ran out, and so renews ours. */
static void
reap(struct vito_postgres_thread *thread)
{
    bool found;
    enum vito_pg_outcome outcome;
    do {
        outcome = vito_pg_reap(thread->database, GRACE_MS, &found);
    } while (outcome == VITO_PG_DONE && found);
    if (outcome != VITO_PG_DONE)
        mend(thread);
    thread->beat_ns = thread->reap_ns = next_beat_ns(thread);
}

/* What came of news was heard before. */
static void
look_for_missed(struct vito_postgres_thread *thread)
{
    thread->look_ns = next_beat_ns(thread);
    if (vito_hearing_has_missed(&thread->database->hearing))
        tell_missed(thread);
}

/* What is to be done by the clock. Each transaction that writes tells how much news there is, so
 * with a look goes a beat, unless there is work. */
static void
keep(struct vito_postgres_thread *thread)
{
    uint64_t now = now_ns(thread);
    if (!is_connected(thread)) {
        if (now >= thread->retry_ns)
            attach(thread);
        return;
    }
    bool looks = now >= thread->look_ns;
    if (looks)
        look_for_missed(thread);
    if (now >= thread->reap_ns)
        reap(thread);
    else if (now >= thread->beat_ns ||
             (looks && thread->beat_ns - now < BEAT_EARLY_MS * RT_NS_PER_MS))
        beat(thread);
    if (looks)
        vito_hearing_await(&thread->database->hearing);
}

static uint64_t
due_ns(const struct vito_postgres_thread *thread)
{
    if (!is_connected(thread))
        return thread->retry_ns;
    uint64_t due = thread->reap_ns < thread->beat_ns ? thread->reap_ns : thread->beat_ns;
    return due < thread->look_ns ? due : thread->look_ns;
}

/* Waits for work, or for the time to do something by itself. */
static void
rest(struct vito_postgres_thread *thread)
{
    uint64_t due = due_ns(thread), now = now_ns(thread);
    struct pollfd wakes[] = {{.fd = thread->intake.wake_fd, .events = POLLIN},
                             {.fd = -1, .events = POLLIN}};
    if (is_connected(thread))
        wakes[1].fd = PQsocket(thread->database->link.connection);
    int wait_ms = due > now ? (int)((due - now) / RT_NS_PER_MS) + 1 : 0;
    if (poll(wakes, 2, wait_ms) > 0 && wakes[0].revents != 0)
        vito_intake_rest(&thread->intake);
}

static void *
thread_main(void *context)
{
    pthread_setname_np(pthread_self(), "twin-store");
    struct vito_postgres_thread *thread = context;
    bool stopping;
    do {
        rest(thread);
        stopping = vito_intake_is_stopping(&thread->intake);
        drain(thread);
        if (stopping)
            break;
        hear(thread);
        keep(thread);
    } while (!stopping);
    rt_pool_thread_end();
    return NULL;
}

struct vito_postgres_thread *
vito_postgres_thread_start(struct vito_postgres *database, struct rt_system *system)
{
    struct vito_postgres_thread *thread = calloc(1, sizeof(*thread));
    if (thread == NULL)
        return NULL;
    thread->database = database;
    thread->world = rt_system_world(system);
    thread->retry_ms = RETRY_FIRST_MS;
    thread->beat_ns = thread->look_ns = next_beat_ns(thread);
    plan_first_reap(thread);
    pthread_mutex_init(&thread->listener_lock, NULL);
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
    vito_intake_submit(&((struct vito_postgres_thread *)self)->intake, caller, request, request_id);
}

static void
listen_to(void *self, struct rt_address listener)
{
    struct vito_postgres_thread *thread = self;
    pthread_mutex_lock(&thread->listener_lock);
    thread->listener = listener;
    pthread_mutex_unlock(&thread->listener_lock);
}

struct vito_store
vito_postgres_thread_store(struct vito_postgres_thread *thread)
{
    uint32_t lease_ms = thread->database->lease_ms;
    return (struct vito_store){
        .self = thread,
        .submit = submit,
        .listen = listen_to,
        .takeover_ms = lease_ms + GRACE_MS + lease_ms / BEATS_PER_LEASE,
    };
}

void
vito_postgres_thread_stop(struct vito_postgres_thread *thread)
{
    vito_intake_stop(&thread->intake);
    pthread_join(thread->id, NULL);
    vito_intake_deinit(&thread->intake);
    pthread_mutex_destroy(&thread->listener_lock);
    vito_postgres_close(thread->database);
    free(thread);
}
