/*
 * vito/audit_sign.h - checkpoints: where a tenant's audit trail stood, signed.
 *
 * A chain of hashes tells when a record was changed, but not when all from there on were made
 * anew, or the last ones cut off. A checkpoint does: it says that the record `seq` had that chain,
 * and is signed with a key that is not in the database. Ed25519; the key is derived from the one
 * that API keys are hashed with, so it outlives a change of the master key.
 */
#ifndef VITO_AUDIT_SIGN_H
#define VITO_AUDIT_SIGN_H

#include "vito/audit_chain.h"
#include "vito/id.h"
#include "vito/identity.h"

enum { VITO_PUBLIC_KEY_BYTES = 32, VITO_SIGNATURE_BYTES = 64 };

struct vito_checkpoint {
    char tenant_id[VITO_TENANT_ID_BYTES];
    int64_t seq; /* of the last record it stands for */
    struct vito_chain chain;
    int64_t at_ms;
    uint8_t key[VITO_PUBLIC_KEY_BYTES]; /* who signed */
    uint8_t signature[VITO_SIGNATURE_BYTES];
};

/* Fills in key and signature. Threads: any. */
void vito_checkpoint_sign(struct vito_checkpoint *checkpoint, const struct vito_keyring *keyring);

/* Whether its signature is by its key. Threads: any. */
bool vito_checkpoint_is_signed(const struct vito_checkpoint *checkpoint);

/* The key that this gateway's checkpoints can be checked with. Threads: any. */
void vito_audit_public_key(const struct vito_keyring *keyring,
                           uint8_t key_out[VITO_PUBLIC_KEY_BYTES]);

#endif
