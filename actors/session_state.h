/*
 * actors/session_state.h - a session's private state, shared by the files session*.c alone.
 *
 *   session.c         its life: starting, the client's frames, ending; the dispatch
 *   session_turn.c    turns: admitted as they come, carried out one by one
 *   session_leg.c     legs: handed to vendors, heard of, settled
 *   session_meter.c   what running legs use: more is asked for; warned, cut
 *   session_keyed.c   the turn of an Idempotency-Key
 *   session_output.c  frames to the client, the conversation so far, the bill
 *   session_resume.c  a client whose connection broke comes back; session_replay.h
 */
#ifndef ACTORS_SESSION_STATE_H
#define ACTORS_SESSION_STATE_H

#include "actors/messages.h"
#include "actors/session.h"
#include "actors/session_replay.h"

enum {
    SESSION_TURNS_MAX = 64,   /* under way: being admitted, waiting, or running */
    SESSION_HISTORY_MAX = 24, /* messages of the conversation that a vendor is sent */
    SESSION_HISTORY_BYTES_MAX = 24 * 1024,
    SESSION_TEXT_BYTES_MAX = 64 * 1024, /* of one answer */
    SESSION_WARNINGS_MIN = 2,           /* before any cut for cost */
};

enum session_phase { SESSION_STARTING, SESSION_OPEN, SESSION_ENDING };

enum turn_state {
    TURN_ADMITTING, /* asked the tenant */
    TURN_READY,     /* has a leg, waits for the turns before it */
    TURN_RUNNING,   /* its legs are at work, or being settled */
};

struct session_turn {
    struct session_turn *next;
    uint64_t request; /* to the tenant, for a leg of it; 0 when none is under way */
    struct frame_id id;
    enum turn_state state;
    struct rt_buffer *text;                 /* what the client said */
    uint32_t prompt_bytes, prompt_messages; /* paid for: what a vendor is sent stays within */
    struct frame_decision decision;
    struct leg_grant grant; /* TURN_READY: the chat's leg, not yet opened */
    struct problem failure; /* why it could not be answered; PROBLEM_NONE otherwise */
    bool interrupted;
    bool spoken; /* the speech leg was asked for */
    uint32_t provider_index[VITO_MODE_COUNT];
    uint32_t legs; /* asked for or not yet settled */
    struct vito_use use;
    int64_t cost_nusd;
    char provider_id[VITO_PROVIDER_BYTES];
    char *answer; /* the text so far, and a NUL; of the pool */
    size_t answer_bytes, answer_room_bytes;
};

enum leg_state {
    LEG_RUNNING,
    LEG_STOPPING, /* the vendor was told to stop */
    LEG_CLOSED,   /* the vendor is done; to be settled */
    LEG_SETTLING,
};

/* What happens when a leg's final unit is used up. */
enum leg_final {
    LEG_NOT_FINAL,
    LEG_FINAL_DOWNGRADE,
    LEG_FINAL_END,
};

struct session_leg {
    struct session_leg *next;
    struct session_turn *turn; /* NULL: the session's video */
    struct leg_grant grant;
    const struct adapter_sheet *sheet;
    struct rt_address vendor;
    enum leg_state state;
    bool opened; /* the vendor has begun */
    struct vito_use use;
    bool waiting;                     /* the vendor stands still until it is allowed more, … */
    uint64_t waiting_ns;              /* … since then */
    uint64_t request;                 /* the meter or settle request under way, or 0 */
    enum leg_final final;             /* set once no more will be had */
    uint64_t final_ns;                /* when that was said */
    enum vito_mode final_to;          /* LEG_FINAL_DOWNGRADE */
    uint64_t cut_ns;                  /* when both were so; 0: it is not cut */
    char reason[PROBLEM_TOKEN_BYTES]; /* of what follows */
    uint32_t warnings;
    int64_t warned_left_s;   /* what the last of them said was left */
    uint64_t warned_late_ns; /* since when the first waits for session.started; 0: it does not */
    bool unproven;
    char outcome[VITO_REASON_BYTES];
    uint64_t metered_ns; /* when last */
};

/* One message of the conversation. */
struct session_said {
    uint32_t text_bytes;
    uint32_t json_bytes; /* of session.said */
};

enum session_resume_state {
    RESUME_ATTACHED, /* the client is there */
    RESUME_DETACHED, /* its connection broke: it is waited for */
    RESUME_BEHIND,   /* it is back, and has not been sent all it missed */
};

/* What lets a client whose connection broke come back. */
struct session_resume {
    char secret[FRAME_RESUME_SECRET_BYTES];
    uint64_t credential; /* names what it was opened by */
    enum session_resume_state state;
    struct session_replay frames;
    uint64_t tick;             /* seconds it has been open, for the age of frames */
    uint64_t uncredited_bytes; /* sent, and not credited by the connection */
    uint64_t ahead_bytes;      /* credited by us, and to be so by the connection as well */
    uint64_t sent_seq;         /* RESUME_BEHIND: the client was sent frames up to this one */
    uint64_t credited_seq;     /* … and output up to this one was credited by us */
    struct rt_timer window_timer;
};

enum { SESSION_KEYED_AUDIO_BYTES_MAX = 8 << 20 /* as a connection's, of one HTTP turn */ };

/* Of a session of one turn that has an Idempotency-Key. */
struct session_keyed {
    struct vito_turn_answer head; /* key and session */
    uint8_t *audio;               /* of the pool */
    size_t audio_bytes, audio_room_bytes;
    char format[FRAME_FORMAT_BYTES];
    struct rt_buffer *record; /* what is, or is to be, kept; NULL: not known yet */
    bool recorded;            /* durable */
    uint64_t request;         /* to the store */
    struct rt_timer retry_timer;
};

struct session {
    const struct world *world;
    struct tenant_config *config;
    struct rt_address tenant, connection;
    char id[VITO_ID_BYTES];
    enum tenant_transport transport;
    struct vito_bucket_caller caller;
    enum session_phase phase;
    enum vito_mode mode;
    bool ready;   /* the connection may be sent frames */
    bool is_mute; /* a frame is missing: it fails, and nothing may follow */
    uint64_t seq;
    int64_t began_ms;

    struct session_turn *turns; /* oldest first */
    uint32_t turn_count;
    uint64_t request_id;

    struct session_leg *legs;
    struct session_leg *video; /* of them, or NULL */
    uint64_t video_request;    /* admission of a video leg under way, or 0 */
    bool wants_video;          /* or has it: the last thing that was said of it */
    uint32_t video_provider_index;
    struct frame_id mode_id; /* of the frame that asked for video later */

    struct session_said history[SESSION_HISTORY_MAX];
    uint32_t history_count;
    char *said; /* the messages as adapters are given them: ,{"role":…,"content":…} and so on */
    size_t said_bytes, said_room_bytes;

    int64_t posted_nusd, held_nusd, remaining_nusd; /* the tenant's, as last told */
    int64_t cost_nusd;                              /* settled */
    struct frame_bill bill;
    uint64_t usage_sent_ns;

    enum session_end end_reason;
    uint16_t close_code;
    struct rt_timer idle_timer, duration_timer, tick_timer, ending_timer;

    int64_t expires_ms;           /* wall time when what permits the session ends; 0: never */
    struct rt_timer expiry_timer; /* to the warning, then to the end */
    bool expiry_warned;

    struct session_resume *resume; /* NULL: it cannot be resumed */
    struct session_keyed *keyed;   /* NULL: its turn has no Idempotency-Key */
};

/* session.c */
void session_end(struct rt_actor *self, struct session *session, enum session_end reason,
                 uint16_t close_code);
/* Follows a credential to its end. 0: it has none. */
void session_watch_expiry(struct rt_actor *self, struct session *session, int64_t expires_ms);
void session_check_end(struct rt_actor *self, struct session *session);
void session_change_mode(struct rt_actor *self, struct session *session, enum vito_mode to,
                         const char *reason, struct rt_buffer *join);
/* STARTING becomes OPEN. `join` is NULL without a room. */
void session_begin(struct rt_actor *self, struct session *session, struct rt_buffer *join);
void session_ask_for_video(struct rt_actor *self, struct session *session);
/* `was_stopped`: by us, so that nobody else is asked for video. */
void session_video_closed(struct rt_actor *self, struct session *session,
                          const struct session_leg *leg, const struct vendor_closed *closed,
                          bool was_stopped);
/* It is not had, and who asked is told: for a problem, or since a policy gave that reason. */
void session_video_failed(struct rt_actor *self, struct session *session,
                          const struct problem *problem);
void session_video_denied(struct rt_actor *self, struct session *session, const char *reason);

/* session_turn.c */
/* `text` is NULL when there was no memory for it. */
void session_begin_turn(struct rt_actor *self, struct session *session,
                        const struct frame_in *frame, struct rt_buffer *text);
bool session_on_turn_admitted(struct rt_actor *self, struct session *session,
                              const struct tenant_admitted *admitted, uint64_t request_id);
bool session_on_turn_failed(struct rt_actor *self, struct session *session, uint64_t request_id,
                            enum rt_status status);
void session_on_queued(struct rt_actor *self, struct session *session,
                       const struct tenant_queued *queued);
void session_turn_leg_closed(struct rt_actor *self, struct session *session,
                             struct session_leg *leg, const struct vendor_closed *closed);
void session_turn_leg_settled(struct rt_actor *self, struct session *session,
                              struct session_turn *turn);
void session_turn_finish(struct rt_actor *self, struct session *session, struct session_turn *turn);
void session_run_next(struct rt_actor *self, struct session *session);
bool session_turn_append(struct session_turn *turn, const struct rt_buffer *delta);
struct problem session_vendor_problem(const struct vendor_closed *closed);
void session_interrupt(struct rt_actor *self, struct session *session);
void session_drop_turns(struct rt_actor *self, struct session *session);
void session_turn_free(struct session *session, struct session_turn *turn);

/* session_leg.c */
struct session_leg *session_find_leg(const struct session *session, uint64_t number);
/* Hands a granted leg to a vendor actor. Takes grant->hold. */
void session_leg_start(struct rt_actor *self, struct session *session, struct session_turn *turn,
                       const struct leg_grant *grant);
void session_leg_stop(struct rt_actor *self, struct session *session, struct session_leg *leg,
                      enum adapter_stop_reason reason, const char *outcome);
/* Settles a grant that was never handed to a vendor. Takes grant->hold. */
void session_leg_decline(struct rt_actor *self, struct session *session, struct session_turn *turn,
                         const struct leg_grant *grant);
void session_on_vendor(struct rt_actor *self, struct session *session, struct rt_message *message);
void session_on_vendor_closed(struct rt_actor *self, struct session *session,
                              struct rt_message *message);
void session_on_settled(struct rt_actor *self, struct session *session,
                        const struct tenant_settled *settled, uint64_t request_id);
void session_leg_request_failed(struct rt_actor *self, struct session *session,
                                uint64_t request_id);
void session_on_credit(struct rt_actor *self, struct session *session, uint32_t bytes);
void session_leg_free(struct session *session, struct session_leg *leg);
/* The one that asked by this number, or NULL. */
struct session_leg *session_leg_by_request(const struct session *session, uint64_t request_id);

/* session_meter.c */
/* Where use makes us ask for the next quantum: when half of this one is gone. */
int64_t session_leg_renew_at(int64_t allowed, int64_t quantum);
/* Its vendor has said something: asks for more, or cuts it. */
void session_look_after(struct rt_actor *self, struct session *session, struct session_leg *leg);
/* Ends a running leg that has used up its allowance, or waits for more in vain. */
void session_leg_spent(struct rt_actor *self, struct session *session, struct session_leg *leg);
void session_on_metered(struct rt_actor *self, struct session *session,
                        const struct tenant_metered *metered, uint64_t request_id);
void session_tick(struct rt_actor *self, struct session *session);

/* session_keyed.c */
void session_keyed_init(struct rt_actor *self, struct session *session,
                        const struct session_ready *ready);
/* Before the turns are freed. */
void session_keyed_deinit(struct rt_actor *self, struct session *session,
                          enum rt_exit_reason reason);
/* Takes output that is for the record; `session->keyed` is there. False: it is no output. */
bool session_keyed_takes(struct rt_actor *self, struct session *session, struct rt_message *frame);
/* The record that goes with the settlement of this leg; NULL when it is not the last of a turn that
 * has a key and was answered. */
struct rt_buffer *session_keyed_answer(const struct session *session,
                                       const struct session_leg *leg);
void session_keyed_on_settled(struct session *session, const struct rt_message *message);
/* Whether the turn may end. If not, session_turn_finish() is called when it may. */
bool session_keyed_may_finish(struct rt_actor *self, struct session *session,
                              const struct session_turn *turn);
void session_on_stored(struct rt_actor *self, struct session *session, struct rt_message *message);
bool session_on_keyed_timer(struct rt_actor *self, struct session *session,
                            const struct rt_timer *timer);
/* What is kept, a reference of it; or NULL. */
struct rt_buffer *session_keyed_record(const struct session *session);

/* session_resume.c */
/* Once it is known what it was opened by. Without memory it cannot be resumed, no more. */
void session_resume_init(struct rt_actor *self, struct session *session, uint64_t credential);
void session_resume_deinit(struct rt_actor *self, struct session *session);
/* What the client shows to come back; "" when it cannot. */
void session_resume_token(const struct session *session, char token_out[FRAME_RESUME_TOKEN_BYTES]);
/* Keeps a frame that is about to be sent. `session->resume` is there. */
void session_resume_keep(struct rt_actor *self, struct session *session, struct rt_message *frame);
/* Once a second. */
void session_resume_tick(struct session *session);
/* How much of a connection's credit is new. */
uint32_t session_resume_count_credit(struct session *session, struct rt_message *message);
void session_on_detached(struct rt_actor *self, struct session *session,
                         const struct rt_message *message);
void session_on_down(struct rt_actor *self, struct session *session, const struct rt_down *down);
bool session_on_resume_timer(struct rt_actor *self, struct session *session,
                             const struct rt_timer *timer);
void session_on_resume(struct rt_actor *self, struct session *session, struct rt_message *message);
void session_on_more(struct rt_actor *self, struct session *session,
                     const struct rt_message *message);
/* Whether frames are only kept, because the client has yet to be sent earlier ones. */
bool session_resume_is_behind(const struct session *session);

/* session_output.c */
struct rt_message *session_frame(struct session *session, enum frame_type type,
                                 const struct session_turn *turn);
void session_emit(struct rt_actor *self, struct session *session, struct rt_message *frame);
void session_emit_started(struct rt_actor *self, struct session *session, struct rt_buffer *join);
void session_emit_usage(struct rt_actor *self, struct session *session, int64_t running_nusd);
void session_emit_warning(struct rt_actor *self, struct session *session, struct session_leg *leg,
                          int64_t seconds_left);
/* What had to wait, if anything had. */
void session_emit_late_warning(struct rt_actor *self, struct session *session,
                               struct session_leg *leg);
void session_emit_error(struct rt_actor *self, struct session *session, const struct frame_id *id,
                        const struct problem *problem);
void session_remember(struct session *session, const char *role, const void *text,
                      size_t size_bytes);
void session_forget_all(struct session *session);
void session_bill(struct session *session, const struct session_leg *leg,
                  const struct tenant_settled *settled);
/* VENDOR_OPEN's four texts; NULL when out of memory. */
struct rt_buffer *session_vendor_inputs(struct rt_actor *self, const struct session *session,
                                        const struct session_turn *turn,
                                        const struct leg_grant *grant);
/* Sets what the turn's chat will send at most: bytes and messages. */
void session_size_prompt(const struct session *session, struct session_turn *turn);

#endif
