/*
 * Cartesia's text to speech over a WebSocket: many contexts on one connection, each fed by one
 * message or several.
 *
 * Source: npm @cartesia/cartesia-js 4.2.0 (internal/lib/tts/ws) and docs.cartesia.ai
 * (tts/websocket), read 2026-11.
 */
#include <stdlib.h>
#include <string.h>

#include "bench/vendor_sim/cartesia.h"
#include "net/websocket.h"
#include "runtime/assert.h"

enum { CONTEXTS_MAX = 16 };

/* One context while it is spoken, or waits for more text. */
struct context {
    struct sim_production production;
    struct sim_exchange *exchange;
    struct context *next;
    char id[SIM_ID_BYTES];
    struct sim_speech speech;
    bool may_continue;
    bool is_flushing; /* a flush_done is owed when what came before it is spoken */
    unsigned flushes;
};

/* The exchange's state: its contexts. */
struct socket {
    struct context *first;
    unsigned count;
};

static struct context *
context_of(struct sim_production *production)
{
    return RT_CONTAINER_OF(production, struct context, production);
}

/* Audio is made when nothing is queued; only a client that asks and never reads fills the queue. */
static void
send_text(struct sim_exchange *exchange, char *text)
{
    if (net_conn_send(exchange->conn, NET_WS_TEXT, text, strlen(text)) == RT_FULL)
        net_conn_close(exchange->conn, NET_WS_OVERLOAD, "read what you asked for");
    free(text);
}

static void
send_error(struct sim_exchange *exchange, const char *context_id, int status, const char *code,
           const char *message)
{
    cJSON *error = cartesia_error(exchange, status, code, "Bad request", message, context_id);
    send_text(exchange, cJSON_PrintUnformatted(error));
    cJSON_Delete(error);
}

static struct context *
find(const struct socket *socket, const char *id)
{
    for (struct context *context = socket->first; context != NULL; context = context->next)
        if (strcmp(context->id, id) == 0)
            return context;
    return NULL;
}

static void
remove_context(struct context *context)
{
    struct socket *socket = context->exchange->state;
    struct context **at = &socket->first;
    while (*at != context)
        at = &(*at)->next;
    *at = context->next;
    socket->count--;
    sim_production_stop(&context->production);
    free(context);
}

static void
make(struct sim_production *production, uint64_t index)
{
    (void)index;
    struct context *context = context_of(production);
    send_text(context->exchange, cartesia_chunk_event(&context->speech, context->id));
}

static void
taken(struct sim_production *production)
{
    struct context *context = context_of(production);
    sim_exchange_bill(context->exchange, 0, sim_speech_take(&context->speech));
}

static void
send_flush_done(struct context *context)
{
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "type", "flush_done");
    cJSON_AddStringToObject(event, "context_id", context->id);
    cJSON_AddNumberToObject(event, "flush_id", ++context->flushes);
    cJSON_AddBoolToObject(event, "flush_done", true);
    cJSON_AddBoolToObject(event, "done", false);
    cJSON_AddNumberToObject(event, "status_code", 206);
    send_text(context->exchange, cJSON_PrintUnformatted(event));
    cJSON_Delete(event);
    context->is_flushing = false;
}

/* All that came is spoken. */
static void
finish(struct sim_production *production)
{
    struct context *context = context_of(production);
    if (context->is_flushing)
        send_flush_done(context);
    if (context->may_continue)
        return;
    send_text(context->exchange, cartesia_done_event(context->id));
    remove_context(context);
}

static struct context *
add_context(struct sim_exchange *exchange, const char *id)
{
    struct socket *socket = exchange->state;
    struct context *context = calloc(1, sizeof(*context));
    RT_ASSERT(context != NULL);
    context->exchange = exchange;
    snprintf(context->id, sizeof(context->id), "%s", id);
    context->production.timers = exchange->sim->timers;
    context->production.conn = exchange->conn;
    context->production.fault = exchange->fault;
    context->production.make = make;
    context->production.taken = taken;
    context->production.finish = finish;
    context->next = socket->first;
    socket->first = context;
    socket->count++;
    return context;
}

/* Adds what a message says to its context, which is new when it has no format yet. */
static void
speak(struct context *context, const cJSON *body, bool is_new)
{
    context->may_continue = cJSON_IsTrue(cJSON_GetObjectItem(body, "continue"));
    context->is_flushing |= cJSON_IsTrue(cJSON_GetObjectItem(body, "flush"));
    sim_speech_add(&context->speech, cJSON_GetObjectItem(body, "transcript")->valuestring);
    if (is_new)
        sim_production_start(&context->production, sim_speech_chunks(&context->speech, 0),
                             cartesia_chunk_ns(context->exchange),
                             sim_exchange_latency_ms(context->exchange));
    else
        sim_production_extend(&context->production,
                              sim_speech_chunks(&context->speech, context->production.pace.made));
}

static void
take_generation(struct sim_exchange *exchange, const cJSON *body, const char *id)
{
    struct socket *socket = exchange->state;
    struct context *context = find(socket, id);
    struct sim_speech speech = {0};
    const char *problem = sim_speech_read(&speech, body);
    if (problem == NULL && speech.is_wav)
        problem = "output_format.container must be raw";
    if (problem != NULL) {
        send_error(exchange, id, 400, NULL, problem);
    } else if (context != NULL) {
        speak(context, body, false);
    } else if (socket->count == CONTEXTS_MAX) {
        send_error(exchange, id, 429, "concurrency_limited", "too many contexts");
    } else {
        context = add_context(exchange, id);
        context->speech = speech;
        speak(context, body, true);
    }
}

void
cartesia_socket_take(struct sim_exchange *exchange, enum net_ws_type type, const uint8_t *bytes,
                     size_t size_bytes)
{
    cJSON *body = NULL;
    if (type == NET_WS_TEXT)
        body = cJSON_ParseWithLength((const char *)bytes, size_bytes);
    const cJSON *id = cJSON_GetObjectItem(body, "context_id");
    bool is_named = cJSON_IsString(id) && strlen(id->valuestring) < SIM_ID_BYTES;
    struct context *context = is_named ? find(exchange->state, id->valuestring) : NULL;
    if (!is_named)
        send_error(exchange, "", 400, NULL, "a message is JSON with a context_id");
    else if (!cJSON_IsTrue(cJSON_GetObjectItem(body, "cancel")))
        take_generation(exchange, body, id->valuestring);
    else if (context != NULL)
        remove_context(context);
    cJSON_Delete(body);
}

static void
drained(struct sim_exchange *exchange)
{
    const struct socket *socket = exchange->state;
    for (struct context *context = socket->first; context != NULL; context = context->next)
        sim_production_drained(&context->production);
}

static void
end(struct sim_exchange *exchange)
{
    struct socket *socket = exchange->state;
    while (socket->first != NULL)
        remove_context(socket->first);
    free(socket);
}

void
cartesia_socket_open(struct sim_exchange *exchange)
{
    exchange->state = calloc(1, sizeof(struct socket));
    RT_ASSERT(exchange->state != NULL);
    exchange->drained = drained;
    exchange->end = end;
    net_conn_upgrade(exchange->conn, NULL);
    sim_exchange_note(exchange, 101);
}
