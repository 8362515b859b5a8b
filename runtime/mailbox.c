#include "runtime/mailbox.h"

#include <string.h>

#include "runtime/assert.h"
#include "runtime/compiler.h"

/* One number holds both bounded sums, so that a sender books them in one operation. */
enum { LOAD_MESSAGE_SHIFT = 40 };
#define LOAD_BYTES_MASK ((UINT64_C(1) << LOAD_MESSAGE_SHIFT) - 1)

/* Which node the reader could not leave because its successor's sender was not done. */
enum stuck {
    STUCK_NOT,
    STUCK_ON_DATA,
    STUCK_ON_CONTROL,
    STUCK_ON_BELL,
};

void
rt_mailbox_init(struct rt_mailbox *mailbox)
{
    memset(mailbox, 0, sizeof(*mailbox));
    rt_queue_init_closed(&mailbox->data);
    rt_queue_init_closed(&mailbox->control);
    atomic_init(&mailbox->sent, 0);
    atomic_init(&mailbox->taken, 0);
    atomic_init(&mailbox->bell_rung, false);
    atomic_init(&mailbox->limits, NULL);
}

bool
rt_mailbox_reopen(struct rt_mailbox *mailbox, const struct rt_mailbox_limits *limits)
{
    atomic_store_explicit(&mailbox->limits, limits, memory_order_relaxed);
    /* Data first: a control message must never wait in an open lane whose bell is refused. */
    if (!rt_queue_reopen(&mailbox->data))
        return false;
    while (!rt_queue_reopen(&mailbox->control))
        ; /* a late sender backs out of it: one more exchange of its own */
    return true;
}

/* Takes `load` off the books. Relaxed: the sums bound memory and order nothing. Only the reader,
 * or who closes, stores it; one reader hands it to the next as it does its other fields. */
static void
take_off(struct rt_mailbox *mailbox, uint64_t load)
{
    uint64_t taken = atomic_load_explicit(&mailbox->taken, memory_order_relaxed);
    atomic_store_explicit(&mailbox->taken, taken + load, memory_order_relaxed);
}

/* What waits when `sent` was sent. Who looks can see messages taken that were sent after that, so
 * either sum may be less than nothing. */
static void
read_waiting(const struct rt_mailbox *mailbox, uint64_t sent, int64_t *messages_out,
             int64_t *bytes_out)
{
    enum { REST = 64 - LOAD_MESSAGE_SHIFT };
    uint64_t waiting = sent - atomic_load_explicit(&mailbox->taken, memory_order_relaxed);
    int64_t bytes = (int64_t)(waiting << REST) >> REST;
    *bytes_out = bytes;
    *messages_out = (int64_t)(waiting - (uint64_t)bytes) >> LOAD_MESSAGE_SHIFT;
}

static struct rt_message *
message_of(struct rt_link *link)
{
    return RT_CONTAINER_OF(link, struct rt_message, link);
}

static bool
is_bell(const struct rt_mailbox *mailbox, const struct rt_link *link)
{
    return link == &mailbox->bells[0] || link == &mailbox->bells[1];
}

/* From now on the bell may be rung again. */
static void
bell_answer(struct rt_mailbox *mailbox)
{
    /* Release hands bell_next to the next ringer. Acquire pairs with the ringer that found
     * the bell rung already: its control message is visible to the drain that follows. */
    bool rung = atomic_exchange_explicit(&mailbox->bell_rung, false, memory_order_acq_rel);
    RT_ASSERT(rung);
}

/* Turns a refused chain, without its bells, into a list ended by NULL, in order. */
static struct rt_message *
list_of_chain(struct rt_mailbox *mailbox, struct rt_link *first, struct rt_link *last)
{
    struct rt_link head = {NULL};
    struct rt_link *tail = &head;
    for (struct rt_link *link = first, *next;; link = next) {
        next = link == last ? NULL : rt_queue_await_next(link);
        if (is_bell(mailbox, link)) {
            bell_answer(mailbox); /* this very one is free; the reader may stand on the other */
        } else {
            atomic_store_explicit(&tail->next, link, memory_order_relaxed);
            tail = link;
        }
        if (next == NULL)
            break;
    }
    atomic_store_explicit(&tail->next, NULL, memory_order_relaxed);
    struct rt_link *list = atomic_load_explicit(&head.next, memory_order_relaxed);
    return list == NULL ? NULL : message_of(list);
}

struct rt_message *
rt_mailbox_list_next(struct rt_message *message)
{
    struct rt_link *next = atomic_load_explicit(&message->link.next, memory_order_relaxed);
    return next == NULL ? NULL : message_of(next);
}

static uint64_t
load_of(const struct rt_message *message)
{
    return (UINT64_C(1) << LOAD_MESSAGE_SHIFT) | rt_message_weight_bytes(message);
}

/* Takes messages that nobody will read off the books. */
static void
unload(struct rt_mailbox *mailbox, struct rt_message *list)
{
    uint64_t load = 0;
    for (struct rt_message *message = list; message; message = rt_mailbox_list_next(message))
        if (!(message->flags & RT_MESSAGE_CONTROL))
            load += load_of(message);
    if (load != 0)
        atomic_fetch_sub_explicit(&mailbox->sent, load, memory_order_relaxed);
}

static void
append_list(struct rt_message **list, struct rt_message *more)
{
    if (*list == NULL) {
        *list = more;
        return;
    }
    struct rt_message *end = *list;
    for (struct rt_message *next; (next = rt_mailbox_list_next(end)) != NULL;)
        end = next;
    atomic_store_explicit(&end->link.next, more == NULL ? NULL : &more->link, memory_order_relaxed);
}

/*
 * Pushes a bell through the data lane, unless one is on its way. True: wake the actor.
 *
 * A refused bell looks again: while it was on its way the mailbox may have been closed and
 * opened, and a control message for the next owner may have found it rung already.
 */
static bool
ring_bell(struct rt_mailbox *mailbox, struct rt_message **others)
{
    do {
        /* Pairs with bell_answer(): either we ring after it, or who answers sees our message. */
        if (atomic_exchange_explicit(&mailbox->bell_rung, true, memory_order_acq_rel))
            return false;
        struct rt_link *bell = &mailbox->bells[mailbox->bell_next];
        struct rt_link *last;
        enum rt_queue_push push = rt_queue_push(&mailbox->data, bell, &last);
        if (push != RT_QUEUE_REFUSED)
            return push == RT_QUEUE_PUSHED_FIRST;
        struct rt_message *list = list_of_chain(mailbox, bell, last);
        unload(mailbox, list);
        append_list(others, list);
    } while (rt_queue_has_nodes(&mailbox->control));
    return false;
}

/* The data or control lane was closed: `others` begins with what we sent ourselves. */
static struct rt_mailbox_sent
refused(struct rt_mailbox *mailbox, struct rt_link *first, struct rt_link *last)
{
    struct rt_mailbox_sent sent = {.status = RT_CLOSED,
                                   .others = list_of_chain(mailbox, first, last)};
    unload(mailbox, sent.others);
    /* A bell may have been in the chain, and somebody may rely on it: see ring_bell(). */
    if (rt_queue_has_nodes(&mailbox->control))
        sent.wake = ring_bell(mailbox, &sent.others);
    return sent;
}

/* The same for one message, which stays with its sender. */
static struct rt_mailbox_sent
refused_one(struct rt_mailbox *mailbox, struct rt_message *message, struct rt_link *last)
{
    struct rt_mailbox_sent sent = refused(mailbox, &message->link, last);
    RT_ASSERT(sent.others == message);
    sent.others = rt_mailbox_list_next(message);
    return sent;
}

static struct rt_mailbox_sent
push_data(struct rt_mailbox *mailbox, struct rt_message *message)
{
    const struct rt_mailbox_limits *limits =
        atomic_load_explicit(&mailbox->limits, memory_order_relaxed);
    uint64_t weight = load_of(message);
    uint64_t sent = atomic_fetch_add_explicit(&mailbox->sent, weight, memory_order_relaxed);
    int64_t messages, bytes;
    read_waiting(mailbox, sent, &messages, &bytes);
    if (RT_UNLIKELY(messages >= limits->messages_max || bytes >= limits->bytes_max)) {
        atomic_fetch_sub_explicit(&mailbox->sent, weight, memory_order_relaxed);
        return (struct rt_mailbox_sent){.status = RT_FULL,
                                        .is_bytes = messages < limits->messages_max};
    }
    struct rt_link *last;
    switch (rt_queue_push(&mailbox->data, &message->link, &last)) {
    case RT_QUEUE_PUSHED:
        return (struct rt_mailbox_sent){.status = RT_OK};
    case RT_QUEUE_PUSHED_FIRST:
        return (struct rt_mailbox_sent){.status = RT_OK, .wake = true};
    case RT_QUEUE_REFUSED:
        break;
    }
    return refused_one(mailbox, message, last);
}

void
rt_mailbox_chain_add(struct rt_mailbox_chain *chain, struct rt_message *message)
{
    if (chain->first == NULL)
        chain->first = message;
    else /* relaxed: the chain is ours until the exchange of its push */
        atomic_store_explicit(&chain->last->link.next, &message->link, memory_order_relaxed);
    chain->last = message;
    chain->messages++;
    chain->load += load_of(message);
}

bool
rt_mailbox_has_room(const struct rt_mailbox *mailbox, const struct rt_mailbox_chain *chain)
{
    const struct rt_mailbox_limits *limits =
        atomic_load_explicit(&mailbox->limits, memory_order_relaxed);
    int64_t messages, bytes;
    uint64_t sent = atomic_load_explicit(&mailbox->sent, memory_order_relaxed) + chain->load;
    read_waiting(mailbox, sent, &messages, &bytes);
    return messages < limits->messages_max && bytes < limits->bytes_max &&
           atomic_load_explicit(&mailbox->data.head, memory_order_relaxed) != RT_QUEUE_CLOSED;
}

struct rt_mailbox_sent
rt_mailbox_push_chain(struct rt_mailbox *mailbox, const struct rt_mailbox_chain *chain)
{
    atomic_fetch_add_explicit(&mailbox->sent, chain->load, memory_order_relaxed);
    struct rt_link *last;
    switch (rt_queue_push_chain(&mailbox->data, &chain->first->link, &chain->last->link, &last)) {
    case RT_QUEUE_PUSHED:
        return (struct rt_mailbox_sent){.status = RT_OK};
    case RT_QUEUE_PUSHED_FIRST:
        return (struct rt_mailbox_sent){.status = RT_OK, .wake = true};
    case RT_QUEUE_REFUSED:
        break;
    }
    return refused(mailbox, &chain->first->link, last);
}

static struct rt_mailbox_sent
push_control(struct rt_mailbox *mailbox, struct rt_message *message)
{
    struct rt_mailbox_sent sent = {.status = RT_OK};
    struct rt_link *last;
    switch (rt_queue_push(&mailbox->control, &message->link, &last)) {
    case RT_QUEUE_PUSHED: /* whoever found the lane empty rings, or the reader is draining it */
        break;
    case RT_QUEUE_PUSHED_FIRST:
        sent.wake = ring_bell(mailbox, &sent.others);
        break;
    case RT_QUEUE_REFUSED:
        return refused_one(mailbox, message, last);
    }
    return sent;
}

struct rt_mailbox_sent
rt_mailbox_push(struct rt_mailbox *mailbox, struct rt_message *message)
{
    if (message->flags & RT_MESSAGE_CONTROL)
        return push_control(mailbox, message);
    return push_data(mailbox, message);
}

/* Books are kept per turn, but never so late that senders feel it: what was worked on and still
 * counts stays under a quarter of each limit. */
static void
account_in_time(struct rt_mailbox *mailbox, bool may_park)
{
    const struct rt_mailbox_limits *limits =
        atomic_load_explicit(&mailbox->limits, memory_order_relaxed);
    uint64_t messages = mailbox->taken_load >> LOAD_MESSAGE_SHIFT;
    uint64_t bytes = mailbox->taken_load & LOAD_BYTES_MASK;
    if (may_park || messages >= limits->messages_max / 4 || bytes >= limits->bytes_max / 4)
        rt_mailbox_account(mailbox);
}

/* Leaves a data node (a message or a bell). */
static enum rt_mailbox_state
leave_data(struct rt_mailbox *mailbox, struct rt_link *link, enum stuck stuck_on)
{
    mailbox->stuck = STUCK_NOT;
    /* A parked mailbox may be read elsewhere at once, so its books are closed before. */
    account_in_time(mailbox, atomic_load_explicit(&link->next, memory_order_relaxed) == NULL);
    switch (rt_queue_advance(&mailbox->data, link)) {
    case RT_QUEUE_NEXT:
        return RT_MAILBOX_READY;
    case RT_QUEUE_PARKED:
        return RT_MAILBOX_PARKED;
    case RT_QUEUE_BUSY:
        break;
    }
    mailbox->stuck = (uint8_t)stuck_on;
    return RT_MAILBOX_STUCK;
}

static enum rt_mailbox_state
leave_control(struct rt_mailbox *mailbox, struct rt_link *link)
{
    mailbox->stuck = STUCK_NOT;
    if (rt_queue_advance(&mailbox->control, link) != RT_QUEUE_BUSY)
        return RT_MAILBOX_READY; /* an empty control lane says nothing about the actor */
    /* That sender found the lane filled and will not ring: we must stay awake for it. */
    mailbox->stuck = STUCK_ON_CONTROL;
    return RT_MAILBOX_STUCK;
}

enum rt_mailbox_state
rt_mailbox_leave(struct rt_mailbox *mailbox, struct rt_message *message, bool taken)
{
    mailbox->stuck_taken = taken;
    enum rt_mailbox_state state;
    if (message->flags & RT_MESSAGE_CONTROL) {
        state = leave_control(mailbox, &message->link);
    } else {
        if (mailbox->stuck == STUCK_NOT)
            mailbox->taken_load += load_of(message);
        state = leave_data(mailbox, &message->link, STUCK_ON_DATA);
    }
    if (state != RT_MAILBOX_STUCK && !taken)
        rt_message_destroy(message);
    return state;
}

void
rt_mailbox_hold(struct rt_mailbox *mailbox, struct rt_message *message, bool taken)
{
    mailbox->stuck_taken = taken;
    if (message->flags & RT_MESSAGE_CONTROL) {
        mailbox->stuck = STUCK_ON_CONTROL;
    } else {
        mailbox->taken_load += load_of(message);
        mailbox->stuck = STUCK_ON_DATA;
    }
}

static enum rt_mailbox_state
unstick(struct rt_mailbox *mailbox)
{
    enum stuck stuck = mailbox->stuck;
    if (stuck == STUCK_NOT)
        return RT_MAILBOX_READY;
    struct rt_queue *lane = stuck == STUCK_ON_CONTROL ? &mailbox->control : &mailbox->data;
    struct rt_link *link = rt_queue_first(lane);
    if (stuck == STUCK_ON_BELL)
        return leave_data(mailbox, link, STUCK_ON_BELL);
    return rt_mailbox_leave(mailbox, message_of(link), mailbox->stuck_taken);
}

enum rt_mailbox_state
rt_mailbox_begin(struct rt_mailbox *mailbox, struct rt_message **message_out)
{
    enum rt_mailbox_state state = unstick(mailbox);
    while (state == RT_MAILBOX_READY) {
        if (rt_queue_has_nodes(&mailbox->control)) {
            struct rt_link *control = rt_queue_first(&mailbox->control);
            if (control != NULL) {
                *message_out = message_of(control);
                return RT_MAILBOX_READY;
            } /* else its sender is about to ring */
        }
        struct rt_link *data = rt_queue_first(&mailbox->data);
        RT_ASSERT(data != NULL); /* an awake mailbox has a node in hand */
        if (!is_bell(mailbox, data)) {
            /* The next one was written on another core, likely: let it come while we work. */
            __builtin_prefetch(atomic_load_explicit(&data->next, memory_order_relaxed));
            *message_out = message_of(data);
            return RT_MAILBOX_READY;
        }
        if (!mailbox->bell_answered) {
            mailbox->bell_answered = true;
            mailbox->bell_next ^= 1; /* we stand on this one until we leave it */
            bell_answer(mailbox);
            continue; /* what that ringer sent is visible now */
        }
        mailbox->bell_answered = false;
        state = leave_data(mailbox, data, STUCK_ON_BELL);
    }
    return state;
}

void
rt_mailbox_account(struct rt_mailbox *mailbox)
{
    if (mailbox->taken_load == 0)
        return;
    uint64_t taken = mailbox->taken_load;
    mailbox->taken_load = 0;
    take_off(mailbox, taken);
}

/* As if it were sent once more while it is left, so that in the sum it stays where it is. */
void
rt_mailbox_set_aside(struct rt_mailbox *mailbox, const struct rt_message *message)
{
    if (!(message->flags & RT_MESSAGE_CONTROL))
        atomic_fetch_add_explicit(&mailbox->sent, load_of(message), memory_order_relaxed);
}

void
rt_mailbox_put_back(struct rt_mailbox *mailbox, const struct rt_message *message)
{
    if (!(message->flags & RT_MESSAGE_CONTROL))
        atomic_fetch_sub_explicit(&mailbox->sent, load_of(message), memory_order_relaxed);
}

/* Closes one lane; the list of what was in it, without `current`. */
static struct rt_message *
close_lane(struct rt_mailbox *mailbox, struct rt_queue *lane, struct rt_message *current)
{
    struct rt_link *last;
    struct rt_link *first = rt_queue_close(lane, &last);
    if (first == NULL)
        return NULL;
    if ((current != NULL && first == &current->link) ||
        (mailbox->bell_answered && is_bell(mailbox, first))) {
        mailbox->bell_answered = mailbox->bell_answered && lane != &mailbox->data;
        if (first == last)
            return NULL;
        first = rt_queue_await_next(first);
    }
    return list_of_chain(mailbox, first, last);
}

/* The message a lane's reader has handled but not left, or NULL. */
static struct rt_message *
held_message(struct rt_mailbox *mailbox)
{
    switch ((enum stuck)mailbox->stuck) {
    case STUCK_ON_DATA:
        return message_of(rt_queue_first(&mailbox->data));
    case STUCK_ON_CONTROL:
        return message_of(rt_queue_first(&mailbox->control));
    case STUCK_ON_BELL:
        mailbox->bell_answered = true;
        return NULL;
    case STUCK_NOT:
        break;
    }
    return NULL;
}

struct rt_message *
rt_mailbox_close(struct rt_mailbox *mailbox, struct rt_message *current, bool taken)
{
    if (mailbox->stuck != STUCK_NOT) {
        RT_ASSERT(current == NULL);
        current = held_message(mailbox);
        taken = mailbox->stuck_taken;
    } else if (current != NULL && !(current->flags & RT_MESSAGE_CONTROL)) {
        mailbox->taken_load += load_of(current);
    }
    mailbox->stuck = STUCK_NOT;

    /* Control first: whoever is refused by the data lane knows that control is drained. */
    struct rt_message *control = close_lane(mailbox, &mailbox->control, current);
    struct rt_message *data = close_lane(mailbox, &mailbox->data, current);
    unload(mailbox, data);
    rt_mailbox_account(mailbox);
    if (current != NULL && !taken)
        rt_message_destroy(current);

    append_list(&control, data);
    return control;
}

uint32_t
rt_mailbox_depth(const struct rt_mailbox *mailbox)
{
    int64_t messages, bytes;
    read_waiting(mailbox, atomic_load_explicit(&mailbox->sent, memory_order_relaxed), &messages,
                 &bytes);
    return messages < 0 ? 0 : (uint32_t)messages;
}

uint64_t
rt_mailbox_bytes(const struct rt_mailbox *mailbox)
{
    int64_t messages, bytes;
    read_waiting(mailbox, atomic_load_explicit(&mailbox->sent, memory_order_relaxed), &messages,
                 &bytes);
    return bytes < 0 ? 0 : (uint64_t)bytes;
}
