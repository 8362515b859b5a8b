/*
 * actors/registry_state.h - the registry's private state, shared by the files registry*.c alone.
 *
 *   registry.c           life, credentials, sessions and decisions; the dispatch
 *   registry_tenants.c   tenants: woken, let go, drained
 *   registry_changes.c   keys and documents: to the store, then here
 *   registry_expiry.c    keys that were replaced, and end
 *   registry_refusals.c  what the audit trail is told of keys of others
 *   registry_news.c      what other gateways changed
 */
#ifndef ACTORS_REGISTRY_STATE_H
#define ACTORS_REGISTRY_STATE_H

#include "actors/messages.h"
#include "actors/registry.h"
#include "runtime/table.h"

enum registry_phase { ENTRY_LOADING, ENTRY_AWAKE, ENTRY_LEAVING };

struct registry_waiter {
    struct registry_waiter *next;
    struct rt_owed *owed;
    struct access_caller caller;
};

/* A tenant that is awake, or on its way. */
struct registry_entry {
    struct rt_table_link link; /* by id */
    char id[VITO_TENANT_ID_BYTES];
    enum registry_phase phase;
    struct rt_address tenant;
    uint32_t slot;
    bool died;       /* and may have left legs open: it must be woken again, whoever asks */
    bool to_revive;  /* that failed, and is tried again soon */
    bool stale;      /* its document was changed, and could not be read yet */
    uint32_t deaths; /* in this minute */
    uint64_t deaths_since_ns;
    struct registry_waiter *waiters;
};

struct registry_key {
    struct rt_table_link link; /* by digest */
    struct registry_key *next; /* while its tenant's keys are replaced */
    struct vito_key key;
};

struct registry_session {
    struct rt_table_link link; /* by session id */
    struct session_note note;
};

/* A change that waits for the store. */
struct registry_change {
    struct rt_table_link link; /* by request id */
    uint64_t id;
    enum twin_kind kind; /* REGISTRY_RESOLVE: a tenant is being loaded; RT_KIND_START: the keys */
    struct rt_owed *owed;
    struct vito_key key;
    char replaces[VITO_ID_BYTES]; /* REGISTRY_KEY_ROTATE, and until when that is good */
    int64_t replaced_until_ms;
    char tenant_id[VITO_TENANT_ID_BYTES];
    struct rt_buffer *document;
};

enum { REGISTRY_REFUSALS_PLACES = 64 };

/* Refusals of one twin in this minute. */
struct registry_refusals {
    char tenant_id[VITO_TENANT_ID_BYTES]; /* "": the place is free */
    uint32_t told;                        /* recorded one by one */
    int64_t more, first_ms, last_ms;      /* beyond those: how many, and when */
};

struct registry {
    const struct world *world;
    bool loaded; /* the keys are here */
    bool unavailable;
    bool draining, drained_told;
    bool after_death; /* a tenant has died in this process, and may have left legs open */
    struct rt_timer retry_timer, revive_timer, expiry_timer;
    struct rt_table entries, keys, sessions, changes;
    struct registry_entry **slots;
    uint32_t slot_count, slot_hint;
    uint64_t change_id;
    bool keys_stale; /* they were changed, and could not be read yet */
    struct rt_timer news_timer;
    struct rt_timer refusals_timer; /* the end of this minute, if any came */
    struct registry_refusals refusals[REGISTRY_REFUSALS_PLACES];
    uint32_t refusals_told; /* recorded one by one in this minute */
};

/* registry.c */
struct registry_entry *registry_find(const struct registry *registry, const char *tenant_id);
/* An answer; with a refusal the rest is left out. `caller` may be NULL. */
struct rt_message *registry_resolved_message(enum problem_reason refused, struct rt_address address,
                                             const struct access_caller *caller);
void registry_answer(struct rt_actor *self, const struct rt_message *request,
                     enum problem_reason refused, struct rt_address address,
                     const struct access_caller *caller);
/* Hands a request to the store; `kind` says what its answer is for. NULL when out of memory. */
struct registry_change *registry_submit(struct rt_actor *self, struct registry *registry,
                                        enum twin_kind kind, struct vito_request *request);

/* registry_tenants.c */
/* Answers the request with the tenant's address, now if it is awake, else when it is. */
void registry_resolve_tenant(struct rt_actor *self, struct registry *registry,
                             const struct rt_message *message, const char *id,
                             const struct access_caller *caller);
void registry_on_tenant_read(struct rt_actor *self, struct registry *registry,
                             const struct registry_change *change, const struct vito_stored *stored,
                             const struct rt_buffer *document);
void registry_on_down(struct rt_actor *self, struct registry *registry, const struct rt_down *down);
void registry_on_idle(struct rt_actor *self, struct registry *registry, struct rt_message *message);
void registry_drain_tenant(struct rt_actor *self, struct registry_entry *entry);
/* Tells the next life of this registry of a tenant that ends with this one. */
void registry_bequeath(struct rt_actor *self, const struct registry_entry *entry);
void registry_on_former(struct rt_actor *self, struct registry *registry,
                        const struct former_tenant *former);
void registry_on_revive_timer(struct rt_actor *self, struct registry *registry);
void registry_tell_drained(struct registry *registry);
void registry_on_shutdown(struct rt_actor *self, struct registry *registry);
void registry_drop_entry(struct registry *registry, struct registry_entry *entry);

/* registry_changes.c */
void registry_load_keys(struct rt_actor *self, struct registry *registry);
struct registry_key *registry_find_key(const struct registry *registry,
                                       const struct vito_digest *digest);
void registry_on_change(struct rt_actor *self, struct registry *registry,
                        struct rt_message *message);
void registry_on_stored(struct rt_actor *self, struct registry *registry,
                        struct rt_message *message);
void registry_free_change(struct registry *registry, struct registry_change *change);
RT_MUST_USE bool registry_add_key(struct registry *registry, const struct vito_key *key);
/* Forgets one key; all of a tenant when `id` is NULL, all there are when `tenant_id` is "". */
void registry_remove_keys(struct registry *registry, const char *tenant_id, const char *id);
/* Gives an awake tenant its document. */
void registry_configure_tenant(struct rt_actor *self, const struct registry_entry *entry,
                               struct rt_buffer *document);

/* registry_expiry.c */
/* What was got with a key goes with it: its sessions, if its tenant is awake. (Its tickets have
 * gone from the store.) */
void registry_revoke(struct rt_actor *self, struct rt_address tenant, const char *key_id);
/* Gives a key an end, if it has no earlier one. */
void registry_end_key(struct registry *registry, const char *id, int64_t expires_ms);
/* Forgets keys that have ended, with what was got with them, and comes back for the next. After
 * every change of the keys. */
void registry_expire_keys(struct rt_actor *self, struct registry *registry);

/* registry_refusals.c */
void registry_record_refusal(struct rt_actor *self, struct registry *registry,
                             const char *tenant_id, const struct access_caller *caller);
void registry_on_refusals_timer(struct rt_actor *self, struct registry *registry);

/* registry_news.c */
void registry_on_news(struct rt_actor *self, struct registry *registry,
                      const struct vito_news *news);
/* Reads again what could not be read. */
void registry_on_news_timer(struct rt_actor *self, struct registry *registry);
/* The answers to what was asked because of news; false when the change is another one. */
bool registry_on_news_read(struct rt_actor *self, struct registry *registry,
                           const struct registry_change *change, const struct vito_stored *stored,
                           struct rt_buffer *document);

#endif
