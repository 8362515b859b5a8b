/* What verifying an exported audit trail promises: one that is whole passes, and whatever was done
 * to it is found, and said what and where. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/audit_verify.h"

TestSuite(audit_verify, .timeout = 60);

enum { LINES_MAX = 32, LINE_BYTES = 1024 };

static char lines[LINES_MAX][LINE_BYTES];
static size_t line_count;
static struct vito_audit_verifier verifier;

/* What a trail is made of, before it is printed. */
struct trail {
    struct vito_chain chain;
    int64_t seq;
    uint8_t master_key;
};

static void
take_lines(struct vito_audit_exporter *exporter)
{
    exporter->has_more = true; /* no head */
    struct rt_buffer *document = NULL;
    struct vito_audit_head none = {.seq = 0};
    cr_assert_eq(vito_audit_export_end(exporter, &none, &document), RT_OK);
    cr_assert(line_count < LINES_MAX && document->size_bytes < LINE_BYTES);
    memcpy(lines[line_count], document->bytes, document->size_bytes - 1);
    lines[line_count++][document->size_bytes - 1] = '\0';
    rt_buffer_release(document);
}

static void
add_entry(struct trail *trail, int number, const char *details)
{
    char id[VITO_ID_BYTES];
    struct vito_audit_exporter exporter;
    bool is_leg = details == NULL;
    snprintf(id, sizeof(id), "%s_%d", is_leg ? "leg" : "aud", number);
    struct vito_audit_record record = {
        .id = id,
        .tenant_id = "cantor",
        .event = is_leg ? "BILLING_EVENT" : "ACCESS_REFUSED",
        .session_id = number % 2 == 0 ? "" : "ses_\"1\"",
        .at_ms = INT64_C(1793491200000) + number,
        .details = details,
        .details_bytes = details == NULL ? 0 : strlen(details),
    };
    if (details != NULL && strstr(details, "through") != NULL)
        record.event = "AUDIT_PRUNED";
    if (is_leg) {
        record.is_leg = true;
        record.provider_id = "openai";
        record.mode = "text";
        record.outcome = "completed";
        record.cost_nusd = INT64_C(123456789) + number;
        record.tokens = INT64_C(1000000000000000);
        record.interactions = 1;
    }
    trail->chain = vito_audit_chain(&trail->chain, &record);
    cr_assert_eq(vito_audit_export_begin(&exporter, 1), RT_OK);
    cr_assert(vito_audit_export_entry(&exporter, &record, ++trail->seq, &trail->chain));
    take_lines(&exporter);
}

static void
add_checkpoint(const struct trail *trail)
{
    struct vito_checkpoint checkpoint = {
        .tenant_id = "cantor", .seq = trail->seq, .chain = trail->chain, .at_ms = 5};
    uint8_t master_key[VITO_MASTER_KEY_BYTES] = {trail->master_key};
    struct vito_keyring *keyring = vito_keyring_of(master_key);
    struct vito_audit_exporter exporter;
    vito_checkpoint_sign(&checkpoint, keyring);
    vito_keyring_close(keyring);
    cr_assert_eq(vito_audit_export_begin(&exporter, 1), RT_OK);
    vito_audit_export_checkpoint(&exporter, &checkpoint);
    take_lines(&exporter);
}

static int64_t pruned_seq;

static void
add_head(const struct trail *trail, int64_t checkpoint_seq)
{
    struct vito_audit_exporter exporter;
    struct rt_buffer *document = NULL;
    const struct vito_audit_head head = {.tenant_id = "cantor",
                                         .seq = trail->seq,
                                         .chain = trail->chain,
                                         .checkpoint_seq = checkpoint_seq,
                                         .pruned_seq = pruned_seq};
    cr_assert_eq(vito_audit_export_begin(&exporter, 1), RT_OK);
    cr_assert_eq(vito_audit_export_end(&exporter, &head, &document), RT_OK);
    memcpy(lines[line_count], document->bytes, document->size_bytes - 1);
    lines[line_count++][document->size_bytes - 1] = '\0';
    rt_buffer_release(document);
}

/* Entries 1 to 4, a checkpoint at 4, entries 5 to 8, a checkpoint at 8, entry 9, the head:
 * twelve lines. */
static struct trail
make_trail(const char *third)
{
    struct trail trail = {.seq = 0};
    line_count = 0;
    for (int i = 1; i <= 9; i++) {
        add_entry(&trail, i, i != 3 ? NULL : third);
        if (i % 4 == 0)
            add_checkpoint(&trail);
    }
    add_head(&trail, 8);
    return trail;
}

static enum rt_status
verify(void)
{
    for (size_t i = 0; i < line_count; i++)
        if (vito_audit_verify_line(&verifier, lines[i], strlen(lines[i])) != RT_OK)
            return RT_INVALID;
    return vito_audit_verify_end(&verifier);
}

static void
expect_broken(const char *what)
{
    const struct vito_audit_anchor anchor = verifier.anchor;
    bool has_key = verifier.has_key;
    cr_assert_eq(verify(), RT_INVALID, "not found: %s", what);
    cr_assert_not_null(strstr(verifier.problem, what), "\"%s\" is not in: %s", what,
                       verifier.problem);
    verifier = (struct vito_audit_verifier){.has_key = has_key, .anchor = anchor};
}

static void
drop_lines(size_t first, size_t count)
{
    memmove(lines[first], lines[first + count], (line_count - first - count) * LINE_BYTES);
    line_count -= count;
}

static void
swap_lines(size_t a, size_t b)
{
    char kept[LINE_BYTES];
    memcpy(kept, lines[a], LINE_BYTES);
    memcpy(lines[a], lines[b], LINE_BYTES);
    memcpy(lines[b], kept, LINE_BYTES);
}

static void
replace(char *line, const char *from, const char *to)
{
    char *at = strstr(line, from);
    cr_assert_not_null(at, "%s in %s", from, line);
    cr_assert_eq(strlen(from), strlen(to));
    memcpy(at, to, strlen(to));
}

Test(audit_verify, a_whole_trail_passes)
{
    make_trail("{\"a\" : [1, 2.50, \"}\\\"\\u00e9\"], \"details\": null}");
    cr_assert_eq(verify(), RT_OK, "%s", verifier.problem);
    cr_assert_eq(verifier.entries, 9);
    cr_assert_eq(verifier.checkpoints, 2);
    cr_assert_eq(verifier.seq, 9);
}

Test(audit_verify, a_trail_that_is_empty_passes_and_a_file_that_is_empty_does_not)
{
    expect_broken("nothing to verify");
    const struct trail trail = {.seq = 0};
    add_head(&trail, 0);
    cr_assert_eq(verify(), RT_OK, "%s", verifier.problem);
}

/* Any single byte, anywhere: what is chained or signed is found. What a line says twice, or not
 * at all (the words of JSON), may differ without harm: then it must verify to the same. */
Test(audit_verify, a_byte_that_was_flipped_is_found)
{
    struct rt_random random;
    rt_random_seed(&random, 9);
    size_t found = 0;
    enum { TRIES = 4000 };
    for (int i = 0; i < TRIES; i++) {
        struct trail trail = make_trail("{\"a\":1}");
        size_t line = rt_random_below(&random, line_count);
        size_t at = rt_random_below(&random, strlen(lines[line]));
        char before[LINE_BYTES];
        memcpy(before, lines[line], LINE_BYTES);
        lines[line][at] = (char)(lines[line][at] ^ (1 << rt_random_below(&random, 8)));
        verifier = (struct vito_audit_verifier){.has_key = false};
        bool is_broken = verify() != RT_OK;
        found += is_broken;
        if (!is_broken) {
            cr_assert_eq(memcmp(&verifier.chain, &trail.chain, sizeof(trail.chain)), 0);
            size_t data = (size_t)(strstr(before, "\"data\":") - before);
            cr_assert(at < data, "%s\n%s", before, lines[line]);
        }
    }
    cr_assert_gt(found, TRIES * 8 / 10, "%zu of %d", found, TRIES);
}

Test(audit_verify, a_changed_entry_is_named)
{
    make_trail("{\"a\":1}");
    replace(lines[1], "0.123456791", "0.023456791");
    expect_broken("entry leg_2 (2, 2026-11-01T00:00:00.002Z) does not follow from entry leg_1 (1,");
    make_trail("{\"a\":1}");
    replace(lines[2], "{\"a\":1}", "{\"a\":2}");
    expect_broken("entry aud_3 (3,");
    make_trail("{\"a\":1}");
    replace(lines[0], "leg_1", "leg_8");
    expect_broken("entry leg_8 (1, 2026-11-01T00:00:00.001Z) does not follow from its beginning");
    make_trail("{\"a\":1}");
    replace(lines[0], "usage.posted", "audit.posted");
    expect_broken("line 1 is not an audit entry");
    make_trail("{\"a\":1}");
    replace(lines[0], "\"subject\":\"ses_\\\"1\\\"\"", "\"subject\":\"ses_\\\"2\\\"\"");
    expect_broken("contradict each other");
}

Test(audit_verify, an_entry_taken_out_is_found_by_the_next)
{
    make_trail("{}");
    drop_lines(5, 1);
    expect_broken("entry leg_6 (6, 2026-11-01T00:00:00.006Z) does not follow from entry leg_4 (4,");
    make_trail("{}");
    drop_lines(0, 1);
    expect_broken("entry leg_2 (2, 2026-11-01T00:00:00.002Z) does not follow from its beginning");
    make_trail("{}");
    drop_lines(3, 1);
    expect_broken("there is a checkpoint at 4, and the last entry before it is entry aud_3 (3,");
}

Test(audit_verify, entries_that_changed_places_are_found)
{
    make_trail("{}");
    swap_lines(5, 6);
    expect_broken("entry leg_6 (6, 2026-11-01T00:00:00.006Z) does not follow from entry leg_4 (4,");
    make_trail("{}");
    swap_lines(5, 6);
    replace(lines[5], "\"sequence\":\"6\"", "\"sequence\":\"5\"");
    replace(lines[6], "\"sequence\":\"5\"", "\"sequence\":\"6\"");
    expect_broken("entry leg_6 (5,");
}

Test(audit_verify, an_end_that_was_cut_off_is_found)
{
    make_trail("{}");
    drop_lines(10, 1);
    expect_broken("the trail stands at 9, and entry leg_8 (8, 2026-11-01T00:00:00.008Z) is the "
                  "last: its end was cut off");
    make_trail("{}");
    drop_lines(7, 5);
    expect_broken("the export ends without its head: it was cut off behind entry leg_6 (6,");
    struct trail trail = {.seq = 0}; /* the head was changed as well, the checkpoint was not */
    line_count = 0;
    for (int i = 1; i <= 3; i++)
        add_entry(&trail, i, NULL);
    add_head(&trail, 8);
    expect_broken("the last checkpoint was at 8, and the last that is there is at 0");
}

Test(audit_verify, a_trail_written_anew_is_found_by_its_checkpoint)
{
    make_trail("{}");
    char checkpoint[LINE_BYTES];
    memcpy(checkpoint, lines[4], LINE_BYTES);
    make_trail("{\"reason\":\"none\"}"); /* all hashes from the third entry on are right */
    memcpy(lines[4], checkpoint, LINE_BYTES);
    expect_broken("the checkpoint at 4 was signed for another chain: entries up to entry leg_4");

    make_trail("{\"reason\":\"none\"}");
    char *chain = strstr(checkpoint, "\"chain\""), *anew = strstr(lines[4], "\"chain\"");
    memcpy(chain, anew, 75); /* an old signature under the new chain */
    memcpy(lines[4], checkpoint, LINE_BYTES);
    expect_broken("the checkpoint at 4 has no valid signature");
}

Test(audit_verify, another_key_than_the_gateways_signs_nothing)
{
    struct trail trail = make_trail("{}");
    trail.master_key = 1;
    verifier.has_key = true; /* of zeros, which is nobody's */
    expect_broken("the checkpoint at 4 was signed with another key");
    verifier.has_key = false;
    line_count = 0;
    trail.seq = 0, trail.chain = (struct vito_chain){.bytes = {0}};
    add_entry(&trail, 1, NULL);
    add_checkpoint(&trail);
    add_entry(&trail, 2, NULL);
    trail.master_key = 2;
    add_checkpoint(&trail);
    add_head(&trail, 2);
    expect_broken("the checkpoint at 2 was signed with another key");
}

Test(audit_verify, checkpoints_that_were_taken_out_are_missed)
{
    make_trail("{}");
    drop_lines(9, 1);
    expect_broken("the last checkpoint was at 8, and the last that is there is at 4");
    make_trail("{}");
    drop_lines(4, 1);
    cr_assert_eq(verify(), RT_OK, "the later one stands for all: %s", verifier.problem);
}

Test(audit_verify, a_trail_may_begin_at_a_checkpoint_when_it_says_so)
{
    struct trail trail = make_trail("{}");
    drop_lines(0, 4);
    expect_broken("the trail begins at 0, and what is there at 4");
    drop_lines(line_count - 1, 1);
    pruned_seq = 4;
    add_head(&trail, 8);
    expect_broken("it begins at the checkpoint at 4, and no AUDIT_PRUNED entry says so");
    drop_lines(line_count - 1, 1);
    add_entry(&trail, 10, "{\"through\":4}");
    add_head(&trail, 8);
    cr_assert_eq(verify(), RT_OK, "%s", verifier.problem);
    cr_assert_eq(verifier.entries, 6);
    verifier = (struct vito_audit_verifier){.has_key = false};
    pruned_seq = 0;
    make_trail("{}");
    drop_lines(0, 3);
    expect_broken("does not follow from its beginning");
}

Test(audit_verify, an_anchor_finds_what_was_done_behind_the_last_checkpoint)
{
    struct trail trail = make_trail("{}");
    verifier.anchor = (struct vito_audit_anchor){9, trail.chain};
    cr_assert_eq(verify(), RT_OK, "%s", verifier.problem);
    verifier = (struct vito_audit_verifier){.anchor = {9, trail.chain}};
    trail = (struct trail){.seq = 0}; /* cut off, and all of it made to fit */
    line_count = 0;
    add_entry(&trail, 1, NULL);
    add_head(&trail, 0);
    expect_broken("it has no entry 9 with the anchor's chain: the trail was cut off");
    make_trail("{\"x\":1}");
    expect_broken("the trail was written anew");
}

Test(audit_verify, lines_of_others_and_garbage_are_refused)
{
    make_trail("{}");
    replace(lines[7], "/tenants/cantor", "/tenants/cantos");
    expect_broken("is of \"cantos\", in the trail of \"cantor\"");
    verifier.tenant_id = "jose";
    cr_assert_eq(verify(), RT_INVALID);
    verifier = (struct vito_audit_verifier){.has_key = false};
    static const char *const garbage[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"a\":1}{",
        "{\"id\":\"a\",\"id\":\"b\"}",
        "{\"id\":\"a\",\"type\":\"t\",\"source\":\"/tenants/\",\"sequence\":\"1\",\"data\":{}}"};
    for (size_t i = 0; i < RT_COUNT_OF(garbage); i++) {
        line_count = 1;
        snprintf(lines[0], LINE_BYTES, "%s", garbage[i]);
        expect_broken("line 1 ");
    }
    make_trail("{}");
    memcpy(lines[line_count], lines[8], LINE_BYTES);
    line_count++;
    expect_broken("stands behind the head");
}
