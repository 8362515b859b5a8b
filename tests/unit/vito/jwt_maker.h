/*
 * An issuer for tests: keys of its own, a JWK set of their public parts, and tokens signed by them,
 * sound or not.
 */
#ifndef TESTS_UNIT_VITO_JWT_MAKER_H
#define TESTS_UNIT_VITO_JWT_MAKER_H

#include <openssl/evp.h>
#include <stddef.h>

enum { MAKER_TEXT_BYTES = 16 * 1024 };

/* An RSA key of that many bits, P-256, Ed25519. The caller frees it. */
EVP_PKEY *maker_rsa(unsigned bits);
EVP_PKEY *maker_ec(const char *curve);
EVP_PKEY *maker_ed25519(void);

/* base64url without padding; returns the characters written. */
size_t maker_base64url(const void *bytes, size_t size_bytes, char *text_out);

/* The public part as a JWK with these further members, such as "\"kid\":\"a\"". */
void maker_jwk(EVP_PKEY *key, const char *members, char text_out[MAKER_TEXT_BYTES]);

/* header, claims (as they are) and the signature by `key` in JOSE's form, empty with a NULL key;
 * and the same with an HMAC. */
void maker_token(const char *header, const char *claims, EVP_PKEY *key,
                 char token_out[MAKER_TEXT_BYTES]);
void maker_hs256(const char *header, const char *claims, const void *secret, size_t secret_bytes,
                 char token_out[MAKER_TEXT_BYTES]);

/* Writes behind what is there, which must fit. Begin with an empty text. */
__attribute__((format(printf, 3, 4))) void maker_append(char *text, size_t room_bytes,
                                                        const char *format, ...);

/* The public key as PEM: what RS256-to-HS256 attacks take for the secret. */
size_t maker_pem(EVP_PKEY *key, char pem_out[MAKER_TEXT_BYTES]);

#endif
