/*
 * net/http_client.h - the HTTP port (net/http_port.h) over libcurl: HTTP/1.1 with connections
 * that are kept and used again, one pool of them on each worker's loop.
 *
 * A request that may have reached its vendor is never sent twice by us. libcurl repeats one
 * whose kept connection turns out to be dead; for requests with a body it is denied the body a
 * second time, and those without, but GET and HEAD, get a new connection. Such a transfer ends
 * with NET_HTTP_CUT. A request that says itself that it is repeatable may be sent again.
 *
 * No redirects, no proxies from the environment, certificates are verified. SIGPIPE is ignored
 * from net_http_client_create() on, in the whole process.
 */
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "net/http_port.h"

struct net_http_client;
struct rt_system;

enum {
    NET_HTTP_TRANSFERS_MAX = 16384, /* per worker; start() is RT_FULL beyond */
    NET_HTTP_HEAD_BYTES_MAX = 64 * 1024,
    NET_HTTP_HEAD_LINES_MAX = 200,       /* beyond these an answer is NET_HTTP_REFUSED */
    NET_HTTP_DATA_BYTES_MAX = 16 * 1024, /* of one NET_HTTP_DATA */
};

/* NULL when out of memory or file descriptors. One thread, before rt_system_start(). */
struct net_http_client *net_http_client_create(struct rt_system *system);

/* The port to it. Lives as long as the client. */
struct net_http_port net_http_client_port(struct net_http_client *client);

/* Drops all transfers without a message, and lets go of the workers' loops. From then on its port
 * starts nothing. After rt_system_stop(), before rt_system_destroy(). */
void net_http_client_close(struct net_http_client *client);

/* Frees it, and closes it if that was not done. When no actor can call its port any more. */
void net_http_client_destroy(struct net_http_client *client);

#endif
