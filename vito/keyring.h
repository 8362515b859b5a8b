/*
 * vito/keyring.h - the keys themselves. For the parts of vito; others hold a keyring without
 * seeing into it (vito/identity.h).
 */
#ifndef VITO_KEYRING_H
#define VITO_KEYRING_H

#include <stdint.h>

#include "vito/identity.h"
#include "vito/vault/blob.h"

enum { VITO_KEYRING_FILE_BYTES = 512 };

/* In memory that is locked, fenced by guard pages, and written by the calls below alone. */
struct vito_keyring {
    uint8_t api_keys[VITO_DIGEST_BYTES]; /* hashes what callers show; kept by the vault's root */

    /* What the vault is sealed with: [0] is in force. While it is replaced [1] is the next one,
     * and all that is sealed from now on is sealed with that. The vault's lock guards them. */
    struct vito_blob_key masters[2];
    unsigned master_count;
    char file[VITO_KEYRING_FILE_BYTES]; /* of [0]; that of [1] has ".next" behind it */
};

/* Puts the key in the place of the derived one. Before other threads have the keyring. */
void vito_keyring_set_api_keys(struct vito_keyring *keyring, const uint8_t key[VITO_DIGEST_BYTES]);

/*
 * Sees to it that there is a next master key: the one in "<file>.next", which is made if need be
 * and durable before this returns.
 *
 *   returns    RT_OK | RT_IO, RT_DENIED, RT_INVALID (problem_out says why)
 *   blocking   a few writes to disk
 */
RT_MUST_USE enum rt_status vito_keyring_make_next(struct vito_keyring *keyring,
                                                  const struct rt_world *world, char *problem,
                                                  size_t problem_bytes);

/* Puts the next master key in force: its file replaces the other one's, whose key is wiped. As
 * vito_keyring_make_next(); on failure both stay. */
RT_MUST_USE enum rt_status vito_keyring_promote_next(struct vito_keyring *keyring, char *problem,
                                                     size_t problem_bytes);

#endif
