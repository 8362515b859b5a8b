/* Tokens and sets of keys. Nothing unsigned is ever accepted; of what our own issuer signed only
 * what keeps the rules; and what was accepted is refused once a bit of it differs. */
#include <cjson/cJSON.h>
#include <sodium.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vito/jwt.h"

enum {
    TOKEN_BYTES = 16384,
    NOW_S = 1800000000,
    VARIANT = sodium_base64_VARIANT_URLSAFE_NO_PADDING
};

static const struct vito_jwt_rules rules = {"https://issuer.test", "twin-gateway"};
static uint8_t secret_key[crypto_sign_SECRETKEYBYTES];
static struct vito_jwks *jwks;

static size_t
base64url(char *text, const void *bytes, size_t size_bytes)
{
    sodium_bin2base64(text, sodium_base64_encoded_len(size_bytes, VARIANT), bytes, size_bytes,
                      VARIANT);
    return strlen(text);
}

static void
set_up(void)
{
    uint8_t seed[crypto_sign_SEEDBYTES] = {7}, public_key[crypto_sign_PUBLICKEYBYTES];
    char x[64], text[256], problem[VITO_JWKS_PROBLEM_BYTES];
    FUZZ_CHECK(sodium_init() >= 0);
    crypto_sign_seed_keypair(public_key, secret_key, seed);
    base64url(x, public_key, sizeof(public_key));
    int size = snprintf(text, sizeof(text),
                        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"%s\""
                        "}]}",
                        x);
    FUZZ_CHECK(vito_jwks_parse(text, (size_t)size, &jwks, problem) == RT_OK);
}

static enum vito_jwt_refusal
verify(const char *text, size_t size_bytes, struct vito_jwt_claims *claims)
{
    enum vito_jwt_refusal refusal =
        vito_jwt_verify(text, size_bytes, jwks, &rules, (int64_t)NOW_S * 1000, claims);
    FUZZ_CHECK(refusal < VITO_JWT_REFUSAL_COUNT && vito_jwt_refusal_text(refusal)[0] != '\0');
    return refusal;
}

static size_t
sign(char *token, struct fuzz_input header, struct fuzz_input claims)
{
    uint8_t signature[crypto_sign_BYTES];
    size_t size = base64url(token, header.at, header.left_bytes);
    token[size++] = '.';
    size += base64url(token + size, claims.at, claims.left_bytes);
    crypto_sign_detached(signature, NULL, (const uint8_t *)token, size, secret_key);
    token[size++] = '.';
    return size + base64url(token + size, signature, sizeof(signature));
}

static void
check_signed(struct fuzz_input header, struct fuzz_input claims_text)
{
    static char token[TOKEN_BYTES];
    struct vito_jwt_claims claims = {.expires_ms = -1};
    if (header.left_bytes + claims_text.left_bytes > TOKEN_BYTES / 2)
        return;
    size_t size_bytes = sign(token, header, claims_text);
    if (verify(token, size_bytes, &claims) != VITO_JWT_FINE) {
        FUZZ_CHECK(claims.expires_ms == -1); /* written on FINE alone */
        return;
    }
    FUZZ_CHECK(vito_tenant_id_is_valid(claims.tenant_id) && claims.subject[0] != '\0');
    FUZZ_CHECK(claims.expires_ms > (int64_t)NOW_S * 1000 && size_bytes <= VITO_JWT_BYTES_MAX);
    FUZZ_CHECK(verify(token, size_bytes - 1, &claims) != VITO_JWT_FINE);
    size_t at = fuzz_hash(FUZZ_HASH, token, size_bytes) % size_bytes;
    token[at] = token[at] == 'A' ? 'B' : 'A';
    FUZZ_CHECK(verify(token, size_bytes, &claims) != VITO_JWT_FINE);
}

static void
check_set(struct fuzz_input text)
{
    static const char *const names[] = {NULL, "", "a", "rsa", "ec", "ed"};
    static const uint8_t signature[256] = {1};
    char problem[VITO_JWKS_PROBLEM_BYTES] = "";
    struct vito_jwks *set = NULL;
    if (vito_jwks_parse((const char *)text.at, text.left_bytes, &set, problem) != RT_OK) {
        FUZZ_CHECK(set == NULL && problem[0] != '\0' && strchr(problem, '\n') == NULL);
        return;
    }
    FUZZ_CHECK(vito_jwks_count(set) >= 1 && vito_jwks_count(set) <= VITO_JWKS_KEYS_MAX);
    for (size_t i = 0; i < RT_COUNT_OF(names); i++) {
        const struct vito_jwk *key = vito_jwks_find(set, names[i]);
        FUZZ_CHECK(names[i] != NULL || (key != NULL) == (vito_jwks_count(set) == 1));
        if (key != NULL)
            FUZZ_CHECK(!vito_jwk_verify(key, "text", 4, signature, sizeof(signature)) &&
                       !vito_jwk_verify(key, "text", 4, signature, 64));
    }
    vito_jwks_destroy(set);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    struct vito_jwt_claims claims;
    if (jwks == NULL)
        set_up();
    switch (fuzz_byte(&input) % 3) {
    case 0:
        FUZZ_CHECK(verify((const char *)input.at, input.left_bytes, &claims) != VITO_JWT_FINE);
        break;
    case 1: {
        struct fuzz_input header = fuzz_part(&input);
        check_signed(header, input);
        break;
    }
    default:
        check_set(input);
    }
    return 0;
}
