/*
 * The operators' view of the actor machine: workers, actors, the turns of late, and what runs now.
 */
#include <stdlib.h>
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/flight.h"
#include "runtime/pool.h"

enum { TOP_ACTORS = 20, ACTOR_DIGITS_MAX = 19 };

static void
answer_written(struct rt_actor *self, const struct admin_call *call, struct wire_writer *writer)
{
    struct rt_buffer *json = admin_written(writer);
    struct rt_message *answer = json == NULL ? NULL : admin_done_message(200, NULL, json);
    if (answer == NULL)
        rt_answer_failed(self, call->message, RT_NO_MEMORY);
    else
        rt_answer(self, call->message, answer);
}

/* The actors with most waiting, and among equals the busiest; most first. */
struct top {
    unsigned count;
    struct rt_actor_info actors[TOP_ACTORS];
};

static bool
is_busier(const struct rt_actor_info *a, const struct rt_actor_info *b)
{
    return a->waiting != b->waiting ? a->waiting > b->waiting : a->messages > b->messages;
}

static void
add_to_top(void *context, const struct rt_actor_info *info)
{
    struct top *top = context;
    if (top->count == TOP_ACTORS && !is_busier(info, &top->actors[TOP_ACTORS - 1]))
        return;
    unsigned at = top->count < TOP_ACTORS ? top->count++ : TOP_ACTORS - 1;
    for (; at > 0 && is_busier(info, &top->actors[at - 1]); at--)
        top->actors[at] = top->actors[at - 1];
    top->actors[at] = *info;
}

static void
write_top(struct wire_writer *writer, struct rt_system *system)
{
    struct top top = {.count = 0};
    rt_system_visit(system, add_to_top, &top);
    wire_open_array(writer, "top");
    for (unsigned i = 0; i < top.count; i++) {
        wire_open_map(writer, NULL);
        wire_int(writer, "actor", (int64_t)top.actors[i].id);
        wire_text(writer, "kind", top.actors[i].kind);
        wire_int(writer, "waiting", top.actors[i].waiting);
        wire_int(writer, "messages", top.actors[i].messages);
        wire_close(writer);
    }
    wire_close(writer);
}

static void
write_dead_letters(struct wire_writer *writer, struct rt_system *system, uint64_t count)
{
    struct rt_dead_letter letters[RT_DEAD_LETTERS_KEPT];
    unsigned kept = rt_system_dead_letters(system, letters);
    wire_open_map(writer, "dead_letters");
    wire_int(writer, "count", (int64_t)count);
    wire_open_array(writer, "last");
    for (unsigned i = 0; i < kept; i++) {
        wire_open_map(writer, NULL);
        wire_int(writer, "to", (int64_t)letters[i].target_id);
        wire_int(writer, "from", (int64_t)letters[i].from_id);
        wire_int(writer, "message_kind", letters[i].kind);
        wire_close(writer);
    }
    wire_close(writer);
    wire_close(writer);
}

static void
write_refused(struct wire_writer *writer, const struct rt_system_stats *stats)
{
    wire_int(writer, "refused", (int64_t)stats->refused);
    wire_open_array(writer, "refusals");
    for (unsigned i = 0; i < RT_REFUSALS; i++) {
        wire_open_map(writer, NULL);
        wire_text(writer, "lane", rt_refusal_lane((enum rt_refusal)i));
        wire_text(writer, "reason", rt_refusal_reason((enum rt_refusal)i));
        wire_int(writer, "count", (int64_t)stats->refusals[i]);
        wire_close(writer);
    }
    wire_close(writer);
}

/* Messages that failed their actors. */
static void
write_parked(struct wire_writer *writer, struct rt_system *system, uint64_t count)
{
    struct rt_parked parked[RT_PARKED_KEPT];
    unsigned kept = rt_system_parked(system, parked);
    wire_open_map(writer, "parked");
    wire_int(writer, "count", (int64_t)count);
    wire_open_array(writer, "last");
    for (unsigned i = 0; i < kept; i++) {
        wire_open_map(writer, NULL);
        wire_int(writer, "actor", (int64_t)parked[i].actor);
        wire_text(writer, "kind", parked[i].kind);
        wire_int(writer, "message_kind", parked[i].message_kind);
        wire_int(writer, "times", parked[i].times);
        wire_close(writer);
    }
    wire_close(writer);
    wire_close(writer);
}

static void
write_workers(struct wire_writer *writer, struct rt_system *system)
{
    wire_open_array(writer, "workers");
    for (unsigned i = 0; i < rt_system_workers(system); i++) {
        struct rt_flight_turn turn = {.is_over = true};
        bool ran = rt_flight_last(system, i, &turn);
        wire_open_map(writer, NULL);
        wire_int(writer, "index", i);
        wire_bool(writer, "is_running", ran && !turn.is_over);
        wire_int(writer, "turns", (int64_t)turn.number);
        wire_int(writer, "queued", rt_flight_waiting(system, i));
        wire_close(writer);
    }
    wire_close(writer);
}

void
admin_runtime(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct rt_system *system = admin->world->system;
    struct rt_system_stats stats = rt_system_stats(system);
    struct rt_pool_stats pool = rt_pool_stats();
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    write_workers(writer, system);
    wire_open_map(writer, "actors");
    wire_int(writer, "alive", (int64_t)stats.actors);
    wire_int(writer, "spawned", (int64_t)stats.spawned);
    wire_int(writer, "failures", (int64_t)stats.failures);
    wire_int(writer, "restarts", (int64_t)stats.restarts);
    wire_close(writer);
    write_refused(writer, &stats);
    wire_int(writer, "stalls", (int64_t)rt_watchdog_stalls());
    wire_int(writer, "pool_bytes", (int64_t)pool.live_bytes);
    write_dead_letters(writer, system, stats.dead_letters);
    write_parked(writer, system, stats.parked);
    write_top(writer, system);
    wire_close(writer);
    answer_written(self, call, writer);
}

static void
write_turn(struct wire_writer *writer, const struct rt_flight_turn *turn, uint64_t now_ns)
{
    uint64_t ago_ns = now_ns > turn->since_ns ? now_ns - turn->since_ns : 0;
    wire_int(writer, "worker", turn->worker);
    wire_int(writer, "turn", (int64_t)turn->number);
    wire_int(writer, "actor", (int64_t)turn->actor);
    wire_text(writer, "kind", turn->kind);
    wire_int(writer, "message_kind", turn->message_kind);
    wire_int(writer, "messages", turn->messages);
    wire_int(writer, "since_us", (int64_t)(ago_ns / RT_NS_PER_US));
    wire_bool(writer, "is_running", !turn->is_over);
}

struct trace {
    struct wire_writer *writer;
    uint64_t actor; /* 0: all */
    uint64_t now_ns;
};

static void
add_to_trace(void *context, const struct rt_flight_turn *turn)
{
    struct trace *trace = context;
    if (trace->actor != 0 && turn->actor != trace->actor)
        return;
    wire_open_map(trace->writer, NULL);
    write_turn(trace->writer, turn, trace->now_ns);
    wire_close(trace->writer);
}

void
admin_runtime_trace(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    char actor[ACTOR_DIGITS_MAX + 2];
    admin_query_text(call->request->query, "actor", actor, sizeof(actor));
    size_t digits = strspn(actor, "0123456789");
    if (actor[digits] != '\0' || digits > ACTOR_DIGITS_MAX) {
        admin_refuse(self, call,
                     problem_make(PROBLEM_INVALID_FIELD,
                                  "actor must be an id that GET "
                                  "/api/runtime shows, or left out for all"));
        return;
    }
    struct trace trace = {.writer = wire_begin(WIRE_JSON),
                          .actor = digits == 0 ? 0 : strtoull(actor, NULL, 10),
                          .now_ns = rt_now_ns(self)};
    wire_open_map(trace.writer, NULL);
    wire_open_array(trace.writer, "turns");
    rt_flight_visit(admin->world->system, add_to_trace, &trace);
    wire_close(trace.writer);
    wire_close(trace.writer);
    answer_written(self, call, trace.writer);
}

void
admin_runtime_why(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct rt_system *system = admin->world->system;
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_open_array(writer, "running");
    for (unsigned i = 0; i < rt_system_workers(system); i++) {
        struct rt_flight_turn turn;
        if ((int)i == rt_system_worker_here() || !rt_flight_last(system, i, &turn) || turn.is_over)
            continue; /* this answer's own turn is no news */
        char place[RT_FLIGHT_PLACE_BYTES];
        rt_flight_place(system, i, turn.number, place);
        rt_flight_ask(system, i); /* for whoever asks again */
        wire_open_map(writer, NULL);
        write_turn(writer, &turn, rt_now_ns(self));
        wire_text(writer, "place", place);
        wire_close(writer);
    }
    wire_close(writer);
    wire_close(writer);
    answer_written(self, call, writer);
}
