#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/conn.h"
#include "net/refusals.h"
#include "runtime/log.h"
#include "runtime/world.h"

enum { ACCEPTS_PER_ROUND = 64 };

static const struct rt_world *
world_of(const struct net_listener *listener)
{
    return rt_system_world(listener->options->system);
}

const char *
net_listener_date(struct net_listener *listener)
{
    const struct rt_world *world = world_of(listener);
    return net_date_text(&listener->date, world->wall_ms(world->self));
}

/* No descriptor is left, so the connection cannot even be refused; left in the queue it would
 * wake the loop for ever. The reserve makes room to take it out and drop it. */
static void
drop_one(struct net_listener *listener)
{
    if (!listener->is_short)
        rt_log(RT_LOG_ERROR, "server.fds_exhausted", RT_U64("worker", listener->worker),
               RT_U64("connections", listener->conn_count));
    listener->is_short = true;
    if (listener->reserve_fd >= 0)
        close(listener->reserve_fd);
    int fd = accept4(listener->accept.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        net_refusals_newcomer(NET_NEWCOMER_NO_DESCRIPTOR);
        close(fd);
    }
    listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
take(struct net_listener *listener, int fd)
{
    listener->is_short = false;
    if (listener->conn_count >= listener->options->connections_max + NET_SURPLUS_MAX) {
        net_refusals_newcomer(NET_NEWCOMER_FLOOD);
        close(fd);
        return;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* we cork by ourselves */
    if (!net_carrier_adopt(listener->carrier, fd))
        net_refusals_newcomer(NET_NEWCOMER_NO_MEMORY);
}

/* Accepts one connection. False when there is none, for now. */
static bool
accept_one(struct net_listener *listener)
{
    int fd = accept4(listener->accept.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        take(listener, fd);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        drop_one(listener);
        return false;
    }
    return errno == ECONNABORTED || errno == EINTR || errno == EPROTO;
}

static void
on_acceptable(struct ev_loop *loop, ev_io *watcher, int events)
{
    (void)loop, (void)events;
    struct net_listener *listener = watcher->data;
    for (int i = 0; i < ACCEPTS_PER_ROUND && accept_one(listener); i++)
        ;
}

/* What the kernel has already accepted for us is served before the socket closes. */
static void
stop_accepting(struct net_listener *listener)
{
    if (!listener->is_accepting)
        return;
    listener->is_accepting = false;
    ev_io_stop(listener->loop, &listener->accept);
    if (!listener->is_closing)
        while (accept_one(listener))
            ;
    close(listener->accept.fd);
}

static void
on_stop(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)loop, (void)events;
    stop_accepting(watcher->data);
}

void
net_listener_stop(struct net_listener *listener)
{
    ev_async_send(listener->loop, &listener->stop);
}

static void
on_renew(struct ev_loop *loop, ev_async *watcher, int events)
{
    (void)loop, (void)events;
    struct net_listener *listener = watcher->data;
    const struct net_server_options *options = listener->options;
    if (options->tls_certificate_file == NULL)
        return;
    if (net_carrier_renew(listener->carrier, options->tls_certificate_file, options->tls_key_file))
        rt_log(RT_LOG_INFO, "server.certificate_renewed", RT_U64("worker", listener->worker),
               RT_STR("file", options->tls_certificate_file));
    else
        rt_log(RT_LOG_ERROR, "server.certificate_kept", RT_U64("worker", listener->worker),
               RT_STR("why", "file and key are not readable, or not of one another"),
               RT_STR("file", options->tls_certificate_file));
}

void
net_listener_renew(struct net_listener *listener)
{
    ev_async_send(listener->loop, &listener->renew);
}

static void *
open_conn(void *context, struct lws *wire)
{
    return net_conn_open(context, wire);
}

static bool
make_parts(struct net_listener *listener)
{
    const struct net_server_options *options = listener->options;
    const struct net_carrier_options carrier_options = {
        .loop = listener->loop,
        .events = {.context = listener,
                   .on_open = open_conn,
                   .on_bytes = net_conn_on_bytes,
                   .on_writable = net_conn_on_writable,
                   .on_gone = net_conn_on_gone},
        .certificate_file = options->tls_certificate_file,
        .key_file = options->tls_key_file,
    };
    listener->timers = net_timers_create(listener->loop, world_of(listener));
    listener->carrier = net_carrier_create(&carrier_options);
    listener->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    return listener->timers != NULL && listener->carrier != NULL && listener->reserve_fd >= 0;
}

struct net_listener *
net_listener_create(struct net_server *server, const struct net_server_options *options,
                    unsigned worker, int fd)
{
    struct net_listener *listener = calloc(1, sizeof(*listener));
    if (listener == NULL) {
        close(fd);
        return NULL;
    }
    listener->server = server;
    listener->options = options;
    listener->worker = worker;
    listener->loop = rt_system_loop(options->system, worker);
    listener->is_accepting = true;
    listener->reserve_fd = -1;
    ev_io_init(&listener->accept, on_acceptable, fd, EV_READ);
    ev_async_init(&listener->stop, on_stop);
    ev_async_init(&listener->renew, on_renew);
    listener->accept.data = listener->stop.data = listener->renew.data = listener;
    if (!make_parts(listener)) {
        net_listener_destroy(listener);
        return NULL;
    }
    ev_io_start(listener->loop, &listener->accept);
    ev_async_start(listener->loop, &listener->stop);
    ev_async_start(listener->loop, &listener->renew);
    return listener;
}

void
net_listener_destroy(struct net_listener *listener)
{
    if (listener == NULL)
        return;
    listener->is_closing = true;
    stop_accepting(listener);
    ev_async_stop(listener->loop, &listener->stop);
    ev_async_stop(listener->loop, &listener->renew);
    net_carrier_destroy(listener->carrier); /* drops the connections, which cancel their timers */
    net_timers_destroy(listener->timers);
    if (listener->reserve_fd >= 0)
        close(listener->reserve_fd);
    free(listener);
}
