/*
 * The operators' API: what goes on, what was decided, what was spent; and the kill switch.
 */
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/text.h"

static void
resolved_for_view(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                  struct rt_message *answer)
{
    const struct registry_resolved *resolved = rt_message_payload(answer);
    enum problem_reason refused = resolved->refused;
    if (refused == PROBLEM_NONE && resolved->tenant_id[0] != '\0' &&
        !access_may_see(&operation->caller, resolved->tenant_id))
        refused = PROBLEM_NOT_FOUND; /* as one that is not there */
    if (refused != PROBLEM_NONE) {
        admin_finish_refused(self, admin, operation, problem_make(refused, NULL));
        return;
    }
    struct rt_message *message = rt_message_create(TENANT_VIEW, sizeof(struct tenant_view));
    if (message == NULL) {
        admin_finish(self, admin, operation, NULL);
        return;
    }
    *(struct tenant_view *)rt_message_payload(message) = operation->view;
    operation->next = admin_pass_on;
    rt_request(self, resolved->address, message, operation->id);
}

static void
view_tenant(struct rt_actor *self, struct admin *admin, const struct admin_call *call,
            enum tenant_view_what what)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    operation->view.what = what;
    operation->next = resolved_for_view;
    admin_resolve_tenant(self, admin, operation);
}

void
admin_balance(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    view_tenant(self, admin, call, TENANT_VIEW_BALANCE);
}

void
admin_session_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    view_tenant(self, admin, call, TENANT_VIEW_SESSIONS);
}

void
admin_explain(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct rt_message *message =
        rt_message_create(REGISTRY_FIND_DECISION, sizeof(struct decision_query));
    operation->view.what = TENANT_VIEW_DECISION;
    admin_copy_id(operation->view.id, call->segments[1]);
    if (message != NULL)
        RT_TEXT_SET(((struct decision_query *)rt_message_payload(message))->decision_id,
                    operation->view.id);
    operation->next = resolved_for_view;
    admin_ask_registry(self, admin, operation, message);
}

void
admin_query_text(const char *query, const char *name, char *out, size_t out_bytes)
{
    size_t size = strlen(name);
    out[0] = '\0';
    for (const char *at = query; *at != '\0'; at += strcspn(at, "&"), at += strspn(at, "&")) {
        size_t length = strcspn(at, "&");
        if (length <= size || strncmp(at, name, size) != 0 || at[size] != '=')
            continue;
        length -= size + 1;
        if (length >= out_bytes)
            length = out_bytes - 1;
        memcpy(out, at + size + 1, length);
        out[length] = '\0';
        return;
    }
}

static void
recorded_termination(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
                     struct rt_message *answer)
{
    const struct vito_stored *stored = vito_stored_of(answer);
    if (stored->status != RT_OK)
        admin_finish_refused(self, admin, operation,
                             admin_problem_of_store(stored->status, operation->tenant_id));
    else
        admin_finish(self, admin, operation,
                     admin_done_message(202, NULL, rt_buffer_copy("{\"terminating\":true}", 20)));
}

static void
record_termination(struct rt_actor *self, struct admin *admin, struct admin_operation *operation)
{
    struct vito_request request = {.op = VITO_AUDIT_APPEND};
    uint8_t random[10];
    rt_random(self, random, sizeof(random));
    request.audit.at_ms = rt_wall_ms(self);
    vito_id_make(request.audit.id, "aud", request.audit.at_ms, random);
    RT_TEXT_SET(request.audit.event, "SESSION_TERMINATED");
    RT_TEXT_SET(request.audit.session_id, operation->name);
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "caller", admin_caller_name(&operation->caller));
    wire_close(writer);
    request.document = admin_written(writer);
    operation->next = recorded_termination;
    admin_ask_store(self, admin, operation, &request);
}

static void
found_session(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
              struct rt_message *answer)
{
    const struct registry_resolved *resolved = rt_message_payload(answer);
    struct rt_message *message =
        rt_message_create(SESSION_TERMINATE, sizeof(struct session_terminate));
    if (resolved->refused != PROBLEM_NONE || message == NULL ||
        !access_may_see(&operation->caller, resolved->tenant_id)) {
        rt_message_destroy(message);
        admin_finish_refused(
            self, admin, operation,
            problem_make(PROBLEM_NOT_FOUND, "no session \"%s\" is open", operation->name));
        return;
    }
    *(struct session_terminate *)rt_message_payload(message) =
        (struct session_terminate){.reason = SESSION_OPERATOR, .close_code = 1000};
    rt_send_control(self, resolved->address, message); /* whatever becomes of the record */
    RT_TEXT_SET(operation->tenant_id, resolved->tenant_id);
    record_termination(self, admin, operation);
}

void
admin_session_terminate(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    admin_copy_id(operation->name, call->segments[1]);
    struct rt_message *message =
        rt_message_create(REGISTRY_FIND_SESSION, sizeof(struct session_note));
    if (message != NULL)
        RT_TEXT_SET(((struct session_note *)rt_message_payload(message))->session_id,
                    operation->name);
    operation->next = found_session;
    admin_ask_registry(self, admin, operation, message);
}
