/*
 * A connection while it speaks HTTP.
 */
#include "net/conn.h"

#include <string.h>

#include "net/refusals.h"
#include "runtime/assert.h"

/* Answers by ourselves. What follows on the connection cannot be told apart any more. */
static void
answer_problem(struct net_conn *conn, int status)
{
    bool queued = net_response_write_problem(&conn->out, status, net_listener_date(conn->listener),
                                             !conn->answer.is_to_head);
    net_http1_destroy(conn->http);
    conn->http = NULL;
    net_conn_end(conn);
    net_conn_check(conn, queued);
}

static void
refuse(struct net_conn *conn, int status)
{
    net_refusals_request(status);
    answer_problem(conn, status);
}

void
net_conn_request_is_late(struct net_conn *conn)
{
    if (conn->http != NULL && net_http1_has_begun(conn->http))
        refuse(conn, 408);
    else
        net_conn_doom(conn); /* it only kept the connection open */
}

/* Hands a complete request to the owner. */
static void
hand_over(struct net_conn *conn, struct net_request *request)
{
    struct net_http1 *http = conn->http;
    conn->http = NULL;
    conn->phase = NET_CONN_WAITING;
    conn->had_request = true;
    net_conn_set_deadline(conn, 0);
    const struct net_server_events *events = net_conn_events(conn);
    events->on_request(events->context, conn, request);
    net_http1_destroy(http);
}

static void
take_request(struct net_conn *conn)
{
    struct net_request request = *net_http1_request(conn->http);
    struct net_conn_answer *answer = &conn->answer;
    *answer = (struct net_conn_answer){
        .is_to_head = strcmp(request.method, "HEAD") == 0,
        .is_to_version_1_0 = net_http1_is_version_1_0(conn->http),
        .keeps_alive = net_http1_keeps_alive(conn->http),
    };
    if (conn->is_surplus) { /* counted when it came */
        answer_problem(conn, 503);
        return;
    }
    switch (net_handshake_read(&request, answer->is_to_version_1_0, answer->accept)) {
    case NET_HANDSHAKE_BAD_VERSION:
        refuse(conn, 426);
        return;
    case NET_HANDSHAKE_BAD_KEY:
        refuse(conn, 400);
        return;
    case NET_HANDSHAKE_VALID:
        answer->may_upgrade = true;
        break;
    case NET_HANDSHAKE_NONE:
        break;
    }
    request.wants_websocket = answer->may_upgrade;
    request.peer = conn->peer;
    hand_over(conn, &request);
}

/* Which part of a request is under way. */
enum part { PART_NONE, PART_HEAD, PART_BODY };

static enum part
part_of(const struct net_http1 *http)
{
    if (!net_http1_has_begun(http))
        return PART_NONE;
    return net_http1_is_in_body(http) ? PART_BODY : PART_HEAD;
}

/* Each part has its own time. That of a connection's first head runs from accept. */
static void
update_deadline(struct net_conn *conn, enum part before)
{
    enum part now = part_of(conn->http);
    const struct net_server_options *options = conn->listener->options;
    if (now == PART_BODY && before != PART_BODY)
        net_conn_set_deadline(conn, options->body_timeout_ms);
    else if (now == PART_HEAD && before == PART_NONE && conn->had_request)
        net_conn_set_deadline(conn, options->header_timeout_ms);
}

size_t
net_conn_read_request(struct net_conn *conn, const uint8_t *bytes, size_t size_bytes)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    const struct net_server_options *options = conn->listener->options;
    if (conn->http == NULL)
        conn->http = net_http1_create(
            &(struct net_http1_limits){.header_bytes_max = options->header_bytes_max,
                                       .body_bytes_max = options->body_bytes_max});
    if (conn->http == NULL) {
        net_refusals_request(NET_HTTP1_NO_MEMORY);
        net_conn_doom(conn);
        return size_bytes;
    }
    enum part before = part_of(conn->http);
    size_t used;
    switch (net_http1_feed(conn->http, bytes, size_bytes, &used)) {
    case NET_HTTP1_CONTINUE:
        net_conn_check(conn, net_bytes_append(&conn->out, go_on, sizeof(go_on) - 1));
        net_conn_wake(conn);
        update_deadline(conn, before);
        break;
    case NET_HTTP1_MORE:
        update_deadline(conn, before);
        break;
    case NET_HTTP1_REQUEST:
        take_request(conn);
        break;
    case NET_HTTP1_REFUSED:
        refuse(conn, (int)net_http1_refusal(conn->http));
        break;
    }
    return used;
}

static bool
status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static bool
write_head(struct net_conn *conn, const struct net_response *response, enum net_framing framing)
{
    struct net_conn_answer *answer = &conn->answer;
    answer->framing = status_has_body(response->status) ? framing : NET_FRAMED_BY_STATUS;
    if (response->close || framing == NET_FRAMED_BY_CLOSE || !conn->listener->is_accepting)
        answer->keeps_alive = false;
    const struct net_head head = {.status = response->status,
                                  .headers = response->headers,
                                  .header_count = response->header_count,
                                  .framing = answer->framing,
                                  .body_bytes = response->body_bytes,
                                  .keeps_alive = answer->keeps_alive,
                                  .says_keep_alive = answer->is_to_version_1_0,
                                  .date = net_listener_date(conn->listener)};
    return net_response_write_head(&conn->out, &head);
}

/* The answer is queued whole: on to the next request. */
static void
end_answer(struct net_conn *conn)
{
    if (!conn->answer.keeps_alive) {
        net_conn_end(conn);
        return;
    }
    conn->phase = NET_CONN_READING;
    net_conn_set_deadline(conn, conn->listener->options->idle_timeout_ms);
    net_conn_wake(conn);
}

void
net_conn_respond(struct net_conn *conn, const struct net_response *response)
{
    if (conn->phase > NET_CONN_OPEN)
        return; /* it was closed in the meantime */
    RT_ASSERT(conn->phase == NET_CONN_WAITING);
    bool queued = write_head(conn, response, NET_FRAMED_BY_LENGTH);
    if (!conn->answer.is_to_head && status_has_body(response->status))
        queued = queued && net_bytes_append(&conn->out, response->body, response->body_bytes);
    end_answer(conn);
    net_conn_check(conn, queued);
}

void
net_conn_stream_begin(struct net_conn *conn, const struct net_response *response)
{
    if (conn->phase > NET_CONN_OPEN)
        return;
    RT_ASSERT(conn->phase == NET_CONN_WAITING);
    bool is_old = conn->answer.is_to_version_1_0;
    conn->phase = NET_CONN_STREAMING;
    net_conn_check(conn,
                   write_head(conn, response, is_old ? NET_FRAMED_BY_CLOSE : NET_FRAMED_BY_CHUNKS));
    net_conn_wake(conn);
}

static bool
write_piece(struct net_conn *conn, const void *bytes, size_t size_bytes)
{
    if (conn->answer.framing == NET_FRAMED_BY_CHUNKS)
        return net_response_write_chunk(&conn->out, bytes, size_bytes);
    return net_bytes_append(&conn->out, bytes, size_bytes);
}

enum rt_status
net_conn_stream_write(struct net_conn *conn, const void *bytes, size_t size_bytes)
{
    if (conn->phase > NET_CONN_OPEN)
        return RT_CLOSED;
    RT_ASSERT(conn->phase == NET_CONN_STREAMING);
    if (conn->answer.is_to_head || conn->answer.framing == NET_FRAMED_BY_STATUS)
        return RT_OK;
    if (!net_conn_has_room(conn, size_bytes))
        return RT_FULL;
    net_conn_check(conn, write_piece(conn, bytes, size_bytes));
    net_conn_wake(conn);
    return RT_OK;
}

void
net_conn_stream_end(struct net_conn *conn)
{
    if (conn->phase > NET_CONN_OPEN)
        return;
    RT_ASSERT(conn->phase == NET_CONN_STREAMING);
    bool queued = true;
    if (conn->answer.framing == NET_FRAMED_BY_CHUNKS && !conn->answer.is_to_head)
        queued = net_response_write_last_chunk(&conn->out);
    end_answer(conn);
    net_conn_check(conn, queued);
}

void
net_conn_upgrade(struct net_conn *conn, const char *subprotocol)
{
    if (conn->phase > NET_CONN_OPEN)
        return;
    RT_ASSERT(conn->phase == NET_CONN_WAITING);
    RT_ASSERT(conn->answer.may_upgrade);
    const struct net_server_options *options = conn->listener->options;
    conn->reader = net_ws_reader_create(true, options->message_bytes_max);
    bool queued =
        conn->reader != NULL && net_handshake_write(&conn->out, conn->answer.accept, subprotocol);
    conn->phase = NET_CONN_OPEN;
    net_conn_set_deadline(conn, options->ping_interval_ms);
    net_conn_wake(conn);
    net_conn_check(conn, queued);
}
