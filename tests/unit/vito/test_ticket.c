/* What a ticket promises: 160 random bits, and a proof that nobody without the master key can make;
 * and to be known by its digest alone. */
#include <criterion/criterion.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/ticket.h"

static struct vito_keyring *keyring;
static struct rt_random dice;
static char ticket[VITO_KEY_TEXT_BYTES];
static struct vito_digest digest;

static struct vito_keyring *
keyring_of(uint8_t filling)
{
    uint8_t master_key[VITO_MASTER_KEY_BYTES];
    memset(master_key, filling, sizeof(master_key));
    struct vito_keyring *made = vito_keyring_of(master_key);
    cr_assert_not_null(made);
    return made;
}

static void
make(void)
{
    uint8_t random[VITO_TICKET_RANDOM_BYTES];
    rt_random_bytes(&dice, random, sizeof(random));
    vito_ticket_make(keyring, random, ticket, &digest);
}

static void
setup(void)
{
    keyring = keyring_of(1);
    rt_random_seed(&dice, 8);
    make();
}

static void
teardown(void)
{
    vito_keyring_close(keyring);
}

TestSuite(ticket, .init = setup, .fini = teardown, .timeout = 60);

Test(ticket, a_ticket_is_known_as_ours_and_by_its_digest)
{
    for (int i = 0; i < 1000; i++) {
        make();
        cr_assert_eq(strlen(ticket), 47);
        cr_assert_eq(strncmp(ticket, "twt_", 4), 0);
        cr_assert(vito_ticket_is_ours(keyring, ticket, strlen(ticket)));
        struct vito_digest shown = vito_key_digest(keyring, ticket, strlen(ticket));
        cr_assert(vito_digest_is(&digest, &shown));
    }
}

Test(ticket, one_that_was_changed_anywhere_is_not_ours)
{
    for (size_t at = 0; at < strlen(ticket); at++)
        for (int bit = 0; bit < 8; bit++) {
            char changed[VITO_KEY_TEXT_BYTES];
            memcpy(changed, ticket, sizeof(changed));
            changed[at] = (char)(changed[at] ^ 1 << bit);
            cr_assert_not(vito_ticket_is_ours(keyring, changed, sizeof(changed) - 1),
                          "at %zu, bit %d", at, bit);
        }
}

Test(ticket, nonsense_is_not_ours)
{
    static const char *const nonsense[] = {
        "",
        "twt_",
        "twk___________________________________________8",
        "twt___________________________________________8",
        "twt_0000000000000000000000000000000000000000000",
        "twt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "twt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < RT_COUNT_OF(nonsense); i++)
        cr_assert_not(vito_ticket_is_ours(keyring, nonsense[i], strlen(nonsense[i])), "%s",
                      nonsense[i]);
    cr_assert_not(vito_ticket_is_ours(keyring, ticket, strlen(ticket) - 1));
    cr_assert_not(vito_ticket_is_ours(keyring, ticket, sizeof(ticket)));
}

Test(ticket, one_of_another_master_key_is_not_ours)
{
    struct vito_keyring *same = keyring_of(1), *other = keyring_of(2);
    cr_assert(vito_ticket_is_ours(same, ticket, strlen(ticket)));
    cr_assert_not(vito_ticket_is_ours(other, ticket, strlen(ticket)));
    vito_keyring_close(same);
    vito_keyring_close(other);
}
