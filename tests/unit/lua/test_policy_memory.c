/* What a policy's memory promises: what it returned comes back with the next question, as values
 * and to the byte, or the answer is a denial. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/lua/policy_box.h"

TestSuite(policy_memory, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

Test(policy_memory, memory_comes_back_with_the_next_question)
{
    policy_box_write("m", "local decision = require 'twin.decision'\n"
                          "return { admit = function(request, tenant)\n"
                          "  local memory = tenant.memory\n"
                          "  local turns = (memory.turns or 0) + 1\n"
                          "  return decision.deny('n', { turns = turns, list = memory.list,\n"
                          "      share = memory.share, on = memory.on, big = memory.big }),\n"
                          "    { turns = turns, list = { 'a', { b = -7 } }, share = 0.25,\n"
                          "      on = false, big = 9007199254740991 }\n"
                          "end }\n");
    struct policy_question question = policy_box_question();
    struct policy_decision first = policy_box_ask("m", &question);
    cr_assert_str_eq(first.facts, "{\"turns\":1}");
    cr_assert_not_null(first.memory);
    question.memory = first.memory;
    struct policy_decision second = policy_box_ask("m", &question);
    cr_assert_str_eq(second.facts,
                     "{\"big\":9007199254740991,\"list\":[\"a\",{\"b\":-7}],\"on\":false,"
                     "\"share\":0.25,\"turns\":2}");
    cr_assert_eq(first.memory->size_bytes, second.memory->size_bytes);
    cr_assert_eq(first.memory->bytes[0], 0x85, "a map of five members, in MessagePack");
    rt_buffer_release(first.memory);
    rt_buffer_release(second.memory);
}

Test(policy_memory, values_of_every_size_come_back)
{
    static const char *const values[] = {"0",
                                         "127",
                                         "128",
                                         "255",
                                         "256",
                                         "65535",
                                         "65536",
                                         "4294967295",
                                         "4294967296",
                                         "-1",
                                         "-32",
                                         "-33",
                                         "-128",
                                         "-129",
                                         "-32768",
                                         "-32769",
                                         "-2147483648",
                                         "-2147483649",
                                         "0.5",
                                         "-0.1",
                                         "1e300",
                                         "2^53",
                                         "''",
                                         "'x'",
                                         "true",
                                         "false",
                                         "('x'):rep(31)",
                                         "('x'):rep(32)",
                                         "('x'):rep(255)",
                                         "('x'):rep(256)",
                                         "('x'):rep(4000)",
                                         "'\\0\\255'"};
    for (size_t i = 0; i < RT_COUNT_OF(values); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "local decision = require 'twin.decision'\n"
                 "return { admit = function(request, tenant)\n"
                 "  return decision.deny(tenant.memory.v == (%s) and 'same' or 'other'),\n"
                 "    { v = %s }\n"
                 "end }\n",
                 values[i], values[i]);
        policy_box_write("m", text);
        tlua_policies_reload(policy_box_policies());
        struct policy_question question = policy_box_question();
        struct policy_decision first = policy_box_ask("m", &question);
        question.memory = first.memory;
        struct policy_decision second = policy_box_ask("m", &question);
        cr_expect_str_eq(second.reason, "same", "%s gave %s", values[i], second.facts);
        rt_buffer_release(first.memory);
        rt_buffer_release(second.memory);
    }
}

Test(policy_memory, long_lists_and_objects_come_back)
{
    policy_box_write("m", "local decision = require 'twin.decision'\n"
                          "return { admit = function(request, tenant)\n"
                          "  local memory, list, object = tenant.memory, {}, {}\n"
                          "  for i = 1, 200 do list[i] = i; object['k' .. i] = i end\n"
                          "  for i = 1, memory.list and 200 or 0 do\n"
                          "    if memory.list[i] ~= i or memory.object['k' .. i] ~= i then\n"
                          "      return decision.deny('other')\n"
                          "    end\n"
                          "  end\n"
                          "  return decision.deny('same'), { list = list, object = object }\n"
                          "end }\n");
    struct policy_question question = policy_box_question();
    struct policy_decision first = policy_box_ask("m", &question);
    question.memory = first.memory;
    struct policy_decision second = policy_box_ask("m", &question);
    cr_assert_str_eq(second.reason, "same", "%s", second.facts);
    cr_assert_eq(first.memory->size_bytes, second.memory->size_bytes);
    cr_assert_arr_eq(first.memory->bytes, second.memory->bytes, first.memory->size_bytes);
    struct policy_port port = tlua_policies_port(policy_box_policies());
    for (unsigned worker = 1; worker < 4; worker++) { /* whose tables have other orders */
        struct policy_decision other;
        port.ask(port.self, worker, "m", &question, &other);
        cr_assert_eq(other.memory->size_bytes, first.memory->size_bytes);
        cr_assert_arr_eq(other.memory->bytes, first.memory->bytes, first.memory->size_bytes);
        rt_buffer_release(other.memory);
    }
    rt_buffer_release(first.memory);
    rt_buffer_release(second.memory);
}

Test(policy_memory, memory_stays_as_it_is_when_nothing_is_returned)
{
    struct policy_question question = policy_box_question();
    policy_box_write("p", "return { admit = function()\n"
                          "return require('twin.decision').pass() end }");
    cr_assert_null(policy_box_ask("p", &question).memory);
}

Test(policy_memory, changing_the_memory_at_hand_changes_nothing)
{
    policy_box_write("m", "local decision = require 'twin.decision'\n"
                          "return { admit = function(request, tenant)\n"
                          "  tenant.memory.n = 8\n"
                          "  return decision.deny('n', { n = tenant.memory.n })\n"
                          "end }\n");
    struct policy_question question = policy_box_question();
    question.memory = rt_buffer_copy("\x81\xa1n\x07", 4);
    struct policy_decision decision = policy_box_ask("m", &question);
    cr_assert_str_eq(decision.facts, "{\"n\":7}");
    rt_buffer_release(question.memory);
}

Test(policy_memory, memory_that_cannot_be_kept_is_a_denial)
{
    static const char *const memories[] = {
        "{ f = function() end }",
        "{ text = ('x'):rep(4096) }",
        "{ 1, 2, nil, 4, x = 1 }",
        "{ [1.5] = 1 }",
        "{ [0] = 1 }",
        "{{{{{{{{{}}}}}}}}}",
        "(function() local t = {} for i = 1, 300 do t['k' .. i] = i end return t end)()",
        "(function() local t = {} t.t = t return t end)()",
        "request",
    };
    for (size_t i = 0; i + 1 < RT_COUNT_OF(memories); i++) {
        char body[256];
        snprintf(body, sizeof(body), "return decision.pass(), %s", memories[i]);
        struct policy_decision decision = policy_box_run(body);
        cr_expect(policy_box_failed(&decision, "raised"), "%s gave %s %s", memories[i],
                  decision.reason, decision.facts);
    }
}

Test(policy_memory, memory_that_was_damaged_is_a_denial)
{
    static const struct {
        const char *bytes;
        size_t size_bytes;
    } damaged[] = {{"", 0},
                   {"\x81", 1},
                   {"\xc0", 1},
                   {"\xc1", 1},
                   {"\x07\x07", 2},
                   {"\x81\x01\x01", 3},
                   {"\xdd\xff\xff\xff\xff", 5},
                   {"\x91\xc4\x01x", 4},
                   {"\xdf\xff\xff\xff\xff", 5},
                   {"\x92\x01", 2},
                   {"\xdc\xff\xff", 3}};
    policy_box_write("m", "local decision = require 'twin.decision'\n"
                          "return { admit = function(request, tenant)\n"
                          "  return decision.pass({ n = tenant.memory })\n"
                          "end }\n");
    for (size_t i = 0; i < RT_COUNT_OF(damaged); i++) {
        struct policy_question question = policy_box_question();
        question.memory = rt_buffer_copy(damaged[i].bytes, damaged[i].size_bytes);
        struct policy_decision decision = policy_box_ask("m", &question);
        cr_expect(policy_box_failed(&decision, "raised"), "%zu", i);
        rt_buffer_release(question.memory);
    }
}

Test(policy_memory, memory_of_a_policy_that_was_stopped_is_not_taken)
{
    struct policy_question question = policy_box_question();
    policy_box_write("m", "local decision = require 'twin.decision'\n"
                          "return { admit = function(request, tenant)\n"
                          "  pcall(function() local s = 'x' while true do s = s .. s end end)\n"
                          "  return decision.pass(), { taken = true }\n"
                          "end }\n");
    struct policy_decision decision = policy_box_ask("m", &question);
    cr_assert(policy_box_failed(&decision, "no_memory"));
    cr_assert_null(decision.memory);
}
