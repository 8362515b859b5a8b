/* What a mailbox promises: order per lane, control before data, a hard bound, one wake-up per
 * sleep, and that nothing sent to a closed one is lost without a word. */
#include <criterion/criterion.h>

#include "runtime/mailbox.h"

static const struct rt_mailbox_limits limits = {.messages_max = 8, .bytes_max = 4096};
static struct rt_mailbox mailbox;

static void
setup(void)
{
    rt_mailbox_init(&mailbox);
    cr_assert(rt_mailbox_reopen(&mailbox, &limits));
}

TestSuite(mailbox, .init = setup, .timeout = 60);

static struct rt_message *
make(uint32_t kind, uint16_t flags)
{
    struct rt_message *message = rt_message_create(kind, 0);
    message->flags = flags;
    return message;
}

static bool
send(uint32_t kind, uint16_t flags)
{
    struct rt_mailbox_sent sent = rt_mailbox_push(&mailbox, make(kind, flags));
    cr_assert_eq(sent.status, RT_OK);
    cr_assert_null(sent.others);
    return sent.wake;
}

/* Reads one message and leaves it. 0 when the mailbox parked instead. */
static uint32_t
read_one(enum rt_mailbox_state *after)
{
    struct rt_message *message;
    *after = rt_mailbox_begin(&mailbox, &message);
    if (*after != RT_MAILBOX_READY)
        return 0;
    uint32_t kind = message->kind;
    *after = rt_mailbox_leave(&mailbox, message, false);
    return kind;
}

Test(mailbox, only_the_first_message_to_a_parked_mailbox_wakes)
{
    cr_assert(send(100, 0));
    cr_assert_not(send(101, 0));
    cr_assert_not(send(102, RT_MESSAGE_CONTROL));
}

Test(mailbox, messages_of_a_lane_come_in_the_order_sent_and_the_last_parks)
{
    enum rt_mailbox_state after;
    for (uint32_t kind = 100; kind < 104; kind++)
        send(kind, 0);
    for (uint32_t kind = 100; kind < 103; kind++) {
        cr_assert_eq(read_one(&after), kind);
        cr_assert_eq(after, RT_MAILBOX_READY);
    }
    cr_assert_eq(read_one(&after), 103);
    cr_assert_eq(after, RT_MAILBOX_PARKED);
    cr_assert(send(200, 0), "a parked mailbox wakes again");
}

Test(mailbox, control_overtakes_data_that_waits)
{
    enum rt_mailbox_state after;
    send(100, 0);
    send(101, 0);
    send(900, RT_MESSAGE_CONTROL);
    cr_assert_eq(read_one(&after), 900);
    cr_assert_eq(read_one(&after), 100);
    send(901, RT_MESSAGE_CONTROL);
    cr_assert_eq(read_one(&after), 901);
    cr_assert_eq(read_one(&after), 101);
    while (after == RT_MAILBOX_READY)
        cr_assert_eq(read_one(&after), 0, "only bells are left");
    cr_assert_eq(after, RT_MAILBOX_PARKED);
}

Test(mailbox, control_alone_wakes_and_parks_over_and_over)
{
    enum rt_mailbox_state after;
    for (uint32_t round = 0; round < 100; round++) {
        cr_assert(send(500 + round, RT_MESSAGE_CONTROL));
        cr_assert_eq(read_one(&after), 500 + round);
        while (after == RT_MAILBOX_READY)
            cr_assert_eq(read_one(&after), 0);
        cr_assert_eq(after, RT_MAILBOX_PARKED);
    }
}

Test(mailbox, push_beyond_the_message_limit_is_refused_and_stays_with_the_sender)
{
    for (uint32_t i = 0; i < 8; i++)
        send(100 + i, 0);
    struct rt_message *ninth = make(200, 0);
    cr_assert_eq(rt_mailbox_push(&mailbox, ninth).status, RT_FULL);
    cr_assert_eq(ninth->kind, 200);
    rt_message_destroy(ninth);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 8);
    send(201, RT_MESSAGE_CONTROL); /* which is never refused */
}

Test(mailbox, push_beyond_the_byte_limit_is_refused)
{
    struct rt_message *big = rt_message_create(100, 4096);
    cr_assert_eq(rt_mailbox_push(&mailbox, big).status, RT_OK);
    struct rt_message *small = make(101, 0);
    cr_assert_eq(rt_mailbox_push(&mailbox, small).status, RT_FULL);
    rt_message_destroy(small);
}

Test(mailbox, room_comes_back_at_the_latest_with_a_quarter_of_the_limit)
{
    enum rt_mailbox_state after;
    for (uint32_t i = 0; i < 8; i++)
        send(100 + i, 0);
    for (uint32_t i = 0; i < 2; i++)
        read_one(&after);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 6);
    read_one(&after);
    rt_mailbox_account(&mailbox);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 5);
}

Test(mailbox, one_who_answers_itself_within_a_turn_never_fills_its_own_mailbox)
{
    enum rt_mailbox_state after;
    send(100, 0);
    for (uint32_t i = 0; i < 100; i++) {
        struct rt_message *message;
        cr_assert_eq(rt_mailbox_begin(&mailbox, &message), RT_MAILBOX_READY);
        send(101, 0);
        after = rt_mailbox_leave(&mailbox, message, false);
        cr_assert_eq(after, RT_MAILBOX_READY);
    }
}

Test(mailbox, a_taken_message_outlives_its_turn)
{
    send(100, 0);
    struct rt_message *message;
    cr_assert_eq(rt_mailbox_begin(&mailbox, &message), RT_MAILBOX_READY);
    cr_assert_eq(rt_mailbox_leave(&mailbox, message, true), RT_MAILBOX_PARKED);
    cr_assert_eq(message->kind, 100);
    rt_message_destroy(message);
}

Test(mailbox, closing_hands_over_what_waits_but_not_the_message_in_hand)
{
    send(100, 0);
    send(101, 0);
    send(900, RT_MESSAGE_CONTROL);
    send(901, RT_MESSAGE_CONTROL);
    struct rt_message *current;
    cr_assert_eq(rt_mailbox_begin(&mailbox, &current), RT_MAILBOX_READY);
    cr_assert_eq(current->kind, 900);

    struct rt_message *list = rt_mailbox_close(&mailbox, current, false);
    uint32_t expected[] = {901, 100, 101};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_not_null(list);
        cr_assert_eq(list->kind, expected[i]);
        struct rt_message *next = rt_mailbox_list_next(list);
        rt_message_destroy(list);
        list = next;
    }
    cr_assert_null(list);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 0);
}

Test(mailbox, a_closed_mailbox_refuses_both_lanes_until_it_is_opened)
{
    struct rt_message *list = rt_mailbox_close(&mailbox, NULL, false);
    cr_assert_null(list);
    struct rt_message *data = make(100, 0), *control = make(101, RT_MESSAGE_CONTROL);
    cr_assert_eq(rt_mailbox_push(&mailbox, data).status, RT_CLOSED);
    cr_assert_eq(rt_mailbox_push(&mailbox, control).status, RT_CLOSED);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 0, "what was refused is off the books");
    cr_assert(rt_mailbox_reopen(&mailbox, &limits));
    cr_assert(rt_mailbox_push(&mailbox, control).wake);
    cr_assert_eq(rt_mailbox_push(&mailbox, data).status, RT_OK);
}

Test(mailbox, a_held_message_keeps_the_mailbox_awake_until_the_next_begin)
{
    send(100, 0);
    struct rt_message *message;
    cr_assert_eq(rt_mailbox_begin(&mailbox, &message), RT_MAILBOX_READY);
    rt_mailbox_hold(&mailbox, message, false);
    cr_assert_not(send(101, 0), "nobody is woken during the pause");
    enum rt_mailbox_state after;
    cr_assert_eq(read_one(&after), 101);
    cr_assert_eq(after, RT_MAILBOX_PARKED);
}

static struct rt_mailbox_chain
chain_of(uint32_t first_kind, unsigned count)
{
    struct rt_mailbox_chain chain = {0};
    for (unsigned i = 0; i < count; i++) {
        cr_assert(rt_mailbox_has_room(&mailbox, &chain));
        rt_mailbox_chain_add(&chain, make(first_kind + i, 0));
    }
    return chain;
}

Test(mailbox, a_chain_comes_in_order_behind_what_was_there_and_wakes_once)
{
    struct rt_mailbox_chain chain = chain_of(100, 3), more = chain_of(103, 2);
    cr_assert(rt_mailbox_push_chain(&mailbox, &chain).wake);
    cr_assert_not(rt_mailbox_push_chain(&mailbox, &more).wake);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 5);
    enum rt_mailbox_state after;
    for (uint32_t kind = 100; kind < 105; kind++)
        cr_assert_eq(read_one(&after), kind);
    cr_assert_eq(after, RT_MAILBOX_PARKED);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 0);
}

Test(mailbox, a_chain_has_room_for_what_the_limit_leaves)
{
    for (uint32_t i = 0; i < 5; i++)
        send(200 + i, 0);
    struct rt_mailbox_chain chain = chain_of(100, 3);
    cr_assert_not(rt_mailbox_has_room(&mailbox, &chain));
    cr_assert_eq(rt_mailbox_push_chain(&mailbox, &chain).status, RT_OK);
}

Test(mailbox, a_chain_to_a_closed_mailbox_comes_back_whole_and_off_the_books)
{
    struct rt_mailbox_chain chain = chain_of(100, 3), none = {0};
    cr_assert_null(rt_mailbox_close(&mailbox, NULL, false));
    cr_assert_not(rt_mailbox_has_room(&mailbox, &none));
    struct rt_mailbox_sent sent = rt_mailbox_push_chain(&mailbox, &chain);
    cr_assert_eq(sent.status, RT_CLOSED);
    uint32_t kind = 100;
    for (struct rt_message *list = sent.others, *next; list != NULL; list = next) {
        next = rt_mailbox_list_next(list);
        cr_assert_eq(list->kind, kind++);
        rt_message_destroy(list);
    }
    cr_assert_eq(kind, 103);
    cr_assert_eq(rt_mailbox_depth(&mailbox), 0);
}
