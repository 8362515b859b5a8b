/*
 * A turn over HTTP with an Idempotency-Key: what is kept under it is asked first.
 *
 *   FIND ──► kept: that is the answer
 *        └── not ──► the tenant: a session ──► BEGIN ──► ours: it is carried out
 *                                                   └──► another one's by now: its answer
 *
 * From BEGIN on the session sees to it that the key gets its end, also without this connection.
 */
#include <ctype.h>
#include <string.h>

#include "actors/connection_state.h"
#include "runtime/pool.h"
#include "runtime/text.h"
#include "vito/money.h"

enum { KEY_BYTES_MAX = 255, KEPT_MAX = 1000000, TOO_MANY_RETRY_S = 60 };

#define KEPT_MS (INT64_C(24) * 3600 * 1000)

struct connection_keyed {
    struct vito_turn_key turn;
    struct rt_address tenant;
    bool beginning; /* TURN_BEGIN was submitted, and the session does not have the key yet */
};

bool
connection_is_keyed(const struct connection *connection)
{
    return connection_text(connection, connection->request.idempotency_key)[0] != '\0';
}

static bool
is_key(const char *key)
{
    size_t size = strlen(key);
    for (size_t i = 0; i < size; i++)
        if (!isprint((unsigned char)key[i]))
            return false;
    return size <= KEY_BYTES_MAX;
}

/* A key is its caller's own: one cannot ask for what another was answered. */
static struct vito_digest
digest_of_key(const struct connection *connection, const char *key)
{
    char text[ACCESS_NAME_BYTES + KEY_BYTES_MAX + 2];
    size_t name_bytes = strlen(connection->caller.name), key_bytes = strlen(key);
    text[0] = (char)('0' + (int)connection->caller.role);
    memcpy(text + 1, connection->caller.name, name_bytes);
    text[1 + name_bytes] = '\0';
    memcpy(text + 2 + name_bytes, key, key_bytes);
    return vito_key_digest(connection->world->keyring, text, 2 + name_bytes + key_bytes);
}

static void
submit(struct rt_actor *self, struct connection *connection, enum vito_op op,
       struct rt_buffer *document)
{
    const struct vito_store *store = &connection->world->store;
    struct vito_request request = {.op = op, .document = document};
    if (op != VITO_TURN_END)
        request.turn = connection->keyed->turn;
    RT_TEXT_SET(request.tenant_id, connection->tenant_id);
    connection->phase = CONNECTION_KEYED;
    store->submit(store->self, self, &request, ++connection->request_id);
}

void
connection_find_turn(struct rt_actor *self, struct connection *connection, struct rt_address tenant)
{
    const char *key = connection_text(connection, connection->request.idempotency_key);
    if (!is_key(key)) {
        struct problem problem =
            problem_make(PROBLEM_INVALID_FIELD,
                         "Idempotency-Key must be at most %d printable characters", KEY_BYTES_MAX);
        connection_refuse(connection, &problem);
        return;
    }
    if (connection->keyed == NULL)
        connection->keyed = rt_pool_take(sizeof(*connection->keyed));
    if (connection->keyed == NULL) {
        connection_refuse_for(connection, PROBLEM_OVERLOAD);
        return;
    }
    const struct conn_request *request = &connection->request;
    *connection->keyed = (struct connection_keyed){
        .turn = {.key = digest_of_key(connection, key),
                 .body =
                     vito_key_digest(connection->world->keyring,
                                     (const char *)connection->request_bytes->bytes + request->body,
                                     request->body_bytes),
                 .at_ms = rt_wall_ms(self),
                 .expires_ms = rt_wall_ms(self) + KEPT_MS,
                 .kept_max = KEPT_MAX},
        .tenant = tenant,
    };
    submit(self, connection, VITO_TURN_FIND, NULL);
}

void
connection_begin_keyed(struct rt_actor *self, struct connection *connection,
                       const struct tenant_opened *opened)
{
    RT_TEXT_SET(connection->keyed->turn.session_id, opened->session_id);
    connection->keyed->turn.at_ms = rt_wall_ms(self);
    connection->keyed->beginning = true;
    submit(self, connection, VITO_TURN_BEGIN, NULL);
}

void
connection_hand_over_key(struct connection *connection, struct session_ready *ready)
{
    if (connection->keyed == NULL)
        return;
    ready->is_keyed = true;
    ready->key = connection->keyed->turn.key;
    connection->keyed->beginning = false;
}

/* The session will not end it: it did not get the turn, or failed. What is in the ledger tells what
 * came of it. */
void
connection_give_up_key(struct rt_actor *self, struct connection *connection)
{
    struct vito_turn_answer head = {.status = VITO_TURN_GIVE_UP};
    if (connection->keyed == NULL)
        return;
    head.key = connection->keyed->turn.key;
    RT_TEXT_SET(head.session_id, connection->keyed->turn.session_id);
    struct rt_buffer *document = vito_turn_answer_make(&head, NULL, 0);
    if (document != NULL) /* else it counts as running until it is too old */
        submit(self, connection, VITO_TURN_END, document);
}

void
connection_free_keyed(struct rt_actor *self, struct connection *connection, bool has_store)
{
    if (connection->keyed == NULL)
        return;
    if (connection->keyed->beginning && has_store)
        connection_give_up_key(self, connection);
    rt_pool_give(connection->keyed, sizeof(*connection->keyed));
    connection->keyed = NULL;
}

static void
answer_lost(struct connection *connection, int64_t cost_nusd)
{
    char cost[VITO_USD_TEXT_BYTES];
    struct problem problem =
        problem_make(PROBLEM_KEY_LOST,
                     "the gateway stopped while the turn was at work; it was billed %s USD and is"
                     " not carried out again: ask with a new key",
                     vito_money_format(cost_nusd, cost));
    connection_refuse(connection, &problem);
}

static void
answer_found(struct connection *connection, const struct rt_buffer *document)
{
    struct vito_turn_found found;
    const uint8_t *bytes;
    size_t size_bytes;
    struct problem problem;
    if (!vito_turn_found_read(document, &found, &bytes, &size_bytes)) {
        connection_refuse_for(connection, PROBLEM_INTERNAL);
        return;
    }
    switch (found.state) {
    case VITO_TURN_DONE:
        connection_answer_again(connection, found.status, bytes, size_bytes);
        break;
    case VITO_TURN_LOST:
        answer_lost(connection, found.cost_nusd);
        break;
    case VITO_TURN_RUNNING:
        problem = problem_make(PROBLEM_KEY_IN_USE, NULL);
        problem.retry_after_s = 1;
        connection_refuse(connection, &problem);
        break;
    case VITO_TURN_ANOTHER:
        problem = problem_make(PROBLEM_KEY_REUSED,
                               "with this key another body was sent: use a new key for a new turn");
        connection_refuse(connection, &problem);
        break;
    }
}

static void
refuse_stored(struct connection *connection, enum rt_status status)
{
    struct problem problem =
        problem_make(status == RT_FULL ? PROBLEM_TOO_MANY_KEYS : PROBLEM_STORE_UNAVAILABLE, NULL);
    problem.retry_after_s = status == RT_FULL ? TOO_MANY_RETRY_S : 1;
    connection_refuse(connection, &problem);
}

static void
on_begun(struct rt_actor *self, struct connection *connection, struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    bool is_ours = stored->status == RT_OK && !stored->repeated;
    if (is_ours && !rt_address_is(connection->session, RT_NOBODY)) {
        connection_begin_turn(self, connection);
        return;
    }
    /* It may have been begun all the same; of another session's turn nothing changes. */
    if (is_ours || stored->status == RT_UNAVAILABLE)
        connection_give_up_key(self, connection);
    connection->keyed->beginning = false;
    if (!rt_address_is(connection->session, RT_NOBODY))
        rt_exit(rt_system_of(self), connection->session, RT_EXIT_KILLED);
    if (is_ours)
        connection_refuse_for(connection, PROBLEM_INTERNAL); /* the session has failed */
    else if (stored->status == RT_OK)
        answer_found(connection, message->buffer);
    else
        refuse_stored(connection, stored->status);
}

void
connection_on_stored(struct rt_actor *self, struct connection *connection,
                     struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    if (connection->phase != CONNECTION_KEYED || message->request_id != connection->request_id)
        return;
    if (stored->op == VITO_TURN_BEGIN)
        on_begun(self, connection, message);
    else if (stored->status == RT_NOT_FOUND)
        connection_ask_tenant(self, connection, connection->keyed->tenant);
    else if (stored->status == RT_OK)
        answer_found(connection, message->buffer);
    else
        refuse_stored(connection, stored->status);
}
