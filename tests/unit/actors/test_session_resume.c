/* What a client that comes back is promised: every frame it missed, in order, before anything that
 * is said meanwhile; as fast as it reads, with no more than a socket's queue waiting for it.
 * Session and connection are the real ones; the socket, the first connection and the registry are
 * played. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "actors/connection.h"
#include "actors/session.h"
#include "runtime/sim.h"
#include "runtime/table.h"
#include "runtime/text.h"

enum { QUEUED_BYTES_MAX = 64 * 1024, KIND_BREAK = 5000, TURN_IN_MS = 1000 };

static struct rt_sim *sim;
static struct rt_system *runtime;
static struct world world;
static struct tenant_config *config;
static struct rt_address session, connection;
static char token[FRAME_RESUME_TOKEN_BYTES];

/* The client, and the socket it came back on last. */
static struct {
    uintptr_t socket; /* its number */
    size_t queued_bytes, queued_bytes_most, sent_bytes;
    uint64_t last_seq;
    bool is_open, is_awaited, has_ended;
    unsigned refused;
    uint16_t close_code, older_close_code;
} client;

static void
post(struct rt_address to, uint32_t kind, const void *payload, size_t size_bytes)
{
    struct rt_message *message = rt_message_create(kind, size_bytes);
    if (size_bytes > 0)
        memcpy(rt_message_payload(message), payload, size_bytes);
    cr_assert_eq(rt_post(runtime, to, message), RT_OK);
}

static void
run(void)
{
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + TURN_IN_MS * RT_NS_PER_MS);
}

/* The connection the session began on: it keeps the token, and breaks when it is told to. */
static void
first_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind == KIND_BREAK)
        rt_send_control(self, session, rt_message_create(SESSION_DETACHED, 0));
    if (message->kind != CONN_FRAME)
        return;
    const struct frame_out *frame = rt_message_payload(message);
    if (frame->type == FRAME_SESSION_STARTED)
        RT_TEXT_SET(token, frame->started.resume_token);
}

static void
registry_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind != REGISTRY_RESOLVE && message->kind != REGISTRY_FIND_SESSION)
        return;
    struct rt_message *answer =
        rt_message_create(REGISTRY_RESOLVED, sizeof(struct registry_resolved));
    *(struct registry_resolved *)rt_message_payload(answer) = (struct registry_resolved){
        .address = session,
        .tenant_id = "andres",
        .caller = {.role = ACCESS_CLIENT, .tenant_id = "andres", .name = "key"}};
    rt_answer(self, message, answer);
}

static void
on_respond(void *socket, const struct net_response *response)
{
    (void)socket;
    cr_assert(false, "the connection was refused: %d", response->status);
}

static void
on_upgrade(void *socket, const char *subprotocol)
{
    (void)socket, (void)subprotocol;
    client.is_open = true;
}

static enum rt_status
on_send(void *socket, bool is_binary, const void *bytes, size_t size_bytes)
{
    (void)is_binary;
    if (!client.is_open || (uintptr_t)socket != client.socket)
        return RT_CLOSED;
    if (client.queued_bytes > 0 && client.queued_bytes + size_bytes > QUEUED_BYTES_MAX) {
        client.refused++;
        client.is_awaited = true;
        return RT_FULL;
    }
    const char *seq = memmem(bytes, size_bytes, "\"seq\":", 6);
    cr_assert_eq(strtoull(seq + 6, NULL, 10), client.last_seq + 1);
    client.last_seq++;
    client.has_ended = memmem(bytes, size_bytes, "\"session.ended\"", 15) != NULL;
    client.sent_bytes += size_bytes;
    client.queued_bytes += size_bytes;
    if (client.queued_bytes > client.queued_bytes_most)
        client.queued_bytes_most = client.queued_bytes;
    return RT_OK;
}

static void
on_close(void *socket, uint16_t code, const char *reason)
{
    (void)reason;
    if ((uintptr_t)socket != client.socket) {
        client.older_close_code = code;
        return;
    }
    if (client.is_open)
        client.close_code = code;
    client.is_open = false;
}

static bool
is_behind(void *socket, size_t above_bytes)
{
    (void)socket;
    client.is_awaited = client.is_awaited || client.queued_bytes > above_bytes;
    return client.queued_bytes > above_bytes;
}

static void
on_consumed(void *socket, unsigned messages, size_t bytes)
{
    (void)socket, (void)messages, (void)bytes;
}

static void
on_release(void *socket)
{
    client.is_open = client.is_open && (uintptr_t)socket != client.socket;
}

static const struct connection_socket calls = {.respond = on_respond,
                                               .upgrade = on_upgrade,
                                               .send = on_send,
                                               .close = on_close,
                                               .is_behind = is_behind,
                                               .consumed = on_consumed,
                                               .release = on_release};

static struct rt_address
spawn(const struct rt_behaviour *behaviour, const void *args)
{
    struct rt_address address;
    struct rt_spawn_options options = {.behaviour = behaviour, .args = args, .worker = 0};
    cr_assert_eq(rt_spawn(runtime, &options, &address), RT_OK);
    return address;
}

static const struct adapter_sheet *
find_sheet(void *self, const char *provider)
{
    static struct adapter_sheet sheet; /* any provider will do: none is asked */
    (void)self;
    RT_TEXT_SET(sheet.name, provider);
    for (int i = 0; i < VITO_MODE_COUNT; i++)
        sheet.modes[i] = true;
    return &sheet;
}

static void
setup(void)
{
    static const struct rt_behaviour first = {
        .name = "first", .limits = {10000, 8 << 20}, .handle = first_handle};
    static const struct rt_behaviour registry = {
        .name = "registry", .limits = {1000, 1 << 20}, .handle = registry_handle};
    static const struct adapter_port adapters = {.sheet = find_sheet};
    static const uint8_t master_key[VITO_MASTER_KEY_BYTES] = {1};
    char problem[VITO_PROBLEM_BYTES];
    sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    runtime = rt_sim_system(sim);
    cr_assert_eq(tenant_config_parse("andres", "{}", 2, &adapters, &config, problem), RT_OK, "%s",
                 problem);
    world = (struct world){.system = runtime,
                           .keyring = vito_keyring_of(master_key),
                           .session_idle_ms = 600000,
                           .resume_ms = 60000};
    world.registry = spawn(&registry, NULL);
    struct session_args args = {.world = &world,
                                .config = config,
                                .connection = spawn(&first, NULL),
                                .mode = VITO_TEXT,
                                .id = "ses_x"};
    session = spawn(&session_behaviour, &args);
    struct session_ready ready = {.credential = rt_hash_text("key")};
    post(session, SESSION_READY, &ready, sizeof(ready));
    run();
    cr_assert_str_neq(token, "");
    post(args.connection, KIND_BREAK, NULL, 0);
    run();
}

static void
teardown(void)
{
    rt_sim_destroy(sim);
    tenant_config_release(config);
    vito_keyring_close(world.keyring);
}

TestSuite(session_resume, .init = setup, .fini = teardown, .timeout = 60);

/* Has the session say so many frames. */
static void
say(unsigned count)
{
    struct frame_in bad = {.type = CLIENT_BAD,
                           .problem = problem_make(PROBLEM_INVALID_FIELD, "%0200d", 1)};
    for (unsigned i = 0; i < count; i++)
        post(session, SESSION_CLIENT, &bad, sizeof(bad));
    run();
}

/* The client comes back for what it has not got. */
static void
come_back(void)
{
    static const char texts[] = "\0GET\0/v1/twins/andres/session\0resume=1\0Bearer twk_x";
    struct rt_message *request = rt_message_create(CONN_REQUEST, sizeof(struct conn_request));
    *(struct conn_request *)rt_message_payload(request) = (struct conn_request){
        .method = 1, .path = 5, .query = 30, .authorization = 39, .wants_websocket = true};
    request->buffer = rt_buffer_copy(texts, sizeof(texts));
    client.queued_bytes = 0;
    client.is_awaited = false;
    struct connection_args args = {
        .world = &world, .calls = &calls, .socket = (void *)++client.socket};
    connection = spawn(&connection_behaviour, &args);
    cr_assert_eq(rt_post(runtime, connection, request), RT_OK);
    run();
    cr_assert(client.is_open);

    char json[FRAME_RESUME_TOKEN_BYTES + 100];
    int bytes =
        snprintf(json, sizeof(json), "{\"type\":\"resume\",\"token\":\"%s\",\"last_seq\":%d}",
                 token, (int)client.last_seq);
    struct rt_message *resume = rt_message_create(CONN_MESSAGE, sizeof(struct conn_message));
    *(struct conn_message *)rt_message_payload(resume) = (struct conn_message){.is_binary = false};
    resume->buffer = rt_buffer_copy(json, (size_t)bytes);
    cr_assert_eq(rt_post(runtime, connection, resume), RT_OK);
    run();
}

/* The client reads what waits for it. */
static void
take(void)
{
    client.queued_bytes = 0;
    if (client.is_awaited)
        post(connection, CONN_DRAINED, NULL, 0);
    client.is_awaited = false;
    run();
}

static void
take_all(void)
{
    for (uint64_t before = UINT64_MAX; client.last_seq != before;) {
        before = client.last_seq;
        take();
        take(); /* the first may find nothing but what was asked for */
    }
}

/* session.started, what was said, and the usage frame that says it is back. */
static uint64_t
seq_after(unsigned said)
{
    return 1 + said + 1;
}

Test(session_resume, a_backlog_leaves_the_session_only_as_fast_as_the_client_reads)
{
    say(400);
    come_back();
    cr_assert_geq(client.last_seq, 10);
    cr_assert_lt(client.last_seq, 100, "it has read nothing yet");
    take_all();
    cr_assert_eq(client.last_seq, seq_after(400));
    cr_assert_gt(client.sent_bytes, 2 * QUEUED_BYTES_MAX);
    cr_assert_leq(client.queued_bytes_most, QUEUED_BYTES_MAX);
    cr_assert_eq(client.refused, 0, "nothing had to wait beside the socket");
}

Test(session_resume, what_is_said_meanwhile_comes_behind_it)
{
    say(300);
    come_back();
    for (int i = 0; i < 20; i++) {
        say(5);
        take();
    }
    take_all();
    cr_assert_eq(client.last_seq, seq_after(400));
    say(1);
    cr_assert_eq(client.last_seq, seq_after(401), "it is not behind any more");
    cr_assert_eq(client.refused, 0);
}

Test(session_resume, who_breaks_off_in_the_middle_comes_back_for_the_rest)
{
    say(400);
    come_back();
    take();
    take();
    uint64_t got = client.last_seq;
    cr_assert_lt(got, 300);
    post(connection, CONN_BROKEN, NULL, 0);
    run();
    say(10);
    come_back();
    take_all();
    cr_assert_eq(client.last_seq, seq_after(400) + 10 + 1);
}

Test(session_resume, who_comes_back_twice_at_once_gets_the_rest_on_the_newer_connection)
{
    say(400);
    come_back();
    come_back();
    take_all();
    cr_assert_eq(client.last_seq, seq_after(400) + 1);
    cr_assert_eq(client.older_close_code, 4409);
}

Test(session_resume, the_end_waits_for_what_was_missed)
{
    struct session_terminate terminate = {.reason = SESSION_OPERATOR, .close_code = 1000};
    say(400);
    come_back();
    post(session, SESSION_TERMINATE, &terminate, sizeof(terminate));
    run();
    cr_assert_not(client.has_ended);
    take_all();
    cr_assert(client.has_ended);
    cr_assert_eq(client.last_seq, seq_after(400) + 1);
    cr_assert_eq(client.close_code, 1000);
}

Test(session_resume, nobody_is_waited_for_who_is_gone)
{
    struct session_terminate terminate = {.reason = SESSION_OPERATOR, .close_code = 1000};
    uint64_t actors = rt_system_stats(runtime).actors;
    say(400);
    come_back();
    post(session, SESSION_TERMINATE, &terminate, sizeof(terminate));
    run();
    cr_assert_eq(rt_system_stats(runtime).actors, actors + 1);
    post(connection, CONN_CLOSED, NULL, 0);
    run();
    cr_assert_eq(rt_system_stats(runtime).actors, actors - 1, "connection and session have ended");
}

Test(session_resume, more_than_is_kept_for_one_who_does_not_read_cuts_him_off)
{
    say(400);
    come_back();
    for (int i = 0; i < 10; i++)
        say(100);
    cr_assert(client.is_open, "what he was sent is his");
    take();
    cr_assert_not(client.is_open, "a frame would be missing");
}
