/*
 * gateway/token.h - the operator's token: from the configuration, or a file beside the master key.
 */
#ifndef GATEWAY_TOKEN_H
#define GATEWAY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/config.h"

enum { TOKEN_BYTES = CONFIG_TEXT_BYTES };

/*
 * Finds the token.
 *
 *   make         write a new one, mode 0600, when there is none (--dev)
 *   problem_out  on failure: one line
 *   blocking     reads or writes a file
 */
bool token_find(const struct config *config, bool make, char token_out[TOKEN_BYTES],
                char *problem_out, size_t problem_bytes);

#endif
