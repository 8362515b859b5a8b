#include "runtime/flight.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/internal.h"
#include "runtime/scheduler.h"

static const struct rt_recorder *
recorder_of(struct rt_system *system, unsigned worker)
{
    RT_ASSERT(worker < system->worker_count);
    return system->recorders[worker];
}

/* Reads turn `number`. False when it is not there any more. */
static bool
read_turn(struct rt_system *system, unsigned worker, uint64_t number,
          struct rt_flight_turn *turn_out)
{
    const struct rt_recorder *recorder = recorder_of(system, worker);
    const struct rt_recorded_turn *turn = &recorder->turns[(number - 1) % RT_FLIGHT_TURNS];
    /* Acquire: these loads come before the look at `count` below. */
    *turn_out = (struct rt_flight_turn){
        .worker = worker,
        .number = number,
        .since_ns = atomic_load_explicit(&turn->since_ns, memory_order_acquire),
        .actor = atomic_load_explicit(&turn->actor, memory_order_acquire),
        .kind = atomic_load_explicit(&turn->kind, memory_order_acquire),
        .message_kind = atomic_load_explicit(&turn->message_kind, memory_order_acquire),
        .messages = atomic_load_explicit(&turn->messages, memory_order_acquire),
        .is_over = atomic_load_explicit(&turn->is_over, memory_order_acquire),
    };
    uint64_t count = atomic_load_explicit(&recorder->count, memory_order_acquire);
    turn_out->is_over |= count > number;
    return count >= number && count - number < RT_FLIGHT_TURNS - 1; /* one may be in the making */
}

void
rt_flight_visit(struct rt_system *system,
                void (*visit)(void *context, const struct rt_flight_turn *turn), void *context)
{
    for (unsigned i = 0; i < system->worker_count; i++) {
        uint64_t count = atomic_load_explicit(&recorder_of(system, i)->count, memory_order_acquire);
        uint64_t oldest = count < RT_FLIGHT_TURNS ? 1 : count - RT_FLIGHT_TURNS + 2;
        for (uint64_t number = oldest; number <= count; number++) {
            struct rt_flight_turn turn;
            if (read_turn(system, i, number, &turn))
                visit(context, &turn);
        }
    }
}

bool
rt_flight_last(struct rt_system *system, unsigned worker, struct rt_flight_turn *turn_out)
{
    uint64_t count;
    do {
        count = atomic_load_explicit(&recorder_of(system, worker)->count, memory_order_acquire);
        if (count == 0)
            return false;
    } while (!read_turn(system, worker, count, turn_out));
    return true;
}

unsigned
rt_flight_waiting(struct rt_system *system, unsigned worker)
{
    RT_ASSERT(worker < system->worker_count);
    return system->scheduler == NULL
               ? 0
               : rt_run_queue_count(&system->scheduler->threads[worker]->ring);
}

bool
rt_flight_is_asked(void)
{
    return rt_worker_here != NULL &&
           atomic_load_explicit(&rt_worker_here->recorder.is_asked, memory_order_relaxed);
}

void
rt_flight_ask(struct rt_system *system, unsigned worker)
{
    RT_ASSERT(worker < system->worker_count);
    atomic_store_explicit(&system->recorders[worker]->is_asked, true, memory_order_relaxed);
}

void
rt_flight_tell(const char *source, int line)
{
    struct rt_recorder *recorder = &rt_worker_here->recorder;
    uint64_t words[RT_FLIGHT_PLACE_BYTES / sizeof(uint64_t)] = {0};
    snprintf((char *)words, sizeof(words), "%s:%d", source, line);
    atomic_store_explicit(&recorder->place_of, 0, memory_order_relaxed);
    for (size_t i = 0; i < RT_COUNT_OF(words); i++) /* release: after the zero above */
        atomic_store_explicit(&recorder->place[i], words[i], memory_order_release);
    /* Pairs with the acquire in rt_flight_place(). */
    atomic_store_explicit(&recorder->place_of,
                          atomic_load_explicit(&recorder->count, memory_order_relaxed),
                          memory_order_release);
    atomic_store_explicit(&recorder->is_asked, false, memory_order_relaxed);
}

void
rt_flight_place(struct rt_system *system, unsigned worker, uint64_t number,
                char place_out[RT_FLIGHT_PLACE_BYTES])
{
    const struct rt_recorder *recorder = recorder_of(system, worker);
    uint64_t words[RT_FLIGHT_PLACE_BYTES / sizeof(uint64_t)];
    place_out[0] = '\0';
    if (atomic_load_explicit(&recorder->place_of, memory_order_acquire) != number)
        return;
    for (size_t i = 0; i < RT_COUNT_OF(words); i++)
        words[i] = atomic_load_explicit(&recorder->place[i], memory_order_acquire);
    if (atomic_load_explicit(&recorder->place_of, memory_order_relaxed) != number)
        return; /* another was being told */
    memcpy(place_out, words, sizeof(words));
    place_out[RT_FLIGHT_PLACE_BYTES - 1] = '\0';
}

/* The crash. Only what POSIX allows in a signal handler from here on. */

enum { CRASH_TURNS = 16 };

static const int crash_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
static struct sigaction crash_before[RT_COUNT_OF(crash_signals)];
static _Atomic(struct rt_system *) crash_system;
static int crash_fd;

struct crash_line {
    char text[160];
    size_t size;
};

static void
add_text(struct crash_line *line, const char *text)
{
    for (; text != NULL && *text != '\0' && line->size < sizeof(line->text) - 1; text++)
        line->text[line->size++] = *text;
}

static void
add_number(struct crash_line *line, const char *name, uint64_t value)
{
    char digits[24];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    do
        digits[--at] = (char)('0' + value % 10);
    while ((value /= 10) != 0);
    add_text(line, name);
    add_text(line, &digits[at]);
}

static void
write_line(struct crash_line *line)
{
    line->text[line->size++] = '\n';
    ssize_t written = write(crash_fd, line->text, line->size);
    (void)written; /* nobody is left to tell */
}

static void
print_turn(unsigned worker, const struct rt_recorded_turn *turn, uint64_t number)
{
    struct crash_line line = {.size = 0};
    add_number(&line, "flight worker=", worker);
    add_number(&line, " turn=", number);
    add_number(&line, " since_ns=", atomic_load_explicit(&turn->since_ns, memory_order_relaxed));
    add_number(&line, " actor=", atomic_load_explicit(&turn->actor, memory_order_relaxed));
    add_text(&line, " kind=");
    add_text(&line, atomic_load_explicit(&turn->kind, memory_order_relaxed));
    add_number(&line, " message=", atomic_load_explicit(&turn->message_kind, memory_order_relaxed));
    add_number(&line, " messages=", atomic_load_explicit(&turn->messages, memory_order_relaxed));
    add_text(&line, atomic_load_explicit(&turn->is_over, memory_order_relaxed) ? "" : " running");
    write_line(&line);
}

static void
on_crash(int signal_number)
{
    struct rt_system *system = atomic_exchange_explicit(&crash_system, NULL, memory_order_acquire);
    for (size_t i = 0; i < RT_COUNT_OF(crash_signals); i++)
        sigaction(crash_signals[i], &crash_before[i], NULL);
    if (system != NULL) {
        struct crash_line head = {.size = 0};
        add_number(&head, "flight crashed signal=", (uint64_t)signal_number);
        write_line(&head);
        for (unsigned i = 0; i < system->worker_count; i++) {
            const struct rt_recorder *recorder = system->recorders[i];
            uint64_t count = atomic_load_explicit(&recorder->count, memory_order_acquire);
            uint64_t number = count < CRASH_TURNS ? 1 : count - CRASH_TURNS + 1;
            for (; number <= count; number++)
                print_turn(i, &recorder->turns[(number - 1) % RT_FLIGHT_TURNS], number);
        }
    }
    raise(signal_number); /* whoever handled it before us, or the default: a core */
}

void
rt_flight_on_crash(struct rt_system *system, int fd)
{
    struct rt_system *before = atomic_load_explicit(&crash_system, memory_order_relaxed);
    crash_fd = fd;
    atomic_store_explicit(&crash_system, system, memory_order_release);
    struct sigaction action = {.sa_handler = on_crash};
    for (size_t i = 0; i < RT_COUNT_OF(crash_signals); i++) {
        if (before == NULL && system != NULL)
            sigaction(crash_signals[i], &action, &crash_before[i]);
        else if (before != NULL && system == NULL)
            sigaction(crash_signals[i], &crash_before[i], NULL);
    }
}
