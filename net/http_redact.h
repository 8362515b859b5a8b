/*
 * net/http_redact.h - strikes a secret out of an answer that repeats it, wherever the answer is cut
 * into pieces.
 *
 * A vendor that refuses a key may show it in its error. What comes out has REDACTED in the secret's
 * place, so that it gets into no memory but libcurl's, which is wiped. What may be the beginning
 * of the secret is held back until more has come; it is not copied, for it is the secret's own.
 *
 * One thread at a time.
 */
#ifndef NET_HTTP_REDACT_H
#define NET_HTTP_REDACT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/compiler.h"

#define NET_HTTP_REDACTED "[redacted]"

enum { NET_HTTP_SECRET_BYTES_MIN = 8 }; /* a shorter one is found in anything */

/* Where bytes go that may be seen. False: no more can be taken. */
typedef bool (*net_http_emit)(void *context, const char *bytes, size_t size_bytes);

/* Zeroed: there is no secret, and everything passes. */
struct net_http_redact {
    const char *secret; /* the caller's; outlives this */
    size_t secret_bytes;
    size_t held; /* bytes of the secret's beginning that came last and were not passed on */
};

/* Passes a piece on, without the secret. False when `emit` was. */
RT_MUST_USE bool net_http_redact(struct net_http_redact *redact, const char *bytes,
                                 size_t size_bytes, net_http_emit emit, void *context);

/* Nothing more comes: passes on what is held back; struck out when it is most of the secret. */
RT_MUST_USE bool net_http_redact_end(struct net_http_redact *redact, net_http_emit emit,
                                     void *context);

#endif
