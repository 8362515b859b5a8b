/*
 * The edge's own code (net/: HTTP/1, the handshake, WebSocket, queues, deadlines) on a simulated
 * wire. What a client sends, valid or damaged by the dice, is answered once over a whole wire, and
 * then over chopped ones: however the bytes are cut and whenever the wire is full, the answers are
 * the same bytes. Over a wire that breaks they are the beginning of them, and the owner is told
 * once that the connection is gone.
 *
 *   sim_edge [--seeds COUNT] [--from SEED]
 *
 * A wire with a planted bug must be found out.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/websocket.h"
#include "runtime/pool.h"
#include "runtime/text.h"
#include "tests/sim/edge/sim_wire.h"
#include "tests/stress/stress.h"

enum {
    SCRIPT_BYTES_MAX = 128 * 1024,
    REQUESTS_MAX = 5,
    BODY_BYTES_MAX = 6000,
    MESSAGES_MAX = 8,
    MESSAGE_BYTES_MAX = 3000,
    PIECES_MAX = 20,
    CHOPPED_RUNS = 2,
    QUIET_S = 60,       /* after which the client goes */
    PLANTED_SEEDS = 20, /* within which the planted bug must be found */
};

/* What the client sends. */
struct script {
    uint8_t bytes[SCRIPT_BYTES_MAX];
    size_t size_bytes;
    bool pings; /* a pong is left out when there is no room: then there is much room */
};

/* The owner of the connection: it answers by what is asked, and by nothing else. */
struct owner {
    struct net_conn *conn; /* NULL: none, or gone */
    unsigned requests, closed;
    unsigned pieces; /* of a streamed answer, still to be written */
    uint8_t *held;   /* a message for which there was no room */
    size_t held_bytes;
    enum net_ws_type held_type;
};

static uint64_t
hash_of(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static void
write_pieces(struct owner *owner)
{
    char piece[1500];
    while (owner->pieces > 0) {
        memset(piece, 'a' + (int)(owner->pieces % 26), sizeof(piece));
        enum rt_status status =
            net_conn_stream_write(owner->conn, piece, 1 + owner->pieces * 997 % sizeof(piece));
        if (status == RT_FULL)
            return; /* on_drained goes on */
        owner->pieces--;
        if (status != RT_OK)
            return;
    }
    net_conn_stream_end(owner->conn);
}

static void
stream(struct owner *owner, const struct net_request *request)
{
    static const struct net_response head = {.status = 200};
    owner->pieces = 1 + (unsigned)strlen(request->query) % PIECES_MAX;
    net_conn_stream_begin(owner->conn, &head);
    write_pieces(owner);
}

static void
respond(struct owner *owner, const struct net_request *request)
{
    char body[512];
    const char *mark = net_request_header(request, "x-mark");
    snprintf(body, sizeof(body), "%s %.100s ? %.100s: %zu headers, mark %.50s, body %zu %lx",
             request->method, request->path, request->query, request->header_count,
             mark == NULL ? "-" : mark, request->body_bytes,
             hash_of(request->body, request->body_bytes));
    net_conn_respond(owner->conn, &(struct net_response){
                                      .status = 200, .body = body, .body_bytes = strlen(body)});
}

static void
on_request(void *context, struct net_conn *conn, const struct net_request *request)
{
    struct owner *owner = context;
    owner->conn = conn;
    owner->requests++;
    if (request->wants_websocket)
        net_conn_upgrade(conn, NULL);
    else if (strcmp(request->path, "/stream") == 0)
        stream(owner, request);
    else
        respond(owner, request);
}

/* Echoes; while there is no room for one, no further one is read. */
static void
on_message(void *context, struct net_conn *conn, enum net_ws_type type, const uint8_t *bytes,
           size_t size_bytes)
{
    struct owner *owner = context;
    CHECK(owner->held == NULL);
    if (net_conn_send(conn, type, bytes, size_bytes) != RT_FULL)
        return;
    owner->held = malloc(size_bytes + 1);
    CHECK(owner->held != NULL);
    memcpy(owner->held, bytes, size_bytes);
    owner->held_bytes = size_bytes;
    owner->held_type = type;
    net_conn_pause(conn);
}

static void
on_drained(void *context, struct net_conn *conn)
{
    struct owner *owner = context;
    if (owner->held == NULL) {
        write_pieces(owner);
        return;
    }
    CHECK(net_conn_send(conn, owner->held_type, owner->held, owner->held_bytes) != RT_FULL);
    free(owner->held);
    owner->held = NULL;
    net_conn_resume(conn);
}

static void
on_closed(void *context, struct net_conn *conn, uint16_t code)
{
    (void)code;
    struct owner *owner = context;
    CHECK(conn == owner->conn);
    owner->conn = NULL;
    owner->closed++;
}

static void
add(struct script *script, const void *bytes, size_t size_bytes)
{
    CHECK(script->size_bytes + size_bytes <= SCRIPT_BYTES_MAX);
    memcpy(script->bytes + script->size_bytes, bytes, size_bytes);
    script->size_bytes += size_bytes;
}

RT_PRINTF(2, 3)
static void
add_text(struct script *script, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    CHECK(size >= 0 && (size_t)size < sizeof(text));
    add(script, text, (size_t)size);
}

static size_t
fill(struct rt_random *dice, uint8_t *bytes, size_t size_max)
{
    size_t size = rt_random_below(dice, size_max + 1);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)('!' + rt_random_below(dice, 90));
    return size;
}

static void
add_body(struct script *script, struct rt_random *dice)
{
    uint8_t body[BODY_BYTES_MAX];
    size_t size = fill(dice, body, sizeof(body));
    if (rt_random_chance(dice, 500)) {
        add_text(script, "Content-Length: %zu\r\n\r\n", size);
        add(script, body, size);
        return;
    }
    add_text(script, "Transfer-Encoding: chunked\r\n\r\n");
    for (size_t at = 0, piece; at < size; at += piece) {
        piece = 1 + rt_random_below(dice, size - at);
        add_text(script, "%zx\r\n", piece);
        add(script, body + at, piece);
        add_text(script, "\r\n");
    }
    add_text(script, "0\r\n\r\n");
}

static void
add_request(struct script *script, struct rt_random *dice)
{
    static const char *const paths[] = {"/", "/a/b", "/stream", "/stream", "/%7Eescaped"};
    bool has_body = rt_random_chance(dice, 400);
    add_text(script, "%s %s?", has_body ? "POST" : "GET", paths[rt_random_below(dice, 5)]);
    for (uint64_t i = rt_random_below(dice, 40); i > 0; i--)
        add_text(script, "q");
    add_text(script, " HTTP/1.1\r\nHost: sim\r\nX-Mark: %lu\r\n", rt_random_below(dice, 1000000));
    if (has_body)
        add_body(script, dice);
    else
        add_text(script, "\r\n");
}

static void
add_frame(struct script *script, struct rt_random *dice, enum net_ws_opcode opcode, bool is_last,
          const uint8_t *bytes, size_t size_bytes)
{
    uint8_t frame[NET_WS_HEADER_BYTES_MAX + MESSAGE_BYTES_MAX], mask[4];
    rt_random_bytes(dice, mask, sizeof(mask));
    size_t header_bytes = net_ws_write_header(frame, opcode, size_bytes, mask);
    if (!is_last)
        frame[0] &= 0x7f;
    for (size_t i = 0; i < size_bytes; i++)
        frame[header_bytes + i] = bytes[i] ^ mask[i % 4];
    add(script, frame, header_bytes + size_bytes);
}

/* In one frame or in several, with pings between them. */
static void
add_message(struct script *script, struct rt_random *dice)
{
    uint8_t message[MESSAGE_BYTES_MAX];
    size_t size = fill(dice, message, sizeof(message)), at = 0;
    enum net_ws_opcode opcode = rt_random_chance(dice, 500) ? NET_WS_OP_TEXT : NET_WS_OP_BINARY;
    while (rt_random_chance(dice, 400)) {
        size_t part = rt_random_below(dice, size - at + 1);
        add_frame(script, dice, opcode, false, message + at, part);
        at += part;
        opcode = NET_WS_OP_CONTINUATION;
        if (script->pings && rt_random_chance(dice, 500))
            add_frame(script, dice, NET_WS_OP_PING, true, message, size < 100 ? size : 100);
    }
    add_frame(script, dice, opcode, true, message + at, size - at);
}

static void
add_websocket(struct script *script, struct rt_random *dice)
{
    static const uint8_t code_1000[2] = {0x03, 0xe8};
    add_text(script, "GET /ws HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\n"
                     "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
    for (uint64_t i = rt_random_below(dice, MESSAGES_MAX + 1); i > 0; i--)
        add_message(script, dice);
    if (rt_random_chance(dice, 700))
        add_frame(script, dice, NET_WS_OP_CLOSE, true, code_1000, sizeof(code_1000));
}

/* A byte is another one, or missing, or there twice. */
static void
damage(struct script *script, struct rt_random *dice)
{
    size_t at = rt_random_below(dice, script->size_bytes);
    uint8_t *byte = script->bytes + at;
    switch (rt_random_below(dice, 3)) {
    case 0:
        *byte ^= (uint8_t)(1 + rt_random_below(dice, 255));
        break;
    case 1:
        memmove(byte, byte + 1, --script->size_bytes - at);
        break;
    default:
        memmove(byte + 1, byte, script->size_bytes++ - at);
        break;
    }
}

static void
write_script(struct script *script, uint64_t seed)
{
    struct rt_random dice;
    rt_random_seed(&dice, seed);
    script->size_bytes = 0;
    script->pings = rt_random_chance(&dice, 500);
    for (uint64_t i = rt_random_below(&dice, REQUESTS_MAX + 1); i > 0; i--)
        add_request(script, &dice);
    if (script->size_bytes == 0 || rt_random_chance(&dice, 600))
        add_websocket(script, &dice);
    if (rt_random_chance(&dice, 400))
        damage(script, &dice);
}

/* One connection from its begin to its end. */
struct run {
    struct rt_sim *sim;
    struct sim_wire *wire;
    struct owner owner;
    const uint8_t *got;
    size_t got_bytes;
};

static struct run
connect_and_wait(const struct script *script, struct sim_wire_options options, uint64_t seed,
                 struct owner *owner)
{
    struct run run = {.sim = rt_sim_create(&(struct rt_sim_options){.seed = seed, .workers = 1})};
    CHECK(run.sim != NULL);
    *owner = (struct owner){0};
    options.sent = script->bytes;
    options.sent_bytes = script->size_bytes;
    options.server = (struct net_server_options){
        .events = {.context = owner,
                   .on_request = on_request,
                   .on_message = on_message,
                   .on_drained = on_drained,
                   .on_closed = on_closed},
        .header_bytes_max = 2048,
        .body_bytes_max = BODY_BYTES_MAX - 500,
        .message_bytes_max = MESSAGE_BYTES_MAX - 300,
        .queued_bytes_max = script->pings ? 1 << 20 : 4096,
        .connections_max = 1,
        .header_timeout_ms = 600000,
        .body_timeout_ms = 600000,
        .idle_timeout_ms = 600000,
        .ping_interval_ms = 600000,
    };
    run.wire = sim_wire_connect(run.sim, &options);
    rt_sim_run_until(run.sim, rt_sim_now_ns(run.sim) + QUIET_S * RT_NS_PER_S);
    sim_wire_hang_up(run.wire);
    rt_sim_run_until(run.sim, rt_sim_now_ns(run.sim) + RT_NS_PER_S);
    CHECK(sim_wire_is_gone(run.wire) && owner->conn == NULL);
    CHECK(owner->closed == (owner->requests > 0));
    free(owner->held);
    run.got = sim_wire_got(run.wire, &run.got_bytes);
    return run;
}

static void
end(struct run *run)
{
    rt_sim_destroy(run->sim);
    sim_wire_free(run->wire);
}

/* Whether what came over another wire is what it should be: the same, or its beginning. */
static bool
is_right(const struct script *script, const struct run *whole, struct sim_wire_options options,
         uint64_t seed)
{
    struct owner owner;
    options.is_chopped = true;
    struct run run = connect_and_wait(script, options, seed, &owner);
    bool may_be_less = options.breaks_at != SIM_WIRE_NEVER;
    bool right = run.got_bytes <= whole->got_bytes &&
                 (may_be_less || run.got_bytes == whole->got_bytes) &&
                 (run.got_bytes == 0 || memcmp(run.got, whole->got, run.got_bytes) == 0);
    end(&run);
    return right;
}

struct seen {
    uint64_t requests, answered_bytes, refused, upgraded;
};

static bool
run_seed(uint64_t seed, bool loses, struct seen *seen)
{
    static struct script script;
    struct owner owner;
    write_script(&script, seed);
    struct run whole = connect_and_wait(
        &script, (struct sim_wire_options){.breaks_at = SIM_WIRE_NEVER}, seed, &owner);
    struct sim_wire_options options = {.breaks_at = SIM_WIRE_NEVER, .loses = loses};
    bool right = true;
    for (uint64_t i = 1; i <= CHOPPED_RUNS && right; i++)
        right = is_right(&script, &whole, options, seed + (i << 32));
    struct rt_random dice;
    rt_random_seed(&dice, ~seed);
    options.breaks_at = (long)rt_random_below(&dice, script.size_bytes + whole.got_bytes + 1);
    right = right && (loses || is_right(&script, &whole, options, seed + (UINT64_C(9) << 32)));
    seen->requests += owner.requests;
    seen->answered_bytes += whole.got_bytes;
    seen->refused += whole.got_bytes > 0 && memmem(whole.got, whole.got_bytes, "HTTP/1.1 4", 10);
    seen->upgraded += whole.got_bytes > 0 && memmem(whole.got, whole.got_bytes, "HTTP/1.1 101", 12);
    end(&whole);
    return right;
}

int
main(int argc, char **argv)
{
    uint64_t from = 1, seeds = 500;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--from") == 0)
            from = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--seeds") == 0)
            seeds = strtoull(argv[i + 1], NULL, 10);
    }
    struct seen seen = {0}, planted = {0};
    for (uint64_t seed = from; seed < from + seeds; seed++) {
        if (run_seed(seed, false, &seen))
            continue;
        fprintf(stderr,
                "seed %lu: a chopped wire had other answers\nagain: sim_edge --from %lu "
                "--seeds 1\n",
                seed, seed);
        return 1;
    }
    printf("%lu seeds: %lu requests, %lu bytes of answers, %lu refused, %lu upgraded\n", seeds,
           seen.requests, seen.answered_bytes, seen.refused, seen.upgraded);
    CHECK(seeds < 100 || (seen.requests > seeds && seen.refused > 0 && seen.upgraded > 0));
    uint64_t seed = 1;
    while (seed <= PLANTED_SEEDS && run_seed(seed, true, &planted))
        seed++;
    CHECK(seed <= PLANTED_SEEDS); /* a wire that loses bytes is found out */
    rt_pool_thread_end();
    return 0;
}
