#include "vito/vault/blob.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "runtime/assert.h"

enum { FORMAT = 1, SUBJECT_BYTES_MAX = 512 };

_Static_assert(VITO_BLOB_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "its nonce");
_Static_assert(VITO_BLOB_TAG_BYTES == crypto_aead_xchacha20poly1305_ietf_ABYTES, "its tag");
_Static_assert(sizeof(((struct vito_blob_key *)0)->bytes) ==
                   crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
               "its key");

/* What is authenticated with a blob. Texts are preceded by their sizes, so that no two subjects
 * read the same. */
struct subject_bytes {
    uint8_t bytes[SUBJECT_BYTES_MAX];
    size_t size_bytes;
};

static void
push(struct subject_bytes *to, const void *bytes, size_t size_bytes)
{
    RT_ASSERT(size_bytes <= sizeof(to->bytes) - to->size_bytes);
    memcpy(to->bytes + to->size_bytes, bytes, size_bytes);
    to->size_bytes += size_bytes;
}

static void
push_number(struct subject_bytes *to, uint64_t number)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
    push(to, bytes, sizeof(bytes));
}

static void
push_text(struct subject_bytes *to, const char *text)
{
    size_t size_bytes = strlen(text);
    push_number(to, size_bytes);
    push(to, text, size_bytes);
}

static struct subject_bytes
subject_bytes_of(const struct vito_blob_subject *subject, const uint8_t *head)
{
    struct subject_bytes to = {.size_bytes = 0};
    push_text(&to, "twin-gateway vault");
    push(&to, head, VITO_BLOB_HEAD_BYTES - VITO_BLOB_NONCE_BYTES);
    push_text(&to, subject->tenant_id);
    push_text(&to, subject->name);
    push_text(&to, subject->providers);
    push_number(&to, (uint64_t)subject->version);
    return to;
}

enum rt_status
vito_blob_parse(const void *bytes, size_t size_bytes, struct vito_blob *blob_out)
{
    const uint8_t *at = bytes;
    if (size_bytes < VITO_BLOB_OVERHEAD_BYTES ||
        size_bytes > VITO_BLOB_PLAIN_BYTES_MAX + VITO_BLOB_OVERHEAD_BYTES || at[0] != FORMAT ||
        at[1] < VITO_BLOB_ROOT || at[1] > VITO_BLOB_SECRET)
        return RT_INVALID;
    *blob_out = (struct vito_blob){
        .purpose = (enum vito_blob_purpose)at[1],
        .key_id = at + 2,
        .nonce = at + 2 + VITO_BLOB_KEY_ID_BYTES,
        .ciphertext = at + VITO_BLOB_HEAD_BYTES,
        .ciphertext_bytes = size_bytes - VITO_BLOB_HEAD_BYTES,
    };
    return RT_OK;
}

void
vito_blob_seal(const struct vito_blob_key *key, const struct vito_blob_subject *subject,
               const uint8_t nonce[VITO_BLOB_NONCE_BYTES], const void *plain, size_t plain_bytes,
               uint8_t *blob_out)
{
    RT_ASSERT(plain_bytes <= VITO_BLOB_PLAIN_BYTES_MAX);
    blob_out[0] = FORMAT;
    blob_out[1] = (uint8_t)subject->purpose;
    memcpy(blob_out + 2, key->id, sizeof(key->id));
    memcpy(blob_out + 2 + sizeof(key->id), nonce, VITO_BLOB_NONCE_BYTES);
    struct subject_bytes about = subject_bytes_of(subject, blob_out);
    int failed = crypto_aead_xchacha20poly1305_ietf_encrypt(
        blob_out + VITO_BLOB_HEAD_BYTES, NULL, plain, plain_bytes, about.bytes, about.size_bytes,
        NULL, nonce, key->bytes);
    RT_ASSERT(failed == 0);
}

enum rt_status
vito_blob_unseal(const struct vito_blob_key *key, const struct vito_blob_subject *subject,
                 const struct vito_blob *blob, void *plain_out)
{
    if (memcmp(blob->key_id, key->id, sizeof(key->id)) != 0)
        return RT_NOT_FOUND;
    if (blob->purpose != subject->purpose)
        return RT_INVALID;
    struct subject_bytes about = subject_bytes_of(subject, blob->key_id - 2);
    int failed = crypto_aead_xchacha20poly1305_ietf_decrypt(
        plain_out, NULL, NULL, blob->ciphertext, blob->ciphertext_bytes, about.bytes,
        about.size_bytes, blob->nonce, key->bytes);
    return failed == 0 ? RT_OK : RT_INVALID;
}
