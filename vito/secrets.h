/*
 * vito/secrets.h - vendor keys of tenants, and who may hold one in the hand.
 *
 * A value exists in memory only inside a vito_secret, is never formatted, logged or given to
 * Lua, and is wiped when it is let go.
 */
#ifndef VITO_SECRETS_H
#define VITO_SECRETS_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

enum { VITO_SECRET_BYTES_MAX = 4096, VITO_SECRET_NAME_BYTES = 64 /* with NUL */ };

struct vito_secret {
    size_t size_bytes;
    char value[VITO_SECRET_BYTES_MAX + 1]; /* NUL-terminated */
};

/* Who wants which secret. */
struct vito_secret_use {
    const char *tenant_id;
    const char *provider; /* the adapter in whose request it is put */
    const char *name;     /* "openai.api_key" */
    bool loopback;        /* the request goes to a loopback address */
};

/*
 * Where secrets come from. Threads: any. Never blocks.
 */
struct vito_secrets {
    void *self;

    /* Fills in a secret. RT_OK | RT_NOT_FOUND | RT_DENIED (not for that provider; or it may be
     * another tenant's) | RT_INVALID (it was tampered with). Refusals are logged. */
    enum rt_status (*get)(void *self, const struct vito_secret_use *use,
                          struct vito_secret *secret_out);
};

/* Whether the text may name a secret: ^[a-z0-9][a-z0-9_.-]{0,62}$ */
bool vito_secret_name_is_valid(const char *name);

/* Whether it is a list of providers: "openai,cartesia". */
bool vito_secret_providers_are_valid(const char *providers);

/* Whether a list has this provider. */
bool vito_secret_providers_have(const char *providers, const char *provider);

/* Who may use a secret of that name when nobody says: the provider before its first dot, as a
 * list. False when there is none. */
bool vito_secret_provider_of(const char *name, char *provider_out, size_t provider_bytes);

/* Overwrites it in a way the compiler keeps. */
void vito_secret_wipe(struct vito_secret *secret);

/*
 * Secrets from TWIN_SECRET_<TENANT>_<NAME> in `environment` (as environ), which is read now and
 * those entries wiped from it. One is for the provider before the first dot of its name. With
 * `dev` a secret that is not there is "sim-key" towards a loopback address.
 *
 *   returns    NULL when out of memory
 */
struct vito_secrets *vito_secrets_from_environment(char **environment, bool dev);

/* Says which tenants there are. TWIN_SECRET_A_B_C is then refused while it may be a secret of "a"
 * as well as of "a-b". */
void vito_secrets_set_tenants(struct vito_secrets *secrets,
                              bool (*is_tenant)(void *context, const char *tenant_id),
                              void *context);
void vito_secrets_destroy(struct vito_secrets *secrets);

#endif
