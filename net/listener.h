/*
 * net/listener.h - one worker's part of a server: its listening socket, its carrier, its timers
 * and the count of its connections. Nobody outside net/ includes this.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <ev.h>

#include "net/carrier.h"
#include "net/response.h"
#include "net/server.h"
#include "net/timers.h"

/* Connections above connections_max that are still told 503; those above are just closed. */
enum { NET_SURPLUS_MAX = 64 };

struct net_listener {
    struct net_server *server;
    const struct net_server_options *options; /* the server's copy */
    unsigned worker;
    struct ev_loop *loop;
    struct net_timers *timers;
    struct net_carrier *carrier;
    ev_io accept;
    ev_async stop;     /* net_server_stop_accepting(), from any thread */
    ev_async renew;    /* net_server_renew_tls(), likewise */
    int reserve_fd;    /* given up for a moment when file descriptors run out */
    bool is_short;     /* they have run out, and that was logged */
    bool is_accepting; /* the listening socket is open */
    bool is_closing;   /* the loop runs no more */
    uint32_t conn_count;
    struct net_date date;
};

/*
 * Makes the part of `worker`, accepting on `fd`.
 *
 *   returns    NULL when out of memory or descriptors, or when TLS does not work
 *   ownership  `fd` is the listener's, also on failure
 */
struct net_listener *net_listener_create(struct net_server *server,
                                         const struct net_server_options *options, unsigned worker,
                                         int fd);

/* Closes all. While the loop does not run. */
void net_listener_destroy(struct net_listener *listener);

/* Has the listening socket closed by its own loop. Threads: any. */
void net_listener_stop(struct net_listener *listener);

/* Has the certificate read again by its own loop. Threads: any. */
void net_listener_renew(struct net_listener *listener);

/* The present Date header. */
const char *net_listener_date(struct net_listener *listener);

#endif
