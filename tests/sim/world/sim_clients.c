#include "tests/sim/world/sim_clients.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/connection.h"
#include "actors/messages.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/stress/stress.h"

enum {
    COMES_WITHIN_MS = 4000,
    READS_WITHIN_MS = 400,
    BACK_WITHIN_MS = 4000,
    LOST_MAX = 4, /* frames on their way when a connection breaks */
    KEYS = 40,
    VISITS_MAX = 3,
    ACTIONS_MAX = 8,
    TEXT_BYTES = 200,
};

static uint64_t
dice(struct sim_client *client, uint64_t below)
{
    return rt_random_below(rt_sim_random(client->all->sim), below);
}

static void come_later(struct sim_client *client);

static void
post_note(struct sim_client *client, enum twin_kind kind)
{
    struct rt_message *message = sim_message(kind, 0);
    message->flags = RT_MESSAGE_CONTROL;
    rt_post(rt_sim_system(client->all->sim), client->actor, message);
}

static void
hang_up(struct sim_client *client)
{
    if (client->phase == CLIENT_ASKING || client->phase == CLIENT_TALKING) {
        client->phase = CLIENT_GONE;
        client->open_turns = 0; /* its answer is that the connection is gone */
        client->comes_back = false;
        post_note(client, CONN_CLOSED);
    }
}

/* The network breaks the connection, and what was on its way is lost. */
static void
break_off(struct sim_client *client)
{
    uint64_t lost = dice(client, LOST_MAX + 1);
    if (client->last_seq > client->seen_seq)
        client->seen_seq = client->last_seq;
    client->last_seq -= lost < client->last_seq ? lost : client->last_seq;
    client->phase = CLIENT_GONE;
    client->comes_back = true;
    client->open_turns = 0; /* whether they arrived it does not know */
    post_note(client, CONN_BROKEN);
}

/* What a client has sent and the gateway has not got yet. */
struct sim_packet {
    struct sim_packet *next, **at;
    struct sim_client *client;
    struct rt_address to;
    struct rt_message *message;
};

static struct rt_message *
take_packet(struct sim_packet *packet)
{
    struct rt_message *message = packet->message;
    *packet->at = packet->next;
    if (packet->next != NULL)
        packet->next->at = packet->at;
    free(packet);
    return message;
}

/* A server whose actor's mailbox is full answers 503, or closes with 1013 (gateway/front.c). */
static void
arrive(void *context)
{
    struct sim_packet *packet = context;
    struct sim_client *client = packet->client;
    struct rt_address to = packet->to;
    struct rt_message *message = take_packet(packet);
    if (rt_post(rt_sim_system(client->all->sim), to, message) == RT_FULL &&
        rt_address_is(client->actor, to))
        hang_up(client);
}

static void
send_message(struct sim_client *client, struct rt_message *message)
{
    struct sim_clients *all = client->all;
    uint64_t now_ns = rt_sim_now_ns(all->sim);
    uint64_t at_ns = now_ns + dice(client, all->delay_max_ms + 1) * RT_NS_PER_MS;
    if (at_ns < client->arrives_ns)
        at_ns = client->arrives_ns; /* a stream keeps its order */
    client->arrives_ns = at_ns;
    struct sim_packet *packet = calloc(1, sizeof(*packet));
    CHECK(packet != NULL);
    *packet = (struct sim_packet){.next = all->packets,
                                  .at = &all->packets,
                                  .client = client,
                                  .to = client->actor,
                                  .message = message};
    if (packet->next != NULL)
        packet->next->at = &packet->next;
    all->packets = packet;
    CHECK(rt_sim_after(all->sim, at_ns - now_ns, arrive, packet));
}

static void
send_text(struct sim_client *client, const char *json)
{
    struct rt_message *message = sim_message(CONN_MESSAGE, sizeof(struct conn_message));
    ((struct conn_message *)rt_message_payload(message))->is_binary = false;
    message->buffer = sim_buffer(json, strlen(json));
    send_message(client, message);
}

static void
say(struct sim_client *client)
{
    char text[TEXT_BYTES], json[TEXT_BYTES + 64];
    size_t bytes = 1 + dice(client, TEXT_BYTES - 1);
    memset(text, 'a', bytes);
    text[bytes - 1] = '\0';
    snprintf(json, sizeof(json), "{\"type\":\"turn\",\"id\":%u,\"text\":\"t%s\"}", client->actions,
             text);
    client->open_turns |= 1U << client->actions;
    send_text(client, json);
}

static void act_later(struct sim_client *client);

static void
act(void *context)
{
    static const char *const others[] = {
        "{\"type\":\"interrupt\"}",
        "{\"type\":\"mode\",\"mode\":\"text\"}",
        "{\"type\":\"mode\",\"mode\":\"voice\"}",
        "{\"type\":\"mode\",\"mode\":\"video\"}",
        "{\"type\":\"nonsense\"}",
        "{\"type\":",
    };
    struct sim_client *client = context;
    client->action_is_set = false;
    if (client->phase != CLIENT_TALKING || client->vanished || client->all->closing)
        return;
    if (rt_random_chance(rt_sim_random(client->all->sim), client->all->vanish)) {
        client->vanished = true;
        return;
    }
    if (client->token[0] != '\0' && client->all->resume > 0 &&
        rt_random_chance(rt_sim_random(client->all->sim), client->all->resume)) {
        break_off(client);
        return;
    }
    if (client->actions == 0 || dice(client, 30) == 0) {
        if (dice(client, 2) == 0)
            send_text(client, "{\"type\":\"end\"}");
        else
            hang_up(client);
        return;
    }
    client->actions--;
    if (dice(client, 4) == 0)
        send_text(client, others[dice(client, RT_COUNT_OF(others))]);
    else
        say(client);
    act_later(client);
}

static void
act_later(struct sim_client *client)
{
    if (client->action_is_set)
        return;
    client->action_is_set = true;
    uint64_t ms = dice(client, client->all->acts_within_ms);
    CHECK(rt_sim_after(client->all->sim, ms * RT_NS_PER_MS, act, client));
}

/* The number behind `"id":`, or -1. */
static int
id_of(const char *json, size_t size_bytes)
{
    static const char key[] = "\"id\":";
    const char *at = memmem(json, size_bytes, key, sizeof(key) - 1);
    if (at == NULL || at + sizeof(key) > json + size_bytes)
        return -1;
    int digit = at[sizeof(key) - 1] - '0';
    return digit >= 0 && digit <= ACTIONS_MAX ? digit : -1;
}

/* A session's id is behind `key`. */
static void
note_done(struct sim_client *client, const char *key, const char *json, size_t size_bytes)
{
    char session_id[VITO_ID_BYTES] = "";
    const char *at = memmem(json, size_bytes, key, strlen(key));
    if (at == NULL || memmem(json, size_bytes, "\"interactions\":1", 16) == NULL)
        return;
    at += strlen(key);
    for (size_t i = 0; i + 1 < sizeof(session_id) && at < json + size_bytes && *at != '"'; i++)
        session_id[i] = *at++;
    client->all->told(client->all->context, session_id, ++client->done);
}

/* Copies the text behind `key`; "" when it is not there. */
static void
read_text(const char *key, const char *json, size_t size_bytes, char *out, size_t room)
{
    const char *at = memmem(json, size_bytes, key, strlen(key));
    size_t used = 0;
    if (at != NULL)
        for (at += strlen(key); at < json + size_bytes && *at != '"' && used + 1 < room; at++)
            out[used++] = *at;
    out[used] = '\0';
}

/* Frames of a session come in order, each once, without a gap: also after a resume. False: the
 * client had this one before its connection broke. */
static bool
note_seq(struct sim_client *client, const char *json, size_t size_bytes)
{
    static const char key[] = "\"seq\":";
    char session_id[VITO_ID_BYTES];
    const char *at = memmem(json, size_bytes, key, sizeof(key) - 1);
    CHECK(at != NULL);
    uint64_t seq = strtoull(at + sizeof(key) - 1, NULL, 10);
    read_text("\"session_id\":\"", json, size_bytes, session_id, sizeof(session_id));
    if (session_id[0] == '\0')
        return true; /* there is no session: it was refused */
    if (strcmp(session_id, client->session_id) != 0) {
        static const char first[] = "{\"type\":\"session.started\"";
        CHECK(seq == 1 && client->session_id[0] == '\0');
        CHECK(size_bytes >= sizeof(first) && memcmp(json, first, sizeof(first) - 1) == 0);
        memcpy(client->session_id, session_id, sizeof(session_id));
        read_text("\"resume_token\":\"", json, size_bytes, client->token, sizeof(client->token));
    }
    if (client->comes_back)
        client->all->seen->resumed++;
    client->comes_back = false;
    CHECK(seq == client->last_seq + 1);
    client->last_seq = seq;
    return seq > client->seen_seq;
}

/* A tenant's refusal has a decision; one because it ends is nobody's. */
static void
note_denied(const struct sim_client *client, const char *json, size_t size_bytes)
{
    static const char decided[] = "\"decision_id\":\"dec_", ends[] = "\"shutdown\"";
    if (memmem(json, size_bytes, decided, sizeof(decided) - 1) != NULL &&
        memmem(json, size_bytes, ends, sizeof(ends) - 1) == NULL)
        client->all->seen->denied++;
}

static void
on_respond(void *context, const struct net_response *response)
{
    struct sim_client *client = context;
    if (response->status < 300) {
        client->all->seen->answers++;
        note_done(client, "\"turn_id\":\"", response->body, response->body_bytes);
    } else {
        client->all->seen->refusals++;
        note_denied(client, response->body, response->body_bytes);
    }
    hang_up(client);
}

enum { OPEN_RESUME = 31 }; /* among the open turns: what came of it is not known yet */

static void
take_up(struct sim_client *client)
{
    char json[FRAME_RESUME_TOKEN_BYTES + 64];
    snprintf(json, sizeof(json), "{\"type\":\"resume\",\"token\":\"%s\",\"last_seq\":%llu}",
             client->token, (unsigned long long)client->last_seq);
    client->all->seen->resumes++;
    client->open_turns = 1U << OPEN_RESUME;
    send_text(client, json);
}

static void
on_upgrade(void *context, const char *subprotocol)
{
    (void)subprotocol;
    struct sim_client *client = context;
    if (client->phase != CLIENT_ASKING)
        return;
    client->all->seen->upgrades++;
    client->phase = CLIENT_TALKING;
    if (client->comes_back)
        take_up(client);
    act_later(client);
}

static void
drain(void *context)
{
    struct sim_client *client = context;
    client->drain_is_set = false;
    if (client->vanished)
        return;
    client->queued_bytes = 0;
    if (client->phase == CLIENT_TALKING)
        post_note(client, CONN_DRAINED);
}

static void
note_frame(struct sim_client *client, const char *json, size_t size_bytes)
{
    struct sim_seen *seen = client->all->seen;
    client->open_turns &= ~(1U << OPEN_RESUME);
    if (!note_seq(client, json, size_bytes))
        return;
    static const char *const names[FRAME_TYPE_COUNT] = {
        [FRAME_SESSION_STARTED] = "\"session.started\"",
        [FRAME_TURN_QUEUED] = "\"turn.queued\"",
        [FRAME_TURN_ACCEPTED] = "\"turn.accepted\"",
        [FRAME_OUTPUT_TEXT] = "\"output.text\"",
        [FRAME_OUTPUT_AUDIO] = "\"output.audio\"",
        [FRAME_TURN_DONE] = "\"turn.done\"",
        [FRAME_TURN_REFUSED] = "\"turn.refused\"",
        [FRAME_USAGE] = "\"usage\"",
        [FRAME_MODE_CHANGED] = "\"mode.changed\"",
        [FRAME_QUOTA_WARNING] = "\"quota.warning\"",
        [FRAME_SESSION_ENDED] = "\"session.ended\"",
        [FRAME_ERROR] = "\"error\"",
    };
    unsigned type = 0;
    while (type < FRAME_TYPE_COUNT && memmem(json, size_bytes < 40 ? size_bytes : 40, names[type],
                                             strlen(names[type])) == NULL)
        type++;
    CHECK(type < FRAME_TYPE_COUNT);
    seen->frames[type]++;
    int id = id_of(json, size_bytes);
    bool is_answer = type == FRAME_TURN_DONE || type == FRAME_TURN_REFUSED || type == FRAME_ERROR;
    if (is_answer && id >= 0)
        client->open_turns &= ~(1U << id);
    if (type == FRAME_TURN_REFUSED)
        note_denied(client, json, size_bytes);
    if (type == FRAME_TURN_DONE)
        note_done(client, "\"session_id\":\"", json, size_bytes);
    if (memmem(json, size_bytes, "\"COST_LIMIT\"", 12) != NULL)
        seen->cut++;
}

static enum rt_status
on_send(void *context, bool is_binary, const void *bytes, size_t size_bytes)
{
    (void)is_binary;
    struct sim_client *client = context;
    if (client->phase != CLIENT_TALKING)
        return RT_CLOSED;
    note_frame(client, bytes, size_bytes);
    client->queued_bytes += size_bytes;
    if (!client->drain_is_set) {
        client->drain_is_set = true;
        uint64_t ms = client->is_slow ? dice(client, READS_WITHIN_MS) * 10 : dice(client, 3);
        CHECK(rt_sim_after(client->all->sim, ms * RT_NS_PER_MS, drain, client));
    }
    return RT_OK;
}

static void
on_close(void *context, uint16_t code, const char *reason)
{
    (void)code, (void)reason;
    hang_up(context);
}

static bool
is_behind(void *context, size_t above_bytes)
{
    /* A slow client's socket is full with little. */
    const struct sim_client *client = context;
    return (client->is_slow ? client->queued_bytes * 1000 : client->queued_bytes) > above_bytes;
}

static void
on_consumed(void *context, unsigned messages, size_t bytes)
{
    (void)context, (void)messages, (void)bytes;
}

static void come_back(void *context);

static void
on_release(void *context)
{
    struct sim_client *client = context;
    client->phase = CLIENT_AWAY;
    if (client->comes_back && !client->all->closing) {
        uint64_t ms = dice(client, BACK_WITHIN_MS);
        CHECK(rt_sim_after(client->all->sim, ms * RT_NS_PER_MS, come_back, client));
        return;
    }
    client->open_turns = 0;
    if (client->visits > 0 && !client->all->closing)
        come_later(client);
}

static const struct connection_socket calls = {
    .respond = on_respond,
    .upgrade = on_upgrade,
    .send = on_send,
    .close = on_close,
    .is_behind = is_behind,
    .consumed = on_consumed,
    .release = on_release,
};

static uint32_t
append(char *texts, uint32_t *used, const char *text)
{
    uint32_t at = *used;
    size_t size = strlen(text) + 1;
    memcpy(texts + at, text, size);
    *used += (uint32_t)size;
    return at;
}

static void
send_request(struct sim_client *client)
{
    static const char *const modes[] = {"text", "voice", "video"};
    static const char body[] = "{\"text\":\"hello\"}";
    const struct sim_clients *all = client->all;
    char texts[512], line[128];
    uint32_t used = 1;
    texts[0] = '\0';
    struct conn_request request = {.wants_websocket = client->comes_back || dice(client, 4) != 0};
    request.method = append(texts, &used, request.wants_websocket ? "GET" : "POST");
    snprintf(line, sizeof(line), "/v1/twins/%s/%s", all->tenants[client->tenant],
             request.wants_websocket ? "session" : "turns");
    request.path = append(texts, &used, line);
    if (client->comes_back)
        snprintf(line, sizeof(line), "resume=1");
    else
        snprintf(line, sizeof(line), "mode=%s", modes[dice(client, RT_COUNT_OF(modes))]);
    request.query = append(texts, &used, line);
    snprintf(line, sizeof(line), "Bearer %s", all->keys[client->tenant]);
    request.authorization = append(texts, &used, line);
    if (!request.wants_websocket && all->resume > 0) { /* few keys: they are used again */
        snprintf(line, sizeof(line), "key-%u", (unsigned)dice(client, KEYS));
        request.idempotency_key = append(texts, &used, line);
    }
    if (!request.wants_websocket) {
        request.body = append(texts, &used, body);
        request.body_bytes = sizeof(body) - 1;
    }
    struct rt_message *message = sim_message(CONN_REQUEST, sizeof(request));
    *(struct conn_request *)rt_message_payload(message) = request;
    message->buffer = sim_buffer(texts, used);
    send_message(client, message);
}

static void
connect_to_gateway(struct sim_client *client)
{
    const struct sim_clients *all = client->all;
    client->queued_bytes = 0;
    client->phase = CLIENT_ASKING;
    struct connection_args args = {.world = all->world, .calls = &calls, .socket = client};
    unsigned workers = rt_system_workers(rt_sim_system(all->sim));
    struct rt_spawn_options options = {
        .behaviour = &connection_behaviour, .args = &args, .worker = (int)dice(client, workers)};
    CHECK(rt_spawn(rt_sim_system(all->sim), &options, &client->actor) == RT_OK);
    send_request(client);
}

static void
come_back(void *context)
{
    struct sim_client *client = context;
    if (!client->all->closing)
        connect_to_gateway(client);
}

static void
come(void *context)
{
    struct sim_client *client = context;
    const struct sim_clients *all = client->all;
    if (all->closing)
        return;
    client->visits--;
    client->actions = (unsigned)dice(client, ACTIONS_MAX + 1);
    client->is_slow = dice(client, 8) == 0;
    client->tenant = (unsigned)dice(client, all->tenant_count);
    client->vanished = false;
    client->open_turns = client->done = 0;
    client->comes_back = false;
    client->token[0] = client->session_id[0] = '\0';
    client->last_seq = client->seen_seq = 0;
    connect_to_gateway(client);
}

static void
come_later(struct sim_client *client)
{
    CHECK(
        rt_sim_after(client->all->sim, dice(client, COMES_WITHIN_MS) * RT_NS_PER_MS, come, client));
}

void
sim_clients_start(struct sim_clients *clients)
{
    for (unsigned i = 0; i < clients->client_count; i++) {
        struct sim_client *client = &clients->clients[i];
        *client = (struct sim_client){.all = clients};
        client->visits = 1 + (unsigned)dice(client, VISITS_MAX);
        come_later(client);
    }
}

void
sim_clients_stop(struct sim_clients *clients)
{
    while (clients->packets != NULL)
        rt_message_destroy(take_packet(clients->packets));
}

unsigned
sim_clients_waiting(const struct sim_clients *clients)
{
    unsigned waiting = 0;
    for (unsigned i = 0; i < clients->client_count; i++) {
        const struct sim_client *client = &clients->clients[i];
        waiting += client->phase == CLIENT_ASKING || (client->phase == CLIENT_TALKING &&
                                                      client->open_turns != 0 && !client->vanished);
    }
    return waiting;
}
