/*
 * vito/ticket.h - tickets: credentials for one use within a short time, for browsers.
 *
 * A ticket is "twt_" and 43 characters of base64url: 160 random bits, and 96 that only who has the
 * master key can tell from them, so that nonsense is known as such without asking anybody. It is
 * shown once. What a store keeps is a keyed hash, and whom it lets in; taking that row is what uses
 * the ticket up, so of all who show it at once, at however many gateways, one comes in.
 *
 * All calls: any thread, no blocking.
 */
#ifndef VITO_TICKET_H
#define VITO_TICKET_H

#include "vito/identity.h"

enum {
    VITO_TICKET_RANDOM_BYTES = 20,
    VITO_HOLDER_BYTES = 128,
};

/* A new ticket and its digest. `random` comes from the world. */
void vito_ticket_make(const struct vito_keyring *keyring,
                      const uint8_t random[VITO_TICKET_RANDOM_BYTES],
                      char ticket_out[VITO_KEY_TEXT_BYTES], struct vito_digest *digest_out);

/* Whether that can be a ticket of ours. `text` need not end in NUL. */
bool vito_ticket_is_ours(const struct vito_keyring *keyring, const char *text, size_t size_bytes);

/* Whom a ticket lets in: the answer's document of TICKET_TAKE is one of these. */
struct vito_ticket_holder {
    char tenant_id[VITO_TENANT_ID_BYTES];
    char name[VITO_HOLDER_BYTES]; /* of the credential it was got with */
    char key_id[VITO_ID_BYTES];   /* of the API key that was; "": it was none */
    int64_t ends_ms;              /* wall time when that ends; 0: it does not */
};

/* What is asked of a store. */
struct vito_ticket {
    struct vito_digest digest;
    /* TICKET_ADD: */
    struct vito_ticket_holder holder; /* tenant_id is the request's */
    int64_t ttl_ms;
    int64_t kept_max; /* of one holder that were not used */
};

/* Whether a ticket whose credential ends at that time lets anybody in. */
static inline bool
vito_ticket_holder_is_valid(const struct vito_ticket_holder *holder, int64_t now_ms)
{
    return holder->ends_ms == 0 || holder->ends_ms > now_ms;
}

#endif
