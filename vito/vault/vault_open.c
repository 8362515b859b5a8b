/*
 * The way into the vault: the root tells whether the master key is the right one, then all rows
 * are read and each is looked at once.
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/log.h"
#include "runtime/text.h"
#include "vito/vault/vault_state.h"

/* What opening works with. */
struct opening {
    struct vito_vault *vault;
    const struct vito_vault_ledger *ledger;
    char *problem;
    size_t problem_bytes;
};

static enum rt_status
refuse(const struct opening *opening, enum rt_status status, const char *what)
{
    snprintf(opening->problem, opening->problem_bytes, "vault: %s", what);
    return status;
}

static enum rt_status
refuse_store(const struct opening *opening, enum rt_status status)
{
    return refuse(opening, status, "the store cannot be read or written: see the log");
}

static void
hex_of(const uint8_t id[VITO_BLOB_KEY_ID_BYTES], char hex_out[2 * VITO_BLOB_KEY_ID_BYTES + 1])
{
    sodium_bin2hex(hex_out, 2 * VITO_BLOB_KEY_ID_BYTES + 1, id, VITO_BLOB_KEY_ID_BYTES);
}

static enum rt_status
refuse_master(const struct opening *opening)
{
    const struct vito_keyring *keyring = opening->vault->keyring;
    struct vito_blob blob = {.key_id = (const uint8_t *)"\0\0\0\0\0\0\0"};
    char wanted[2 * VITO_BLOB_KEY_ID_BYTES + 1], given[sizeof(wanted)];
    if (vito_blob_parse(opening->vault->root->blob, opening->vault->root->sealed.blob_bytes,
                        &blob) != RT_OK)
        return refuse(opening, RT_INVALID, "its root is damaged: restore the store from a backup");
    hex_of(blob.key_id, wanted);
    hex_of(keyring->masters[0].id, given);
    snprintf(opening->problem, opening->problem_bytes,
             "vault: the store was sealed with the master key %s, and %s has %s: put the right key "
             "there",
             wanted, keyring->file[0] == '\0' ? "the one given" : keyring->file, given);
    return RT_DENIED;
}

/* Reads one page behind `after`, which is moved to its last tenant. RT_OK | RT_EMPTY | … */
static enum rt_status
read_page(const struct opening *opening, char after[VITO_TENANT_ID_BYTES])
{
    struct vito_request request = {.op = VITO_VAULT_LIST};
    struct vito_stored stored;
    struct rt_buffer *document;
    RT_TEXT_SET(request.list.after, after);
    enum rt_status status =
        opening->ledger->ask(opening->ledger->self, &request, &stored, &document);
    if (status != RT_OK)
        return refuse_store(opening, status);
    struct vito_sealed_row row;
    size_t offset = 0;
    bool has_tenants = false;
    while (vito_sealed_next(document, &offset, &row))
        if (row.sealed.kind == VITO_SEALED_TENANT) {
            rt_text_copy(after, VITO_TENANT_ID_BYTES, row.sealed.tenant_id);
            has_tenants = true;
        }
    status = vault_take_locked(opening->vault, document);
    rt_buffer_release(document);
    return status == RT_OK && !has_tenants ? RT_EMPTY : status;
}

static enum rt_status
read_all(const struct opening *opening)
{
    char after[VITO_TENANT_ID_BYTES] = "";
    enum rt_status status;
    while ((status = read_page(opening, after)) == RT_OK)
        ;
    return status == RT_EMPTY ? RT_OK : status;
}

/* The first start with a vault: what hashed API keys until now goes on doing so. */
static enum rt_status
make_root(const struct opening *opening)
{
    struct vito_vault *vault = opening->vault;
    const struct vito_keyring *keyring = vault->keyring;
    const struct vito_blob_key *master = &keyring->masters[keyring->master_count - 1];
    struct vito_sealed sealed = {.kind = VITO_SEALED_ROOT,
                                 .version = 1,
                                 .blob_bytes =
                                     sizeof(keyring->api_keys) + VITO_BLOB_OVERHEAD_BYTES};
    struct vito_blob_subject subject = vault_subject_of(&sealed, VITO_BLOB_ROOT);
    struct vito_sealed_writer writer = {.bytes = NULL};
    uint8_t nonce[VITO_BLOB_NONCE_BYTES];
    vault->world->random(vault->world->self, nonce, sizeof(nonce));
    uint8_t *blob = vito_sealed_add(&writer, &sealed);
    if (blob != NULL)
        vito_blob_seal(master, &subject, nonce, keyring->api_keys, sizeof(keyring->api_keys), blob);
    struct vito_request request = {.op = VITO_VAULT_WRITE, .document = vito_sealed_finish(&writer)};
    if (request.document == NULL)
        return refuse(opening, RT_NO_MEMORY, "out of memory");
    struct vito_stored stored;
    struct rt_buffer *none, *document = rt_buffer_acquire(request.document);
    enum rt_status status = opening->ledger->ask(opening->ledger->self, &request, &stored, &none);
    if (status == RT_OK)
        status = vault_take_locked(vault, document);
    rt_buffer_release(document);
    return status == RT_OK ? RT_OK : refuse_store(opening, status);
}

static enum rt_status
open_root(const struct opening *opening)
{
    struct vito_vault *vault = opening->vault;
    uint8_t *plain = vault->scratch->plain;
    size_t size_bytes;
    switch (vault_unwrap_locked(vault, vault->root, VITO_BLOB_ROOT, plain,
                                sizeof(vault->scratch->plain), &size_bytes)) {
    case RT_OK:
        break;
    case RT_NOT_FOUND:
        return refuse_master(opening);
    default:
        return refuse(opening, RT_INVALID, "its root is damaged: restore the store from a backup");
    }
    if (size_bytes != VITO_DIGEST_BYTES)
        return refuse(opening, RT_INVALID, "its root is of a newer version: install that program");
    vito_keyring_set_api_keys(vault->keyring, plain);
    return RT_OK;
}

/* Looks at every row once, so that what was changed is known before somebody needs it. Returns
 * whether any tenant has a key. */
static bool
check_all(struct vito_vault *vault)
{
    bool has_keys = false;
    for (struct rt_table_link *link = rt_table_first(&vault->tenants); link != NULL;
         link = link->newer) {
        const struct vault_tenant *tenant = RT_CONTAINER_OF(link, struct vault_tenant, link);
        has_keys |= tenant->key != NULL;
        enum rt_status status = vault_open_head_locked(vault, tenant);
        if (status == RT_INVALID)
            rt_log(RT_LOG_ERROR, "vault.tampered", RT_STR("tenant", tenant->id),
                   RT_STR("what", "key"));
        for (const struct vault_row *row = tenant->secrets; status == RT_OK && row != NULL;
             row = row->next)
            if (!vault_is_listed_locked(vault, row))
                rt_log(RT_LOG_ERROR, "vault.tampered", RT_STR("tenant", tenant->id),
                       RT_STR("what", "secret"), RT_STR("secret", row->sealed.name));
    }
    return has_keys;
}

static enum rt_status
fill(const struct opening *opening)
{
    struct vito_vault *vault = opening->vault;
    enum rt_status status = read_all(opening);
    if (status != RT_OK)
        return status;
    if (vault->root != NULL) {
        status = open_root(opening);
        if (status == RT_OK)
            check_all(vault);
        return status;
    }
    if (check_all(vault))
        return refuse(opening, RT_INVALID,
                      "its root is missing, though tenants have keys: restore it from a backup");
    return make_root(opening);
}

enum rt_status
vito_vault_open(struct vito_keyring *keyring, const struct rt_world *world,
                const struct vito_vault_ledger *ledger, struct vito_vault **vault_out,
                char *problem, size_t problem_bytes)
{
    struct vito_vault *vault = calloc(1, sizeof(*vault));
    const struct opening opening = {vault, ledger, problem, problem_bytes};
    if (vault == NULL)
        return refuse(&opening, RT_NO_MEMORY, "out of memory");
    pthread_mutex_init(&vault->mutex, NULL);
    vault->keyring = keyring;
    vault->world = world;
    vault->scratch = sodium_malloc(sizeof(*vault->scratch));
    enum rt_status status = RT_OK;
    if (vault->scratch == NULL || sodium_mlock(vault->scratch, sizeof(*vault->scratch)) != 0)
        status = refuse(&opening, RT_NO_MEMORY,
                        "there is no memory that can be locked: raise RLIMIT_MEMLOCK to 1 MiB");
    pthread_mutex_lock(&vault->mutex);
    if (status == RT_OK)
        status = fill(&opening);
    if (vault->scratch == NULL)
        pthread_mutex_unlock(&vault->mutex);
    else
        vault_unlock(vault);
    if (status == RT_OK)
        *vault_out = vault;
    else
        vito_vault_close(vault);
    return status;
}
