/*
 * Tenants, their keys, and what their policies remember.
 */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"
#include "tests/unit/vito/store_suite_kit.h"

void
store_suite_a_tenant_is_made_read_replaced_and_removed(const struct store_driver *driver)
{
    cr_assert_eq(suite_get(driver, VITO_TENANT_GET, "cantor"), RT_NOT_FOUND);
    struct vito_stored stored =
        suite_put_tenant(driver, "cantor", "{\"display_name\": \"Andrés\"}");
    cr_assert_eq(stored.status, RT_OK);
    cr_assert(stored.created);
    cr_assert_eq(suite_get(driver, VITO_TENANT_GET, "cantor"), RT_OK);
    cr_assert_str_eq(suite_document, "{\"display_name\": \"Andrés\"}", "word for word");

    stored = suite_put_tenant(driver, "cantor", "{\"policy_config\":{\"timezone\":\"UTC\"}}");
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_not(stored.created);
    suite_get(driver, VITO_TENANT_GET, "cantor");
    cr_assert_str_eq(suite_document, "{\"policy_config\":{\"timezone\":\"UTC\"}}");

    cr_assert_eq(suite_get(driver, VITO_TENANT_REMOVE, "cantor"), RT_OK);
    cr_assert_eq(suite_get(driver, VITO_TENANT_GET, "cantor"), RT_NOT_FOUND);
    cr_assert_eq(suite_get(driver, VITO_TENANT_REMOVE, "cantor"), RT_NOT_FOUND);
    cr_assert(suite_put_tenant(driver, "cantor", "{}").created, "as if it had never been");
}

void
store_suite_tenants_are_listed_by_id(const struct store_driver *driver)
{
    cr_assert_eq(suite_get(driver, VITO_TENANT_LIST, ""), RT_OK);
    cr_assert_str_eq(suite_document, "[]");
    suite_put_tenant(driver, "b", "{\"display_name\":\"Bo \\\"B\\\"\",\"policy\":\"cantor\"}");
    suite_put_tenant(driver, "a", "{\"policy\":\"default\"}");
    suite_get(driver, VITO_TENANT_LIST, "");
    cr_assert_str_eq(suite_document,
                     "[{\"id\":\"a\",\"display_name\":null,\"policy\":\"default\"},"
                     "{\"id\":\"b\",\"display_name\":\"Bo \\\"B\\\"\",\"policy\":\"cantor\"}]");
}

void
store_suite_a_tenant_that_is_no_json_object_is_refused(const struct store_driver *driver)
{
    static const char *const wrong[] = {"", "{", "[]", "1", "\"x\"", "null", "{\"a\":}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(suite_put_tenant(driver, "cantor", wrong[i]).status, RT_INVALID, "%s",
                     wrong[i]);
    cr_assert_eq(suite_put_tenant(driver, "Cantor", "{}").status, RT_INVALID);
    cr_assert_eq(suite_get(driver, VITO_TENANT_PUT, "cantor"), RT_INVALID, "no suite_document");
    cr_assert_eq(suite_get(driver, VITO_TENANT_GET, "cantor"), RT_NOT_FOUND);
}

static enum rt_status
add_key(const struct store_driver *driver, const char *tenant_id, const char *id, uint8_t digest)
{
    struct vito_request request = suite_request_of(VITO_KEY_ADD, tenant_id);
    memcpy(request.key.id, id, strlen(id));
    memcpy(request.key.tenant_id, tenant_id, strlen(tenant_id));
    memset(request.key.digest.bytes, digest, sizeof(request.key.digest.bytes));
    request.key.created_ms = NOON_MS + digest;
    return suite_ask(driver, &request).status;
}

static enum rt_status
remove_key(const struct store_driver *driver, const char *tenant_id, const char *id)
{
    struct vito_request request = suite_request_of(VITO_KEY_REMOVE, tenant_id);
    memcpy(request.key.id, id, strlen(id));
    return suite_ask(driver, &request).status;
}

static size_t
count_keys(const struct store_driver *driver, const char *tenant_id)
{
    cr_assert_eq(suite_get(driver, VITO_KEY_LIST, tenant_id), RT_OK);
    return suite_document_bytes / sizeof(struct vito_key);
}

void
store_suite_keys_belong_to_a_tenant_and_go_with_it(const struct store_driver *driver)
{
    suite_put_tenant(driver, "a", "{}");
    suite_put_tenant(driver, "b", "{}");
    cr_assert_eq(count_keys(driver, ""), 0);
    cr_assert_eq(add_key(driver, "a", "key_1", 1), RT_OK);
    cr_assert_eq(add_key(driver, "a", "key_2", 2), RT_OK);
    cr_assert_eq(add_key(driver, "b", "key_3", 3), RT_OK);
    cr_assert_eq(count_keys(driver, ""), 3);
    cr_assert_eq(count_keys(driver, "a"), 2);
    struct vito_key key;
    memcpy(&key, suite_document + sizeof(key), sizeof(key));
    cr_assert_str_eq(key.id, "key_2");
    cr_assert_str_eq(key.tenant_id, "a");
    cr_assert_eq(key.digest.bytes[31], 2);
    cr_assert_eq(key.created_ms, NOON_MS + 2);

    cr_assert_eq(remove_key(driver, "b", "key_1"), RT_NOT_FOUND, "not its own");
    cr_assert_eq(remove_key(driver, "a", "key_1"), RT_OK);
    cr_assert_eq(remove_key(driver, "a", "key_1"), RT_NOT_FOUND);
    suite_get(driver, VITO_TENANT_REMOVE, "a");
    cr_assert_eq(count_keys(driver, ""), 1);
}

static enum rt_status
rotate_key(const struct store_driver *driver, const char *tenant_id, const char *old,
           const char *id, uint8_t digest, int64_t until_ms)
{
    struct vito_request request = suite_request_of(VITO_KEY_ROTATE, tenant_id);
    memcpy(request.rotation.key.id, id, strlen(id));
    memcpy(request.rotation.key.tenant_id, tenant_id, strlen(tenant_id));
    memset(request.rotation.key.digest.bytes, digest, VITO_DIGEST_BYTES);
    request.rotation.key.created_ms = NOON_MS + digest;
    memcpy(request.rotation.replaces, old, strlen(old));
    request.rotation.replaced_until_ms = until_ms;
    return suite_ask(driver, &request).status;
}

static int64_t
end_of_key(const struct store_driver *driver, const char *tenant_id, size_t index)
{
    struct vito_key key;
    cr_assert_gt(count_keys(driver, tenant_id), index);
    memcpy(&key, suite_document + index * sizeof(key), sizeof(key));
    return key.expires_ms;
}

void
store_suite_a_key_that_is_replaced_ends_later(const struct store_driver *driver)
{
    suite_put_tenant(driver, "a", "{}");
    suite_put_tenant(driver, "b", "{}");
    add_key(driver, "a", "key_1", 1);
    cr_assert_eq(rotate_key(driver, "b", "key_1", "key_2", 2, NOON_MS + 100), RT_NOT_FOUND);
    cr_assert_eq(rotate_key(driver, "a", "key_0", "key_2", 2, NOON_MS + 100), RT_NOT_FOUND);
    cr_assert_eq(count_keys(driver, ""), 1, "nothing was added");
    cr_assert_eq(rotate_key(driver, "a", "key_1", "key_2", 2, NOON_MS + 100), RT_OK);
    cr_assert_eq(end_of_key(driver, "a", 0), NOON_MS + 100);
    cr_assert_eq(end_of_key(driver, "a", 1), 0, "the new one does not end");
    cr_assert_eq(rotate_key(driver, "a", "key_1", "key_3", 3, NOON_MS + 200), RT_OK);
    cr_assert_eq(end_of_key(driver, "a", 0), NOON_MS + 100, "an end is never put off");
    cr_assert_eq(rotate_key(driver, "a", "key_1", "key_4", 100, NOON_MS + 200), RT_NOT_FOUND,
                 "it has ended by then");
    cr_assert_eq(count_keys(driver, "a"), 3);
}

void
store_suite_a_key_is_added_once(const struct store_driver *driver)
{
    cr_assert_eq(add_key(driver, "a", "key_1", 1), RT_NOT_FOUND, "no such tenant");
    suite_put_tenant(driver, "a", "{}");
    cr_assert_eq(add_key(driver, "a", "key_1", 1), RT_OK);
    cr_assert_eq(add_key(driver, "a", "key_1", 2), RT_EXISTS);
    cr_assert_eq(add_key(driver, "a", "key_2", 1), RT_EXISTS, "the same digest");
    cr_assert_eq(count_keys(driver, "a"), 1);
}

void
store_suite_a_policys_memory_is_kept_as_it_is(const struct store_driver *driver)
{
    static const char bytes[] = "\x81\xa1\x00\xff{";
    struct vito_request request = suite_request_of(VITO_MEMORY_PUT, "cantor");
    request.document = rt_buffer_copy(bytes, sizeof(bytes));
    cr_assert_eq(suite_ask(driver, &request).status, RT_NOT_FOUND, "no such tenant");
    suite_put_tenant(driver, "cantor", "{}");
    cr_assert_eq(suite_get(driver, VITO_MEMORY_GET, "cantor"), RT_NOT_FOUND);
    for (size_t size = sizeof(bytes); size > 0; size--) {
        request.document = rt_buffer_copy(bytes, size);
        cr_assert_eq(suite_ask(driver, &request).status, RT_OK);
        cr_assert_eq(suite_get(driver, VITO_MEMORY_GET, "cantor"), RT_OK);
        cr_assert_eq(suite_document_bytes, size);
        cr_assert_eq(memcmp(suite_document, bytes, size), 0);
    }
    cr_assert_eq(suite_get(driver, VITO_MEMORY_PUT, "cantor"), RT_INVALID, "no suite_document");
    suite_get(driver, VITO_TENANT_REMOVE, "cantor");
    cr_assert_eq(suite_get(driver, VITO_MEMORY_GET, "cantor"), RT_NOT_FOUND);
}
