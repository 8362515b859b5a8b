#include "net/server.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/address.h"
#include "net/http1.h"
#include "net/listener.h"
#include "net/refusals.h"
#include "runtime/assert.h"

struct net_server {
    struct net_server_options options;
    struct net_address address;
    unsigned listener_count;
    struct net_listener *listeners[RT_WORKERS_MAX];
};

/* Where a failure is explained. */
struct problem {
    char *text;
    size_t text_bytes;
};

RT_PRINTF(3, 4)
static enum rt_status
fail(const struct problem *problem, enum rt_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(problem->text, problem->text_bytes, format, arguments);
    va_end(arguments);
    return status;
}

/* Loads certificate and key once, to say which of them is wrong: libwebsockets only says that
 * something is. */
static enum rt_status
check_tls(const struct net_server_options *options, const struct problem *problem)
{
    const char *certificate = options->tls_certificate_file, *key = options->tls_key_file;
    if (certificate == NULL && key == NULL)
        return RT_OK;
    if (certificate == NULL || key == NULL)
        return fail(problem, RT_INVALID, "TLS needs both a certificate file and a key file");
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return fail(problem, RT_NO_MEMORY, "out of memory");
    enum rt_status status = RT_OK;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
        status = fail(problem, RT_INVALID, "%s: not a readable PEM certificate chain", certificate);
    else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1)
        status = fail(problem, RT_INVALID, "%s: not a readable PEM key of %s", key, certificate);
    SSL_CTX_free(context);
    return status;
}

static enum rt_status
check(const struct net_server_options *options, struct net_address *address_out,
      const struct problem *problem)
{
    RT_ASSERT(options->header_bytes_max <= NET_HTTP1_HEADER_BYTES_MAX);
    RT_ASSERT(options->events.on_request != NULL);
    if (net_address_parse(options->listen, address_out) != RT_OK)
        return fail(problem, RT_INVALID, "%s: not an address to listen on, such as 127.0.0.1:8080",
                    options->listen);
    return check_tls(options, problem);
}

static enum rt_status
open_listeners(struct net_server *server, const struct problem *problem)
{
    unsigned workers = rt_system_workers(server->options.system);
    int fds[RT_WORKERS_MAX];
    if (net_address_listen(&server->address, fds, workers) != RT_OK)
        return fail(problem, RT_IO, "cannot listen on %s: %s", server->options.listen,
                    strerror(errno));
    for (unsigned i = 0; i < workers; i++) {
        server->listeners[i] = net_listener_create(server, &server->options, i, fds[i]);
        if (server->listeners[i] == NULL) {
            while (++i < workers)
                close(fds[i]);
            return fail(problem, RT_NO_MEMORY, "out of memory or file descriptors for %s",
                        server->options.listen);
        }
        server->listener_count++;
    }
    return RT_OK;
}

enum rt_status
net_server_open(const struct net_server_options *options, struct net_server **server_out,
                char *problem_out, size_t problem_bytes)
{
    struct problem problem = {problem_out, problem_bytes};
    struct net_address address;
    enum rt_status status = check(options, &address, &problem);
    if (status != RT_OK)
        return status;
    struct net_server *server = calloc(1, sizeof(*server));
    if (server == NULL)
        return fail(&problem, RT_NO_MEMORY, "out of memory");
    net_refusals_register();
    server->options = *options;
    server->address = address;
    status = open_listeners(server, &problem);
    if (status != RT_OK) {
        net_server_close(server);
        return status;
    }
    *server_out = server;
    return RT_OK;
}

uint16_t
net_server_port(const struct net_server *server)
{
    return net_address_port(&server->address);
}

void
net_server_stop_accepting(struct net_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        net_listener_stop(server->listeners[i]);
}

void
net_server_renew_tls(struct net_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        net_listener_renew(server->listeners[i]);
}

void
net_server_close(struct net_server *server)
{
    for (unsigned i = 0; i < server->listener_count; i++)
        net_listener_destroy(server->listeners[i]);
    free(server);
}
