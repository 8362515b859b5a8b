/*
 * vito/store.h - the port to durable state: what the core services ask of a database.
 *
 * Requests are values; each gets one answer, a VITO_STORED message on the control lane, sent
 * only when its effect is durable. A store may carry out many requests in one transaction.
 * Requests of one caller are carried out in the order they were submitted.
 *
 * What every store guarantees:
 *   - RT_OK is durable. RT_UNAVAILABLE may have happened or not: LEG_OPEN and LEG_SETTLE can be
 *     asked again (they are unique by the leg's id); what a GRANT moved shows in the next
 *     BUDGET_OPEN as slice_nusd. Every other answer changed nothing.
 *   - A month never grants more than its limit leaves, whoever asks and however many at once.
 *   - A leg is settled once, by its caller or, when its gateway's life has ended, at what it held.
 *   - Lives: `life` in an answer names this gateway's life at the store. It changes when the store
 *     has taken the gateway for dead and has settled what it had open: its slices are gone. A
 *     LEG_OPEN for the slice of an earlier life is answered RT_DENIED.
 *
 * Implementations: vito/store/sqlite, for one gateway; vito/store/postgres, for many. The
 * simulator runs the same SQL in virtual time.
 */
#ifndef VITO_STORE_H
#define VITO_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/actor.h"
#include "runtime/buffer.h"
#include "vito/account.h"
#include "vito/audit_export.h"
#include "vito/id.h"
#include "vito/identity.h"
#include "vito/policy_config.h"
#include "vito/sealed.h"
#include "vito/ticket.h"
#include "vito/turn_key.h"

enum {
    VITO_STORED = RT_KIND_USER + 50, /* message kind; payload struct vito_stored */
    VITO_NEWS = RT_KIND_USER + 51,   /* to the listener; payload struct vito_news */
};

enum vito_op {
    VITO_TENANT_PUT,    /* document: the tenant, as JSON; creates or replaces */
    VITO_TENANT_GET,    /* answer's document: the tenant, as JSON */
    VITO_TENANT_LIST,   /* answer's document: JSON array of {"id","display_name","policy"} */
    VITO_TENANT_REMOVE, /* with its keys and secrets, beyond recovery; ledger and audit stay */
    VITO_KEY_ADD,
    VITO_KEY_LIST,    /* of a tenant, or all when tenant_id is "": array of struct vito_key */
    VITO_KEY_ROTATE,  /* adds rotation.key and lets the one it replaces end; RT_NOT_FOUND when there
                         is no such key of that tenant, or none that has not ended yet */
    VITO_KEY_REMOVE,  /* RT_NOT_FOUND when there is no such key of that tenant */
    VITO_BUDGET_OPEN, /* makes the month's row if need be, sets its limit, reads it. One that
                         takes the place of a month in another time zone begins with what may be
                         spent of that */
    VITO_BUDGET_GRANT,  /* moves money to this node's slice */
    VITO_BUDGET_RETURN, /* and what is not spent back */
    VITO_LEG_OPEN,      /* the intent, and all that identifies the leg: before a vendor is called */
    VITO_LEG_EXTEND,    /* held_nusd is the new total; less than before changes nothing. One that
                           was adopted since is RT_NOT_FOUND */
    VITO_LEG_REF,    /* document: the vendor's own name of an open leg's session, as text; at most
                        VITO_VENDOR_REF_BYTES - 1, else RT_INVALID. By it the session is found
                        again, should this gateway die */
    VITO_LEG_SETTLE, /* cost, use and outcome: usage, budget and audit record in one; a repeat
                        changes nothing. The document, if any, is as TURN_END's, and in one
                        with it */
    VITO_LEG_LIST,   /* the answer's document: array of struct vito_open_leg, those of a tenant
                        that this gateway has opened and not settled; not all when it has
                        VITO_OPEN_LEGS_MAX */
    VITO_LEG_LIST_ADOPTED, /* legs of former lives that may still run at their vendors: answer's
                              document: array of struct vito_adopted_leg. Each is to be ended there
                              and settled; until then it is listed */
    VITO_AUDIT_APPEND,
    VITO_AUDIT_LIST,       /* answer's document: JSON {"entries":[…]} as CONTRACT 5 has it */
    VITO_AUDIT_EXPORT,     /* the answer's document: a page of vito/audit_export.h's lines */
    VITO_AUDIT_HEADS,      /* the answer's document: array of struct vito_audit_head, of trails that
                              went on since their last checkpoint, behind list.after by tenant; the
                              last ones when it has less than VITO_AUDIT_HEADS_MAX */
    VITO_AUDIT_CHECKPOINT, /* keeps a checkpoint; RT_NOT_FOUND: no record has that seq and chain */
    VITO_AUDIT_PRUNE,      /* lets records go that are older than prune.before_ms: see there */
    VITO_REFUND,           /* gives posted money back: see struct vito_refund */
    VITO_TURN_FIND,   /* answer's document: struct vito_turn_found, and the answer; RT_NOT_FOUND:
                         nothing is kept under that key */
    VITO_TURN_BEGIN,  /* a turn under that key: from now on it is running, or it is `repeated` and
                         answered as by TURN_FIND. RT_FULL: the tenant has kept_max of them */
    VITO_TURN_END,    /* document: struct vito_turn_answer, and the answer; of one that has ended
                         it changes nothing */
    VITO_TICKET_ADD,  /* RT_FULL: its holder has kept_max of them; RT_NOT_FOUND: there is no such
                         tenant or key any more */
    VITO_TICKET_TAKE, /* uses a ticket up, whosever it is: answer's document: struct
                         vito_ticket_holder; RT_NOT_FOUND: there is none any more, or it lets nobody
                         in */
    VITO_MEMORY_PUT,  /* the policy's memory of a tenant, an opaque document */
    VITO_MEMORY_GET,
    VITO_VAULT_LIST,  /* answer's document: rows (vito/sealed.h): those of tenant_id; when that is
                         "", some of all tenants behind list.after, root first, none at the end */
    VITO_VAULT_WRITE, /* document: rows; all are written, with the audit event if it has an id, or
                         none: RT_EXISTS when a ROOT's or KEY's version is not the next one */
    VITO_OP_COUNT,
};

struct vito_key {
    char id[VITO_ID_BYTES]; /* "key_…" */
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_digest digest;
    int64_t created_ms;
    int64_t expires_ms; /* wall time from which on it opens nothing; 0: it does not end */
};

/* A key in the place of another one, which is good for a while longer. */
struct vito_key_rotation {
    struct vito_key key;
    char replaces[VITO_ID_BYTES];
    int64_t replaced_until_ms; /* wall time; an earlier end of that key stays */
};

enum { VITO_PROVIDER_BYTES = 32, VITO_REASON_BYTES = 32, VITO_TOKEN_BYTES = 48 };

/* A vendor leg, from intent to audit record. */
struct vito_leg {
    char id[VITO_ID_BYTES]; /* "leg_…"; the vendor's X-Request-Id and the audit record's id */
    char session_id[VITO_ID_BYTES];
    char provider_id[VITO_PROVIDER_BYTES];
    char decision_id[VITO_ID_BYTES];
    char policy_version[VITO_VERSION_BYTES];
    char outcome[VITO_REASON_BYTES]; /* settle: "completed", "cost_limit", "interrupted", … */
    enum vito_mode mode;
    int64_t held_nusd;
    int64_t cost_nusd; /* settle */
    struct vito_use use;
    int64_t at_ms; /* wall time of this step */
};

enum { VITO_OPEN_LEGS_MAX = 1000, VITO_VENDOR_REF_BYTES = 256 };

/* What is told of an open leg to one who is to settle it. */
struct vito_open_leg {
    char id[VITO_ID_BYTES];
    char provider_id[VITO_PROVIDER_BYTES];
    enum vito_mode mode;
    int64_t held_nusd, period_start_ms;
};

/* A leg that outlived the gateway's life that opened it: a room at a video vendor. What it holds is
 * set aside in this life's slice of its month. */
struct vito_adopted_leg {
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct vito_period period;
    int64_t limit_nusd;  /* of the month */
    struct vito_leg leg; /* id, provider_id, mode, held_nusd; at_ms: when it was opened */
    char vendor_ref[VITO_VENDOR_REF_BYTES]; /* as LEG_REF said; "": its gateway died before */
};

/* A record that is not a leg: a refusal, an act of an operator. */
struct vito_audit_event {
    char id[VITO_ID_BYTES];
    char session_id[VITO_ID_BYTES]; /* or "" */
    char event[VITO_TOKEN_BYTES];   /* "ACCESS_REFUSED", … */
    int64_t at_ms;
    /* details, a JSON object, in the request's document; may be NULL */
};

/* A change and the record of it are one: the event and its details, to be appended when the request
 * was carried out and changed something. */
struct vito_audit_note {
    struct vito_audit_event event;
    uint32_t details_bytes;
    char details[]; /* a JSON object in one line */
};

/*
 * Letting go: all records up to a checkpoint that are older than `before_ms`, and none of a month
 * that is not over or has money reserved or legs open. The last record stays, and so do records
 * behind the last such checkpoint. The trail then begins at that checkpoint, and an AUDIT_PRUNED
 * record says so. Rows are removed some at a time: while stored.more there are others.
 */
struct vito_audit_prune {
    int64_t before_ms;
    int64_t at_ms;          /* wall time */
    uint32_t rows_max;      /* to remove at once, > 0 */
    char id[VITO_ID_BYTES]; /* of the AUDIT_PRUNED record */
};

enum { VITO_AUDIT_HEADS_MAX = 500 };

enum { VITO_REFUND_ID_BYTES = 65, VITO_REFUND_REASON_BYTES = 257 };

/*
 * Money given back in the month period_start_ms: an entry of its own, that lowers what is posted.
 * RT_EXISTS: there is one with this id and other figures; the same again changes nothing and is
 * `repeated`. RT_NOT_FOUND: no such month, or no such leg settled in it. RT_TOO_BIG: more than was
 * posted in the month, or for the leg, and not given back; `budget` says how much there is.
 */
struct vito_refund {
    char id[VITO_REFUND_ID_BYTES]; /* the caller's choice; names it for good */
    char leg_id[VITO_ID_BYTES];    /* what it is for; "" for none. Its month counts, then */
    char reason[VITO_REFUND_REASON_BYTES];
    int64_t amount_nusd; /* > 0 */
    int64_t at_ms;
};

struct vito_audit_query {
    int64_t after;                  /* cursor: entries with a larger one; 0 from the start */
    uint32_t limit;                 /* 1 … 1000 */
    char session_id[VITO_ID_BYTES]; /* "" for all */
};

struct vito_request {
    enum vito_op op;
    char tenant_id[VITO_TENANT_ID_BYTES];
    int64_t period_start_ms, period_end_ms; /* budget and leg operations: which month */
    int64_t life;  /* LEG_OPEN: whose slice it spends, as BUDGET_OPEN or GRANT said; 0: any */
    int64_t at_ms; /* wall time. TENANT_PUT: kept with the version of its policy_config.
                      TICKET_TAKE: whether what the ticket was got with has ended */
    union {
        struct vito_key key; /* KEY_ADD; KEY_REMOVE reads id */
        struct vito_key_rotation rotation;
        struct {
            int64_t limit_nusd;
            int64_t need_nusd; /* GRANT: nothing is granted when less is left */
            int64_t want_nusd; /* GRANT: as much of it as is left; RETURN: how much,
                                  of what no open leg holds; VITO_UNLIMITED: all */
        } budget;
        struct vito_leg leg;
        struct vito_audit_event audit; /* AUDIT_APPEND, VAULT_WRITE */
        struct vito_audit_query query;
        struct vito_checkpoint checkpoint; /* AUDIT_CHECKPOINT */
        struct vito_audit_prune prune;
        struct vito_refund refund;
        struct vito_turn_key turn; /* TURN_FIND, TURN_BEGIN */
        struct vito_ticket ticket; /* TICKET_ADD; TICKET_TAKE reads digest */
        struct {
            char after[VITO_TENANT_ID_BYTES]; /* VAULT_LIST, AUDIT_HEADS: "" from the start */
            bool all;                         /* AUDIT_HEADS: also of trails that did not go on */
        } list;
    };
    struct rt_buffer *document; /* a reference goes to the store; NULL when the op has none */
    struct rt_buffer *note;     /* likewise: struct vito_audit_note, or NULL. TENANT_PUT, _REMOVE,
                                   KEY_ADD, _ROTATE, _REMOVE and REFUND */
};

/* Lets go of what a request refers to. */
static inline void
vito_request_release(const struct vito_request *request)
{
    rt_buffer_release(request->document);
    rt_buffer_release(request->note);
}

/* A note. NULL when out of memory. */
struct rt_buffer *vito_audit_note_make(const struct vito_audit_event *event, const char *details,
                                       size_t details_bytes);

/* What the store knows of a month. */
struct vito_budget {
    int64_t limit_nusd, posted_nusd;
    int64_t reserved_nusd; /* open slices, ours included */
    int64_t granted_nusd;  /* GRANT: what this request moved to us, 0 when refused */
    int64_t slice_nusd;    /* OPEN: what this gateway was granted and no open leg holds: whoever
                              asked for it may not have heard the answer */
    int64_t refunded_nusd; /* OPEN, REFUND: given back of the month; posted is without it */
    int64_t tokens, interactions;
    int64_t media_ms[VITO_MODE_COUNT];
    int64_t life;   /* OPEN, GRANT: of this gateway, at the store */
    uint32_t nodes; /* OPEN, GRANT: gateways on the store, ourselves included; at least 1 */
};

/* What other gateways did. Heard at most once, soon after; none is for good: a listener that
 * missed some finds the same in the store. */
enum vito_news_kind {
    VITO_NEWS_TENANT,   /* its document was changed or removed */
    VITO_NEWS_KEYS,     /* so were its keys */
    VITO_NEWS_RECALL,   /* one of them is short of its money: return what is free */
    VITO_NEWS_RETURNED, /* some of its money came back */
    VITO_NEWS_SECRETS,  /* its secrets, or the key they are sealed with, were changed */
    VITO_NEWS_REFUNDED, /* some of what it had spent was given back: its month is to be read */
    VITO_NEWS_COUNT,
};

struct vito_news {
    enum vito_news_kind kind;
    char tenant_id[VITO_TENANT_ID_BYTES]; /* "": any; the store was away, or news were lost */
};

struct vito_stored {
    enum vito_op op;
    enum rt_status status;     /* RT_OK | RT_NOT_FOUND | RT_EXISTS | RT_INVALID (it is not sound) |
                                  RT_TOO_BIG (the answer) | RT_DENIED (LEG_OPEN: see lives) |
                                  RT_FULL (TURN_BEGIN) |
                                  RT_UNAVAILABLE | RT_NO_MEMORY */
    bool repeated;             /* LEG_SETTLE, REFUND, TURN_BEGIN: it was done before; nothing
                                  changed */
    bool created;              /* TENANT_PUT: there was none before */
    bool more;                 /* AUDIT_PRUNE: there are more to remove */
    int64_t cost_nusd;         /* LEG_SETTLE: as it is recorded; when repeated it may be another
                                  one's figure than the request's */
    struct vito_budget budget; /* BUDGET_*, LEG_SETTLE, REFUND */
    /* documents are in the message's buffer */
};

struct vito_store {
    void *self;

    /*
     * Submits one request.
     *
     *   caller      gets the VITO_STORED answer with `request_id`; it may die meanwhile
     *   ownership   *request is copied; its document's reference is taken
     *   threads     the caller's turn
     *   blocking    never; when too many wait, the answer is RT_UNAVAILABLE at once
     */
    void (*submit)(void *self, struct rt_actor *caller, const struct vito_request *request,
                   uint64_t request_id);

    /* Names who is sent VITO_NEWS; the last one counts. NULL: there are no other gateways.
     * Threads: any. */
    void (*listen)(void *self, struct rt_address listener);

    /* What a gateway that died has left becomes another one's so much later, at most. 0: there are
     * no others. */
    uint32_t takeover_ms;
};

/* The answer in a message of kind VITO_STORED. */
static inline const struct vito_stored *
vito_stored_of(struct rt_message *message)
{
    return rt_message_payload(message);
}

/* What a message of kind VITO_NEWS has. */
static inline const struct vito_news *
vito_news_of(struct rt_message *message)
{
    return rt_message_payload(message);
}

/* Sends news to a listener, on the control lane. Threads: any. */
void vito_store_tell(struct rt_system *system, struct rt_address listener,
                     const struct vito_news *news);

/* Answers from a store's own thread. Takes one reference of `document`. Threads: any. */
void vito_store_answer(struct rt_system *system, struct rt_address caller, uint64_t request_id,
                       const struct vito_stored *stored, struct rt_buffer *document);

#endif
