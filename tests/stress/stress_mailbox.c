/* Senders on both lanes against one reader that sleeps whenever the mailbox parks: nothing is
 * lost, nothing is doubled, each sender's order is kept, and no wake-up is missed (a missed one
 * shows as a reader that sleeps for ever, ended by the test's timeout). Now and then the
 * mailbox is closed and opened again; then every message is either read, or in the list that
 * close gives, or refused to a sender. */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include "runtime/mailbox.h"
#include "runtime/pool.h"
#include "tests/stress/stress.h"

enum { SENDERS = 4, MESSAGES = 60000, CLOSE_EVERY = 2000 };

static const struct rt_mailbox_limits limits = {.messages_max = 200, .bytes_max = 1 << 20};
static struct rt_mailbox mailbox;
static sem_t wakes;
static atomic_uint_fast64_t bounced;

static void
bounce(struct rt_message *list)
{
    while (list != NULL) {
        struct rt_message *next = rt_mailbox_list_next(list);
        atomic_fetch_add(&bounced, 1);
        rt_message_destroy(list);
        list = next;
    }
}

static void *
sender_main(void *context)
{
    uint64_t sender = (uint64_t)(uintptr_t)context;
    for (uint64_t i = 1; i <= MESSAGES; i++) {
        struct rt_message *message = rt_message_create(RT_KIND_USER, 0);
        message->from.id = sender;
        message->request_id = i;
        message->flags = sender % 2 == 0 ? RT_MESSAGE_CONTROL : 0;
        struct rt_mailbox_sent sent;
        while ((sent = rt_mailbox_push(&mailbox, message)).status == RT_FULL)
            sched_yield();
        bounce(sent.others);
        if (i % 64 == 0) /* control has no limit of its own: let the reader keep up */
            sched_yield();
        if (sent.status == RT_CLOSED) {
            atomic_fetch_add(&bounced, 1);
            rt_message_destroy(message);
        }
        if (sent.wake) /* also when refused: by the bell of somebody else */
            sem_post(&wakes);
    }
    rt_pool_thread_end();
    return NULL;
}

struct reader {
    uint64_t last[SENDERS];
    uint64_t read, turns;
};

static void
note(struct reader *reader, const struct rt_message *message)
{
    CHECK(message->from.id < SENDERS);
    CHECK(message->request_id > reader->last[message->from.id]);
    reader->last[message->from.id] = message->request_id;
    reader->read++;
}

/* Reads until the mailbox parks (true) or was closed and opened again (false). */
static bool
read_until_parked(struct reader *reader)
{
    for (;;) {
        struct rt_message *message;
        enum rt_mailbox_state state = rt_mailbox_begin(&mailbox, &message);
        if (state == RT_MAILBOX_STUCK)
            continue; /* a scheduler would run somebody else meanwhile */
        if (state == RT_MAILBOX_PARKED)
            return true;
        note(reader, message);
        if (reader->read % CLOSE_EVERY == 0) {
            bounce(rt_mailbox_close(&mailbox, message, false));
            while (!rt_mailbox_reopen(&mailbox, &limits))
                ;
            return false;
        }
        state = rt_mailbox_leave(&mailbox, message, false);
        if (state == RT_MAILBOX_PARKED)
            return true;
    }
}

int
main(void)
{
    rt_mailbox_init(&mailbox);
    CHECK(rt_mailbox_reopen(&mailbox, &limits));
    sem_init(&wakes, 0, 0);
    pthread_t threads[SENDERS];
    for (uintptr_t i = 0; i < SENDERS; i++)
        CHECK(pthread_create(&threads[i], NULL, sender_main, (void *)i) == 0);

    struct reader reader = {0};
    while (reader.read + atomic_load(&bounced) < SENDERS * MESSAGES) {
        struct timespec patience;
        clock_gettime(CLOCK_REALTIME, &patience);
        patience.tv_sec += 1;
        /* A timeout is only for the end, when the last messages are bounced by their senders. */
        if (sem_timedwait(&wakes, &patience) == 0)
            read_until_parked(&reader);
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    CHECK(reader.read + atomic_load(&bounced) == SENDERS * MESSAGES);
    CHECK(reader.read > SENDERS * MESSAGES / 4);
    rt_mailbox_account(&mailbox);
    CHECK(rt_mailbox_depth(&mailbox) == 0);
    printf("read %lu, bounced %lu\n", reader.read, atomic_load(&bounced));
    rt_pool_thread_end();
    return 0;
}
