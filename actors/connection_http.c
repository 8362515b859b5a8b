/*
 * HTTP answers of a connection.
 */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actors/connection_state.h"
#include "actors/session.h"
#include "actors/turn_answer.h"
#include "runtime/metrics.h"
#include "runtime/text.h"

enum { HEADER_BYTES = 128, HEADERS_MAX = 8 };

struct answer {
    struct net_response response;
    struct net_header headers[HEADERS_MAX];
    char retry_after[HEADER_BYTES], rate_policy[HEADER_BYTES], rate[HEADER_BYTES];
};

static void
add_header(struct answer *answer, const char *name, const char *value)
{
    answer->headers[answer->response.header_count++] = (struct net_header){name, value};
    answer->response.headers = answer->headers;
}

static void
send_answer(struct connection *connection, const struct net_response *response)
{
    if (connection->answered)
        return;
    connection->answered = true;
    connection->phase = CONNECTION_IDLE;
    connection->calls->respond(connection->socket, response);
    connection_forget_request(connection);
    connection_turn_clear(&connection->turn);
}

/* draft-ietf-httpapi-ratelimit-headers-11: how much, in which window, and what is left of it. */
static void
add_rate_headers(struct answer *answer, const struct problem *problem)
{
    uint32_t window_s = (problem->rate_burst + problem->rate_per_second - 1) /
                        (problem->rate_per_second > 0 ? problem->rate_per_second : 1);
    snprintf(answer->rate_policy, HEADER_BYTES, "\"burst\";q=%u;w=%u", problem->rate_burst,
             window_s > 0 ? window_s : 1);
    snprintf(answer->rate, HEADER_BYTES, "\"burst\";r=%u;t=%u", problem->rate_remaining,
             problem->retry_after_s);
    add_header(answer, "RateLimit-Policy", answer->rate_policy);
    add_header(answer, "RateLimit", answer->rate);
}

void
connection_refuse(struct connection *connection, const struct problem *problem)
{
    if (connection->has_ticket && !connection->answered) {
        connection_refuse_upgraded(connection, problem);
        return;
    }
    struct wire_bytes bytes = {NULL, 0};
    struct answer answer = {.response = {.status = problem_status(problem)}};
    if (turn_problem_write(problem, &bytes) == RT_OK) {
        answer.response.body = bytes.bytes;
        answer.response.body_bytes = bytes.size_bytes;
    }
    add_header(&answer, "Content-Type", "application/problem+json");
    add_header(&answer, "Cache-Control", "no-store");
    if (answer.response.status == 401)
        add_header(&answer, "WWW-Authenticate",
                   problem->detail[0] == '\0' ? "Bearer" : "Bearer error=\"invalid_token\"");
    if (answer.response.status == 426)
        add_header(&answer, "Upgrade", "websocket");
    if (problem->retry_after_s > 0) {
        snprintf(answer.retry_after, HEADER_BYTES, "%u", problem->retry_after_s);
        add_header(&answer, "Retry-After", answer.retry_after);
    }
    if (problem->has_rate)
        add_rate_headers(&answer, problem);
    send_answer(connection, &answer.response);
}

void
connection_refuse_for(struct connection *connection, enum problem_reason reason)
{
    struct problem problem = problem_make(reason, NULL);
    if (reason == PROBLEM_STORE_UNAVAILABLE || reason == PROBLEM_OVERLOAD)
        problem.retry_after_s = 1;
    connection_refuse(connection, &problem);
}

static void
answer_bytes(struct connection *connection, int status, const char *content_type, const void *bytes,
             size_t size_bytes)
{
    struct answer answer = {
        .response = {.status = status, .body = bytes, .body_bytes = size_bytes}};
    add_header(&answer, "Content-Type", content_type);
    add_header(&answer, "Cache-Control", "no-store");
    send_answer(connection, &answer.response);
}

void
connection_answer_json(struct connection *connection, int status, const void *json,
                       size_t json_bytes)
{
    answer_bytes(connection, status, "application/json", json, json_bytes);
}

void
connection_answer_again(struct connection *connection, int status, const void *body,
                        size_t body_bytes)
{
    struct answer answer = {.response = {.status = status, .body = body, .body_bytes = body_bytes}};
    add_header(&answer, "Content-Type",
               status < 400 ? "application/json" : "application/problem+json");
    add_header(&answer, "Cache-Control", "no-store");
    add_header(&answer, "Idempotent-Replayed", "true");
    send_answer(connection, &answer.response);
}

static void
answer_metrics(struct connection *connection)
{
    size_t size_bytes;
    char *text = rt_metrics_render(&size_bytes);
    if (text == NULL)
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
    else
        answer_bytes(connection, 200, "text/plain; version=0.0.4", text, size_bytes);
    free(text);
}

static void
ask_status(struct rt_actor *self, struct connection *connection)
{
    struct rt_message *message = rt_message_create(REGISTRY_STATUS, 0);
    if (message == NULL) {
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    connection->phase = CONNECTION_ADMIN;
    rt_request_control(self, connection->world->registry, message, ++connection->request_id);
}

void
connection_answer_page(struct rt_actor *self, struct connection *connection, const char *path)
{
    const char *method = connection_text(connection, connection->request.method);
    bool known = strcmp(path, "/healthz") == 0 || strcmp(path, "/readyz") == 0 ||
                 strcmp(path, "/metrics") == 0;
    if (!known)
        connection_refuse_for(connection, PROBLEM_NOT_FOUND);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        connection_refuse_for(connection, PROBLEM_METHOD_NOT_ALLOWED);
    else if (strcmp(path, "/metrics") == 0)
        answer_metrics(connection);
    else if (strcmp(path, "/readyz") == 0)
        ask_status(self, connection);
    else
        connection_answer_json(connection, 200, "{\"status\":\"ok\"}", 15);
}

/* False when out of memory: a request without its body would be another one. */
static bool
copy_body(const struct connection *connection, struct rt_buffer **body_out)
{
    const struct conn_request *request = &connection->request;
    if (request->body_bytes == 0)
        return true;
    *body_out =
        rt_buffer_copy(connection->request_bytes->bytes + request->body, request->body_bytes);
    return *body_out != NULL;
}

void
connection_forward_admin(struct rt_actor *self, struct connection *connection)
{
    const char *method = connection_text(connection, connection->request.method);
    const char *path = connection_text(connection, connection->request.path);
    const char *query = connection_text(connection, connection->request.query);
    struct rt_message *message = rt_message_create(ADMIN_REQUEST, sizeof(struct admin_request));
    struct admin_request *request = message == NULL ? NULL : rt_message_payload(message);
    if (message == NULL || strlen(method) >= sizeof(request->method) ||
        strlen(path) >= sizeof(request->path) || strlen(query) >= sizeof(request->query)) {
        rt_message_destroy(message);
        connection_refuse_for(connection, message == NULL ? PROBLEM_OVERLOAD : PROBLEM_NOT_FOUND);
        return;
    }
    request->caller = connection->caller;
    RT_TEXT_SET(request->method, method);
    RT_TEXT_SET(request->path, path);
    RT_TEXT_SET(request->query, query);
    if (!copy_body(connection, &message->buffer)) {
        rt_message_destroy(message);
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    connection->phase = CONNECTION_ADMIN;
    rt_request(self, connection->world->admin, message, ++connection->request_id);
}

void
connection_on_admin_done(struct connection *connection, struct rt_message *message)
{
    const struct admin_done *done = rt_message_payload(message);
    if (connection->phase != CONNECTION_ADMIN || message->request_id != connection->request_id)
        return;
    const struct rt_buffer *json = message->buffer;
    if (done->problem.reason != PROBLEM_NONE)
        connection_refuse(connection, &done->problem);
    else if (json == NULL)
        connection_answer_json(connection, done->status, NULL, 0);
    else
        answer_bytes(connection, done->status,
                     done->content_type == NULL ? "application/json" : done->content_type,
                     json->bytes, json->size_bytes);
}

void
connection_turn_clear(struct connection_turn *turn)
{
    rt_buffer_release(turn->text);
    free(turn->answer);
    free(turn->audio);
    memset(turn, 0, sizeof(*turn));
}

static bool
is_json(const char *content_type)
{
    static const char json[] = "application/json";
    size_t size = sizeof(json) - 1;
    return content_type[0] == '\0' ||
           (strncasecmp(content_type, json, size) == 0 &&
            (content_type[size] == '\0' || content_type[size] == ';' || content_type[size] == ' '));
}

static struct problem
read_turn(struct connection *connection, const cJSON *body)
{
    const cJSON *text = cJSON_GetObjectItemCaseSensitive(body, "text");
    const cJSON *mode = cJSON_GetObjectItemCaseSensitive(body, "mode");
    if (!cJSON_IsObject(body))
        return problem_make(PROBLEM_MALFORMED_JSON, "the body must be a JSON object");
    if (!cJSON_IsString(text) || text->valuestring[0] == '\0')
        return problem_make(PROBLEM_INVALID_FIELD, "/text must be a text that is not empty");
    connection->has_mode = mode != NULL && !cJSON_IsNull(mode);
    if (connection->has_mode) {
        connection->mode = vito_mode_of(cJSON_IsString(mode) ? mode->valuestring : NULL);
        if (connection->mode == VITO_MODE_COUNT)
            return problem_make(PROBLEM_INVALID_FIELD, "/mode must be text, voice or video");
    }
    connection->turn.text = rt_buffer_copy(text->valuestring, strlen(text->valuestring));
    return connection->turn.text == NULL ? problem_make(PROBLEM_OVERLOAD, NULL)
                                         : problem_make(PROBLEM_NONE, NULL);
}

bool
connection_read_turn(struct connection *connection)
{
    if (connection->turn.text != NULL)
        return true; /* read before; the tenant was asked twice */
    struct problem problem;
    const struct conn_request *request = &connection->request;
    if (!is_json(connection_text(connection, request->content_type))) {
        problem = problem_make(PROBLEM_UNSUPPORTED_MEDIA, "send application/json");
    } else if (request->body_bytes > FRAME_JSON_BYTES_MAX) {
        problem =
            problem_make(PROBLEM_TOO_BIG, "a turn is limited to %d bytes", FRAME_JSON_BYTES_MAX);
    } else {
        cJSON *body = cJSON_ParseWithLength(
            (const char *)connection->request_bytes->bytes + request->body, request->body_bytes);
        problem = body == NULL ? problem_make(PROBLEM_MALFORMED_JSON, "the body is not JSON")
                               : read_turn(connection, body);
        cJSON_Delete(body);
    }
    if (problem.reason != PROBLEM_NONE)
        connection_refuse(connection, &problem);
    return problem.reason == PROBLEM_NONE;
}

void
connection_begin_turn(struct rt_actor *self, struct connection *connection)
{
    struct rt_message *ready = rt_message_create(SESSION_READY, sizeof(struct session_ready));
    struct rt_message *turn = rt_message_create(SESSION_CLIENT, sizeof(struct frame_in));
    if (ready == NULL || turn == NULL) {
        rt_message_destroy(ready);
        rt_message_destroy(turn);
        rt_exit(rt_system_of(self), connection->session, RT_EXIT_KILLED);
        connection_give_up_key(self, connection);
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    connection->phase = CONNECTION_TURN;
    ((struct frame_in *)rt_message_payload(turn))->type = CLIENT_TURN;
    turn->buffer = rt_buffer_acquire(connection->turn.text);
    connection_hand_over_key(connection, rt_message_payload(ready));
    rt_send_control(self, connection->session, ready);
    if (rt_send(self, connection->session, turn) == RT_FULL)
        connection_shed(self, connection);
}

static void
gather(uint8_t **bytes, size_t *size, const struct rt_buffer *more, size_t size_max)
{
    if (*size + more->size_bytes > size_max)
        return; /* the rest was metered, but one answer has a bound */
    uint8_t *longer = realloc(*bytes, *size + more->size_bytes);
    if (longer == NULL)
        return;
    memcpy(longer + *size, more->bytes, more->size_bytes);
    *bytes = longer;
    *size += more->size_bytes;
}

static void
answer_turn(struct connection *connection, const struct frame_out *frame)
{
    const struct connection_turn *turn = &connection->turn;
    const struct turn_answer answer = {
        .turn_id = frame->session_id,
        .mode = frame->done.mode,
        .text = (const char *)turn->answer,
        .text_bytes = turn->answer_bytes,
        .audio = turn->audio,
        .audio_bytes = turn->audio_bytes,
        .format = turn->format,
        .use = frame->done.use,
        .cost_nusd = frame->done.cost_nusd,
        .provider_id = frame->done.provider_id,
        .decision = &turn->decision,
    };
    struct wire_bytes bytes;
    if (turn_answer_write(&answer, &bytes) == RT_OK)
        connection_answer_json(connection, 200, bytes.bytes, bytes.size_bytes);
    else
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
}

/* As it was kept. */
static void
answer_record(struct connection *connection, const struct rt_buffer *record)
{
    struct vito_turn_answer head;
    const uint8_t *bytes;
    size_t size_bytes;
    if (vito_turn_answer_read(record, &head, &bytes, &size_bytes))
        connection_answer_json(connection, head.status, bytes, size_bytes);
    else
        connection_refuse_for(connection, PROBLEM_INTERNAL);
}

void
connection_on_turn_frame(struct rt_actor *self, struct connection *connection,
                         struct rt_message *message)
{
    const struct frame_out *frame = rt_message_payload(message);
    struct connection_turn *turn = &connection->turn;
    switch (frame->type) {
    case FRAME_TURN_ACCEPTED:
        turn->decision = frame->decision;
        break;
    case FRAME_OUTPUT_TEXT:
        gather(&turn->answer, &turn->answer_bytes, message->buffer, FRAME_JSON_BYTES_MAX);
        connection_credit(self, connection, message->buffer->size_bytes + SESSION_FRAME_WEIGHT);
        break;
    case FRAME_OUTPUT_AUDIO:
        RT_TEXT_SET(turn->format, frame->format);
        gather(&turn->audio, &turn->audio_bytes, message->buffer, CONNECTION_AUDIO_BYTES_MAX);
        connection_credit(self, connection, message->buffer->size_bytes + SESSION_FRAME_WEIGHT);
        break;
    case FRAME_TURN_DONE:
        if (message->buffer != NULL)
            answer_record(connection, message->buffer);
        else
            answer_turn(connection, frame);
        break;
    case FRAME_TURN_REFUSED:
        connection_refuse(connection, &frame->error.problem);
        break;
    case FRAME_SESSION_ENDED:
        connection_refuse_for(connection, frame->ended.reason == SESSION_COST_LIMIT
                                              ? PROBLEM_SESSION_LIMIT
                                              : PROBLEM_SHUTDOWN);
        break;
    default:
        break; /* speech that failed is missing from the answer, the text is there */
    }
}
