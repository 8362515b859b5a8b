/*
 * Changes of the vault, as rows to be written. Whatever is sealed here is sealed with the newest
 * master key there is.
 */
#include <sodium.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/text.h"
#include "vito/vault/vault_state.h"

enum { MASTER_STEP_ROWS = 32 /* one transaction's */ };

static const struct vito_blob_key *
newest_master(const struct vito_vault *vault)
{
    return &vault->keyring->masters[vault->keyring->master_count - 1];
}

static void
random_bytes(const struct vito_vault *vault, void *bytes_out, size_t size_bytes)
{
    vault->world->random(vault->world->self, bytes_out, size_bytes);
}

/* Seals into a new row. The nonce goes to `nonce_out`, which may be NULL. */
static void
add_sealed(struct vito_vault *vault, struct vito_sealed_writer *writer, struct vito_sealed *sealed,
           const struct vito_blob_key *key, const void *plain, size_t plain_bytes)
{
    static const enum vito_blob_purpose purposes[VITO_SEALED_KIND_COUNT] = {
        [VITO_SEALED_ROOT] = VITO_BLOB_ROOT,
        [VITO_SEALED_KEY] = VITO_BLOB_TENANT_KEY,
        [VITO_SEALED_SECRET] = VITO_BLOB_SECRET,
    };
    uint8_t nonce[VITO_BLOB_NONCE_BYTES];
    random_bytes(vault, nonce, sizeof(nonce));
    sealed->blob_bytes = (uint32_t)(plain_bytes + VITO_BLOB_OVERHEAD_BYTES);
    uint8_t *blob = vito_sealed_add(writer, sealed);
    if (blob == NULL)
        return;
    struct vito_blob_subject subject = vault_subject_of(sealed, purposes[sealed->kind]);
    vito_blob_seal(key, &subject, nonce, plain, plain_bytes, blob);
    if (sealed->kind == VITO_SEALED_SECRET) {
        struct vito_head_entry *entry = vito_head_find(&vault->scratch->head, sealed->name);
        RT_ASSERT(entry != NULL);
        entry->version = sealed->version;
        memcpy(entry->nonce, nonce, sizeof(nonce));
    }
}

/* Seals the head in the scratch as the tenant's next key row. */
static void
add_head(struct vito_vault *vault, struct vito_sealed_writer *writer,
         const struct vault_tenant *tenant)
{
    struct vault_scratch *scratch = vault->scratch;
    struct vito_sealed sealed = {
        .kind = VITO_SEALED_KEY,
        .version = tenant->key == NULL ? 1 : tenant->key->sealed.version + 1,
    };
    RT_TEXT_SET(sealed.tenant_id, tenant->id);
    size_t size_bytes = vito_head_encode(&scratch->head, scratch->head_bytes);
    add_sealed(vault, writer, &sealed, newest_master(vault), scratch->head_bytes, size_bytes);
}

static void
make_key(const struct vito_vault *vault, struct vito_blob_key *key_out)
{
    random_bytes(vault, key_out, sizeof(*key_out));
}

/* The tenant, its head opened into the scratch or made there. NULL and *status_out when it cannot
 * be. */
static struct vault_tenant *
open_tenant(struct vito_vault *vault, const char *tenant_id, enum rt_status *status_out)
{
    struct vault_tenant *tenant = vault_find_locked(vault, tenant_id);
    *status_out = tenant == NULL ? RT_NOT_FOUND : vault_open_head_locked(vault, tenant);
    if (*status_out == RT_EMPTY) {
        make_key(vault, &vault->scratch->head.key);
        vault->scratch->head.count = 0;
        *status_out = RT_OK;
    }
    return *status_out == RT_OK ? tenant : NULL;
}

/* The rows as a document; the key row must be written before the secrets that refer to it, but is
 * sealed after them, because it lists them. */
static enum rt_status
finish(struct vito_sealed_writer *key, struct vito_sealed_writer *secrets,
       struct rt_buffer **document_out)
{
    struct rt_buffer *first = vito_sealed_finish(key), *second = vito_sealed_finish(secrets);
    struct rt_buffer *document = NULL;
    if (first != NULL && second != NULL)
        document = rt_buffer_create(first->size_bytes + second->size_bytes);
    if (document != NULL) {
        memcpy(document->bytes, first->bytes, first->size_bytes);
        memcpy(document->bytes + first->size_bytes, second->bytes, second->size_bytes);
        *document_out = document;
    }
    rt_buffer_release(first);
    rt_buffer_release(second);
    return document == NULL ? RT_NO_MEMORY : RT_OK;
}

static enum rt_status
plan_put_locked(struct vito_vault *vault, const struct vito_vault_put *put,
                struct rt_buffer **document_out, int64_t *version_out)
{
    enum rt_status status;
    const struct vault_tenant *tenant = open_tenant(vault, put->tenant_id, &status);
    if (tenant == NULL)
        return status;
    struct vito_head_entry *entry = vito_head_find(&vault->scratch->head, put->name);
    if (entry == NULL)
        entry = vito_head_add(&vault->scratch->head, put->name);
    if (entry == NULL)
        return RT_FULL;
    struct vito_sealed sealed = {
        .kind = VITO_SEALED_SECRET, .version = entry->version + 1, .at_ms = put->at_ms};
    RT_TEXT_SET(sealed.tenant_id, put->tenant_id);
    RT_TEXT_SET(sealed.name, put->name);
    RT_TEXT_SET(sealed.providers, put->providers);
    struct vito_sealed_writer key = {.bytes = NULL}, secrets = {.bytes = NULL};
    add_sealed(vault, &secrets, &sealed, &vault->scratch->head.key, put->value, put->value_bytes);
    add_head(vault, &key, tenant);
    *version_out = sealed.version;
    return finish(&key, &secrets, document_out);
}

enum rt_status
vito_vault_plan_put(struct vito_vault *vault, const struct vito_vault_put *put,
                    struct rt_buffer **document_out, int64_t *version_out)
{
    RT_ASSERT(put->value_bytes >= 1 && put->value_bytes <= VITO_SECRET_BYTES_MAX);
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = plan_put_locked(vault, put, document_out, version_out);
    vault_unlock(vault);
    return status;
}

static enum rt_status
plan_remove_locked(struct vito_vault *vault, const char *tenant_id, const char *name,
                   struct rt_buffer **document_out)
{
    enum rt_status status;
    const struct vault_tenant *tenant = open_tenant(vault, tenant_id, &status);
    if (tenant == NULL)
        return status;
    struct vito_head_entry *entry = vito_head_find(&vault->scratch->head, name);
    if (entry == NULL && vault_find_secret_locked(tenant, name) == NULL)
        return RT_NOT_FOUND;
    if (entry != NULL)
        vito_head_remove(&vault->scratch->head, entry);
    struct vito_sealed gone = {.kind = VITO_SEALED_GONE};
    RT_TEXT_SET(gone.tenant_id, tenant_id);
    RT_TEXT_SET(gone.name, name);
    struct vito_sealed_writer key = {.bytes = NULL}, secrets = {.bytes = NULL};
    vito_sealed_add(&secrets, &gone);
    add_head(vault, &key, tenant);
    return finish(&key, &secrets, document_out);
}

enum rt_status
vito_vault_plan_remove(struct vito_vault *vault, const char *tenant_id, const char *name,
                       struct rt_buffer **document_out)
{
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = plan_remove_locked(vault, tenant_id, name, document_out);
    vault_unlock(vault);
    return status;
}

/* Seals every secret with the key in the scratch. */
static enum rt_status
reseal_all(struct vito_vault *vault, const struct vault_tenant *tenant,
           struct vito_sealed_writer *secrets)
{
    struct vault_scratch *scratch = vault->scratch;
    unsigned count = 0;
    for (const struct vault_row *row = tenant->secrets; row != NULL; row = row->next, count++) {
        size_t size_bytes;
        if (vault_open_secret_locked(vault, row, scratch->plain, sizeof(scratch->plain),
                                     &size_bytes) != RT_OK)
            return RT_INVALID;
        struct vito_sealed sealed = row->sealed;
        add_sealed(vault, secrets, &sealed, &scratch->key, scratch->plain, size_bytes);
    }
    return count == scratch->head.count ? RT_OK : RT_INVALID; /* somebody took one away */
}

static enum rt_status
plan_tenant_key_locked(struct vito_vault *vault, const char *tenant_id,
                       struct rt_buffer **document_out)
{
    const struct vault_tenant *tenant = vault_find_locked(vault, tenant_id);
    enum rt_status status = tenant == NULL ? RT_NOT_FOUND : vault_open_head_locked(vault, tenant);
    if (status != RT_OK)
        return status;
    struct vito_sealed_writer key = {.bytes = NULL}, secrets = {.bytes = NULL};
    make_key(vault, &vault->scratch->key);
    status = reseal_all(vault, tenant, &secrets);
    if (status != RT_OK) {
        rt_buffer_release(vito_sealed_finish(&secrets));
        return status;
    }
    vault->scratch->head.key = vault->scratch->key;
    add_head(vault, &key, tenant);
    return finish(&key, &secrets, document_out);
}

enum rt_status
vito_vault_plan_tenant_key(struct vito_vault *vault, const char *tenant_id,
                           struct rt_buffer **document_out)
{
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = plan_tenant_key_locked(vault, tenant_id, document_out);
    vault_unlock(vault);
    return status;
}

bool
vito_vault_has_next_master(struct vito_vault *vault)
{
    pthread_mutex_lock(&vault->mutex);
    bool has = vault->keyring->master_count == 2;
    pthread_mutex_unlock(&vault->mutex);
    return has;
}

enum rt_status
vito_vault_begin_master(struct vito_vault *vault, char *problem, size_t problem_bytes)
{
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status =
        vito_keyring_make_next(vault->keyring, vault->world, problem, problem_bytes);
    pthread_mutex_unlock(&vault->mutex);
    return status;
}

static bool
is_wrapped_by_newest(const struct vito_vault *vault, const struct vault_row *row)
{
    struct vito_blob blob;
    return row == NULL ||
           (vito_blob_parse(row->blob, row->sealed.blob_bytes, &blob) == RT_OK &&
            memcmp(blob.key_id, newest_master(vault)->id, VITO_BLOB_KEY_ID_BYTES) == 0);
}

static enum rt_status
rewrap(struct vito_vault *vault, struct vito_sealed_writer *writer, const struct vault_row *row,
       enum vito_blob_purpose purpose)
{
    struct vault_scratch *scratch = vault->scratch;
    size_t size_bytes;
    if (vault_unwrap_locked(vault, row, purpose, scratch->plain, sizeof(scratch->plain),
                            &size_bytes) != RT_OK)
        return RT_INVALID;
    struct vito_sealed sealed = row->sealed;
    sealed.version++;
    add_sealed(vault, writer, &sealed, newest_master(vault), scratch->plain, size_bytes);
    return RT_OK;
}

/* A key that does not open is passed over: it is lost with either master key, and no reason to
 * leave the others under the old one. */
static enum rt_status
plan_master_locked(struct vito_vault *vault, struct rt_buffer **document_out)
{
    struct vito_sealed_writer writer = {.bytes = NULL};
    unsigned count = 0, lost = 0;
    if (!is_wrapped_by_newest(vault, vault->root)) {
        if (rewrap(vault, &writer, vault->root, VITO_BLOB_ROOT) != RT_OK)
            return RT_INVALID;
        count++;
    }
    for (struct rt_table_link *link = rt_table_first(&vault->tenants);
         link != NULL && count < MASTER_STEP_ROWS; link = link->newer) {
        const struct vault_row *key = RT_CONTAINER_OF(link, struct vault_tenant, link)->key;
        if (is_wrapped_by_newest(vault, key))
            continue;
        if (rewrap(vault, &writer, key, VITO_BLOB_TENANT_KEY) == RT_OK)
            count++;
        else
            lost++;
    }
    struct rt_buffer *document = vito_sealed_finish(&writer);
    if (count == 0) {
        rt_buffer_release(document);
        return lost == 0 ? RT_EMPTY : RT_INVALID;
    }
    *document_out = document;
    return document == NULL ? RT_NO_MEMORY : RT_OK;
}

enum rt_status
vito_vault_plan_master(struct vito_vault *vault, struct rt_buffer **document_out)
{
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = plan_master_locked(vault, document_out);
    vault_unlock(vault);
    return status;
}

enum rt_status
vito_vault_finish_master(struct vito_vault *vault, char *problem, size_t problem_bytes)
{
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = vito_keyring_promote_next(vault->keyring, problem, problem_bytes);
    pthread_mutex_unlock(&vault->mutex);
    return status;
}
