/*
 * bench/vendor_sim/speech.h - a request for speech as Cartesia takes it, and how far its audio is.
 */
#ifndef BENCH_VENDOR_SIM_SPEECH_H
#define BENCH_VENDOR_SIM_SPEECH_H

#include <cjson/cJSON.h>

#include "bench/vendor_sim/audio.h"

struct sim_speech {
    struct sim_audio_format format;
    bool is_wav;
    uint32_t speed_per_mille;
    uint64_t total_ms;
    uint64_t made_ms;
    uint64_t untaken_ms; /* made, and not yet taken by the connection */
};

/* Reads model, voice, format and speed. Returns what is wrong with them, or NULL. */
const char *sim_speech_read(struct sim_speech *speech, const cJSON *body);

/* Adds a text to be spoken. */
void sim_speech_add(struct sim_speech *speech, const char *transcript);

/* How many chunks there are in all, when `made` of them are made. */
uint64_t sim_speech_chunks(const struct sim_speech *speech, uint64_t made);

/* Appends the next chunk of audio. False when out of memory. */
RT_MUST_USE bool sim_speech_make(struct sim_speech *speech, struct net_bytes *out);

/* How much was taken since the last call, in ms. */
int64_t sim_speech_take(struct sim_speech *speech);

#endif
