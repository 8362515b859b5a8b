#include "actors/verifier.h"

#include <string.h>

#include "actors/messages.h"
#include "runtime/log.h"
#include "runtime/text.h"

enum { CONNECT_TIMEOUT_MS = 3000, IDLE_TIMEOUT_MS = 5000, TOTAL_TIMEOUT_MS = 10000 };

struct verifier {
    const struct world *world;
    struct vito_jwks *keys; /* NULL: none yet, or none any more */
    uint64_t keys_ns;       /* when they were read */
    bool has_tried;
    uint64_t tried_ns; /* when a read began, or ended */
    struct rt_timer refresh_timer;
    uint32_t waiting; /* tokens put aside */

    /* a read by HTTP under way */
    bool is_reading;
    uint64_t transfer;
    int status;
    struct rt_buffer *body; /* what has come of it */
};

static bool
is_url(const char *source)
{
    return strstr(source, "://") != NULL;
}

static void
log_failure(const struct verifier *verifier, const char *why)
{
    rt_log(RT_LOG_WARN, "issuer.keys_not_read", RT_STR("source", verifier->world->issuer.source),
           RT_STR("why", why),
           RT_U64("keys_kept", verifier->keys == NULL ? 0 : vito_jwks_count(verifier->keys)));
}

/* Puts the new keys in the place of the old ones, if they are sound. */
static void
take_keys(struct rt_actor *self, struct verifier *verifier, const void *text, size_t size_bytes)
{
    struct vito_jwks *keys;
    char problem[VITO_JWKS_PROBLEM_BYTES] = "out of memory";
    if (vito_jwks_parse(text, size_bytes, &keys, problem) != RT_OK) {
        log_failure(verifier, problem);
        return;
    }
    vito_jwks_destroy(verifier->keys);
    verifier->keys = keys;
    verifier->keys_ns = rt_now_ns(self);
    rt_log(RT_LOG_INFO, "issuer.keys_read", RT_U64("keys", vito_jwks_count(keys)));
}

/* A read has ended, well or not. */
static void
end_reading(struct rt_actor *self, struct verifier *verifier)
{
    verifier->is_reading = false;
    rt_buffer_release(verifier->body);
    verifier->body = NULL;
    if (verifier->keys != NULL &&
        rt_now_ns(self) - verifier->keys_ns > VERIFIER_KEYS_MAX_MS * RT_NS_PER_MS) {
        rt_log(RT_LOG_ERROR, "issuer.keys_dropped", RT_U64("age_max_ms", VERIFIER_KEYS_MAX_MS));
        vito_jwks_destroy(verifier->keys);
        verifier->keys = NULL;
    }
    bool fresh = verifier->keys != NULL && verifier->keys_ns >= verifier->tried_ns;
    verifier->tried_ns = rt_now_ns(self);
    rt_timer_set(self, &verifier->refresh_timer,
                 (fresh ? VERIFIER_REFRESH_EVERY_MS : VERIFIER_REFRESH_APART_MS) * RT_NS_PER_MS);
    verifier->waiting = 0;
    rt_unstash(self);
}

static void
read_file(struct rt_actor *self, struct verifier *verifier)
{
    const struct world_issuer *issuer = &verifier->world->issuer;
    struct rt_buffer *text = NULL;
    enum rt_status status = issuer->read_file(issuer->source, VITO_JWKS_BYTES_MAX, &text);
    if (status == RT_OK)
        take_keys(self, verifier, text->bytes, text->size_bytes);
    else
        log_failure(verifier, rt_status_name(status));
    rt_buffer_release(text);
    end_reading(self, verifier);
}

static void
read_url(struct rt_actor *self, struct verifier *verifier)
{
    static const struct net_http_header headers[] = {
        {"Accept", "application/jwk-set+json, application/json"}};
    const struct net_http_port *http = &verifier->world->http;
    const struct net_http_request request = {
        .method = "GET",
        .url = verifier->world->issuer.source,
        .headers = headers,
        .header_count = 1,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
        .idle_timeout_ms = IDLE_TIMEOUT_MS,
        .total_timeout_ms = TOTAL_TIMEOUT_MS,
        .window_bytes = VITO_JWKS_BYTES_MAX,
    };
    verifier->status = 0;
    verifier->body = rt_buffer_create(VITO_JWKS_BYTES_MAX);
    enum rt_status status = RT_NO_MEMORY;
    if (verifier->body != NULL) {
        verifier->body->size_bytes = 0;
        status = http->start(http->self, self, ++verifier->transfer, &request);
    }
    verifier->is_reading = true;
    if (status != RT_OK) {
        log_failure(verifier, rt_status_name(status));
        end_reading(self, verifier);
    }
}

/* Begins a read, unless one is under way or was begun a moment ago. False: there will be none. */
static bool
refresh(struct rt_actor *self, struct verifier *verifier)
{
    uint64_t now_ns = rt_now_ns(self);
    if (verifier->is_reading)
        return true;
    if (verifier->has_tried &&
        now_ns - verifier->tried_ns < VERIFIER_REFRESH_APART_MS * RT_NS_PER_MS)
        return false;
    verifier->has_tried = true;
    verifier->tried_ns = now_ns;
    if (is_url(verifier->world->issuer.source))
        read_url(self, verifier);
    else
        read_file(self, verifier);
    return true;
}

static void
answer(struct rt_actor *self, const struct rt_message *request,
       const struct verifier_checked *checked)
{
    struct rt_message *message = rt_message_create(VERIFIER_CHECKED, sizeof(*checked));
    if (message == NULL) {
        rt_answer_failed(self, request, RT_NO_MEMORY);
        return;
    }
    *(struct verifier_checked *)rt_message_payload(message) = *checked;
    rt_answer(self, request, message);
}

/* Puts the token aside until the read under way has ended. */
static void
wait_for_keys(struct rt_actor *self, struct verifier *verifier, struct rt_message *message)
{
    if (verifier->waiting >= VERIFIER_WAITING_MAX || !rt_stash(self, message))
        rt_answer_failed(self, message, RT_FULL);
    else
        verifier->waiting++;
}

static void
check(struct rt_actor *self, const struct verifier *verifier, const struct rt_buffer *token,
      struct verifier_checked *checked)
{
    const struct world_issuer *issuer = &verifier->world->issuer;
    const struct vito_jwt_rules rules = {issuer->issuer, issuer->audience};
    *checked = (struct verifier_checked){.refused = PROBLEM_KEYS_UNAVAILABLE};
    if (verifier->keys == NULL || token == NULL)
        return;
    checked->reason = vito_jwt_verify((const char *)token->bytes, token->size_bytes, verifier->keys,
                                      &rules, rt_wall_ms(self), &checked->claims);
    checked->refused = checked->reason == VITO_JWT_FINE ? PROBLEM_NONE : PROBLEM_UNAUTHENTICATED;
}

static void
on_check(struct rt_actor *self, struct verifier *verifier, struct rt_message *message)
{
    struct verifier_checked checked;
    check(self, verifier, message->buffer, &checked);
    bool newer_may_help =
        checked.refused == PROBLEM_KEYS_UNAVAILABLE || checked.reason == VITO_JWT_UNKNOWN_KEY;
    if (newer_may_help && refresh(self, verifier)) {
        if (verifier->is_reading) {
            wait_for_keys(self, verifier, message);
            return;
        }
        check(self, verifier, message->buffer, &checked); /* the file has been read */
    }
    answer(self, message, &checked);
}

static void
on_data(struct rt_actor *self, struct verifier *verifier, struct rt_message *message)
{
    const struct net_http_port *http = &verifier->world->http;
    const struct net_http_data *data = rt_message_payload(message);
    const struct rt_buffer *bytes = message->buffer;
    if (!verifier->is_reading || data->transfer != verifier->transfer || bytes == NULL)
        return;
    struct rt_buffer *body = verifier->body;
    if (bytes->size_bytes > VITO_JWKS_BYTES_MAX - body->size_bytes) {
        http->cancel(http->self, self, verifier->transfer);
        log_failure(verifier, "longer than 65536 bytes");
        end_reading(self, verifier);
        return;
    }
    memcpy(body->bytes + body->size_bytes, bytes->bytes, bytes->size_bytes);
    body->size_bytes += bytes->size_bytes;
    http->consume(http->self, self, verifier->transfer, bytes->size_bytes);
}

static void
on_end(struct rt_actor *self, struct verifier *verifier, const struct net_http_end *end)
{
    if (!verifier->is_reading || end->transfer != verifier->transfer)
        return;
    if (end->result != NET_HTTP_COMPLETE)
        log_failure(verifier, "no whole answer came");
    else if (verifier->status != 200)
        log_failure(verifier, "the answer was not 200");
    else
        take_keys(self, verifier, verifier->body->bytes, verifier->body->size_bytes);
    end_reading(self, verifier);
}

static void
verifier_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct verifier *verifier = state;
    switch (message->kind) {
    case RT_KIND_START:
    case RT_KIND_TIMER:
    case VERIFIER_REFRESH:
        if (!refresh(self, verifier))
            rt_timer_set(self, &verifier->refresh_timer, VERIFIER_REFRESH_APART_MS * RT_NS_PER_MS);
        break;
    case VERIFIER_CHECK:
        on_check(self, verifier, message);
        break;
    case NET_HTTP_HEAD: {
        const struct net_http_head *head = rt_message_payload(message);
        if (head->transfer == verifier->transfer)
            verifier->status = head->status;
        break;
    }
    case NET_HTTP_DATA:
        on_data(self, verifier, message);
        break;
    case NET_HTTP_END:
        on_end(self, verifier, rt_message_payload(message));
        break;
    default:
        break;
    }
}

static enum rt_status
verifier_init(struct rt_actor *self, void *state, const void *args)
{
    struct verifier *verifier = state;
    verifier->world = args;
    verifier->transfer = rt_numbers_from(self);
    return RT_OK;
}

static void
verifier_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)reason;
    struct verifier *verifier = state;
    const struct net_http_port *http = &verifier->world->http;
    if (verifier->is_reading)
        http->cancel(http->self, self, verifier->transfer);
    rt_buffer_release(verifier->body);
    vito_jwks_destroy(verifier->keys);
}

const struct rt_behaviour verifier_behaviour = {
    .name = "verifier",
    .state_bytes = sizeof(struct verifier),
    .limits = {.messages_max = 8192, .bytes_max = 16 << 20},
    .init = verifier_init,
    .handle = verifier_handle,
    .stop = verifier_stop,
};
