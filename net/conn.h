/*
 * net/conn.h - one connection, inside. Nobody outside net/ includes this.
 *
 *                            owner answers
 *                  ┌───────────────────────────────────┐
 *                  ▼                                   │
 *      open ──► READING ──request──► WAITING ──begin──► STREAMING
 *                  │                    │upgrade           │
 *                  │refused             ▼                  │last answer
 *                  │                   OPEN ──we close──► CLOSING
 *                  │                    │peer closes       │peer closes
 *                  └──────► ENDING ◄────┴──────────────────┘
 *                             │all is sent
 *                             ▼
 *                         LINGERING ──peer closes, or two seconds──► gone
 *
 *      DOOMED, from everywhere: dropped at the end of the worker's round
 *
 * Nothing is dropped or freed within a call of the owner's: net_conn_close() and failures only
 * mark the connection, and the end of the round does the rest. So `conn` stays valid until
 * on_closed, whatever the owner does in its events.
 *
 * conn.c has the life and the bytes, conn_http.c the phases of HTTP, conn_websocket.c the others.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include "net/address.h"
#include "net/bytes.h"
#include "net/handshake.h"
#include "net/http1.h"
#include "net/listener.h"
#include "net/timers.h"
#include "net/websocket.h"

enum net_conn_phase {
    NET_CONN_READING,   /* a request */
    NET_CONN_WAITING,   /* for the owner's answer */
    NET_CONN_STREAMING, /* the answer is under way */
    NET_CONN_OPEN,      /* a WebSocket */
    NET_CONN_CLOSING,   /* our close frame is under way, the peer's has not come */
    NET_CONN_ENDING,    /* what is queued goes out, then no more */
    NET_CONN_LINGERING, /* all is sent; reading on keeps a reset from overtaking it */
    NET_CONN_DOOMED,
};

/* The answer that is due. */
struct net_conn_answer {
    bool is_to_head; /* gets no body */
    bool is_to_version_1_0;
    bool keeps_alive;
    bool may_upgrade;
    enum net_framing framing; /* while STREAMING */
    char accept[NET_HANDSHAKE_ACCEPT_BYTES];
};

struct net_conn {
    struct net_listener *listener;
    struct lws *wire; /* NULL once it is gone */
    void *user;
    enum net_conn_phase phase;
    bool had_request;
    bool is_surplus; /* above connections_max: told so, then closed */
    bool is_paused;
    bool is_reading;  /* what the wire was told */
    bool is_draining; /* on_drained is running */
    bool is_awaited;  /* … is to run when nothing is queued */
    bool is_in_bytes; /* received bytes are being read */
    bool is_woken;    /* … and something is to be done when they have been */

    struct rt_deferred round;
    struct net_timer deadline; /* of the phase */
    struct net_timer stall;    /* bytes wait and none leave */
    struct net_bytes out;
    size_t wire_bytes;      /* at most so many more are kept by the full wire */
    struct net_bytes early; /* received, and not read yet */

    struct net_http1 *http; /* the request under way, in READING */
    struct net_conn_answer answer;

    struct net_ws_reader *reader; /* from OPEN on */
    uint64_t heard_ns;
    uint8_t pings_unanswered;
    uint16_t close_code;

    char peer[NET_ADDRESS_TEXT_BYTES];
};

/* What the carrier tells. (conn.c) */
struct net_conn *net_conn_open(struct net_listener *listener, struct lws *wire);
void net_conn_on_bytes(void *owner, uint8_t *bytes, size_t size_bytes);
void net_conn_on_writable(void *owner);
void net_conn_on_gone(void *owner);

/* Sees to it that what is queued leaves, and what is marked happens. */
void net_conn_wake(struct net_conn *conn);

/* Sends what is queued, then ends. */
void net_conn_end(struct net_conn *conn);

/* Ends at the end of this round, whatever is queued. */
void net_conn_doom(struct net_conn *conn);

/* Dooms a connection for which a queue did not get its memory. */
void net_conn_check(struct net_conn *conn, bool queued);

/* Whether so many more bytes of the owner's may be queued; if not, it is told when to try again.
 * Any one piece fits an empty queue. */
bool net_conn_has_room(struct net_conn *conn, size_t size_bytes);

/* `ms` 0: none. */
void net_conn_set_deadline(struct net_conn *conn, uint32_t ms);

static inline const struct net_server_events *
net_conn_events(const struct net_conn *conn)
{
    return &conn->listener->options->events;
}

/* Reads what is HTTP; returns how many bytes were used, at least one. (conn_http.c) */
size_t net_conn_read_request(struct net_conn *conn, const uint8_t *bytes, size_t size_bytes);
void net_conn_request_is_late(struct net_conn *conn);

/* Reads what is WebSocket; returns how many bytes were used, at least one. (conn_websocket.c) */
size_t net_conn_read_frames(struct net_conn *conn, uint8_t *bytes, size_t size_bytes);
void net_conn_was_silent(struct net_conn *conn);
void net_conn_close_websocket(struct net_conn *conn, uint16_t code, const char *reason);

#endif
