#include "vito/ticket.h"

#include <sodium.h>
#include <string.h>

#include "runtime/assert.h"
#include "vito/keyring.h"

#define PREFIX "twt_"

enum {
    PREFIX_CHARS = sizeof(PREFIX) - 1,
    PROOF_BYTES = 12,
    BYTES = VITO_TICKET_RANDOM_BYTES + PROOF_BYTES,
    CHARS = 43, /* of those bytes */
};
_Static_assert(PREFIX_CHARS + CHARS + 1 == VITO_KEY_TEXT_BYTES, "prefix, digits, NUL");
_Static_assert(sodium_base64_ENCODED_LEN(BYTES, sodium_base64_VARIANT_URLSAFE_NO_PADDING) ==
                   CHARS + 1,
               "digits, NUL");

/* Digests of what callers show are longer, so none of them is a proof. */
static void
prove(const struct vito_keyring *keyring, uint8_t bytes[BYTES])
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    int failed = crypto_generichash(hash, sizeof(hash), bytes, VITO_TICKET_RANDOM_BYTES,
                                    keyring->api_keys, sizeof(keyring->api_keys));
    RT_ASSERT(failed == 0);
    memcpy(bytes + VITO_TICKET_RANDOM_BYTES, hash, PROOF_BYTES);
    sodium_memzero(hash, sizeof(hash));
}

/* The ticket of those random bytes, which are wiped with the rest. */
static void
write_ticket(const struct vito_keyring *keyring, uint8_t bytes[BYTES],
             char ticket_out[VITO_KEY_TEXT_BYTES])
{
    prove(keyring, bytes);
    memcpy(ticket_out, PREFIX, PREFIX_CHARS);
    sodium_bin2base64(ticket_out + PREFIX_CHARS, CHARS + 1, bytes, BYTES,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(bytes, BYTES);
}

void
vito_ticket_make(const struct vito_keyring *keyring, const uint8_t random[VITO_TICKET_RANDOM_BYTES],
                 char ticket_out[VITO_KEY_TEXT_BYTES], struct vito_digest *digest_out)
{
    uint8_t bytes[BYTES];
    memcpy(bytes, random, VITO_TICKET_RANDOM_BYTES);
    write_ticket(keyring, bytes, ticket_out);
    *digest_out = vito_key_digest(keyring, ticket_out, VITO_KEY_TEXT_BYTES - 1);
}

/* Written again from its random bytes it must be the same: decoders take more than they should. */
bool
vito_ticket_is_ours(const struct vito_keyring *keyring, const char *text, size_t size_bytes)
{
    uint8_t bytes[BYTES];
    char ticket[VITO_KEY_TEXT_BYTES];
    size_t decoded = 0;
    if (size_bytes != sizeof(ticket) - 1 || memcmp(text, PREFIX, PREFIX_CHARS) != 0 ||
        sodium_base642bin(bytes, sizeof(bytes), text + PREFIX_CHARS, CHARS, NULL, &decoded, NULL,
                          sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        decoded != sizeof(bytes))
        return false;
    write_ticket(keyring, bytes, ticket);
    bool is_ours = sodium_memcmp(ticket, text, size_bytes) == 0;
    sodium_memzero(ticket, sizeof(ticket));
    return is_ours;
}
