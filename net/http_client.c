#include "net/http_client.h"

#include <signal.h>
#include <stdlib.h>

#include "net/http_transfer.h"
#include "runtime/assert.h"
#include "runtime/system.h"

struct net_http_client {
    struct rt_system *system;
    unsigned pool_count;
    struct net_http_pool *pools[RT_WORKERS_MAX];
};

struct net_http_client *
net_http_client_create(struct rt_system *system)
{
    struct net_http_client *client = calloc(1, sizeof(*client));
    if (client == NULL)
        return NULL;
    client->system = system;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(client);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    for (unsigned i = 0; i < rt_system_workers(system); i++) {
        client->pools[i] = net_http_pool_create(system, i);
        if (client->pools[i] == NULL) {
            net_http_client_destroy(client);
            return NULL;
        }
        client->pool_count++;
    }
    return client;
}

void
net_http_client_close(struct net_http_client *client)
{
    if (client == NULL)
        return;
    while (client->pool_count > 0)
        net_http_pool_destroy(client->pools[--client->pool_count]);
}

void
net_http_client_destroy(struct net_http_client *client)
{
    if (client == NULL)
        return;
    net_http_client_close(client);
    curl_global_cleanup();
    free(client);
}

/* The pool of the worker that runs this turn; NULL once the client is closed. */
static struct net_http_pool *
pool_of(void *self, const struct rt_actor *owner)
{
    struct net_http_client *client = self;
    RT_ASSERT(rt_system_of(owner) == client->system);
    return client->pool_count == 0 ? NULL : client->pools[rt_worker_index(owner)];
}

static struct net_http_transfer *
find(void *self, const struct rt_actor *owner, uint64_t transfer)
{
    struct net_http_pool *pool = pool_of(self, owner);
    return pool == NULL ? NULL : net_http_pool_find(pool, rt_self(owner), transfer);
}

static enum rt_status
start(void *self, struct rt_actor *owner, uint64_t transfer, const struct net_http_request *request)
{
    struct net_http_pool *pool = pool_of(self, owner);
    if (pool == NULL)
        return RT_CLOSED;
    RT_ASSERT(net_http_pool_find(pool, rt_self(owner), transfer) == NULL);
    if (pool->transfers.count >= NET_HTTP_TRANSFERS_MAX)
        return RT_FULL;
    return net_http_transfer_start(pool, rt_self(owner), transfer, request);
}

static void
consume(void *self, struct rt_actor *owner, uint64_t transfer, uint32_t bytes)
{
    struct net_http_transfer *found = find(self, owner, transfer);
    if (found != NULL)
        net_http_transfer_consume(found, bytes);
}

static void
stop(void *self, struct rt_actor *owner, uint64_t transfer)
{
    struct net_http_transfer *found = find(self, owner, transfer);
    if (found != NULL)
        net_http_transfer_stop(found);
}

static void
hurry(void *self, struct rt_actor *owner, uint64_t transfer, uint64_t since_ns,
      struct rt_histogram *histogram)
{
    struct net_http_transfer *found = find(self, owner, transfer);
    if (found != NULL)
        net_http_transfer_hurry(found, since_ns, histogram);
}

static void
cancel(void *self, struct rt_actor *owner, uint64_t transfer)
{
    struct net_http_transfer *found = find(self, owner, transfer);
    if (found != NULL)
        net_http_transfer_cancel(found);
}

struct net_http_port
net_http_client_port(struct net_http_client *client)
{
    return (struct net_http_port){
        .self = client,
        .start = start,
        .consume = consume,
        .stop = stop,
        .hurry = hurry,
        .cancel = cancel,
    };
}
