/*
 * vito/jwt.h - signed tokens: who the bearer is, on the word of an issuer whose keys we have.
 *
 * A token is refused unless everything about it is as it must be; each refusal has its text. The
 * header is believed in nothing: it chooses among our keys by name, and must agree with the one
 * algorithm of that key. Claims are read only after the signature was found to be right.
 *
 * Source: RFC 7519, RFC 7515, RFC 8725 (JWT best current practices), read 2026-11.
 */
#ifndef VITO_JWT_H
#define VITO_JWT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vito/id.h"
#include "vito/jwks.h"

enum {
    VITO_JWT_BYTES_MAX = 8192,        /* longer ones are refused unread */
    VITO_JWT_HEADER_BYTES_MAX = 1024, /* decoded */
    VITO_JWT_SUBJECT_BYTES = 128,
    VITO_JWT_LEEWAY_MS = 60000, /* what clocks may differ by */
};

enum vito_jwt_refusal {
    VITO_JWT_FINE,
    VITO_JWT_TOO_LONG,
    VITO_JWT_NOT_THREE_PARTS,
    VITO_JWT_NOT_BASE64URL,
    VITO_JWT_BAD_HEADER,
    VITO_JWT_ALGORITHM_REFUSED,
    VITO_JWT_CRITICAL_EXTENSION,
    VITO_JWT_WRONG_TYPE,
    VITO_JWT_UNKNOWN_KEY, /* the only one that a newer set of keys may cure */
    VITO_JWT_ALGORITHM_NOT_THE_KEYS,
    VITO_JWT_BAD_SIGNATURE,
    VITO_JWT_BAD_CLAIMS,
    VITO_JWT_BAD_TIME,
    VITO_JWT_EXPIRED,
    VITO_JWT_NOT_YET,
    VITO_JWT_OTHER_ISSUER,
    VITO_JWT_OTHER_AUDIENCE,
    VITO_JWT_NO_SUBJECT,
    VITO_JWT_NO_TENANT,
    VITO_JWT_BAD_SCOPE,
    VITO_JWT_REFUSAL_COUNT,
};

/* Whom tokens must be from and for. */
struct vito_jwt_rules {
    const char *issuer;   /* "iss", exactly */
    const char *audience; /* is "aud", or one of it */
};

struct vito_jwt_claims {
    char tenant_id[VITO_TENANT_ID_BYTES];
    char subject[VITO_JWT_SUBJECT_BYTES];
    bool is_tenant_admin; /* "scope" has the word tenant-admin */
    int64_t expires_ms;   /* wall time, until when what it permits may go on */
};

/*
 * Checks a token.
 *
 *   text        as it came; need not be NUL-terminated
 *   now_ms      wall time
 *   claims_out  written on VITO_JWT_FINE alone
 *   threads     any; one at a time with one `jwks`
 */
enum vito_jwt_refusal vito_jwt_verify(const char *text, size_t text_bytes,
                                      const struct vito_jwks *jwks,
                                      const struct vito_jwt_rules *rules, int64_t now_ms,
                                      struct vito_jwt_claims *claims_out);

/* The refusal as one sentence for the bearer: what, and how to mend it. Holds nothing of the
 * token. */
const char *vito_jwt_refusal_text(enum vito_jwt_refusal refusal);

/* Whether a credential means to be a token: it has a dot, as no API key has. */
bool vito_jwt_looks_like_one(const char *credential);

#endif
