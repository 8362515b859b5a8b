/*
 * actors/tenant_state.h - a tenant's private state, shared by the files tenant*.c alone.
 *
 *   tenant.c         its life: loading, leaving; the dispatch
 *   tenant_sessions.c  sessions: judged, begun, seen off
 *   tenant_admit.c   a turn's way through mode, bucket and policy
 *   tenant_fund.c    months, slices, grants: money to hold
 *   tenant_size.c    how large a leg's next step may be
 *   tenant_leg.c     legs: opened under a hold, settled
 *   tenant_meter.c   running legs: another quantum, or not
 *   tenant_orphans.c legs that a former life left open
 *   tenant_policy.c  what a policy is asked, and what was decided
 *   tenant_refusals.c  what the audit trail is told of refusals
 *   tenant_view.c    balance, sessions and decisions as JSON
 */
#ifndef ACTORS_TENANT_STATE_H
#define ACTORS_TENANT_STATE_H

#include "actors/messages.h"
#include "actors/refusal_book.h"
#include "actors/tenant.h"
#include "runtime/table.h"
#include "vito/account.h"
#include "vito/rate_limit.h"

enum {
    TENANT_BOOKS = 2,       /* this month's, and the last one's while its legs run */
    TENANT_DECISIONS = 128, /* kept for explaining */
};

enum tenant_phase { TENANT_LOADING, TENANT_SERVING, TENANT_LEAVING };

/* One month. */
struct tenant_book {
    struct vito_account account;
    bool is_open;
    uint32_t legs;  /* that spend from it */
    bool uncertain; /* an answer of the store was lost: the slice may be larger than we know */
    int64_t life;   /* of this gateway at the store, when the slice was granted */
    uint32_t nodes; /* gateways that share the month */
    int64_t refunded_nusd; /* when the month was read last */
    int64_t settling_nusd; /* posted here, not yet acknowledged by the store */
    struct vito_use settling_use[VITO_MODE_COUNT]; /* likewise, by mode */
    int64_t limbo_nusd;     /* freed by those settlements, not to be held again before: a crash
                               would count it for both legs */
    int64_t returning_nusd; /* on its way back to the store, in so many requests */
    uint32_t returns;
    int64_t doubtful_nusd; /* of it, what may be taken out of a new life's slice */
};

/* When the store has nothing left, other gateways may still give back what they do not need. */
enum tenant_want {
    TENANT_CONTENT,
    TENANT_RECALLING, /* they were asked: tries again soon, or when they have */
    TENANT_BROKE,     /* in vain: nobody asks for a while */
};

/* Something that waits for money. First come, first served. */
struct tenant_funding {
    struct tenant_funding *next;
    struct tenant_book *book;
    int64_t need_nusd;
    /* Called once, in the tenant's turn, when the money is there or will not be. */
    void (*done)(struct rt_actor *self, struct tenant_funding *funding, enum problem_reason why);
};

/* An answer expected from the store. */
enum tenant_pending_kind {
    TENANT_PENDING_BOOK,
    TENANT_PENDING_REFUND,
    TENANT_PENDING_VIEW, /* its figures, for somebody's answer */
    TENANT_PENDING_GRANT,
    TENANT_PENDING_RETURN,
    TENANT_PENDING_MEMORY,
    TENANT_PENDING_LEG_OPEN,
    TENANT_PENDING_LEG_EXTEND,
    TENANT_PENDING_LEG_SETTLE,
    TENANT_PENDING_ORPHANS,
    TENANT_PENDING_ORPHAN,
    TENANT_PENDING_REFUSAL,
};

struct tenant_pending {
    struct rt_table_link link; /* in tenant.pending, by id */
    uint64_t id;
    enum tenant_pending_kind kind;
    void *subject;           /* book, leg, orphan, refusal or what is owed */
    int64_t period_start_ms; /* BOOK, VIEW: which month was asked for */
};

/* A request on its way to a leg. */
struct tenant_admission {
    struct tenant_admission *next, *previous;
    struct rt_owed *owed;
    struct rt_address session;
    struct tenant_admit ask;
    struct vito_bucket_waiter waiter;
    struct rt_timer delay; /* a policy's throttle */
    struct frame_decision decision;
    uint64_t turn;
    uint64_t arrived_ns;
    bool is_hold; /* TENANT_HOLD: a further leg of an admitted turn */
    struct tenant_leg *leg;
};

/* How far a leg may go next, and what that takes. */
struct tenant_leg_size {
    int64_t need_nusd;                  /* beyond what is held */
    int64_t media_ms;                   /* to set aside from the quota */
    int64_t allowed_tokens, allowed_ms; /* in total, once funded */
};

/* A vendor leg, from its hold to its settled row. */
struct tenant_leg {
    struct rt_table_link link; /* in tenant.legs, by number */
    uint64_t number;
    struct rt_address session;
    struct tenant_admission *admission; /* until it is granted */
    struct tenant_book *book;
    struct vito_hold *hold;
    struct tenant_config *config; /* the one it began with: its prices and vendor */
    const struct tenant_provider *provider;
    struct vito_leg row;
    uint32_t prompt_tokens;             /* estimated */
    uint32_t prompt_tokens_max;         /* it cannot be more */
    int64_t allowed_tokens, allowed_ms; /* in total; durable */
    int64_t allowed_nusd;               /* what was held for that: all a vendor can have used */
    struct tenant_leg_size size;        /* being funded */
    struct tenant_funding funding;
    struct rt_owed *owed;         /* of the meter or settle request under way */
    struct tenant_metered answer; /* being prepared */
    bool metering, settling, orphaned;
    bool refusal_is_told;
    bool is_unwritten;        /* its hold is larger than the store knows */
    int64_t life;             /* whose slice it was opened on */
    int64_t limbo_nusd;       /* of the book's, freed by this leg */
    struct rt_buffer *record; /* of a keyed turn, to be kept with its settlement; or NULL */
    struct rt_timer timer;    /* settle again, the store was away; or an orphan's patience */
};

/* A leg that a former life of the tenant left open. */
struct tenant_orphan {
    struct rt_table_link link; /* in tenant.orphans, by number */
    uint64_t number;
    struct vito_open_leg open;
    struct vito_use use;
    int64_t cost_nusd;
    bool settling;
    struct rt_timer timer; /* patience with its vendor; or settle again, the store was away */
};

enum { TENANT_REVOKED_KEPT = 16 };

struct tenant_session {
    struct rt_table_link link; /* in tenant.sessions, by actor id */
    struct rt_address address;
    char id[VITO_ID_BYTES];
    enum tenant_transport transport;
    uint64_t credential; /* it was opened by */
    char opened_by[ACCESS_NAME_BYTES];
    enum vito_mode mode;               /* it began with */
    char lowered[PROBLEM_TOKEN_BYTES]; /* why that is less than was asked for; or "" */
    int64_t began_ms;
    int64_t settled_nusd, held_nusd; /* by its legs */
    int64_t tokens, turns;           /* settled */
};

struct refusal_record;

/* While there is something to tell the audit trail. */
struct tenant_refusals {
    struct refusal_book book;
    struct refusal_record *records; /* not yet durable */
    bool away;                      /* the store could not be asked for one of them */
    struct rt_timer minute, retry;
};

struct tenant {
    const struct world *world;
    uint64_t revoked[TENANT_REVOKED_KEPT]; /* the last ones: who was on his way is not let in */
    uint32_t revoked_count;
    struct tenant_config *config;
    uint32_t slot;
    enum tenant_phase phase;
    enum problem_reason broken; /* the books could not be read: everything is refused with it */

    struct vito_bucket *bucket;
    struct rt_timer bucket_timer;
    struct tenant_admission *admissions; /* all under way */

    struct tenant_book books[TENANT_BOOKS];
    struct tenant_book *book; /* this month's */
    struct rt_timer month_timer;
    struct tenant_funding *funding_first, **funding_end;
    bool granting;                             /* a grant is on its way, … */
    const struct tenant_funding *grant_waiter; /* … for it; NULL: a refill, or he is gone */
    enum tenant_want want;                     /* of money that others hold */
    unsigned recalls;                          /* in vain, for the first funding */
    struct rt_timer want_timer;
    int64_t spent_nusd, spent_before_nusd; /* since spent_since_ns, and as long before */
    uint64_t spent_since_ns;

    struct rt_table pending;
    uint64_t pending_id;
    struct rt_table legs;
    struct rt_table orphans;
    bool adopted;               /* what a former life left open is known */
    bool more_orphans;          /* than could be listed */
    struct rt_timer look_timer; /* asks for them again */
    struct rt_table sessions;

    struct tenant_refusals *refusals;                                        /* or NULL */
    char decides_by[POLICY_NAME_BYTES], decides_version[VITO_VERSION_BYTES]; /* "": nothing yet */
    struct tenant_decision *decisions[TENANT_DECISIONS];
    uint32_t decision_count;
    struct rt_buffer *memory; /* the policy's, MessagePack, or NULL */
    bool memory_changed;

    struct rt_timer idle_timer;
    bool asks_to_leave; /* the registry: who comes meanwhile waits for what it says */
    bool draining;
    bool
        owes; /* it leaves, and the store did not take back its slice: the registry wakes another */
};

/* tenant.c */
void tenant_became_idle(struct rt_actor *self, struct tenant *tenant);
struct tenant_pending *tenant_expect(struct rt_actor *self, struct tenant *tenant,
                                     enum tenant_pending_kind kind, void *subject);
void tenant_submit(struct rt_actor *self, struct tenant *tenant, struct vito_request *request,
                   enum tenant_pending_kind kind, void *subject);
void tenant_make_id(struct rt_actor *self, const struct tenant *tenant, const char *prefix,
                    char id_out[VITO_ID_BYTES], uint64_t *number_out);
/* The number that tenant_make_id() gave with an id. False when it is no id. */
bool tenant_leg_number(const char *id, uint64_t *number_out);

/* tenant_sessions.c */
/* Ends the sessions of a key that was removed, and lets no more in by it. */
void tenant_on_revoke(struct rt_actor *self, struct tenant *tenant,
                      const struct tenant_revoke *revoke);
void tenant_end_session(struct rt_actor *self, const struct tenant_session *session,
                        enum session_end reason, uint16_t close_code);
struct tenant_session *tenant_find_session(const struct tenant *tenant, uint64_t actor_id);
void tenant_on_open(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);
void tenant_on_down(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);

/* tenant_admit.c */
void tenant_on_admit(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);
void tenant_on_hold(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);
void tenant_on_bucket_timer(struct rt_actor *self, struct tenant *tenant);
bool tenant_on_admission_timer(struct rt_actor *self, struct tenant *tenant,
                               const struct rt_timer *timer);
void tenant_admission_refuse(struct rt_actor *self, struct tenant *tenant,
                             struct tenant_admission *admission, const struct problem *problem);
void tenant_admission_grant(struct rt_actor *self, struct tenant *tenant,
                            struct tenant_admission *admission, const struct leg_grant *grant);
void tenant_admission_free(struct rt_actor *self, struct tenant *tenant,
                           struct tenant_admission *admission);
void tenant_admissions_drop(struct rt_actor *self, struct tenant *tenant,
                            struct rt_address session);

/* tenant_fund.c */
void tenant_open_book(struct rt_actor *self, struct tenant *tenant);
/* tenant_refund.c */
void tenant_on_refund(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);
void tenant_on_refunded(struct rt_actor *self, struct tenant *tenant, struct rt_owed *owed,
                        const struct vito_stored *stored);

/* tenant_fund.c */
/* The month's limit was configured anew: it counts from the next hold on, and who waits for money
 * asks again. The store has been told before. */
void tenant_on_limit(struct rt_actor *self, struct tenant *tenant);
void tenant_ask_book(struct rt_actor *self, struct tenant *tenant, enum tenant_pending_kind kind,
                     void *subject);
void tenant_on_book(struct rt_actor *self, struct tenant *tenant, const struct vito_stored *stored);
void tenant_on_granted(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book,
                       const struct vito_stored *stored);
void tenant_on_month_timer(struct rt_actor *self, struct tenant *tenant);
void tenant_take_figures(struct tenant_book *book, const struct vito_budget *budget);
void tenant_return_slice(struct rt_actor *self, struct tenant *tenant, struct tenant_book *book);
/* What the store has said of it. `book` may be NULL: money of a month that is not known here. */
void tenant_on_returned(struct tenant_book *book, const struct vito_stored *stored);
/* Returns the slices of months that are over, once nothing is spent from them any more. */
void tenant_return_past(struct rt_actor *self, struct tenant *tenant);
/* Calls funding->done now or later. */
void tenant_fund(struct rt_actor *self, struct tenant *tenant, struct tenant_funding *funding);
void tenant_serve_fundings(struct rt_actor *self, struct tenant *tenant);
void tenant_unfund(struct tenant *tenant, struct tenant_funding *funding);
struct problem tenant_money_problem(const struct tenant *tenant, enum problem_reason reason);
/* What others hold of the month and might give back. Not below 0. */
int64_t tenant_recallable(const struct tenant *tenant, const struct tenant_book *book);
void tenant_on_want_timer(struct rt_actor *self, struct tenant *tenant);
void tenant_on_news(struct rt_actor *self, struct tenant *tenant, const struct vito_news *news);
void tenant_count_spending(struct rt_actor *self, struct tenant *tenant, int64_t nusd);

/* tenant_size.c */
enum vito_mode tenant_leg_mode(const struct tenant_admission *admission);
/* NULL when the order of preference is at its end. */
const struct tenant_provider *tenant_leg_provider(const struct tenant *tenant,
                                                  const struct tenant_admission *admission);
uint32_t tenant_leg_prompt_tokens(const struct adapter_sheet *sheet,
                                  const struct tenant_admit *ask);
uint32_t tenant_leg_prompt_tokens_max(const struct adapter_sheet *sheet,
                                      const struct tenant_admit *ask);
/* What the first quantum of the leg would cost at most. */
int64_t tenant_leg_estimate(const struct tenant *tenant, const struct tenant_admission *admission);
/* The leg's next step: what it takes and where it leads. PROBLEM_NONE, or which limit forbids. */
enum problem_reason tenant_leg_size_next(const struct tenant *tenant, const struct tenant_leg *leg,
                                         struct tenant_leg_size *size);
/* How long the stream could go on in all, as far as money and minutes reach. */
int64_t tenant_leg_affordable_ms(const struct tenant *tenant, const struct tenant_leg *leg);

/* tenant_leg.c */
/* Ends in the admission's TENANT_ADMITTED, now or later. */
void tenant_leg_open(struct rt_actor *self, struct tenant *tenant,
                     struct tenant_admission *admission);
void tenant_on_leg_opened(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                          enum rt_status status);
/* Books leg->row.use and writes it down; once a leg. */
void tenant_leg_settle(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                       bool unproven);
void tenant_on_leg_settled(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                           const struct vito_stored *stored);
void tenant_on_settle(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);
void tenant_on_leg_timer(struct rt_actor *self, struct tenant *tenant,
                         const struct rt_timer *timer);
void tenant_on_vendor_closed(struct rt_actor *self, struct tenant *tenant,
                             struct rt_message *message);
void tenant_orphan_legs(struct rt_actor *self, struct tenant *tenant, struct rt_address session);
/* Tells all vendor actors to stop a leg. With an `heir` that is where they are to report to. */
void tenant_stop_everywhere(struct rt_actor *self, const struct tenant *tenant, uint64_t number,
                            struct rt_address heir);
struct tenant_leg *tenant_find_leg(const struct tenant *tenant, uint64_t number);
void tenant_leg_free(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg);

/* tenant_meter.c */
void tenant_on_meter(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);
void tenant_on_leg_extended(struct rt_actor *self, struct tenant *tenant, struct tenant_leg *leg,
                            enum rt_status status);

/* tenant_orphans.c */
void tenant_find_orphans(struct rt_actor *self, struct tenant *tenant);
/* False when out of memory: then some are left. */
bool tenant_adopt(struct rt_actor *self, struct tenant *tenant, const struct rt_buffer *list);
bool tenant_on_orphan_closed(struct rt_actor *self, struct tenant *tenant,
                             const struct vendor_closed *closed);
bool tenant_on_orphan_timer(struct rt_actor *self, struct tenant *tenant,
                            const struct rt_timer *timer);
void tenant_on_orphan_settled(struct rt_actor *self, struct tenant *tenant,
                              struct tenant_orphan *orphan, enum rt_status status);
void tenant_orphan_free(struct rt_actor *self, struct tenant *tenant, struct tenant_orphan *orphan);

/* tenant_policy.c */
/* `session` is NULL for one that does not exist yet. */
struct policy_question tenant_question(struct rt_actor *self, const struct tenant *tenant,
                                       const struct tenant_session *session,
                                       enum policy_question_kind kind, enum vito_mode mode);
/* What is left of a mode's minutes this month, open holds counted; VITO_UNLIMITED without quota. */
int64_t tenant_quota_left_ms(const struct tenant *tenant, const struct vito_account *account,
                             enum vito_mode mode);
void tenant_ask_policy(struct rt_actor *self, struct tenant *tenant,
                       const struct policy_question *question, struct policy_decision *decision);
struct problem tenant_policy_problem(const struct tenant *tenant,
                                     const struct policy_decision *decision);
/* It goes on in a lower mode than was asked for; `reason` is a stable token. */
void tenant_lower_mode(struct frame_decision *decision, enum vito_mode mode, const char *reason);
void tenant_record(struct rt_actor *self, struct tenant *tenant,
                   const struct policy_question *question, const struct frame_decision *decision,
                   const char *action, const char *facts);
const struct tenant_decision *tenant_find_decision(const struct tenant *tenant, const char *id);
void tenant_forget_decisions(struct tenant *tenant);

/* tenant_refusals.c */
/* What is known of a refusal; `session` and `decision` may be NULL. */
struct refusal tenant_refusal(enum refusal_event event, const struct tenant_session *session,
                              enum vito_mode mode, const struct frame_decision *decision,
                              const char *reason);
/* Has it recorded, by itself or in a sum. Nothing waits for that. */
void tenant_tell_refusal(struct rt_actor *self, struct tenant *tenant,
                         const struct refusal *refusal);
/* Has recorded that the policy's file has another text than it last decided by. */
void tenant_tell_policy(struct rt_actor *self, struct tenant *tenant, const char *from,
                        const char *to);
void tenant_on_refusal_told(struct rt_actor *self, struct tenant *tenant, void *subject,
                            enum rt_status status);
bool tenant_on_refusals_timer(struct rt_actor *self, struct tenant *tenant,
                              const struct rt_timer *timer);
/* Tells what is only counted so far. True when all is durable. */
bool tenant_flush_refusals(struct rt_actor *self, struct tenant *tenant);
void tenant_forget_refusals(struct rt_actor *self, struct tenant *tenant);

/* tenant_view.c */
void tenant_on_balance(struct rt_actor *self, struct tenant *tenant, struct rt_owed *owed,
                       const struct vito_stored *stored);
void tenant_on_view(struct rt_actor *self, struct tenant *tenant, struct rt_message *message);

/* One decision, as it can be explained later. */
struct tenant_decision {
    struct frame_decision decision;
    char action[16]; /* also "deny" */
    char policy[POLICY_NAME_BYTES];
    char facts[POLICY_FACTS_BYTES];
    struct policy_question question; /* its pointers are not kept */
    int64_t at_ms;
};

#endif
