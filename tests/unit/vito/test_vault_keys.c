/* What the vault promises of its keys: a wrong or damaged one is refused and told by name, a
 * tenant's and the master key can be replaced, and a crash in between takes nothing. */
#include "tests/unit/vito/vault_box.h"

TestSuite(vault_keys, .init = setup, .fini = teardown, .timeout = 60);

static void
write_key(const char *file, uint8_t filling)
{
    uint8_t bytes[VITO_MASTER_KEY_BYTES];
    memset(bytes, filling, sizeof(bytes));
    unlink(file);
    int fd = open(file, O_CREAT | O_WRONLY | O_EXCL, 0600);
    cr_assert_eq(write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
    close(fd);
}

Test(vault_keys, a_wrong_master_key_is_refused_and_told_by_name)
{
    make_tenant("a");
    put("a", "value");
    close_vault();
    write_key(key_file, 7);
    cr_assert_eq(open_vault(), RT_DENIED);
    cr_assert_not_null(strstr(problem, key_file), "%s", problem);
    cr_assert_not_null(strstr(problem, "sealed with the master key"), "%s", problem);
    cr_assert_null(vault);
}

Test(vault_keys, a_root_that_is_damaged_or_missing_is_refused)
{
    make_tenant("a");
    put("a", "value");
    close_vault();
    tamper("CREATE TEMP TABLE kept AS SELECT * FROM vito_vault_root");
    tamper("UPDATE vito_vault_root SET version = version + 1");
    cr_assert_eq(open_vault(), RT_INVALID);
    cr_assert_not_null(strstr(problem, "damaged"), "%s", problem);
    close_vault();
    tamper("DELETE FROM vito_vault_root");
    cr_assert_eq(open_vault(), RT_INVALID);
    cr_assert_not_null(strstr(problem, "missing"), "%s", problem);
    close_vault();
    tamper("INSERT INTO vito_vault_root SELECT * FROM kept");
    reopen();
    assert_gets("a", "value");
}

Test(vault_keys, a_tenants_new_key_seals_all_its_secrets_and_the_old_one_opens_none)
{
    make_tenant("a");
    put("a", "value");
    cr_assert_eq(put_for("a", "other", "openai", "other value"), RT_OK);
    tamper("CREATE TEMP TABLE old_keys AS SELECT * FROM vito_tenant_keys");
    tamper("CREATE TEMP TABLE old_secrets AS SELECT * FROM vito_secrets");
    struct rt_buffer *document;
    cr_assert_eq(vito_vault_plan_tenant_key(vault, "a", &document), RT_OK);
    assert_gets("a", "value"); /* before it is written */
    cr_assert_eq(write_plan("a", document), RT_OK);
    assert_gets("a", "value");
    reopen();
    assert_gets("a", "value");
    tamper("INSERT OR REPLACE INTO vito_secrets SELECT * FROM old_secrets");
    assert_refused("a");
    struct rt_buffer *none;
    cr_assert_eq(vito_vault_plan_tenant_key(vault, "a", &none), RT_INVALID, "nothing is lost");
    cr_assert_eq(vito_vault_plan_tenant_key(vault, "nobody", &none), RT_NOT_FOUND);
    make_tenant("empty");
    cr_assert_eq(vito_vault_plan_tenant_key(vault, "empty", &none), RT_EMPTY);
}

static void
take_master_step(enum rt_status wanted)
{
    struct rt_buffer *document;
    enum rt_status status = vito_vault_plan_master(vault, &document);
    cr_assert_eq(status, wanted);
    if (status == RT_OK)
        cr_assert_eq(write_plan("", document), RT_OK);
}

static void
make_tenants(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof(id), "t%u", i);
        make_tenant(id);
        put(id, id);
    }
}

static void
assert_all(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char id[16];
        snprintf(id, sizeof(id), "t%u", i);
        assert_gets(id, id);
    }
}

Test(vault_keys, the_master_key_is_replaced_in_steps_each_of_which_survives_a_crash)
{
    enum { TENANTS = 70 };
    char key[VITO_KEY_TEXT_BYTES];
    struct vito_digest digest, again;
    vito_key_make(keyring, (const uint8_t *)"0123456789abcdef0123456789abcdef", key, &digest);
    make_tenants(TENANTS);
    cr_assert_eq(vito_vault_begin_master(vault, problem, sizeof(problem)), RT_OK, "%s", problem);
    for (int step = 0; step < 3; step++) {
        reopen(); /* as after a crash: the key of the next file is there, and in use */
        cr_assert(vito_vault_has_next_master(vault));
        assert_all(TENANTS);
        take_master_step(RT_OK);
        assert_all(TENANTS);
    }
    put("t5", "t5");
    take_master_step(RT_EMPTY);
    reopen(); /* before the files are swapped */
    take_master_step(RT_EMPTY);
    cr_assert_eq(vito_vault_finish_master(vault, problem, sizeof(problem)), RT_OK, "%s", problem);
    assert_all(TENANTS);
    reopen();
    cr_assert_not(vito_vault_has_next_master(vault));
    assert_all(TENANTS);
    again = vito_key_digest(keyring, key, strlen(key));
    cr_assert(vito_digest_is(&digest, &again), "API keys are still known");
}

Test(vault_keys, a_half_replaced_master_key_needs_both_files)
{
    make_tenants(40);
    cr_assert_eq(vito_vault_begin_master(vault, problem, sizeof(problem)), RT_OK);
    take_master_step(RT_OK); /* 32 of the 41 rows */
    close_vault();
    char next[80];
    snprintf(next, sizeof(next), "%s.next", key_file);
    unlink(next);
    cr_assert_eq(open_vault(), RT_DENIED, "the root is wrapped by the next one already");
}

Test(vault_keys, a_next_master_key_that_others_can_read_is_refused)
{
    char next[80];
    snprintf(next, sizeof(next), "%s.next", key_file);
    write_key(next, 9);
    cr_assert_eq(chmod(next, 0644), 0);
    close_vault();
    cr_assert_eq(open_vault(), RT_DENIED);
    cr_assert_not_null(strstr(problem, "0644"), "%s", problem);
    cr_assert_not_null(strstr(problem, ".next"), "%s", problem);
    write_key(next, 9);
    reopen();
    cr_assert(vito_vault_has_next_master(vault));
}
