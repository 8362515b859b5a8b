/* What the vault promises: a secret is given to its tenant's own adapter as it was put there, or
 * not at all, whatever was done to the store; and keys are replaced without a moment in which
 * something cannot be read. */
#include "tests/unit/vito/vault_box.h"

TestSuite(vault, .init = setup, .fini = teardown, .timeout = 60);

Test(vault, a_secret_is_kept_replaced_and_found_after_a_restart)
{
    make_tenant("jose");
    cr_assert_eq(get_as("openai", "jose", "openai.api_key"), RT_NOT_FOUND);
    put("jose", "one");
    assert_gets("jose", "one");
    put("jose", "two");
    assert_gets("jose", "two");
    reopen();
    assert_gets("jose", "two");
}

Test(vault, the_vault_has_precedence_over_the_environment)
{
    make_tenant("cantor");
    assert_gets("cantor", "from-the-environment");
    put("cantor", "from-the-vault");
    assert_gets("cantor", "from-the-vault");
    struct rt_buffer *document;
    cr_assert_eq(vito_vault_plan_remove(vault, "cantor", "openai.api_key", &document), RT_OK);
    cr_assert_eq(write_plan("cantor", document), RT_OK);
    assert_gets("cantor", "from-the-environment");
}

Test(vault, a_variable_that_may_be_another_tenants_is_refused)
{
    make_tenant("cantor-b");
    assert_gets("cantor-b", "whose");
    make_tenant("cantor");
    cr_assert_eq(get_as("openai", "cantor-b", "openai.api_key"), RT_DENIED);
    assert_gets("cantor", "from-the-environment");
    vito_vault_remove_tenant(vault, "cantor");
    assert_gets("cantor-b", "whose");
}

Test(vault, a_secret_is_given_to_its_providers_alone)
{
    make_tenant("jose");
    cr_assert_eq(put_for("jose", "shared", "openai,tavus", "both"), RT_OK);
    cr_assert_eq(get_as("openai", "jose", "shared"), RT_OK);
    cr_assert_eq(get_as("tavus", "jose", "shared"), RT_OK);
    cr_assert_eq(get_as("tavu", "jose", "shared"), RT_DENIED);
    cr_assert_eq(get_as("cartesia", "jose", "shared"), RT_DENIED);
    make_tenant("cantor");
    cr_assert_eq(get_as("tavus", "cantor", "openai.api_key"), RT_DENIED, "of the environment");
}

Test(vault, the_longest_secret_and_the_most_of_them_are_kept)
{
    static char value[VITO_SECRET_BYTES_MAX + 1];
    memset(value, 'v', VITO_SECRET_BYTES_MAX);
    make_tenant("jose");
    for (int i = 0; i < VITO_VAULT_SECRETS_MAX; i++) {
        char name[VITO_SECRET_NAME_BYTES];
        memset(name, 'n', sizeof(name));
        snprintf(name + sizeof(name) - 4, 4, "%03d", i);
        value[0] = (char)('0' + i);
        cr_assert_eq(put_for("jose", name, "openai", value), RT_OK, "%d", i);
    }
    cr_assert_eq(put_for("jose", "one.more", "openai", value), RT_FULL);
    reopen();
    struct vito_vault_entry entries[VITO_VAULT_SECRETS_MAX];
    unsigned count;
    cr_assert_eq(vito_vault_list(vault, "jose", entries, &count), RT_OK);
    cr_assert_eq(count, VITO_VAULT_SECRETS_MAX);
    for (unsigned i = 0; i < count; i++) {
        cr_assert(entries[i].is_sound);
        cr_assert_eq(get_as("openai", "jose", entries[i].name), RT_OK);
        cr_assert_eq(secret.value[0], (char)('0' + i));
        cr_assert_eq(secret.size_bytes, VITO_SECRET_BYTES_MAX);
    }
}

Test(vault, names_versions_and_providers_are_listed)
{
    struct vito_vault_entry entries[VITO_VAULT_SECRETS_MAX];
    unsigned count;
    cr_assert_eq(vito_vault_list(vault, "jose", entries, &count), RT_NOT_FOUND);
    make_tenant("jose");
    cr_assert_eq(vito_vault_list(vault, "jose", entries, &count), RT_OK);
    cr_assert_eq(count, 0);
    cr_assert_eq(put_for("jose", "tavus.api_key", "tavus", "t"), RT_OK);
    put("jose", "o1");
    put("jose", "o2");
    cr_assert_eq(vito_vault_list(vault, "jose", entries, &count), RT_OK);
    cr_assert_eq(count, 2);
    cr_assert_str_eq(entries[0].name, "openai.api_key");
    cr_assert_eq(entries[0].version, 2);
    cr_assert_str_eq(entries[1].name, "tavus.api_key");
    cr_assert_str_eq(entries[1].providers, "tavus");
    cr_assert_eq(entries[1].version, 1);
    cr_assert_eq(entries[1].updated_ms, 1000);
}

Test(vault, nothing_in_the_store_shows_a_value)
{
    make_tenant("jose");
    put("jose", "a-value-to-look-for");
    tamper("CREATE TEMP TABLE found AS SELECT 1 FROM vito_secrets"
           " WHERE instr(blob, CAST('a-value-to-look-for' AS BLOB)) > 0");
    tamper("DELETE FROM vito_secrets WHERE (SELECT count(*) FROM found) > 0");
    assert_gets("jose", "a-value-to-look-for");
    reopen();
    assert_gets("jose", "a-value-to-look-for");
}

Test(vault, one_tenants_secret_opens_nothing_of_anothers)
{
    make_tenant("a");
    make_tenant("b");
    put("a", "of a");
    put("b", "of b");
    tamper("CREATE TEMP TABLE kept AS SELECT * FROM vito_secrets");
    tamper("UPDATE vito_secrets SET blob = (SELECT blob FROM kept"
           " WHERE kept.tenant_id <> vito_secrets.tenant_id)");
    assert_refused("a");
    assert_refused("b");
}

Test(vault, one_tenants_key_is_not_taken_for_anothers)
{
    make_tenant("a");
    make_tenant("b");
    put("a", "of a");
    put("b", "of b");
    tamper("UPDATE vito_tenant_keys SET (version, blob) ="
           " (SELECT version, blob FROM vito_tenant_keys WHERE tenant_id = 'a')"
           " WHERE tenant_id = 'b'");
    assert_refused("b");
    assert_gets("a", "of a");
}

Test(vault, a_renamed_secret_is_refused)
{
    make_tenant("a");
    cr_assert_eq(put_for("a", "other", "openai", "of another name"), RT_OK);
    tamper("UPDATE vito_secrets SET name = 'openai.api_key'");
    reopen();
    cr_assert_eq(get_as("openai", "a", "openai.api_key"), RT_INVALID, "not listed, but there");
    put("a", "mine");
    tamper("UPDATE vito_secrets SET name = 'other2' WHERE name = 'openai.api_key'");
    assert_refused("a");
}

Test(vault, providers_cannot_be_added_in_the_store)
{
    make_tenant("a");
    put("a", "for openai");
    tamper("UPDATE vito_secrets SET providers = 'openai,evil'");
    assert_refused("a");
    cr_assert_eq(get_as("evil", "a", "openai.api_key"), RT_INVALID);
}

Test(vault, an_older_version_that_is_put_back_is_refused)
{
    make_tenant("a");
    put("a", "old");
    tamper("CREATE TEMP TABLE kept AS SELECT * FROM vito_secrets");
    put("a", "new");
    tamper("INSERT OR REPLACE INTO vito_secrets SELECT * FROM kept");
    assert_refused("a");
}

Test(vault, the_first_version_of_a_former_secret_is_refused)
{
    make_tenant("a");
    put("a", "of a former life");
    tamper("CREATE TEMP TABLE kept AS SELECT * FROM vito_secrets");
    struct rt_buffer *document;
    cr_assert_eq(vito_vault_plan_remove(vault, "a", "openai.api_key", &document), RT_OK);
    cr_assert_eq(write_plan("a", document), RT_OK);
    put("a", "of this life, version 1 as well");
    tamper("INSERT OR REPLACE INTO vito_secrets SELECT * FROM kept");
    assert_refused("a");
}

Test(vault, a_secret_that_was_taken_away_is_not_looked_for_in_the_environment)
{
    make_tenant("cantor");
    put("cantor", "from-the-vault");
    tamper("DELETE FROM vito_secrets");
    assert_refused("cantor");
}

Test(vault, a_key_that_was_taken_away_is_missed)
{
    make_tenant("cantor");
    put("cantor", "from-the-vault");
    tamper("PRAGMA foreign_keys = OFF; DELETE FROM vito_tenant_keys; PRAGMA foreign_keys = ON");
    assert_refused("cantor");
}

/* The one blob of a table; `write` puts it back. */
static size_t
blob_of(const char *table, uint8_t *bytes, bool write)
{
    static size_t size;
    char sql[96];
    sqlite3_stmt *statement;
    snprintf(sql, sizeof(sql), write ? "UPDATE %s SET blob = ?1" : "SELECT blob FROM %s", table);
    cr_assert_eq(sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL), SQLITE_OK);
    if (write)
        sqlite3_bind_blob(statement, 1, bytes, (int)size, SQLITE_STATIC);
    cr_assert_eq(sqlite3_step(statement), write ? SQLITE_DONE : SQLITE_ROW);
    if (!write) {
        size = (size_t)sqlite3_column_bytes(statement, 0);
        memcpy(bytes, sqlite3_column_blob(statement, 0), size);
    }
    sqlite3_finalize(statement);
    return size;
}

Test(vault, a_changed_byte_of_a_key_or_a_secret_is_refused)
{
    static const char *const tables[] = {"vito_tenant_keys", "vito_secrets"};
    uint8_t bytes[VITO_SEALED_BLOB_BYTES_MAX];
    make_tenant("a");
    put("a", "value");
    for (size_t table = 0; table < RT_COUNT_OF(tables); table++) {
        size_t size = blob_of(tables[table], bytes, false);
        for (size_t i = 0; i < size; i++) {
            bytes[i] ^= (uint8_t)(1 << i % 8);
            blob_of(tables[table], bytes, true);
            assert_refused("a");
            bytes[i] ^= (uint8_t)(1 << i % 8);
        }
        blob_of(tables[table], bytes, true);
        reopen();
        assert_gets("a", "value");
    }
}

Test(vault, a_tampered_secret_can_be_put_again_and_leaves_others_alone)
{
    make_tenant("a");
    cr_assert_eq(put_for("a", "other", "openai", "still here"), RT_OK);
    put("a", "old");
    tamper("UPDATE vito_secrets SET blob = zeroblob(100) WHERE name = 'openai.api_key'");
    assert_refused("a");
    cr_assert_eq(get_as("openai", "a", "other"), RT_OK);
    cr_assert_str_eq(secret.value, "still here");
    put("a", "put again");
    assert_gets("a", "put again");
}

Test(vault, a_change_planned_on_old_rows_is_not_written)
{
    make_tenant("a");
    put("a", "one");
    struct rt_buffer *late;
    int64_t version;
    const struct vito_vault_put change = {.tenant_id = "a",
                                          .name = "openai.api_key",
                                          .providers = "openai",
                                          .value = "late",
                                          .value_bytes = 4};
    cr_assert_eq(vito_vault_plan_put(vault, &change, &late, &version), RT_OK);
    put("a", "two");
    cr_assert_eq(write_plan("a", late), RT_EXISTS);
    assert_gets("a", "two");
    reopen();
    assert_gets("a", "two");
}

Test(vault, what_another_gateway_wrote_is_taken_in)
{
    make_tenant("a");
    put("a", "one");
    struct vito_request request = {.op = VITO_VAULT_LIST, .tenant_id = "a"};
    struct vito_stored stored;
    struct rt_buffer *document;
    cr_assert_eq(vito_sqlite_ask(database, &request, &stored, &document), RT_OK);
    put("a", "two");
    cr_assert_eq(vito_vault_replace(vault, "a", document), RT_OK);
    assert_gets("a", "one");
    cr_assert_eq(vito_vault_replace(vault, "a", NULL), RT_OK);
    cr_assert_not(vito_vault_has_tenant(vault, "a"));
    rt_buffer_release(document);
}

static char last[VITO_TENANT_ID_BYTES];

/* Takes in the next of all tenants behind `after`. */
static void
replace_behind(const char *after)
{
    struct vito_request request = {.op = VITO_VAULT_LIST};
    struct vito_stored stored;
    struct rt_buffer *document;
    memcpy(request.list.after, after, strlen(after));
    cr_assert_eq(vito_sqlite_ask(database, &request, &stored, &document), RT_OK);
    cr_assert_eq(vito_vault_replace_next(vault, after, document, last), RT_OK);
    rt_buffer_release(document);
}

Test(vault, all_that_other_gateways_wrote_is_taken_in)
{
    make_tenant("a");
    make_tenant("b");
    put("a", "one");
    put("b", "two");
    cr_assert(vito_vault_add_tenant(vault, "c"));
    vito_vault_remove_tenant(vault, "a");
    struct vito_request request = {.op = VITO_TENANT_REMOVE, .tenant_id = "b"};
    struct vito_stored stored;
    struct rt_buffer *none;
    cr_assert_eq(vito_sqlite_ask(database, &request, &stored, &none), RT_OK);
    replace_behind("");
    cr_assert_str_eq(last, "a");
    assert_gets("a", "one");
    assert_gets("b", "two");
    replace_behind("a");
    cr_assert_str_eq(last, "", "there are no others");
    assert_gets("a", "one");
    cr_assert_neq(get_as("openai", "b", "openai.api_key"), RT_OK, "it has no key any more");
    cr_assert(vito_vault_has_tenant(vault, "c"), "it may be new");
}

/* Reads a whole file; how often the bytes are in it. */
static unsigned
count_in_file(const char *file, const uint8_t *bytes, size_t size_bytes)
{
    unsigned found = 0;
    FILE *in = fopen(file, "rb");
    if (in == NULL)
        return 0;
    static uint8_t all[4 << 20];
    size_t size = fread(all, 1, sizeof(all), in);
    cr_assert_lt(size, sizeof(all));
    fclose(in);
    const uint8_t *at = all;
    while ((at = memmem(at, size - (size_t)(at - all), bytes, size_bytes)) != NULL) {
        found++;
        at++;
    }
    return found;
}

Test(vault, a_removed_tenants_key_is_in_no_file_any_more)
{
    uint8_t nonce[VITO_BLOB_NONCE_BYTES];
    char log[80];
    snprintf(log, sizeof(log), "%s-wal", store_file);
    make_tenant("a");
    put("a", "value");
    sqlite3_stmt *statement;
    sqlite3_prepare_v2(database->db, "SELECT blob FROM vito_tenant_keys", -1, &statement, NULL);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    memcpy(nonce, (const uint8_t *)sqlite3_column_blob(statement, 0) + 10, sizeof(nonce));
    sqlite3_finalize(statement);
    cr_assert_gt(count_in_file(store_file, nonce, sizeof(nonce)), 0);
    struct vito_request request = {.op = VITO_TENANT_REMOVE, .tenant_id = "a"};
    struct vito_stored stored;
    struct rt_buffer *none;
    cr_assert_eq(vito_sqlite_ask(database, &request, &stored, &none), RT_OK);
    vito_vault_remove_tenant(vault, "a");
    cr_assert_eq(count_in_file(store_file, nonce, sizeof(nonce)), 0);
    cr_assert_eq(count_in_file(log, nonce, sizeof(nonce)), 0);
    make_tenant("a");
    cr_assert_eq(get_as("openai", "a", "openai.api_key"), RT_NOT_FOUND);
}
