/*
 * The operators' API: the audit trail, and the key it is signed with.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/text.h"
#include "vito/audit_sign.h"

enum { AUDIT_LIMIT_DEFAULT = 100, AUDIT_LIMIT_MAX = 1000 };

/* A whole number from the query, or `otherwise`; -1 when it is there and is none. */
static int64_t
query_number(const char *query, const char *name, int64_t otherwise)
{
    size_t size = strlen(name);
    for (const char *at = query; *at != '\0'; at += strcspn(at, "&"), at += strspn(at, "&")) {
        if (strncmp(at, name, size) != 0 || at[size] != '=')
            continue;
        const char *digits = at + size + 1;
        size_t count = strspn(digits, "0123456789");
        bool whole = count > 0 && count < 19 && (digits[count] == '\0' || digits[count] == '&');
        return whole ? strtoll(digits, NULL, 10) : -1;
    }
    return otherwise;
}

/* The page's lines are the whole answer. */
static void
exported(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
         struct rt_message *answer)
{
    const struct vito_stored *stored = vito_stored_of(answer);
    if (stored->status != RT_OK) {
        admin_finish_refused(self, admin, operation,
                             admin_problem_of_store(stored->status, operation->tenant_id));
        return;
    }
    struct rt_message *done = admin_done_message(200, NULL, rt_buffer_acquire(answer->buffer));
    if (done != NULL)
        ((struct admin_done *)rt_message_payload(done))->content_type = "application/x-ndjson";
    admin_finish(self, admin, operation, done);
}

/* What ?format asks for. False when it is none. */
static bool
read_format(const char *query, bool *is_events_out)
{
    char format[16];
    admin_query_text(query, "format", format, sizeof(format));
    *is_events_out = strcmp(format, "cloudevents") == 0;
    return *is_events_out || format[0] == '\0' || strcmp(format, "json") == 0;
}

void
admin_audit_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    const char *query = call->request->query;
    struct vito_request request = {.op = VITO_AUDIT_LIST};
    bool is_events = false;
    int64_t after = query_number(query, "after", 0);
    int64_t limit = query_number(query, "limit", AUDIT_LIMIT_DEFAULT);
    admin_query_text(query, "session_id", request.query.session_id,
                     sizeof(request.query.session_id));
    if (after < 0 || limit < 1 || limit > AUDIT_LIMIT_MAX) {
        admin_refuse(self, call,
                     problem_make(PROBLEM_INVALID_FIELD, "?after is a cursor, ?limit is 1 to %d",
                                  AUDIT_LIMIT_MAX));
        return;
    }
    if (!read_format(query, &is_events) || (is_events && *request.query.session_id != '\0')) {
        admin_refuse(self, call,
                     problem_make(PROBLEM_INVALID_FIELD,
                                  "?format is json or cloudevents, the latter of whole trails: "
                                  "without ?session_id"));
        return;
    }
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    request.query.after = after;
    request.query.limit = (uint32_t)limit;
    request.op = is_events ? VITO_AUDIT_EXPORT : VITO_AUDIT_LIST;
    operation->next = is_events ? exported : admin_pass_document;
    admin_ask_store(self, admin, operation, &request);
}

void
admin_audit_key(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    uint8_t key[VITO_PUBLIC_KEY_BYTES];
    char text[2 * VITO_PUBLIC_KEY_BYTES + 1];
    vito_audit_public_key(admin->world->keyring, key);
    for (size_t i = 0; i < sizeof(key); i++)
        snprintf(text + 2 * i, 3, "%02x", key[i]);
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "algorithm", "ed25519");
    wire_text(writer, "public_key", text);
    wire_close(writer);
    admin_finish(self, admin, operation, admin_done_message(200, NULL, admin_written(writer)));
}
