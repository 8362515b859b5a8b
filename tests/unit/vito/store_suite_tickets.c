/*
 * What every store promises of tickets: each lets one in, once, for a time, and not without what it
 * was got with.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"

#define NOON_MS INT64_C(1795262400000) /* 21 November 2026, in UTC */

enum { LONG_MS = 600000 };

static struct vito_ticket_holder holder;

static struct vito_stored
ask(const struct store_driver *driver, const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *answer = NULL;
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    cr_assert(driver->execute(driver->self, request, &stored, &answer));
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    rt_buffer_release(request->document);
    memset(&holder, 0, sizeof(holder));
    if (request->op == VITO_TICKET_TAKE && stored.status == RT_OK) {
        cr_assert_eq(answer->size_bytes, sizeof(holder));
        memcpy(&holder, answer->bytes, sizeof(holder));
    } else {
        cr_assert_null(answer);
    }
    rt_buffer_release(answer);
    return stored;
}

static struct vito_request
request_of(enum vito_op op, const char *tenant_id)
{
    struct vito_request request = {.op = op, .at_ms = NOON_MS};
    memcpy(request.tenant_id, tenant_id, strlen(tenant_id));
    return request;
}

/* A tenant with an API key, key_<tenant>. */
static void
make_tenant(const struct store_driver *driver, const char *tenant_id)
{
    struct vito_request request = request_of(VITO_TENANT_PUT, tenant_id);
    request.document = rt_buffer_copy("{}", 2);
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    request = request_of(VITO_KEY_ADD, tenant_id);
    snprintf(request.key.id, sizeof(request.key.id), "key_%s", tenant_id);
    memset(request.key.digest.bytes, *tenant_id, sizeof(request.key.digest.bytes));
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

static struct vito_request
ticket_of(enum vito_op op, const char *tenant_id, int number)
{
    struct vito_request request = request_of(op, tenant_id);
    memcpy(request.ticket.digest.bytes, &number, sizeof(number));
    if (op != VITO_TICKET_ADD)
        return request;
    request.ticket.ttl_ms = LONG_MS;
    request.ticket.kept_max = 100;
    snprintf(request.ticket.holder.name, VITO_HOLDER_BYTES, "key_%s", tenant_id);
    snprintf(request.ticket.holder.key_id, VITO_ID_BYTES, "key_%s", tenant_id);
    return request;
}

static enum rt_status
add(const struct store_driver *driver, const char *tenant_id, int number)
{
    struct vito_request request = ticket_of(VITO_TICKET_ADD, tenant_id, number);
    return ask(driver, &request).status;
}

static enum rt_status
take_at(const struct store_driver *driver, int number, int64_t at_ms)
{
    struct vito_request request = ticket_of(VITO_TICKET_TAKE, "fernandez", number);
    request.at_ms = at_ms;
    return ask(driver, &request).status;
}

static enum rt_status
take(const struct store_driver *driver, int number)
{
    return take_at(driver, number, NOON_MS);
}

void
store_suite_a_ticket_is_taken_once_and_says_whose_it_is(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    struct vito_request request = ticket_of(VITO_TICKET_ADD, "cantor", 1);
    request.ticket.holder.key_id[0] = '\0';
    strcpy(request.ticket.holder.name, "user@example.com");
    request.ticket.holder.ends_ms = NOON_MS + 5;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(take(driver, 2), RT_NOT_FOUND);
    cr_assert_eq(take(driver, 1), RT_OK, "whoever is said to be asked for");
    cr_assert_str_eq(holder.tenant_id, "cantor");
    cr_assert_str_eq(holder.name, "user@example.com");
    cr_assert_str_eq(holder.key_id, "");
    cr_assert_eq(holder.ends_ms, NOON_MS + 5);
    cr_assert_eq(take(driver, 1), RT_NOT_FOUND);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(take(driver, 1), RT_NOT_FOUND);
}

void
store_suite_a_ticket_outlives_a_restart(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    cr_assert_eq(add(driver, "cantor", 1), RT_OK);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(take(driver, 1), RT_OK);
    cr_assert_str_eq(holder.key_id, "key_cantor");
}

void
store_suite_a_ticket_that_was_taken_in_vain_is_not_used_up(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    cr_assert_eq(add(driver, "cantor", 1), RT_OK);
    struct vito_request request = ticket_of(VITO_TICKET_TAKE, "cantor", 1);
    struct vito_stored stored;
    struct rt_buffer *answer;
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    cr_assert(driver->execute(driver->self, &request, &stored, &answer));
    cr_assert_eq(stored.status, RT_OK);
    rt_buffer_release(answer);
    driver->rollback(driver->self);
    cr_assert_eq(take(driver, 1), RT_OK);
}

void
store_suite_a_ticket_ends_with_its_time_and_with_its_credential(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    struct vito_request request = ticket_of(VITO_TICKET_ADD, "cantor", 1);
    request.ticket.ttl_ms = 0;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(take(driver, 1), RT_NOT_FOUND);

    request = ticket_of(VITO_TICKET_ADD, "cantor", 2);
    request.ticket.holder.key_id[0] = '\0';
    request.ticket.holder.ends_ms = NOON_MS + 5;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(take_at(driver, 2, NOON_MS + 5), RT_NOT_FOUND);
    cr_assert_eq(take(driver, 2), RT_NOT_FOUND, "it was used up");
}

static void
replace_key(const struct store_driver *driver, const char *tenant_id, int64_t until_ms)
{
    struct vito_request request = request_of(VITO_KEY_ROTATE, tenant_id);
    snprintf(request.rotation.key.id, VITO_ID_BYTES, "key_new");
    snprintf(request.rotation.replaces, VITO_ID_BYTES, "key_%s", tenant_id);
    request.rotation.replaced_until_ms = until_ms;
    request.rotation.key.created_ms = NOON_MS;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

void
store_suite_a_ticket_ends_with_the_key_it_was_got_with(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    for (int number = 1; number <= 3; number++)
        cr_assert_eq(add(driver, "cantor", number), RT_OK);
    replace_key(driver, "cantor", NOON_MS + 10);
    cr_assert_eq(take_at(driver, 1, NOON_MS + 9), RT_OK);
    cr_assert_eq(holder.ends_ms, NOON_MS + 10, "and so does what it lets in");
    cr_assert_eq(take_at(driver, 2, NOON_MS + 10), RT_NOT_FOUND);

    struct vito_request request = request_of(VITO_KEY_REMOVE, "cantor");
    strcpy(request.key.id, "key_cantor");
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(take(driver, 3), RT_NOT_FOUND);
    cr_assert_eq(add(driver, "cantor", 4), RT_NOT_FOUND, "nor is a new one given");
}

void
store_suite_tickets_go_with_their_tenant(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    cr_assert_eq(add(driver, "cantor", 1), RT_OK);
    struct vito_request remove = request_of(VITO_TENANT_REMOVE, "cantor");
    cr_assert_eq(ask(driver, &remove).status, RT_OK);
    cr_assert_eq(take(driver, 1), RT_NOT_FOUND);
    cr_assert_neq(add(driver, "cantor", 2), RT_OK);
    struct vito_request nobodys = ticket_of(VITO_TICKET_ADD, "No Tenant", 3);
    cr_assert_neq(ask(driver, &nobodys).status, RT_OK);
}

void
store_suite_a_holder_has_so_many_tickets_and_no_more(const struct store_driver *driver)
{
    make_tenant(driver, "cantor");
    make_tenant(driver, "fernandez");
    struct vito_request request = ticket_of(VITO_TICKET_ADD, "cantor", 0);
    for (int number = 1; number <= 3; number++) {
        request = ticket_of(VITO_TICKET_ADD, "cantor", number);
        request.ticket.kept_max = 3;
        request.ticket.ttl_ms = number == 1 ? 0 : LONG_MS;
        cr_assert_eq(ask(driver, &request).status, RT_OK);
    }
    request = ticket_of(VITO_TICKET_ADD, "cantor", 4);
    request.ticket.kept_max = 3;
    cr_assert_eq(ask(driver, &request).status, RT_OK, "the first one is over, and forgotten");
    request = ticket_of(VITO_TICKET_ADD, "cantor", 5);
    request.ticket.kept_max = 3;
    cr_assert_eq(ask(driver, &request).status, RT_FULL);
    cr_assert_eq(take(driver, 5), RT_NOT_FOUND);
    request = ticket_of(VITO_TICKET_ADD, "fernandez", 6);
    request.ticket.kept_max = 3;
    cr_assert_eq(ask(driver, &request).status, RT_OK, "others have their own");
    cr_assert_eq(take(driver, 2), RT_OK);
    request = ticket_of(VITO_TICKET_ADD, "cantor", 7);
    request.ticket.kept_max = 3;
    cr_assert_eq(ask(driver, &request).status, RT_OK, "one was used");
}
