#include "net/carrier.h"

#include <libwebsockets.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "runtime/assert.h"
#include "runtime/log.h"

enum { HANDSHAKE_SECONDS = 3600 }; /* libwebsockets' own limit; ours is far below and works */

struct net_carrier {
    struct net_carrier_events events;
    struct lws_context *context;
    struct lws_vhost *vhost;
    SSL_CTX *renewed; /* holds the certificate that is newer than libwebsockets' own, or NULL */
};

static const struct net_carrier_events *
events_of(struct lws *wire)
{
    const struct net_carrier *carrier = lws_context_user(lws_get_context(wire));
    return &carrier->events;
}

static int
open_wire(struct lws *wire)
{
    const struct net_carrier_events *events = events_of(wire);
    void *owner = events->on_open(events->context, wire);
    lws_set_opaque_user_data(wire, owner);
    return owner == NULL ? -1 : 0;
}

/* Each handshake gets the certificate of its moment; those before it keep theirs. */
static int
choose_certificate(SSL *ssl, void *context)
{
    const struct net_carrier *carrier = context;
    STACK_OF(X509) *chain = NULL;
    if (carrier->renewed == NULL)
        return 1;
    SSL_certs_clear(ssl); /* the old one may be of another type, and would stay beside it */
    SSL_CTX_get0_chain_certs(carrier->renewed, &chain);
    return SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(carrier->renewed),
                                SSL_CTX_get0_privatekey(carrier->renewed), chain, 1);
}

static int
on_wire_event(struct lws *wire, enum lws_callback_reasons reason, void *user, void *bytes,
              size_t size_bytes)
{
    if (reason == LWS_CALLBACK_RAW_ADOPT)
        return open_wire(wire);
    if (reason == LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS) /* `user` is the SSL_CTX */
        SSL_CTX_set_cert_cb(user, choose_certificate, lws_context_user(lws_get_context(wire)));
    if (reason != LWS_CALLBACK_RAW_RX && reason != LWS_CALLBACK_RAW_WRITEABLE &&
        reason != LWS_CALLBACK_RAW_CLOSE)
        return 0;
    void *owner = lws_get_opaque_user_data(wire);
    if (owner == NULL)
        return 0; /* it ends before it was opened */
    const struct net_carrier_events *events = events_of(wire);
    if (reason == LWS_CALLBACK_RAW_RX) {
        /* The end of a TLS handshake leaves a timeout behind that nobody else takes away. */
        if (lws_is_ssl(wire))
            lws_set_timeout(wire, NO_PENDING_TIMEOUT, 0);
        events->on_bytes(owner, bytes, size_bytes);
        explicit_bzero(bytes, size_bytes); /* credentials and secrets; the buffer is kept */
    } else if (reason == LWS_CALLBACK_RAW_WRITEABLE) {
        events->on_writable(owner);
    } else {
        lws_set_opaque_user_data(wire, NULL);
        events->on_gone(owner);
    }
    return 0;
}

/* One protocol, for raw sockets: http_parser and net/websocket.c do what libwebsockets calls
 * protocols. tx_packet_size must be set: without it one write sends no more than a read buffer
 * holds, and keeps the rest. */
static const struct lws_protocols protocols[] = {
    {.name = "raw",
     .callback = on_wire_event,
     .rx_buffer_size = NET_WIRE_READ_BYTES_MAX,
     .tx_packet_size = NET_WIRE_WRITE_BYTES_MAX},
    {.name = NULL},
};

static void
log_complaint(int level, const char *line)
{
    (void)level;
    rt_log(RT_LOG_WARN, "carrier.complained", RT_STR("line", line));
}

struct net_carrier *
net_carrier_create(const struct net_carrier_options *options)
{
    static const lws_retry_bo_t no_validity_checks = {0}; /* their list is O(n) to insert into */
    lws_set_log_level(LLL_ERR, log_complaint);
    struct net_carrier *carrier = calloc(1, sizeof(*carrier));
    if (carrier == NULL)
        return NULL;
    carrier->events = options->events;
    void *loops[] = {options->loop};
    bool with_tls = options->certificate_file != NULL;
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
                   (with_tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0),
        .foreign_loops = loops,
        .protocols = protocols,
        .user = carrier,
        .gid = -1,
        .uid = -1,
        .timeout_secs = HANDSHAKE_SECONDS,
        .pt_serv_buf_size = NET_WIRE_READ_BYTES_MAX + LWS_PRE,
        .retry_and_idle_policy = &no_validity_checks,
        .vhost_name = "edge",
        .alpn = "http/1.1",
        .ssl_cert_filepath = options->certificate_file,
        .ssl_private_key_filepath = options->key_file,
        .ssl_options_set = SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1,
    };
    carrier->context = lws_create_context(&info);
    if (carrier->context != NULL)
        carrier->vhost = lws_create_vhost(carrier->context, &info);
    if (carrier->vhost == NULL) {
        net_carrier_destroy(carrier);
        return NULL;
    }
    return carrier;
}

void
net_carrier_destroy(struct net_carrier *carrier)
{
    if (carrier == NULL)
        return;
    if (carrier->context != NULL)
        lws_context_destroy(carrier->context);
    SSL_CTX_free(carrier->renewed);
    free(carrier);
}

bool
net_carrier_renew(struct net_carrier *carrier, const char *certificate_file, const char *key_file)
{
    SSL_CTX *renewed = SSL_CTX_new(TLS_server_method());
    if (renewed == NULL || SSL_CTX_use_certificate_chain_file(renewed, certificate_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(renewed, key_file, SSL_FILETYPE_PEM) != 1) {
        ERR_clear_error(); /* it would be taken for one of a connection's */
        SSL_CTX_free(renewed);
        return false;
    }
    SSL_CTX_free(carrier->renewed);
    carrier->renewed = renewed;
    return true;
}

bool
net_carrier_adopt(struct net_carrier *carrier, int fd)
{
    lws_sock_file_fd_type socket = {.sockfd = fd};
    return lws_adopt_descriptor_vhost(carrier->vhost, LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL,
                                      socket, NULL, NULL) != NULL;
}

int
net_wire_fd(struct lws *wire)
{
    return lws_get_socket_fd(wire);
}

enum rt_status
net_wire_write(struct lws *wire, uint8_t *bytes, size_t size_bytes)
{
    RT_ASSERT(size_bytes <= NET_WIRE_WRITE_BYTES_MAX);
    /* Nothing is kept, so nothing can be overtaken: most writes need no more than this. What the
     * kernel does not take, and what went wrong, is libwebsockets' to deal with. */
    if (!lws_is_ssl(wire)) {
        ssize_t sent = send(lws_get_socket_fd(wire), bytes, size_bytes, MSG_NOSIGNAL);
        if (sent == (ssize_t)size_bytes)
            return RT_OK;
        bytes += sent < 0 ? 0 : sent;
        size_bytes -= sent < 0 ? 0 : (size_t)sent;
    }
    /* In the raw role nothing is put before the bytes: LWS_PRE is not needed. */
    if (lws_write(wire, bytes, size_bytes, LWS_WRITE_RAW) < 0)
        return RT_CLOSED;
    return lws_partial_buffered(wire) ? RT_FULL : RT_OK;
}

bool
net_wire_is_full(struct lws *wire)
{
    return lws_partial_buffered(wire) != 0;
}

void
net_wire_want_writable(struct lws *wire)
{
    lws_callback_on_writable(wire);
}

void
net_wire_set_reading(struct lws *wire, bool reading)
{
    lws_rx_flow_control(wire, reading);
}

void
net_wire_shut(struct lws *wire)
{
    SSL *ssl = lws_get_ssl(wire);
    if (ssl != NULL && SSL_is_init_finished(ssl))
        SSL_shutdown(ssl); /* queues the close alert; the answer is not waited for */
    shutdown(lws_get_socket_fd(wire), SHUT_WR);
}

void
net_wire_drop(struct lws *wire)
{
    lws_set_timeout(wire, PENDING_TIMEOUT_USER_OK, LWS_TO_KILL_SYNC);
}
