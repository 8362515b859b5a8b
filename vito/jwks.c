#include "vito/jwks.h"

#include <cjson/cJSON.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text.h"
#include "vito/json.h"

enum {
    RSA_BITS_MIN = 2048, /* RFC 7518, section 3.3 */
    RSA_BITS_MAX = 8192,
    FIELD_BYTES_MAX = RSA_BITS_MAX / 8,
    EC_FIELD_BYTES = 32,
    ES256_BYTES = 2 * EC_FIELD_BYTES,
    ED25519_BYTES = 32,
};

struct vito_jwk {
    char kid[VITO_KID_BYTES]; /* "": it has no name */
    enum vito_jwt_algorithm algorithm;
    EVP_PKEY *key;
};

struct vito_jwks {
    size_t count;
    struct vito_jwk keys[VITO_JWKS_KEYS_MAX];
};

/* A key being read, and where its problems are told. */
struct reading {
    const cJSON *json;
    int index;
    char *problem;
};

RT_PRINTF(2, 3)
static enum rt_status
refuse(const struct reading *reading, const char *format, ...)
{
    int used = reading->index < 0 ? 0
                                  : snprintf(reading->problem, VITO_JWKS_PROBLEM_BYTES,
                                             "/keys/%d: ", reading->index);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reading->problem + used, (size_t)(VITO_JWKS_PROBLEM_BYTES - used), format, arguments);
    va_end(arguments);
    return RT_INVALID;
}

/* The text of a member, "" when there is none. NULL when it is no text. */
static const char *
text_of(const struct reading *reading, const char *name)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(reading->json, name);
    return item == NULL ? "" : cJSON_GetStringValue(item);
}

/* The bytes of a base64url member. False when it is not canonical, empty or too long. */
static bool
bytes_of(const struct reading *reading, const char *name, uint8_t bytes_out[FIELD_BYTES_MAX],
         size_t *size_out)
{
    const char *text = text_of(reading, name);
    return text != NULL &&
           sodium_base642bin(bytes_out, FIELD_BYTES_MAX, text, strlen(text), NULL, size_out, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0 &&
           *size_out > 0;
}

enum vito_jwt_algorithm
vito_jwt_algorithm_of(const char *name)
{
    static const char *const names[] = {"RS256", "ES256", "EdDSA"};
    enum vito_jwt_algorithm algorithm = 0;
    while (algorithm < VITO_JWT_ALGORITHM_COUNT && strcmp(names[algorithm], name) != 0)
        algorithm++;
    return algorithm;
}

/* Makes a key from its parameters, which are freed. NULL when they are not sound. */
static EVP_PKEY *
key_from(const char *type, OSSL_PARAM_BLD *builder)
{
    OSSL_PARAM *parameters = OSSL_PARAM_BLD_to_param(builder);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *key = NULL;
    if (parameters == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
        EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(parameters);
    return key;
}

static bool
is_sound(EVP_PKEY *key)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(key, NULL);
    bool sound = context != NULL && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    return sound;
}

static enum rt_status
read_rsa(const struct reading *reading, EVP_PKEY **key_out)
{
    uint8_t modulus[FIELD_BYTES_MAX], exponent[FIELD_BYTES_MAX];
    size_t modulus_bytes, exponent_bytes;
    if (!bytes_of(reading, "n", modulus, &modulus_bytes) ||
        !bytes_of(reading, "e", exponent, &exponent_bytes))
        return refuse(reading, "\"n\" and \"e\" must be base64url, \"n\" of at most %d bits",
                      RSA_BITS_MAX);
    BIGNUM *n = BN_bin2bn(modulus, (int)modulus_bytes, NULL);
    BIGNUM *e = BN_bin2bn(exponent, (int)exponent_bytes, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (n != NULL && e != NULL && builder != NULL &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = key_from("RSA", builder);
    bool weak = n == NULL || BN_num_bits(n) < RSA_BITS_MIN;
    OSSL_PARAM_BLD_free(builder);
    BN_free(n);
    BN_free(e);
    *key_out = key;
    if (weak)
        return refuse(reading, "an RSA key needs at least %d bits", RSA_BITS_MIN);
    return key != NULL && is_sound(key) ? RT_OK : refuse(reading, "not a sound RSA key");
}

static enum rt_status
read_ec(const struct reading *reading, EVP_PKEY **key_out)
{
    uint8_t x[FIELD_BYTES_MAX], y[FIELD_BYTES_MAX], point[1 + ES256_BYTES] = {4 /* uncompressed */};
    size_t x_bytes, y_bytes;
    if (!bytes_of(reading, "x", x, &x_bytes) || !bytes_of(reading, "y", y, &y_bytes) ||
        x_bytes != EC_FIELD_BYTES || y_bytes != EC_FIELD_BYTES)
        return refuse(reading, "\"x\" and \"y\" must be base64url of %d bytes", EC_FIELD_BYTES);
    memcpy(point + 1, x, EC_FIELD_BYTES);
    memcpy(point + 1 + EC_FIELD_BYTES, y, EC_FIELD_BYTES);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    if (builder != NULL &&
        OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) ==
            1 &&
        OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) ==
            1)
        *key_out = key_from("EC", builder);
    OSSL_PARAM_BLD_free(builder);
    return *key_out != NULL && is_sound(*key_out)
               ? RT_OK
               : refuse(reading, "\"x\" and \"y\" are not a point of the curve");
}

static enum rt_status
read_okp(const struct reading *reading, EVP_PKEY **key_out)
{
    uint8_t x[FIELD_BYTES_MAX];
    size_t x_bytes;
    if (!bytes_of(reading, "x", x, &x_bytes) || x_bytes != ED25519_BYTES)
        return refuse(reading, "\"x\" must be base64url of %d bytes", ED25519_BYTES);
    if (crypto_core_ed25519_is_valid_point(x) == 0)
        return refuse(reading, "\"x\" is not a point that may be a key");
    *key_out = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, x_bytes);
    return *key_out != NULL ? RT_OK : RT_NO_MEMORY;
}

static const struct family {
    const char *type, *curve, *algorithm;
    enum rt_status (*read)(const struct reading *reading, EVP_PKEY **key_out);
} families[VITO_JWT_ALGORITHM_COUNT] = {
    [VITO_RS256] = {"RSA", "", "RS256", read_rsa},
    [VITO_ES256] = {"EC", "P-256", "ES256", read_ec},
    [VITO_EDDSA] = {"OKP", "Ed25519", "EdDSA", read_okp},
};

/* Whether the key is for checking signatures by one of our algorithms. */
static bool
is_for_us(const struct reading *reading, enum vito_jwt_algorithm *algorithm_out)
{
    const char *type = text_of(reading, "kty"), *curve = text_of(reading, "crv");
    const char *use = text_of(reading, "use"), *name = text_of(reading, "alg");
    if (type == NULL || curve == NULL || use == NULL || name == NULL ||
        (*use != '\0' && strcmp(use, "sig") != 0))
        return false;
    const cJSON *operations = cJSON_GetObjectItemCaseSensitive(reading->json, "key_ops");
    bool may_verify = operations == NULL;
    for (const cJSON *item = cJSON_IsArray(operations) ? operations->child : NULL; item != NULL;
         item = item->next)
        may_verify =
            may_verify || (cJSON_IsString(item) && strcmp(item->valuestring, "verify") == 0);
    if (!may_verify)
        return false;
    for (enum vito_jwt_algorithm i = 0; i < VITO_JWT_ALGORITHM_COUNT; i++) {
        const struct family *family = &families[i];
        if (strcmp(family->type, type) == 0 && strcmp(family->curve, curve) == 0 &&
            (*name == '\0' || strcmp(family->algorithm, name) == 0)) {
            *algorithm_out = i;
            return true;
        }
    }
    return false;
}

static enum rt_status
read_key(const struct reading *reading, struct vito_jwks *jwks)
{
    const char *kid = text_of(reading, "kid"), *type = text_of(reading, "kty");
    if (!cJSON_IsObject(reading->json) || type == NULL || *type == '\0')
        return refuse(reading, "must be an object with a \"kty\"");
    if (strcmp(type, "oct") == 0)
        return refuse(reading, "is a shared secret: list public keys only");
    if (cJSON_HasObjectItem(reading->json, "d") || cJSON_HasObjectItem(reading->json, "p"))
        return refuse(reading, "is a private key: list its public part only");
    enum vito_jwt_algorithm algorithm = VITO_JWT_ALGORITHM_COUNT;
    if (!is_for_us(reading, &algorithm))
        return RT_OK;
    if (kid == NULL || strlen(kid) >= VITO_KID_BYTES)
        return refuse(reading, "\"kid\" must be a text of at most %d bytes", VITO_KID_BYTES - 1);
    for (size_t i = 0; i < jwks->count; i++)
        if (strcmp(jwks->keys[i].kid, kid) == 0)
            return refuse(reading, "another key has that \"kid\" as well");
    if (jwks->count == VITO_JWKS_KEYS_MAX)
        return refuse(reading, "more than %d usable keys", VITO_JWKS_KEYS_MAX);
    struct vito_jwk *key = &jwks->keys[jwks->count++]; /* freed with the set, also on failure */
    RT_TEXT_SET(key->kid, kid);
    key->algorithm = algorithm;
    return families[algorithm].read(reading, &key->key);
}

static enum rt_status
read_set(const cJSON *json, struct vito_jwks *jwks, char *problem)
{
    const cJSON *keys = cJSON_GetObjectItemCaseSensitive(json, "keys");
    struct reading reading = {.json = keys, .index = -1, .problem = problem};
    if (!cJSON_IsArray(keys))
        return refuse(&reading, "not a JWK set: it needs an array \"keys\"");
    if (vito_json_repeats_a_name(json))
        return refuse(&reading, "an object has two members of one name");
    reading.index = 0;
    for (const cJSON *key = keys->child; key != NULL; key = key->next, reading.index++) {
        reading.json = key;
        enum rt_status status = read_key(&reading, jwks);
        if (status != RT_OK)
            return status;
    }
    reading.index = -1;
    return jwks->count > 0 ? RT_OK
                           : refuse(&reading, "no key for signatures by RS256, ES256 or EdDSA");
}

enum rt_status
vito_jwks_parse(const char *text, size_t size_bytes, struct vito_jwks **jwks_out,
                char problem_out[VITO_JWKS_PROBLEM_BYTES])
{
    const char *problem;
    cJSON *json;
    _Static_assert((int)VITO_JWKS_BYTES_MAX <= (int)VITO_JSON_BYTES_MAX,
                   "the parser takes all of it");
    enum rt_status status = vito_json_parse(text, size_bytes, &json, &problem);
    if (status != RT_OK) {
        snprintf(problem_out, VITO_JWKS_PROBLEM_BYTES, "%s", problem);
        return status;
    }
    struct vito_jwks *jwks = calloc(1, sizeof(*jwks));
    status = jwks == NULL ? RT_NO_MEMORY : read_set(json, jwks, problem_out);
    cJSON_Delete(json);
    if (status == RT_OK)
        *jwks_out = jwks;
    else
        vito_jwks_destroy(jwks);
    return status;
}

void
vito_jwks_destroy(struct vito_jwks *jwks)
{
    for (size_t i = 0; jwks != NULL && i < jwks->count; i++)
        EVP_PKEY_free(jwks->keys[i].key);
    free(jwks);
}

size_t
vito_jwks_count(const struct vito_jwks *jwks)
{
    return jwks->count;
}

const struct vito_jwk *
vito_jwks_find(const struct vito_jwks *jwks, const char *kid)
{
    if (kid == NULL)
        return jwks->count == 1 ? &jwks->keys[0] : NULL;
    for (size_t i = 0; i < jwks->count; i++)
        if (*kid != '\0' && strcmp(jwks->keys[i].kid, kid) == 0)
            return &jwks->keys[i];
    return NULL;
}

enum vito_jwt_algorithm
vito_jwk_algorithm(const struct vito_jwk *key)
{
    return key->algorithm;
}

/* JOSE writes an ECDSA signature as r and s of fixed size; OpenSSL wants them in DER. Returns the
 * size of the DER, 0 when it is no signature. */
static size_t
der_of(const uint8_t *signature, size_t signature_bytes, unsigned char **der_out)
{
    if (signature_bytes != ES256_BYTES)
        return 0;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, EC_FIELD_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(signature + EC_FIELD_BYTES, EC_FIELD_BYTES, NULL);
    if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1) {
        ECDSA_SIG_free(pair);
        BN_free(r);
        BN_free(s);
        return 0;
    }
    int size = BN_is_zero(r) || BN_is_zero(s) ? 0 : i2d_ECDSA_SIG(pair, der_out);
    ECDSA_SIG_free(pair);
    return size > 0 ? (size_t)size : 0;
}

bool
vito_jwk_verify(const struct vito_jwk *key, const char *text, size_t text_bytes,
                const uint8_t *signature, size_t signature_bytes)
{
    unsigned char *der = NULL;
    if (key->algorithm == VITO_ES256) {
        signature_bytes = der_of(signature, signature_bytes, &der);
        signature = der;
        if (signature_bytes == 0)
            return false;
    }
    const EVP_MD *digest = key->algorithm == VITO_EDDSA ? NULL : EVP_sha256();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_its =
        context != NULL && EVP_DigestVerifyInit(context, NULL, digest, NULL, key->key) == 1 &&
        EVP_DigestVerify(context, signature, signature_bytes, (const uint8_t *)text, text_bytes) ==
            1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    return is_its;
}
