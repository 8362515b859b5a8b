/*
 * net/http_pool.h - one worker's part of the HTTP client: a libcurl multi handle on its loop, and
 * the transfers in it. Nobody outside net/ includes this.
 */
#ifndef NET_HTTP_POOL_H
#define NET_HTTP_POOL_H

#include <curl/curl.h>
#include <stdint.h>

#include "net/http_port.h"
#include "net/http_sockets.h"
#include "net/timers.h"
#include "runtime/table.h"

struct ev_loop;
struct net_http_transfer;

struct net_http_pool {
    struct rt_system *system;
    struct ev_loop *loop;
    struct net_timers *timers;
    CURLM *multi;
    struct net_timer multi_timer; /* the one deadline libcurl asks for */
    struct rt_table transfers;    /* by owner and name */
    struct net_http_sockets sockets;
};

/* NULL when out of memory or file descriptors. */
struct net_http_pool *net_http_pool_create(struct rt_system *system, unsigned worker);
void net_http_pool_destroy(struct net_http_pool *pool);

/* Lets libcurl do at once what it would do in the loop's next round. Not from within libcurl;
 * transfers may end. */
void net_http_pool_go_on(struct net_http_pool *pool);

/* The transfer an owner calls so, or NULL. */
struct net_http_transfer *net_http_pool_find(const struct net_http_pool *pool,
                                             struct rt_address owner, uint64_t name);

#endif
