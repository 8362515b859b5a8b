/*
 * OpenAI's chat completions, streamed and whole, as the simulator speaks them.
 *
 * Source: github.com/openai/openai-openapi, commit f85dbe2, and how the npm package openai 6.49
 * reads streams and errors; read 2026-11.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/vendor_sim/exchange.h"
#include "bench/vendor_sim/reply.h"
#include "net/bytes.h"
#include "runtime/assert.h"
#include "runtime/world.h"

enum { INSTRUCTIONS_BYTES = 4096, SAID_BYTES = 4096, MODEL_BYTES_MAX = 100 };

/* One completion while it is generated. */
struct chat {
    char id[SIM_ID_BYTES];
    int64_t created_s;
    char *model; /* quoted, as JSON */
    bool streams, includes_usage;
    bool is_begun;
    uint64_t prompt_tokens;
    uint64_t tokens; /* to be generated: the reply's, or fewer */
    uint64_t generated;
    int64_t unbilled;
    struct sim_reply reply;
    struct net_bytes text; /* when it does not stream */
};

static void
fail(struct sim_exchange *exchange, int status, const char *type, const char *code,
     const char *message)
{
    cJSON *body = cJSON_CreateObject();
    cJSON *error = cJSON_AddObjectToObject(body, "error");
    cJSON_AddStringToObject(error, "message", message);
    cJSON_AddStringToObject(error, "type", type);
    cJSON_AddNullToObject(error, "param");
    if (code == NULL)
        cJSON_AddNullToObject(error, "code");
    else
        cJSON_AddStringToObject(error, "code", code);
    sim_answer_json(exchange, status, body);
}

static void
reject(struct sim_exchange *exchange, const char *message)
{
    fail(exchange, 400, "invalid_request_error", NULL, message);
}

static void
refuse(struct sim_exchange *exchange, enum sim_refusal refusal)
{
    switch (refusal) {
    case SIM_REFUSAL_KEY:
        fail(exchange, 401, "invalid_request_error", "invalid_api_key",
             "Incorrect API key provided.");
        break;
    case SIM_REFUSAL_RATE:
        exchange->whole.retry_after_s = 1;
        fail(exchange, 429, "requests", "rate_limit_exceeded", "Rate limit reached.");
        break;
    case SIM_REFUSAL_MONEY:
        fail(exchange, 429, "insufficient_quota", "insufficient_quota",
             "You exceeded your current quota, please check your plan and billing details.");
        break;
    case SIM_REFUSAL_SERVER:
        fail(exchange, 500, "server_error", NULL, "The server had an error.");
        break;
    }
}

static bool
is_authorised(const struct net_request *request)
{
    const char *value = net_request_header(request, "authorization");
    return value != NULL && strncasecmp(value, "bearer ", 7) == 0 && sim_key_is_known(value + 7);
}

/* What the messages amount to. */
struct prompt {
    uint64_t content_bytes, messages;
    char instructions[INSTRUCTIONS_BYTES];
    char said[SAID_BYTES]; /* by the user, last */
};

static void
add_text(struct prompt *prompt, const char *text, char *into, size_t into_bytes)
{
    prompt->content_bytes += strlen(text);
    if (into == NULL)
        return;
    size_t used = strlen(into);
    snprintf(into + used, into_bytes - used, "%s", text);
}

/* Content is a text, or a list of parts of which we read the texts. */
static bool
read_content(struct prompt *prompt, const cJSON *content, char *into, size_t into_bytes)
{
    if (cJSON_IsString(content)) {
        add_text(prompt, content->valuestring, into, into_bytes);
        return true;
    }
    const cJSON *part;
    cJSON_ArrayForEach(part, content)
    {
        const cJSON *text = cJSON_GetObjectItem(part, "text");
        if (cJSON_IsString(text))
            add_text(prompt, text->valuestring, into, into_bytes);
    }
    return cJSON_IsArray(content) || cJSON_IsNull(content);
}

static bool
read_message(struct prompt *prompt, const cJSON *message)
{
    const cJSON *role = cJSON_GetObjectItem(message, "role");
    const cJSON *content = cJSON_GetObjectItem(message, "content");
    if (!cJSON_IsString(role) || content == NULL)
        return false;
    prompt->messages++;
    const char *name = role->valuestring;
    if (strcmp(name, "system") == 0 || strcmp(name, "developer") == 0)
        return read_content(prompt, content, prompt->instructions, INSTRUCTIONS_BYTES);
    if (strcmp(name, "user") != 0)
        return read_content(prompt, content, NULL, 0);
    prompt->said[0] = '\0';
    return read_content(prompt, content, prompt->said, SAID_BYTES);
}

static bool
read_messages(struct prompt *prompt, const cJSON *messages)
{
    const cJSON *message;
    cJSON_ArrayForEach(message, messages)
    {
        if (!read_message(prompt, message))
            return false;
    }
    return prompt->messages > 0;
}

/* The most tokens that may be generated: max_completion_tokens, or its older name. */
static uint64_t
tokens_max(const cJSON *body)
{
    const cJSON *limit = cJSON_GetObjectItem(body, "max_completion_tokens");
    if (!cJSON_IsNumber(limit))
        limit = cJSON_GetObjectItem(body, "max_tokens");
    if (!cJSON_IsNumber(limit) || limit->valuedouble < 1)
        return SIM_TOKENS_MAX;
    return limit->valuedouble > SIM_TOKENS_MAX ? SIM_TOKENS_MAX : (uint64_t)limit->valuedouble;
}

static char *
quote(const char *text)
{
    cJSON *string = cJSON_CreateString(text);
    char *quoted = cJSON_PrintUnformatted(string);
    RT_ASSERT(quoted != NULL);
    cJSON_Delete(string);
    return quoted;
}

/* Makes a chat of a body. Returns what is wrong with it, or NULL. */
static const char *
read_body(struct chat *chat, const cJSON *body)
{
    const cJSON *model = cJSON_GetObjectItem(body, "model");
    const cJSON *options = cJSON_GetObjectItem(body, "stream_options");
    struct prompt prompt = {0};
    if (!cJSON_IsObject(body))
        return "The body is not a JSON object.";
    if (!cJSON_IsString(model) || model->valuestring[0] == '\0' ||
        strlen(model->valuestring) > MODEL_BYTES_MAX)
        return "You must provide a model parameter.";
    if (!read_messages(&prompt, cJSON_GetObjectItem(body, "messages")))
        return "Invalid 'messages': expected a non-empty array of messages with role and content.";
    chat->model = quote(model->valuestring);
    chat->streams = cJSON_IsTrue(cJSON_GetObjectItem(body, "stream"));
    chat->includes_usage = cJSON_IsTrue(cJSON_GetObjectItem(options, "include_usage"));
    chat->prompt_tokens = sim_prompt_tokens(prompt.content_bytes, prompt.messages);
    sim_reply_make(&chat->reply, prompt.instructions, prompt.said);
    uint64_t limit = tokens_max(body);
    chat->tokens = chat->reply.tokens < limit ? chat->reply.tokens : limit;
    return NULL;
}

static const char *
finish_reason(const struct chat *chat)
{
    return chat->tokens < chat->reply.tokens ? "length" : "stop";
}

static cJSON *
usage_of(const struct chat *chat)
{
    cJSON *usage = cJSON_CreateObject();
    cJSON_AddNumberToObject(usage, "prompt_tokens", (double)chat->prompt_tokens);
    cJSON_AddNumberToObject(usage, "completion_tokens", (double)chat->generated);
    cJSON_AddNumberToObject(usage, "total_tokens", (double)(chat->prompt_tokens + chat->generated));
    return usage;
}

/* Writes one event; `choices` and `usage` are JSON. */
static void
write_chunk(struct sim_exchange *exchange, const char *choices, const char *usage)
{
    const struct chat *chat = exchange->state;
    char head[SIM_ID_BYTES + MODEL_BYTES_MAX * 6 + 200];
    int head_bytes =
        snprintf(head, sizeof(head),
                 "data: {\"id\":\"%s\",\"object\":\"chat.completion.chunk\",\"created\":%" PRId64
                 ",\"model\":%s,\"choices\":",
                 chat->id, chat->created_s, chat->model);
    RT_ASSERT((size_t)head_bytes < sizeof(head));
    struct net_bytes event = {0};
    bool written = net_bytes_append(&event, head, (size_t)head_bytes) &&
                   net_bytes_append(&event, choices, strlen(choices)) &&
                   (usage == NULL || (net_bytes_append(&event, ",\"usage\":", 9) &&
                                      net_bytes_append(&event, usage, strlen(usage)))) &&
                   net_bytes_append(&event, "}\n\n", 3);
    RT_ASSERT(written);
    sim_stream_write(exchange, net_bytes_data(&event), net_bytes_size(&event));
    net_bytes_clear(&event);
}

static void
write_token(struct sim_exchange *exchange, uint64_t index, const char *token)
{
    const struct chat *chat = exchange->state;
    char choices[SIM_TOKEN_BYTES * 6 + 200];
    char *quoted = quote(token);
    snprintf(choices, sizeof(choices),
             "[{\"index\":0,\"delta\":{%s\"content\":%s},\"logprobs\":null,"
             "\"finish_reason\":null}]",
             index == 0 ? "\"role\":\"assistant\"," : "", quoted);
    write_chunk(exchange, choices, chat->includes_usage ? "null" : NULL);
    free(quoted);
}

/* The first token is the first byte: before it nothing was generated, nor is anything billed. */
static void
begin(struct sim_exchange *exchange)
{
    struct chat *chat = exchange->state;
    chat->is_begun = true;
    chat->unbilled = (int64_t)chat->prompt_tokens;
    if (chat->streams)
        sim_stream_begin(exchange, 200, "text/event-stream; charset=utf-8");
}

static void
make(struct sim_production *production, uint64_t index)
{
    struct sim_exchange *exchange = sim_exchange_of(production);
    struct chat *chat = exchange->state;
    char token[SIM_TOKEN_BYTES];
    if (!chat->is_begun)
        begin(exchange);
    sim_reply_token(&chat->reply, index, token);
    chat->generated++;
    chat->unbilled++;
    if (chat->streams) {
        write_token(exchange, index, token);
        return;
    }
    bool added = net_bytes_append(&chat->text, token, strlen(token));
    RT_ASSERT(added);
}

static void
taken(struct sim_production *production)
{
    struct sim_exchange *exchange = sim_exchange_of(production);
    struct chat *chat = exchange->state;
    sim_exchange_bill(exchange, chat->unbilled, 0);
    chat->unbilled = 0;
}

static void
finish_stream(struct sim_exchange *exchange)
{
    struct chat *chat = exchange->state;
    char choices[100];
    snprintf(choices, sizeof(choices),
             "[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"%s\"}]",
             finish_reason(chat));
    write_chunk(exchange, choices, chat->includes_usage ? "null" : NULL);
    if (chat->includes_usage) {
        cJSON *usage = usage_of(chat);
        char *text = cJSON_PrintUnformatted(usage);
        write_chunk(exchange, "[]", text);
        free(text);
        cJSON_Delete(usage);
    }
    static const char done[] = "data: [DONE]\n\n";
    sim_stream_write(exchange, done, sizeof(done) - 1);
    sim_stream_end(exchange);
}

static void
finish_whole(struct sim_exchange *exchange)
{
    struct chat *chat = exchange->state;
    bool ended = net_bytes_append(&chat->text, "", 1);
    RT_ASSERT(ended);
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "id", chat->id);
    cJSON_AddStringToObject(body, "object", "chat.completion");
    cJSON_AddNumberToObject(body, "created", (double)chat->created_s);
    cJSON_AddRawToObject(body, "model", chat->model);
    cJSON *choice = cJSON_CreateObject();
    cJSON_AddNumberToObject(choice, "index", 0);
    cJSON *message = cJSON_AddObjectToObject(choice, "message");
    cJSON_AddStringToObject(message, "role", "assistant");
    cJSON_AddStringToObject(message, "content", (const char *)net_bytes_data(&chat->text));
    cJSON_AddNullToObject(message, "refusal");
    cJSON_AddNullToObject(choice, "logprobs");
    cJSON_AddStringToObject(choice, "finish_reason", finish_reason(chat));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(body, "choices"), choice);
    cJSON_AddItemToObject(body, "usage", usage_of(chat));
    sim_answer_json(exchange, 200, body);
}

static void
finish(struct sim_production *production)
{
    struct sim_exchange *exchange = sim_exchange_of(production);
    const struct chat *chat = exchange->state;
    if (chat->streams)
        finish_stream(exchange);
    else
        finish_whole(exchange);
}

static void
end(struct sim_exchange *exchange)
{
    struct chat *chat = exchange->state;
    free(chat->model);
    net_bytes_clear(&chat->text);
    free(chat);
}

static void
complete(struct sim_exchange *exchange, const struct net_request *request)
{
    struct chat *chat = calloc(1, sizeof(*chat));
    RT_ASSERT(chat != NULL);
    exchange->state = chat;
    exchange->end = end;
    cJSON *body = cJSON_ParseWithLength((const char *)request->body, request->body_bytes);
    const char *problem = read_body(chat, body);
    cJSON_Delete(body);
    if (problem != NULL) {
        reject(exchange, problem);
        return;
    }
    chat->created_s = sim_wall_ms(exchange->sim) / 1000;
    sim_make_id(exchange->sim, "chatcmpl-", chat->id);
    exchange->production.make = make;
    exchange->production.taken = taken;
    exchange->production.finish = finish;
    sim_exchange_produce(exchange, chat->tokens, exchange->sim->options->token_ms * RT_NS_PER_MS);
}

static void
list_models(struct sim_exchange *exchange)
{
    static const char *const names[] = {"gpt-4.1-mini", "gpt-4o-mini", "sim-1"};
    cJSON *body = cJSON_CreateObject();
    cJSON_AddStringToObject(body, "object", "list");
    cJSON *data = cJSON_AddArrayToObject(body, "data");
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        cJSON *model = cJSON_CreateObject();
        cJSON_AddStringToObject(model, "id", names[i]);
        cJSON_AddStringToObject(model, "object", "model");
        cJSON_AddNumberToObject(model, "created", 1750000000);
        cJSON_AddStringToObject(model, "owned_by", "simulator");
        cJSON_AddItemToArray(data, model);
    }
    sim_answer_json(exchange, 200, body);
}

static void
answer(struct sim_exchange *exchange, const struct net_request *request, const char *path)
{
    if (strcmp(path, "/v1/chat/completions") == 0 && strcmp(request->method, "POST") == 0)
        complete(exchange, request);
    else if (strcmp(path, "/v1/models") == 0 && strcmp(request->method, "GET") == 0)
        list_models(exchange);
    else
        fail(exchange, 404, "invalid_request_error", NULL, "Invalid URL.");
}

const struct sim_vendor sim_openai = {
    .name = "openai", .is_authorised = is_authorised, .answer = answer, .refuse = refuse};
