/* What the simulated model promises: a reply that mentions what was said, in the right language,
 * whose tokens are its words; or as many words as were asked for. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "bench/vendor_sim/reply.h"

TestSuite(sim_reply, .timeout = 60);

/* All tokens in order. */
static const char *
text_of(const struct sim_reply *reply)
{
    static char text[1 << 16];
    size_t used = 0;
    for (uint64_t i = 0; i < reply->tokens; i++) {
        char token[SIM_TOKEN_BYTES];
        sim_reply_token(reply, i, token);
        cr_assert_eq(token[0] == ' ', i > 0, "a space in front of each word but the first");
        cr_assert_null(strchr(token + 1, ' '), "one word");
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s", token);
    }
    return text;
}

Test(sim_reply, the_tokens_are_the_words_of_the_text)
{
    struct sim_reply reply;
    sim_reply_make(&reply, "", "how  are\nyou today?");
    cr_assert_str_eq(text_of(&reply), reply.text);
    cr_assert_not_null(strstr(reply.text, "You said \"how are you today?\"."));
}

Test(sim_reply, instructions_that_hint_at_spanish_are_answered_in_spanish)
{
    static const char *const hints[] = {"Habla siempre en espa\u00f1ol.", "Answer in Spanish",
                                        "language: es", "{\"language\":\"es\"}"};
    struct sim_reply reply;
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
        sim_reply_make(&reply, hints[i], "\u00bfqui\u00e9n gan\u00f3?");
        cr_assert_not_null(strstr(reply.text, "Me dices \u00ab\u00bfqui\u00e9n gan\u00f3?\u00bb."));
    }
    sim_reply_make(&reply, "You are these words: yes, less, estimates.", "hi");
    cr_assert_not_null(strstr(reply.text, "You said"));
}

Test(sim_reply, only_the_first_words_of_a_long_message_are_mentioned)
{
    static char said[100000];
    for (size_t i = 0; i < sizeof(said) - 1; i++)
        said[i] = i % 6 == 5 ? ' ' : 'w';
    struct sim_reply reply;
    sim_reply_make(&reply, "", said);
    cr_assert_lt(strlen(reply.text), 400);
    memset(said, 'x', sizeof(said) - 1);
    sim_reply_make(&reply, "", said);
    cr_assert_not_null(strstr(reply.text, "You said \"\"."), "one word without end is left out");
}

Test(sim_reply, the_number_of_tokens_can_be_asked_for)
{
    struct sim_reply reply;
    sim_reply_make(&reply, "", "please [tokens:500] now");
    cr_assert_eq(reply.tokens, 500);
    text_of(&reply);
    sim_reply_make(&reply, "", "[tokens:1]");
    cr_assert_str_eq(text_of(&reply), "one");
}

Test(sim_reply, what_is_no_number_is_just_words)
{
    static const char *const said[] = {"[tokens:0]",  "[tokens:x]",        "[tokens:5",
                                       "[tokens:-1]", "[tokens:99999999]", "[tokens:]"};
    struct sim_reply reply;
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        sim_reply_make(&reply, "", said[i]);
        cr_assert_not(reply.is_counted, "%s", said[i]);
        cr_assert_gt(reply.tokens, 10);
    }
}

Test(sim_reply, a_prompt_costs_a_quarter_of_its_bytes_and_four_a_message)
{
    cr_assert_eq(sim_prompt_tokens(0, 1), 4);
    cr_assert_eq(sim_prompt_tokens(1, 1), 5);
    cr_assert_eq(sim_prompt_tokens(8, 2), 10);
    cr_assert_eq(sim_prompt_tokens(9, 2), 11);
}
