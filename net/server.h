/*
 * net/server.h - HTTP/1.1 and WebSocket on one port, one listener and one libwebsockets context
 * per worker.
 *
 * A connection lives on the loop of one worker; all calls about it are made there, and all its
 * events come there. libwebsockets carries the bytes (sockets, TLS, buffered writes); HTTP is
 * parsed by http_parser, WebSocket framing is net/websocket.c. That split is what lets an
 * upgrade wait for a decision that takes messages between actors, and many frames leave in one
 * write: the built-in handshake answers within its own callback (docs/edge.md has the figures).
 *
 *      accept ──► READING ──request──► WAITING ──respond──► READING …  (keep-alive)
 *                                         └──upgrade──► OPEN ──close──► CLOSING ──► gone
 *
 * While a request waits for its answer the connection reads no further one (pipelining is
 * bounded by not reading).
 */
#ifndef NET_SERVER_H
#define NET_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/status.h"
#include "runtime/system.h"

struct net_server;
struct net_conn;

enum net_ws_type { NET_WS_TEXT = 1, NET_WS_BINARY = 2 };

/* One whole HTTP request. Everything points into the connection and is gone after on_request. */
struct net_request {
    const char *method; /* upper case */
    const char *path;   /* as sent, without the query */
    const char *query;  /* what follows '?', or "" */
    const uint8_t *body;
    size_t body_bytes;
    bool wants_websocket; /* a valid RFC 6455 upgrade request */
    const char *peer;     /* the client's address, without port */
    const struct net_header *headers;
    size_t header_count;
};

struct net_header {
    const char *name; /* lower case in requests */
    const char *value;
};

/* The value of a header, or NULL. `name` in lower case. */
const char *net_request_header(const struct net_request *request, const char *name);

/* What the owner of the server is told. All on the connection's worker. */
struct net_server_events {
    void *context;

    /* A request came; it must get one net_conn_respond(), net_conn_stream_begin() or
     * net_conn_upgrade(), now or later. */
    void (*on_request)(void *context, struct net_conn *conn, const struct net_request *request);

    /* A whole WebSocket message came (never larger than message_bytes_max; text is UTF-8). */
    void (*on_message)(void *context, struct net_conn *conn, enum net_ws_type type,
                       const uint8_t *bytes, size_t size_bytes);

    /* What was queued has gone out: net_conn_queued_bytes() is zero again. Told once after RT_FULL
     * and after net_conn_await_drained(), while a streamed answer or a WebSocket is open. */
    void (*on_drained)(void *context, struct net_conn *conn);

    /* The connection is gone; `conn` is invalid afterwards. A peer that half-closes is gone too:
     * nothing more is written to it. For WebSockets `code` is the peer's close code, 1005 when its
     * close carried none, 1006 when it went without one. Called once for each connection that had
     * an on_request. */
    void (*on_closed)(void *context, struct net_conn *conn, uint16_t code);
};

struct net_server_options {
    struct rt_system *system;
    const char *listen; /* "host:port", "[v6]:port"; port 0: any free one */
    const char *tls_certificate_file, *tls_key_file; /* NULL: no TLS */
    struct net_server_events events;
    uint32_t header_bytes_max;  /* request line and headers, at most 65535; 431 beyond */
    uint32_t body_bytes_max;    /* 413 beyond */
    uint32_t message_bytes_max; /* WebSocket; close 1009 beyond */
    uint32_t queued_bytes_max;  /* unsent, per connection; RT_FULL beyond, but any one piece fits
                                 * when nothing waits */
    uint32_t connections_max;   /* per worker; further ones get 503 and are closed */
    uint32_t header_timeout_ms; /* from the first byte, or from accept, to the whole header */
    uint32_t body_timeout_ms;   /* from the header to the whole body */
    uint32_t idle_timeout_ms;   /* between requests; and for a client to take some of what waits */
    uint32_t ping_interval_ms;  /* WebSocket: silence before we ping; two without pong: gone */
};

/*
 * Opens the port. Events come once rt_system_start() was called.
 *
 *   problem_out  on failure: one line, what and where; static or in `problem`
 *   returns      RT_OK | RT_INVALID (listen, certificate) | RT_IO | RT_NO_MEMORY
 *   threads      one, before rt_system_start()
 */
RT_MUST_USE enum rt_status net_server_open(const struct net_server_options *options,
                                           struct net_server **server_out, char *problem,
                                           size_t problem_bytes);

/* The port it listens on, for port 0. */
uint16_t net_server_port(const struct net_server *server);

/* Stops accepting. Each worker's part is closed by its own loop soon after; connections go on,
 * and end with their next answer. Threads: any. */
void net_server_stop_accepting(struct net_server *server);

/* Has certificate and key read again from their files, for handshakes soon after; connections keep
 * theirs. What is not sound is logged, and the old ones stay. Nothing without TLS. Threads: any. */
void net_server_renew_tls(struct net_server *server);

/* Closes everything, with an on_closed on this thread for each connection that is left. After
 * rt_system_stop(), before rt_system_destroy(). */
void net_server_close(struct net_server *server);

/* One connection, on its worker only.
 *
 * Nothing is closed or freed within these calls: on_closed comes later, and until then `conn` is
 * valid. Answers and frames for a connection that has begun to close are dropped. */

/* A pointer of the owner's, NULL at first. */
void net_conn_set_user(struct net_conn *conn, void *user);
void *net_conn_user(const struct net_conn *conn);
unsigned net_conn_worker(const struct net_conn *conn);
struct net_server *net_conn_server(const struct net_conn *conn);

struct net_response {
    int status;
    const struct net_header *headers; /* besides Content-Length, Date and Connection */
    size_t header_count;
    const void *body;
    size_t body_bytes;
    bool close; /* close the connection after it */
};

/* Answers the request. Everything is copied. */
void net_conn_respond(struct net_conn *conn, const struct net_response *response);

/* Answers in pieces (chunked): begin, any number of writes, end. `body` of the response is not
 * used. RT_FULL from write: it would pass queued_bytes_max, nothing was taken; on_drained will
 * come. RT_CLOSED: close has begun. */
void net_conn_stream_begin(struct net_conn *conn, const struct net_response *response);
RT_MUST_USE enum rt_status net_conn_stream_write(struct net_conn *conn, const void *bytes,
                                                 size_t size_bytes);
void net_conn_stream_end(struct net_conn *conn);

/* Accepts the upgrade. `subprotocol` is echoed when not NULL; it must be one the client offered. */
void net_conn_upgrade(struct net_conn *conn, const char *subprotocol);

/* Another bound than the server's message_bytes_max, for an upgraded connection. */
void net_conn_set_message_bytes_max(struct net_conn *conn, size_t message_bytes_max);

/*
 * Queues one WebSocket message; it leaves with all others of this round in one write.
 *
 *   returns    RT_OK | RT_FULL (nothing was queued; on_drained will come) | RT_CLOSED (close
 *              has begun)
 */
RT_MUST_USE enum rt_status net_conn_send(struct net_conn *conn, enum net_ws_type type,
                                         const void *bytes, size_t size_bytes);

/* Begins the closing handshake after what is queued; on_closed follows within five seconds.
 * `reason` is at most 123 bytes of UTF-8. On a connection that is not a WebSocket: sends what
 * is queued, and closes, in the middle of an answer too. */
void net_conn_close(struct net_conn *conn, uint16_t code, const char *reason);

/* Bytes queued and not yet taken by the kernel. */
size_t net_conn_queued_bytes(const struct net_conn *conn);

/* Has on_drained told when what is queued has gone out. Does nothing when nothing is. */
void net_conn_await_drained(struct net_conn *conn);

/* Stops and resumes reading. Paused connections answer no pings and keep their timeouts. */
void net_conn_pause(struct net_conn *conn);
void net_conn_resume(struct net_conn *conn);

#endif
