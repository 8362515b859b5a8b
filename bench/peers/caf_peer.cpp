// bench/peers/caf_peer.cpp - the workloads of bench/micro/exchange.c and create.c in CAF 0.17.
//
// usage: caf_peer WORKLOAD PERCENT WORKERS; prints one JSON object.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <future>
#include <string>
#include <unistd.h>
#include <vector>

#include <caf/all.hpp>

namespace
{

constexpr uint64_t chunk = 100;

using next_atom = caf::atom_constant<caf::atom("next")>;
using go_atom = caf::atom_constant<caf::atom("go")>;
using ping_atom = caf::atom_constant<caf::atom("ping")>;
using pong_atom = caf::atom_constant<caf::atom("pong")>;

std::promise<void> done;
std::atomic<uint64_t> counter;

double
read_ns(clockid_t clock)
{
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double
resident_bytes()
{
    unsigned long size = 0, resident = 0;
    std::FILE *file = std::fopen("/proc/self/statm", "r");
    if (file == nullptr || std::fscanf(file, "%lu %lu", &size, &resident) != 2)
        std::exit(1);
    std::fclose(file);
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

// Runs until `done` and prints wall and CPU time a message; and the memory when asked for it.
void
measure(uint64_t messages, const std::function<void()> &start, bool with_bytes = false)
{
    auto count = static_cast<double>(messages);
    double bytes = resident_bytes();
    double cpu = read_ns(CLOCK_PROCESS_CPUTIME_ID), wall = read_ns(CLOCK_MONOTONIC);
    start();
    done.get_future().wait();
    wall = read_ns(CLOCK_MONOTONIC) - wall;
    cpu = read_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    bytes = resident_bytes() - bytes;
    std::printf("{\"ns\":%.2f,\"cpu_ns\":%.2f", wall / count, cpu / count);
    if (with_bytes)
        std::printf(",\"bytes\":%.1f", bytes / count);
    std::printf("}\n");
    std::fflush(stdout);
}

struct passer_state {
    caf::actor next;
};

caf::behavior
passer(caf::stateful_actor<passer_state> *self, const caf::actor &next)
{
    self->state.next = next;
    return {
        [self](next_atom, const caf::actor &actor) { self->state.next = actor; },
        [self](uint64_t left) {
            if (left == 0)
                done.set_value();
            else
                self->send(self->state.next, left - 1);
        },
    };
}

void
ring(caf::actor_system &system, unsigned actors, uint64_t hops)
{
    caf::actor first = system.spawn(passer, caf::actor{}), last = first;
    for (unsigned i = 1; i < actors; i++)
        last = system.spawn(passer, last);
    caf::anon_send(first, next_atom::value, last);
    measure(hops, [&] { caf::anon_send(first, hops); });
    caf::anon_send_exit(first, caf::exit_reason::kill);
    std::_Exit(0); // the ring holds itself alive
}

struct consumer_state {
    uint64_t left;
};

caf::behavior
consumer(caf::stateful_actor<consumer_state> *self, uint64_t messages)
{
    self->state.left = messages;
    return {[self](uint64_t) {
        if (--self->state.left == 0)
            done.set_value();
    }};
}

caf::behavior
producer(caf::event_based_actor *self, const caf::actor &target)
{
    return {[self, target](next_atom, uint64_t left) {
        for (uint64_t i = 0; i < chunk && left > 0; i++, left--)
            self->send(target, left);
        if (left > 0)
            self->send(self, next_atom::value, left);
    }};
}

void
fan_in(caf::actor_system &system, unsigned producers, uint64_t each)
{
    caf::actor target = system.spawn(consumer, producers * each);
    std::vector<caf::actor> all;
    for (unsigned i = 0; i < producers; i++)
        all.push_back(system.spawn(producer, target));
    measure(producers * each, [&] {
        for (auto &one : all)
            caf::anon_send(one, next_atom::value, each);
    });
    std::_Exit(0);
}

std::vector<caf::actor> crowd;

struct member_state {
    uint64_t left, random;
};

void
ping(caf::stateful_actor<member_state> *self)
{
    auto &state = self->state;
    if (state.left == 0) {
        if (counter.fetch_sub(1) == 1)
            done.set_value();
        return;
    }
    state.left--;
    state.random = state.random * 6364136223846793005U + 1442695040888963407U;
    self->send(crowd[(state.random >> 33) % crowd.size()], ping_atom::value, self);
}

caf::behavior
member(caf::stateful_actor<member_state> *self)
{
    return {
        [self](go_atom, uint64_t pings) {
            self->state = {pings, self->id()};
            ping(self);
        },
        [self](ping_atom, const caf::actor &from) { self->send(from, pong_atom::value); },
        [self](pong_atom) { ping(self); },
    };
}

void
big(caf::actor_system &system, unsigned actors, uint64_t pings)
{
    for (unsigned i = 0; i < actors; i++)
        crowd.push_back(system.spawn(member));
    counter = actors;
    measure(actors * pings * 2, [&] {
        for (auto &one : crowd)
            caf::anon_send(one, go_atom::value, pings);
    });
    std::_Exit(0);
}

struct small_state {
    uint64_t hellos;
};

caf::behavior
small(caf::stateful_actor<small_state> *self, uint64_t actors)
{
    return {[self, actors](uint64_t) {
        self->state.hellos++;
        if (counter.fetch_add(1, std::memory_order_relaxed) + 1 == actors)
            done.set_value();
    }};
}

struct maker_state {
    std::vector<caf::actor> made;
};

caf::behavior
maker(caf::stateful_actor<maker_state> *self, uint64_t actors)
{
    return {[self, actors](next_atom, uint64_t left) {
        for (int i = 0; i < 1000 && left > 0; i++, left--) {
            self->state.made.push_back(self->spawn(small, actors));
            self->send(self->state.made.back(), left);
        }
        if (left > 0)
            self->send(self, next_atom::value, left);
    }};
}

void
create(caf::actor_system &system, uint64_t actors)
{
    caf::actor one = system.spawn(maker, actors);
    measure(actors, [&] { caf::anon_send(one, next_atom::value, actors); }, true);
    std::_Exit(0); // ending so many takes longer than making them
}

} // namespace

int
main(int count, char **arguments)
{
    if (count != 4) {
        std::fprintf(stderr, "usage: caf_peer ping_pong|fan_in|ring|big|create PERCENT WORKERS\n");
        return 2;
    }
    caf::actor_system_config config;
    config.set("scheduler.max-threads", std::strtoul(arguments[3], nullptr, 10));
    caf::actor_system system{config};
    std::string workload = arguments[1];
    uint64_t percent = std::strtoul(arguments[2], nullptr, 10);
    auto scaled = [percent](uint64_t usual) {
        return std::max<uint64_t>(1, usual * percent / 100);
    };
    if (workload == "ping_pong")
        ring(system, 2, scaled(2000000));
    else if (workload == "ring")
        ring(system, 1000, scaled(2000000));
    else if (workload == "fan_in")
        fan_in(system, 8, scaled(250000));
    else if (workload == "big")
        big(system, 256, scaled(4000));
    else if (workload == "create") // a tenth of ours: 0.17 needs some 100 us for each
        create(system, scaled(20000));
    return 2;
}
