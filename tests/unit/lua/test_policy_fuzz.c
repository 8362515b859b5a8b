/* What holds for any policy whatever: it is decided, the next question is answered, and nothing
 * leaks or breaks, also where memory ends at any moment. Programs are drawn from a grammar of
 * the sandbox's worst words; a failure prints the seed and the program, and TWIN_FUZZ_PROGRAMS
 * says how many are tried. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"
#include "tests/unit/lua/policy_box.h"

TestSuite(policy_fuzz, .timeout = 300);

struct program {
    struct rt_random random;
    char text[8192];
    size_t size_bytes;
    int depth;
};

static void statement(struct program *program);

static void
put(struct program *program, const char *text)
{
    size_t size_bytes = strlen(text);
    if (program->size_bytes + size_bytes + 1 >= sizeof(program->text))
        return;
    memcpy(program->text + program->size_bytes, text, size_bytes + 1);
    program->size_bytes += size_bytes;
}

static const char *
one_of(struct program *program, const char *const *texts, size_t count)
{
    return texts[rt_random_below(&program->random, count)];
}

#define PUT_ONE_OF(program, ...)                                                                   \
    do {                                                                                           \
        static const char *const texts_[] = {__VA_ARGS__};                                         \
        put(program, one_of(program, texts_, RT_COUNT_OF(texts_)));                                \
    } while (0)

static void
expression(struct program *program)
{
    if (program->depth > 4 || rt_random_chance(&program->random, 500)) {
        PUT_ONE_OF(program, "a", "b", "c", "t", "f", "1", "-1", "0", "2^53", "1/0", "0/0", "nil",
                   "true", "'x'", "''", "('ab'):rep(5000)", "{}", "{1, 2, 3}", "tenant.posted",
                   "tenant.memory", "tenant.local_time", "request.mode", "request", "settings",
                   "request.user", "tenant", "math.huge", "decision", "decision.pass()", "#'abc'");
        return;
    }
    program->depth++;
    static const char *const calls[] = {"tostring(",
                                        "tonumber(",
                                        "pcall(f, ",
                                        "type(",
                                        "select('#', ",
                                        "string.rep(",
                                        "string.find(",
                                        "string.sub(",
                                        "string.byte(",
                                        "string.format('%s', ",
                                        "table.concat(",
                                        "table.insert(t, ",
                                        "table.remove(",
                                        "table.sort(",
                                        "unpack(",
                                        "math.floor(",
                                        "xpcall(f, f, ",
                                        "money.usd(",
                                        "money.format(",
                                        "ipairs(",
                                        "pairs(",
                                        "error(",
                                        "assert(",
                                        "require(",
                                        "f(",
                                        "decision.deny(",
                                        "decision.throttle(",
                                        "decision.downgrade(",
                                        "money.per_cent("};
    if (rt_random_chance(&program->random, 500)) {
        put(program, one_of(program, calls, RT_COUNT_OF(calls)));
        expression(program);
        if (rt_random_chance(&program->random, 500)) {
            put(program, ", ");
            expression(program);
        }
        put(program, ")");
    } else {
        put(program, "(");
        expression(program);
        PUT_ONE_OF(program, " + ", " .. ", " == ", " < ", " and ", " or ", " * ", " % ", " ^ ");
        expression(program);
        put(program, ")");
    }
    program->depth--;
}

static void
block(struct program *program)
{
    program->depth++;
    for (uint64_t i = 0, count = 1 + rt_random_below(&program->random, 3); i < count; i++)
        statement(program);
    program->depth--;
}

static void
compound(struct program *program)
{
    switch (rt_random_below(&program->random, 5)) {
    case 0:
        put(program, "while ");
        expression(program);
        put(program, " do ");
        break;
    case 1:
        put(program, "for i = 1, 1e6 do ");
        break;
    case 2:
        put(program, "for k, v in pairs(t) do ");
        break;
    case 3:
        put(program, "pcall(function() ");
        block(program);
        put(program, "end) ");
        return;
    default:
        put(program, "if ");
        expression(program);
        put(program, " then ");
        break;
    }
    block(program);
    put(program, "end ");
}

static void
statement(struct program *program)
{
    if (program->depth < 4 && rt_random_chance(&program->random, 400)) {
        compound(program);
        return;
    }
    PUT_ONE_OF(program, "a = ", "b = ", "c = ", "t[#t + 1] = ", "t[a] = ", "t.x = ",
               "f = function() return f() end a = ", "f = function(...) pcall(f) a = ... end b = ",
               "a = a .. ", "local d = ");
    expression(program);
    put(program, "\n");
}

static void
draw(struct program *program, uint64_t seed)
{
    *program = (struct program){0};
    rt_random_seed(&program->random, seed);
    put(program, "local decision = require 'twin.decision'\nlocal money = require 'twin.money'\n"
                 "return { admit = function(request, tenant, settings)\n"
                 "local a, b, c, t = 1, 'b', nil, {}\nlocal f = function(x) return x end\n");
    for (int i = 0; i < 3; i++) {
        put(program, "pcall(function()\n");
        block(program);
        put(program, "end)\n");
    }
    put(program, "if tonumber(a) then return decision.pass() end\ndo return ");
    expression(program);
    put(program, ", ");
    expression(program);
    put(program, " end\nend }\n");
}

Test(policy_fuzz, any_program_is_decided_and_the_next_question_answered, .init = policy_box_open,
     .fini = policy_box_close)
{
    static struct program program;
    const char *wanted = getenv("TWIN_FUZZ_PROGRAMS");
    uint64_t programs = wanted == NULL ? 150 : strtoull(wanted, NULL, 10);
    unsigned decided = 0;
    policy_box_write("sound", "local decision = require 'twin.decision'\n"
                              "return { admit = function(request, tenant)\n"
                              "  return decision.deny('sound', { posted = tenant.posted })\n"
                              "end }\n");
    for (uint64_t seed = 1; seed <= programs; seed++) {
        draw(&program, seed);
        policy_box_write("f", program.text);
        tlua_policies_reload(policy_box_policies());
        struct policy_question question = policy_box_question();
        struct policy_decision decision = policy_box_ask("f", &question);
        bool failed = strcmp(decision.reason, "policy_failed") == 0;
        cr_assert_leq((unsigned)decision.action, POLICY_WARN, "seed %lu:\n%s", seed, program.text);
        cr_assert(!failed || decision.action == POLICY_DENY);
        decided += !failed;
        rt_buffer_release(decision.memory);
        decision = policy_box_ask("sound", &question);
        cr_assert_str_eq(decision.reason, "sound", "seed %lu:\n%s", seed, program.text);
        cr_assert_str_eq(decision.facts, "{\"posted\":1000000000}");
    }
    cr_assert_gt(decided, 5, "some programs must make sense: %u", decided);
}

static uint64_t
no_time(void *self)
{
    (void)self;
    return 0;
}

Test(policy_fuzz, wherever_memory_ends_the_answer_is_right_or_a_denial, .init = policy_box_open,
     .fini = policy_box_close)
{
    static const struct rt_world world = {.now_ns = no_time};
    policy_box_write(
        "p", "local decision = require 'twin.decision'\n"
             "return { settings = { n = { type = 'integer' }, l = { type = 'list' } },\n"
             "admit = function(request, tenant, settings)\n"
             "  local list, memory = {}, tenant.memory\n"
             "  for i = 1, settings.n do list[i] = ('x'):rep(i) .. tenant.local_time.hour end\n"
             "  table.sort(list)\n"
             "  return decision.deny('right', { text = #table.concat(list, settings.l[1]) }),\n"
             "    { list = list, old = memory.n }\n"
             "end }\n");
    struct policy_question question = policy_box_question();
    question.settings = rt_buffer_copy("{\"n\":20,\"l\":[\",\",\"a\"]}", 22);
    question.memory = rt_buffer_copy("\x81\xa1n\x07", 4);
    unsigned right = 0, denied = 0;
    for (size_t bytes = 1; bytes < 40000; bytes += 37) {
        struct tlua_policy_options options = {.directory = policy_box_directory(),
                                              .workers = 1,
                                              .world = &world,
                                              .memory_bytes_max = bytes};
        struct tlua_policies *policies = tlua_policies_create(&options);
        struct policy_port port = tlua_policies_port(policies);
        for (int i = 0; i < 2; i++) {
            struct policy_decision decision;
            port.ask(port.self, 0, "p", &question, &decision);
            cr_assert_eq(decision.action, POLICY_DENY);
            if (strcmp(decision.reason, "right") == 0) {
                cr_assert_str_eq(decision.facts, "{\"text\":269}");
                cr_assert_not_null(decision.memory);
                right++;
            } else {
                cr_assert(policy_box_failed(&decision, "no_memory"), "%zu: %s", bytes,
                          decision.facts);
                denied++;
            }
            rt_buffer_release(decision.memory);
        }
        tlua_policies_destroy(policies);
    }
    cr_assert_gt(right, 100);
    cr_assert_gt(denied, 100);
    rt_buffer_release(question.settings);
    rt_buffer_release(question.memory);
}
