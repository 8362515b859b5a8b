#include "actors/admin.h"

#include <string.h>

#include "actors/admin_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"

struct rt_message *
admin_done_message(int status, const struct problem *problem, struct rt_buffer *json)
{
    struct rt_message *message = rt_message_create(ADMIN_DONE, sizeof(struct admin_done));
    if (message == NULL) {
        rt_buffer_release(json);
        return NULL;
    }
    struct admin_done *done = rt_message_payload(message);
    done->status = status;
    if (problem != NULL)
        done->problem = *problem;
    message->buffer = json;
    return message;
}

void
admin_refuse(struct rt_actor *self, const struct admin_call *call, struct problem problem)
{
    struct rt_message *answer = admin_done_message(problem_status(&problem), &problem, NULL);
    if (answer != NULL)
        rt_answer(self, call->message, answer);
}

void
admin_finish(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
             struct rt_message *answer)
{
    if (answer != NULL)
        rt_owed_answer(self, operation->owed, answer);
    else
        rt_owed_failed(self, operation->owed, RT_NO_MEMORY);
    rt_table_remove(&admin->operations, &operation->link);
    explicit_bzero(operation->secret, sizeof(operation->secret));
    rt_buffer_release(operation->document);
    rt_pool_give(operation, sizeof(*operation));
}

void
admin_finish_refused(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                     struct problem problem)
{
    admin_finish(self, admin, operation,
                 admin_done_message(problem_status(&problem), &problem, NULL));
}

struct rt_buffer *
admin_written(struct wire_writer *writer)
{
    struct wire_bytes bytes;
    return wire_end(writer, &bytes) == RT_OK ? rt_buffer_copy(bytes.bytes, bytes.size_bytes) : NULL;
}

const char *
admin_caller_name(const struct access_caller *caller)
{
    return caller->role == ACCESS_OPERATOR ? "operator" : caller->name;
}

void
admin_resolve_tenant(struct rt_actor *self, struct admin *admin, struct admin_operation *operation)
{
    struct rt_message *message =
        rt_message_create(REGISTRY_RESOLVE, sizeof(struct registry_resolve));
    if (message != NULL) {
        struct registry_resolve *resolve = rt_message_payload(message);
        resolve->wakes = resolve->is_known = true;
        resolve->caller = operation->caller;
        RT_TEXT_SET(resolve->tenant_id, operation->tenant_id);
    }
    admin_ask_registry(self, admin, operation, message);
}

struct problem
admin_problem_of_store(enum rt_status status, const char *tenant_id)
{
    if (status == RT_NOT_FOUND)
        return problem_make(PROBLEM_UNKNOWN_AVATAR, "there is no tenant \"%s\"", tenant_id);
    struct problem problem = problem_make(PROBLEM_STORE_UNAVAILABLE, NULL);
    problem.retry_after_s = 1;
    return problem;
}

struct admin_operation *
admin_begin(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = rt_pool_take(sizeof(*operation));
    if (operation == NULL) {
        rt_answer_failed(self, call->message, RT_NO_MEMORY);
        return NULL;
    }
    *operation = (struct admin_operation){.id = ++admin->operation_id};
    operation->owed = rt_owe(self, call->message);
    if (operation->owed == NULL ||
        !rt_table_add(&admin->operations, &operation->link, rt_hash_u64(operation->id))) {
        if (operation->owed != NULL)
            rt_owed_failed(self, operation->owed, RT_NO_MEMORY);
        rt_pool_give(operation, sizeof(*operation));
        return NULL;
    }
    RT_TEXT_SET(operation->tenant_id, call->segments[1]);
    operation->caller = call->request->caller;
    return operation;
}

void
admin_ask_store(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                struct vito_request *request)
{
    RT_TEXT_SET(request->tenant_id, operation->tenant_id);
    admin->world->store.submit(admin->world->store.self, self, request, operation->id);
}

void
admin_ask_registry(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                   struct rt_message *message)
{
    if (message == NULL)
        admin_finish(self, admin, operation, NULL);
    else
        rt_request(self, admin->world->registry, message, operation->id);
}

/* The last step of what the registry does: its answer is ours. */
void
admin_pass_on(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
              struct rt_message *answer)
{
    const struct admin_done *done = rt_message_payload(answer);
    bool failed = done->problem.reason != PROBLEM_NONE;
    struct rt_buffer *json = failed ? NULL : answer->buffer;
    if (!failed && json == NULL)
        json = operation->document;
    admin_finish(
        self, admin, operation,
        admin_done_message(done->status, failed ? &done->problem : NULL, rt_buffer_acquire(json)));
}

/* A store's document is the whole answer. */
void
admin_pass_document(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                    struct rt_message *answer)
{
    const struct vito_stored *stored = vito_stored_of(answer);
    if (stored->status != RT_OK)
        admin_finish_refused(self, admin, operation,
                             admin_problem_of_store(stored->status, operation->tenant_id));
    else
        admin_finish(self, admin, operation,
                     admin_done_message(200, NULL, rt_buffer_acquire(answer->buffer)));
}

static const struct route {
    const char *method;
    const char *segments[ADMIN_SEGMENTS_MAX]; /* "*" stands for any */
    void (*handle)(struct rt_actor *self, struct admin *admin, const struct admin_call *call);
} routes[] = {
    {"GET", {"tenants"}, admin_tenant_list},
    {"PUT", {"tenants", "*"}, admin_tenant_put},
    {"GET", {"tenants", "*"}, admin_tenant_get},
    {"DELETE", {"tenants", "*"}, admin_tenant_delete},
    {"POST", {"tenants", "*", "keys"}, admin_key_add},
    {"GET", {"tenants", "*", "keys"}, admin_key_list},
    {"DELETE", {"tenants", "*", "keys", "*"}, admin_key_delete},
    {"POST", {"tenants", "*", "keys", "*", "rotate"}, admin_key_rotate},
    {"GET", {"tenants", "*", "secrets"}, admin_secret_list},
    {"POST", {"tenants", "*", "secrets", "rotate"}, admin_tenant_key_rotate},
    {"PUT", {"tenants", "*", "secrets", "*"}, admin_secret_put},
    {"GET", {"tenants", "*", "secrets", "*"}, admin_secret_list},
    {"DELETE", {"tenants", "*", "secrets", "*"}, admin_secret_delete},
    {"POST", {"vault", "rotate"}, admin_master_key_rotate},
    {"GET", {"tenants", "*", "balance"}, admin_balance},
    {"POST", {"tenants", "*", "refunds"}, admin_refund},
    {"GET", {"tenants", "*", "audit"}, admin_audit_list},
    {"GET", {"audit", "key"}, admin_audit_key},
    {"GET", {"tenants", "*", "sessions"}, admin_session_list},
    {"POST", {"sessions", "*", "terminate"}, admin_session_terminate},
    {"GET", {"decisions", "*"}, admin_explain},
    {"GET", {"runtime"}, admin_runtime},
    {"GET", {"runtime", "trace"}, admin_runtime_trace},
    {"GET", {"runtime", "why"}, admin_runtime_why},
};

/* Splits the path. False when a segment is too long or there are too many. */
static bool
split_path(struct admin_call *call)
{
    const char *at = call->request->path + strlen("/api");
    while (*at == '/') {
        at++;
        size_t size = strcspn(at, "/");
        if (size == 0 && *at == '\0')
            return true; /* a slash at the end */
        if (size >= ADMIN_SEGMENT_BYTES || call->segment_count == ADMIN_SEGMENTS_MAX)
            return false;
        memcpy(call->segments[call->segment_count], at, size);
        call->segments[call->segment_count++][size] = '\0';
        at += size;
    }
    return true;
}

static bool
path_matches(const struct route *route, const struct admin_call *call)
{
    unsigned i = 0;
    for (; i < ADMIN_SEGMENTS_MAX && route->segments[i] != NULL; i++)
        if (i >= call->segment_count || (strcmp(route->segments[i], "*") != 0 &&
                                         strcmp(route->segments[i], call->segments[i]) != 0))
            return false;
    return i == call->segment_count;
}

static void
on_request(struct rt_actor *self, struct admin *admin, struct rt_message *message)
{
    struct admin_call call = {.message = message, .request = rt_message_payload(message)};
    bool known_path = false;
    if (split_path(&call)) {
        for (size_t i = 0; i < RT_COUNT_OF(routes); i++) {
            if (!path_matches(&routes[i], &call))
                continue;
            known_path = true;
            if (strcmp(routes[i].method, call.request->method) != 0)
                continue;
            if (strcmp(call.segments[0], "tenants") == 0 && call.segment_count > 1 &&
                strlen(call.segments[1]) >= VITO_TENANT_ID_BYTES)
                break;
            routes[i].handle(self, admin, &call);
            return;
        }
    }
    admin_refuse(self, &call,
                 problem_make(known_path ? PROBLEM_METHOD_NOT_ALLOWED : PROBLEM_NOT_FOUND, NULL));
}

static void
on_answer(struct rt_actor *self, struct admin *admin, struct rt_message *message)
{
    struct rt_table_link *link = NULL;
    uint64_t id = message->request_id;
    while ((link = rt_table_find(&admin->operations, rt_hash_u64(id), link)) != NULL) {
        struct admin_operation *operation = RT_CONTAINER_OF(link, struct admin_operation, link);
        if (operation->id != id)
            continue;
        if (message->kind == RT_KIND_FAILED)
            admin_finish_refused(self, admin, operation, problem_make(PROBLEM_OVERLOAD, NULL));
        else
            operation->next(self, admin, operation, message);
        return;
    }
}

static void
admin_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    if (message->kind == ADMIN_REQUEST)
        on_request(self, state, message);
    else if (message->flags & RT_MESSAGE_ANSWER || message->kind == VITO_STORED)
        on_answer(self, state, message);
}

static enum rt_status
admin_init(struct rt_actor *self, void *state, const void *args)
{
    struct admin *admin = state;
    admin->world = args;
    admin->operation_id = rt_numbers_from(self);
    return RT_OK;
}

static void
admin_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)reason;
    struct admin *admin = state;
    while (admin->operations.count > 0)
        admin_finish(
            self, admin,
            RT_CONTAINER_OF(rt_table_first(&admin->operations), struct admin_operation, link),
            NULL);
    rt_table_deinit(&admin->operations);
}

const struct rt_behaviour admin_behaviour = {
    .name = "admin",
    .state_bytes = sizeof(struct admin),
    .limits = {.messages_max = 10000, .bytes_max = 64 << 20},
    .init = admin_init,
    .handle = admin_handle,
    .stop = admin_stop,
};
