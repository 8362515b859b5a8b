/*
 * actors/connection_state.h - a connection's private state, shared by the files connection*.c.
 *
 *   connection.c          life, routes; the dispatch
 *   connection_caller.c   credentials
 *   connection_ticket.c   tickets
 *   connection_http.c     answers: problems, one turn, the admin API
 *   connection_keyed.c    a turn with an Idempotency-Key
 *   connection_socket.c   an upgraded connection: frames both ways
 *   connection_resume.c   a client that comes back to its session
 *   connection_backlog.c  frames for which the socket has no room yet
 */
#ifndef ACTORS_CONNECTION_STATE_H
#define ACTORS_CONNECTION_STATE_H

#include "actors/connection.h"
#include "actors/messages.h"

enum {
    CONNECTION_AUDIO_BYTES_MAX = 8 << 20, /* of one HTTP turn */
    CONNECTION_BEHIND_BYTES = 16 * 1024,  /* unsent; above it output is not credited */
    CONNECTION_HELD_BYTES_MAX =
        64 * 1024,                      /* beside the socket's own queue; one frame may be larger */
    CONNECTION_AHEAD_BYTES = 64 * 1024, /* in the session's mailbox; above it clients wait */
    CONNECTION_AHEAD_LOOK_MS = 2,       /* to see whether the session has caught up */
    CONNECTION_SLOW_MAX_MS = 30000,     /* a reader that takes nothing for so long is closed */
    CONNECTION_BAD_FRAMES_MAX = 100,    /* in a row */
};

enum connection_phase {
    CONNECTION_IDLE,      /* waits for a request */
    CONNECTION_VERIFYING, /* asked the verifier whose token it is */
    CONNECTION_RESOLVING, /* asked the registry */
    CONNECTION_TICKETING, /* asked the store about a ticket */
    CONNECTION_KEYED,     /* asked the store about an Idempotency-Key */
    CONNECTION_OPENING,   /* asked the tenant for a session */
    CONNECTION_TURN,      /* a session of one turn is at work */
    CONNECTION_ADMIN,     /* the admin actor, or the registry, is at work */
    CONNECTION_WEBSOCKET,
};

enum connection_route { ROUTE_TURN, ROUTE_SESSION, ROUTE_TICKET, ROUTE_ADMIN };

/* What is gathered of one turn's answer. */
struct connection_turn {
    struct frame_decision decision;
    struct rt_buffer *text;  /* of the request */
    uint8_t *answer, *audio; /* owned */
    size_t answer_bytes, audio_bytes;
    char format[FRAME_FORMAT_BYTES];
};

/* Zeroed means empty. */
struct connection_backlog {
    struct connection_held *first, *last;
    size_t size_bytes;
    uint16_t close_code; /* how to close behind the last of them; 0: not */
    const char *close_reason;
};

struct connection {
    const struct world *world;
    const struct connection_socket *calls;
    void *socket;
    enum connection_phase phase;
    bool answered; /* the request in hand has its answer */

    enum connection_route route;
    struct rt_buffer *request_bytes; /* while a request is in hand */
    struct conn_request request;
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_digest digest;   /* of the credential that was shown */
    struct access_caller caller; /* role NOBODY until that is known */
    bool has_ticket;             /* that is the credential: a browser, which cannot read refusals */
    char ticket[VITO_KEY_TEXT_BYTES]; /* a new one, until it is shown */
    bool has_mode;
    enum vito_mode mode;
    enum wire_format format;
    const char *subprotocol; /* static text, or NULL */
    bool tried_again;        /* the tenant had just gone to sleep */
    uint64_t request_id;

    struct rt_address session;
    struct connection_turn turn;
    struct connection_keyed *keyed; /* NULL: the turn has no Idempotency-Key */

    struct connection_backlog backlog;
    uint32_t credit_owed; /* output not yet credited, because the socket is slow */
    bool slice_owed;      /* likewise: SESSION_MORE */
    struct rt_timer slow_timer;
    struct { /* forwarded to a session that has yet to catch up; the socket still counts it */
        unsigned messages;
        size_t bytes;
        struct rt_timer timer;
    } ahead;
    uint32_t bad_frames;

    bool heard;                       /* the client has sent a frame */
    bool replaced;                    /* its session goes on on another connection */
    struct connection_resume *resume; /* NULL: the client has not come back */
};

/* connection.c */
const char *connection_text(const struct connection *connection, uint32_t at);
void connection_forget_request(struct connection *connection);
void connection_ask_tenant(struct rt_actor *self, struct connection *connection,
                           struct rt_address tenant);

/* connection_caller.c */
/* Finds out who calls; then either connection_take_caller() is asked, or there was an answer. */
void connection_resolve(struct rt_actor *self, struct connection *connection);
void connection_ask_registry(struct rt_actor *self, struct connection *connection);
void connection_on_checked(struct rt_actor *self, struct connection *connection,
                           struct rt_message *message);
/* What the registry found. False: the caller may not, and was told so. */
bool connection_take_caller(struct rt_actor *self, struct connection *connection,
                            const struct registry_resolved *resolved);
/* Refuses, and counts it when the credential was not valid. */
void connection_refuse_login(const struct rt_actor *self, struct connection *connection,
                             enum problem_reason reason);

/* connection_ticket.c */
void connection_make_ticket(struct rt_actor *self, struct connection *connection);
/* Uses up the one that was shown; then the registry is asked, or there was an answer. */
void connection_take_ticket(struct rt_actor *self, struct connection *connection);
/* False: the answer is to another question. */
bool connection_on_ticket_stored(struct rt_actor *self, struct connection *connection,
                                 struct rt_message *message);

/* connection_http.c */
void connection_refuse(struct connection *connection, const struct problem *problem);
void connection_refuse_for(struct connection *connection, enum problem_reason reason);
void connection_answer_json(struct connection *connection, int status, const void *json,
                            size_t json_bytes);
/* What was answered before. */
void connection_answer_again(struct connection *connection, int status, const void *body,
                             size_t body_bytes);
void connection_answer_page(struct rt_actor *self, struct connection *connection, const char *path);
bool connection_read_turn(struct connection *connection);
void connection_begin_turn(struct rt_actor *self, struct connection *connection);
void connection_on_turn_frame(struct rt_actor *self, struct connection *connection,
                              struct rt_message *message);
void connection_forward_admin(struct rt_actor *self, struct connection *connection);
void connection_on_admin_done(struct connection *connection, struct rt_message *message);
void connection_turn_clear(struct connection_turn *turn);

/* connection_keyed.c */
bool connection_is_keyed(const struct connection *connection);
/* Asks what is kept under the turn's key; then the tenant, where nothing is. */
void connection_find_turn(struct rt_actor *self, struct connection *connection,
                          struct rt_address tenant);
/* Has it kept that this session carries the turn out; then it is begun. */
void connection_begin_keyed(struct rt_actor *self, struct connection *connection,
                            const struct tenant_opened *opened);
/* From now on the key is the session's to end. */
void connection_hand_over_key(struct connection *connection, struct session_ready *ready);
/* The session did not get the turn, or failed: nobody else will end the key. */
void connection_give_up_key(struct rt_actor *self, struct connection *connection);
/* Without a store the system ends, and our life there with it. */
void connection_free_keyed(struct rt_actor *self, struct connection *connection, bool has_store);
void connection_on_stored(struct rt_actor *self, struct connection *connection,
                          struct rt_message *message);

/* connection_socket.c */
bool connection_read_session(struct connection *connection);
/* Upgrades, says why not, and closes. */
void connection_refuse_upgraded(struct connection *connection, const struct problem *problem);
void connection_upgrade(struct rt_actor *self, struct connection *connection);
/* Says one thing on an upgraded connection, and closes as its problem has it. */
void connection_say_last(struct connection *connection, const struct frame_out *frame);
void connection_on_frame(struct rt_actor *self, struct connection *connection,
                         struct rt_message *message);
void connection_on_message(struct rt_actor *self, struct connection *connection,
                           struct rt_message *message);
void connection_on_slice(struct rt_actor *self, struct connection *connection,
                         const struct rt_message *message);
/* The timer of `ahead`. */
void connection_on_look(struct rt_actor *self, struct connection *connection);
void connection_on_drained(struct rt_actor *self, struct connection *connection);
/* Gives up what is being done here for want of memory, and says so. */
void connection_shed(struct rt_actor *self, struct connection *connection);
void connection_credit(struct rt_actor *self, struct connection *connection, uint32_t bytes);

/* connection_resume.c */
/* Whether the request is for a connection on which a session is to be resumed. */
bool connection_is_for_resume(const struct connection *connection);
/* Upgrades; `resume` is the first frame that counts. */
void connection_await_resume(struct rt_actor *self, struct connection *connection);
void connection_resume_free(struct rt_actor *self, struct connection *connection);
/* Takes a client's frame that is not, or not yet, for the session in hand. False: forward it. */
bool connection_resume_takes(struct rt_actor *self, struct connection *connection,
                             struct rt_message *forward);
/* Answers to what was asked for that. `connection->resume` is there for the first. */
void connection_resume_on_found(struct rt_actor *self, struct connection *connection,
                                struct rt_message *message);
void connection_resume_on_answer(struct rt_actor *self, struct connection *connection,
                                 struct rt_message *message);
bool connection_resume_on_failed(struct rt_actor *self, struct connection *connection,
                                 const struct rt_message *message);
bool connection_resume_on_timer(struct connection *connection, const struct rt_timer *timer);
/* Whether a frame is of a session that is not this connection's any more. It has been replaced, or
 * `resume` is there. */
bool connection_resume_drops(const struct connection *connection, const struct frame_out *frame);
/* The socket went without a word: the session waits for its client. */
void connection_on_broken(struct rt_actor *self, struct connection *connection);
void connection_on_replaced(struct connection *connection, const struct rt_message *message);

/* connection_backlog.c */

/* Sends a frame, or holds it until the client has read. RT_OK | RT_FULL (too much is held) |
 * RT_NO_MEMORY | RT_CLOSED. */
RT_MUST_USE enum rt_status connection_send(struct connection *connection, const void *bytes,
                                           size_t size_bytes);

/* Sends what is held, and closes behind it where that was asked. False when the socket is full
 * again: CONN_DRAINED will come. */
bool connection_send_held(struct connection *connection);

/* Closes once all that is held was sent. `reason` is static text. */
void connection_close_behind(struct connection *connection, uint16_t code, const char *reason);
void connection_forget_held(struct connection *connection);

#endif
