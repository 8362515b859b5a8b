/*
 * Tickets: credentials for one use within half a minute, for browsers. They are the store's, so one
 * is good at every gateway of it, and used up at all of them at once. Without the store none is
 * given, and none lets anybody in.
 */
#include <string.h>

#include "actors/connection_state.h"
#include "runtime/text.h"

enum {
    TICKET_TTL_MS = 30000,
    TICKETS_KEPT_MAX = 10000, /* of one credential, not used yet */
};

_Static_assert((int)ACCESS_NAME_BYTES == (int)VITO_HOLDER_BYTES, "a caller's name fits");

static void
submit(struct rt_actor *self, struct connection *connection, struct vito_request *request)
{
    const struct vito_store *store = &connection->world->store;
    RT_TEXT_SET(request->tenant_id, connection->tenant_id);
    request->at_ms = rt_wall_ms(self);
    connection->phase = CONNECTION_TICKETING;
    store->submit(store->self, self, request, ++connection->request_id);
}

/* A browser gets a client's rights, whoever asks for it, and no longer than he has his. */
void
connection_make_ticket(struct rt_actor *self, struct connection *connection)
{
    const struct access_caller *caller = &connection->caller;
    struct vito_request request = {
        .op = VITO_TICKET_ADD,
        .ticket = {.holder = {.ends_ms = caller->expires_ms},
                   .ttl_ms = TICKET_TTL_MS,
                   .kept_max = TICKETS_KEPT_MAX},
    };
    uint8_t random[VITO_TICKET_RANDOM_BYTES];
    rt_random(self, random, sizeof(random));
    vito_ticket_make(connection->world->keyring, random, connection->ticket,
                     &request.ticket.digest);
    explicit_bzero(random, sizeof(random));
    RT_TEXT_SET(request.ticket.holder.name, caller->name);
    if (caller->by_key)
        RT_TEXT_SET(request.ticket.holder.key_id, caller->name);
    submit(self, connection, &request);
}

void
connection_take_ticket(struct rt_actor *self, struct connection *connection)
{
    struct vito_request request = {.op = VITO_TICKET_TAKE,
                                   .ticket = {.digest = connection->digest}};
    submit(self, connection, &request);
}

static void
show_ticket(struct connection *connection)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "ticket", connection->ticket);
    wire_int(writer, "expires_in_s", TICKET_TTL_MS / 1000);
    wire_close(writer);
    struct wire_bytes bytes;
    if (wire_end(writer, &bytes) == RT_OK)
        connection_answer_json(connection, 201, bytes.bytes, bytes.size_bytes);
    else
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
}

static enum problem_reason
reason_of(enum rt_status status)
{
    switch (status) {
    case RT_FULL:
        return PROBLEM_OVERLOAD;
    case RT_NOT_FOUND: /* no such ticket; or what one was asked for with has just been removed */
        return PROBLEM_UNAUTHENTICATED;
    default:
        return PROBLEM_STORE_UNAVAILABLE;
    }
}

static void
on_added(struct connection *connection, enum rt_status status)
{
    if (status == RT_OK)
        show_ticket(connection);
    else
        connection_refuse_for(connection, reason_of(status));
    explicit_bzero(connection->ticket, sizeof(connection->ticket));
}

static void
on_taken(struct rt_actor *self, struct connection *connection, enum rt_status status,
         const struct rt_buffer *document)
{
    struct vito_ticket_holder holder;
    if (status != RT_OK || document == NULL || document->size_bytes != sizeof(holder)) {
        connection_refuse_login(self, connection, reason_of(status));
        return;
    }
    memcpy(&holder, document->bytes, sizeof(holder));
    connection->caller = (struct access_caller){
        .role = ACCESS_CLIENT, .by_key = holder.key_id[0] != '\0', .expires_ms = holder.ends_ms};
    RT_TEXT_SET(connection->caller.tenant_id, holder.tenant_id);
    RT_TEXT_SET(connection->caller.name, holder.name);
    connection_ask_registry(self, connection);
}

bool
connection_on_ticket_stored(struct rt_actor *self, struct connection *connection,
                            struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    if (connection->phase != CONNECTION_TICKETING || message->request_id != connection->request_id)
        return false;
    if (stored->op == VITO_TICKET_ADD)
        on_added(connection, stored->status);
    else
        on_taken(self, connection, stored->status, message->buffer);
    return true;
}
