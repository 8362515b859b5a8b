/*
 * vito/audit_chain.h - hashes that chain a tenant's audit records, so that none can be changed,
 * removed or put in between without all later ones telling.
 */
#ifndef VITO_AUDIT_CHAIN_H
#define VITO_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VITO_CHAIN_BYTES = 32 };

struct vito_chain {
    uint8_t bytes[VITO_CHAIN_BYTES];
};

/* A record as stores keep it. Texts may be NULL, except id, tenant_id and event. */
struct vito_audit_record {
    const char *id, *tenant_id, *event, *session_id;
    int64_t at_ms;
    bool is_leg; /* a BILLING_EVENT, which alone has the next ones: */
    const char *provider_id, *decision_id, *policy_version, *mode, *outcome;
    int64_t cost_nusd, tokens, media_ms, interactions;
    const char *details; /* JSON object, or NULL */
    size_t details_bytes;
};

/* The chain of a record whose tenant's last record had the chain `before`; zeros at first.
 * Threads: any. */
struct vito_chain vito_audit_chain(const struct vito_chain *before,
                                   const struct vito_audit_record *record);

#endif
