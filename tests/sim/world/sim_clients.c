#include "tests/sim/world/sim_clients.h"

#include <stdio.h>
#include <string.h>

#include "actors/connection.h"
#include "actors/messages.h"
#include "tests/stress/stress.h"

enum {
    COMES_WITHIN_MS = 4000,
    ACTS_WITHIN_MS = 1500,
    READS_WITHIN_MS = 400,
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
post(struct sim_client *client, struct rt_message *message)
{
    CHECK(message != NULL);
    rt_post(rt_sim_system(client->all->sim), client->actor, message);
}

static void
post_note(struct sim_client *client, enum twin_kind kind)
{
    struct rt_message *message = rt_message_create(kind, 0);
    CHECK(message != NULL);
    message->flags = RT_MESSAGE_CONTROL;
    post(client, message);
}

static void
hang_up(struct sim_client *client)
{
    if (client->phase == CLIENT_ASKING || client->phase == CLIENT_TALKING) {
        client->phase = CLIENT_GONE;
        post_note(client, CONN_CLOSED);
    }
}

static void
send_text(struct sim_client *client, const char *json)
{
    struct rt_message *message = rt_message_create(CONN_MESSAGE, sizeof(struct conn_message));
    CHECK(message != NULL);
    ((struct conn_message *)rt_message_payload(message))->is_binary = false;
    message->buffer = rt_buffer_copy(json, strlen(json));
    CHECK(message->buffer != NULL);
    post(client, message);
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
    if (client->phase != CLIENT_TALKING)
        return;
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
    CHECK(rt_sim_after(client->all->sim, dice(client, ACTS_WITHIN_MS) * RT_NS_PER_MS, act, client));
}

static void
on_respond(void *context, const struct net_response *response)
{
    struct sim_client *client = context;
    if (response->status < 300)
        client->all->seen->answers++;
    else
        client->all->seen->refusals++;
    hang_up(client);
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
    act_later(client);
}

static void
drain(void *context)
{
    struct sim_client *client = context;
    client->drain_is_set = false;
    client->queued_bytes = 0;
    if (client->phase == CLIENT_TALKING)
        post_note(client, CONN_DRAINED);
}

static void
note_frame(struct sim_seen *seen, const char *json, size_t size_bytes)
{
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
    for (unsigned i = 0; i < FRAME_TYPE_COUNT; i++)
        if (memmem(json, size_bytes < 40 ? size_bytes : 40, names[i], strlen(names[i])) != NULL)
            seen->frames[i]++;
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
    note_frame(client->all->seen, bytes, size_bytes);
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

static size_t
on_queued_bytes(void *context)
{
    /* A slow client's socket is full with little. */
    const struct sim_client *client = context;
    return client->is_slow ? client->queued_bytes * 1000 : client->queued_bytes;
}

static void
on_consumed(void *context)
{
    (void)context;
}

static void
on_release(void *context)
{
    struct sim_client *client = context;
    client->phase = CLIENT_AWAY;
    if (client->visits > 0 && !client->all->closing)
        come_later(client);
}

static const struct connection_socket calls = {
    .respond = on_respond,
    .upgrade = on_upgrade,
    .send = on_send,
    .close = on_close,
    .queued_bytes = on_queued_bytes,
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
    struct conn_request request = {.wants_websocket = dice(client, 4) != 0};
    request.method = append(texts, &used, request.wants_websocket ? "GET" : "POST");
    snprintf(line, sizeof(line), "/v1/twins/%s/%s", all->tenants[client->tenant],
             request.wants_websocket ? "session" : "turns");
    request.path = append(texts, &used, line);
    snprintf(line, sizeof(line), "mode=%s", modes[dice(client, RT_COUNT_OF(modes))]);
    request.query = append(texts, &used, line);
    snprintf(line, sizeof(line), "Bearer %s", all->keys[client->tenant]);
    request.authorization = append(texts, &used, line);
    if (!request.wants_websocket) {
        request.body = append(texts, &used, body);
        request.body_bytes = sizeof(body) - 1;
    }
    struct rt_message *message = rt_message_create(CONN_REQUEST, sizeof(request));
    CHECK(message != NULL);
    *(struct conn_request *)rt_message_payload(message) = request;
    message->buffer = rt_buffer_copy(texts, used);
    CHECK(message->buffer != NULL);
    post(client, message);
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
    client->phase = CLIENT_ASKING;
    struct connection_args args = {.world = all->world, .calls = &calls, .socket = client};
    unsigned workers = rt_system_workers(rt_sim_system(all->sim));
    struct rt_spawn_options options = {
        .behaviour = &connection_behaviour, .args = &args, .worker = (int)dice(client, workers)};
    CHECK(rt_spawn(rt_sim_system(all->sim), &options, &client->actor) == RT_OK);
    send_request(client);
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
