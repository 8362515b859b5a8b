/* What simulated speech promises: sixty milliseconds a character, as many samples as that, and
 * pieces that fit together. */
#include <criterion/criterion.h>
#include <string.h>

#include "bench/vendor_sim/speech.h"

TestSuite(sim_audio, .timeout = 60);

static struct sim_audio_format
format(const char *encoding, int rate)
{
    struct sim_audio_format found;
    cr_assert(sim_audio_format_named(encoding, rate, &found));
    return found;
}

Test(sim_audio, a_character_lasts_sixty_milliseconds_at_speed_one)
{
    cr_assert_eq(sim_audio_ms_of("", 1000), 0);
    cr_assert_eq(sim_audio_ms_of("hello", 1000), 300);
    cr_assert_eq(sim_audio_ms_of("a\u00f1o", 1000), 180, "characters, not bytes");
    cr_assert_eq(sim_audio_ms_of("hello", 1500), 200);
    cr_assert_eq(sim_audio_ms_of("hello", 600), 500);
}

Test(sim_audio, formats_are_those_of_the_vendor)
{
    struct sim_audio_format found;
    cr_assert(sim_audio_format_named("pcm_f32le", 44100, &found));
    cr_assert_not(sim_audio_format_named("pcm_s16le", 12345, &found));
    cr_assert_not(sim_audio_format_named("mp3", 44100, &found));
}

Test(sim_audio, a_second_has_as_many_bytes_as_its_format_says)
{
    static const struct {
        const char *encoding;
        int rate;
        size_t bytes;
    } cases[] = {{"pcm_s16le", 24000, 48000},
                 {"pcm_f32le", 22050, 88200},
                 {"pcm_mulaw", 8000, 8000},
                 {"pcm_alaw", 8000, 8000}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct net_bytes bytes = {0};
        struct sim_audio_format of = format(cases[i].encoding, cases[i].rate);
        cr_assert(sim_audio_append(&bytes, &of, 0, 1000));
        cr_assert_eq(net_bytes_size(&bytes), cases[i].bytes, "%s", cases[i].encoding);
        net_bytes_clear(&bytes);
    }
}

Test(sim_audio, pieces_are_the_whole_however_it_is_cut)
{
    struct sim_audio_format of = format("pcm_s16le", 22050);
    struct net_bytes whole = {0}, pieces = {0};
    cr_assert(sim_audio_append(&whole, &of, 0, 997));
    for (uint64_t at = 0; at < 997; at += 83)
        cr_assert(sim_audio_append(&pieces, &of, at, at + 83 > 997 ? 997 : at + 83));
    cr_assert_eq(net_bytes_size(&whole), net_bytes_size(&pieces));
    cr_assert_eq(memcmp(net_bytes_data(&whole), net_bytes_data(&pieces), net_bytes_size(&whole)),
                 0);
    net_bytes_clear(&whole);
    net_bytes_clear(&pieces);
}

Test(sim_audio, the_tone_swings_evenly)
{
    struct sim_audio_format of = format("pcm_s16le", 48000);
    struct net_bytes bytes = {0};
    cr_assert(sim_audio_append(&bytes, &of, 0, 1000));
    int16_t highest = 0, lowest = 0;
    for (size_t i = 0; i < net_bytes_size(&bytes); i += 2) {
        int16_t sample;
        memcpy(&sample, net_bytes_data(&bytes) + i, sizeof(sample));
        highest = sample > highest ? sample : highest;
        lowest = sample < lowest ? sample : lowest;
    }
    cr_assert(highest > 7500 && highest <= 8000, "%d", highest);
    cr_assert(lowest < -7500 && lowest >= -8000, "%d", lowest);
    net_bytes_clear(&bytes);
}

Test(sim_audio, a_wav_header_tells_the_format_and_the_sizes)
{
    uint8_t header[SIM_WAV_HEADER_BYTES];
    struct sim_audio_format of = format("pcm_s16le", 16000);
    sim_audio_wav_header(&of, 1000, header);
    static const uint8_t wanted[SIM_WAV_HEADER_BYTES] =
        "RIFF\x24\x7D\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\x3E\0\0\0\x7D\0\0\x02\0\x10\0data\0\x7D"
        "\0";
    cr_assert_eq(memcmp(header, wanted, sizeof(header)), 0);
}

#define FORMAT                                                                                     \
    "\"output_format\":{\"container\":\"raw\",\"encoding\":\"pcm_s16le\",\"sample_rate\":24000}"
#define REQUEST(more)                                                                              \
    "{\"model_id\":\"sonic-3\",\"transcript\":\"hello\",\"voice\":{\"mode\":\"id\",\"id\":\"v\"}"  \
    "," FORMAT more "}"

static const char *
problem_of(const char *json, struct sim_speech *speech)
{
    *speech = (struct sim_speech){0};
    cJSON *body = cJSON_Parse(json);
    const char *problem = sim_speech_read(speech, body);
    cJSON_Delete(body);
    return problem;
}

Test(sim_audio, a_request_names_model_text_voice_and_format)
{
    struct sim_speech speech;
    cr_assert_null(problem_of(REQUEST(""), &speech));
    cr_assert_null(problem_of(REQUEST(",\"generation_config\":{\"speed\":1.5}"), &speech));
    cr_assert_eq(speech.speed_per_mille, 1500);
    static const char *const bad[] = {
        "[]",
        "nonsense",
        "{}",
        "{\"model_id\":\"m\",\"transcript\":5,\"voice\":\"v\"," FORMAT "}",
        "{\"model_id\":\"m\",\"transcript\":\"t\",\"voice\":{}," FORMAT "}",
        "{\"model_id\":\"m\",\"transcript\":\"t\",\"voice\":\"v\"}",
        "{\"model_id\":\"m\",\"transcript\":\"t\",\"voice\":\"v\",\"output_format\":"
        "{\"container\":\"mp3\",\"encoding\":\"pcm_s16le\",\"sample_rate\":44100}}",
        REQUEST(",\"generation_config\":{\"speed\":9}"),
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_assert_not_null(problem_of(bad[i], &speech), "%s", bad[i]);
}

Test(sim_audio, chunks_are_a_tenth_of_a_second_and_the_last_is_the_rest)
{
    struct sim_speech speech;
    problem_of(REQUEST(""), &speech);
    sim_speech_add(&speech, "hello th"); /* 480 ms */
    cr_assert_eq(sim_speech_chunks(&speech, 0), 5);
    struct net_bytes bytes = {0};
    for (uint64_t made = 1; made <= 5; made++) {
        cr_assert(sim_speech_make(&speech, &bytes));
        cr_assert_eq(sim_speech_take(&speech), made < 5 ? 100 : 80);
        cr_assert_eq(sim_speech_take(&speech), 0);
    }
    cr_assert_eq(net_bytes_size(&bytes), 480 * 48);
    sim_speech_add(&speech, "ere!"); /* 240 ms more */
    cr_assert_eq(sim_speech_chunks(&speech, 5), 8);
    net_bytes_clear(&bytes);
}
