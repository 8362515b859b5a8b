/*
 * vito/vault/vault.h - tenants' secrets: sealed in the store and in memory, opened for one use.
 *
 *      master key ──wraps──► tenant's key ──seals──► secrets            (vito/vault/blob.h)
 *                                └── lists them, each with its version and nonce (head.h)
 *
 * The vault is an image in memory of what the store has. A change is planned as rows, written to
 * the store, and taken in once it is durable; so whoever asks gets what was or what is, and a
 * crash leaves one of the two. One actor plans (actors/vault.c); anybody may get.
 *
 * Threads: any; a lock is held for microseconds. No call blocks but those that say so.
 */
#ifndef VITO_VAULT_VAULT_H
#define VITO_VAULT_VAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/world.h"
#include "vito/identity.h"
#include "vito/secrets.h"
#include "vito/store.h"

struct vito_vault;

/* Carries out one request of the store at once, as vito_sqlite_ask() does. */
struct vito_vault_ledger {
    void *self;
    enum rt_status (*ask)(void *self, const struct vito_request *request,
                          struct vito_stored *stored_out, struct rt_buffer **document_out);
};

/*
 * Reads the vault, or makes it on a store that has none. From then on `keyring` recognises API
 * keys by what the vault keeps for that, whatever becomes of the master key.
 *
 *   keyring      stays the caller's, and lives longer than the vault
 *   problem_out  on failure: one line, what, where and how to mend it
 *   returns      RT_OK | RT_DENIED (another master key sealed it) | RT_INVALID (changed or cut
 *                short) | RT_UNAVAILABLE, RT_NO_MEMORY
 *   blocking     reads all of it; before other threads have the keyring
 */
RT_MUST_USE enum rt_status vito_vault_open(struct vito_keyring *keyring,
                                           const struct rt_world *world,
                                           const struct vito_vault_ledger *ledger,
                                           struct vito_vault **vault_out, char *problem,
                                           size_t problem_bytes);
void vito_vault_close(struct vito_vault *vault); /* NULL is ignored */

/* The vault as a source of secrets; where it has none, `fallback` is asked. Both stay the
 * caller's; lives as long as the vault. One call, before the first get. */
struct vito_secrets *vito_vault_secrets(struct vito_vault *vault, struct vito_secrets *fallback);

/* Of tenants the vault must know: without one there are no secrets of it. */
RT_MUST_USE bool vito_vault_add_tenant(struct vito_vault *vault, const char *tenant_id);
bool vito_vault_has_tenant(struct vito_vault *vault, const char *tenant_id);

/* Forgets it with all it has, as the store did. */
void vito_vault_remove_tenant(struct vito_vault *vault, const char *tenant_id);

/* What may be told of a secret. */
struct vito_vault_entry {
    char name[VITO_SECRET_NAME_BYTES];
    char providers[VITO_SEALED_PROVIDERS_BYTES];
    int64_t version;
    int64_t updated_ms;
    bool is_sound; /* false: what the store has is not what was put there */
};

enum { VITO_VAULT_SECRETS_MAX = 64 }; /* of one tenant */

/* Lists a tenant's secrets by name. RT_OK | RT_NOT_FOUND (no such tenant) | RT_INVALID (its key
 * does not open; all there are, unsound). */
RT_MUST_USE enum rt_status vito_vault_list(
    struct vito_vault *vault, const char *tenant_id,
    struct vito_vault_entry entries_out[VITO_VAULT_SECRETS_MAX], unsigned *count_out);

/*
 * Plans. Each yields a document for VITO_VAULT_WRITE, to be given to vito_vault_take() when that
 * is durable, before the next plan for the same tenant.
 */

struct vito_vault_put {
    const char *tenant_id;
    const char *name;      /* vito_secret_name_is_valid() */
    const char *providers; /* vito_secret_providers_are_valid() */
    const void *value;
    size_t value_bytes; /* 1 … VITO_SECRET_BYTES_MAX */
    int64_t at_ms;
};

/* A secret's next version. RT_OK | RT_NOT_FOUND (tenant) | RT_FULL | RT_INVALID (the tenant's key
 * does not open) | RT_NO_MEMORY. */
RT_MUST_USE enum rt_status vito_vault_plan_put(struct vito_vault *vault,
                                               const struct vito_vault_put *put,
                                               struct rt_buffer **document_out,
                                               int64_t *version_out);

/* RT_OK | RT_NOT_FOUND (tenant or secret) | RT_INVALID | RT_NO_MEMORY. */
RT_MUST_USE enum rt_status vito_vault_plan_remove(struct vito_vault *vault, const char *tenant_id,
                                                  const char *name,
                                                  struct rt_buffer **document_out);

/* A new key for a tenant, with which all its secrets are sealed anew. RT_OK | RT_NOT_FOUND
 * (tenant) | RT_EMPTY (it has no key yet) | RT_INVALID (a secret or the key does not open) |
 * RT_NO_MEMORY. */
RT_MUST_USE enum rt_status vito_vault_plan_tenant_key(struct vito_vault *vault,
                                                      const char *tenant_id,
                                                      struct rt_buffer **document_out);

/*
 * The way to the next master key, in steps, each of which leaves all readable:
 *
 *      begin (there are two keys) ──► wrap, as often as it yields rows ──► finish (one, the new)
 *
 * A vault that is opened while there are two keys goes on from where it was.
 */
bool vito_vault_has_next_master(struct vito_vault *vault);

/* RT_OK | RT_IO, RT_DENIED, RT_INVALID. Blocking: a few writes to disk. */
RT_MUST_USE enum rt_status vito_vault_begin_master(struct vito_vault *vault, char *problem,
                                                   size_t problem_bytes);
/* RT_OK | RT_EMPTY (all is wrapped by the next one) | RT_INVALID (what is left does not open) |
 * RT_NO_MEMORY. */
RT_MUST_USE enum rt_status vito_vault_plan_master(struct vito_vault *vault,
                                                  struct rt_buffer **document_out);
/* RT_OK | RT_IO. Blocking: a rename. */
RT_MUST_USE enum rt_status vito_vault_finish_master(struct vito_vault *vault, char *problem,
                                                    size_t problem_bytes);

/* Takes in a plan that is durable. */
RT_MUST_USE enum rt_status vito_vault_take(struct vito_vault *vault,
                                           const struct rt_buffer *document);

/* Takes a tenant's rows as the store has them (VITO_VAULT_LIST) in the place of what is known. */
RT_MUST_USE enum rt_status vito_vault_replace(struct vito_vault *vault, const char *tenant_id,
                                              const struct rt_buffer *document);

/*
 * The same for all tenants behind `after`, as VITO_VAULT_LIST goes through them: `document` is the
 * next of its answers.
 *
 *   last_out   the last tenant in it, "" when there are none any more: all behind `after` were it
 */
RT_MUST_USE enum rt_status vito_vault_replace_next(struct vito_vault *vault, const char *after,
                                                   const struct rt_buffer *document,
                                                   char last_out[VITO_TENANT_ID_BYTES]);

#endif
