/* Workers that ask while policies are written anew under them: every answer is one that some
 * version of the file gives, a reload is seen by all workers, and nobody's settings or memory
 * turn up in another's answer. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "lua/policy_vm.h"
#include "runtime/pool.h"
#include "tests/stress/stress.h"

enum { WORKERS = 4, ROUNDS = 60, QUESTIONS = 100 /* of each round, all workers together */ };

static char directory[] = "/tmp/twin_stress_XXXXXX";
static struct tlua_policies *policies;
static atomic_uint round_now;
static atomic_uint_fast64_t asked;
static atomic_bool stopping;

static uint64_t
real_now_ns(void *self)
{
    (void)self;
    const struct rt_world *world = rt_world_real();
    return world->now_ns(world->self) * 1000; /* so that polls are due all the time */
}

static const struct rt_world fast_world = {.now_ns = real_now_ns};

static void
write_policy(const char *name, const char *text)
{
    char draft[128], path[128];
    snprintf(draft, sizeof(draft), "%s/%s.draft", directory, name);
    snprintf(path, sizeof(path), "%s/%s.lua", directory, name);
    FILE *file = fopen(draft, "w");
    CHECK(file != NULL);
    CHECK(fputs(text, file) >= 0);
    CHECK(fclose(file) == 0);
    CHECK(rename(draft, path) == 0);
}

static bool
is_broken(unsigned round)
{
    return round % 7 == 3;
}

/* The policy of a round says which round it is from, and gives back what it was told. */
static void
write_round(unsigned round)
{
    char text[512];
    snprintf(text, sizeof(text),
             "local decision = require 'twin.decision'\n"
             "return { settings = { n = { type = 'integer', required = true } },\n"
             "admit = function(request, tenant, settings)\n"
             "  return decision.deny('ok', { round = %u, n = settings.n, user = request.user }),\n"
             "    { n = settings.n }\n"
             "end }\n",
             round);
    write_policy("p", is_broken(round) ? "return { broken" : text);
}

static void
check_answer(const struct policy_decision *decision, unsigned worker, unsigned round_before)
{
    unsigned n, round;
    char user[16] = "", wanted[16];
    snprintf(wanted, sizeof(wanted), "u%u\"}", worker);
    CHECK(decision->action == POLICY_DENY);
    CHECK(strcmp(decision->reason, "ok") == 0);
    CHECK(sscanf(decision->facts, "{\"n\":%u,\"round\":%u,\"user\":\"%15s", &n, &round, user) == 3);
    CHECK(n == worker);
    CHECK(strcmp(user, wanted) == 0);
    CHECK(round >= (is_broken(round_before) ? round_before - 1 : round_before));
    CHECK(decision->memory != NULL && decision->memory->size_bytes == 4);
    CHECK(decision->memory->bytes[3] == worker);
}

static void *
worker_main(void *context)
{
    unsigned worker = (unsigned)(uintptr_t)context;
    char name[16], json[32];
    struct policy_port port = tlua_policies_port(policies);
    snprintf(name, sizeof(name), "u%u", worker);
    snprintf(json, sizeof(json), "{\"n\":%u}", worker);
    struct rt_buffer *settings = rt_buffer_copy(json, strlen(json));
    struct policy_question question = {.user = name, .tenant_id = name, .settings = settings};
    while (!atomic_load(&stopping)) {
        unsigned round = atomic_load(&round_now);
        struct policy_decision decision;
        port.ask(port.self, worker, "p", &question, &decision);
        check_answer(&decision, worker, round);
        atomic_fetch_add(&asked, 1);
        rt_buffer_release(decision.memory);
    }
    rt_buffer_release(settings);
    rt_pool_thread_end();
    return NULL;
}

int
main(void)
{
    CHECK(mkdtemp(directory) != NULL);
    write_round(0);
    struct tlua_policy_options options = {.directory = directory,
                                          .workers = WORKERS,
                                          .world = &fast_world,
                                          .cpu_ms_max = TLUA_CPU_UNLIMITED};
    policies = tlua_policies_create(&options);
    CHECK(policies != NULL);
    pthread_t workers[WORKERS];
    for (uintptr_t i = 0; i < WORKERS; i++)
        CHECK(pthread_create(&workers[i], NULL, worker_main, (void *)i) == 0);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        write_round(round);
        size_t broken = tlua_policies_reload(policies);
        CHECK(broken == is_broken(round));
        atomic_store(&round_now, round);
        uint_fast64_t asked_before = atomic_load(&asked);
        while (atomic_load(&asked) < asked_before + QUESTIONS)
            sched_yield();
    }
    atomic_store(&stopping, true);
    for (int i = 0; i < WORKERS; i++)
        CHECK(pthread_join(workers[i], NULL) == 0);
    tlua_policies_destroy(policies);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    CHECK(system(command) == 0);
    rt_pool_thread_end();
    return 0;
}
