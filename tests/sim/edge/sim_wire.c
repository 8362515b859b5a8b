#include "tests/sim/edge/sim_wire.h"

#include <stdlib.h>
#include <string.h>

#include "net/conn.h"
#include "tests/stress/stress.h"

enum {
    PIECE_BYTES_MAX = 64,
    PIECE_MS_MAX = 3,
    FULL_PER_MILLE = 300,
    FULL_MS_MAX = 20,
};

struct net_timers {
    struct rt_sim *sim;
    struct rt_wheel wheel;
};

struct sim_wire {
    struct rt_sim *sim;
    struct sim_wire_options options;
    struct net_timers timers;
    struct net_listener listener;
    void *owner; /* NULL: gone */
    size_t brought_bytes;
    uint8_t *got;
    size_t got_bytes, got_room;
    bool is_reading, is_full, is_shut, in_event;
    unsigned events_set; /* that name this wire */
};

static struct sim_wire *
of(struct lws *wire)
{
    return (struct sim_wire *)(void *)wire;
}

static uint64_t
dice(const struct sim_wire *wire, uint64_t below)
{
    return rt_random_below(rt_sim_random(wire->sim), below);
}

static void
after_ms(struct sim_wire *wire, uint64_t ms, void (*run)(void *context))
{
    CHECK(rt_sim_after(wire->sim, ms * RT_NS_PER_MS, run, wire));
}

/* As a loop calls back: on the worker, whose round ends behind it. */
static void
call(struct sim_wire *wire, void (*run)(void *context))
{
    if (wire->owner != NULL)
        rt_sim_call(wire->sim, 0, run, wire);
}

static void
go(struct sim_wire *wire)
{
    void *owner = wire->owner;
    CHECK(owner != NULL && !wire->in_event);
    wire->owner = NULL;
    net_conn_on_gone(owner);
}

static void
break_now(void *context)
{
    go(context);
}

static bool
breaks(const struct sim_wire *wire)
{
    long bytes = (long)(wire->brought_bytes + wire->got_bytes);
    return wire->options.breaks_at != SIM_WIRE_NEVER && bytes >= wire->options.breaks_at;
}

static size_t
choose_piece(const struct sim_wire *wire)
{
    size_t left = wire->options.sent_bytes - wire->brought_bytes;
    size_t most = wire->options.is_chopped ? 1 + dice(wire, PIECE_BYTES_MAX)
                                           : (size_t)NET_WIRE_READ_BYTES_MAX;
    if (wire->options.breaks_at != SIM_WIRE_NEVER &&
        wire->brought_bytes + most > (size_t)wire->options.breaks_at)
        most = (size_t)wire->options.breaks_at - wire->brought_bytes;
    return left < most ? left : most;
}

static void read_later(struct sim_wire *wire);

/* A copy of its own size, so that a sanitizer sees who reads beyond it. */
static void
bring(void *context)
{
    struct sim_wire *wire = context;
    size_t size = choose_piece(wire);
    if (size > 0) {
        uint8_t *piece = malloc(size);
        CHECK(piece != NULL);
        memcpy(piece, wire->options.sent + wire->brought_bytes, size);
        wire->brought_bytes += size;
        if (wire->options.loses && dice(wire, 10) == 0 &&
            wire->brought_bytes < wire->options.sent_bytes)
            wire->brought_bytes++;
        wire->in_event = true;
        net_conn_on_bytes(wire->owner, piece, size);
        wire->in_event = false;
        free(piece);
    }
    read_later(wire);
}

static void
on_readable(void *context)
{
    struct sim_wire *wire = context;
    wire->events_set--;
    if (breaks(wire))
        call(wire, break_now);
    else if (wire->is_reading)
        call(wire, bring);
}

static void
read_later(struct sim_wire *wire)
{
    bool has_more = wire->brought_bytes < wire->options.sent_bytes || breaks(wire);
    if (!has_more || !wire->is_reading || wire->events_set > 0)
        return;
    wire->events_set++;
    after_ms(wire, wire->options.is_chopped ? dice(wire, PIECE_MS_MAX) : 0, on_readable);
}

static void
tell_writable(void *context)
{
    struct sim_wire *wire = context;
    wire->in_event = true;
    net_conn_on_writable(wire->owner);
    wire->in_event = false;
}

static void
on_room(void *context)
{
    struct sim_wire *wire = context;
    wire->is_full = false;
    call(wire, tell_writable);
}

/* In the place of net/carrier.c. */

int
net_wire_fd(struct lws *wire)
{
    (void)wire;
    return -1;
}

enum rt_status
net_wire_write(struct lws *lws, uint8_t *bytes, size_t size_bytes)
{
    struct sim_wire *wire = of(lws);
    CHECK(!wire->is_full && !wire->is_shut && wire->owner != NULL);
    CHECK(size_bytes > 0 && size_bytes <= NET_WIRE_WRITE_BYTES_MAX);
    if (breaks(wire))
        return RT_CLOSED;
    while (wire->got_bytes + size_bytes > wire->got_room) {
        wire->got_room = wire->got_room == 0 ? 4096 : wire->got_room * 2;
        wire->got = realloc(wire->got, wire->got_room);
        CHECK(wire->got != NULL);
    }
    memcpy(wire->got + wire->got_bytes, bytes, size_bytes);
    wire->got_bytes += size_bytes;
    memset(bytes, 0xa5, size_bytes); /* they are the wire's now */
    wire->is_full = wire->options.is_chopped && dice(wire, 1000) < FULL_PER_MILLE;
    if (wire->is_full)
        after_ms(wire, dice(wire, FULL_MS_MAX), on_room);
    return wire->is_full ? RT_FULL : RT_OK;
}

bool
net_wire_is_full(struct lws *wire)
{
    return of(wire)->is_full;
}

static void
on_wanted(void *context)
{
    call(context, tell_writable);
}

void
net_wire_want_writable(struct lws *wire)
{
    after_ms(of(wire), 0, on_wanted);
}

void
net_wire_set_reading(struct lws *wire, bool reading)
{
    of(wire)->is_reading = reading;
    read_later(of(wire));
}

void
net_wire_shut(struct lws *wire)
{
    of(wire)->is_shut = true;
}

void
net_wire_drop(struct lws *wire)
{
    go(of(wire));
}

/* In the place of net/timers.c. */

static void
fire_due(void *context)
{
    struct sim_wire *wire = context;
    struct rt_wheel_entry *entry;
    while (wire->owner != NULL &&
           (entry = rt_wheel_expire(&wire->timers.wheel, rt_sim_now_ns(wire->sim))) != NULL) {
        struct net_timer *timer = RT_CONTAINER_OF(entry, struct net_timer, entry);
        timer->fire(timer);
    }
}

static void
on_due(void *context)
{
    call(context, fire_due);
}

void
net_timers_set(struct net_timers *timers, struct net_timer *timer, uint64_t delay_ns)
{
    struct sim_wire *wire = RT_CONTAINER_OF(timers, struct sim_wire, timers);
    rt_wheel_remove(&timers->wheel, &timer->entry);
    rt_wheel_insert(&timers->wheel, &timer->entry, rt_sim_now_ns(timers->sim) + delay_ns);
    after_ms(wire, delay_ns / RT_NS_PER_MS + 1, on_due);
}

void
net_timers_cancel(struct net_timers *timers, struct net_timer *timer)
{
    rt_wheel_remove(&timers->wheel, &timer->entry);
}

uint64_t
net_timers_now_ns(const struct net_timers *timers)
{
    return rt_sim_now_ns(timers->sim);
}

uint64_t
net_timers_round_ns(const struct net_timers *timers)
{
    return rt_sim_now_ns(timers->sim);
}

/* In the place of net/listener.c: the same at any time, so that answers can be compared. */
const char *
net_listener_date(struct net_listener *listener)
{
    (void)listener;
    return "Sat, 21 Nov 2026 00:00:00 GMT";
}

static void
accept_wire(void *context)
{
    struct sim_wire *wire = context;
    wire->owner = net_conn_open(&wire->listener, (struct lws *)(void *)wire);
    CHECK(wire->owner != NULL);
    wire->is_reading = true;
    read_later(wire);
}

struct sim_wire *
sim_wire_connect(struct rt_sim *sim, const struct sim_wire_options *options)
{
    struct sim_wire *wire = calloc(1, sizeof(*wire));
    CHECK(wire != NULL);
    wire->sim = sim;
    wire->options = *options;
    wire->options.server.system = rt_sim_system(sim);
    wire->timers.sim = sim;
    rt_wheel_init(&wire->timers.wheel, rt_sim_now_ns(sim));
    wire->listener = (struct net_listener){
        .options = &wire->options.server, .timers = &wire->timers, .is_accepting = true};
    rt_sim_call(sim, 0, accept_wire, wire);
    return wire;
}

const uint8_t *
sim_wire_got(const struct sim_wire *wire, size_t *size_bytes_out)
{
    *size_bytes_out = wire->got_bytes;
    return wire->got;
}

bool
sim_wire_is_gone(const struct sim_wire *wire)
{
    return wire->owner == NULL;
}

void
sim_wire_hang_up(struct sim_wire *wire)
{
    call(wire, break_now);
}

void
sim_wire_free(struct sim_wire *wire)
{
    CHECK(wire->owner == NULL && wire->listener.conn_count == 0);
    free(wire->got);
    free(wire);
}
