#include "tests/sim/world/sim_link.h"

#include <stdlib.h>
#include <string.h>

#include "tests/stress/stress.h"

enum {
    WAY_MIN_US = 50, /* one way, over the network */
    WAY_MAX_US = 1500,
    PATIENCE_MS = 2000,   /* with an answer */
    RECONCILE_MS = 10000, /* how long the fate of a commit is asked for */
    RETRY_MS = 300,
    TICK_MS = 250,
    LOOK_MS = 1000,
};

static uint64_t
boot_ns(const struct sim_link *link)
{
    const struct rt_world *world = rt_sim_world(link->sim);
    return world->boot_ns(world->self);
}

uint64_t
sim_link_now_ns(const struct sim_link *link)
{
    return link->birth_ns + boot_ns(link);
}

void
sim_link_catch_up(const struct sim_link *link)
{
    uint64_t now_ns = rt_sim_now_ns(link->shared->clock), here_ns = sim_link_now_ns(link);
    if (here_ns < now_ns)
        rt_sim_advance(link->sim, rt_sim_now_ns(link->sim) + (now_ns - here_ns));
}

static uint64_t
way_ns(const struct sim_link *link)
{
    struct rt_random *dice = rt_sim_random(link->shared->clock);
    return (WAY_MIN_US + rt_random_below(dice, WAY_MAX_US - WAY_MIN_US)) * RT_NS_PER_US;
}

/* In the gateway's time. */
static void
after(struct sim_link *link, uint64_t delay_ns, void (*run)(void *), void *context)
{
    CHECK(rt_sim_after(link->sim, delay_ns, run, context));
}

static void
free_transaction(struct sim_link *link, struct sim_transaction *transaction)
{
    if (!transaction->is_over || !transaction->is_off_the_wire)
        return;
    for (struct sim_transaction **at = &link->transactions; *at != NULL; at = &(*at)->next) {
        if (*at != transaction)
            continue;
        *at = transaction->next;
        free(transaction);
        return;
    }
}

static void
free_items(struct sim_item *items)
{
    while (items != NULL) {
        struct sim_item *next = items->next;
        vito_request_release(&items->request);
        rt_buffer_release(items->document);
        free(items);
        items = next;
    }
}

static void
answer(struct sim_link *link, struct sim_item *items, bool done)
{
    struct rt_random *dice = rt_sim_random(link->shared->clock);
    for (struct sim_item *item = items; item != NULL; item = item->next) {
        if (!done)
            item->stored = (struct vito_stored){.op = item->request.op, .status = RT_UNAVAILABLE};
        /* A leg is only begun, or goes on, when that is written down; the planted bug is not so. */
        if (!done && link->shared->bug == STORE_LINK_PRETENDS &&
            (item->request.op == VITO_LEG_OPEN || item->request.op == VITO_LEG_EXTEND))
            item->stored.status = RT_OK;
        if (link->shared->bug == STORE_SAYS_NOTHING && rt_random_chance(dice, 10))
            item->caller = RT_NOBODY;
        vito_store_answer(rt_sim_system(link->sim), item->caller, item->request_id, &item->stored,
                          done ? rt_buffer_acquire(item->document) : NULL);
    }
    free_items(items);
}

/* The link has seen to it. */
static void
end_transaction(struct sim_link *link, struct sim_transaction *transaction, bool done)
{
    struct sim_item *items = transaction->items;
    transaction->items = NULL;
    answer(link, items, done);
    transaction->is_over = true;
    free_transaction(link, transaction);
}

static void
take_off_the_wire(struct sim_transaction *transaction)
{
    transaction->is_off_the_wire = true;
    free_transaction(transaction->link, transaction);
}

static void
lose_connection(struct sim_link *link)
{
    struct sim_transaction *transaction = link->busy;
    uint64_t now_ns = rt_sim_now_ns(link->sim);
    link->busy = NULL;
    link->is_connected = false;
    link->patience_until_ns = now_ns + RETRY_MS * RT_NS_PER_MS; /* when to try again */
    if (transaction->kind == TRANSACTION_REQUESTS && transaction->writes) {
        link->in_doubt = transaction;
        link->doubt_until_ns = now_ns + RECONCILE_MS * RT_NS_PER_MS;
        return;
    }
    end_transaction(link, transaction, false);
}

static void on_arrival(void *context);

static struct sim_transaction *
make(struct sim_link *link, enum sim_transaction_kind kind)
{
    struct sim_transaction *transaction = calloc(1, sizeof(*transaction));
    CHECK(transaction != NULL);
    *transaction = (struct sim_transaction){.next = link->transactions,
                                            .link = link,
                                            .node = link->node,
                                            .kind = kind,
                                            .writes = kind == TRANSACTION_BEAT,
                                            .epoch = link->epoch};
    link->transactions = transaction;
    return transaction;
}

static void
send(struct sim_link *link, struct sim_transaction *transaction)
{
    link->busy = transaction;
    link->patience_until_ns = rt_sim_now_ns(link->sim) + PATIENCE_MS * RT_NS_PER_MS;
    if (transaction->writes)
        transaction->batch = ++link->batch;
    uint64_t ahead_ns = sim_link_now_ns(link) - rt_sim_now_ns(link->shared->clock);
    CHECK(rt_sim_after(link->shared->clock, ahead_ns + way_ns(link), on_arrival, transaction));
}

static void
send_some(struct sim_link *link)
{
    struct sim_transaction *transaction = make(link, TRANSACTION_REQUESTS);
    bool grouped = sim_shared_is_grouped(link->first->request.op);
    struct sim_item **last = &transaction->items;
    unsigned count = 0;
    transaction->writes = !sim_shared_is_reading(link->first->request.op);
    do {
        struct sim_item *item = link->first;
        link->first = item->next;
        *last = item;
        last = &item->next;
        count++;
    } while (grouped && link->first != NULL && count < SIM_TRANSACTION_MAX &&
             sim_shared_is_grouped(link->first->request.op));
    *last = NULL;
    if (link->first == NULL)
        link->end = &link->first;
    send(link, transaction);
}

static void
on_wake(void *context)
{
    struct sim_link *link = context;
    link->wake_is_set = false;
    if (link->busy != NULL || link->in_doubt != NULL || link->first == NULL)
        return;
    if (link->is_connected) {
        send_some(link);
        return;
    }
    struct sim_item *items = link->first;
    link->first = NULL;
    link->end = &link->first;
    answer(link, items, false);
}

static void
set_wake(struct sim_link *link)
{
    if (link->wake_is_set)
        return;
    link->wake_is_set = true;
    after(link, way_ns(link) / 4, on_wake, link);
}

/* Some news may be missing: all is to be read again. */
static void
tell_all(const struct sim_link *link)
{
    struct rt_system *system = rt_sim_system(link->sim);
    vito_store_tell(system, link->listener, &(struct vito_news){.kind = VITO_NEWS_TENANT});
    vito_store_tell(system, link->listener, &(struct vito_news){.kind = VITO_NEWS_KEYS});
}

/* There is a connection again. */
static void
attach(struct sim_link *link, const struct sim_transaction *transaction)
{
    link->is_connected = true;
    link->attached_ns = rt_sim_now_ns(link->sim);
    vito_hearing_begin(&link->hearing, transaction->change);
    tell_all(link);
}

/* The planted bug is that it is not looked. */
static void
look_for_missed(struct sim_link *link, uint64_t now_ns)
{
    if (!link->is_connected || now_ns < link->look_ns)
        return;
    link->look_ns = now_ns + LOOK_MS * RT_NS_PER_MS;
    if (link->shared->bug != STORE_LINK_DEAF && vito_hearing_has_missed(&link->hearing))
        tell_all(link);
    vito_hearing_await(&link->hearing);
}

static void
settle_doubt(struct sim_link *link, bool took_place)
{
    struct sim_transaction *transaction = link->in_doubt;
    link->in_doubt = NULL;
    if (transaction != NULL)
        end_transaction(link, transaction, took_place);
}

static void
take_answer(struct sim_link *link, const struct sim_transaction *transaction)
{
    bool done = transaction->outcome == TRANSACTION_DONE;
    if (transaction->outcome == TRANSACTION_FENCED)
        link->must_start = true;
    switch (transaction->kind) {
    case TRANSACTION_FATE:
        attach(link, transaction);
        settle_doubt(link,
                     done && link->in_doubt != NULL && transaction->batch >= link->in_doubt->batch);
        break;
    case TRANSACTION_START:
        if (!link->is_connected)
            attach(link, transaction);
        link->epoch = transaction->epoch;
        link->batch = 0;
        link->must_start = false;
        break;
    default:
        if (done && transaction->writes)
            vito_hearing_ask(&link->hearing, transaction->change);
        break;
    }
}

static void
go_on(struct sim_link *link)
{
    if (link->must_start)
        send(link, make(link, TRANSACTION_START));
    else
        set_wake(link);
}

/* In the gateway's time: it may have stood still since the answer came. */
static void
on_answer(void *context)
{
    struct sim_transaction *transaction = context;
    struct sim_link *link = transaction->link;
    transaction->is_off_the_wire = true;
    if (link->busy != transaction) { /* it was given up */
        free_transaction(link, transaction);
        return;
    }
    link->busy = NULL;
    take_answer(link, transaction);
    end_transaction(link, transaction, transaction->outcome == TRANSACTION_DONE);
    go_on(link);
}

/* In the world's time. */
static void
on_return(void *context)
{
    struct sim_transaction *transaction = context;
    struct sim_link *link = transaction->link;
    if (link->is_dead || link->cuts_answers || transaction->is_lost_ack) {
        take_off_the_wire(transaction);
        return;
    }
    sim_link_catch_up(link);
    after(link, 0, on_answer, transaction);
}

static void
on_arrival(void *context)
{
    struct sim_transaction *transaction = context;
    struct sim_link *link = transaction->link;
    if (link->cuts_requests || link->shared->down) {
        take_off_the_wire(transaction);
        return;
    }
    sim_shared_carry_out(link->shared, transaction);
    CHECK(rt_sim_after(link->shared->clock, way_ns(link), on_return, transaction));
}

static void
beat(struct sim_link *link)
{
    struct sim_transaction *transaction = make(link, TRANSACTION_BEAT);
    uint64_t learning_ns = (SIM_LEASE_MS + SIM_GRACE_MS) * RT_NS_PER_MS;
    link->beat_ns = rt_sim_now_ns(link->sim) + SIM_BEAT_MS * RT_NS_PER_MS;
    transaction->may_reap = rt_sim_now_ns(link->sim) - link->attached_ns >= learning_ns;
    send(link, transaction);
}

/* What the thread does by itself, in the gateway's time. */
static void
on_tick(void *context)
{
    struct sim_link *link = context;
    uint64_t now_ns = rt_sim_now_ns(link->sim);
    after(link, TICK_MS * RT_NS_PER_MS, on_tick, link);
    look_for_missed(link, now_ns);
    if (link->in_doubt != NULL && now_ns >= link->doubt_until_ns) {
        settle_doubt(link, false);
        set_wake(link);
    }
    if (link->busy != NULL && now_ns >= link->patience_until_ns) {
        lose_connection(link);
        set_wake(link);
    } else if (link->busy == NULL && !link->is_connected && now_ns >= link->patience_until_ns) {
        send(link, make(link, link->must_start ? TRANSACTION_START : TRANSACTION_FATE));
    } else if (link->busy == NULL && link->is_connected && now_ns >= link->beat_ns) {
        beat(link);
    }
}

static void
submit(void *self, struct rt_actor *caller, const struct vito_request *request, uint64_t request_id)
{
    struct sim_link *link = self;
    struct sim_item *item = calloc(1, sizeof(*item));
    CHECK(item != NULL);
    *item =
        (struct sim_item){.caller = rt_self(caller), .request_id = request_id, .request = *request};
    *link->end = item;
    link->end = &item->next;
    set_wake(link);
}

static void
listen_to(void *self, struct rt_address listener)
{
    ((struct sim_link *)self)->listener = listener;
}

struct vito_store
sim_link_port(struct sim_link *link)
{
    bool at_once = link->shared->bug == STORE_TAKES_OVER_AT_ONCE;
    return (struct vito_store){.self = link,
                               .submit = submit,
                               .listen = listen_to,
                               .takeover_ms = at_once ? 0 : SIM_TAKEOVER_MS};
}

static void
hear_change(struct sim_link *link, const struct sim_letter *letter)
{
    enum vito_heard heard = vito_hearing_take(&link->hearing, letter->change);
    if (heard == VITO_HEARD_GAP)
        tell_all(link);
    else if (heard == VITO_HEARD_NEXT && !letter->is_own)
        vito_store_tell(rt_sim_system(link->sim), link->listener, &letter->news);
}

static void
on_letter(void *context)
{
    struct sim_letter *letter = context;
    struct sim_link *link = letter->link;
    letter->link = NULL;
    if (link->is_dead || link->cuts_answers || !link->is_connected)
        return;
    sim_link_catch_up(link);
    if (letter->change > 0)
        hear_change(link, letter);
    else
        vito_store_tell(rt_sim_system(link->sim), link->listener, &letter->news);
}

void
sim_link_tell(struct sim_link *link, const struct vito_news *news, int64_t change, bool is_own)
{
    struct sim_letter *letter = link->letters, *end = link->letters + SIM_LETTERS_MAX;
    while (letter < end && letter->link != NULL)
        letter++;
    if (letter == end)
        return;
    *letter = (struct sim_letter){.link = link, .news = *news, .change = change, .is_own = is_own};
    CHECK(rt_sim_after(link->shared->clock, way_ns(link), on_letter, letter));
}

void
sim_link_open(struct sim_link *link, int64_t epoch)
{
    link->epoch = epoch;
    link->end = &link->first;
    link->is_connected = true;
    link->attached_ns = rt_sim_now_ns(link->sim);
    vito_hearing_begin(&link->hearing, link->shared->changes);
    link->beat_ns = link->attached_ns + SIM_BEAT_MS * RT_NS_PER_MS;
    after(link, TICK_MS * RT_NS_PER_MS, on_tick, link);
}

void
sim_link_kill(struct sim_link *link)
{
    link->is_dead = true;
    link->shared->links[link->node] = NULL;
    link->busy = link->in_doubt = NULL;
}

void
sim_link_close(struct sim_link *link)
{
    free_items(link->first);
    while (link->transactions != NULL) {
        struct sim_transaction *transaction = link->transactions;
        link->transactions = transaction->next;
        free_items(transaction->items);
        free(transaction);
    }
    free(link);
}
