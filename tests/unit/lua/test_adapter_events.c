/* Cuts, and events that come late, twice, or without end: a script is stopped when it must be, and
 * goes on only with what it waits for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/adapter_state.h"
#include "tests/unit/lua/adapter_box.h"

TestSuite(adapter_events, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

Test(adapter_events, a_cut_that_is_caught_is_still_a_cut)
{
    open_drive("local ok, err = pcall(clock.sleep, 1000) assert(provider.is_cut(err)) "
               "input.emit_text('nobody hears this') usage { tokens = 5 } "
               "assert(not pcall(clock.sleep, 1)) return true");
    leg->allowed_tokens = 0;
    fake_drive(leg, "{}");
    fake_cut(leg);
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT, "%s", leg->detail);
    cr_assert_eq(leg->tokens, 5, "after a cut use is counted without waiting");
    cr_assert_eq(leg->text_bytes, 0);
    close_all();
}

Test(adapter_events, errors_after_a_cut_are_the_cut_unless_something_may_be_left_over)
{
    open_drive("pcall(clock.sleep, 1000) return nil, provider.error(input.kind, 'x')");
    fake_drive(leg, "{\"kind\":\"retryable\"}");
    fake_cut(leg);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    fake_drive(leg, "{\"kind\":\"unknown\"}");
    fake_cut(leg);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN);
    close_all();
}

Test(adapter_events, a_new_verb_begins_without_the_cut_of_the_last)
{
    open_with("return {}", "clock.sleep(10) return true",
              "clock.sleep(10) usage { media_ms = 3 } usage.final { media_ms = 9 } "
              "return 'stopped'");
    fake_drive(leg, "{}");
    fake_cut(leg);
    fake_terminate(leg, ADAPTER_USER_EXIT);
    fake_pass(leg, 10);
    cr_assert_eq(leg->result.verb, ADAPTER_TERMINATE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_eq(fake_media_ms(leg), 9);
    close_all();
}

Test(adapter_events, only_what_a_script_waits_for_lets_it_go_on)
{
    open_drive("clock.sleep(100) input.emit_text('a') usage { tokens = 2 } "
               "input.emit_text('b') return true");
    fake_drive(leg, "{}");
    static const struct adapter_event covered = {.kind = ADAPTER_EVENT_COVERED};
    static const struct adapter_event room = {.kind = ADAPTER_EVENT_ROOM};
    tlua_leg_resume(fake_host_vm(), &leg->port, &covered);
    tlua_leg_resume(fake_host_vm(), &leg->port, &room);
    cr_assert_str_eq(leg->text, "", "it sleeps");
    leg->is_full = true;
    fake_pass(leg, 100);
    tlua_leg_resume(fake_host_vm(), &leg->port, &covered);
    cr_assert_eq(leg->tokens, 0, "it waits for room");
    leg->allowed_tokens = 1;
    fake_make_room(leg);
    tlua_leg_resume(fake_host_vm(), &leg->port, &room);
    cr_assert_str_eq(leg->text, "a", "it waits for money");
    fake_cover(leg, 2, 0);
    cr_assert_str_eq(leg->text, "ab");
    cr_assert_eq(leg->ends, 2);
    close_all();
}

Test(adapter_events, events_that_come_while_a_script_waits_for_something_else_are_kept)
{
    open_drive("local s = http.stream { path = '/' } clock.sleep(100) "
               "for piece in s:chunks() do input.emit_text(piece) end "
               "return s:finish()");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, "one ");
    fake_data(leg, request, "two ");
    cr_assert_eq(request->consumed_bytes, 0, "what is not read is not asked for again");
    fake_pass(leg, 100);
    cr_assert_str_eq(leg->text, "one two ");
    cr_assert_eq(request->consumed_bytes, 8);
    fake_data(leg, request, "three");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert_str_eq(leg->text, "one two three");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    close_all();
}

Test(adapter_events, repeated_and_late_events_change_nothing)
{
    open_drive("local a = assert(http.stream { path = '/' }) local text = '' "
               "for piece in a:chunks() do text = text .. piece end "
               "input.emit_text(text) clock.sleep(10) "
               "assert(a:read() == nil and a.status == 200) return a:finish()");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    struct fake_request stranger = {.exchange = 999};
    fake_head(leg, &stranger, 500, -1);
    fake_data(leg, &stranger, "stray");
    fake_head(leg, request, 200, -1);
    fake_head(leg, request, 500, -1);
    fake_data(leg, request, "text");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    fake_data(leg, request, "late");
    fake_end(leg, request, NET_HTTP_CUT);
    fake_head(leg, request, 500, -1);
    fake_pass(leg, 10);
    cr_assert_str_eq(leg->text, "text");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    fake_data(leg, request, "after the verb");
    fake_cut(leg);
    cr_assert_eq(leg->ends, 2);
    close_all();
}

Test(adapter_events, a_host_that_sends_without_end_is_stopped)
{
    static char block[32 * 1024];
    memset(block, 'x', sizeof(block) - 1);
    open_drive("local s = http.stream { path = '/' } clock.sleep(100) "
               "while s:read() do end return s:finish()");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    for (int i = 0; i < 64 && !request->has_ended; i++)
        fake_data(leg, request, block);
    cr_assert(request->is_cancelled);
    fake_pass(leg, 100);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED);
    close_all();
}

Test(adapter_events, an_answer_that_is_too_long_is_malformed)
{
    static char block[60 * 1024];
    memset(block, 'x', sizeof(block) - 1);
    open_drive("local answer, err = http.request { path = '/' } return answer, err");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    for (int i = 0; i < 32 && !request->has_ended; i++)
        fake_data(leg, request, block);
    cr_assert(request->is_cancelled);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED);
    cr_assert_str_eq(leg->detail, "the answer is too long");
    close_all();
}

Test(adapter_events, what_a_verb_leaves_open_is_cancelled_at_its_end)
{
    open_drive("session.stream = http.stream { path = '/' } "
               "local piece = session.stream:read() or '' input.emit_text(piece) return true");
    fake_drive(leg, "{}");
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, "x");
    cr_assert_eq(leg->ends, 2);
    cr_assert(request->is_cancelled);
    fake_drive(leg, "{}");
    struct fake_request *second = fake_pending(leg);
    fake_end(leg, second, NET_HTTP_UNREACHED);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_BUG, "there was no stream to read");
    close_all();
}

Test(adapter_events, requests_one_after_the_other_have_no_end)
{
    open_drive("for i = 1, 40 do assert(http.request { path = '/' .. i }) end return true");
    fake_drive(leg, "{}");
    for (int i = 0; i < 40; i++)
        fake_answer(leg, 200, "{}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    close_all();
}

Test(adapter_events, too_many_exchanges_at_once_are_refused)
{
    open_drive("for i = 1, 20 do local s, err = http.stream { path = '/' .. i } "
               "if not s then return nil, err end end return true");
    fake_drive(leg, "{}");
    for (int i = 0; i < 16; i++)
        fake_head(leg, &leg->requests[i], 200, -1);
    cr_assert_eq(leg->request_count, 16);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_RETRYABLE);
    for (int i = 0; i < 16; i++)
        cr_assert(leg->requests[i].is_cancelled);
    close_all();
}
