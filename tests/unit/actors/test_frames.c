/* What the edge promises: frames that read the same in JSON and MessagePack, and one clear problem
 * for every frame that cannot be read. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <msgpack.h>
#include <sodium.h>
#include <string.h>

#include "actors/frames.h"
#include "vito/money.h"

TestSuite(frames, .timeout = 60);

static struct frame_in frame;
static struct rt_buffer *body;

static void
decode(enum wire_format format, const void *bytes, size_t size)
{
    rt_buffer_release(body);
    frame_decode(format, bytes, size, &frame, &body);
}

static void
decode_json(const char *text)
{
    decode(WIRE_JSON, text, strlen(text));
}

static bool
body_is(const char *text)
{
    return body != NULL && body->size_bytes == strlen(text) &&
           memcmp(body->bytes, text, body->size_bytes) == 0;
}

static enum problem_reason
reason_of(const char *text)
{
    decode_json(text);
    cr_assert_null(body);
    return frame.type == CLIENT_BAD ? frame.problem.reason : PROBLEM_NONE;
}

Test(frames, a_turn_keeps_its_text_and_its_id)
{
    decode_json("{\"type\":\"turn\",\"id\":\"t-1\",\"text\":\"\\u00a1Hola!\",\"extra\":1}");
    cr_assert_eq(frame.type, CLIENT_TURN);
    cr_assert_str_eq(frame.id.text, "t-1");
    cr_assert_not(frame.id.is_number);
    cr_assert(body_is("\xc2\xa1Hola!"));
}

/* The linker puts it in its place. */
struct rt_buffer *__real_rt_buffer_copy(const void *bytes, size_t size_bytes);
struct rt_buffer *__wrap_rt_buffer_copy(const void *bytes, size_t size_bytes);

static bool no_memory;

struct rt_buffer *
__wrap_rt_buffer_copy(const void *bytes, size_t size_bytes)
{
    return no_memory ? NULL : __real_rt_buffer_copy(bytes, size_bytes);
}

/* An error frame would not answer it: a turn is done or refused. */
Test(frames, a_turn_without_memory_for_its_text_is_still_a_turn)
{
    no_memory = true;
    decode_json("{\"type\":\"turn\",\"id\":\"t-1\",\"text\":\"Hola\"}");
    cr_assert_eq(frame.type, CLIENT_TURN);
    cr_assert_str_eq(frame.id.text, "t-1");
    cr_assert_null(body);
}

Test(frames, audio_without_memory_is_refused)
{
    static const char packed[] = "\x82\xa4type\xa5"
                                 "audio\xa4"
                                 "data\xc4\x01s";
    no_memory = true;
    decode(WIRE_MSGPACK, packed, sizeof(packed) - 1);
    cr_assert_eq(frame.type, CLIENT_BAD);
    cr_assert_eq(frame.problem.reason, PROBLEM_OVERLOAD);
}

Test(frames, a_numeric_id_stays_a_number)
{
    decode_json("{\"type\":\"interrupt\",\"id\":42}");
    cr_assert_eq(frame.type, CLIENT_INTERRUPT);
    cr_assert(frame.id.is_number);
    cr_assert_str_eq(frame.id.text, "42");
}

Test(frames, audio_comes_as_base64)
{
    decode_json("{\"type\":\"audio\",\"data\":\"AAEC\"}");
    cr_assert_eq(frame.type, CLIENT_AUDIO);
    cr_assert_eq(body->size_bytes, 3);
    cr_assert_eq(memcmp(body->bytes, "\0\1\2", 3), 0);
}

Test(frames, malformed_json_is_a_problem_of_its_own)
{
    cr_assert_eq(reason_of(""), PROBLEM_MALFORMED_JSON);
    cr_assert_eq(reason_of("{"), PROBLEM_MALFORMED_JSON);
    cr_assert_eq(reason_of("[]"), PROBLEM_MALFORMED_JSON);
    cr_assert_eq(reason_of("{\"type\":\"end\"} x"), PROBLEM_MALFORMED_JSON);
    cr_assert_eq(reason_of("{\"type\":\"end\",}"), PROBLEM_MALFORMED_JSON);
}

Test(frames, deep_nesting_is_refused_before_it_is_parsed)
{
    char deep[4096];
    memset(deep, '[', sizeof(deep) - 1);
    deep[sizeof(deep) - 1] = '\0';
    cr_assert_eq(reason_of(deep), PROBLEM_MALFORMED_JSON);
}

Test(frames, wrong_types_and_unknown_types_are_named)
{
    cr_assert_eq(reason_of("{\"type\":\"turn\",\"text\":5}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"turn\"}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"turn\",\"text\":\"\"}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"mode\",\"mode\":\"smell\"}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"audio\",\"data\":\"%%\"}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"end\",\"id\":{}}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"end\",\"id\":1.5}"), PROBLEM_INVALID_FIELD);
    cr_assert_eq(reason_of("{\"type\":\"dance\"}"), PROBLEM_UNKNOWN_TYPE);
    cr_assert_eq(reason_of("{}"), PROBLEM_UNKNOWN_TYPE);
}

Test(frames, an_id_that_is_too_long_is_refused)
{
    char text[200];
    snprintf(text, sizeof(text), "{\"type\":\"end\",\"id\":\"%0100d\"}", 7);
    cr_assert_eq(reason_of(text), PROBLEM_INVALID_FIELD);
}

Test(frames, a_number_that_cannot_be_echoed_exactly_is_no_id)
{
    cr_assert_eq(reason_of("{\"type\":\"end\",\"id\":9007199254740992}"), PROBLEM_NONE);
    cr_assert_eq(reason_of("{\"type\":\"end\",\"id\":1e300}"), PROBLEM_INVALID_FIELD);
    decode(WIRE_MSGPACK,
           "\x82\xa4type\xa3"
           "end\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff",
           22);
    cr_assert_eq(frame.problem.reason, PROBLEM_INVALID_FIELD);
}

Test(frames, an_escaped_zero_is_refused_not_cut_at)
{
    cr_assert_eq(reason_of("{\"type\":\"turn\",\"text\":\"pay\\u0000ment\"}"),
                 PROBLEM_MALFORMED_JSON);
    cr_assert_eq(reason_of("{\"type\":\"turn\",\"text\":\"pay\\u00g0ment\"}"),
                 PROBLEM_MALFORMED_JSON, "to cJSON that is a zero, too");
    decode_json("{\"type\":\"turn\",\"text\":\"pay\\\\u0000ment\"}");
    cr_assert(body_is("pay\\u0000ment"), "that one is a backslash and text");
}

Test(frames, texts_in_messagepack_are_utf8_without_zero_bytes)
{
    static const char *const values[] = {"\xa2"
                                         "a\xff",
                                         "\xa2"
                                         "a\0"};
    for (size_t i = 0; i < 2; i++) {
        char turn[32] = "\x82\xa4type\xa4turn\xa4text", id[32] = "\x82\xa4type\xa3"
                                                                 "end\xa2id";
        memcpy(turn + 16, values[i], 3);
        memcpy(id + 13, values[i], 3);
        decode(WIRE_MSGPACK, turn, 19);
        cr_assert_eq(frame.problem.reason, PROBLEM_INVALID_FIELD, "%zu", i);
        decode(WIRE_MSGPACK, id, 16);
        cr_assert_eq(frame.problem.reason, PROBLEM_INVALID_FIELD, "%zu", i);
    }
}

Test(frames, a_refused_type_is_shown_in_whole_characters)
{
    decode_json("{\"type\":\"123456789012345678901234567890123456789\xc3\xb1\"}");
    cr_assert_str_eq(frame.problem.detail,
                     "no frame type \"123456789012345678901234567890123456789\"");
}

Test(frames, only_audio_may_be_large)
{
    size_t size = FRAME_JSON_BYTES_MAX + 100;
    char *text = malloc(size + 64);
    memset(text, 'a', size + 64);
    memcpy(text, "{\"type\":\"turn\",\"text\":\"", 23);
    strcpy(text + size - 2, "\"}");
    cr_assert_eq(reason_of(text), PROBLEM_TOO_BIG);

    memcpy(text, "{\"type\":\"audio\",\"data\":\"", 24);
    size_t digits = (size - 2 - 24) / 4 * 4;
    memset(text + 24, 'A', digits);
    strcpy(text + 24 + digits, "\"}");
    decode_json(text);
    cr_assert_eq(frame.type, CLIENT_AUDIO);
    free(text);
}

Test(frames, audio_beyond_its_limit_is_refused)
{
    size_t digits = (FRAME_AUDIO_BYTES_MAX + 300) / 3 * 4;
    char *text = malloc(digits + 64);
    memcpy(text, "{\"type\":\"audio\",\"data\":\"", 24);
    memset(text + 24, 'A', digits);
    strcpy(text + 24 + digits, "\"}");
    cr_assert_eq(reason_of(text), PROBLEM_TOO_BIG);
    free(text);
}

static msgpack_sbuffer packed;

static void
pack_turn(void)
{
    msgpack_packer packer;
    msgpack_sbuffer_init(&packed);
    msgpack_packer_init(&packer, &packed, msgpack_sbuffer_write);
    msgpack_pack_map(&packer, 3);
    msgpack_pack_str_with_body(&packer, "type", 4);
    msgpack_pack_str_with_body(&packer, "turn", 4);
    msgpack_pack_str_with_body(&packer, "id", 2);
    msgpack_pack_int(&packer, -7);
    msgpack_pack_str_with_body(&packer, "text", 4);
    msgpack_pack_str_with_body(&packer, "hola", 4);
}

Test(frames, a_turn_in_messagepack_is_the_same_turn)
{
    pack_turn();
    decode(WIRE_MSGPACK, packed.data, packed.size);
    cr_assert_eq(frame.type, CLIENT_TURN);
    cr_assert(frame.id.is_number);
    cr_assert_str_eq(frame.id.text, "-7");
    cr_assert(body_is("hola"));
}

Test(frames, messagepack_cut_short_anywhere_is_malformed)
{
    pack_turn();
    for (size_t size = 0; size < packed.size; size++) {
        decode(WIRE_MSGPACK, packed.data, size);
        cr_assert_eq(frame.type, CLIENT_BAD);
        cr_assert_eq(frame.problem.reason, PROBLEM_MALFORMED_MSGPACK);
    }
}

Test(frames, messagepack_that_announces_more_than_it_has_allocates_nothing)
{
    static const unsigned char array[] = {0xdd, 0xff, 0xff, 0xff, 0xff};
    static const unsigned char map[] = {0xdf, 0x7f, 0xff, 0xff, 0xff, 0xc0};
    static const unsigned char text[] = {0xdb, 0xff, 0xff, 0xff, 0xff, 'a'};
    static const unsigned char bytes[] = {0xc6, 0xff, 0xff, 0xff, 0xf0};
    const struct {
        const void *bytes;
        size_t size;
    } cases[] = {
        {array, sizeof(array)}, {map, sizeof(map)}, {text, sizeof(text)}, {bytes, sizeof(bytes)}};
    for (size_t i = 0; i < RT_COUNT_OF(cases); i++) {
        decode(WIRE_MSGPACK, cases[i].bytes, cases[i].size);
        cr_assert_eq(frame.problem.reason, PROBLEM_MALFORMED_MSGPACK);
    }
}

Test(frames, audio_in_messagepack_is_raw)
{
    static const unsigned char bytes[] = {0x82, 0xa4, 't', 'y', 'p', 'e', 0xa5, 'a', 'u',  'd', 'i',
                                          'o',  0xa4, 'd', 'a', 't', 'a', 0xc4, 2,   0xff, 0};
    decode(WIRE_MSGPACK, bytes, sizeof(bytes));
    cr_assert_eq(frame.type, CLIENT_AUDIO);
    cr_assert_eq(body->size_bytes, 2);
}

static struct frame_out
refused(void)
{
    struct frame_out out = {.type = FRAME_TURN_REFUSED, .seq = 9, .session_id = "ses_1"};
    strcpy(out.id.text, "t\"1");
    out.error.problem = problem_make(PROBLEM_MONTHLY_HARD_LIMIT, NULL);
    out.error.problem.has_money = true;
    out.error.problem.limit_nusd = VITO_NUSD_PER_USD;
    out.error.problem.posted_nusd = 990000000;
    out.error.problem.resets_at_ms = 1764547200000;
    return out;
}

Test(frames, a_refusal_in_json_says_status_reason_and_money)
{
    struct frame_out out = refused();
    struct wire_bytes bytes;
    cr_assert_eq(frame_encode(WIRE_JSON, &out, NULL, 0, &bytes), RT_OK);
    cJSON *json = cJSON_ParseWithLength((const char *)bytes.bytes, bytes.size_bytes);
    cr_assert_not_null(json);
    cr_assert_str_eq(cJSON_GetObjectItem(json, "type")->valuestring, "turn.refused");
    cr_assert_str_eq(cJSON_GetObjectItem(json, "id")->valuestring, "t\"1");
    const cJSON *problem = cJSON_GetObjectItem(json, "problem");
    cr_assert_eq(cJSON_GetObjectItem(problem, "status")->valueint, 402);
    cr_assert_str_eq(cJSON_GetObjectItem(problem, "title")->valuestring, "Twin is sleeping");
    cr_assert_str_eq(cJSON_GetObjectItem(problem, "reason")->valuestring, "monthly_hard_limit");
    cr_assert_str_eq(cJSON_GetObjectItem(problem, "limit_usd")->valuestring, "1.000000000");
    cr_assert_str_eq(cJSON_GetObjectItem(problem, "posted_usd")->valuestring, "0.990000000");
    cr_assert_str_eq(cJSON_GetObjectItem(problem, "resets_at")->valuestring,
                     "2025-12-01T00:00:00.000Z");
    cJSON_Delete(json);
}

Test(frames, a_text_is_read_again_as_it_was_wherever_its_special_characters_stand)
{
    static const char specials[] = "\"\\\n\t\x1f\x7f ";
    for (size_t size = 1; size <= 26; size++) {
        for (size_t i = 0; i < size * (sizeof(specials) - 1); i++) {
            char text[27] = "abcdefghijklmnopqrstuvwxyz";
            text[size] = '\0';
            text[i % size] = specials[i / size];
            struct frame_out out = {.type = FRAME_OUTPUT_TEXT, .session_id = "s"};
            struct wire_bytes bytes;
            cr_assert_eq(frame_encode(WIRE_JSON, &out, text, size, &bytes), RT_OK);
            cJSON *json = cJSON_ParseWithLength((const char *)bytes.bytes, bytes.size_bytes);
            cr_assert_not_null(json, "%s", text);
            cr_assert_str_eq(cJSON_GetObjectItem(json, "delta")->valuestring, text);
            cr_assert_null(memchr(bytes.bytes, specials[4], bytes.size_bytes), "bare control");
            cJSON_Delete(json);
        }
    }
}

Test(frames, the_same_frame_in_messagepack_has_the_same_members)
{
    struct frame_out out = refused();
    struct wire_bytes bytes;
    cr_assert_eq(frame_encode(WIRE_MSGPACK, &out, NULL, 0, &bytes), RT_OK);
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t used = 0;
    cr_assert_eq(msgpack_unpack_next(&unpacked, (const char *)bytes.bytes, bytes.size_bytes, &used),
                 MSGPACK_UNPACK_SUCCESS);
    cr_assert_eq(used, bytes.size_bytes);
    cr_assert_eq(unpacked.data.type, MSGPACK_OBJECT_MAP);
    cr_assert_eq(unpacked.data.via.map.size, 5);
    msgpack_unpacked_destroy(&unpacked);
}

Test(frames, audio_output_is_base64_in_json_and_raw_in_messagepack)
{
    struct frame_out out = {.type = FRAME_OUTPUT_AUDIO, .session_id = "s"};
    strcpy(out.format, "pcm_s16le;rate=24000;channels=1");
    struct wire_bytes bytes;
    cr_assert_eq(frame_encode(WIRE_JSON, &out, "\0\1\2", 3, &bytes), RT_OK);
    cr_assert_not_null(memmem(bytes.bytes, bytes.size_bytes, "\"data\":\"AAEC\"", 13));
    cr_assert_eq(frame_encode(WIRE_MSGPACK, &out, "\0\1\2", 3, &bytes), RT_OK);
    cr_assert_not_null(memmem(bytes.bytes, bytes.size_bytes,
                              "\xa4"
                              "data\xc4\x03\0\1\2",
                              10));
}

Test(frames, a_join_object_crosses_as_it_is)
{
    static const char join[] = "{\"type\":\"tavus\",\"n\":[1,true,null,\"x\"]}";
    struct frame_out out = {.type = FRAME_SESSION_STARTED, .session_id = "s"};
    out.started.mode = VITO_VIDEO;
    struct wire_bytes bytes;
    cr_assert_eq(frame_encode(WIRE_JSON, &out, join, strlen(join), &bytes), RT_OK);
    cr_assert_not_null(memmem(bytes.bytes, bytes.size_bytes, join, strlen(join)));
    cr_assert_eq(frame_encode(WIRE_MSGPACK, &out, join, strlen(join), &bytes), RT_OK);
    cr_assert_not_null(memmem(bytes.bytes, bytes.size_bytes, "tavus", 5));
}
