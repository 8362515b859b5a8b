/* What the chain of audit records promises: every part of every record counts, and so does the
 * record before. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vito/audit_chain.h"

TestSuite(audit_chain, .timeout = 60);

static const struct vito_chain zeros;

static const struct vito_audit_record leg = {
    .id = "leg_1",
    .tenant_id = "cantor",
    .event = "BILLING_EVENT",
    .session_id = "ses_1",
    .at_ms = 1,
    .is_leg = true,
    .provider_id = "openai",
    .decision_id = "dec_1",
    .policy_version = "v1",
    .mode = "voice",
    .outcome = "completed",
    .cost_nusd = 2,
    .tokens = 3,
    .media_ms = 4,
    .interactions = 5,
    .details = "{}",
    .details_bytes = 2,
};

static bool
differs(const struct vito_audit_record *record)
{
    struct vito_chain a = vito_audit_chain(&zeros, &leg), b = vito_audit_chain(&zeros, record);
    return memcmp(&a, &b, sizeof(a)) != 0;
}

Test(audit_chain, every_part_of_a_record_counts)
{
    struct vito_audit_record changed = leg;
    cr_assert_not(differs(&changed));
#define CHANGE(member, value)                                                                      \
    changed = leg;                                                                                 \
    changed.member = (value);                                                                      \
    cr_assert(differs(&changed), "%s", #member)
    CHANGE(id, "leg_2");
    CHANGE(tenant_id, "other");
    CHANGE(event, "OTHER");
    CHANGE(session_id, "ses_2");
    CHANGE(session_id, NULL);
    CHANGE(at_ms, 0);
    CHANGE(is_leg, false);
    CHANGE(provider_id, "x");
    CHANGE(decision_id, "x");
    CHANGE(policy_version, "x");
    CHANGE(mode, "x");
    CHANGE(outcome, "x");
    CHANGE(cost_nusd, 0);
    CHANGE(tokens, 0);
    CHANGE(media_ms, 0);
    CHANGE(interactions, 0);
    CHANGE(details, "[]");
    CHANGE(details, NULL);
    CHANGE(details_bytes, 1);
#undef CHANGE
}

Test(audit_chain, texts_do_not_run_into_each_other)
{
    struct vito_audit_record a = leg, b = leg;
    a.provider_id = "ab", a.decision_id = "c";
    b.provider_id = "a", b.decision_id = "bc";
    struct vito_chain one = vito_audit_chain(&zeros, &a), two = vito_audit_chain(&zeros, &b);
    cr_assert_neq(memcmp(&one, &two, sizeof(one)), 0);
}

Test(audit_chain, what_was_before_counts)
{
    struct vito_chain first = vito_audit_chain(&zeros, &leg);
    struct vito_chain second = vito_audit_chain(&first, &leg);
    cr_assert_neq(memcmp(&first, &second, sizeof(first)), 0);
}

Test(audit_chain, the_chain_stays_the_same_from_version_to_version)
{
    struct vito_chain chain = vito_audit_chain(&zeros, &leg);
    char text[17];
    for (int i = 0; i < 8; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", chain.bytes[i]);
    cr_assert_str_eq(text, "19e6023ee66b4498");
}
