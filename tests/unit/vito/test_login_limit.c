/* What the limit of failed logins promises: so many at once and so many a minute, each counted by
 * himself, in a table that does not grow. */
#include <criterion/criterion.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/login_limit.h"

enum { PER_MINUTE = 10, NOW_MS = 1000000 };

static struct vito_login_limit *limit;

static void
setup(void)
{
    limit = vito_login_limit_create(PER_MINUTE);
    cr_assert_not_null(limit);
}

static void
teardown(void)
{
    vito_login_limit_destroy(limit);
}

TestSuite(login_limit, .init = setup, .fini = teardown, .timeout = 60);

static const uint64_t rosa = UINT64_C(0xabcdef0123456789), mallory = UINT64_C(0x123456789abcdef0);

static void
fail(uint64_t who, int times, int64_t now_ms)
{
    for (int i = 0; i < times; i++)
        vito_login_limit_failed(limit, who, now_ms);
}

Test(login_limit, who_never_failed_is_listened_to)
{
    cr_assert_eq(vito_login_limit_wait_s(limit, rosa, 0), 0);
    cr_assert_eq(vito_login_limit_wait_s(limit, rosa, NOW_MS), 0);
}

Test(login_limit, the_last_failure_that_is_allowed_closes_the_door)
{
    fail(mallory, PER_MINUTE - 1, NOW_MS);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS), 0);
    fail(mallory, 1, NOW_MS);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS), 6);
    cr_assert_eq(vito_login_limit_wait_s(limit, rosa, NOW_MS), 0);
}

Test(login_limit, the_wait_is_whole_seconds_and_never_too_short)
{
    fail(mallory, PER_MINUTE, NOW_MS);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 1), 6);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 1001), 5);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 5999), 1);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 6000), 0);
    fail(mallory, 1, NOW_MS + 6000);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 6000), 6);
}

Test(login_limit, more_failures_than_allowed_make_no_longer_wait)
{
    fail(mallory, 100000, NOW_MS);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS), 6);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 60000), 0);
}

Test(login_limit, an_allowance_that_has_emptied_is_whole_again)
{
    fail(mallory, PER_MINUTE, NOW_MS);
    fail(mallory, PER_MINUTE - 1, NOW_MS + 60000);
    cr_assert_eq(vito_login_limit_wait_s(limit, mallory, NOW_MS + 60000), 0);
}

Test(login_limit, a_crowd_is_forgotten_and_blocks_nobody_else)
{
    struct rt_random random;
    rt_random_seed(&random, 7);
    for (int i = 0; i < 100000; i++)
        fail(rt_random_u64(&random), 1, NOW_MS + i / 100);
    int blocked = 0;
    for (int i = 0; i < 10000; i++)
        blocked += vito_login_limit_wait_s(limit, rt_random_u64(&random), NOW_MS + 1000) > 0;
    cr_assert_eq(blocked, 0);
}

Test(login_limit, who_keeps_failing_is_kept_when_a_row_is_full)
{
    fail(mallory, PER_MINUTE, NOW_MS);
    for (uint64_t i = 1; i <= 64; i++)
        fail(mallory + i * (UINT64_C(1) << 40), 1, NOW_MS);
    cr_assert_gt(vito_login_limit_wait_s(limit, mallory, NOW_MS), 0);
}

Test(login_limit, a_place_is_an_ipv4_address_or_an_ipv6_network)
{
    uint8_t master_key[VITO_MASTER_KEY_BYTES] = {1};
    struct vito_keyring *keyring = vito_keyring_of(master_key);
    uint64_t one = vito_login_place(keyring, "192.0.2.1");
    cr_assert_eq(one, vito_login_place(keyring, "192.0.2.1"));
    cr_assert_neq(one, vito_login_place(keyring, "192.0.2.2"));
    uint64_t network = vito_login_place(keyring, "2001:db8:1:2::1");
    cr_assert_eq(network, vito_login_place(keyring, "2001:db8:1:2:ffff::9"));
    cr_assert_neq(network, vito_login_place(keyring, "2001:db8:1:3::1"));
    cr_assert_neq(vito_login_place(keyring, "::ffff:192.0.2.1"),
                  vito_login_place(keyring, "::ffff:192.0.2.2"));
    vito_keyring_close(keyring);
}
