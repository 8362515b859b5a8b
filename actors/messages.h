/*
 * actors/messages.h - what the twin's actors say to each other.
 *
 *      client ⇄ connection ──CONN_*──► session ──TENANT_*──► tenant ──store──► ledger
 *                    ▲                   │ ▲
 *                    └── FRAME ──────────┘ └──── VENDOR_* ────► vendor ──► the vendor
 *
 * A kind of message has one payload struct. "request" means that exactly one answer comes back
 * (the named kind, or RT_KIND_FAILED); the rest is sent and forgotten.
 */
#ifndef ACTORS_MESSAGES_H
#define ACTORS_MESSAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/access.h"
#include "actors/adapter.h"
#include "actors/frames.h"
#include "actors/policy.h"
#include "actors/problem.h"
#include "runtime/actor.h"
#include "vito/hold.h"
#include "vito/identity.h"
#include "vito/jwt.h"
#include "vito/rate_limit.h"
#include "vito/sealed.h"
#include "vito/secrets.h"
#include "vito/store.h"

enum twin_kind {
    TWIN_KIND_FIRST = RT_KIND_USER + 200,

    /* to the registry */
    REGISTRY_RESOLVE, /* request → REGISTRY_RESOLVED */
    REGISTRY_RESOLVED,
    REGISTRY_FORMER_TENANT, /* struct former_tenant, from its former life: one that still ends */
    REGISTRY_TENANT_IDLE,   /* request, struct tenant_name → REGISTRY_TENANT_LEAVE */
    REGISTRY_TENANT_LEAVE,  /* the tenant may stop: nobody will be sent to it */
    REGISTRY_SESSION_BEGAN, /* struct session_note */
    REGISTRY_SESSION_ENDED, /* struct session_note */
    REGISTRY_FIND_SESSION,  /* request, struct session_note with the id → REGISTRY_RESOLVED */
    REGISTRY_FIND_DECISION, /* request, struct decision_query → REGISTRY_RESOLVED */
    REGISTRY_TENANT_PUT,    /* request, struct registry_order, buffer: document → ADMIN_DONE */
    REGISTRY_TENANT_REMOVE, /* request, struct registry_order → ADMIN_DONE */
    REGISTRY_KEY_ADD,       /* request, struct registry_order → ADMIN_DONE */
    REGISTRY_KEY_REMOVE,    /* request, struct registry_order with the key's id → ADMIN_DONE */
    REGISTRY_KEY_ROTATE,    /* request, struct registry_order → ADMIN_DONE */
    REGISTRY_STATUS,        /* request, no payload → ADMIN_DONE with JSON: can we work? */
    REGISTRY_SHUTDOWN,      /* no payload: all sessions end, tenants return their slices */

    /* to a tenant */
    TENANT_OPEN, /* request, from a connection → TENANT_OPENED */
    TENANT_OPENED,
    TENANT_ADMIT, /* request, from a session → TENANT_ADMITTED; TENANT_QUEUED may come before */
    TENANT_ADMITTED,
    TENANT_QUEUED,
    TENANT_HOLD,  /* request, from a session, for a further leg → TENANT_ADMITTED */
    TENANT_METER, /* request, from a session → TENANT_METERED */
    TENANT_METERED,
    TENANT_SETTLE,    /* request, from a session, buffer: NULL, or the record of its keyed turn, in
                         which the cost is set (turn_answer.h) → TENANT_SETTLED, once it is durable */
    TENANT_SETTLED,   /* buffer: that record, if it was kept */
    TENANT_CONFIGURE, /* from the registry: buffer: document */
    TENANT_VIEW,      /* request, struct tenant_view → ADMIN_DONE with JSON */
    TENANT_REFUND,    /* request, struct tenant_refund → ADMIN_DONE with the balance */
    TENANT_REVOKE,    /* struct tenant_revoke: sessions opened by that key end */
    TENANT_DRAIN,     /* no payload: end all sessions, return the slice, stop */
    TENANT_NEWS,      /* struct vito_news of its money: recalled, or returned by others */

    /* to a session */
    SESSION_READY,     /* struct session_ready, from the connection: frames may flow */
    SESSION_CLIENT,    /* struct frame_in, buffer: its body; from the connection */
    SESSION_CREDIT,    /* struct session_credit, from the connection */
    SESSION_TERMINATE, /* struct session_terminate */
    SESSION_DETACHED,  /* no payload, from the connection: it broke, its client may come back */
    SESSION_RESUME, /* request, struct session_resume_ask, from the connection it comes back on →
                       SESSION_RESUMED, and then the frames that were missed, a slice at a time */
    SESSION_RESUMED,
    SESSION_MORE, /* no payload, from the connection: there is room for the next slice */

    /* to a connection */
    CONN_FRAME,    /* struct frame_out, buffer: its body; from the session */
    CONN_REQUEST,  /* struct conn_request, buffer: its texts and body; from the socket, as … */
    CONN_MESSAGE,  /* struct conn_message, buffer */
    CONN_DRAINED,  /* no payload: what was queued has left */
    CONN_CLOSED,   /* no payload: the socket is gone, as its client wanted */
    CONN_BROKEN,   /* no payload: the socket is gone, and nobody said so */
    CONN_SLICE,    /* no payload, from the session, behind a slice of missed frames: SESSION_MORE is
                      sent when the socket has room for another */
    CONN_REPLACED, /* no payload, from the session: its client came back on another connection */
    CONN_ORPHANED, /* no payload, from itself: the session has ended and was heard out */

    /* to a vendor actor */
    VENDOR_OPEN,   /* struct vendor_open, buffer: three texts, see there */
    VENDOR_ALLOW,  /* struct vendor_allow */
    VENDOR_CREDIT, /* struct vendor_credit */
    VENDOR_STOP,   /* struct vendor_stop */

    /* from a vendor actor to the leg's owner */
    VENDOR_OPENED, /* struct vendor_event, buffer: join object or NULL */
    VENDOR_TEXT,   /* struct vendor_event, buffer */
    VENDOR_AUDIO,  /* struct vendor_event, buffer */
    VENDOR_USED,   /* struct vendor_event */
    VENDOR_CLOSED, /* struct vendor_closed; the last one of a leg */

    RECOVERY_STRAY, /* to the recovery: struct recovery_stray */

    /* to a verifier */
    VERIFIER_CHECK,   /* request, buffer: a token → VERIFIER_CHECKED */
    VERIFIER_CHECKED, /* struct verifier_checked */
    VERIFIER_REFRESH, /* no payload: read the issuer's keys again */

    /* to the keeper of the vault */
    VAULT_CHANGE, /* request, struct vault_change, buffer: a value or NULL → ADMIN_DONE with JSON */

    /* the admin API */
    ADMIN_REQUEST, /* request, struct admin_request, buffer: body or NULL → ADMIN_DONE */
    ADMIN_DONE,    /* struct admin_done, buffer: JSON or NULL */
};

/* Registry. */

/* Who is it, and may he reach this tenant? */
struct registry_resolve {
    char tenant_id[VITO_TENANT_ID_BYTES]; /* "": none is asked about */
    bool wakes;                           /* the tenant's actor is wanted */
    bool is_known;                        /* who it is was found out before: `caller`; else … */
    struct vito_digest digest;            /* … of the key that was shown */
    struct access_caller caller;
};

struct registry_resolved {
    enum problem_reason refused;          /* PROBLEM_NONE: the rest is set */
    struct rt_address address;            /* the tenant, or the session that was asked for */
    char tenant_id[VITO_TENANT_ID_BYTES]; /* FIND_SESSION, FIND_DECISION: whose it is */
    struct access_caller caller;          /* RESOLVE: who it is */
};

/* What somebody wants changed, and what the audit trail is told of it. */
struct registry_order {
    char tenant_id[VITO_TENANT_ID_BYTES];
    char caller[ACCESS_NAME_BYTES]; /* "operator", or a token's subject */
    struct vito_key key;
    char replaces[VITO_ID_BYTES]; /* KEY_ROTATE: which key, and until when that is good */
    int64_t replaced_until_ms;
    char policy[POLICY_NAME_BYTES]; /* TENANT_PUT */
    int64_t limit_nusd;             /* TENANT_PUT: of a month */
};

struct tenant_name {
    char tenant_id[VITO_TENANT_ID_BYTES];
};

struct former_tenant {
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct rt_address tenant;
};

struct session_note {
    char session_id[VITO_ID_BYTES];
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct rt_address session;
};

struct decision_query {
    char decision_id[VITO_ID_BYTES];
};

/* Tenant. */

enum tenant_transport { TENANT_WEBSOCKET, TENANT_ONE_TURN };

struct tenant_open {
    enum tenant_transport transport;
    bool has_mode;
    enum vito_mode mode;
    struct rt_address connection;      /* gets the session's frames */
    struct vito_bucket_caller caller;  /* whose turn it is, for fairness */
    uint64_t credential;               /* names what it is opened by; see tenant_revoke */
    char opened_by[ACCESS_NAME_BYTES]; /* that name; for the records */
};

struct tenant_opened {
    struct problem problem; /* reason PROBLEM_NONE: the rest is set */
    struct rt_address session;
    char session_id[VITO_ID_BYTES];
};

/* A leg that may be opened: who, what for, and how much. */
struct leg_grant {
    struct vito_hold *hold; /* one reference, the message's until taken; NULL when refused */
    uint64_t number;        /* names the leg between actors */
    char leg_id[VITO_ID_BYTES];
    char provider[VITO_PROVIDER_BYTES];
    enum vito_mode mode;
    int64_t allowed_tokens, allowed_ms; /* in total; VITO_UNLIMITED when free */
    int64_t answer_tokens_max;          /* VITO_TEXT: to be told to the vendor */
    int64_t affordable_ms; /* before the month, the session or a quota runs out; for backstops */
};

struct tenant_admit {
    enum vito_mode mode; /* of the turn: what the client would get */
    bool is_video;       /* a video leg is asked for, not a turn */
    struct vito_bucket_caller caller;
    uint32_t text_bytes;
    uint32_t prompt_bytes; /* of all messages that will be sent */
    uint32_t prompt_messages;
    uint32_t provider_index; /* in the order of preference */
};

struct tenant_admitted {
    uint64_t turn; /* as in the request's id */
    struct problem problem;
    struct frame_decision decision;
    struct leg_grant leg;
};

struct tenant_queued {
    uint64_t turn;
    uint32_t position;
    uint64_t eta_ms;
};

struct tenant_hold {
    char decision_id[VITO_ID_BYTES];
    char policy_version[VITO_VERSION_BYTES];
    enum vito_mode mode;
    uint32_t provider_index;
    uint32_t prompt_bytes, prompt_messages; /* VITO_TEXT */
};

/* What a running leg has used, and whether it needs more. One at a time a leg. */
struct tenant_meter {
    uint64_t leg;
    struct vito_use use; /* in total */
    bool wants_more;
};

struct tenant_metered {
    bool extended; /* durable: the allowances are the new ones */
    int64_t allowed_tokens, allowed_ms;
    enum problem_reason refused; /* wants_more was refused for good, because … */
    bool downgrade;              /* the policy, or an exhausted quota, wants another mode */
    enum vito_mode to;
    bool deny; /* the policy ends the leg */
    bool warn;
    char reason[PROBLEM_TOKEN_BYTES];
    uint64_t decided_ns;  /* when it was refused, denied or lowered, by the monotonic clock */
    int64_t seconds_left; /* at the present rate; VITO_UNLIMITED when free */
    int64_t posted_nusd, held_nusd, remaining_nusd, leg_nusd;
};

struct tenant_settle {
    uint64_t leg;
    char outcome[VITO_REASON_BYTES];
    struct vito_use use;
    bool unproven; /* nobody can say that less than the hold was used */
};

struct tenant_settled {
    int64_t cost_nusd;
    struct vito_use use;
    int64_t posted_nusd, held_nusd, remaining_nusd;
};

enum tenant_view_what { TENANT_VIEW_BALANCE, TENANT_VIEW_SESSIONS, TENANT_VIEW_DECISION };
/* A key is named by the hash of its id, and so is what was got with it. */
struct tenant_revoke {
    uint64_t credential;
};

struct tenant_refund {
    struct vito_refund refund; /* but for at_ms */
    char caller[ACCESS_NAME_BYTES];
};

struct tenant_view {
    enum tenant_view_what what;
    char id[VITO_ID_BYTES];
};

/* Session. */

struct session_ready {
    int64_t expires_ms;  /* wall time when what permits it ends; 0: it does not */
    uint64_t credential; /* names what it is opened by */
    bool is_keyed;       /* the turn has an Idempotency-Key, and this is it */
    struct vito_digest key;
};

struct session_resume_ask {
    char secret[FRAME_RESUME_SECRET_BYTES];
    uint64_t last_seq;   /* the last frame that the client has */
    uint64_t credential; /* names what is shown now; ends at … */
    int64_t expires_ms;
};

/* What is said of a session that is not there, and of one that is another's. */
#define PROBLEM_RESUME_UNKNOWN_TEXT "it is not known here, or no more: open a new session"

struct session_resumed {
    struct problem problem; /* reason PROBLEM_NONE: it goes on here */
};

struct session_credit {
    uint32_t bytes; /* of output the connection has passed on */
};

struct session_terminate {
    enum session_end reason;
    uint16_t close_code;
};

/* Connection. */

/* An HTTP request. Texts are NUL-terminated in the buffer, each at its offset; 0 is an empty
 * one. */
struct conn_request {
    uint32_t method, path, query, authorization, content_type, subprotocols, idempotency_key;
    uint32_t peer; /* the client's address, without port */
    uint32_t body, body_bytes;
    bool wants_websocket;
};

struct conn_message {
    bool is_binary;
};

/* Vendor. */

/* `leg` is leg_grant.number everywhere. Events go to whoever sent VENDOR_OPEN; when that actor
 * is dead, the last one, VENDOR_CLOSED, goes to `heir`, so that no use is lost. */
struct vendor_open {
    uint64_t leg;
    struct vito_hold *hold; /* one reference, the message's until taken */
    struct rt_address heir; /* the tenant */
    char provider[VITO_PROVIDER_BYTES];
    int64_t allowed_tokens, allowed_ms, renew_tokens, renew_ms;
};

/* In VENDOR_OPEN's buffer: four NUL-terminated texts, one after the other: config, limits, drive
 * and messages of struct adapter_input. */

struct vendor_allow {
    uint64_t leg;
    int64_t allowed_tokens, allowed_ms;
    int64_t renew_tokens, renew_ms; /* VENDOR_USED comes when use reaches them */
    uint64_t last_ns; /* when it was decided that there will be no more, and the leg ends where its
                         allowance does; 0: more may follow */
};

struct vendor_credit {
    uint64_t leg;
    uint32_t bytes;
};

struct vendor_stop {
    uint64_t leg; /* unknown ones are ignored */
    enum adapter_stop_reason reason;
    struct rt_address heir; /* RT_NOBODY, or who is to hear of its end from now on */
    uint64_t cut_ns;        /* when its money was at an end; 0: that is not why it is stopped */
};

struct vendor_event {
    uint64_t leg;
    int64_t tokens, media_ms; /* used in total */
    bool waiting;             /* the leg stands still until it is allowed more, … */
    uint64_t waiting_ns;      /* … since then, by the monotonic clock */
};

struct vendor_closed {
    uint64_t leg;
    int64_t tokens, media_ms; /* by the vendor's figures where it gave them */
    enum adapter_error error; /* of initialize or drive; NONE: it did what it was asked */
    enum adapter_stopped stopped;
    bool opened;   /* initialize had succeeded */
    bool reached;  /* a request may have reached the vendor */
    bool is_spent; /* stopped because its allowance was used up */
    int status;
    int64_t retry_after_s;
};

/* A session that its vendor would not end, or may have made without saying so: it costs on. Its leg
 * is settled by then. */
struct recovery_stray {
    char tenant_id[VITO_TENANT_ID_BYTES];
    char leg_id[VITO_ID_BYTES];
    char provider[VITO_PROVIDER_BYTES];
    char vendor_ref[VITO_VENDOR_REF_BYTES]; /* or "" */
    enum vito_mode mode;
};

/* Verifier. */

struct verifier_checked {
    enum problem_reason refused;  /* PROBLEM_NONE: the claims are set | UNAUTHENTICATED |
                                     KEYS_UNAVAILABLE */
    enum vito_jwt_refusal reason; /* UNAUTHENTICATED: why */
    struct vito_jwt_claims claims;
};

/* Vault. */

enum vault_change_what {
    VAULT_LIST, /* changes nothing; of one secret if `name` says which */
    VAULT_PUT,
    VAULT_REMOVE,
    VAULT_ROTATE_TENANT, /* a new key for the tenant */
    VAULT_ROTATE_MASTER, /* a new master key, for all */
};

struct vault_change {
    enum vault_change_what what;
    char tenant_id[VITO_TENANT_ID_BYTES];
    char name[VITO_SECRET_NAME_BYTES];
    char providers[VITO_SEALED_PROVIDERS_BYTES]; /* PUT */
    char caller[ACCESS_NAME_BYTES];              /* for the records */
};

/* Admin. */

struct admin_request {
    struct access_caller caller; /* judged for this method and path */
    char method[8];
    char path[256];
    char query[256];
};

struct admin_done {
    int status;               /* HTTP */
    struct problem problem;   /* when status is 400 or above */
    const char *content_type; /* of the buffer, a constant; NULL: JSON */
};

#endif
