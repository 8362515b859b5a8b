/*
 * gateway/evidence.h - what an auditor is shown: a claim, what was done, what was seen, and
 * whether it holds.
 */
#ifndef GATEWAY_EVIDENCE_H
#define GATEWAY_EVIDENCE_H

#include <cjson/cJSON.h>
#include <stdbool.h>

#include "gateway/client.h"
#include "runtime/compiler.h"

enum { EVIDENCE_ID_BYTES = 48, EVIDENCE_KEY_BYTES = 64 };

/* One run against a gateway and its simulator. */
struct evidence {
    struct client gateway; /* with the operator's token */
    struct client simulator;
    char run[16];  /* part of the ids of the tenants it makes */
    bool quiet;    /* --json: nothing else on stdout */
    cJSON *claims; /* the report */
    cJSON *claim;  /* the one being checked */
    bool claim_holds;
    unsigned failed;
};

/* A twin made for a check. */
struct evidence_twin {
    char id[EVIDENCE_ID_BYTES];
    char key[EVIDENCE_KEY_BYTES];
};

/* Begins and ends the account of a claim. */
void evidence_begin(struct evidence *evidence, const char *id, const char *claim);
void evidence_end(struct evidence *evidence);

/* What was done; what was seen. */
RT_PRINTF(2, 3) void evidence_did(struct evidence *evidence, const char *format, ...);
RT_PRINTF(2, 3) void evidence_saw(struct evidence *evidence, const char *format, ...);

/* Something that must hold, said as a sentence. Returns `holds`. */
RT_PRINTF(3, 4)
bool evidence_check(struct evidence *evidence, bool holds, const char *format, ...);

/* Makes a twin with this policy_config, and a key for it. False: it could not be made. */
bool evidence_make_twin(struct evidence *evidence, const char *name, const char *policy_config,
                        struct evidence_twin *twin_out);
void evidence_remove_twin(struct evidence *evidence, const struct evidence_twin *twin);

/* One turn with a key. */
struct client_answer evidence_turn(const struct evidence *evidence, const char *tenant_id,
                                   const char *key);

/* How many requests the simulated vendors have seen, of one vendor or (NULL) all; -1: no answer. */
int evidence_vendor_calls(const struct evidence *evidence, const char *vendor);

/* The audit entries of a twin, an array, or NULL; the caller's. */
cJSON *evidence_audit(const struct evidence *evidence, const char *tenant_id);

/* The claims (evidence_claims.c). */
void evidence_hard_limit(struct evidence *evidence);
void evidence_isolation(struct evidence *evidence);
void evidence_burst(struct evidence *evidence);
void evidence_audit_trail(struct evidence *evidence, unsigned video_seconds);

#endif
