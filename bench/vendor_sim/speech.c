#include "bench/vendor_sim/speech.h"

#include <string.h>

static bool
voice_is_named(const cJSON *voice)
{
    const cJSON *id = cJSON_IsObject(voice) ? cJSON_GetObjectItem(voice, "id") : voice;
    return cJSON_IsString(id) && id->valuestring[0] != '\0';
}

/* Speed is a factor between 0.6 and 1.5; 1 when it is not given. */
static bool
read_speed(const cJSON *config, uint32_t *per_mille_out)
{
    const cJSON *speed = cJSON_GetObjectItem(config, "speed");
    *per_mille_out = 1000;
    if (speed == NULL || cJSON_IsNull(speed))
        return true;
    if (!cJSON_IsNumber(speed) || speed->valuedouble < 0.6 || speed->valuedouble > 1.5)
        return false;
    *per_mille_out = (uint32_t)(speed->valuedouble * 1000 + 0.5);
    return true;
}

/* MP3 is what the vendor can do and we cannot. */
static bool
read_format(struct sim_speech *speech, const cJSON *format)
{
    const cJSON *container = cJSON_GetObjectItem(format, "container");
    const cJSON *encoding = cJSON_GetObjectItem(format, "encoding");
    const cJSON *rate = cJSON_GetObjectItem(format, "sample_rate");
    if (!cJSON_IsString(container) || !cJSON_IsString(encoding) || !cJSON_IsNumber(rate))
        return false;
    speech->is_wav = strcmp(container->valuestring, "wav") == 0;
    if (!speech->is_wav && strcmp(container->valuestring, "raw") != 0)
        return false;
    return sim_audio_format_named(encoding->valuestring, rate->valueint, &speech->format);
}

const char *
sim_speech_read(struct sim_speech *speech, const cJSON *body)
{
    const cJSON *model = cJSON_GetObjectItem(body, "model_id");
    if (!cJSON_IsObject(body))
        return "the body must be a JSON object";
    if (!cJSON_IsString(model) || model->valuestring[0] == '\0')
        return "model_id is required";
    if (!cJSON_IsString(cJSON_GetObjectItem(body, "transcript")))
        return "transcript is required";
    if (!voice_is_named(cJSON_GetObjectItem(body, "voice")))
        return "voice must be an id, or an object with one";
    if (!read_format(speech, cJSON_GetObjectItem(body, "output_format")))
        return "output_format is not one the simulator makes (raw or wav, PCM)";
    if (!read_speed(cJSON_GetObjectItem(body, "generation_config"), &speech->speed_per_mille))
        return "generation_config.speed must be between 0.6 and 1.5";
    return NULL;
}

void
sim_speech_add(struct sim_speech *speech, const char *transcript)
{
    speech->total_ms += sim_audio_ms_of(transcript, speech->speed_per_mille);
}

uint64_t
sim_speech_chunks(const struct sim_speech *speech, uint64_t made)
{
    uint64_t left_ms = speech->total_ms - speech->made_ms;
    return made + (left_ms + SIM_AUDIO_CHUNK_MS - 1) / SIM_AUDIO_CHUNK_MS;
}

bool
sim_speech_make(struct sim_speech *speech, struct net_bytes *out)
{
    uint64_t begin_ms = speech->made_ms, end_ms = begin_ms + SIM_AUDIO_CHUNK_MS;
    if (end_ms > speech->total_ms)
        end_ms = speech->total_ms;
    speech->made_ms = end_ms;
    speech->untaken_ms += end_ms - begin_ms;
    return sim_audio_append(out, &speech->format, begin_ms, end_ms);
}

int64_t
sim_speech_take(struct sim_speech *speech)
{
    int64_t taken_ms = (int64_t)speech->untaken_ms;
    speech->untaken_ms = 0;
    return taken_ms;
}
