/*
 * vito/vault/vault_state.h - the vault inside, shared by the files vault*.c alone.
 *
 *   vault.c       the image: rows in, secrets out
 *   vault_plan.c  changes, as rows
 *   vault_open.c  the way in: the root, and all rows of the store
 */
#ifndef VITO_VAULT_VAULT_STATE_H
#define VITO_VAULT_VAULT_STATE_H

#include <pthread.h>

#include "runtime/table.h"
#include "vito/keyring.h"
#include "vito/vault/head.h"
#include "vito/vault/vault.h"

/* A row as the store has it. */
struct vault_row {
    struct vault_row *next; /* of the same tenant */
    struct vito_sealed sealed;
    uint8_t blob[];
};

struct vault_tenant {
    struct rt_table_link link; /* by id */
    char id[VITO_TENANT_ID_BYTES];
    struct vault_row *key;     /* NULL: it has none yet */
    struct vault_row *secrets; /* by name */
};

/* What is in clear, for as long as the lock is held. */
struct vault_scratch {
    struct vito_head head;
    struct vito_blob_key key;
    uint8_t head_bytes[VITO_HEAD_BYTES_MAX];
    uint8_t plain[VITO_BLOB_PLAIN_BYTES_MAX];
};

struct vito_vault {
    pthread_mutex_t mutex;
    struct vito_secrets port;
    struct vito_secrets *fallback;
    struct vito_keyring *keyring;
    const struct rt_world *world;
    struct rt_table tenants;
    struct vault_row *root;
    struct vault_scratch *scratch; /* in locked memory */
};

/* With the lock held. */
struct vault_tenant *vault_find_locked(const struct vito_vault *vault, const char *tenant_id);
struct vault_row *vault_find_secret_locked(const struct vault_tenant *tenant, const char *name);

/* Opens a tenant's key into the scratch. RT_OK | RT_INVALID. A tenant without one: RT_EMPTY. */
enum rt_status vault_open_head_locked(struct vito_vault *vault, const struct vault_tenant *tenant);

/* Opens what a master key wrapped into `plain_out`. RT_OK | RT_NOT_FOUND (by none we have) |
 * RT_INVALID. */
enum rt_status vault_unwrap_locked(const struct vito_vault *vault, const struct vault_row *row,
                                   enum vito_blob_purpose purpose, uint8_t *plain_out,
                                   size_t room_bytes, size_t *plain_bytes_out);

/* Opens a secret by the head in the scratch. RT_OK | RT_INVALID: it is not the one that was put
 * there. */
enum rt_status vault_open_secret_locked(struct vito_vault *vault, const struct vault_row *row,
                                        void *plain_out, size_t room_bytes,
                                        size_t *plain_bytes_out);

/* Whether a row is the one that the head in the scratch names. */
bool vault_is_listed_locked(struct vito_vault *vault, const struct vault_row *row);

struct vito_blob_subject vault_subject_of(const struct vito_sealed *sealed,
                                          enum vito_blob_purpose purpose);

/* Wipes the scratch and lets go of the lock. */
void vault_unlock(struct vito_vault *vault);

enum rt_status vault_take_locked(struct vito_vault *vault, const struct rt_buffer *document);

#endif
