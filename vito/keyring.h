/*
 * vito/keyring.h - the keys themselves. For the parts of vito; others hold a keyring without
 * seeing into it (vito/identity.h).
 */
#ifndef VITO_KEYRING_H
#define VITO_KEYRING_H

#include <stdint.h>

#include "vito/identity.h"

/* In memory that is locked, fenced by guard pages, and read-only once made. */
struct vito_keyring {
    uint8_t api_keys[VITO_DIGEST_BYTES]; /* hashes what callers show */
};

#endif
