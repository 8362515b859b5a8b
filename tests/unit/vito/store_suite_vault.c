/*
 * What every store promises of the vault's rows.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"

/* The answer's document of the last request. */
static struct rt_buffer *answer;

static enum rt_status
ask(const struct store_driver *driver, struct vito_request *request, const char *tenant_id)
{
    struct vito_stored stored;
    memcpy(request->tenant_id, tenant_id, strlen(tenant_id));
    rt_buffer_release(answer);
    answer = NULL;
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    cr_assert(driver->execute(driver->self, request, &stored, &answer));
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    rt_buffer_release(request->document);
    return stored.status;
}

static enum rt_status
change_tenant(const struct store_driver *driver, enum vito_op op, const char *tenant_id)
{
    struct vito_request request = {.op = op};
    if (op == VITO_TENANT_PUT)
        request.document = rt_buffer_copy("{}", 2);
    return ask(driver, &request, tenant_id);
}

static struct vito_sealed_writer rows;

static void
add_row(enum vito_sealed_kind kind, const char *tenant_id, const char *name, int64_t version,
        size_t blob_bytes)
{
    struct vito_sealed sealed = {.kind = kind,
                                 .version = version,
                                 .at_ms = kind == VITO_SEALED_SECRET ? 5 : 0,
                                 .blob_bytes = (uint32_t)blob_bytes};
    memcpy(sealed.tenant_id, tenant_id, strlen(tenant_id));
    memcpy(sealed.name, name, strlen(name));
    if (kind == VITO_SEALED_SECRET)
        memcpy(sealed.providers, "openai,tavus", 12);
    memset(vito_sealed_add(&rows, &sealed), (int)('a' + version), blob_bytes);
}

static enum rt_status
write_rows(const struct store_driver *driver, const char *tenant_id, const char *event_id)
{
    struct vito_request request = {.op = VITO_VAULT_WRITE};
    request.document = vito_sealed_finish(&rows);
    cr_assert_not_null(request.document);
    if (event_id != NULL) {
        memcpy(request.audit.id, event_id, strlen(event_id));
        memcpy(request.audit.event, "SECRET_CHANGED", 14);
        request.audit.at_ms = 1000;
    }
    return ask(driver, &request, tenant_id);
}

/* What a list says: "tenant/name:version+bytes" for each row. */
static const char *
list_rows(const struct store_driver *driver, const char *tenant_id, const char *after)
{
    static char text[65536];
    struct vito_request request = {.op = VITO_VAULT_LIST};
    memcpy(request.list.after, after, strlen(after));
    cr_assert_eq(ask(driver, &request, tenant_id), RT_OK);
    const struct rt_buffer *list = answer;
    struct vito_sealed_row row;
    size_t offset = 0, used = 0;
    text[0] = '\0';
    while (vito_sealed_next(list, &offset, &row)) {
        static const char kinds[] = "RTKS";
        const struct vito_sealed *sealed = &row.sealed;
        for (uint32_t i = 0; i < sealed->blob_bytes; i++)
            cr_assert_eq(row.blob[i], (uint8_t)('a' + sealed->version));
        if (sealed->kind == VITO_SEALED_SECRET) {
            cr_assert_str_eq(sealed->providers, "openai,tavus");
            cr_assert_eq(sealed->at_ms, 5);
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%c:%s/%s:%d+%u ",
                                 kinds[sealed->kind], sealed->tenant_id, sealed->name,
                                 (int)sealed->version, sealed->blob_bytes);
    }
    cr_assert_eq(offset, answer->size_bytes);
    return text;
}

void
store_suite_the_vaults_rows_are_listed_tenant_by_tenant(const struct store_driver *driver)
{
    cr_assert_str_eq(list_rows(driver, "", ""), "");
    change_tenant(driver, VITO_TENANT_PUT, "b");
    change_tenant(driver, VITO_TENANT_PUT, "a");
    add_row(VITO_SEALED_ROOT, "", "", 1, 10);
    cr_assert_eq(write_rows(driver, "", NULL), RT_OK);
    add_row(VITO_SEALED_KEY, "b", "", 1, 20);
    add_row(VITO_SEALED_SECRET, "b", "y", 3, 30);
    add_row(VITO_SEALED_SECRET, "b", "x", 2, 5000);
    cr_assert_eq(write_rows(driver, "b", NULL), RT_OK);
    cr_assert_str_eq(list_rows(driver, "", ""),
                     "R:/:1+10 T:a/:0+0 T:b/:0+0 K:b/:1+20 S:b/x:2+5000 S:b/y:3+30 ");
    cr_assert_str_eq(list_rows(driver, "b", ""), "T:b/:0+0 K:b/:1+20 S:b/x:2+5000 S:b/y:3+30 ");
    cr_assert_str_eq(list_rows(driver, "", "a"), "T:b/:0+0 K:b/:1+20 S:b/x:2+5000 S:b/y:3+30 ");
    cr_assert_str_eq(list_rows(driver, "", "b"), "");
    cr_assert_str_eq(list_rows(driver, "nobody", ""), "");
}

void
store_suite_the_vaults_rows_are_listed_in_pages_of_whole_tenants(const struct store_driver *driver)
{
    enum { TENANTS = 70, SECRETS = 5, BLOB = 16000 };
    char id[8], name[8], last[8] = "";
    for (int i = 0; i < TENANTS; i++) {
        snprintf(id, sizeof(id), "t%02d", i);
        change_tenant(driver, VITO_TENANT_PUT, id);
        add_row(VITO_SEALED_KEY, id, "", 1, 20);
        for (int j = 0; j < SECRETS; j++) {
            snprintf(name, sizeof(name), "s%02d", j);
            add_row(VITO_SEALED_SECRET, id, name, 1, BLOB);
        }
        cr_assert_eq(write_rows(driver, id, NULL), RT_OK);
    }
    int found = 0, pages = 0;
    for (;; pages++) {
        struct vito_request request = {.op = VITO_VAULT_LIST};
        memcpy(request.list.after, last, sizeof(last));
        cr_assert_eq(ask(driver, &request, ""), RT_OK);
        struct vito_sealed_row row;
        size_t offset = 0;
        int rows_of_tenant = SECRETS + 2;
        while (vito_sealed_next(answer, &offset, &row)) {
            if (row.sealed.kind == VITO_SEALED_TENANT) {
                cr_assert_eq(rows_of_tenant, SECRETS + 2);
                rows_of_tenant = 0;
                memcpy(last, row.sealed.tenant_id, sizeof(last));
            }
            rows_of_tenant++;
            found++;
        }
        cr_assert_eq(rows_of_tenant, SECRETS + 2, "whole tenants");
        if (offset == 0)
            break;
    }
    cr_assert_eq(found, TENANTS * (SECRETS + 2));
    cr_assert_gt(pages, 2);
}

void
store_suite_the_vaults_rows_are_written_all_or_none(const struct store_driver *driver)
{
    change_tenant(driver, VITO_TENANT_PUT, "a");
    add_row(VITO_SEALED_KEY, "a", "", 1, 20);
    add_row(VITO_SEALED_SECRET, "a", "x", 1, 30);
    cr_assert_eq(write_rows(driver, "a", "aud_1"), RT_OK);
    static const char before[] = "T:a/:0+0 K:a/:1+20 S:a/x:1+30 ";
    add_row(VITO_SEALED_KEY, "a", "", 2, 20);
    add_row(VITO_SEALED_GONE, "a", "x", 0, 0);
    add_row(VITO_SEALED_KEY, "a", "", 4, 20);
    cr_assert_eq(write_rows(driver, "a", "aud_2"), RT_EXISTS);
    cr_assert_str_eq(list_rows(driver, "a", ""), before);
    add_row(VITO_SEALED_KEY, "a", "", 2, 20);
    cr_assert_eq(write_rows(driver, "a", "aud_1"), RT_EXISTS, "the event is there already");
    cr_assert_str_eq(list_rows(driver, "a", ""), before);
    add_row(VITO_SEALED_SECRET, "a", "y", 1, 0);
    cr_assert_eq(write_rows(driver, "a", NULL), RT_INVALID, "an empty blob");
    add_row(VITO_SEALED_KEY, "nobody", "", 1, 20);
    cr_assert_eq(write_rows(driver, "nobody", NULL), RT_NOT_FOUND);
    cr_assert_eq(write_rows(driver, "a", NULL), RT_INVALID, "no rows");
    cr_assert_str_eq(list_rows(driver, "a", ""), before);
    cr_assert_eq(change_tenant(driver, VITO_TENANT_GET, "a"), RT_OK);
    struct vito_request request = {.op = VITO_AUDIT_LIST, .query = {.limit = 10}};
    cr_assert_eq(ask(driver, &request, "a"), RT_OK);
    cr_assert_not_null(memmem(answer->bytes, answer->size_bytes, "\"aud_1\"", 7));
    cr_assert_null(memmem(answer->bytes, answer->size_bytes, "\"aud_2\"", 7));
    driver->check(driver->self);
}

void
store_suite_a_key_is_replaced_only_by_its_next_version(const struct store_driver *driver)
{
    change_tenant(driver, VITO_TENANT_PUT, "a");
    static const enum vito_sealed_kind kinds[] = {VITO_SEALED_KEY, VITO_SEALED_ROOT};
    for (size_t i = 0; i < 2; i++) {
        const char *id = i == 0 ? "a" : "";
        add_row(kinds[i], id, "", 2, 20);
        cr_assert_eq(write_rows(driver, id, NULL), RT_EXISTS, "there is none before");
        add_row(kinds[i], id, "", 1, 20);
        cr_assert_eq(write_rows(driver, id, NULL), RT_OK);
        add_row(kinds[i], id, "", 1, 20);
        cr_assert_eq(write_rows(driver, id, NULL), RT_EXISTS);
        add_row(kinds[i], id, "", 3, 20);
        cr_assert_eq(write_rows(driver, id, NULL), RT_EXISTS);
        add_row(kinds[i], id, "", 2, 21);
        cr_assert_eq(write_rows(driver, id, NULL), RT_OK);
    }
    cr_assert_str_eq(list_rows(driver, "", ""), "R:/:2+21 T:a/:0+0 K:a/:2+21 ");
}

void
store_suite_the_vaults_rows_go_with_their_tenant(const struct store_driver *driver)
{
    change_tenant(driver, VITO_TENANT_PUT, "a");
    change_tenant(driver, VITO_TENANT_PUT, "b");
    add_row(VITO_SEALED_KEY, "a", "", 1, 20);
    add_row(VITO_SEALED_SECRET, "a", "x", 1, 30);
    cr_assert_eq(write_rows(driver, "a", NULL), RT_OK);
    add_row(VITO_SEALED_KEY, "b", "", 1, 20);
    cr_assert_eq(write_rows(driver, "b", NULL), RT_OK);
    cr_assert_eq(change_tenant(driver, VITO_TENANT_REMOVE, "a"), RT_OK);
    cr_assert_str_eq(list_rows(driver, "", ""), "T:b/:0+0 K:b/:1+20 ");
    change_tenant(driver, VITO_TENANT_PUT, "a");
    cr_assert_str_eq(list_rows(driver, "a", ""), "T:a/:0+0 ");
}
