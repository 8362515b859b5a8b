/*
 * What every store promises of turns under an Idempotency-Key.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"

#define NOVEMBER_MS INT64_C(1793491200000) /* 1 November 2026, in UTC */
#define DECEMBER_MS INT64_C(1796083200000)
#define NOON_MS (NOVEMBER_MS + 20 * INT64_C(86400000) + 12 * INT64_C(3600000))
#define DAY_MS INT64_C(86400000)

static struct vito_turn_found found;
static char text[256];

static struct vito_stored
ask(const struct store_driver *driver, const struct vito_request *request)
{
    struct vito_stored stored;
    struct rt_buffer *answer = NULL;
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    cr_assert(driver->execute(driver->self, request, &stored, &answer));
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    rt_buffer_release(request->document);
    memset(&found, 0xff, sizeof(found));
    text[0] = '\0';
    const uint8_t *bytes;
    size_t size_bytes;
    if (vito_turn_found_read(answer, &found, &bytes, &size_bytes))
        snprintf(text, sizeof(text), "%.*s", (int)size_bytes, (const char *)bytes);
    rt_buffer_release(answer);
    return stored;
}

static struct vito_request
request_of(enum vito_op op, const char *tenant_id)
{
    struct vito_request request = {
        .op = op, .period_start_ms = NOVEMBER_MS, .period_end_ms = DECEMBER_MS, .at_ms = NOON_MS};
    memcpy(request.tenant_id, tenant_id, strlen(tenant_id));
    return request;
}

static void
prepare(const struct store_driver *driver, const char *tenant_id)
{
    struct vito_request request = request_of(VITO_TENANT_PUT, tenant_id);
    request.document = rt_buffer_copy("{}", 2);
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    request = request_of(VITO_BUDGET_OPEN, tenant_id);
    request.budget.limit_nusd = 1000000;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    request.op = VITO_BUDGET_GRANT;
    request.budget.need_nusd = request.budget.want_nusd = 1000;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

static struct vito_digest
digest_of(char letter)
{
    struct vito_digest digest;
    memset(digest.bytes, letter, sizeof(digest.bytes));
    return digest;
}

/* Of cantor: the key and what was asked are a letter each, the session is named by a number. */
static struct vito_request
turn_of(enum vito_op op, char key, char body, int session, int64_t at_ms)
{
    struct vito_request request = request_of(op, "cantor");
    request.turn = (struct vito_turn_key){.key = digest_of(key),
                                          .body = digest_of(body),
                                          .at_ms = at_ms,
                                          .expires_ms = at_ms + DAY_MS,
                                          .kept_max = 100};
    snprintf(request.turn.session_id, sizeof(request.turn.session_id), "ses_%d", session);
    return request;
}

static enum rt_status
find(const struct store_driver *driver, char key, char body, int64_t at_ms)
{
    struct vito_request request = turn_of(VITO_TURN_FIND, key, body, 0, at_ms);
    return ask(driver, &request).status;
}

/* Whether it is ours to carry out. */
static bool
begin(const struct store_driver *driver, char key, char body, int session, int64_t at_ms)
{
    struct vito_request request = turn_of(VITO_TURN_BEGIN, key, body, session, at_ms);
    struct vito_stored stored = ask(driver, &request);
    cr_assert_eq(stored.status, RT_OK);
    return !stored.repeated;
}

static struct rt_buffer *
answer_of(char key, int session, int status, const char *answer)
{
    struct vito_turn_answer head = {.key = digest_of(key), .status = status};
    snprintf(head.session_id, sizeof(head.session_id), "ses_%d", session);
    return vito_turn_answer_make(&head, answer, strlen(answer));
}

static enum rt_status
end(const struct store_driver *driver, char key, int session, int status, const char *answer)
{
    struct vito_request request = request_of(VITO_TURN_END, "cantor");
    request.document = answer_of(key, session, status, answer);
    return ask(driver, &request).status;
}

static void
open_leg(const struct store_driver *driver, int session)
{
    struct vito_request request = request_of(VITO_LEG_OPEN, "cantor");
    snprintf(request.leg.id, sizeof(request.leg.id), "leg_%d", session);
    snprintf(request.leg.session_id, sizeof(request.leg.session_id), "ses_%d", session);
    memcpy(request.leg.provider_id, "openai", 7);
    request.leg.held_nusd = 70;
    request.leg.at_ms = NOON_MS;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

/* Takes the answer. */
static struct vito_stored
settle_leg(const struct store_driver *driver, int session, struct rt_buffer *answer)
{
    struct vito_request request = request_of(VITO_LEG_SETTLE, "cantor");
    snprintf(request.leg.id, sizeof(request.leg.id), "leg_%d", session);
    memcpy(request.leg.outcome, "completed", 10);
    request.leg.cost_nusd = 40;
    request.leg.at_ms = NOON_MS;
    request.document = answer;
    return ask(driver, &request);
}

void
store_suite_a_turn_is_begun_once_and_answered_again(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    cr_assert_eq(find(driver, 'k', 'b', NOON_MS), RT_NOT_FOUND);
    cr_assert(begin(driver, 'k', 'b', 1, NOON_MS));
    cr_assert_eq(find(driver, 'k', 'b', NOON_MS), RT_OK);
    cr_assert_eq(found.state, VITO_TURN_RUNNING);
    cr_assert_not(begin(driver, 'k', 'b', 2, NOON_MS));
    cr_assert_eq(found.state, VITO_TURN_RUNNING);

    end(driver, 'k', 2, 200, "another session's");
    end(driver, 'k', 2, VITO_TURN_FORGET, "");
    end(driver, 'k', 2, VITO_TURN_GIVE_UP, "");
    cr_assert_eq(find(driver, 'k', 'b', NOON_MS), RT_OK);
    cr_assert_eq(found.state, VITO_TURN_RUNNING);
    cr_assert_eq(end(driver, 'k', 1, 200, "{\"text\":\"one\"}"), RT_OK);
    cr_assert_not(begin(driver, 'k', 'b', 2, NOON_MS));
    cr_assert_eq(found.state, VITO_TURN_DONE);
    cr_assert_eq(found.status, 200);
    cr_assert_str_eq(text, "{\"text\":\"one\"}");

    cr_assert_eq(end(driver, 'k', 1, 502, "two"), RT_OK, "the first answer stays");
    cr_assert_eq(end(driver, 'k', 1, VITO_TURN_FORGET, ""), RT_OK);
    cr_assert_eq(end(driver, 'k', 1, VITO_TURN_GIVE_UP, ""), RT_OK);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(find(driver, 'k', 'b', NOON_MS + 1), RT_OK);
    cr_assert_eq(found.state, VITO_TURN_DONE);
    cr_assert_str_eq(text, "{\"text\":\"one\"}");
    driver->check(driver->self);
}

void
store_suite_a_key_is_for_one_request_of_one_tenant(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    prepare(driver, "fernandez");
    cr_assert(begin(driver, 'k', 'b', 1, NOON_MS));
    cr_assert_eq(find(driver, 'k', 'c', NOON_MS), RT_OK);
    cr_assert_eq(found.state, VITO_TURN_ANOTHER);
    end(driver, 'k', 1, 200, "secret");
    cr_assert_not(begin(driver, 'k', 'c', 2, NOON_MS));
    cr_assert_eq(found.state, VITO_TURN_ANOTHER);
    cr_assert_str_eq(text, "", "nothing of the answer");
    cr_assert(begin(driver, 'l', 'b', 2, NOON_MS));

    struct vito_request others = turn_of(VITO_TURN_FIND, 'k', 'b', 0, NOON_MS);
    memcpy(others.tenant_id, "fernandez", 10);
    cr_assert_eq(ask(driver, &others).status, RT_NOT_FOUND);
    others = turn_of(VITO_TURN_BEGIN, 'k', 'b', 3, NOON_MS);
    memcpy(others.tenant_id, "fernandez", 10);
    cr_assert_not(ask(driver, &others).repeated);
    memcpy(others.tenant_id, "nobody\0\0\0", 10);
    cr_assert_neq(ask(driver, &others).status, RT_OK);
}

void
store_suite_an_answer_comes_with_its_settlement(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    begin(driver, 'k', 'b', 1, NOON_MS);
    open_leg(driver, 1);
    cr_assert_eq(settle_leg(driver, 1, answer_of('k', 1, 200, "said")).status, RT_OK);
    find(driver, 'k', 'b', NOON_MS);
    cr_assert_eq(found.state, VITO_TURN_DONE);
    cr_assert_str_eq(text, "said");
    struct vito_stored again = settle_leg(driver, 1, answer_of('k', 1, 200, "not again"));
    cr_assert(again.repeated);
    find(driver, 'k', 'b', NOON_MS);
    cr_assert_str_eq(text, "said");

    begin(driver, 'l', 'b', 2, NOON_MS);
    open_leg(driver, 2);
    struct vito_request settle = request_of(VITO_LEG_SETTLE, "cantor");
    memcpy(settle.leg.id, "leg_2", 6);
    memcpy(settle.leg.outcome, "completed", 10);
    settle.document = answer_of('l', 2, 200, "undone");
    struct vito_stored stored;
    struct rt_buffer *none = NULL;
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    cr_assert(driver->execute(driver->self, &settle, &stored, &none));
    driver->rollback(driver->self);
    rt_buffer_release(settle.document);
    find(driver, 'l', 'b', NOON_MS);
    cr_assert_eq(found.state, VITO_TURN_RUNNING, "neither is there");
    cr_assert_not(settle_leg(driver, 2, NULL).repeated);
    driver->check(driver->self);
}

void
store_suite_what_a_crash_left_of_a_turn_is_said(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    begin(driver, 'n', 'b', 1, NOON_MS);
    begin(driver, 'k', 'b', 2, NOON_MS);
    open_leg(driver, 2);
    driver->restart(driver->self, NOON_MS);
    cr_assert_eq(find(driver, 'n', 'b', NOON_MS), RT_NOT_FOUND, "no vendor was called");
    cr_assert(begin(driver, 'n', 'b', 3, NOON_MS));
    cr_assert_eq(find(driver, 'n', 'b', NOON_MS), RT_OK);
    cr_assert_eq(found.state, VITO_TURN_RUNNING);

    cr_assert_not(begin(driver, 'k', 'b', 4, NOON_MS), "one may have been");
    cr_assert_eq(found.state, VITO_TURN_LOST);
    cr_assert_eq(found.cost_nusd, 70, "what it held");
    cr_assert_eq(find(driver, 'k', 'c', NOON_MS), RT_OK);
    cr_assert_eq(found.state, VITO_TURN_ANOTHER);
    driver->check(driver->self);
}

void
store_suite_a_turn_that_was_given_up_is_lost_when_its_legs_are_settled(
    const struct store_driver *driver)
{
    prepare(driver, "cantor");
    begin(driver, 'k', 'b', 1, NOON_MS);
    open_leg(driver, 1);
    cr_assert_eq(end(driver, 'k', 1, VITO_TURN_GIVE_UP, ""), RT_OK);
    find(driver, 'k', 'b', NOON_MS);
    cr_assert_eq(found.state, VITO_TURN_RUNNING, "until it is known what it cost");
    settle_leg(driver, 1, NULL);
    find(driver, 'k', 'b', NOON_MS);
    cr_assert_eq(found.state, VITO_TURN_LOST);
    cr_assert_eq(found.cost_nusd, 40);

    begin(driver, 'l', 'b', 2, NOON_MS);
    end(driver, 'l', 2, VITO_TURN_FORGET, "");
    cr_assert(begin(driver, 'l', 'c', 3, NOON_MS), "as if it had never been");
    cr_assert_eq(find(driver, 'l', 'c', NOON_MS + VITO_TURN_RUNNING_MS_MAX + 1), RT_NOT_FOUND);
    open_leg(driver, 3);
    settle_leg(driver, 3, NULL);
    find(driver, 'l', 'c', NOON_MS + VITO_TURN_RUNNING_MS_MAX - 1);
    cr_assert_eq(found.state, VITO_TURN_RUNNING);
    find(driver, 'l', 'c', NOON_MS + VITO_TURN_RUNNING_MS_MAX + 1);
    cr_assert_eq(found.state, VITO_TURN_LOST);
}

void
store_suite_turns_are_kept_for_a_time_and_up_to_a_number(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    begin(driver, 'a', 'b', 1, NOON_MS);
    end(driver, 'a', 1, 200, "old");
    cr_assert_eq(find(driver, 'a', 'b', NOON_MS + DAY_MS - 1), RT_OK);
    cr_assert_eq(find(driver, 'a', 'b', NOON_MS + DAY_MS), RT_NOT_FOUND);
    cr_assert(begin(driver, 'a', 'c', 2, NOON_MS + DAY_MS));
    cr_assert_eq(find(driver, 'a', 'c', NOON_MS + DAY_MS), RT_OK);

    struct vito_request request = turn_of(VITO_TURN_BEGIN, 'x', 'b', 3, NOON_MS + DAY_MS);
    request.turn.kept_max = 1;
    cr_assert_eq(ask(driver, &request).status, RT_FULL);
    cr_assert_eq(find(driver, 'x', 'b', NOON_MS + DAY_MS), RT_NOT_FOUND);
    request.turn.kept_max = 2;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    request = turn_of(VITO_TURN_BEGIN, 'y', 'b', 4, NOON_MS + DAY_MS);
    request.turn.kept_max = 2;
    cr_assert_eq(ask(driver, &request).status, RT_FULL);
    request = turn_of(VITO_TURN_BEGIN, 'y', 'b', 4, NOON_MS + 2 * DAY_MS);
    request.turn.kept_max = 2;
    cr_assert_eq(ask(driver, &request).status, RT_OK, "the old ones have gone");
}

void
store_suite_turns_go_with_their_tenant(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    begin(driver, 'k', 'b', 1, NOON_MS);
    end(driver, 'k', 1, 200, "said");
    struct vito_request request = request_of(VITO_TENANT_REMOVE, "cantor");
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    request = request_of(VITO_TENANT_PUT, "cantor");
    request.document = rt_buffer_copy("{}", 2);
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(find(driver, 'k', 'b', NOON_MS), RT_NOT_FOUND);
}

void
store_suite_nonsense_about_a_turn_is_refused(const struct store_driver *driver)
{
    prepare(driver, "cantor");
    begin(driver, 'k', 'b', 1, NOON_MS);
    struct vito_request request = request_of(VITO_TURN_END, "cantor");
    cr_assert_eq(ask(driver, &request).status, RT_INVALID);
    request.document = rt_buffer_copy("short", 5);
    cr_assert_eq(ask(driver, &request).status, RT_INVALID);
    cr_assert_eq(end(driver, 'k', 1, 99, "x"), RT_INVALID);
    cr_assert_eq(end(driver, 'k', 1, -2, "x"), RT_INVALID);
    find(driver, 'k', 'b', NOON_MS);
    cr_assert_eq(found.state, VITO_TURN_RUNNING);
}
