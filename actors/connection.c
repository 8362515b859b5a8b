#include "actors/connection.h"

#include <string.h>
#include <strings.h>

#include "actors/connection_state.h"
#include "runtime/table.h"
#include "runtime/text.h"

const char *
connection_text(const struct connection *connection, uint32_t at)
{
    return at == 0 ? "" : (const char *)connection->request_bytes->bytes + at;
}

/* The request showed a credential: it is wiped when it is let go. */
void
connection_forget_request(struct connection *connection)
{
    if (connection->request_bytes == NULL)
        return;
    explicit_bzero(connection->request_bytes->bytes, connection->request_bytes->size_bytes);
    rt_buffer_release(connection->request_bytes);
    connection->request_bytes = NULL;
}

/* Splits "/v1/twins/{avatar}/{what}". */
static bool
read_twin_path(const char *path, char avatar_out[VITO_TENANT_ID_BYTES], const char **what_out)
{
    static const char prefix[] = "/v1/twins/";
    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return false;
    const char *avatar = path + sizeof(prefix) - 1;
    const char *slash = strchr(avatar, '/');
    if (slash == NULL || slash - avatar >= VITO_TENANT_ID_BYTES)
        return false;
    memcpy(avatar_out, avatar, (size_t)(slash - avatar));
    avatar_out[slash - avatar] = '\0';
    *what_out = slash + 1;
    return vito_tenant_id_is_valid(avatar_out);
}

static void
route_twin(struct rt_actor *self, struct connection *connection, const char *what)
{
    const char *method = connection_text(connection, connection->request.method);
    if (strcmp(what, "turns") == 0) {
        connection->route = ROUTE_TURN;
        if (strcmp(method, "POST") == 0)
            connection_resolve(self, connection);
        else
            connection_refuse_for(connection, PROBLEM_METHOD_NOT_ALLOWED);
    } else if (strcmp(what, "tickets") == 0) {
        connection->route = ROUTE_TICKET;
        if (strcmp(method, "POST") == 0)
            connection_resolve(self, connection);
        else
            connection_refuse_for(connection, PROBLEM_METHOD_NOT_ALLOWED);
    } else if (strcmp(what, "session") == 0) {
        connection->route = ROUTE_SESSION;
        if (connection->request.wants_websocket)
            connection_resolve(self, connection);
        else
            connection_refuse_for(connection, PROBLEM_UPGRADE_REQUIRED);
    } else {
        connection_refuse_for(connection, PROBLEM_NOT_FOUND);
    }
}

/* The tenant an admin request is about, "" when it is about none. */
static void
read_admin_tenant(const char *path, char tenant_out[VITO_TENANT_ID_BYTES])
{
    static const char prefix[] = "/api/tenants/";
    tenant_out[0] = '\0';
    if (strncmp(path, prefix, sizeof(prefix) - 1) != 0)
        return;
    const char *id = path + sizeof(prefix) - 1;
    size_t size = strcspn(id, "/");
    if (size >= VITO_TENANT_ID_BYTES)
        return;
    memcpy(tenant_out, id, size);
    tenant_out[size] = '\0';
    if (!vito_tenant_id_is_valid(tenant_out))
        tenant_out[0] = '\0';
}

static void
route(struct rt_actor *self, struct connection *connection)
{
    const char *path = connection_text(connection, connection->request.path);
    const char *what;
    if (read_twin_path(path, connection->tenant_id, &what)) {
        route_twin(self, connection, what);
    } else if (strncmp(path, "/api/", 5) == 0) {
        connection->route = ROUTE_ADMIN;
        read_admin_tenant(path, connection->tenant_id);
        connection_resolve(self, connection);
    } else {
        connection_answer_page(self, connection, path);
    }
}

static void
on_request(struct rt_actor *self, struct connection *connection, struct rt_message *message)
{
    connection_forget_request(connection);
    connection_free_keyed(self, connection, true);
    connection->request = *(const struct conn_request *)rt_message_payload(message);
    connection->request_bytes = rt_buffer_acquire(message->buffer);
    connection->answered = false;
    connection->tried_again = false;
    connection->has_mode = false;
    connection->has_ticket = false;
    connection->session = RT_NOBODY;
    connection->phase = CONNECTION_IDLE;
    route(self, connection);
}

/* An end user is a connection here, as far as we can tell. A refused turn over HTTP may come back
 * over another one, so its slot is its key's. */
static struct vito_bucket_caller
caller_of(const struct rt_actor *self, const struct connection *connection)
{
    struct vito_bucket_caller caller = {.user = rt_hash_u64(rt_self(self).id)};
    caller.holder = caller.user;
    if (connection->route == ROUTE_TURN)
        memcpy(&caller.holder, connection->digest.bytes, sizeof(caller.holder));
    return caller;
}

void
connection_ask_tenant(struct rt_actor *self, struct connection *connection,
                      struct rt_address tenant)
{
    struct rt_message *message = rt_message_create(TENANT_OPEN, sizeof(struct tenant_open));
    if (message == NULL) {
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    *(struct tenant_open *)rt_message_payload(message) = (struct tenant_open){
        .transport = connection->route == ROUTE_TURN ? TENANT_ONE_TURN : TENANT_WEBSOCKET,
        .has_mode = connection->has_mode,
        .mode = connection->mode,
        .connection = rt_self(self),
        .caller = caller_of(self, connection),
        .credential = rt_hash_text(connection->caller.name),
    };
    RT_TEXT_SET(((struct tenant_open *)rt_message_payload(message))->opened_by,
                connection->caller.name);
    connection->phase = CONNECTION_OPENING;
    rt_request(self, tenant, message, ++connection->request_id);
}

static void
on_resolved(struct rt_actor *self, struct connection *connection, struct rt_message *message)
{
    const struct registry_resolved *resolved = rt_message_payload(message);
    if (connection->phase == CONNECTION_WEBSOCKET && connection->resume != NULL)
        connection_resume_on_found(self, connection, message);
    if (connection->phase != CONNECTION_RESOLVING || message->request_id != connection->request_id)
        return;
    if (!connection_take_caller(self, connection, resolved))
        return;
    if (connection->route == ROUTE_ADMIN)
        connection_forward_admin(self, connection);
    else if (connection->route == ROUTE_TICKET)
        connection_make_ticket(self, connection);
    else if (!(connection->route == ROUTE_TURN ? connection_read_turn(connection)
                                               : connection_read_session(connection)))
        return; /* it was told so */
    else if (connection->route == ROUTE_SESSION && connection_is_for_resume(connection))
        connection_await_resume(self, connection);
    else if (connection->route == ROUTE_TURN && connection_is_keyed(connection))
        connection_find_turn(self, connection, resolved->address);
    else
        connection_ask_tenant(self, connection, resolved->address);
}

static void
on_opened(struct rt_actor *self, struct connection *connection, struct rt_message *message)
{
    const struct tenant_opened *opened = rt_message_payload(message);
    if (connection->phase != CONNECTION_OPENING || message->request_id != connection->request_id)
        return;
    if (opened->problem.reason != PROBLEM_NONE) {
        connection_refuse(connection, &opened->problem);
        return;
    }
    connection->session = opened->session;
    rt_monitor(self, connection->session);
    if (connection->route == ROUTE_TURN && connection->keyed != NULL)
        connection_begin_keyed(self, connection, opened);
    else if (connection->route == ROUTE_TURN)
        connection_begin_turn(self, connection);
    else
        connection_upgrade(self, connection);
}

static void
on_failed(struct rt_actor *self, struct connection *connection, struct rt_message *message)
{
    if (connection_resume_on_failed(self, connection, message) ||
        message->request_id != connection->request_id || connection->answered)
        return;
    /* The tenant went to sleep between two messages: the registry wakes it again. */
    if (connection->phase == CONNECTION_OPENING && !connection->tried_again) {
        connection->tried_again = true;
        connection_ask_registry(self, connection); /* it is known who asks */
        return;
    }
    if (connection->phase != CONNECTION_WEBSOCKET && connection->phase != CONNECTION_IDLE)
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
}

/* DOWN has overtaken the session's last frames, which are in our mailbox already. */
static void
on_session_down(struct rt_actor *self, struct connection *connection, const struct rt_down *down)
{
    if (!rt_address_is(down->who, connection->session))
        return;
    connection->session = RT_NOBODY;
    struct rt_message *message = rt_message_create(CONN_ORPHANED, 0);
    if (message == NULL || rt_send(self, rt_self(self), message) != RT_OK)
        connection_shed(self, connection);
}

static void
on_orphaned(struct rt_actor *self, struct connection *connection)
{
    if (!rt_address_is(connection->session, RT_NOBODY))
        return; /* that was the session of a request before */
    if (connection->phase == CONNECTION_TURN && !connection->answered) {
        connection_give_up_key(self, connection);
        connection_refuse_for(connection, PROBLEM_INTERNAL);
    } else if (connection->phase == CONNECTION_WEBSOCKET) {
        connection->calls->close(connection->socket, 1011, "the session has ended");
    }
}

static void
connection_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct connection *connection = state;
    switch (message->kind) {
    case CONN_REQUEST:
        on_request(self, connection, message);
        break;
    case CONN_MESSAGE:
        connection_on_message(self, connection, message);
        break;
    case CONN_DRAINED:
        connection_on_drained(self, connection);
        break;
    case CONN_CLOSED:
        rt_stop(self, RT_EXIT_NORMAL);
        break;
    case CONN_BROKEN:
        connection_on_broken(self, connection);
        break;
    case CONN_REPLACED:
        connection_on_replaced(connection, message);
        break;
    case SESSION_RESUMED:
        connection_resume_on_answer(self, connection, message);
        break;
    case CONN_ORPHANED:
        on_orphaned(self, connection);
        break;
    case CONN_FRAME:
        if (connection->phase == CONNECTION_TURN)
            connection_on_turn_frame(self, connection, message);
        else if (connection->phase == CONNECTION_WEBSOCKET)
            connection_on_frame(self, connection, message);
        break;
    case CONN_SLICE:
        connection_on_slice(self, connection, message);
        break;
    case REGISTRY_RESOLVED:
        on_resolved(self, connection, message);
        break;
    case VERIFIER_CHECKED:
        connection_on_checked(self, connection, message);
        break;
    case TENANT_OPENED:
        on_opened(self, connection, message);
        break;
    case VITO_STORED:
        if (!connection_on_ticket_stored(self, connection, message))
            connection_on_stored(self, connection, message);
        break;
    case ADMIN_DONE:
        connection_on_admin_done(connection, message);
        break;
    case RT_KIND_FAILED:
        on_failed(self, connection, message);
        break;
    case RT_KIND_DOWN:
        on_session_down(self, connection, rt_message_payload(message));
        break;
    case RT_KIND_TIMER:
        if (rt_timer_of(message) == &connection->ahead.timer)
            connection_on_look(self, connection);
        else if (!connection_resume_on_timer(connection, rt_timer_of(message)))
            connection->calls->close(connection->socket, 1013, "reads too slowly");
        break;
    default:
        break;
    }
}

static enum rt_status
connection_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    const struct connection_args *from = args;
    struct connection *connection = state;
    connection->world = from->world;
    connection->calls = from->calls;
    connection->socket = from->socket;
    return RT_OK;
}

static void
connection_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    struct connection *connection = state;
    bool has_failed = reason == RT_EXIT_FAILED || reason == RT_EXIT_KILLED;
    if (has_failed && connection->request_bytes != NULL)
        connection_refuse_for(connection, PROBLEM_INTERNAL);
    connection_resume_free(self, connection);
    connection_free_keyed(self, connection, reason != RT_EXIT_SHUTDOWN);
    connection_forget_request(connection);
    connection_turn_clear(&connection->turn);
    connection_forget_held(connection);
    connection->calls->release(connection->socket);
}

const struct rt_behaviour connection_behaviour = {
    .name = "connection",
    .state_bytes = sizeof(struct connection),
    .limits = {.messages_max = 8192, .bytes_max = 8 << 20},
    .init = connection_init,
    .handle = connection_handle,
    .stop = connection_stop,
};
