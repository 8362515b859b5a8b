/*
 * actors/tenant_config.h - a tenant's document, read: who it is, its limits, its vendors.
 *
 * Read once, then never changed; sessions that run keep the one they began with. A new document
 * makes a new one.
 */
#ifndef ACTORS_TENANT_CONFIG_H
#define ACTORS_TENANT_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>

#include "actors/adapter.h"
#include "actors/policy.h"
#include "runtime/buffer.h"
#include "vito/account.h"
#include "vito/id.h"
#include "vito/policy_config.h"
#include "vito/store.h"

enum {
    TENANT_PROVIDERS_MAX = 4, /* alternatives for one mode */
    TENANT_NAME_BYTES = 128,
    TENANT_LANGUAGE_BYTES = 16,
    TENANT_DOCUMENT_BYTES_MAX = 64 * 1024,
};

struct tenant_provider {
    char name[VITO_PROVIDER_BYTES];
    char *config_json;                 /* provider_config.<name>, an object; owned */
    struct vito_price_list prices;     /* what a leg with it costs */
    const struct adapter_sheet *sheet; /* process lifetime */
};

struct tenant_config {
    atomic_uint holders;
    char id[VITO_TENANT_ID_BYTES];
    char display_name[TENANT_NAME_BYTES];
    char policy[POLICY_NAME_BYTES];
    struct vito_policy_config rules;
    struct tenant_provider providers[VITO_MODE_COUNT][TENANT_PROVIDERS_MAX];
    unsigned provider_counts[VITO_MODE_COUNT];
    char *persona_json; /* an object; owned */
    char *instructions; /* of the persona, or ""; owned */
    char *greeting;     /* or ""; owned */
    char language[TENANT_LANGUAGE_BYTES];
};

/*
 * Reads a document as PUT /api/tenants/{t} has it.
 *
 *   id           the tenant's; the document may repeat it but not contradict it
 *   adapters     where providers are looked up
 *   problem_out  on failure: every problem as "/json/pointer: what", joined by "; "
 *   returns      RT_OK | RT_INVALID | RT_NO_MEMORY
 *   ownership    one hold, the caller's
 *   blocking     may read the time-zone database
 */
RT_MUST_USE enum rt_status tenant_config_parse(const char *id, const char *json, size_t json_bytes,
                                               const struct adapter_port *adapters,
                                               struct tenant_config **config_out,
                                               char problem_out[VITO_PROBLEM_BYTES]);

/* One more holder, returns its argument; one less, the last one frees. Threads: any. */
struct tenant_config *tenant_config_acquire(struct tenant_config *config);
void tenant_config_release(struct tenant_config *config);

/* The document in full, as GET /api/tenants/{t} answers it. NULL when out of memory; by
 * cJSON_free(). */
char *tenant_config_print(const struct tenant_config *config);

#endif
