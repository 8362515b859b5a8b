#include "vito/audit_sign.h"

#include <sodium.h>
#include <string.h>

#include "runtime/assert.h"
#include "vito/keyring.h"

_Static_assert(VITO_PUBLIC_KEY_BYTES == crypto_sign_PUBLICKEYBYTES, "Ed25519");
_Static_assert(VITO_SIGNATURE_BYTES == crypto_sign_BYTES, "Ed25519");

enum { SIGNED_BYTES_MAX = 256 };

static void
make_keys(const struct vito_keyring *keyring, uint8_t public_out[crypto_sign_PUBLICKEYBYTES],
          uint8_t secret_out[crypto_sign_SECRETKEYBYTES])
{
    static const uint8_t purpose[] = "twin-gateway audit checkpoints, version 1";
    uint8_t seed[crypto_sign_SEEDBYTES];
    crypto_generichash(seed, sizeof(seed), purpose, sizeof(purpose), keyring->api_keys,
                       sizeof(keyring->api_keys));
    crypto_sign_seed_keypair(public_out, secret_out, seed);
    sodium_memzero(seed, sizeof(seed));
}

static size_t
put_number(uint8_t *to, int64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)((uint64_t)number >> 8 * i);
    return 8;
}

/* What is signed: the purpose, the tenant with its size in front, the rest of fixed sizes. */
static size_t
write_signed(const struct vito_checkpoint *checkpoint, uint8_t out[SIGNED_BYTES_MAX])
{
    static const char purpose[] = "twin-gateway audit checkpoint 1\n";
    size_t used = sizeof(purpose) - 1, tenant_bytes = strlen(checkpoint->tenant_id);
    RT_ASSERT(tenant_bytes < VITO_TENANT_ID_BYTES);
    memcpy(out, purpose, used);
    used += put_number(out + used, (int64_t)tenant_bytes);
    memcpy(out + used, checkpoint->tenant_id, tenant_bytes);
    used += tenant_bytes;
    used += put_number(out + used, checkpoint->seq);
    used += put_number(out + used, checkpoint->at_ms);
    memcpy(out + used, checkpoint->chain.bytes, sizeof(checkpoint->chain.bytes));
    return used + sizeof(checkpoint->chain.bytes);
}

void
vito_checkpoint_sign(struct vito_checkpoint *checkpoint, const struct vito_keyring *keyring)
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES], text[SIGNED_BYTES_MAX];
    make_keys(keyring, checkpoint->key, secret);
    size_t size = write_signed(checkpoint, text);
    crypto_sign_detached(checkpoint->signature, NULL, text, size, secret);
    sodium_memzero(secret, sizeof(secret));
}

bool
vito_checkpoint_is_signed(const struct vito_checkpoint *checkpoint)
{
    uint8_t text[SIGNED_BYTES_MAX];
    size_t size = write_signed(checkpoint, text);
    return crypto_sign_verify_detached(checkpoint->signature, text, size, checkpoint->key) == 0;
}

void
vito_audit_public_key(const struct vito_keyring *keyring, uint8_t key_out[VITO_PUBLIC_KEY_BYTES])
{
    uint8_t secret[crypto_sign_SECRETKEYBYTES];
    make_keys(keyring, key_out, secret);
    sodium_memzero(secret, sizeof(secret));
}
