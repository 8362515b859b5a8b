#include "bench/vendor_sim/audio.h"

#include <string.h>

#include "runtime/compiler.h"

enum { TONE_HZ = 220, TONE_PEAK = 8000, FULL_SCALE = 32768 };

static const struct encoding {
    const char *name;
    uint8_t sample_bytes;
    uint8_t wav_format; /* WAVE_FORMAT_…: PCM 1, IEEE_FLOAT 3, ALAW 6, MULAW 7 */
} encodings[] = {
    [SIM_PCM_F32LE] = {"pcm_f32le", 4, 3},
    [SIM_PCM_S16LE] = {"pcm_s16le", 2, 1},
    [SIM_PCM_MULAW] = {"pcm_mulaw", 1, 7},
    [SIM_PCM_ALAW] = {"pcm_alaw", 1, 6},
};

bool
sim_audio_format_named(const char *encoding, int sample_rate, struct sim_audio_format *out)
{
    static const int rates[] = {8000, 16000, 22050, 24000, 44100, 48000};
    bool rate_is_known = false;
    for (size_t i = 0; i < RT_COUNT_OF(rates); i++)
        rate_is_known |= rates[i] == sample_rate;
    for (size_t i = 0; i < RT_COUNT_OF(encodings) && rate_is_known; i++) {
        if (strcmp(encodings[i].name, encoding) != 0)
            continue;
        *out = (struct sim_audio_format){(enum sim_encoding)i, (uint32_t)sample_rate};
        return true;
    }
    return false;
}

uint64_t
sim_audio_ms_of(const char *text, uint32_t speed_per_mille)
{
    uint64_t characters = 0;
    for (; *text != '\0'; text++)
        characters += ((uint8_t)*text & 0xC0) != 0x80; /* not in the middle of one */
    return characters * SIM_AUDIO_MS_PER_CHARACTER * 1000 / speed_per_mille;
}

/* A triangle wave. */
static int
tone_at(uint64_t index, uint32_t sample_rate)
{
    uint64_t phase = index * TONE_HZ % sample_rate * 4 * TONE_PEAK / sample_rate;
    int rise = (int)phase;
    if (rise >= 3 * TONE_PEAK)
        return rise - 4 * TONE_PEAK;
    return rise >= TONE_PEAK ? 2 * TONE_PEAK - rise : rise;
}

/* Source: ITU-T G.711, table 2b: sign, exponent and mantissa, all bits inverted. */
static uint8_t
mulaw_of(int sample)
{
    enum { BIAS = 132 };
    int sign = sample < 0 ? 0x80 : 0;
    int magnitude = (sample < 0 ? -sample : sample) + BIAS;
    int exponent = 7;
    while (exponent > 0 && magnitude < 1 << (exponent + 7))
        exponent--;
    int mantissa = magnitude >> (exponent + 3) & 0x0F;
    return (uint8_t) ~(sign | exponent << 4 | mantissa);
}

/* Source: ITU-T G.711, table 2a: every second bit inverted. */
static uint8_t
alaw_of(int sample)
{
    int sign = sample >= 0 ? 0x80 : 0;
    int magnitude = (sample < 0 ? -sample - 1 : sample) >> 4;
    int exponent = 0;
    while (magnitude >> exponent > 31)
        exponent++;
    int code = magnitude < 16 ? magnitude : (exponent + 1) << 4 | (magnitude >> exponent & 0x0F);
    return (uint8_t)((sign | code) ^ 0x55);
}

static void
put_sample(uint8_t *to, enum sim_encoding encoding, int sample)
{
    int16_t pcm = (int16_t)sample;
    float level = (float)sample / FULL_SCALE;
    switch (encoding) {
    case SIM_PCM_F32LE:
        memcpy(to, &level, sizeof(level));
        break;
    case SIM_PCM_S16LE:
        memcpy(to, &pcm, sizeof(pcm));
        break;
    case SIM_PCM_MULAW:
        *to = mulaw_of(sample);
        break;
    case SIM_PCM_ALAW:
        *to = alaw_of(sample);
        break;
    }
}

static uint64_t
samples_in(const struct sim_audio_format *format, uint64_t ms)
{
    return ms * format->sample_rate / 1000;
}

bool
sim_audio_append(struct net_bytes *out, const struct sim_audio_format *format, uint64_t begin_ms,
                 uint64_t end_ms)
{
    size_t sample_bytes = encodings[format->encoding].sample_bytes;
    uint64_t begin = samples_in(format, begin_ms), end = samples_in(format, end_ms);
    size_t size_bytes = (size_t)(end - begin) * sample_bytes;
    uint8_t *to = net_bytes_reserve(out, size_bytes);
    if (to == NULL)
        return false;
    for (uint64_t i = begin; i < end; i++, to += sample_bytes)
        put_sample(to, format->encoding, tone_at(i, format->sample_rate));
    net_bytes_commit(out, size_bytes);
    return true;
}

static uint8_t *
put_little(uint8_t *to, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *to++ = (uint8_t)(value >> (8 * i));
    return to;
}

static uint8_t *
put_name(uint8_t *to, const char name[4])
{
    memcpy(to, name, 4);
    return to + 4;
}

void
sim_audio_wav_header(const struct sim_audio_format *format, uint64_t ms,
                     uint8_t header_out[SIM_WAV_HEADER_BYTES])
{
    const struct encoding *encoding = &encodings[format->encoding];
    uint32_t data_bytes = (uint32_t)(samples_in(format, ms) * encoding->sample_bytes);
    uint8_t *to = put_name(header_out, "RIFF");
    to = put_little(to, data_bytes + SIM_WAV_HEADER_BYTES - 8, 4);
    to = put_name(put_name(to, "WAVE"), "fmt ");
    to = put_little(to, 16, 4); /* bytes of this part */
    to = put_little(to, encoding->wav_format, 2);
    to = put_little(to, 1, 2); /* channel */
    to = put_little(to, format->sample_rate, 4);
    to = put_little(to, format->sample_rate * encoding->sample_bytes, 4);
    to = put_little(to, encoding->sample_bytes, 2);
    to = put_little(to, encoding->sample_bytes * 8u, 2);
    put_little(put_name(to, "data"), data_bytes, 4);
}
