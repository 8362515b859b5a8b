/*
 * gateway/issuer.h - the issuer of tokens as it is configured, for world.h.
 */
#ifndef GATEWAY_ISSUER_H
#define GATEWAY_ISSUER_H

#include <stdbool.h>
#include <stddef.h>

#include "actors/world.h"
#include "gateway/config.h"

/*
 * Fills in the issuer, if there is one; a file of keys is read once to see that it is sound.
 *
 *   problem_out  on failure: one line
 *   blocking     reads the file
 */
bool issuer_open(const struct config *config, struct world_issuer *issuer_out, char *problem_out,
                 size_t problem_bytes);

#endif
