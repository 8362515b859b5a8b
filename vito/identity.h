/*
 * vito/identity.h - API keys: made, recognised, never kept.
 *
 * A key is "twk_" and 43 characters of base64url (256 random bits). It is shown once; what is
 * kept is a keyed hash, so a stolen database opens nothing. All calls: any thread, no blocking.
 */
#ifndef VITO_IDENTITY_H
#define VITO_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"
#include "runtime/world.h"
#include "vito/id.h"

enum {
    VITO_KEY_TEXT_BYTES = 48,
    VITO_DIGEST_BYTES = 32,
    VITO_MASTER_KEY_BYTES = 32,
};

/* Keys derived from the master key, one per purpose; lives in locked memory. */
struct vito_keyring;

/*
 * Reads the master key.
 *
 *   file         32 bytes, mode 0600, owned by us
 *   make         create it when it does not exist (--dev)
 *   problem_out  on failure: one line, what, where and how to mend it
 *   returns      RT_OK | RT_NOT_FOUND | RT_DENIED (mode or owner) | RT_INVALID (size) | RT_IO
 */
RT_MUST_USE enum rt_status vito_keyring_open(const char *file, bool make,
                                             const struct rt_world *world,
                                             struct vito_keyring **keyring_out, char *problem,
                                             size_t problem_bytes);
/* From a key given in memory, for tests and simulations. NULL when out of memory. */
struct vito_keyring *vito_keyring_of(const uint8_t master_key[VITO_MASTER_KEY_BYTES]);
void vito_keyring_close(struct vito_keyring *keyring);

struct vito_digest {
    uint8_t bytes[VITO_DIGEST_BYTES];
};

/* A new key and its digest. `random` comes from the world. */
void vito_key_make(const struct vito_keyring *keyring, const uint8_t random[32],
                   char key_out[VITO_KEY_TEXT_BYTES], struct vito_digest *digest_out);

/* The digest of what a caller showed; also of nonsense. */
struct vito_digest vito_key_digest(const struct vito_keyring *keyring, const char *key,
                                   size_t key_bytes);

/* In time that does not depend on the contents. */
bool vito_digest_is(const struct vito_digest *a, const struct vito_digest *b);

/* The credential in an Authorization header ("Bearer X", any case), or NULL. */
const char *vito_bearer_of(const char *authorization);

#endif
