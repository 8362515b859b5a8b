/*
 * vito/vault/head.h - what is sealed in a tenant's key row: the key, and which secrets there are.
 *
 *      key id 8 · key 32 · count 2 · count × (size 1 · name … · version 8 · nonce 24)
 *
 * The list pins each secret to one blob, by the nonce that no other blob has: an older version
 * that is put back, and a row that is taken away, are found out. A head holds keys: it lives in
 * locked memory.
 */
#ifndef VITO_VAULT_HEAD_H
#define VITO_VAULT_HEAD_H

#include "vito/sealed.h"
#include "vito/vault/blob.h"

enum {
    VITO_HEAD_SECRETS_MAX = 64,
    VITO_HEAD_BYTES_MAX =
        VITO_BLOB_KEY_ID_BYTES + 32 + 2 +
        VITO_HEAD_SECRETS_MAX * (1 + VITO_SEALED_NAME_BYTES + 8 + VITO_BLOB_NONCE_BYTES),
};
_Static_assert((int)VITO_HEAD_BYTES_MAX <= (int)VITO_BLOB_PLAIN_BYTES_MAX,
               "a full head fits into a blob");

struct vito_head_entry {
    char name[VITO_SEALED_NAME_BYTES];
    int64_t version;
    uint8_t nonce[VITO_BLOB_NONCE_BYTES];
};

struct vito_head {
    struct vito_blob_key key;
    unsigned count;
    struct vito_head_entry entries[VITO_HEAD_SECRETS_MAX];
};

/* Reads a head. RT_OK | RT_INVALID; then *head_out is undefined. */
RT_MUST_USE enum rt_status vito_head_decode(const uint8_t *bytes, size_t size_bytes,
                                            struct vito_head *head_out);

/* Writes one; returns its size. */
size_t vito_head_encode(const struct vito_head *head, uint8_t bytes_out[VITO_HEAD_BYTES_MAX]);

/* The entry of that name, or NULL. */
struct vito_head_entry *vito_head_find(struct vito_head *head, const char *name);

/* A new entry; NULL when there are VITO_HEAD_SECRETS_MAX. */
struct vito_head_entry *vito_head_add(struct vito_head *head, const char *name);
void vito_head_remove(struct vito_head *head, struct vito_head_entry *entry);

#endif
