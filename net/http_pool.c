#include "net/http_pool.h"

#include <ev.h>
#include <stdlib.h>

#include "net/http_transfer.h"
#include "runtime/pool.h"
#include "runtime/system.h"
#include "runtime/world.h"

enum { KEPT_CONNECTIONS_MAX = 256 };

/* One socket of libcurl's on our loop. */
struct watch {
    ev_io io;
    struct net_http_pool *pool;
};

static struct net_http_transfer *
transfer_of(CURL *easy)
{
    char *transfer = NULL;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &transfer);
    return (struct net_http_transfer *)(void *)transfer;
}

/* Tells transfers that libcurl is done with them. */
static void
collect_done(struct net_http_pool *pool)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        net_http_transfer_done(transfer_of(message->easy_handle), code);
    }
}

static void
act(struct net_http_pool *pool, curl_socket_t fd, int events)
{
    int running;
    curl_multi_socket_action(pool->multi, fd, events, &running);
    collect_done(pool);
}

static void
on_ready(struct ev_loop *loop, ev_io *io, int events)
{
    (void)loop;
    struct watch *watch = io->data;
    int mask =
        (events & EV_READ ? CURL_CSELECT_IN : 0) | (events & EV_WRITE ? CURL_CSELECT_OUT : 0);
    act(watch->pool, io->fd, mask); /* may free the watch */
}

static struct watch *
add_watch(struct net_http_pool *pool, curl_socket_t fd)
{
    struct watch *watch = rt_pool_take(sizeof(*watch));
    if (watch == NULL)
        return NULL;
    watch->pool = pool;
    ev_io_init(&watch->io, on_ready, fd, 0);
    watch->io.data = watch;
    curl_multi_assign(pool->multi, fd, watch);
    net_http_sockets_note(&pool->sockets, fd);
    return watch;
}

static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *assigned)
{
    (void)easy;
    struct net_http_pool *pool = context;
    struct watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch != NULL)
            ev_io_stop(pool->loop, &watch->io);
        rt_pool_give(watch, sizeof(*watch));
        return 0;
    }
    if (watch == NULL)
        watch = add_watch(pool, fd);
    if (watch == NULL)
        return -1;
    int events = (what & CURL_POLL_IN ? EV_READ : 0) | (what & CURL_POLL_OUT ? EV_WRITE : 0);
    ev_io_stop(pool->loop, &watch->io);
    ev_io_set(&watch->io, fd, events);
    ev_io_start(pool->loop, &watch->io);
    return 0;
}

static void
on_multi_timer(struct net_timer *timer)
{
    act(RT_CONTAINER_OF(timer, struct net_http_pool, multi_timer), CURL_SOCKET_TIMEOUT, 0);
}

void
net_http_pool_go_on(struct net_http_pool *pool)
{
    act(pool, CURL_SOCKET_TIMEOUT, 0);
}

static int
on_timeout_change(CURLM *multi, long timeout_ms, void *context)
{
    (void)multi;
    struct net_http_pool *pool = context;
    if (timeout_ms < 0)
        net_timers_cancel(pool->timers, &pool->multi_timer);
    else
        net_timers_set(pool->timers, &pool->multi_timer, (uint64_t)timeout_ms * RT_NS_PER_MS);
    return 0;
}

static void
set_options(struct net_http_pool *pool)
{
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timeout_change);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS_MAX);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
}

struct net_http_pool *
net_http_pool_create(struct rt_system *system, unsigned worker)
{
    struct net_http_pool *pool = calloc(1, sizeof(*pool));
    if (pool == NULL)
        return NULL;
    pool->system = system;
    pool->loop = rt_system_loop(system, worker);
    pool->multi_timer.fire = on_multi_timer;
    pool->timers = net_timers_create(pool->loop, rt_system_world(system));
    pool->multi = curl_multi_init();
    if (pool->timers == NULL || pool->multi == NULL) {
        net_http_pool_destroy(pool);
        return NULL;
    }
    set_options(pool);
    return pool;
}

void
net_http_pool_destroy(struct net_http_pool *pool)
{
    if (pool == NULL)
        return;
    struct rt_table_link *link;
    while ((link = rt_table_first(&pool->transfers)) != NULL)
        net_http_transfer_cancel(net_http_transfer_at(link));
    rt_table_deinit(&pool->transfers);
    curl_multi_cleanup(pool->multi);
    net_http_sockets_deinit(&pool->sockets);
    net_timers_destroy(pool->timers);
    free(pool);
}

struct net_http_transfer *
net_http_pool_find(const struct net_http_pool *pool, struct rt_address owner, uint64_t name)
{
    uint64_t hash = net_http_transfer_hash(owner, name);
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&pool->transfers, hash, link)) != NULL) {
        struct net_http_transfer *transfer = net_http_transfer_at(link);
        if (net_http_transfer_is(transfer, owner, name))
            return transfer;
    }
    return NULL;
}
