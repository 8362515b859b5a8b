/*
 * tests/unit/vito/vault_box.h - a vault over an embedded store of its own, with secrets of tenants.
 */
#ifndef TESTS_VAULT_BOX_H
#define TESTS_VAULT_BOX_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/text.h"
#include "vito/store/sqlite/internal.h"
#include "vito/vault/blob.h"
#include "vito/vault/vault.h"

static char directory[] = "/tmp/test_vault_XXXXXX";

static char key_file[64], store_file[64];

static struct vito_sqlite *database;

static struct vito_keyring *keyring;

static struct vito_vault *vault;

static struct vito_secrets *fallback, *secrets;

static struct vito_secret secret;

static char problem[512];

static inline enum rt_status
ask(void *self, const struct vito_request *request, struct vito_stored *stored_out,
    struct rt_buffer **document_out)
{
    (void)self;
    return vito_sqlite_ask(database, request, stored_out, document_out);
}

static const struct vito_vault_ledger ledger = {.ask = ask};

static inline enum rt_status
open_vault(void)
{
    char a[] = "TWIN_SECRET_CANTOR_OPENAI_API_KEY=from-the-environment";
    char b[] = "TWIN_SECRET_CANTOR_B_OPENAI_API_KEY=whose";
    char *environment[] = {a, b, NULL};
    problem[0] = '\0';
    fallback = vito_secrets_from_environment(environment, false);
    enum rt_status status =
        vito_keyring_open(key_file, true, rt_world_real(), &keyring, problem, sizeof(problem));
    if (status == RT_OK)
        status =
            vito_vault_open(keyring, rt_world_real(), &ledger, &vault, problem, sizeof(problem));
    if (status == RT_OK)
        secrets = vito_vault_secrets(vault, fallback);
    return status;
}

static inline void
close_vault(void)
{
    vito_vault_close(vault);
    vito_keyring_close(keyring);
    vito_secrets_destroy(fallback);
    vault = NULL;
    keyring = NULL;
    fallback = NULL;
}

static inline void
reopen(void)
{
    close_vault();
    cr_assert_eq(open_vault(), RT_OK, "%s", problem);
}

static inline void
setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(key_file, sizeof(key_file), "%s/master.key", directory);
    snprintf(store_file, sizeof(store_file), "%s/twin.db", directory);
    cr_assert_eq(vito_sqlite_open(store_file, true, 0, &database, problem, sizeof(problem)), RT_OK);
    cr_assert_eq(open_vault(), RT_OK, "%s", problem);
}

static inline void
teardown(void)
{
    close_vault();
    vito_sqlite_close(database);
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", directory);
    cr_assert_eq(system(command), 0);
}

/* Does something to the store that no gateway does. */
static inline void
tamper(const char *format, ...)
{
    char sql[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sql, sizeof(sql), format, arguments);
    va_end(arguments);
    char *error = NULL;
    cr_assert_eq(sqlite3_exec(database->db, sql, NULL, NULL, &error), SQLITE_OK, "%s", error);
}

static inline enum rt_status
write_plan(const char *tenant_id, struct rt_buffer *document)
{
    struct vito_request request = {.op = VITO_VAULT_WRITE, .document = rt_buffer_acquire(document)};
    struct vito_stored stored;
    struct rt_buffer *none;
    RT_TEXT_SET(request.tenant_id, tenant_id);
    enum rt_status status = vito_sqlite_ask(database, &request, &stored, &none);
    if (status == RT_OK)
        cr_assert_eq(vito_vault_take(vault, document), RT_OK);
    rt_buffer_release(document);
    return status;
}

static inline void
make_tenant(const char *tenant_id)
{
    struct vito_request request = {.op = VITO_TENANT_PUT, .document = rt_buffer_copy("{}", 2)};
    struct vito_stored stored;
    struct rt_buffer *none;
    RT_TEXT_SET(request.tenant_id, tenant_id);
    cr_assert_eq(vito_sqlite_ask(database, &request, &stored, &none), RT_OK);
    cr_assert(vito_vault_add_tenant(vault, tenant_id));
}

static inline enum rt_status
put_for(const char *tenant_id, const char *name, const char *providers, const char *value)
{
    const struct vito_vault_put put = {.tenant_id = tenant_id,
                                       .name = name,
                                       .providers = providers,
                                       .value = value,
                                       .value_bytes = strlen(value),
                                       .at_ms = 1000};
    struct rt_buffer *document;
    int64_t version;
    enum rt_status status = vito_vault_plan_put(vault, &put, &document, &version);
    return status == RT_OK ? write_plan(tenant_id, document) : status;
}

static inline void
put(const char *tenant_id, const char *value)
{
    cr_assert_eq(put_for(tenant_id, "openai.api_key", "openai", value), RT_OK);
}

static inline enum rt_status
get_as(const char *provider, const char *tenant_id, const char *name)
{
    const struct vito_secret_use use = {tenant_id, provider, name, false};
    memset(&secret, 0, sizeof(secret));
    return secrets->get(secrets->self, &use, &secret);
}

static inline void
assert_gets(const char *tenant_id, const char *value)
{
    cr_assert_eq(get_as("openai", tenant_id, "openai.api_key"), RT_OK, "%s", tenant_id);
    cr_assert_str_eq(secret.value, value);
    cr_assert_eq(secret.size_bytes, strlen(value));
}

/* Neither now nor after a restart is anything given. */
static inline void
assert_refused(const char *tenant_id)
{
    reopen();
    cr_assert_eq(get_as("openai", tenant_id, "openai.api_key"), RT_INVALID);
    for (size_t i = 0; i < sizeof(secret.value); i++)
        cr_assert_eq(secret.value[i], '\0');
}

#endif
