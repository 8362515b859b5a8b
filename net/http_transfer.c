#include "net/http_transfer.h"

#include <string.h>
#include <sys/socket.h>

#include "runtime/pool.h"
#include "runtime/system.h"
#include "runtime/world.h"

enum { STOP_MS = 2000 };

bool
net_http_transfer_is(const struct net_http_transfer *transfer, struct rt_address owner,
                     uint64_t name)
{
    return rt_address_is(transfer->owner, owner) && transfer->name == name;
}

uint64_t
net_http_transfer_hash(struct rt_address owner, uint64_t name)
{
    return rt_hash_u64(rt_hash_u64(owner.id) ^ name);
}

/* Header values may be secrets. What libcurl copied is out of our reach. */
static void
free_headers(struct curl_slist *headers)
{
    for (struct curl_slist *line = headers; line != NULL; line = line->next)
        explicit_bzero(line->data, strlen(line->data));
    curl_slist_free_all(headers);
}

static void
destroy(struct net_http_transfer *transfer)
{
    struct net_http_pool *pool = transfer->pool;
    net_timers_cancel(pool->timers, &transfer->silence);
    net_timers_cancel(pool->timers, &transfer->patience);
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(pool->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    free_headers(transfer->headers);
    if (transfer->body != NULL)
        explicit_bzero(transfer->body, transfer->body_bytes);
    rt_pool_give(transfer->body, transfer->body_bytes);
    rt_message_destroy(transfer->end);
    rt_pool_give(transfer, sizeof(*transfer));
}

static struct rt_message *
take_end(struct net_http_transfer *transfer)
{
    struct rt_message *end = transfer->end;
    transfer->end = NULL;
    return end;
}

/* The end goes where the data went, behind it; the control lane takes it when that is full. */
static void
post_end(struct net_http_transfer *transfer, enum net_http_result result)
{
    struct rt_system *system = transfer->pool->system;
    struct net_http_end payload = {.transfer = transfer->name, .result = result};
    struct rt_message *first = rt_message_create(NET_HTTP_END, sizeof(payload));
    if (first != NULL) {
        *(struct net_http_end *)rt_message_payload(first) = payload;
        if (rt_post(system, transfer->owner, first) != RT_FULL)
            return;
    }
    struct rt_message *last = take_end(transfer);
    *(struct net_http_end *)rt_message_payload(last) = payload;
    last->flags = RT_MESSAGE_CONTROL;
    rt_post(system, transfer->owner, last);
}

static void
finish(struct net_http_transfer *transfer, enum net_http_result result)
{
    rt_table_remove(&transfer->pool->transfers, &transfer->link);
    if (!net_http_answer_end(transfer) && result == NET_HTTP_COMPLETE)
        result = NET_HTTP_REFUSED;
    post_end(transfer, result);
    destroy(transfer);
}

void
net_http_transfer_cancel(struct net_http_transfer *transfer)
{
    rt_table_remove(&transfer->pool->transfers, &transfer->link);
    destroy(transfer);
}

/* Whether anything of the request can have left us. */
static bool
has_reached(const struct net_http_transfer *transfer)
{
    curl_off_t us = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
    return us > 0;
}

static enum net_http_result
result_of(const struct net_http_transfer *transfer, CURLcode code)
{
    if (transfer->is_stopped)
        return NET_HTTP_STOPPED;
    if (transfer->is_refused)
        return NET_HTTP_REFUSED;
    if (code == CURLE_OK)
        return NET_HTTP_COMPLETE;
    if (!has_reached(transfer))
        return NET_HTTP_UNREACHED;
    switch ((int)code) { /* libcurl has a hundred more, which all mean that it broke off */
    case CURLE_OPERATION_TIMEDOUT:
        return NET_HTTP_TIMEOUT;
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is not HTTP passes for HTTP/0.9 */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_OUT_OF_MEMORY:
        return NET_HTTP_REFUSED;
    default:
        return NET_HTTP_CUT;
    }
}

void
net_http_transfer_done(struct net_http_transfer *transfer, CURLcode code)
{
    finish(transfer, result_of(transfer, code));
}

void
net_http_transfer_note_activity(struct net_http_transfer *transfer)
{
    transfer->heard_ns = net_timers_now_ns(transfer->pool->timers);
}

/* A transfer that we have paused is silent by our own will. */
static void
on_silence(struct net_timer *timer)
{
    struct net_http_transfer *transfer = RT_CONTAINER_OF(timer, struct net_http_transfer, silence);
    struct net_timers *timers = transfer->pool->timers;
    if (transfer->is_paused)
        net_http_transfer_note_activity(transfer);
    uint64_t silence_ns = net_timers_now_ns(timers) - transfer->heard_ns;
    if (silence_ns < transfer->idle_timeout_ns)
        net_timers_set(timers, timer, transfer->idle_timeout_ns - silence_ns);
    else
        finish(transfer, has_reached(transfer) ? NET_HTTP_TIMEOUT : NET_HTTP_UNREACHED);
}

/* The vendor goes on although we said stop: how much it made is not known. */
static void
on_impatience(struct net_timer *timer)
{
    finish(RT_CONTAINER_OF(timer, struct net_http_transfer, patience), NET_HTTP_CUT);
}

void
net_http_transfer_consume(struct net_http_transfer *transfer, uint32_t bytes)
{
    transfer->unconsumed_bytes -=
        bytes < transfer->unconsumed_bytes ? bytes : transfer->unconsumed_bytes;
    if (!transfer->is_paused || transfer->unconsumed_bytes > transfer->window_bytes / 2)
        return;
    transfer->is_paused = false; /* on_body may be called from the next line, and pause again */
    if (curl_easy_pause(transfer->easy, CURLPAUSE_CONT) != CURLE_OK)
        finish(transfer, NET_HTTP_REFUSED);
}

void
net_http_transfer_stop(struct net_http_transfer *transfer)
{
    if (transfer->is_stopped)
        return;
    transfer->is_stopped = true;
    if (!has_reached(transfer)) {
        finish(transfer, NET_HTTP_STOPPED); /* nobody was asked for anything */
        return;
    }
    curl_socket_t fd = net_http_sockets_find(&transfer->pool->sockets, transfer->easy);
    if (fd == CURL_SOCKET_BAD) {
        finish(transfer, NET_HTTP_CUT);
        return;
    }
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
    shutdown(fd, SHUT_WR);
    net_timers_set(transfer->pool->timers, &transfer->patience, STOP_MS * RT_NS_PER_MS);
}

/* Called by libcurl when there is a connection and the request goes out next. */
static int
on_sending(void *context, char *peer, char *local, int peer_port, int local_port)
{
    (void)peer, (void)local, (void)peer_port, (void)local_port;
    struct net_http_transfer *transfer = context;
    const struct rt_world *world = rt_system_world(transfer->pool->system);
    uint64_t now_ns = world->now_ns(world->self), since_ns = transfer->timed_since_ns;
    rt_histogram_record(transfer->sending, now_ns > since_ns ? now_ns - since_ns : 0);
    return CURL_PREREQFUNC_OK;
}

void
net_http_transfer_hurry(struct net_http_transfer *transfer, uint64_t since_ns,
                        struct rt_histogram *histogram)
{
    transfer->timed_since_ns = since_ns;
    transfer->sending = histogram;
    curl_easy_setopt(transfer->easy, CURLOPT_PREREQFUNCTION, on_sending);
    curl_easy_setopt(transfer->easy, CURLOPT_PREREQDATA, transfer);
    net_http_pool_go_on(transfer->pool); /* it may have ended by then */
}

/* Makes all that a transfer owns. False when out of memory: destroy it. */
static bool
make(struct net_http_transfer *transfer, const struct net_http_request *request)
{
    transfer->end = rt_message_create(NET_HTTP_END, sizeof(struct net_http_end));
    transfer->easy = curl_easy_init();
    if (transfer->end == NULL || transfer->easy == NULL || !net_http_request_set(transfer, request))
        return false;
    net_http_answer_set(transfer);
    return true;
}

static bool
enter(struct net_http_transfer *transfer)
{
    struct net_http_pool *pool = transfer->pool;
    uint64_t hash = net_http_transfer_hash(transfer->owner, transfer->name);
    if (!rt_table_add(&pool->transfers, &transfer->link, hash))
        return false;
    if (curl_multi_add_handle(pool->multi, transfer->easy) == CURLM_OK)
        return true;
    rt_table_remove(&pool->transfers, &transfer->link);
    return false;
}

enum rt_status
net_http_transfer_start(struct net_http_pool *pool, struct rt_address owner, uint64_t name,
                        const struct net_http_request *request)
{
    if (!net_http_request_is_valid(request))
        return RT_INVALID;
    struct net_http_transfer *transfer = rt_pool_take(sizeof(*transfer));
    if (transfer == NULL)
        return RT_NO_MEMORY;
    *transfer = (struct net_http_transfer){
        .pool = pool,
        .owner = owner,
        .name = name,
        .silence = {.fire = on_silence},
        .patience = {.fire = on_impatience},
        .idle_timeout_ns = request->idle_timeout_ms * RT_NS_PER_MS,
        .window_bytes = request->window_bytes,
    };
    if (!make(transfer, request) || !enter(transfer)) {
        destroy(transfer);
        return RT_NO_MEMORY;
    }
    net_http_transfer_note_activity(transfer);
    if (transfer->idle_timeout_ns > 0)
        net_timers_set(pool->timers, &transfer->silence, transfer->idle_timeout_ns);
    return RT_OK;
}
