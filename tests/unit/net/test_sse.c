/* What the event stream reader promises: the events of the HTML standard, whatever the newlines
 * and however the bytes are cut, and a bound on each event. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "net/sse.h"
#include "runtime/random.h"

static char seen[4096];

/* Adds the events that are ready to `seen`, as name=data; */
static void
drain(struct net_sse *sse)
{
    struct net_sse_event event;
    while (net_sse_next(sse, &event) == RT_OK) {
        cr_assert_eq(strlen(event.data), event.data_bytes);
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof(seen) - used, "%s=%s;", event.event, event.data);
    }
}

static const char *
read_whole(const char *stream, size_t size_bytes)
{
    seen[0] = '\0';
    struct net_sse *sse = net_sse_create(1000);
    cr_assert_eq(net_sse_feed(sse, stream, size_bytes), RT_OK);
    drain(sse);
    net_sse_destroy(sse);
    return seen;
}

#define READ(text) read_whole(text, sizeof(text) - 1)

TestSuite(sse, .timeout = 60);

Test(sse, an_event_is_its_data_lines_joined_by_newlines)
{
    cr_assert_str_eq(READ("data: YHOO\ndata: +2\ndata: 10\n\n"), "message=YHOO\n+2\n10;");
}

Test(sse, a_name_counts_for_one_event)
{
    cr_assert_str_eq(READ("event: add\ndata: 1\n\ndata: 2\n\n"), "add=1;message=2;");
}

Test(sse, one_space_after_the_colon_is_not_data)
{
    cr_assert_str_eq(READ("data:test\n\ndata: test\n\ndata:  test\n\n"),
                     "message=test;message=test;message= test;");
}

Test(sse, a_name_with_a_zero_byte_is_no_name)
{
    cr_assert_str_eq(READ("event: a\0b\ndata: 1\n\n"), "message=1;");
}

Test(sse, a_field_without_colon_has_an_empty_value)
{
    cr_assert_str_eq(READ("data\n\ndata\ndata\n\ndata:\n\n"), "message=;message=\n;message=;");
}

Test(sse, comments_ids_retries_and_unknown_fields_are_passed_over)
{
    cr_assert_str_eq(READ(": hello\nid: 1\nretry: 5\ndatax: no\ndata: yes\nnonsense\n\n"),
                     "message=yes;");
}

Test(sse, a_name_without_data_is_no_event)
{
    cr_assert_str_eq(READ("event: nothing\n\n: ping\n\n\n\ndata: x\n\n"), "message=x;");
}

Test(sse, an_empty_name_is_the_usual_one)
{
    cr_assert_str_eq(READ("event: a\nevent:\ndata: x\n\n"), "message=x;");
}

Test(sse, an_event_that_was_not_ended_is_not_reported)
{
    cr_assert_str_eq(READ("data: 1\n\ndata: 2\n"), "message=1;");
}

Test(sse, any_newline_will_do)
{
    cr_assert_str_eq(READ("data: 1\r\rdata: 2\r\n\r\ndata: 3\n\ndata: 4\r\n\n"),
                     "message=1;message=2;message=3;message=4;");
    cr_assert_str_eq(READ("event: a\r\ndata: 1\r\ndata: 2\r\n\r\n"), "a=1\n2;",
                     "CR LF is one newline");
}

Test(sse, a_byte_order_mark_at_the_start_is_passed_over_and_later_ones_are_not)
{
    cr_assert_str_eq(READ("\xEF\xBB\xBF"
                          "data: 1\n\n\xEF\xBB\xBF"
                          "data: 2\n\ndata: 3\n\n"),
                     "message=1;message=3;");
}

Test(sse, the_same_bytes_cut_anyhow_give_the_same_events)
{
    static const char stream[] = "\xEF\xBB\xBF: x\r\n\r\nevent: delta\r\ndata: {\"a\":1}\r\n\r\n"
                                 "data: one\rdata: two\r\rdata\n\nevent: end\ndata:[DONE]\n\n";
    size_t size_bytes = sizeof(stream) - 1;
    char whole[sizeof(seen)];
    strcpy(whole, READ(stream));
    struct rt_random random;
    rt_random_seed(&random, 3);
    for (int round = 0; round < 2000; round++) {
        seen[0] = '\0';
        struct net_sse *sse = net_sse_create(100);
        size_t most = 1 + rt_random_below(&random, 40);
        for (size_t at = 0; at < size_bytes;) {
            size_t piece = 1 + rt_random_below(&random, most);
            if (piece > size_bytes - at)
                piece = size_bytes - at;
            cr_assert_eq(net_sse_feed(sse, stream + at, piece), RT_OK);
            drain(sse);
            at += piece;
        }
        net_sse_destroy(sse);
        cr_assert_str_eq(seen, whole);
    }
}

Test(sse, events_not_fetched_yet_stay_in_order_behind_new_ones)
{
    struct net_sse *sse = net_sse_create(100);
    seen[0] = '\0';
    struct net_sse_event event;
    cr_assert_eq(net_sse_feed(sse, "data: 1\n\ndata: 2\n\n", 18), RT_OK);
    cr_assert_eq(net_sse_next(sse, &event), RT_OK);
    cr_assert_eq(net_sse_feed(sse, "data: 3\n\n", 9), RT_OK);
    drain(sse);
    cr_assert_str_eq(seen, "message=2;message=3;");
    net_sse_destroy(sse);
}

Test(sse, an_event_at_the_limit_passes_and_one_above_it_ends_the_stream)
{
    struct net_sse *sse = net_sse_create(16);
    struct net_sse_event event;
    cr_assert_eq(net_sse_feed(sse, "data: 3456789012\n\n", 18), RT_OK);
    cr_assert_eq(net_sse_next(sse, &event), RT_OK);
    cr_assert_eq(net_sse_feed(sse, "data: 1\n\ndata: 34567890123\n\n", 28), RT_TOO_BIG);
    cr_assert_eq(net_sse_next(sse, &event), RT_OK, "what came before it is still there");
    cr_assert_eq(net_sse_next(sse, &event), RT_EMPTY);
    cr_assert_eq(net_sse_feed(sse, "\n\ndata: 2\n\n", 11), RT_TOO_BIG);
    net_sse_destroy(sse);
}

Test(sse, many_short_lines_count_together_and_a_line_without_end_counts_too)
{
    struct net_sse *sse = net_sse_create(64);
    enum rt_status status = RT_OK;
    for (int i = 0; i < 20 && status == RT_OK; i++)
        status = net_sse_feed(sse, "data: 123\n", 10);
    cr_assert_eq(status, RT_TOO_BIG);
    net_sse_destroy(sse);
    sse = net_sse_create(64);
    for (int i = 0; i < 64; i++)
        cr_assert_eq(net_sse_feed(sse, "x", 1), RT_OK);
    cr_assert_eq(net_sse_feed(sse, "x", 1), RT_TOO_BIG);
    net_sse_destroy(sse);
}

Test(sse, comments_alone_never_fill_it)
{
    struct net_sse *sse = net_sse_create(64);
    for (int i = 0; i < 10000; i++)
        cr_assert_eq(net_sse_feed(sse, ": keep-alive\n", 13), RT_OK);
    net_sse_destroy(sse);
}
