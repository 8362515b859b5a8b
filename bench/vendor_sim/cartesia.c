/*
 * Cartesia's text to speech over HTTP, as bytes and as events, as the simulator speaks it.
 *
 * Source: npm @cartesia/cartesia-js 4.2.0 and docs.cartesia.ai (tts/bytes, tts/sse, api-errors),
 * read 2026-11.
 */
#include "bench/vendor_sim/cartesia.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/assert.h"
#include "runtime/world.h"

/* A request that is being spoken. */
struct reading {
    struct sim_speech speech;
    bool is_events; /* /tts/sse, not /tts/bytes */
    bool is_begun;
    char context_id[SIM_ID_BYTES];
};

uint64_t
cartesia_chunk_ns(const struct sim_exchange *exchange)
{
    uint64_t speed_per_mille = exchange->sim->options->media_speed_per_mille;
    return sim_exchange_pace_ns(exchange,
                                SIM_AUDIO_CHUNK_MS * RT_NS_PER_MS * 1000 / speed_per_mille);
}

static char *
print(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);
    RT_ASSERT(text != NULL);
    cJSON_Delete(object);
    return text;
}

static char *
base64_of(const struct net_bytes *bytes)
{
    size_t size_bytes = net_bytes_size(bytes);
    char *text = malloc((size_bytes + 2) / 3 * 4 + 1);
    RT_ASSERT(text != NULL);
    text[0] = '\0';
    EVP_EncodeBlock((uint8_t *)text, net_bytes_data(bytes), (int)size_bytes);
    return text;
}

char *
cartesia_chunk_event(struct sim_speech *speech, const char *context_id)
{
    struct net_bytes audio = {0};
    bool made = sim_speech_make(speech, &audio);
    RT_ASSERT(made);
    char *data = base64_of(&audio);
    net_bytes_clear(&audio);
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "type", "chunk");
    cJSON_AddStringToObject(event, "context_id", context_id);
    cJSON_AddStringToObject(event, "data", data);
    cJSON_AddBoolToObject(event, "done", false);
    cJSON_AddNumberToObject(event, "status_code", 206);
    cJSON_AddNumberToObject(event, "step_time", 1);
    free(data);
    return print(event);
}

char *
cartesia_done_event(const char *context_id)
{
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "type", "done");
    cJSON_AddStringToObject(event, "context_id", context_id);
    cJSON_AddBoolToObject(event, "done", true);
    cJSON_AddNumberToObject(event, "status_code", 200);
    return print(event);
}

cJSON *
cartesia_error(const struct sim_exchange *exchange, int status, const char *code, const char *title,
               const char *message, const char *context_id)
{
    cJSON *error = cJSON_CreateObject();
    if (context_id != NULL) {
        cJSON_AddStringToObject(error, "type", "error");
        cJSON_AddStringToObject(error, "context_id", context_id);
        cJSON_AddBoolToObject(error, "done", true);
        cJSON_AddNumberToObject(error, "status_code", status);
    }
    if (code == NULL)
        cJSON_AddNullToObject(error, "error_code");
    else
        cJSON_AddStringToObject(error, "error_code", code);
    cJSON_AddStringToObject(error, "title", title);
    cJSON_AddStringToObject(error, "message", message);
    cJSON_AddStringToObject(error, "request_id", exchange->request_id);
    return error;
}

static void
fail(struct sim_exchange *exchange, int status, const char *code, const char *title,
     const char *message)
{
    sim_answer_json(exchange, status, cartesia_error(exchange, status, code, title, message, NULL));
}

static void
reject(struct sim_exchange *exchange, const char *message)
{
    fail(exchange, 400, NULL, "Bad request", message);
}

static void
refuse(struct sim_exchange *exchange, enum sim_refusal refusal)
{
    switch (refusal) {
    case SIM_REFUSAL_KEY:
        fail(exchange, 401, NULL, "Unauthorized", "The API key is missing or invalid.");
        break;
    case SIM_REFUSAL_RATE:
        exchange->whole.retry_after_s = 1;
        fail(exchange, 429, "concurrency_limited", "Too many requests",
             "Too many concurrent requests.");
        break;
    case SIM_REFUSAL_MONEY:
        fail(exchange, 402, "quota_exceeded", "Payment required", "You are out of credits.");
        break;
    case SIM_REFUSAL_SERVER:
        fail(exchange, 500, NULL, "Internal server error", "Something went wrong.");
        break;
    }
}

/* The value of a query parameter, as it stands there; "" when it is absent. */
static void
read_parameter(const char *query, const char *name, char value_out[SIM_ID_BYTES])
{
    size_t name_bytes = strlen(name);
    value_out[0] = '\0';
    for (const char *at = query; *at != '\0'; at += strcspn(at, "&"), at += *at == '&') {
        if (strncmp(at, name, name_bytes) != 0 || at[name_bytes] != '=')
            continue;
        at += name_bytes + 1;
        snprintf(value_out, SIM_ID_BYTES, "%.*s", (int)strcspn(at, "&"), at);
        return;
    }
}

/* By header, or for browsers in the query. */
static bool
is_authorised(const struct net_request *request)
{
    const char *bearer = net_request_header(request, "authorization");
    char key[SIM_ID_BYTES], token[SIM_ID_BYTES];
    read_parameter(request->query, "api_key", key);
    read_parameter(request->query, "access_token", token);
    if (bearer != NULL && strncasecmp(bearer, "bearer ", 7) == 0)
        return sim_key_is_known(bearer + 7);
    return sim_key_is_known(net_request_header(request, "x-api-key")) || sim_key_is_known(key) ||
           sim_key_is_known(token);
}

static bool
names_version(const struct net_request *request)
{
    char version[SIM_ID_BYTES];
    read_parameter(request->query, "cartesia_version", version);
    return version[0] != '\0' || net_request_header(request, "cartesia-version") != NULL;
}

static void
begin(struct sim_exchange *exchange)
{
    struct reading *reading = exchange->state;
    const struct sim_speech *speech = &reading->speech;
    reading->is_begun = true;
    if (reading->is_events) {
        sim_stream_begin(exchange, 200, "text/event-stream");
        return;
    }
    sim_stream_begin(exchange, 200, speech->is_wav ? "audio/wav" : "audio/pcm");
    if (!speech->is_wav)
        return;
    uint8_t header[SIM_WAV_HEADER_BYTES];
    sim_audio_wav_header(&speech->format, speech->total_ms, header);
    sim_stream_write(exchange, header, sizeof(header));
}

static void
write_event(struct sim_exchange *exchange, char *event)
{
    sim_stream_write(exchange, "data: ", 6);
    sim_stream_write(exchange, event, strlen(event));
    sim_stream_write(exchange, "\n\n", 2);
    free(event);
}

static void
write_bytes(struct sim_exchange *exchange, struct sim_speech *speech)
{
    struct net_bytes audio = {0};
    bool made = sim_speech_make(speech, &audio);
    RT_ASSERT(made);
    sim_stream_write(exchange, net_bytes_data(&audio), net_bytes_size(&audio));
    net_bytes_clear(&audio);
}

static void
make(struct sim_production *production, uint64_t index)
{
    (void)index;
    struct sim_exchange *exchange = sim_exchange_of(production);
    struct reading *reading = exchange->state;
    if (!reading->is_begun)
        begin(exchange);
    if (reading->is_events)
        write_event(exchange, cartesia_chunk_event(&reading->speech, reading->context_id));
    else
        write_bytes(exchange, &reading->speech);
}

static void
taken(struct sim_production *production)
{
    struct sim_exchange *exchange = sim_exchange_of(production);
    struct reading *reading = exchange->state;
    sim_exchange_bill(exchange, 0, sim_speech_take(&reading->speech));
}

static void
finish(struct sim_production *production)
{
    struct sim_exchange *exchange = sim_exchange_of(production);
    const struct reading *reading = exchange->state;
    if (reading->is_events)
        write_event(exchange, cartesia_done_event(reading->context_id));
    sim_stream_end(exchange);
}

static void
end(struct sim_exchange *exchange)
{
    free(exchange->state);
}

/* Reads a body into `reading`. Returns what is wrong with it, or NULL. */
static const char *
read_body(struct reading *reading, const cJSON *body)
{
    const char *problem = sim_speech_read(&reading->speech, body);
    if (problem != NULL)
        return problem;
    if (reading->is_events && reading->speech.is_wav)
        return "output_format.container must be raw for events";
    sim_speech_add(&reading->speech, cJSON_GetObjectItem(body, "transcript")->valuestring);
    if (reading->speech.total_ms == 0)
        return "transcript is empty";
    const cJSON *context = cJSON_GetObjectItem(body, "context_id");
    if (cJSON_IsString(context))
        snprintf(reading->context_id, sizeof(reading->context_id), "%s", context->valuestring);
    return NULL;
}

static void
speak(struct sim_exchange *exchange, const struct net_request *request, bool is_events)
{
    struct reading *reading = calloc(1, sizeof(*reading));
    RT_ASSERT(reading != NULL);
    exchange->state = reading;
    exchange->end = end;
    reading->is_events = is_events;
    sim_make_id(exchange->sim, "context-", reading->context_id);
    cJSON *body = cJSON_ParseWithLength((const char *)request->body, request->body_bytes);
    const char *problem = read_body(reading, body);
    cJSON_Delete(body);
    if (problem != NULL) {
        reject(exchange, problem);
        return;
    }
    exchange->production.make = make;
    exchange->production.taken = taken;
    exchange->production.finish = finish;
    sim_exchange_produce(exchange, sim_speech_chunks(&reading->speech, 0),
                         cartesia_chunk_ns(exchange));
}

static const struct voice {
    const char *id, *name, *language, *gender;
} voices[] = {
    {"f786b574-daa5-4673-aa0c-cbe3e8534c02", "Katie", "en", "feminine"},
    {"5ee9feff-1265-424a-9d7f-8e4d431a12c7", "Ronald", "en", "masculine"},
    {"15d0c2e2-8d29-44c3-be23-d585d5f154a1", "Pedro", "es", "masculine"},
};

static cJSON *
voice_json(const struct voice *voice)
{
    cJSON *object = cJSON_CreateObject();
    cJSON_AddStringToObject(object, "id", voice->id);
    cJSON_AddStringToObject(object, "name", voice->name);
    cJSON_AddStringToObject(object, "description", "A voice of the simulator: a tone.");
    cJSON_AddStringToObject(object, "language", voice->language);
    cJSON_AddStringToObject(object, "gender", voice->gender);
    cJSON_AddBoolToObject(object, "is_owner", false);
    cJSON_AddBoolToObject(object, "is_public", true);
    cJSON_AddStringToObject(object, "created_at", "2026-01-01T00:00:00.000Z");
    return object;
}

/* The place of the voice of that id, or RT_COUNT_OF(voices). */
static size_t
voice_index(const char *id)
{
    size_t index = 0;
    while (index < RT_COUNT_OF(voices) && strcmp(voices[index].id, id) != 0)
        index++;
    return index;
}

/* A page of voices: those after the id the client saw last. */
static void
list_voices(struct sim_exchange *exchange, const char *query)
{
    char last[SIM_ID_BYTES], limit[SIM_ID_BYTES];
    read_parameter(query, "starting_after", last);
    read_parameter(query, "limit", limit);
    size_t index = last[0] == '\0' ? 0 : voice_index(last) + 1;
    size_t left = limit[0] == '\0' ? RT_COUNT_OF(voices) : strtoul(limit, NULL, 10);
    cJSON *body = cJSON_CreateObject();
    cJSON *data = cJSON_AddArrayToObject(body, "data");
    const char *newest = NULL;
    for (; index < RT_COUNT_OF(voices) && left > 0; index++, left--) {
        cJSON_AddItemToArray(data, voice_json(&voices[index]));
        newest = voices[index].id;
    }
    bool has_more = newest != NULL && index < RT_COUNT_OF(voices);
    cJSON_AddBoolToObject(body, "has_more", has_more);
    if (has_more)
        cJSON_AddStringToObject(body, "next_page", newest);
    else
        cJSON_AddNullToObject(body, "next_page");
    sim_answer_json(exchange, 200, body);
}

static void
show_voice(struct sim_exchange *exchange, const char *id)
{
    size_t index = voice_index(id);
    if (index < RT_COUNT_OF(voices))
        sim_answer_json(exchange, 200, voice_json(&voices[index]));
    else
        fail(exchange, 404, NULL, "Not found", "There is no such voice.");
}

static void
answer(struct sim_exchange *exchange, const struct net_request *request, const char *path)
{
    static const char voice_prefix[] = "/voices/";
    bool posts = strcmp(request->method, "POST") == 0, gets = strcmp(request->method, "GET") == 0;
    if (!names_version(request))
        reject(exchange, "the Cartesia-Version header is required");
    else if (posts && strcmp(path, "/tts/bytes") == 0)
        speak(exchange, request, false);
    else if (posts && strcmp(path, "/tts/sse") == 0)
        speak(exchange, request, true);
    else if (request->wants_websocket && strcmp(path, "/tts/websocket") == 0)
        cartesia_socket_open(exchange);
    else if (gets && (strcmp(path, "/voices") == 0 || strcmp(path, voice_prefix) == 0))
        list_voices(exchange, request->query);
    else if (gets && strncmp(path, voice_prefix, sizeof(voice_prefix) - 1) == 0)
        show_voice(exchange, path + sizeof(voice_prefix) - 1);
    else
        fail(exchange, 404, NULL, "Not found", "There is no such endpoint.");
}

const struct sim_vendor sim_cartesia = {.name = "cartesia",
                                        .is_authorised = is_authorised,
                                        .answer = answer,
                                        .refuse = refuse,
                                        .take_message = cartesia_socket_take};
