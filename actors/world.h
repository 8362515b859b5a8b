/*
 * actors/world.h - everything outside that the twin's actors can reach, in one table.
 *
 * The gateway fills it with the real ones, the simulator with its own; actors know no others.
 * Constant once the first actor runs.
 */
#ifndef ACTORS_WORLD_H
#define ACTORS_WORLD_H

#include "actors/adapter.h"
#include "actors/policy.h"
#include "net/http_port.h"
#include "runtime/system.h"
#include "vito/identity.h"
#include "vito/secrets.h"
#include "vito/store.h"
#include "vito/vault/vault.h"

struct world_vendor_base {
    char provider[ADAPTER_NAME_BYTES];
    char url[ADAPTER_URL_BYTES];
};

enum { WORLD_VENDOR_BASES_MAX = 16, WORLD_ISSUER_BYTES = 512 };

struct vito_login_limit;

/* Whose tokens are accepted. */
struct world_issuer {
    char source[WORLD_ISSUER_BYTES]; /* of its keys: a file or an http(s) URL; "": nobody's */
    char issuer[WORLD_ISSUER_BYTES], audience[WORLD_ISSUER_BYTES]; /* "iss" and "aud" */

    /* Reads a small local file: RT_OK | RT_NOT_FOUND | RT_TOO_BIG | RT_NO_MEMORY | RT_IO. */
    enum rt_status (*read_file)(const char *path, size_t bytes_max, struct rt_buffer **text_out);
};

struct world {
    struct rt_system *system;
    struct vito_store store;
    struct vito_vault *vault;     /* NULL: there is none, and nothing is known of its tenants */
    struct vito_secrets *secrets; /* the vault's, where there is one */
    struct vito_keyring *keyring;
    struct vito_digest admin_token;  /* digest of the operator's token */
    struct vito_login_limit *logins; /* failed ones; NULL: they are not limited */
    struct world_issuer issuer;
    struct net_http_port http; /* for actors/vendor_wire.c and actors/verifier.c alone */
    struct policy_port policies;
    struct adapter_port adapters;
    struct world_vendor_base vendor_bases[WORLD_VENDOR_BASES_MAX]; /* in place of the sheets' */
    unsigned vendor_base_count;

    uint32_t sessions_max;        /* per tenant */
    uint32_t tenant_idle_ms;      /* without sessions, before a tenant is passivated */
    uint32_t session_idle_ms;     /* without a frame from the client */
    uint32_t resume_ms;           /* after a connection broke; 0: sessions cannot be resumed */
    uint32_t audit_checkpoint_ms; /* between checkpoints of audit trails; 0: none are made */
    int64_t audit_retention_ms;   /* of what is older records may go; 0: none ever */

    /* Called once, from a worker, when REGISTRY_SHUTDOWN is done: every session has ended and
     * every tenant has left. May be NULL. */
    void (*drained)(void *context);
    void *drained_context;

    /* well-known actors, spawned in this order by world_start() */
    struct rt_address vendors[RT_WORKERS_MAX];   /* one a worker, pinned to it */
    struct rt_address verifiers[RT_WORKERS_MAX]; /* likewise, when there is an issuer */
    struct rt_address registry;
    struct rt_address admin;
    struct rt_address keeper; /* of the vault, where there is one */
    struct rt_address recovery;
};

/*
 * Spawns the well-known actors.
 *
 *   world      filled in but for their addresses; lives as long as the system
 *   returns    RT_OK | what rt_spawn() returned
 *   threads    one, before rt_system_start()
 */
RT_MUST_USE enum rt_status world_start(struct world *world);

/* The base URL of a provider: what was configured, else its sheet's. NULL: unknown provider. */
const char *world_vendor_base(const struct world *world, const char *provider);

/* Whether tokens are accepted at all. */
static inline bool
world_has_issuer(const struct world *world)
{
    return world->issuer.source[0] != '\0';
}

/* Whether a URL's host is this machine: 127.0.0.0/8, ::1 or localhost. */
bool world_url_is_loopback(const char *url);

#endif
