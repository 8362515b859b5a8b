#include "vito/identity.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "runtime/assert.h"
#include "vito/keyring.h"

#define KEY_PREFIX "twk_"

enum { RANDOM_BYTES = 32, RANDOM_CHARS = 43, PREFIX_CHARS = sizeof(KEY_PREFIX) - 1 };

_Static_assert(PREFIX_CHARS + RANDOM_CHARS + 1 == VITO_KEY_TEXT_BYTES, "prefix, digits, NUL");

void
vito_key_make(const struct vito_keyring *keyring, const uint8_t random[RANDOM_BYTES],
              char key_out[VITO_KEY_TEXT_BYTES], struct vito_digest *digest_out)
{
    memcpy(key_out, KEY_PREFIX, PREFIX_CHARS);
    sodium_bin2base64(key_out + PREFIX_CHARS, VITO_KEY_TEXT_BYTES - PREFIX_CHARS, random,
                      RANDOM_BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    *digest_out = vito_key_digest(keyring, key_out, VITO_KEY_TEXT_BYTES - 1);
}

struct vito_digest
vito_key_digest(const struct vito_keyring *keyring, const char *key, size_t key_bytes)
{
    struct vito_digest digest;
    int failed = crypto_generichash(digest.bytes, sizeof(digest.bytes), (const uint8_t *)key,
                                    key_bytes, keyring->api_keys, sizeof(keyring->api_keys));
    RT_ASSERT(failed == 0);
    return digest;
}

bool
vito_digest_is(const struct vito_digest *a, const struct vito_digest *b)
{
    return sodium_memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The token68 of RFC 9110, section 11.2, is what keys and JWTs are made of. */
const char *
vito_bearer_of(const char *authorization)
{
    static const char scheme[] = "Bearer ";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789-._~+/";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof(scheme) - 1) != 0)
        return NULL;
    const char *credential = authorization + sizeof(scheme) - 1;
    credential += strspn(credential, " ");
    size_t chars = strspn(credential, allowed);
    const char *end = credential + chars + strspn(credential + chars, "=");
    return chars > 0 && *end == '\0' ? credential : NULL;
}
