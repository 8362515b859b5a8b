#include "tests/sim/world/sim_operator.h"

#include <stdio.h>
#include <string.h>

#include "actors/connection.h"
#include "actors/messages.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/sim/world/sim_run.h"
#include "tests/stress/stress.h"

void
sim_operator_begin(struct sim_operator *admin, uint64_t seed)
{
    *admin = (struct sim_operator){0};
    rt_random_seed(&admin->dice, seed);
}

/* Copies the text behind `key`. False when it is not there. */
static bool
read_text(const char *key, const struct net_response *response, char *out, size_t room)
{
    const char *json = response->body, *end = json + response->body_bytes;
    const char *at = memmem(json, response->body_bytes, key, strlen(key));
    size_t used = 0;
    if (at != NULL)
        for (at += strlen(key); at < end && *at != '"' && used + 1 < room; at++)
            out[used++] = *at;
    out[used] = '\0';
    return used > 0;
}

static void
keep_key(const struct sim_operator_desk *desk, const struct net_response *response)
{
    struct sim_operator *admin = desk->admin;
    struct sim_operator_key *key = &admin->keys[admin->key_count];
    CHECK(admin->key_count < SIM_OPERATOR_KEYS_MAX);
    key->tenant_id = desk->tenant_id;
    if (read_text("\"id\":\"", response, key->id, sizeof(key->id)) &&
        read_text("\"key\":\"", response, key->text, sizeof(key->text)))
        admin->key_count++; /* else there was no memory to show it */
}

static void
on_respond(void *context, const struct net_response *response)
{
    struct sim_operator_desk *desk = context;
    desk->status = response->status;
    if (desk->adds && response->status == 201)
        keep_key(desk, response);
    desk->admin->changes += response->status < 300;
    struct rt_message *message = sim_message(CONN_CLOSED, 0);
    message->flags = RT_MESSAGE_CONTROL;
    rt_post(rt_sim_system(desk->life->sim), desk->actor, message);
}

static void
on_release(void *context)
{
    ((struct sim_operator_desk *)context)->life = NULL;
}

static bool
is_behind(void *context, size_t above_bytes)
{
    (void)context, (void)above_bytes;
    return false;
}

/* It asks for no session. */
static const struct connection_socket calls = {
    .respond = on_respond, .is_behind = is_behind, .release = on_release};

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
send_request(struct sim_operator_desk *desk, const char *method, const char *path,
             const char *credential)
{
    char texts[512] = "", authorization[VITO_KEY_TEXT_BYTES + 16];
    uint32_t used = 1;
    snprintf(authorization, sizeof(authorization), "Bearer %s", credential);
    struct rt_message *message = sim_message(CONN_REQUEST, sizeof(struct conn_request));
    *(struct conn_request *)rt_message_payload(message) =
        (struct conn_request){.method = append(texts, &used, method),
                              .path = append(texts, &used, path),
                              .authorization = append(texts, &used, authorization)};
    message->buffer = sim_buffer(texts, used);
    if (rt_post(rt_sim_system(desk->life->sim), desk->actor, message) != RT_OK)
        CHECK(false); /* its mailbox is new */
}

static void
ask(struct sim_operator *admin, unsigned node, struct sim_life *life, const char *method,
    const char *path, const char *credential)
{
    struct sim_operator_desk *desk = &admin->desks[node];
    desk->admin = admin;
    desk->life = life;
    desk->status = 0;
    struct connection_args args = {.world = &life->world, .calls = &calls, .socket = desk};
    struct rt_spawn_options options = {
        .behaviour = &connection_behaviour, .args = &args, .worker = 0};
    CHECK(rt_spawn(rt_sim_system(life->sim), &options, &desk->actor) == RT_OK);
    send_request(desk, method, path, credential);
}

void
sim_operator_change(struct sim_operator *admin, unsigned node, struct sim_life *life)
{
    struct sim_operator_desk *desk = &admin->desks[node];
    char path[160];
    if (desk->life != NULL)
        return;
    bool adds = admin->key_count == 0 || rt_random_chance(&admin->dice, 500);
    unsigned open = 0; /* keys that are being added */
    for (unsigned i = 0; i < SIM_NODES_MAX; i++)
        open += admin->desks[i].life != NULL && admin->desks[i].adds;
    if (adds && admin->key_count + open < SIM_OPERATOR_KEYS_MAX) {
        desk->adds = true;
        desk->tenant_id = sim_run_tenants[rt_random_below(&admin->dice, SIM_TENANTS)];
        snprintf(path, sizeof(path), "/api/tenants/%s/keys", desk->tenant_id);
        ask(admin, node, life, "POST", path, SIM_OPERATOR_TOKEN);
    } else if (admin->key_count > 0) {
        const struct sim_operator_key *key =
            &admin->keys[rt_random_below(&admin->dice, admin->key_count)];
        desk->adds = false;
        snprintf(path, sizeof(path), "/api/tenants/%s/keys/%s", key->tenant_id, key->id);
        ask(admin, node, life, "DELETE", path, SIM_OPERATOR_TOKEN);
    }
}

void
sim_operator_show(struct sim_operator *admin, unsigned node, struct sim_life *life,
                  const struct sim_operator_key *key)
{
    char path[96];
    admin->desks[node].adds = false;
    snprintf(path, sizeof(path), "/api/tenants/%s/balance", key->tenant_id);
    ask(admin, node, life, "GET", path, key->text);
}

bool
sim_operator_is_free(const struct sim_operator *admin)
{
    for (unsigned i = 0; i < SIM_NODES_MAX; i++)
        if (admin->desks[i].life != NULL)
            return false;
    return true;
}
