/*
 * vito/id.h - names for sessions, legs, decisions and the like.
 *
 * A prefix, an underscore, and a ULID: 48 bits of Unix milliseconds and 80 random bits in
 * Crockford's base 32, so ids sort by time and need no coordination.
 * Source: github.com/ulid/spec, read 2026-11.
 */
#ifndef VITO_ID_H
#define VITO_ID_H

#include <stdbool.h>
#include <stdint.h>

enum {
    VITO_ULID_CHARS = 26,
    VITO_ID_BYTES = 40,        /* prefix of at most 12 characters, '_', ULID, NUL */
    VITO_TENANT_ID_BYTES = 64, /* ^[a-z0-9][a-z0-9-]{0,62}$ and NUL */
};

/* Writes an id. `random` has ten bytes from the world. `prefix` is at most 12 characters. */
void vito_id_make(char id_out[VITO_ID_BYTES], const char *prefix, int64_t wall_ms,
                  const uint8_t random[10]);

/* The ten random bytes of an id. False when the text is no id. */
bool vito_id_random(const char *id, uint8_t random_out[10]);

/* Whether the text may name a tenant (an avatar). */
bool vito_tenant_id_is_valid(const char *text);

#endif
