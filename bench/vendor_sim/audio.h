/*
 * bench/vendor_sim/audio.h - simulated speech: how long a text lasts, and its sound, a tone.
 */
#ifndef BENCH_VENDOR_SIM_AUDIO_H
#define BENCH_VENDOR_SIM_AUDIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/bytes.h"

enum { SIM_AUDIO_CHUNK_MS = 100, SIM_AUDIO_MS_PER_CHARACTER = 60, SIM_WAV_HEADER_BYTES = 44 };

enum sim_encoding { SIM_PCM_F32LE, SIM_PCM_S16LE, SIM_PCM_MULAW, SIM_PCM_ALAW };

struct sim_audio_format {
    enum sim_encoding encoding;
    uint32_t sample_rate;
};

/* The format of that name ("pcm_s16le") and rate. False when the vendor knows no such format. */
bool sim_audio_format_named(const char *encoding, int sample_rate, struct sim_audio_format *out);

/* How long a text in UTF-8 is spoken; `speed_per_mille` 1000 is 60 ms a character. */
uint64_t sim_audio_ms_of(const char *text, uint32_t speed_per_mille);

/* Appends the sound between two moments. Adjoining pieces fit together. False: out of memory. */
RT_MUST_USE bool sim_audio_append(struct net_bytes *out, const struct sim_audio_format *format,
                                  uint64_t begin_ms, uint64_t end_ms);

/* The header of a WAV file that lasts so long. */
void sim_audio_wav_header(const struct sim_audio_format *format, uint64_t ms,
                          uint8_t header_out[SIM_WAV_HEADER_BYTES]);

#endif
