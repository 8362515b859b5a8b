#include "tests/unit/lua/policy_box.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char directory[] = "/tmp/twin_policies_XXXXXX";
static struct tlua_policies *policies;
static uint64_t clock_ns;

static uint64_t
now_ns(void *self)
{
    (void)self;
    return clock_ns;
}

static const struct rt_world world = {.now_ns = now_ns};

void
policy_box_open(void)
{
    cr_assert_not_null(mkdtemp(directory));
    struct tlua_policy_options options = {.directory = directory, .workers = 4, .world = &world};
    policies = tlua_policies_create(&options);
    cr_assert_not_null(policies);
}

void
policy_box_close(void)
{
    tlua_policies_destroy(policies);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

void
policy_box_pass(uint64_t ms)
{
    clock_ns += ms * RT_NS_PER_MS;
}

const char *
policy_box_directory(void)
{
    return directory;
}

struct tlua_policies *
policy_box_policies(void)
{
    return policies;
}

static void
path_of(const char *name, const char *suffix, char path_out[256])
{
    snprintf(path_out, 256, "%s/%s%s", directory, name, suffix);
}

void
policy_box_write(const char *name, const char *text)
{
    char draft[256], path[256];
    path_of(name, ".draft", draft);
    path_of(name, ".lua", path);
    FILE *file = fopen(draft, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(text, 1, strlen(text), file), strlen(text));
    cr_assert_eq(fclose(file), 0);
    cr_assert_eq(rename(draft, path), 0);
}

void
policy_box_remove(const char *name)
{
    char path[256];
    path_of(name, ".lua", path);
    cr_assert_eq(unlink(path), 0);
}

struct policy_question
policy_box_question(void)
{
    return (struct policy_question){
        .kind = POLICY_ADMIT_TURN,
        .mode = VITO_VOICE,
        .price_max_nusd = 10000000,
        .text_bytes = 40,
        .user = "ana",
        .session_ms = 60000,
        .session_nusd = 20000000,
        .session_tokens = 100,
        .session_turns = 2,
        .seconds_left = VITO_UNLIMITED,
        .tenant_id = "andres-cantor",
        .limit_nusd = 10000000000,
        .posted_nusd = 1000000000,
        .held_nusd = 10000000,
        .remaining_nusd = 8990000000,
        .voice_max_ms = VITO_UNLIMITED,
        .video_max_ms = VITO_UNLIMITED,
        .sessions = 3,
        .rate_per_second = 50,
        .now_ms = 1795298400000,
        .local = {.year = 2026, .month = 11, .day = 21, .hour = 22, .weekday = 6},
        .period_start_ms = 1793484000000,
        .period_end_ms = 1796076000000,
    };
}

struct policy_decision
policy_box_ask(const char *policy, const struct policy_question *question)
{
    struct policy_port port = tlua_policies_port(policies);
    struct policy_decision decision;
    port.ask(port.self, 0, policy, question, &decision);
    return decision;
}

struct policy_decision
policy_box_run(const char *admit_body)
{
    static unsigned count;
    char name[32], text[8192];
    snprintf(name, sizeof(name), "p%u", count++);
    snprintf(text, sizeof(text),
             "local decision = require 'twin.decision'\n"
             "local money = require 'twin.money'\n"
             "return { admit = function(request, tenant, settings)\n%s\nend }\n",
             admit_body);
    policy_box_write(name, text);
    struct policy_question question = policy_box_question();
    struct policy_decision decision = policy_box_ask(name, &question);
    rt_buffer_release(decision.memory);
    decision.memory = NULL;
    return decision;
}

bool
policy_box_failed(const struct policy_decision *decision, const char *cause)
{
    char facts[64];
    snprintf(facts, sizeof(facts), "{\"cause\":\"%s\"}", cause);
    return decision->action == POLICY_DENY && strcmp(decision->reason, "policy_failed") == 0 &&
           strcmp(decision->facts, facts) == 0;
}
