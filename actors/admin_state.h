/*
 * actors/admin_state.h - the admin API's private state, shared by the files admin*.c alone.
 *
 *   admin.c          operations and their answers; the routes
 *   admin_tenants.c  tenants and keys
 *   admin_keys.c     a key in the place of another one
 *   admin_secrets.c  secrets and the keys they are sealed with
 *   admin_views.c    balance, sessions, decisions
 *   admin_audit.c    the audit trail
 *   admin_refunds.c  refunds
 *   admin_runtime.c  the actor machine: workers, actors, turns
 */
#ifndef ACTORS_ADMIN_STATE_H
#define ACTORS_ADMIN_STATE_H

#include <stdio.h>

#include "actors/admin.h"
#include "actors/messages.h"
#include "actors/tenant_config.h"
#include "runtime/table.h"

enum { ADMIN_SEGMENTS_MAX = 6, ADMIN_SEGMENT_BYTES = 72 };

struct admin {
    const struct world *world;
    struct rt_table operations; /* by id */
    uint64_t operation_id;
};

/* One request on its way. */
struct admin_operation {
    struct rt_table_link link;
    uint64_t id;
    struct rt_owed *owed;
    struct access_caller caller;
    /* Takes the next answer, and the operation further. */
    void (*next)(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                 struct rt_message *answer);
    char tenant_id[VITO_TENANT_ID_BYTES];
    char name[VITO_ID_BYTES];         /* of a key, session or decision */
    char secret[VITO_KEY_TEXT_BYTES]; /* a new key, until it is shown */
    char replaces[VITO_ID_BYTES];     /* which it replaces, and until when that is good */
    int64_t replaced_until_ms;
    struct rt_buffer *document;
    struct tenant_view view;
    struct vito_refund refund;
};

/* A request, taken apart. */
struct admin_call {
    const struct rt_message *message;
    const struct admin_request *request;
    char segments[ADMIN_SEGMENTS_MAX][ADMIN_SEGMENT_BYTES]; /* of the path, after /api */
    unsigned segment_count;
};

/* A path's segment as an id; one that is longer than ids are is cut, and then no id of anything. */
static inline void
admin_copy_id(char id_out[VITO_ID_BYTES], const char *segment)
{
    snprintf(id_out, VITO_ID_BYTES, "%.*s", VITO_ID_BYTES - 1, segment);
}

/* admin.c */
void admin_refuse(struct rt_actor *self, const struct admin_call *call, struct problem problem);
void admin_finish(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                  struct rt_message *answer);
void admin_finish_refused(struct rt_actor *self, struct admin *admin,
                          struct admin_operation *operation, struct problem problem);
struct rt_buffer *admin_written(struct wire_writer *writer);
struct admin_operation *admin_begin(struct rt_actor *self, struct admin *admin,
                                    const struct admin_call *call);
void admin_ask_store(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                     struct vito_request *request);
void admin_ask_registry(struct rt_actor *self, struct admin *admin,
                        struct admin_operation *operation, struct rt_message *message);
void admin_pass_on(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                   struct rt_message *answer);
void admin_pass_document(struct rt_actor *self, struct admin *admin,
                         struct admin_operation *operation, struct rt_message *answer);
struct rt_message *admin_done_message(int status, const struct problem *problem,
                                      struct rt_buffer *json);
/* Who called, for the records. */
const char *admin_caller_name(const struct access_caller *caller);
/* Asks the registry where the operation's tenant is, awake. */
void admin_resolve_tenant(struct rt_actor *self, struct admin *admin,
                          struct admin_operation *operation);
/* A new key of the operation's tenant: its name and its text are in the operation then. */
void admin_make_key(struct rt_actor *self, const struct admin *admin,
                    struct admin_operation *operation, struct vito_key *key_out);
/* What the registry is to change for the operation; NULL when out of memory. */
struct rt_message *admin_order(enum twin_kind kind, const struct admin_operation *operation);
struct problem admin_problem_of_store(enum rt_status status, const char *tenant_id);

/* A text from the query, cut to fit; "" when it is not there. (admin_views.c) */
void admin_query_text(const char *query, const char *name, char *out, size_t out_bytes);

/* Routes: admin_tenants.c, admin_views.c, admin_runtime.c. */
void admin_tenant_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_tenant_put(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_tenant_get(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_tenant_delete(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_key_add(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_key_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_key_delete(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_key_rotate(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_secret_put(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_secret_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_secret_delete(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_tenant_key_rotate(struct rt_actor *self, struct admin *admin,
                             const struct admin_call *call);
void admin_master_key_rotate(struct rt_actor *self, struct admin *admin,
                             const struct admin_call *call);
void admin_balance(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_audit_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_audit_key(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_refund(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_session_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_session_terminate(struct rt_actor *self, struct admin *admin,
                             const struct admin_call *call);
void admin_explain(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_runtime(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_runtime_trace(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
void admin_runtime_why(struct rt_actor *self, struct admin *admin, const struct admin_call *call);

#endif
