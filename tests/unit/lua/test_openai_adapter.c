/* What the OpenAI adapter promises: text as it streams, each token paid for before it is passed
 * on, the vendor's own figure in the end, and errors of the right kind. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/lua/fake_host.h"

#define CONFIG                                                                                     \
    "{\"leg_id\":\"leg_7\",\"tenant_id\":\"t\",\"language\":\"es\",\"provider\":{},"               \
    "\"persona\":{\"instructions\":\"Eres comentarista.\"}}"
#define MESSAGES                                                                                   \
    "[{\"role\":\"system\",\"content\":\"Eres comentarista.\"},"                                   \
    "{\"role\":\"user\",\"content\":\"¿Cómo va el partido?\"}]"
#define DRIVE                                                                                      \
    "{\"text\":\"¿Cómo va el partido?\",\"tokens_max\":512,\"prompt_bytes\":40,"                 \
    "\"prompt_messages\":2}"

/* 18 and 22 bytes are ten tokens, and four for each message. */
enum { PROMPT_TOKENS = 18, DELTAS = 6, TOTAL_TOKENS = 30 };

static struct fake_leg *leg;

static void
setup(void)
{
    fake_host_open(NULL);
    leg = fake_leg_create();
    fake_initialize(leg, "openai", CONFIG, "{\"tokens\":1024}");
    cr_assert_eq(leg->ends, 1);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
}

static void
teardown(void)
{
    fake_leg_destroy(leg);
    fake_host_close();
}

TestSuite(openai_adapter, .init = setup, .fini = teardown, .timeout = 60);

Test(openai_adapter, the_sheet_says_what_the_tenant_needs_to_hold)
{
    const struct adapter_sheet *sheet = fake_host_sheet("openai");
    cr_assert(sheet->modes[VITO_TEXT] && !sheet->modes[VITO_VOICE] && !sheet->modes[VITO_VIDEO]);
    cr_assert_not(sheet->metered_by_clock);
    cr_assert_eq(sheet->price_token_1k_nusd, -1);
    cr_assert_eq(sheet->price_minute_nusd, -1);
    cr_assert_eq(sheet->prompt_bytes_per_token, 4);
    cr_assert_eq(sheet->prompt_tokens_fixed, 4);
    cr_assert_gt(sheet->quantum_tokens, 0);
    cr_assert_str_eq(sheet->default_base_url, "https://api.openai.com/v1");
}

Test(openai_adapter, a_turn_streams_and_ends_with_the_vendors_figure)
{
    fake_chat(leg, DRIVE, MESSAGES);
    cr_assert_eq(leg->tokens, PROMPT_TOKENS, "the prompt is paid for before it is sent");
    struct fake_request *request = fake_pending(leg);
    cr_assert_str_eq(request->method, "POST");
    cr_assert_str_eq(request->path, "/chat/completions");
    cr_assert_str_eq(request->headers, "accept: text/event-stream\n"
                                       "content-type: application/json\n"
                                       "authorization: Bearer " FAKE_SECRET "\n");
    cr_assert_str_eq(request->body, "{\"max_completion_tokens\":512,\"messages\":" MESSAGES
                                    ",\"model\":\"gpt-4.1-mini\",\"stream\":true,"
                                    "\"stream_options\":{\"include_usage\":true}}");
    fake_answer_file(leg, 200, "openai_turn.sse");
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_str_eq(leg->text, "¡Golazo de Argentina!");
    cr_assert_eq(leg->tokens, PROMPT_TOKENS + DELTAS);
    cr_assert_eq(fake_tokens(leg), TOTAL_TOKENS);
    cr_assert_eq(leg->final_count, 1);
    cr_assert_eq(request->consumed_bytes, request->sent_bytes);
    cr_assert_not(request->is_cancelled, "the connection can be used again");
}

Test(openai_adapter, the_same_bytes_in_any_pieces_are_the_same_turn)
{
    static const size_t sizes[] = {1, 2, 7, 100, 1000, 60000};
    for (size_t i = 0; i < RT_COUNT_OF(sizes); i++) {
        struct fake_leg *other = fake_leg_create();
        fake_initialize(other, "openai", CONFIG, "{}");
        fake_chat(other, DRIVE, MESSAGES);
        struct fake_request *request = fake_pending(other);
        fake_head(other, request, 200, -1);
        const char *text = fake_fixture("openai_turn.sse");
        for (size_t at = 0, left = strlen(text); left > 0;) {
            size_t piece = left < sizes[i] ? left : sizes[i];
            fake_bytes(other, request, text + at, piece);
            at += piece;
            left -= piece;
        }
        fake_end(other, request, NET_HTTP_COMPLETE);
        cr_expect_eq(other->result.error, ADAPTER_ERROR_NONE, "%s", other->detail);
        cr_expect_str_eq(other->text, "¡Golazo de Argentina!");
        cr_expect_eq(fake_tokens(other), TOTAL_TOKENS);
        fake_leg_destroy(other);
    }
}

Test(openai_adapter, money_that_ends_in_the_middle_cuts_the_turn)
{
    fake_chat(leg, DRIVE, MESSAGES);
    leg->allowed_tokens = PROMPT_TOKENS + 2;
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, fake_fixture("openai_turn.sse"));
    cr_assert(leg->waits_for_cover);
    cr_assert_str_eq(leg->text, "¡Gol", "what is not paid for is not passed on");
    fake_cut(leg);
    cr_assert(request->is_stopped, "the vendor is asked for no more");
    cr_assert_eq(leg->ends, 1, "what was sent before is still counted");
    fake_end(leg, request, NET_HTTP_STOPPED);
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    cr_assert_eq(leg->tokens, PROMPT_TOKENS + DELTAS);
    cr_assert_str_eq(leg->text, "¡Gol");
}

Test(openai_adapter, covered_use_goes_on)
{
    fake_chat(leg, DRIVE, MESSAGES);
    leg->allowed_tokens = PROMPT_TOKENS + 2;
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, fake_fixture("openai_turn.sse"));
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert(leg->waits_for_cover);
    fake_cover(leg, 1000, INT64_MAX);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_str_eq(leg->text, "¡Golazo de Argentina!");
}

Test(openai_adapter, a_slow_client_holds_the_stream)
{
    fake_chat(leg, DRIVE, MESSAGES);
    leg->is_full = true;
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, fake_fixture("openai_turn.sse"));
    cr_assert(leg->waits_for_room);
    cr_assert_str_eq(leg->text, "¡G");
    fake_data(leg, request, ": a comment\n\n");
    cr_assert_lt(request->consumed_bytes, request->sent_bytes,
                 "what the client does not take is not asked for");
    fake_make_room(leg);
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert_str_eq(leg->text, "¡Golazo de Argentina!");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
}

Test(openai_adapter, a_cut_while_it_waits_for_the_head_drops_the_request)
{
    fake_chat(leg, DRIVE, MESSAGES);
    struct fake_request *request = fake_pending(leg);
    fake_cut(leg);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    cr_assert(request->is_cancelled);
    cr_assert_eq(fake_tokens(leg), PROMPT_TOKENS);
}

Test(openai_adapter, errors_are_of_the_kind_their_body_says)
{
    static const struct {
        int status;
        const char *body;
        enum adapter_error error;
        const char *detail;
    } cases[] = {
        {429, "@openai_429_quota.json", ADAPTER_ERROR_OUT_OF_MONEY, "insufficient_quota"},
        {429, "@openai_429_rate.json", ADAPTER_ERROR_RETRYABLE, "rate_limit_exceeded"},
        {401, "@openai_401_key.json", ADAPTER_ERROR_REJECTED, "invalid_api_key"},
        {400, "{\"error\":{\"type\":\"invalid_request_error\"}}", ADAPTER_ERROR_REJECTED,
         "invalid_request_error"},
        {404, "{\"error\":{\"code\":\"model_not_found\"}}", ADAPTER_ERROR_REJECTED,
         "model_not_found"},
        {500, "{\"error\":{\"type\":\"server_error\",\"code\":null}}", ADAPTER_ERROR_RETRYABLE,
         "server_error"},
        {503, "<html>busy</html>", ADAPTER_ERROR_RETRYABLE, "the vendor answered 503"},
        {429, "", ADAPTER_ERROR_RETRYABLE, "the vendor answered 429"},
        {402, "[]", ADAPTER_ERROR_OUT_OF_MONEY, "the vendor answered 402"},
        {302, "", ADAPTER_ERROR_MALFORMED, "the vendor answered 302"},
        {418, "{\"error\":\"teapot\"}", ADAPTER_ERROR_REJECTED, "the vendor answered 418"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        fake_chat(leg, DRIVE, MESSAGES);
        struct fake_request *request = fake_pending(leg);
        fake_head(leg, request, cases[i].status, 7);
        fake_data(leg, request,
                  cases[i].body[0] == '@' ? fake_fixture(cases[i].body + 1) : cases[i].body);
        fake_end(leg, request, NET_HTTP_COMPLETE);
        cr_expect_eq(leg->result.error, cases[i].error, "%d %s", cases[i].status, cases[i].body);
        cr_expect_str_eq(leg->detail, cases[i].detail);
        cr_expect_eq(leg->result.status, cases[i].status);
        cr_expect_eq(leg->result.retry_after_s, 7);
        cr_expect_null(strstr(leg->detail, FAKE_SECRET));
    }
}

Test(openai_adapter, answers_that_never_come_are_told_apart)
{
    static const struct {
        enum net_http_result result;
        enum adapter_error error;
    } cases[] = {
        {NET_HTTP_UNREACHED, ADAPTER_ERROR_RETRYABLE},
        {NET_HTTP_TIMEOUT, ADAPTER_ERROR_UNKNOWN},
        {NET_HTTP_CUT, ADAPTER_ERROR_UNKNOWN},
        {NET_HTTP_REFUSED, ADAPTER_ERROR_MALFORMED},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        fake_chat(leg, DRIVE, MESSAGES);
        fake_no_answer(leg, cases[i].result);
        cr_expect_eq(leg->result.error, cases[i].error);
        cr_expect_eq(leg->result.status, 0);
    }
}

Test(openai_adapter, requests_that_cannot_start_are_told_apart)
{
    static const struct {
        enum rt_status status;
        enum adapter_error error;
        const char *detail;
    } cases[] = {
        {RT_NOT_FOUND, ADAPTER_ERROR_REJECTED, "the secret is missing"},
        {RT_DENIED, ADAPTER_ERROR_REJECTED, "no money is held for this leg any more"},
        {RT_FULL, ADAPTER_ERROR_RETRYABLE, "the request could not be started"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        leg->start_status = cases[i].status;
        fake_chat(leg, DRIVE, MESSAGES);
        cr_expect_eq(leg->result.error, cases[i].error);
        cr_expect_str_eq(leg->detail, cases[i].detail);
    }
}

/* One turn whose stream is this text. */
static void
stream(const char *text, enum net_http_result result)
{
    leg->text_bytes = 0;
    memset(leg->text, 0, sizeof(leg->text));
    fake_chat(leg, DRIVE, MESSAGES);
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, text);
    if (!request->has_ended)
        fake_end(leg, request, result);
}

#define DELTA(text) "data: {\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]}\n\n"

Test(openai_adapter, a_stream_that_breaks_keeps_what_was_counted)
{
    stream(DELTA("a") DELTA("b"), NET_HTTP_CUT);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_UNKNOWN);
    cr_assert_str_eq(leg->text, "ab");
    cr_assert_eq(leg->tokens, PROMPT_TOKENS + 2);
    cr_assert_eq(leg->final_count, 0);
}

Test(openai_adapter, a_stream_without_its_end_marker_is_malformed)
{
    stream(DELTA("a"), NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED);
    cr_assert_str_eq(leg->detail, "the stream ended early");
}

Test(openai_adapter, a_stream_that_is_done_is_done_whatever_comes_after)
{
    stream(DELTA("a") "data: [DONE]\n\n" DELTA("late") "data: {not json\n\n", NET_HTTP_TIMEOUT);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_str_eq(leg->text, "a");
    cr_assert_eq(leg->tokens, PROMPT_TOKENS + 1);
}

Test(openai_adapter, garbage_ends_the_turn_and_the_connection)
{
    static const char *const texts[] = {
        DELTA("a") "data: {\"choices\":[\n\n" DELTA("b"),
        DELTA("a") "data: 7\n\n" DELTA("b"),
        DELTA("a") "data: {\"x\":1} trailing\n\n" DELTA("b"),
    };
    for (size_t i = 0; i < RT_COUNT_OF(texts); i++) {
        size_t before = leg->request_count;
        stream(texts[i], NET_HTTP_COMPLETE);
        cr_expect_eq(leg->result.error, ADAPTER_ERROR_MALFORMED, "%s", texts[i]);
        cr_expect_str_eq(leg->text, "a");
        cr_expect(leg->requests[before].is_cancelled);
    }
}

Test(openai_adapter, shapes_that_are_not_expected_add_nothing)
{
    stream("data: {}\n\ndata: []\n\ndata: {\"choices\":7}\n\ndata: {\"choices\":[7]}\n\n"
           "data: {\"choices\":[{\"delta\":7}]}\n\ndata: {\"choices\":[{\"delta\":{}}]}\n\n"
           "data: {\"choices\":[{\"delta\":{\"content\":7}}]}\n\n"
           "data: {\"choices\":[],\"usage\":{\"total_tokens\":\"many\"}}\n\n"
           "data: {\"choices\":[],\"usage\":{\"total_tokens\":-5}}\n\n"
           "data: {\"choices\":[],\"usage\":{\"total_tokens\":1e999}}\n\n"
           "event: ping\ndata: {}\n\n: comment\n\n"
           "data: {\"choices\":[{\"delta\":{\"refusal\":\"no\"}}]}\n\ndata: [DONE]\n\n",
           NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_str_eq(leg->text, "no", "a refusal is text");
    cr_assert_eq(leg->tokens, PROMPT_TOKENS + 1);
    cr_assert_eq(leg->final_count, 0);
}

Test(openai_adapter, an_error_in_the_middle_of_the_stream_is_classified)
{
    stream(DELTA("a") "data: {\"error\":{\"code\":\"insufficient_quota\"}}\n\n", NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_OUT_OF_MONEY);
    stream(DELTA("a") "event: error\ndata: {\"type\":\"server_error\"}\n\n", NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_RETRYABLE);
    cr_assert_str_eq(leg->detail, "server_error");
}

Test(openai_adapter, an_endless_event_is_refused)
{
    static char text[1024];
    fake_chat(leg, DRIVE, MESSAGES);
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    fake_data(leg, request, "data: ");
    memset(text, 'x', sizeof(text) - 1);
    for (int i = 0; i < 1024 && !request->has_ended; i++)
        fake_data(leg, request, text);
    cr_assert(request->is_cancelled);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_MALFORMED);
}

Test(openai_adapter, the_tenants_model_and_its_servers_habits_are_sent)
{
    struct fake_leg *own = fake_leg_create();
    fake_initialize(own, "openai",
                    "{\"leg_id\":\"l\",\"provider\":{\"model\":\"llama\",\"max_tokens\":true,"
                    "\"temperature\":0.5},\"persona\":{\"instructions\":\"Be brief.\"}}",
                    "{\"tokens\":100}");
    fake_drive(own, "{\"text\":\"hi\"}");
    cr_assert_str_eq(fake_pending(own)->body,
                     "{\"max_tokens\":100,\"messages\":[{\"content\":\"Be brief.\",\"role\":"
                     "\"system\"},{\"content\":\"hi\",\"role\":\"user\"}],\"model\":\"llama\","
                     "\"stream\":true,\"stream_options\":{\"include_usage\":true},"
                     "\"temperature\":0.5}");
    fake_leg_destroy(own);
}

Test(openai_adapter, terminate_has_nothing_left_to_stop)
{
    fake_terminate(leg, ADAPTER_USER_EXIT);
    cr_assert_eq(leg->result.verb, ADAPTER_TERMINATE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_eq(leg->result.stopped, ADAPTER_STOPPED);
    cr_assert_eq(leg->request_count, 0);
}

Test(openai_adapter, wherever_memory_ends_the_turn_is_right_or_a_bug)
{
    unsigned right = 0, bugs = 0;
    for (size_t bytes = 0; bytes < 60000; bytes += 331) {
        teardown();
        fake_host_open(NULL);
        fake_host_shrink(bytes);
        leg = fake_leg_create();
        fake_initialize(leg, "openai", CONFIG, "{}");
        if (leg->result.error == ADAPTER_ERROR_NONE)
            fake_chat(leg, DRIVE, MESSAGES);
        if (leg->request_count > 0 && !leg->requests[0].has_ended)
            fake_head(leg, &leg->requests[0], 200, -1);
        if (leg->request_count > 0 && !leg->requests[0].has_ended)
            fake_data(leg, &leg->requests[0], fake_fixture("openai_turn.sse"));
        if (leg->request_count > 0 && !leg->requests[0].has_ended)
            fake_end(leg, &leg->requests[0], NET_HTTP_COMPLETE);
        right += leg->result.error == ADAPTER_ERROR_NONE && fake_tokens(leg) == TOTAL_TOKENS;
        bugs += leg->result.error == ADAPTER_ERROR_BUG;
    }
    cr_assert_gt(right, 10, "%u right, %u bugs", right, bugs);
    cr_assert_gt(bugs, 10, "%u right, %u bugs", right, bugs);
}

Test(openai_adapter, nothing_of_a_former_life_is_left_to_reclaim)
{
    fake_initialize(leg, "openai", "{\"leg_id\":\"l\",\"reclaim\":true,\"provider\":{}}", "{}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_REJECTED);
    cr_assert_eq(leg->request_count, 0);
}
