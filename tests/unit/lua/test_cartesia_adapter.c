/* What the Cartesia adapter promises: speech as PCM, counted to the millisecond and paid for
 * before it is passed on, and after a cut every byte that was sent. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/lua/fake_host.h"

#define CONFIG                                                                                     \
    "{\"leg_id\":\"leg_7\",\"tenant_id\":\"t\",\"language\":\"es\",\"provider\":{},\"persona\":{}" \
    "}"
#define DRIVE "{\"text\":\"Golazo.\"}"

/* What the recorded turn has: 4800, 95 and 4707 bytes, which are 100, 1.98 and 98.06 ms. */
enum { TURN_BYTES = 9602, TURN_MS = 200 };

static struct fake_leg *leg;

static void
setup(void)
{
    fake_host_open(NULL);
    leg = fake_leg_create();
    fake_initialize(leg, "cartesia", CONFIG, "{\"media_ms\":60000}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
}

static void
teardown(void)
{
    fake_leg_destroy(leg);
    fake_host_close();
}

TestSuite(cartesia_adapter, .init = setup, .fini = teardown, .timeout = 60);

static struct fake_request *
begin_stream(void)
{
    fake_drive(leg, DRIVE);
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, 200, -1);
    return request;
}

Test(cartesia_adapter, the_sheet_has_a_dated_price_and_room_to_stop)
{
    const struct adapter_sheet *sheet = fake_host_sheet("cartesia");
    cr_assert(sheet->modes[VITO_VOICE] && !sheet->modes[VITO_TEXT] && !sheet->modes[VITO_VIDEO]);
    cr_assert_eq(sheet->price_minute_nusd, 45000000);
    cr_assert_eq(sheet->price_token_1k_nusd, -1);
    cr_assert_eq(sheet->quantum_ms, 5000);
    cr_assert_gt(sheet->stop_ms, 0);
    cr_assert_str_eq(sheet->audio_format, "pcm_s16le;rate=24000;channels=1");
}

Test(cartesia_adapter, a_turn_is_spoken_and_counted)
{
    fake_drive(leg, DRIVE);
    struct fake_request *request = fake_pending(leg);
    cr_assert_str_eq(request->method, "POST");
    cr_assert_str_eq(request->path, "/tts/sse");
    cr_assert_str_eq(request->headers, "accept: text/event-stream\n"
                                       "cartesia-version: 2026-03-01\n"
                                       "content-type: application/json\n"
                                       "authorization: Bearer " FAKE_SECRET "\n");
    cr_assert_str_eq(request->body,
                     "{\"language\":\"es\",\"model_id\":\"sonic-3\",\"output_format\":"
                     "{\"container\":\"raw\",\"encoding\":\"pcm_s16le\",\"sample_rate\":24000},"
                     "\"transcript\":\"Golazo.\",\"voice\":{\"id\":"
                     "\"f786b574-daa5-4673-aa0c-cbe3e8534c02\",\"mode\":\"id\"}}");
    fake_answer_file(leg, 200, "cartesia_turn.sse");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE, "%s", leg->detail);
    cr_assert_eq(leg->audio_bytes, TURN_BYTES);
    for (size_t i = 0; i < TURN_BYTES; i++)
        cr_assert_eq(leg->audio[i], i * 37 % 256);
    cr_assert_eq(leg->media_ms, TURN_MS,
                 "what is left of a millisecond counts with the next bytes");
    cr_assert_eq(leg->use_count, 3);
    cr_assert_eq(leg->tokens, 0);
}

Test(cartesia_adapter, the_same_bytes_in_any_pieces_are_the_same_speech)
{
    static const size_t sizes[] = {1, 3, 1000};
    for (size_t i = 0; i < RT_COUNT_OF(sizes); i++) {
        leg->audio_bytes = 0;
        leg->media_ms = 0;
        struct fake_request *request = begin_stream();
        const char *text = fake_fixture("cartesia_turn.sse");
        for (size_t at = 0, left = strlen(text); left > 0;) {
            size_t piece = left < sizes[i] ? left : sizes[i];
            fake_bytes(leg, request, text + at, piece);
            at += piece;
            left -= piece;
        }
        fake_end(leg, request, NET_HTTP_COMPLETE);
        cr_expect_eq(leg->audio_bytes, TURN_BYTES);
        cr_expect_eq(leg->media_ms, TURN_MS);
    }
}

Test(cartesia_adapter, a_cut_stops_the_vendor_and_counts_what_it_had_sent)
{
    leg->allowed_ms = 50;
    struct fake_request *request = begin_stream();
    const char *text = fake_fixture("cartesia_turn.sse");
    size_t first_bytes = (size_t)(strstr(text, "event: timestamps") - text);
    fake_bytes(leg, request, text, first_bytes);
    cr_assert(leg->waits_for_cover);
    cr_assert_eq(leg->media_ms, 100);
    cr_assert_eq(leg->audio_bytes, 0, "what is not paid for is not passed on");
    fake_cut(leg);
    cr_assert(request->is_stopped && !request->is_cancelled);
    fake_data(leg, request, text + first_bytes);
    fake_cut(leg);
    cr_assert_eq(leg->ends, 1, "a second cut changes nothing");
    fake_end(leg, request, NET_HTTP_STOPPED);
    cr_assert_eq(leg->ends, 2);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    cr_assert_eq(leg->media_ms, TURN_MS);
    cr_assert_eq(leg->audio_bytes, 0);
}

Test(cartesia_adapter, a_cut_while_the_client_is_slow_counts_the_rest_too)
{
    leg->is_full = true;
    struct fake_request *request = begin_stream();
    fake_data(leg, request, fake_fixture("cartesia_turn.sse"));
    cr_assert(leg->waits_for_room);
    fake_cut(leg);
    fake_end(leg, request, NET_HTTP_STOPPED);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_CUT);
    cr_assert_eq(leg->media_ms, TURN_MS);
    cr_assert_eq(leg->audio_bytes, 4800, "only what was passed on before");
}

Test(cartesia_adapter, nothing_to_say_calls_nobody)
{
    fake_drive(leg, "{\"text\":\"\"}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    fake_drive(leg, "{}");
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_eq(leg->request_count, 0);
}

Test(cartesia_adapter, errors_are_of_the_kind_their_body_says)
{
    static const struct {
        int status;
        const char *body;
        enum adapter_error error;
        const char *detail;
    } cases[] = {
        {429, "@cartesia_429.json", ADAPTER_ERROR_RETRYABLE, "concurrency_limited"},
        {402, "{}", ADAPTER_ERROR_OUT_OF_MONEY, "the vendor answered 402"},
        {403, "{\"error_code\":\"quota_exceeded\"}", ADAPTER_ERROR_OUT_OF_MONEY, "quota_exceeded"},
        {400, "Bad request: You are out of credits", ADAPTER_ERROR_OUT_OF_MONEY,
         "the vendor answered 400"},
        {401, "Unauthorized: " FAKE_SECRET, ADAPTER_ERROR_REJECTED, "the vendor answered 401"},
        {500, "", ADAPTER_ERROR_RETRYABLE, "the vendor answered 500"},
        {404, "{\"error_code\":\"voice_not_found\"}", ADAPTER_ERROR_REJECTED, "voice_not_found"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        fake_drive(leg, DRIVE);
        fake_answer(leg, cases[i].status,
                    cases[i].body[0] == '@' ? fake_fixture(cases[i].body + 1) : cases[i].body);
        cr_expect_eq(leg->result.error, cases[i].error, "%d %s", cases[i].status, cases[i].body);
        cr_expect_str_eq(leg->detail, cases[i].detail);
        cr_expect_eq(leg->result.status, cases[i].status);
    }
}

#define CHUNK "data: {\"type\":\"chunk\",\"data\":\"" /* then base64 and "\"}\n\n" */

Test(cartesia_adapter, streams_that_go_wrong_are_told_apart)
{
    static const struct {
        const char *text;
        enum net_http_result result;
        enum adapter_error error;
        const char *detail;
    } cases[] = {
        {CHUNK "AAAA\"}\n\n", NET_HTTP_COMPLETE, ADAPTER_ERROR_MALFORMED, "the stream ended early"},
        {CHUNK "AAAA\"}\n\n", NET_HTTP_CUT, ADAPTER_ERROR_UNKNOWN, "the connection broke"},
        {CHUNK "A!\"}\n\n", NET_HTTP_COMPLETE, ADAPTER_ERROR_MALFORMED, "a chunk is not base64"},
        {CHUNK "AAA\"}\n\n", NET_HTTP_COMPLETE, ADAPTER_ERROR_MALFORMED, "a chunk is not base64"},
        {"data: {\"type\":\"chunk\",\"data\":7}\n\n", NET_HTTP_COMPLETE, ADAPTER_ERROR_MALFORMED,
         "a chunk is not base64"},
        {"data: <html>\n\n", NET_HTTP_COMPLETE, ADAPTER_ERROR_MALFORMED, "an event is not JSON"},
        {"data: "
         "{\"type\":\"error\",\"status_code\":429,\"error_code\":\"concurrency_limited\"}\n\n",
         NET_HTTP_COMPLETE, ADAPTER_ERROR_RETRYABLE, "concurrency_limited"},
        {"data: {\"type\":\"error\",\"status_code\":400,\"title\":\"x\"}\n\n", NET_HTTP_COMPLETE,
         ADAPTER_ERROR_REJECTED, "stream error"},
        {"data: {\"type\":\"error\"}\n\n", NET_HTTP_COMPLETE, ADAPTER_ERROR_REJECTED,
         "stream error"},
    };
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        struct fake_request *request = begin_stream();
        fake_data(leg, request, cases[i].text);
        if (!request->has_ended)
            fake_end(leg, request, cases[i].result);
        cr_expect_eq(leg->result.error, cases[i].error, "%s", cases[i].text);
        cr_expect_str_eq(leg->detail, cases[i].detail);
    }
}

Test(cartesia_adapter, speech_after_its_end_is_not_taken)
{
    struct fake_request *request = begin_stream();
    fake_data(leg, request, "data: {\"type\":\"done\"}\n\n" CHUNK "AAAA\"}\n\n");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_eq(leg->audio_bytes, 0);
}

Test(cartesia_adapter, the_tenants_voice_and_version_are_sent)
{
    struct fake_leg *own = fake_leg_create();
    fake_initialize(own, "cartesia",
                    "{\"leg_id\":\"l\",\"language\":\"en\",\"provider\":{\"voice_id\":\"v\","
                    "\"model_id\":\"m\",\"version\":\"2025-04-16\",\"language\":\"fr\"}}",
                    "{}");
    fake_drive(own, DRIVE);
    const struct fake_request *request = fake_pending(own);
    cr_assert_not_null(strstr(request->headers, "cartesia-version: 2025-04-16\n"));
    cr_assert_not_null(strstr(request->body, "\"language\":\"fr\",\"model_id\":\"m\""));
    cr_assert_not_null(strstr(request->body, "\"voice\":{\"id\":\"v\",\"mode\":\"id\"}"));
    fake_leg_destroy(own);
}
