#include "gateway/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "gateway/config.h"
#include "gateway/token.h"

enum { CALL_TIMEOUT_S = 120, ANSWER_BYTES_MAX = 64 << 20 };

extern char **environ;

static bool
find_token(struct client *client)
{
    static struct config config;
    char problem[CONFIG_TEXT_BYTES];
    config_read(environ, NULL, &config); /* what is wrong elsewhere is not our concern */
    if (token_find(&config, false, client->token, problem, sizeof(problem)))
        return true;
    fprintf(stderr, "twin-gateway: %s\n", problem);
    return false;
}

bool
client_open(struct client *client, const char *url)
{
    const char *from_environment = getenv("TWIN_URL");
    if (url == NULL)
        url = from_environment != NULL ? from_environment : "http://127.0.0.1:8080";
    snprintf(client->url, sizeof(client->url), "%s", url);
    size_t size = strlen(client->url);
    while (size > 0 && client->url[size - 1] == '/')
        client->url[--size] = '\0';
    return find_token(client);
}

static size_t
on_body(char *bytes, size_t one, size_t count, void *context)
{
    (void)one;
    struct client_answer *answer = context;
    if (answer->body_bytes + count > ANSWER_BYTES_MAX)
        return 0;
    char *longer = realloc(answer->body, answer->body_bytes + count + 1);
    if (longer == NULL)
        return 0;
    memcpy(longer + answer->body_bytes, bytes, count);
    answer->body = longer;
    answer->body_bytes += count;
    longer[answer->body_bytes] = '\0';
    return count;
}

static size_t
on_header(char *line, size_t one, size_t count, void *context)
{
    (void)one;
    static const char name[] = "retry-after:";
    struct client_answer *answer = context;
    if (count > sizeof(name) && strncasecmp(line, name, sizeof(name) - 1) == 0)
        answer->retry_after_s = strtol(line + sizeof(name) - 1, NULL, 10);
    return count;
}

/* What one transfer needs while it runs. */
struct transfer {
    CURL *easy;
    struct curl_slist *headers;
};

static struct transfer
prepare(const struct client_request *request, struct client_answer *answer)
{
    struct transfer transfer = {.easy = curl_easy_init()};
    char url[CLIENT_TEXT_BYTES * 2], authorization[CLIENT_TEXT_BYTES + 32];
    *answer = (struct client_answer){.body = calloc(1, 1)};
    snprintf(url, sizeof(url), "%s%s", request->client->url, request->path);
    if (request->client->token[0] != '\0') {
        snprintf(authorization, sizeof(authorization), "Authorization: Bearer %s",
                 request->client->token);
        transfer.headers = curl_slist_append(transfer.headers, authorization);
    }
    if (request->body != NULL)
        transfer.headers = curl_slist_append(transfer.headers, "Content-Type: application/json");
    curl_easy_setopt(transfer.easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer.easy, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(transfer.easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(transfer.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(transfer.easy, CURLOPT_PROXY, "");
    curl_easy_setopt(transfer.easy, CURLOPT_TIMEOUT, (long)CALL_TIMEOUT_S);
    curl_easy_setopt(transfer.easy, CURLOPT_HTTPHEADER, transfer.headers);
    if (request->body != NULL)
        curl_easy_setopt(transfer.easy, CURLOPT_COPYPOSTFIELDS, request->body);
    else if (strcmp(request->method, "POST") == 0)
        curl_easy_setopt(transfer.easy, CURLOPT_COPYPOSTFIELDS, "");
    curl_easy_setopt(transfer.easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(transfer.easy, CURLOPT_WRITEDATA, answer);
    curl_easy_setopt(transfer.easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(transfer.easy, CURLOPT_HEADERDATA, answer);
    return transfer;
}

static void
finish(struct transfer *transfer, CURLcode code, struct client_answer *answer,
       const struct client *client)
{
    if (code == CURLE_OK)
        curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &answer->status);
    else
        snprintf(answer->problem, sizeof(answer->problem), "%.300s: %s", client->url,
                 curl_easy_strerror(code));
    curl_easy_cleanup(transfer->easy);
    curl_slist_free_all(transfer->headers);
}

struct client_answer
client_call(const struct client *client, const char *method, const char *path, const char *body)
{
    struct client_request request = {
        .client = client, .method = method, .path = path, .body = body};
    struct transfer transfer = prepare(&request, &request.answer);
    finish(&transfer, curl_easy_perform(transfer.easy), &request.answer, client);
    return request.answer;
}

void
client_call_all(struct client_request *requests, size_t count)
{
    CURLM *multi = curl_multi_init();
    struct transfer *transfers = calloc(count, sizeof(*transfers));
    for (size_t i = 0; i < count; i++) {
        transfers[i] = prepare(&requests[i], &requests[i].answer);
        curl_easy_setopt(transfers[i].easy, CURLOPT_PRIVATE, &requests[i]);
        curl_multi_add_handle(multi, transfers[i].easy);
    }
    int running = 1;
    while (running > 0 && curl_multi_perform(multi, &running) == CURLM_OK && running > 0)
        curl_multi_poll(multi, NULL, 0, 1000, NULL);
    CURLcode *codes = calloc(count, sizeof(*codes));
    int left;
    for (CURLMsg *message; (message = curl_multi_info_read(multi, &left)) != NULL;) {
        struct client_request *request;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&request);
        codes[request - requests] = message->data.result;
    }
    for (size_t i = 0; i < count; i++) {
        curl_multi_remove_handle(multi, transfers[i].easy);
        finish(&transfers[i], codes[i], &requests[i].answer, requests[i].client);
    }
    free(codes);
    free(transfers);
    curl_multi_cleanup(multi);
}

void
client_answer_free(struct client_answer *answer)
{
    free(answer->body);
    answer->body = NULL;
}

cJSON *
client_answer_json(const struct client_answer *answer)
{
    return cJSON_ParseWithLength(answer->body, answer->body_bytes);
}

static const char *
text_of(const cJSON *object, const char *name, const char *otherwise)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    return cJSON_IsString(item) ? item->valuestring : otherwise;
}

int
client_show(const struct client_answer *answer)
{
    if (answer->status == 0) {
        fprintf(stderr, "twin-gateway: %s; is the gateway running?\n", answer->problem);
        return 1;
    }
    cJSON *json = client_answer_json(answer);
    if (answer->status >= 400) {
        const char *title = text_of(json, "title", "no explanation");
        fprintf(stderr, "twin-gateway: %ld %s: %s\n", answer->status, title,
                text_of(json, "detail", text_of(json, "reason", "")));
    } else {
        char *pretty = json == NULL ? NULL : cJSON_Print(json);
        puts(pretty != NULL ? pretty : answer->body);
        cJSON_free(pretty);
    }
    cJSON_Delete(json);
    return answer->status >= 400 ? 1 : 0;
}
