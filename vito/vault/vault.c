#include "vito/vault/vault.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/log.h"
#include "runtime/text.h"
#include "vito/vault/vault_state.h"

_Static_assert((int)VITO_VAULT_SECRETS_MAX == (int)VITO_HEAD_SECRETS_MAX,
               "what the head has room for");
_Static_assert((int)VITO_SECRET_NAME_BYTES == (int)VITO_SEALED_NAME_BYTES, "the same names");

void
vault_unlock(struct vito_vault *vault)
{
    sodium_memzero(vault->scratch, sizeof(*vault->scratch));
    pthread_mutex_unlock(&vault->mutex);
}

struct vault_tenant *
vault_find_locked(const struct vito_vault *vault, const char *tenant_id)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&vault->tenants, rt_hash_text(tenant_id), link)) != NULL)
        if (strcmp(RT_CONTAINER_OF(link, struct vault_tenant, link)->id, tenant_id) == 0)
            return RT_CONTAINER_OF(link, struct vault_tenant, link);
    return NULL;
}

struct vault_row *
vault_find_secret_locked(const struct vault_tenant *tenant, const char *name)
{
    struct vault_row *row = tenant->secrets;
    while (row != NULL && strcmp(row->sealed.name, name) != 0)
        row = row->next;
    return row;
}

struct vito_blob_subject
vault_subject_of(const struct vito_sealed *sealed, enum vito_blob_purpose purpose)
{
    return (struct vito_blob_subject){
        .purpose = purpose,
        .tenant_id = sealed->tenant_id,
        .name = sealed->name,
        .providers = sealed->providers,
        .version = sealed->version,
    };
}

static enum rt_status
parse(const struct vault_row *row, size_t room_bytes, struct vito_blob *blob_out)
{
    enum rt_status status = vito_blob_parse(row->blob, row->sealed.blob_bytes, blob_out);
    if (status != RT_OK)
        return status;
    return blob_out->ciphertext_bytes - VITO_BLOB_TAG_BYTES <= room_bytes ? RT_OK : RT_INVALID;
}

enum rt_status
vault_unwrap_locked(const struct vito_vault *vault, const struct vault_row *row,
                    enum vito_blob_purpose purpose, uint8_t *plain_out, size_t room_bytes,
                    size_t *plain_bytes_out)
{
    struct vito_blob blob;
    enum rt_status status = parse(row, room_bytes, &blob);
    if (status != RT_OK)
        return status;
    const struct vito_blob_subject subject = vault_subject_of(&row->sealed, purpose);
    status = RT_NOT_FOUND;
    for (unsigned i = 0; i < vault->keyring->master_count && status == RT_NOT_FOUND; i++)
        status = vito_blob_unseal(&vault->keyring->masters[i], &subject, &blob, plain_out);
    *plain_bytes_out = blob.ciphertext_bytes - VITO_BLOB_TAG_BYTES;
    return status;
}

enum rt_status
vault_open_head_locked(struct vito_vault *vault, const struct vault_tenant *tenant)
{
    struct vault_scratch *scratch = vault->scratch;
    size_t size_bytes;
    if (tenant->key == NULL)
        return tenant->secrets == NULL ? RT_EMPTY : RT_INVALID;
    enum rt_status status =
        vault_unwrap_locked(vault, tenant->key, VITO_BLOB_TENANT_KEY, scratch->head_bytes,
                            sizeof(scratch->head_bytes), &size_bytes);
    if (status == RT_OK)
        status = vito_head_decode(scratch->head_bytes, size_bytes, &scratch->head);
    return status == RT_OK ? RT_OK : RT_INVALID;
}

bool
vault_is_listed_locked(struct vito_vault *vault, const struct vault_row *row)
{
    const struct vito_head_entry *entry = vito_head_find(&vault->scratch->head, row->sealed.name);
    struct vito_blob blob;
    return entry != NULL && entry->version == row->sealed.version &&
           vito_blob_parse(row->blob, row->sealed.blob_bytes, &blob) == RT_OK &&
           memcmp(entry->nonce, blob.nonce, sizeof(entry->nonce)) == 0;
}

enum rt_status
vault_open_secret_locked(struct vito_vault *vault, const struct vault_row *row, void *plain_out,
                         size_t room_bytes, size_t *plain_bytes_out)
{
    struct vito_blob blob;
    if (!vault_is_listed_locked(vault, row) || parse(row, room_bytes, &blob) != RT_OK)
        return RT_INVALID;
    const struct vito_blob_subject subject = vault_subject_of(&row->sealed, VITO_BLOB_SECRET);
    if (vito_blob_unseal(&vault->scratch->head.key, &subject, &blob, plain_out) != RT_OK)
        return RT_INVALID;
    *plain_bytes_out = blob.ciphertext_bytes - VITO_BLOB_TAG_BYTES;
    return RT_OK;
}

/* RT_OK | RT_NOT_FOUND | RT_DENIED (another provider's) | RT_INVALID. */
static enum rt_status
get_locked(struct vito_vault *vault, const struct vito_secret_use *use,
           struct vito_secret *secret_out)
{
    const struct vault_tenant *tenant = vault_find_locked(vault, use->tenant_id);
    enum rt_status status = tenant == NULL ? RT_EMPTY : vault_open_head_locked(vault, tenant);
    if (status != RT_OK)
        return status == RT_EMPTY ? RT_NOT_FOUND : status;
    const struct vault_row *row = vault_find_secret_locked(tenant, use->name);
    bool is_listed = vito_head_find(&vault->scratch->head, use->name) != NULL;
    if (row == NULL)
        return is_listed ? RT_INVALID : RT_NOT_FOUND; /* somebody took it away */
    if (!vito_secret_providers_have(row->sealed.providers, use->provider))
        return RT_DENIED;
    status = vault_open_secret_locked(vault, row, secret_out->value, VITO_SECRET_BYTES_MAX,
                                      &secret_out->size_bytes);
    if (status == RT_OK)
        secret_out->value[secret_out->size_bytes] = '\0';
    return status;
}

static enum rt_status
get(void *self, const struct vito_secret_use *use, struct vito_secret *secret_out)
{
    struct vito_vault *vault = self;
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = get_locked(vault, use, secret_out);
    vault_unlock(vault);
    if (status == RT_NOT_FOUND)
        return vault->fallback->get(vault->fallback->self, use, secret_out);
    if (status != RT_OK)
        rt_log(RT_LOG_WARN, "secret.refused", RT_STR("tenant", use->tenant_id),
               RT_STR("secret", use->name), RT_STR("provider", use->provider),
               RT_STR("reason", status == RT_DENIED ? "other_provider" : "tampered"));
    return status;
}

static bool
is_tenant(void *self, const char *tenant_id)
{
    return vito_vault_has_tenant(self, tenant_id);
}

struct vito_secrets *
vito_vault_secrets(struct vito_vault *vault, struct vito_secrets *fallback)
{
    vault->port = (struct vito_secrets){.self = vault, .get = get};
    vault->fallback = fallback;
    vito_secrets_set_tenants(fallback, is_tenant, vault);
    return &vault->port;
}

static void
free_rows(struct vault_row **rows)
{
    while (*rows != NULL) {
        struct vault_row *row = *rows;
        *rows = row->next;
        free(row);
    }
}

static void
empty(struct vault_tenant *tenant)
{
    free_rows(&tenant->key);
    free_rows(&tenant->secrets);
}

static struct vault_tenant *
add_tenant_locked(struct vito_vault *vault, const char *tenant_id)
{
    struct vault_tenant *tenant = vault_find_locked(vault, tenant_id);
    if (tenant != NULL)
        return tenant;
    tenant = calloc(1, sizeof(*tenant));
    if (tenant == NULL)
        return NULL;
    RT_TEXT_SET(tenant->id, tenant_id);
    if (rt_table_add(&vault->tenants, &tenant->link, rt_hash_text(tenant_id)))
        return tenant;
    free(tenant);
    return NULL;
}

bool
vito_vault_add_tenant(struct vito_vault *vault, const char *tenant_id)
{
    pthread_mutex_lock(&vault->mutex);
    bool added = add_tenant_locked(vault, tenant_id) != NULL;
    pthread_mutex_unlock(&vault->mutex);
    return added;
}

bool
vito_vault_has_tenant(struct vito_vault *vault, const char *tenant_id)
{
    pthread_mutex_lock(&vault->mutex);
    bool has = vault_find_locked(vault, tenant_id) != NULL;
    pthread_mutex_unlock(&vault->mutex);
    return has;
}

static void
remove_tenant_locked(struct vito_vault *vault, struct vault_tenant *tenant)
{
    empty(tenant);
    rt_table_remove(&vault->tenants, &tenant->link);
    free(tenant);
}

void
vito_vault_remove_tenant(struct vito_vault *vault, const char *tenant_id)
{
    pthread_mutex_lock(&vault->mutex);
    struct vault_tenant *tenant = vault_find_locked(vault, tenant_id);
    if (tenant != NULL)
        remove_tenant_locked(vault, tenant);
    pthread_mutex_unlock(&vault->mutex);
}

/* Puts a row in the place of the one that *at points to, or where it points. */
static enum rt_status
put_row(struct vault_row **at, const struct vito_sealed_row *from)
{
    size_t blob_bytes = from->sealed.blob_bytes;
    struct vault_row *row = malloc(sizeof(*row) + blob_bytes);
    if (row == NULL)
        return RT_NO_MEMORY;
    row->next = NULL;
    row->sealed = from->sealed;
    memcpy(row->blob, from->blob, blob_bytes);
    if (*at != NULL && strcmp((*at)->sealed.name, row->sealed.name) == 0) {
        row->next = (*at)->next;
        free(*at);
    } else {
        row->next = *at;
    }
    *at = row;
    return RT_OK;
}

/* Where a secret of that name is or belongs. */
static struct vault_row **
place_of(struct vault_tenant *tenant, const char *name)
{
    struct vault_row **at = &tenant->secrets;
    while (*at != NULL && strcmp((*at)->sealed.name, name) < 0)
        at = &(*at)->next;
    return at;
}

static enum rt_status
take_tenants_row(struct vault_tenant *tenant, const struct vito_sealed_row *row)
{
    if (row->sealed.kind == VITO_SEALED_KEY)
        return put_row(&tenant->key, row);
    struct vault_row **at = place_of(tenant, row->sealed.name);
    if (row->sealed.kind == VITO_SEALED_SECRET)
        return put_row(at, row);
    struct vault_row *gone = *at;
    if (gone != NULL && strcmp(gone->sealed.name, row->sealed.name) == 0) {
        *at = gone->next;
        free(gone);
    }
    return RT_OK;
}

/* Rows of tenants that were removed meanwhile are passed over. */
static enum rt_status
take_row_locked(struct vito_vault *vault, const struct vito_sealed_row *row)
{
    struct vault_tenant *tenant;
    switch (row->sealed.kind) {
    case VITO_SEALED_ROOT:
        return put_row(&vault->root, row);
    case VITO_SEALED_TENANT:
        return add_tenant_locked(vault, row->sealed.tenant_id) == NULL ? RT_NO_MEMORY : RT_OK;
    case VITO_SEALED_KEY:
    case VITO_SEALED_SECRET:
    case VITO_SEALED_GONE:
        tenant = vault_find_locked(vault, row->sealed.tenant_id);
        return tenant == NULL ? RT_OK : take_tenants_row(tenant, row);
    case VITO_SEALED_DETAILS:
    case VITO_SEALED_KIND_COUNT:
        break;
    }
    return RT_OK;
}

enum rt_status
vault_take_locked(struct vito_vault *vault, const struct rt_buffer *document)
{
    struct vito_sealed_row row;
    size_t offset = 0;
    enum rt_status status = RT_OK;
    while (status == RT_OK && vito_sealed_next(document, &offset, &row))
        status = take_row_locked(vault, &row);
    return status;
}

enum rt_status
vito_vault_take(struct vito_vault *vault, const struct rt_buffer *document)
{
    pthread_mutex_lock(&vault->mutex);
    enum rt_status status = vault_take_locked(vault, document);
    pthread_mutex_unlock(&vault->mutex);
    return status;
}

enum rt_status
vito_vault_replace(struct vito_vault *vault, const char *tenant_id,
                   const struct rt_buffer *document)
{
    pthread_mutex_lock(&vault->mutex);
    struct vault_tenant *tenant = vault_find_locked(vault, tenant_id);
    if (tenant != NULL && (document == NULL || document->size_bytes == 0))
        remove_tenant_locked(vault, tenant);
    else if (tenant != NULL)
        empty(tenant);
    enum rt_status status = vault_take_locked(vault, document);
    pthread_mutex_unlock(&vault->mutex);
    return status;
}

enum rt_status
vito_vault_replace_next(struct vito_vault *vault, const char *after,
                        const struct rt_buffer *document, char last_out[VITO_TENANT_ID_BYTES])
{
    struct vito_sealed_row row;
    last_out[0] = '\0';
    for (size_t offset = 0; vito_sealed_next(document, &offset, &row);)
        if (row.sealed.kind == VITO_SEALED_TENANT && strcmp(row.sealed.tenant_id, last_out) > 0)
            memcpy(last_out, row.sealed.tenant_id, VITO_TENANT_ID_BYTES);
    pthread_mutex_lock(&vault->mutex);
    for (struct rt_table_link *link = rt_table_first(&vault->tenants); link != NULL;
         link = link->newer) {
        /* One that is not listed stays, without secrets: it may be new here. */
        struct vault_tenant *tenant = RT_CONTAINER_OF(link, struct vault_tenant, link);
        if (strcmp(tenant->id, after) > 0 &&
            (last_out[0] == '\0' || strcmp(tenant->id, last_out) <= 0))
            empty(tenant);
    }
    enum rt_status status = vault_take_locked(vault, document);
    pthread_mutex_unlock(&vault->mutex);
    return status;
}

static void
describe(const struct vault_row *row, bool is_sound, struct vito_vault_entry *entry_out)
{
    *entry_out = (struct vito_vault_entry){
        .version = row->sealed.version, .updated_ms = row->sealed.at_ms, .is_sound = is_sound};
    RT_TEXT_SET(entry_out->name, row->sealed.name);
    RT_TEXT_SET(entry_out->providers, row->sealed.providers);
}

enum rt_status
vito_vault_list(struct vito_vault *vault, const char *tenant_id,
                struct vito_vault_entry entries_out[VITO_VAULT_SECRETS_MAX], unsigned *count_out)
{
    unsigned count = 0;
    enum rt_status status = RT_NOT_FOUND;
    pthread_mutex_lock(&vault->mutex);
    const struct vault_tenant *tenant = vault_find_locked(vault, tenant_id);
    if (tenant != NULL) {
        enum rt_status head = vault_open_head_locked(vault, tenant);
        status = head == RT_INVALID ? RT_INVALID : RT_OK;
        const struct vault_row *row = tenant->secrets;
        for (; row != NULL && count < VITO_VAULT_SECRETS_MAX; row = row->next) {
            size_t size_bytes;
            bool is_sound =
                head == RT_OK &&
                vault_open_secret_locked(vault, row, vault->scratch->plain,
                                         sizeof(vault->scratch->plain), &size_bytes) == RT_OK;
            describe(row, is_sound, &entries_out[count++]);
        }
    }
    vault_unlock(vault);
    *count_out = count;
    return status;
}

void
vito_vault_close(struct vito_vault *vault)
{
    if (vault == NULL)
        return;
    struct rt_table_link *link;
    while ((link = rt_table_first(&vault->tenants)) != NULL)
        remove_tenant_locked(vault, RT_CONTAINER_OF(link, struct vault_tenant, link));
    rt_table_deinit(&vault->tenants);
    free_rows(&vault->root);
    sodium_free(vault->scratch);
    pthread_mutex_destroy(&vault->mutex);
    free(vault);
}
