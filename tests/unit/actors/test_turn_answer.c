/* The record of a keyed turn: priced when its last leg is, and in no other place. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "actors/turn_answer.h"

static char body[4096];

static struct rt_buffer *
record_of(const char *text, int64_t cost_nusd)
{
    const struct frame_decision decision = {.id = "dec_1", .action = "pass"};
    const struct turn_answer answer = {
        .turn_id = "ses_1",
        .text = text,
        .text_bytes = strlen(text),
        .cost_nusd = cost_nusd,
        .provider_id = "openai",
        .decision = &decision,
    };
    struct vito_turn_answer head = {.session_id = "ses_1", .status = 200};
    struct wire_bytes bytes;
    cr_assert_eq(turn_answer_write(&answer, &bytes), RT_OK);
    return vito_turn_answer_make(&head, bytes.bytes, bytes.size_bytes);
}

static const char *
priced(const char *text, int64_t from_nusd, int64_t to_nusd)
{
    struct rt_buffer *record = record_of(text, from_nusd);
    struct rt_buffer *again = turn_record_price(record, to_nusd);
    struct vito_turn_answer head;
    const uint8_t *bytes;
    size_t size_bytes;
    cr_assert(vito_turn_answer_read(again, &head, &bytes, &size_bytes));
    cr_assert_eq(head.status, 200);
    cr_assert_str_eq(head.session_id, "ses_1");
    snprintf(body, sizeof(body), "%.*s", (int)size_bytes, (const char *)bytes);
    rt_buffer_release(record);
    rt_buffer_release(again);
    return body;
}

Test(turn_answer, a_record_is_priced_as_if_it_had_been_written_so)
{
    static const int64_t costs[] = {0, 1, 999999999, 123456789012};
    for (size_t i = 0; i < RT_COUNT_OF(costs); i++) {
        struct rt_buffer *written = record_of("hello", costs[i]);
        size_t head_bytes = sizeof(struct vito_turn_answer);
        const char *again = priced("hello", 7, costs[i]);
        cr_assert_eq(strlen(again), written->size_bytes - head_bytes);
        cr_assert_eq(memcmp(again, written->bytes + head_bytes, strlen(again)), 0, "%s", again);
        rt_buffer_release(written);
    }
}

Test(turn_answer, what_was_said_is_never_taken_for_the_price)
{
    const char *text = "\"cost_usd\":\"7\" \\\"cost_usd\\\":\\\"8\\\"";
    const char *again = priced(text, 0, 5);
    cr_assert_not_null(strstr(again, "\"cost_usd\":\"0.000000005\""), "%s", again);
    cr_assert_not_null(strstr(again, "\\\"cost_usd\\\":\\\"7\\\" "), "%s", again);
}

Test(turn_answer, what_is_no_record_is_not_priced)
{
    struct rt_buffer *none = rt_buffer_copy("{\"cost_usd\":\"1", 13);
    cr_assert_null(turn_record_price(none, 1));
    rt_buffer_release(none);
    none = rt_buffer_copy("{}", 2);
    cr_assert_null(turn_record_price(none, 1));
    rt_buffer_release(none);
}
