/*
 * vito/jwks.h - the public keys of whoever issues our tokens, from a JWK set.
 *
 * A set is immutable. Each key is pinned to one algorithm: what a token's header says can only
 * agree with it. What we cannot use (encryption keys, other key types) is passed over, as RFC
 * 7517, section 5, asks for; what must not be there (private keys, shared secrets, two keys of one
 * name, weak ones) refuses the whole set.
 *
 * Source: RFC 7517, RFC 7518 section 6, RFC 8037, RFC 8725 section 3.
 */
#ifndef VITO_JWKS_H
#define VITO_JWKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

struct vito_jwks;

enum {
    VITO_JWKS_BYTES_MAX = 64 * 1024,
    VITO_JWKS_KEYS_MAX = 32,
    VITO_KID_BYTES = 128, /* of a key's name, with its NUL */
    VITO_JWKS_PROBLEM_BYTES = 256,
};

/* The algorithms there are. HS256 is not one: nobody shares a secret with us. */
enum vito_jwt_algorithm { VITO_RS256, VITO_ES256, VITO_EDDSA, VITO_JWT_ALGORITHM_COUNT };

/*
 * Reads a JWK set.
 *
 *   problem_out  on RT_INVALID and RT_TOO_BIG: one line, what and where
 *   returns      RT_OK | RT_INVALID | RT_TOO_BIG | RT_NO_MEMORY
 *   ownership    the caller's, by vito_jwks_destroy()
 *   threads      any
 */
RT_MUST_USE enum rt_status vito_jwks_parse(const char *text, size_t size_bytes,
                                           struct vito_jwks **jwks_out,
                                           char problem_out[VITO_JWKS_PROBLEM_BYTES]);

/* NULL is ignored. */
void vito_jwks_destroy(struct vito_jwks *jwks);

/* How many usable keys there are: 1 … VITO_JWKS_KEYS_MAX. */
size_t vito_jwks_count(const struct vito_jwks *jwks);

/* "RS256" → VITO_RS256, exactly; VITO_JWT_ALGORITHM_COUNT for all that is not in the list. */
enum vito_jwt_algorithm vito_jwt_algorithm_of(const char *name);

struct vito_jwk;

/* The key of that name; with a NULL name the only key of a set of one. NULL when there is none. */
const struct vito_jwk *vito_jwks_find(const struct vito_jwks *jwks, const char *kid);

enum vito_jwt_algorithm vito_jwk_algorithm(const struct vito_jwk *key);

/* Whether the signature over `text` is this key's. Threads: any; a set may be used by one thread
 * at a time. */
bool vito_jwk_verify(const struct vito_jwk *key, const char *text, size_t text_bytes,
                     const uint8_t *signature, size_t signature_bytes);

#endif
