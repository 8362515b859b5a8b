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

enum { VITO_SECRET_BYTES_MAX = 4096, VITO_SECRET_NAME_BYTES = 64 };

struct vito_secret {
    size_t size_bytes;
    char value[VITO_SECRET_BYTES_MAX + 1]; /* NUL-terminated */
};

/*
 * Where secrets come from. Threads: any. Never blocks.
 */
struct vito_secrets {
    void *self;

    /*
     * Fills in the secret `name` ("openai.api_key") of a tenant.
     *
     *   loopback   the request goes to a loopback address; with --dev a missing key is then
     *              "sim-key"
     *   returns    RT_OK | RT_NOT_FOUND | RT_UNAVAILABLE
     */
    enum rt_status (*get)(void *self, const char *tenant_id, const char *name, bool loopback,
                          struct vito_secret *secret_out);
};

/* Overwrites it in a way the compiler keeps. */
void vito_secret_wipe(struct vito_secret *secret);

/* Secrets from TWIN_SECRET_<TENANT>_<NAME> in `environment` (as environ), which is read now and
 * those entries wiped from it. NULL when out of memory. */
struct vito_secrets *vito_secrets_from_environment(char **environment, bool dev);
void vito_secrets_destroy(struct vito_secrets *secrets);

#endif
