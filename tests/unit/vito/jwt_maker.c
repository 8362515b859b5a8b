#include "jwt_maker.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

EVP_PKEY *
maker_rsa(unsigned bits)
{
    return EVP_RSA_gen(bits);
}

EVP_PKEY *
maker_ec(const char *curve)
{
    return EVP_EC_gen(curve);
}

EVP_PKEY *
maker_ed25519(void)
{
    return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
}

size_t
maker_base64url(const void *bytes, size_t size_bytes, char *text_out)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const unsigned char *at = bytes;
    size_t chars = 0;
    unsigned value = 0, bits = 0;
    for (size_t i = 0; i < size_bytes; i++) {
        value = value << 8 | at[i];
        for (bits += 8; bits >= 6; bits -= 6)
            text_out[chars++] = alphabet[value >> (bits - 6) & 63];
    }
    if (bits > 0)
        text_out[chars++] = alphabet[value << (6 - bits) & 63];
    text_out[chars] = '\0';
    return chars;
}

void
maker_append(char *text, size_t room_bytes, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text + used, room_bytes - used, format, arguments);
    va_end(arguments);
    cr_assert(size >= 0 && (size_t)size < room_bytes - used);
}

static void
write_number(EVP_PKEY *key, const char *parameter, size_t size_bytes, char *text_out)
{
    BIGNUM *number = NULL;
    unsigned char bytes[1024];
    cr_assert_eq(EVP_PKEY_get_bn_param(key, parameter, &number), 1);
    size_t size = size_bytes > 0 ? size_bytes : (size_t)BN_num_bytes(number);
    cr_assert_eq(BN_bn2binpad(number, bytes, (int)size), (int)size);
    maker_base64url(bytes, size, text_out);
    BN_free(number);
}

void
maker_jwk(EVP_PKEY *key, const char *members, char text_out[MAKER_TEXT_BYTES])
{
    char one[2048], two[2048];
    const char *comma = *members == '\0' ? "" : ",";
    if (EVP_PKEY_is_a(key, "RSA")) {
        write_number(key, OSSL_PKEY_PARAM_RSA_N, 0, one);
        write_number(key, OSSL_PKEY_PARAM_RSA_E, 0, two);
        snprintf(text_out, MAKER_TEXT_BYTES, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s%s}", one,
                 two, comma, members);
    } else if (EVP_PKEY_is_a(key, "EC")) {
        write_number(key, OSSL_PKEY_PARAM_EC_PUB_X, 32, one);
        write_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32, two);
        snprintf(text_out, MAKER_TEXT_BYTES,
                 "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"%s%s}", one, two,
                 comma, members);
    } else {
        unsigned char bytes[32];
        size_t size_bytes = sizeof(bytes);
        cr_assert_eq(EVP_PKEY_get_raw_public_key(key, bytes, &size_bytes), 1);
        maker_base64url(bytes, size_bytes, one);
        snprintf(text_out, MAKER_TEXT_BYTES,
                 "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"%s\"%s%s}", one, comma, members);
    }
}

/* "header.claims"; returns its length. */
static size_t
write_signed(const char *header, const char *claims, char *token_out)
{
    size_t size = maker_base64url(header, strlen(header), token_out);
    token_out[size++] = '.';
    size += maker_base64url(claims, strlen(claims), token_out + size);
    cr_assert_lt(size, MAKER_TEXT_BYTES - 2048);
    return size;
}

/* DER to r and s of 32 bytes each. */
static size_t
jose_of(unsigned char *signature, size_t size_bytes)
{
    const unsigned char *der = signature;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)size_bytes);
    cr_assert_not_null(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + 32, 32);
    ECDSA_SIG_free(pair);
    return 64;
}

void
maker_token(const char *header, const char *claims, EVP_PKEY *key, char token_out[MAKER_TEXT_BYTES])
{
    size_t size = write_signed(header, claims, token_out);
    unsigned char signature[1024];
    size_t signature_bytes = 0;
    if (key != NULL) {
        bool is_ed = EVP_PKEY_is_a(key, "ED25519");
        signature_bytes = sizeof(signature);
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        cr_assert_eq(EVP_DigestSignInit(context, NULL, is_ed ? NULL : EVP_sha256(), NULL, key), 1);
        cr_assert_eq(EVP_DigestSign(context, signature, &signature_bytes,
                                    (const unsigned char *)token_out, size),
                     1);
        EVP_MD_CTX_free(context);
        if (EVP_PKEY_is_a(key, "EC"))
            signature_bytes = jose_of(signature, signature_bytes);
    }
    token_out[size++] = '.';
    maker_base64url(signature, signature_bytes, token_out + size);
}

void
maker_hs256(const char *header, const char *claims, const void *secret, size_t secret_bytes,
            char token_out[MAKER_TEXT_BYTES])
{
    size_t size = write_signed(header, claims, token_out);
    unsigned char code[32];
    unsigned code_bytes = sizeof(code);
    cr_assert_not_null(HMAC(EVP_sha256(), secret, (int)secret_bytes, (unsigned char *)token_out,
                            size, code, &code_bytes));
    token_out[size++] = '.';
    maker_base64url(code, code_bytes, token_out + size);
}

size_t
maker_pem(EVP_PKEY *key, char pem_out[MAKER_TEXT_BYTES])
{
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PUBKEY(bio, key), 1);
    int size = BIO_read(bio, pem_out, MAKER_TEXT_BYTES - 1);
    cr_assert_gt(size, 0);
    pem_out[size] = '\0';
    BIO_free(bio);
    return (size_t)size;
}
