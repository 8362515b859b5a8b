/*
 * vito/vault/blob.h - what the vault keeps, sealed: XChaCha20-Poly1305 with a random nonce.
 *
 *      format 1 · purpose 1 · key id 8 · nonce 24 · ciphertext … · tag 16        (bytes)
 *
 * Its subject (whose, which, which version, for whom) is not in the blob but authenticated with
 * it: a blob that was moved to another tenant, name or version does not open.
 * Source: draft-irtf-cfrg-xchacha-03; libsodium's crypto_aead_xchacha20poly1305_ietf.
 *
 * All calls: any thread, no blocking, no memory of their own.
 */
#ifndef VITO_VAULT_BLOB_H
#define VITO_VAULT_BLOB_H

#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

enum {
    VITO_BLOB_KEY_ID_BYTES = 8,
    VITO_BLOB_NONCE_BYTES = 24,
    VITO_BLOB_TAG_BYTES = 16,
    VITO_BLOB_HEAD_BYTES = 2 + VITO_BLOB_KEY_ID_BYTES + VITO_BLOB_NONCE_BYTES,
    VITO_BLOB_OVERHEAD_BYTES = VITO_BLOB_HEAD_BYTES + VITO_BLOB_TAG_BYTES,
    VITO_BLOB_PLAIN_BYTES_MAX = 16 * 1024 - VITO_BLOB_OVERHEAD_BYTES,
};

enum vito_blob_purpose { VITO_BLOB_ROOT = 1, VITO_BLOB_TENANT_KEY = 2, VITO_BLOB_SECRET = 3 };

/* Lives in locked memory. */
struct vito_blob_key {
    uint8_t id[VITO_BLOB_KEY_ID_BYTES]; /* not secret: tells keys apart */
    uint8_t bytes[32];
};

/* What is sealed. Texts are "" where they do not apply. */
struct vito_blob_subject {
    enum vito_blob_purpose purpose;
    const char *tenant_id;
    const char *name;
    const char *providers;
    int64_t version;
};

/* The parts of a blob; they point into it. */
struct vito_blob {
    enum vito_blob_purpose purpose;
    const uint8_t *key_id, *nonce, *ciphertext;
    size_t ciphertext_bytes; /* tag included */
};

/* Takes a blob apart. RT_OK | RT_INVALID: it is none, or of a format that is not known. */
RT_MUST_USE enum rt_status vito_blob_parse(const void *bytes, size_t size_bytes,
                                           struct vito_blob *blob_out);

/* Seals at most VITO_BLOB_PLAIN_BYTES_MAX bytes into `blob_out`, which has VITO_BLOB_OVERHEAD_BYTES
 * more. `nonce` is fresh from the world; no two blobs may share one. */
void vito_blob_seal(const struct vito_blob_key *key, const struct vito_blob_subject *subject,
                    const uint8_t nonce[VITO_BLOB_NONCE_BYTES], const void *plain,
                    size_t plain_bytes, uint8_t *blob_out);

/*
 * Opens a blob into `plain_out`, which has room for its ciphertext_bytes without the tag.
 *
 *   returns    RT_OK | RT_NOT_FOUND (another key sealed it) | RT_INVALID (for another purpose or
 *              subject, or changed)
 */
RT_MUST_USE enum rt_status vito_blob_unseal(const struct vito_blob_key *key,
                                            const struct vito_blob_subject *subject,
                                            const struct vito_blob *blob, void *plain_out);

#endif
