#include "bench/vendor_sim/reply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "runtime/assert.h"
#include "runtime/compiler.h"

enum {
    MENTIONED_WORDS_MAX = 12,
    MENTIONED_BYTES_MAX = 240,
    BYTES_PER_TOKEN = 4,
    TOKENS_PER_MESSAGE = 4
};

static bool
hints_at_spanish(const char *instructions)
{
    static const char *const hints[] = {"espa\u00f1ol", "espanol",     "spanish", "castellano",
                                        "language: es", "language=es", "\"es\"",  "(es)",
                                        "idioma: es",   "lang: es",    "'es'"};
    for (size_t i = 0; i < RT_COUNT_OF(hints); i++)
        if (strcasestr(instructions, hints[i]) != NULL)
            return true;
    return false;
}

/* The first words of what was said, each with one space behind it but the last. */
static void
mention(const char *said, char mentioned_out[MENTIONED_BYTES_MAX])
{
    size_t used = 0;
    for (int words = 0; words < MENTIONED_WORDS_MAX; words++) {
        said += strspn(said, " \t\r\n");
        size_t word_bytes = strcspn(said, " \t\r\n");
        if (word_bytes == 0 || used + word_bytes + 2 > MENTIONED_BYTES_MAX)
            break;
        if (used > 0)
            mentioned_out[used++] = ' ';
        memcpy(mentioned_out + used, said, word_bytes);
        used += word_bytes;
        said += word_bytes;
    }
    mentioned_out[used] = '\0';
}

static uint64_t
count_words(const char *text)
{
    uint64_t words = 0;
    for (; *text != '\0'; words++) {
        text += strspn(text, " ");
        text += strcspn(text, " ");
    }
    return words;
}

/* The N of "[tokens:N]", 1 … SIM_TOKENS_MAX; 0 when nobody asks for a number. */
static uint64_t
wanted_tokens(const char *said)
{
    const char *mark = strstr(said, "[tokens:");
    if (mark == NULL)
        return 0;
    char *end;
    unsigned long wanted = strtoul(mark + strlen("[tokens:"), &end, 10);
    return *end == ']' && wanted <= SIM_TOKENS_MAX ? wanted : 0;
}

void
sim_reply_make(struct sim_reply *reply, const char *instructions, const char *said)
{
    static const char english[] =
        "You said \"%s\". That is worth a moment of thought. From where I stand, the simple answer "
        "is usually the right one, and I am happy to go into detail if you like.";
    static const char spanish[] =
        "Me dices \u00ab%s\u00bb. Eso merece pensarlo un momento. Desde mi punto de vista, la "
        "respuesta "
        "sencilla suele ser la correcta, y con gusto te cuento m\u00e1s si quieres.";
    *reply = (struct sim_reply){.tokens = wanted_tokens(said)};
    reply->is_counted = reply->tokens > 0;
    if (reply->is_counted)
        return;
    char mentioned[MENTIONED_BYTES_MAX];
    mention(said, mentioned);
    bool in_spanish = hints_at_spanish(instructions);
    snprintf(reply->text, sizeof(reply->text), in_spanish ? spanish : english, mentioned);
    reply->tokens = count_words(reply->text);
}

void
sim_reply_token(const struct sim_reply *reply, uint64_t index, char token_out[SIM_TOKEN_BYTES])
{
    static const char *const filler[] = {"one",  "word",  "after", "another", "and",
                                         "each", "comes", "when",  "its",     "time"};
    RT_ASSERT(index < reply->tokens);
    const char *space = index == 0 ? "" : " ";
    if (reply->is_counted) {
        snprintf(token_out, SIM_TOKEN_BYTES, "%s%s", space, filler[index % RT_COUNT_OF(filler)]);
        return;
    }
    const char *word = reply->text;
    for (uint64_t i = 0; i < index; i++) {
        word += strcspn(word, " ");
        word += strspn(word, " ");
    }
    snprintf(token_out, SIM_TOKEN_BYTES, "%s%.*s", space, (int)strcspn(word, " "), word);
}

uint64_t
sim_prompt_tokens(uint64_t content_bytes, uint64_t messages)
{
    return (content_bytes + BYTES_PER_TOKEN - 1) / BYTES_PER_TOKEN + TOKENS_PER_MESSAGE * messages;
}
