/*
 * What every store promises of the audit trail as a whole, and of refunds.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/vito/store_suite.h"
#include "vito/audit_verify.h"

#define DAY_MS INT64_C(86400000)
#define NOVEMBER_MS INT64_C(1793491200000) /* 1 November 2026, in UTC */
#define DECEMBER_MS INT64_C(1796083200000)
#define JANUARY_MS INT64_C(1798761600000)

static const uint8_t master_key[VITO_MASTER_KEY_BYTES] = {7};

/* The answer's document of the last request. */
static struct rt_buffer *answer;

static struct vito_stored
execute(const struct store_driver *driver, const struct vito_request *request)
{
    struct vito_stored stored;
    rt_buffer_release(answer);
    answer = NULL;
    cr_assert(driver->execute(driver->self, request, &stored, &answer));
    vito_request_release(request);
    return stored;
}

static struct vito_stored
ask(const struct store_driver *driver, const struct vito_request *request)
{
    cr_assert_eq(driver->begin(driver->self), RT_OK);
    struct vito_stored stored = execute(driver, request);
    cr_assert_eq(driver->commit(driver->self), RT_OK);
    return stored;
}

static struct vito_request
request_of(enum vito_op op)
{
    return (struct vito_request){.op = op,
                                 .tenant_id = "cantor",
                                 .period_start_ms = NOVEMBER_MS,
                                 .period_end_ms = DECEMBER_MS,
                                 .at_ms = NOVEMBER_MS};
}

static void
append(const struct store_driver *driver, int number, int64_t at_ms)
{
    struct vito_request request = request_of(VITO_AUDIT_APPEND);
    snprintf(request.audit.id, sizeof(request.audit.id), "aud_%d", number);
    snprintf(request.audit.event, sizeof(request.audit.event), "TICK");
    request.audit.at_ms = at_ms;
    request.document = rt_buffer_copy("{\"a\": [1, \"}\\\"\"]}", 17);
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

/* A leg from intent to record, in November. */
static void
bill(const struct store_driver *driver, int number, int64_t cost_nusd, int64_t at_ms)
{
    struct vito_request request = request_of(VITO_LEG_OPEN);
    snprintf(request.leg.id, sizeof(request.leg.id), "leg_%d", number);
    snprintf(request.leg.session_id, sizeof(request.leg.session_id), "ses_%d", number % 3);
    snprintf(request.leg.provider_id, sizeof(request.leg.provider_id), "openai");
    snprintf(request.leg.outcome, sizeof(request.leg.outcome), "completed");
    request.leg.at_ms = at_ms;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    request.op = VITO_LEG_SETTLE;
    request.leg.cost_nusd = cost_nusd;
    request.leg.use.tokens = number;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

static void
open_month(const struct store_driver *driver, int64_t start_ms, int64_t end_ms)
{
    struct vito_request request = request_of(VITO_BUDGET_OPEN);
    request.period_start_ms = start_ms;
    request.period_end_ms = end_ms;
    request.budget.limit_nusd = 1000000;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
}

static struct vito_audit_head
head_of(const struct store_driver *driver)
{
    struct vito_request request = request_of(VITO_AUDIT_HEADS);
    request.tenant_id[0] = '\0';
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    struct vito_audit_head head = {.seq = 0};
    if (answer->size_bytes > 0)
        memcpy(&head, answer->bytes, sizeof(head));
    return head;
}

static enum rt_status
keep_checkpoint(const struct store_driver *driver, const struct vito_audit_head *head,
                int64_t at_ms)
{
    struct vito_request request = request_of(VITO_AUDIT_CHECKPOINT);
    request.checkpoint =
        (struct vito_checkpoint){.seq = head->seq, .chain = head->chain, .at_ms = at_ms};
    memcpy(request.checkpoint.tenant_id, "cantor", sizeof("cantor"));
    struct vito_keyring *keyring = vito_keyring_of(master_key);
    vito_checkpoint_sign(&request.checkpoint, keyring);
    vito_keyring_close(keyring);
    return ask(driver, &request).status;
}

static void
sign(const struct store_driver *driver, int64_t at_ms)
{
    struct vito_audit_head head = head_of(driver);
    cr_assert_str_eq(head.tenant_id, "cantor");
    cr_assert_eq(keep_checkpoint(driver, &head, at_ms), RT_OK);
}

/* Exports in pages of `limit`, and verifies. */
static struct vito_audit_verifier
verify(const struct store_driver *driver, uint32_t limit)
{
    struct vito_audit_verifier verifier = {.has_key = true, .tenant_id = "cantor"};
    struct vito_keyring *keyring = vito_keyring_of(master_key);
    vito_audit_public_key(keyring, verifier.key);
    vito_keyring_close(keyring);
    for (int64_t after = 0; !verifier.ended; after = verifier.seq) {
        struct vito_request request = request_of(VITO_AUDIT_EXPORT);
        request.query = (struct vito_audit_query){.after = after, .limit = limit};
        cr_assert_eq(ask(driver, &request).status, RT_OK);
        const char *line = (const char *)answer->bytes, *end = line + answer->size_bytes;
        cr_assert_gt(answer->size_bytes, 0);
        while (line < end) {
            const char *newline = memchr(line, '\n', (size_t)(end - line));
            cr_assert_not_null(newline);
            cr_assert_eq(vito_audit_verify_line(&verifier, line, (size_t)(newline - line)), RT_OK,
                         "%s", verifier.problem);
            line = newline + 1;
        }
    }
    cr_assert_eq(vito_audit_verify_end(&verifier), RT_OK, "%s", verifier.problem);
    return verifier;
}

void
store_suite_a_trail_is_handed_out_in_pages_and_verifies(const struct store_driver *driver)
{
    cr_assert_eq(verify(driver, 10).entries, 0, "nothing is whole as well");
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    for (int i = 1; i <= 7; i++) {
        bill(driver, i, 10 * i, NOVEMBER_MS + i);
        append(driver, i, NOVEMBER_MS + i);
        if (i % 3 == 0)
            sign(driver, NOVEMBER_MS + i);
    }
    for (uint32_t limit = 1; limit <= 16; limit++) {
        struct vito_audit_verifier verifier = verify(driver, limit);
        cr_assert_eq(verifier.entries, 14);
        cr_assert_eq(verifier.checkpoints, 2);
    }
    struct vito_request request = request_of(VITO_AUDIT_EXPORT);
    cr_assert_eq(ask(driver, &request).status, RT_INVALID, "a page of nothing");
    driver->check(driver->self);
}

void
store_suite_trails_that_went_on_are_listed_until_they_are_signed(const struct store_driver *driver)
{
    cr_assert_eq(head_of(driver).seq, 0);
    append(driver, 1, NOVEMBER_MS);
    struct vito_audit_head head = head_of(driver);
    cr_assert_gt(head.seq, 0);
    struct vito_audit_head other = head;
    other.chain.bytes[5] ^= 1;
    cr_assert_eq(keep_checkpoint(driver, &other, NOVEMBER_MS), RT_NOT_FOUND, "another chain");
    other = head;
    other.seq++;
    cr_assert_eq(keep_checkpoint(driver, &other, NOVEMBER_MS), RT_NOT_FOUND, "no such record");
    cr_assert_eq(keep_checkpoint(driver, &head, NOVEMBER_MS), RT_OK);
    cr_assert_eq(head_of(driver).seq, 0, "signed");
    append(driver, 2, NOVEMBER_MS);
    cr_assert_eq(head_of(driver).checkpoint_seq, head.seq);
    struct vito_request request = request_of(VITO_AUDIT_HEADS);
    memcpy(request.list.after, "cantor", sizeof("cantor"));
    request.tenant_id[0] = '\0';
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(answer->size_bytes, 0, "behind that one there is none");
}

static struct rt_buffer *
note_of(const char *id, const char *details)
{
    struct vito_audit_event event = {.at_ms = NOVEMBER_MS};
    snprintf(event.id, sizeof(event.id), "%s", id);
    snprintf(event.event, sizeof(event.event), "NOTED");
    return vito_audit_note_make(&event, details, strlen(details));
}

void
store_suite_a_change_and_its_note_are_one(const struct store_driver *driver)
{
    struct vito_request request = request_of(VITO_TENANT_PUT);
    request.document = rt_buffer_copy("{}", 2);
    request.note = note_of("aud_1", "{\"by\":\"operator\"}");
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(verify(driver, 10).entries, 1);

    request = request_of(VITO_KEY_REMOVE);
    snprintf(request.key.id, sizeof(request.key.id), "key_1");
    request.note = note_of("aud_2", "{}");
    cr_assert_eq(ask(driver, &request).status, RT_NOT_FOUND);
    cr_assert_eq(verify(driver, 10).entries, 1, "what did not happen has no record");

    request = request_of(VITO_TENANT_REMOVE);
    request.note = note_of("aud_3", "{}");
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    cr_assert_eq(verify(driver, 10).entries, 2, "the trail outlives its tenant");
    driver->check(driver->self);
}

enum { ROWS_AT_ONCE = 5 };

static bool
prune(const struct store_driver *driver, const char *id, int64_t before_ms, int64_t at_ms)
{
    struct vito_request request = request_of(VITO_AUDIT_PRUNE);
    request.prune =
        (struct vito_audit_prune){.before_ms = before_ms, .at_ms = at_ms, .rows_max = ROWS_AT_ONCE};
    snprintf(request.prune.id, sizeof(request.prune.id), "%s", id);
    struct vito_stored stored = ask(driver, &request);
    cr_assert_eq(stored.status, RT_OK);
    return stored.more;
}

void
store_suite_old_records_are_let_go_up_to_a_checkpoint(const struct store_driver *driver)
{
    for (int i = 1; i <= 9; i++) {
        append(driver, i, NOVEMBER_MS + i * DAY_MS);
        if (i % 4 == 0)
            sign(driver, NOVEMBER_MS + i * DAY_MS);
    }
    prune(driver, "aud_p0", NOVEMBER_MS + 4 * DAY_MS, JANUARY_MS);
    cr_assert_eq(verify(driver, 3).entries, 9, "one of the first four is not old enough");
    prune(driver, "aud_p1", NOVEMBER_MS + 7 * DAY_MS, JANUARY_MS);
    struct vito_audit_verifier verifier = verify(driver, 3);
    cr_assert_eq(verifier.entries, 9 - 4 + 1, "four less, and a record of that");
    cr_assert_eq(verifier.checkpoints, 2);
    cr_assert_gt(verifier.start_seq, 0);
    driver->check(driver->self);

    prune(driver, "aud_p2", JANUARY_MS, JANUARY_MS);
    cr_assert_eq(verify(driver, 3).entries, 3, "behind the last checkpoint all stay");
    sign(driver, NOVEMBER_MS + 10 * DAY_MS);
    prune(driver, "aud_p3", JANUARY_MS + 1, JANUARY_MS);
    verifier = verify(driver, 3);
    cr_assert_eq(verifier.entries, 3, "and the last record is always one of them");
    append(driver, 10, JANUARY_MS);
    cr_assert_eq(verify(driver, 3).entries, 4);
    driver->check(driver->self);
}

void
store_suite_records_of_a_month_that_is_not_settled_stay(const struct store_driver *driver)
{
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    append(driver, 1, NOVEMBER_MS - DAY_MS);
    sign(driver, NOVEMBER_MS - DAY_MS);
    bill(driver, 1, 10, NOVEMBER_MS + DAY_MS);
    sign(driver, NOVEMBER_MS + DAY_MS);
    append(driver, 2, JANUARY_MS);
    prune(driver, "aud_p1", JANUARY_MS, DECEMBER_MS - 1);
    cr_assert_eq(verify(driver, 10).entries, 3, "what was before the month, but not the month");

    struct vito_request leg = request_of(VITO_LEG_OPEN);
    snprintf(leg.leg.id, sizeof(leg.leg.id), "leg_2");
    snprintf(leg.leg.provider_id, sizeof(leg.leg.provider_id), "openai");
    cr_assert_eq(ask(driver, &leg).status, RT_OK);
    prune(driver, "aud_p2", JANUARY_MS, JANUARY_MS);
    cr_assert_eq(verify(driver, 10).entries, 3, "a leg of the month is open");
    leg.op = VITO_LEG_SETTLE;
    cr_assert_eq(ask(driver, &leg).status, RT_OK);
    prune(driver, "aud_p3", JANUARY_MS, JANUARY_MS);
    cr_assert_eq(verify(driver, 10).entries, 4, "one less, the leg's, and that of letting go");
    driver->check(driver->self);
}

void
store_suite_many_records_are_let_go_some_at_a_time(const struct store_driver *driver)
{
    enum { COUNT = 2 * ROWS_AT_ONCE + 1 };
    for (int i = 1; i <= COUNT; i++)
        append(driver, i, NOVEMBER_MS);
    sign(driver, NOVEMBER_MS);
    append(driver, COUNT + 1, NOVEMBER_MS);
    for (int i = 0; i < 2; i++) {
        cr_assert(prune(driver, "aud_p", JANUARY_MS, JANUARY_MS));
        cr_assert_eq(verify(driver, 1000).entries, 2, "none is seen, from the first on");
        driver->check(driver->self);
    }
    cr_assert_not(prune(driver, "aud_p", JANUARY_MS, JANUARY_MS));
    cr_assert_eq(verify(driver, 1000).entries, 2);
}

static struct vito_stored
refund(const struct store_driver *driver, const char *id, const char *leg_id, int64_t amount_nusd)
{
    struct vito_request request = request_of(VITO_REFUND);
    request.refund = (struct vito_refund){.amount_nusd = amount_nusd, .at_ms = NOVEMBER_MS};
    snprintf(request.refund.id, sizeof(request.refund.id), "%s", id);
    snprintf(request.refund.leg_id, sizeof(request.refund.leg_id), "%s", leg_id);
    snprintf(request.refund.reason, sizeof(request.refund.reason), "silence");
    char note[VITO_ID_BYTES];
    snprintf(note, sizeof(note), "aud_%s", id);
    request.note = note_of(note, "{}");
    return ask(driver, &request);
}

void
store_suite_a_refund_lowers_what_is_posted_and_never_below_nothing(
    const struct store_driver *driver)
{
    cr_assert_eq(refund(driver, "r1", "", 10).status, RT_NOT_FOUND, "no such month");
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    cr_assert_eq(refund(driver, "r1", "", 1).status, RT_TOO_BIG, "nothing was posted");
    bill(driver, 1, 100, NOVEMBER_MS);
    struct vito_stored stored = refund(driver, "r1", "", 101);
    cr_assert_eq(stored.status, RT_TOO_BIG);
    cr_assert_eq(stored.budget.posted_nusd, 100);
    stored = refund(driver, "r1", "", 40);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_eq(stored.budget.posted_nusd, 60);
    cr_assert_eq(stored.budget.refunded_nusd, 40);
    cr_assert_eq(refund(driver, "r2", "", 61).status, RT_TOO_BIG);
    cr_assert_eq(refund(driver, "r2", "", 60).budget.posted_nusd, 0);
    cr_assert_eq(refund(driver, "r3", "", 1).status, RT_TOO_BIG);
    cr_assert_eq(refund(driver, "r4", "", 0).status, RT_INVALID);
    cr_assert_eq(refund(driver, "r4", "", -5).status, RT_INVALID);
    cr_assert_eq(verify(driver, 10).entries, 3, "the leg, and each refund that was made");
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    driver->check(driver->self);
}

void
store_suite_a_refund_is_made_once(const struct store_driver *driver)
{
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    bill(driver, 1, 100, NOVEMBER_MS);
    cr_assert_eq(refund(driver, "r1", "", 40).status, RT_OK);
    for (int i = 0; i < 2; i++) {
        struct vito_stored again = refund(driver, "r1", "", 40);
        cr_assert_eq(again.status, RT_OK);
        cr_assert(again.repeated);
        cr_assert_eq(again.budget.posted_nusd, 60);
        cr_assert_eq(again.budget.refunded_nusd, 40);
        driver->restart(driver->self, NOVEMBER_MS);
    }
    cr_assert_eq(refund(driver, "r1", "", 41).status, RT_EXISTS, "another refund of that name");
    cr_assert_eq(verify(driver, 10).entries, 2);
    driver->check(driver->self);
}

void
store_suite_a_leg_is_refunded_up_to_what_it_cost(const struct store_driver *driver)
{
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    bill(driver, 1, 100, NOVEMBER_MS);
    bill(driver, 2, 50, NOVEMBER_MS);
    cr_assert_eq(refund(driver, "r1", "leg_9", 1).status, RT_NOT_FOUND);
    cr_assert_eq(refund(driver, "r1", "leg_2", 51).status, RT_TOO_BIG);
    cr_assert_eq(refund(driver, "r1", "leg_2", 30).status, RT_OK);
    cr_assert_eq(refund(driver, "r2", "leg_2", 21).status, RT_TOO_BIG, "thirty are back already");
    cr_assert_eq(refund(driver, "r2", "leg_2", 20).status, RT_OK);
    struct vito_request request = request_of(VITO_REFUND);
    request.refund = (struct vito_refund){
        .id = "r3", .leg_id = "leg_1", .reason = "late", .amount_nusd = 1, .at_ms = JANUARY_MS};
    request.period_start_ms = JANUARY_MS; /* which is not opened: the leg's month counts */
    struct vito_stored stored = ask(driver, &request);
    cr_assert_eq(stored.status, RT_OK);
    cr_assert_eq(stored.budget.posted_nusd, 99);
    memcpy(request.tenant_id, "other", sizeof("other"));
    cr_assert_eq(ask(driver, &request).status, RT_NOT_FOUND, "another tenant's leg");
    driver->check(driver->self);
}

void
store_suite_what_was_refunded_can_be_spent_again(const struct store_driver *driver)
{
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    bill(driver, 1, 1000500, NOVEMBER_MS); /* more than the limit */
    struct vito_request grant = request_of(VITO_BUDGET_GRANT);
    grant.budget.need_nusd = grant.budget.want_nusd = 400;
    cr_assert_eq(ask(driver, &grant).budget.granted_nusd, 0);
    cr_assert_eq(refund(driver, "r1", "", 899).status, RT_OK);
    cr_assert_eq(ask(driver, &grant).budget.granted_nusd, 0, "399 are left");
    cr_assert_eq(refund(driver, "r2", "", 1).status, RT_OK);
    cr_assert_eq(ask(driver, &grant).budget.granted_nusd, 400);
    cr_assert_eq(ask(driver, &grant).budget.granted_nusd, 0);
    driver->check(driver->self);
}

void
store_suite_a_refund_outlives_a_change_of_the_time_zone(const struct store_driver *driver)
{
    const int64_t hours = 2 * INT64_C(3600000);
    open_month(driver, NOVEMBER_MS, DECEMBER_MS);
    bill(driver, 1, 100, NOVEMBER_MS);
    open_month(driver, NOVEMBER_MS - hours, DECEMBER_MS - hours);
    struct vito_request request = request_of(VITO_REFUND);
    request.refund =
        (struct vito_refund){.id = "r1", .reason = "late", .amount_nusd = 1, .at_ms = NOVEMBER_MS};
    request.period_start_ms = NOVEMBER_MS - hours;
    cr_assert_eq(ask(driver, &request).status, RT_TOO_BIG, "what was carried over is not its own");
    request.period_start_ms = NOVEMBER_MS;
    cr_assert_eq(ask(driver, &request).status, RT_OK);
    for (int i = 0; i < 2; i++) {
        struct vito_request open = request_of(VITO_BUDGET_OPEN);
        open.period_start_ms -= hours;
        open.period_end_ms -= hours;
        open.budget.limit_nusd = 1000000;
        cr_assert_eq(ask(driver, &open).budget.posted_nusd, 100);
        driver->check(driver->self);
    }
}
