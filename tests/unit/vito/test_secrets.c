/* What secrets from the environment promise: found by tenant and name, gone from the environment,
 * and a simulated key only where --dev talks to this machine. */
#include <criterion/criterion.h>
#include <string.h>

#include "vito/secrets.h"

TestSuite(secrets, .timeout = 60);

static struct vito_secret secret;

static enum rt_status
get(struct vito_secrets *secrets, const char *tenant_id, const char *name, bool loopback)
{
    memset(&secret, 'x', sizeof(secret));
    char provider[VITO_SECRET_NAME_BYTES] = "none";
    vito_secret_provider_of(name, provider, sizeof(provider));
    const struct vito_secret_use use = {tenant_id, provider, name, loopback};
    return secrets->get(secrets->self, &use, &secret);
}

Test(secrets, a_key_is_found_by_tenant_and_name)
{
    char a[] = "TWIN_SECRET_ANDRES_CANTOR_OPENAI_API_KEY=sk-1=2", b[] = "TWIN_SECRET_B2_P_X=y";
    char *environment[] = {a, b, NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, false);
    cr_assert_eq(get(secrets, "andres-cantor", "openai.api_key", false), RT_OK);
    cr_assert_str_eq(secret.value, "sk-1=2");
    cr_assert_eq(secret.size_bytes, 6);
    cr_assert_eq(get(secrets, "b2", "p.x", false), RT_OK);
    cr_assert_str_eq(secret.value, "y");
    vito_secrets_destroy(secrets);
}

Test(secrets, what_is_not_there_is_not_found)
{
    char a[] = "TWIN_SECRET_A_P_B=1", empty[] = "TWIN_SECRET_A_P_EMPTY=";
    char *environment[] = {a, empty, NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, false);
    cr_assert_eq(get(secrets, "a", "p.c", false), RT_NOT_FOUND);
    cr_assert_eq(get(secrets, "b", "p.b", false), RT_NOT_FOUND);
    cr_assert_eq(get(secrets, "a", "p.empty", false), RT_NOT_FOUND);
    cr_assert_eq(get(secrets, "a", "p.b", true), RT_OK);
    cr_assert_eq(get(secrets, "a", "p.c", true), RT_NOT_FOUND, "a simulated key needs --dev");
    vito_secrets_destroy(secrets);
}

Test(secrets, with_dev_a_missing_key_is_simulated_towards_this_machine_only)
{
    char a[] = "TWIN_SECRET_A_P_B=real";
    char *environment[] = {a, NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, true);
    cr_assert_eq(get(secrets, "a", "p.c", true), RT_OK);
    cr_assert_str_eq(secret.value, "sim-key");
    cr_assert_eq(secret.size_bytes, 7);
    cr_assert_eq(get(secrets, "a", "p.c", false), RT_NOT_FOUND);
    cr_assert_eq(get(secrets, "a", "p.b", true), RT_OK);
    cr_assert_str_eq(secret.value, "real", "a real key has precedence");
    vito_secrets_destroy(secrets);
}

Test(secrets, the_first_of_two_assignments_counts)
{
    char a[] = "TWIN_SECRET_A_P_B=first", b[] = "TWIN_SECRET_A_P_B=second";
    char *environment[] = {a, b, NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, false);
    cr_assert_eq(get(secrets, "a", "p.b", false), RT_OK);
    cr_assert_str_eq(secret.value, "first");
    vito_secrets_destroy(secrets);
}

Test(secrets, nothing_of_them_stays_in_the_environment)
{
    char path[] = "PATH=/bin", a[] = "TWIN_SECRET_A_P_B=hidden", home[] = "HOME=/";
    char other[] = "TWIN_SECRETS=kept", broken[] = "TWIN_SECRET_A_P_C";
    char *environment[] = {path, a, home, other, broken, NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, false);
    cr_assert_str_eq(environment[0], "PATH=/bin");
    cr_assert_str_eq(environment[1], "HOME=/");
    cr_assert_str_eq(environment[2], "TWIN_SECRETS=kept");
    cr_assert_str_eq(environment[3], "TWIN_SECRET_A_P_C");
    cr_assert_null(environment[4]);
    for (size_t i = 0; i < sizeof(a); i++)
        cr_assert_eq(a[i], '\0');
    cr_assert_eq(get(secrets, "a", "p.b", false), RT_OK);
    vito_secrets_destroy(secrets);
}

Test(secrets, a_value_as_long_as_allowed_is_kept_and_a_longer_one_is_not)
{
    static char fits[32 + VITO_SECRET_BYTES_MAX] = "TWIN_SECRET_A_P_B=";
    static char longer[32 + VITO_SECRET_BYTES_MAX] = "TWIN_SECRET_A_P_C=";
    memset(fits + strlen(fits), 'v', VITO_SECRET_BYTES_MAX);
    memset(longer + strlen(longer), 'v', VITO_SECRET_BYTES_MAX + 1);
    char *environment[] = {fits, longer, NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, false);
    cr_assert_eq(get(secrets, "a", "p.b", false), RT_OK);
    cr_assert_eq(strlen(secret.value), VITO_SECRET_BYTES_MAX);
    cr_assert_eq(get(secrets, "a", "p.c", false), RT_NOT_FOUND);
    cr_assert_eq(longer[0], '\0', "wiped all the same");
    vito_secrets_destroy(secrets);
}

Test(secrets, names_of_any_length_are_looked_up_without_harm)
{
    char *environment[] = {NULL};
    struct vito_secrets *secrets = vito_secrets_from_environment(environment, false);
    char name[1000];
    memset(name, 'n', sizeof(name));
    for (size_t chars = 0; chars < sizeof(name); chars++) {
        name[chars] = '\0';
        cr_assert_eq(get(secrets, "a", name, false), RT_NOT_FOUND);
        cr_assert_eq(get(secrets, name, "a", false), RT_NOT_FOUND);
        name[chars] = 'n';
    }
    vito_secrets_destroy(secrets);
}

Test(secrets, a_wiped_secret_is_all_zeros)
{
    memset(&secret, 'x', sizeof(secret));
    vito_secret_wipe(&secret);
    static const struct vito_secret zeros;
    cr_assert_eq(memcmp(&secret, &zeros, sizeof(secret)), 0);
    vito_secrets_destroy(NULL);
}
