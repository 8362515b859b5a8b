/*
 * bench/vendor_sim/reply.h - what the simulated language model says: a few sentences that mention
 * what it was told, or exactly as many words as "[tokens:N]" asks for. One word is one token. The
 * same request always gets the same reply.
 */
#ifndef BENCH_VENDOR_SIM_REPLY_H
#define BENCH_VENDOR_SIM_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIM_REPLY_BYTES = 1024, SIM_TOKEN_BYTES = 256, SIM_TOKENS_MAX = 1000000 };

struct sim_reply {
    uint64_t tokens;
    bool is_counted; /* "[tokens:N]": the words do not matter */
    char text[SIM_REPLY_BYTES];
};

/*
 * Thinks of a reply.
 *
 *   instructions   the system prompt, or "": when it hints at Spanish, so does the reply
 *   said           the user's last message, UTF-8
 */
void sim_reply_make(struct sim_reply *reply, const char *instructions, const char *said);

/*
 * Writes the token of that index, 0 … tokens - 1, with the space in front of it, NUL-terminated.
 * All of them in order are the text.
 */
void sim_reply_token(const struct sim_reply *reply, uint64_t index,
                     char token_out[SIM_TOKEN_BYTES]);

/* How many tokens a prompt has: a quarter of its bytes, rounded up, and four a message. */
uint64_t sim_prompt_tokens(uint64_t content_bytes, uint64_t messages);

#endif
