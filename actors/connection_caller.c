/*
 * Who calls: the credential that was shown, whose it is, and whether he may.
 */
#include <string.h>

#include "actors/connection_state.h"
#include "runtime/text.h"
#include "vito/login_limit.h"

/* Failed logins are counted by where they come from and by what is shown. */
static void
read_login(const struct connection *connection, uint64_t who_out[2])
{
    who_out[0] = vito_login_place(connection->world->keyring,
                                  connection_text(connection, connection->request.peer));
    memcpy(&who_out[1], connection->digest.bytes, sizeof(who_out[1]));
}

static void
count_failed_login(const struct rt_actor *self, const struct connection *connection)
{
    uint64_t who[2];
    if (connection->world->logins == NULL)
        return;
    read_login(connection, who);
    for (int i = 0; i < 2; i++)
        vito_login_limit_failed(connection->world->logins, who[i],
                                (int64_t)(rt_now_ns(self) / RT_NS_PER_MS));
}

/* Whether a credential is looked at at all; if not, that was the answer. */
static bool
may_try(const struct rt_actor *self, struct connection *connection)
{
    uint64_t who[2];
    uint32_t wait_s = 0;
    if (connection->world->logins == NULL)
        return true;
    read_login(connection, who);
    for (int i = 0; i < 2; i++) {
        uint32_t its_s = vito_login_limit_wait_s(connection->world->logins, who[i],
                                                 (int64_t)(rt_now_ns(self) / RT_NS_PER_MS));
        wait_s = its_s > wait_s ? its_s : wait_s;
    }
    if (wait_s == 0)
        return true;
    struct problem problem = problem_make(
        PROBLEM_LOGIN_RATE, "too many credentials from here were not valid: wait, and mend it");
    problem.retry_after_s = wait_s;
    connection_refuse(connection, &problem);
    return false;
}

void
connection_ask_registry(struct rt_actor *self, struct connection *connection)
{
    struct rt_message *message =
        rt_message_create(REGISTRY_RESOLVE, sizeof(struct registry_resolve));
    if (message == NULL) {
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    struct registry_resolve *resolve = rt_message_payload(message);
    resolve->wakes = connection->route != ROUTE_ADMIN;
    resolve->is_known = connection->caller.role != ACCESS_NOBODY;
    resolve->digest = connection->digest;
    resolve->caller = connection->caller;
    RT_TEXT_SET(resolve->tenant_id, connection->tenant_id);
    connection->phase = CONNECTION_RESOLVING;
    rt_request(self, connection->world->registry, message, ++connection->request_id);
}

static enum problem_reason
judge(const struct connection *connection)
{
    return access_judge(&connection->caller,
                        connection_text(connection, connection->request.method),
                        connection_text(connection, connection->request.path));
}

void
connection_refuse_login(const struct rt_actor *self, struct connection *connection,
                        enum problem_reason reason)
{
    if (reason == PROBLEM_UNAUTHENTICATED)
        count_failed_login(self, connection);
    connection_refuse_for(connection, reason);
}

/* The caller is known without the registry. */
static void
go_on(struct rt_actor *self, struct connection *connection)
{
    enum problem_reason refused =
        connection->route == ROUTE_ADMIN ? judge(connection) : PROBLEM_FORBIDDEN_TENANT;
    if (refused == PROBLEM_NONE)
        connection_forward_admin(self, connection);
    else if (refused == PROBLEM_FORBIDDEN_TENANT)
        connection_ask_registry(self, connection); /* which has it recorded, if it is so */
    else
        connection_refuse_for(connection, refused);
}

bool
connection_take_caller(struct rt_actor *self, struct connection *connection,
                       const struct registry_resolved *resolved)
{
    enum problem_reason refused = resolved->refused;
    if (refused == PROBLEM_NONE) {
        connection->caller = resolved->caller;
        refused = judge(connection);
    }
    if (refused != PROBLEM_NONE)
        connection_refuse_login(self, connection, refused);
    return refused == PROBLEM_NONE;
}

static void
ask_verifier(struct rt_actor *self, struct connection *connection, const char *token)
{
    if (!world_has_issuer(connection->world)) {
        struct problem problem = problem_make(PROBLEM_UNAUTHENTICATED,
                                              "tokens are not accepted here: TWIN_JWKS is not set");
        count_failed_login(self, connection);
        connection_refuse(connection, &problem);
        return;
    }
    struct rt_message *message = rt_message_create(VERIFIER_CHECK, 0);
    if (message != NULL)
        message->buffer = rt_buffer_copy(token, strlen(token));
    if (message == NULL || message->buffer == NULL) {
        rt_message_destroy(message);
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    connection->phase = CONNECTION_VERIFYING;
    rt_request(self, connection->world->verifiers[rt_worker_index(self)], message,
               ++connection->request_id);
}

static void
refuse_token(struct rt_actor *self, struct connection *connection,
             const struct verifier_checked *checked)
{
    bool is_bad = checked->refused == PROBLEM_UNAUTHENTICATED;
    struct problem problem =
        problem_make(checked->refused, "%s", is_bad ? vito_jwt_refusal_text(checked->reason) : "");
    problem.retry_after_s = problem_is_retryable(&problem) ? 1 : 0;
    if (is_bad)
        count_failed_login(self, connection);
    connection_refuse(connection, &problem);
}

void
connection_on_checked(struct rt_actor *self, struct connection *connection,
                      struct rt_message *message)
{
    const struct verifier_checked *checked = rt_message_payload(message);
    if (connection->phase != CONNECTION_VERIFYING || message->request_id != connection->request_id)
        return;
    if (checked->refused != PROBLEM_NONE) {
        refuse_token(self, connection, checked);
        return;
    }
    connection->caller = (struct access_caller){
        .role = checked->claims.is_tenant_admin ? ACCESS_TENANT_ADMIN : ACCESS_CLIENT,
        .expires_ms = checked->claims.expires_ms,
    };
    RT_TEXT_SET(connection->caller.tenant_id, checked->claims.tenant_id);
    RT_TEXT_SET(connection->caller.name, checked->claims.subject);
    go_on(self, connection);
}

/* The ticket in a session's query, in its own characters; NULL when there is none. */
static const char *
find_ticket(const struct connection *connection, size_t *size_out)
{
    static const char name[] = "ticket=";
    if (connection->route != ROUTE_SESSION)
        return NULL;
    const char *at = connection_text(connection, connection->request.query);
    for (; *at != '\0'; at += *size_out, at += strspn(at, "&")) {
        *size_out = strcspn(at, "&");
        if (strncmp(at, name, sizeof(name) - 1) != 0)
            continue;
        *size_out -= sizeof(name) - 1;
        return at + sizeof(name) - 1;
    }
    return NULL;
}

void
connection_resolve(struct rt_actor *self, struct connection *connection)
{
    const struct world *world = connection->world;
    const char *authorization = connection_text(connection, connection->request.authorization);
    const char *credential = vito_bearer_of(authorization);
    size_t size = credential == NULL ? 0 : strlen(credential);
    const char *ticket = find_ticket(connection, &size);
    connection->has_ticket = ticket != NULL;
    connection->caller = (struct access_caller){.role = ACCESS_NOBODY};
    if ((ticket != NULL) == (credential != NULL) || (ticket != NULL && *authorization != '\0')) {
        struct problem problem =
            problem_make(PROBLEM_UNAUTHENTICATED, "%s",
                         ticket == NULL ? "" : "show a ticket or a credential, not both");
        connection_refuse(connection, &problem);
        return;
    }
    if (ticket == NULL)
        size = strlen(credential);
    connection->digest =
        vito_key_digest(world->keyring, ticket == NULL ? credential : ticket, size);
    if (!may_try(self, connection))
        return;
    if (ticket != NULL && vito_ticket_is_ours(world->keyring, ticket, size)) {
        connection_take_ticket(self, connection);
    } else if (ticket != NULL) {
        connection_refuse_login(self, connection, PROBLEM_UNAUTHENTICATED);
    } else if (vito_digest_is(&connection->digest, &world->admin_token)) {
        connection->caller.role = ACCESS_OPERATOR;
        RT_TEXT_SET(connection->caller.name, "operator");
        go_on(self, connection);
    } else if (vito_jwt_looks_like_one(credential)) {
        ask_verifier(self, connection, credential);
    } else {
        connection_ask_registry(self, connection);
    }
}
