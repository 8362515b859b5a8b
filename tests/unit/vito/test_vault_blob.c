/* What a sealed blob promises: it opens with its own key, for its own subject, unchanged, and in no
 * other way; and a head is read only as it was written. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/random.h"
#include "vito/vault/blob.h"
#include "vito/vault/head.h"

static const char plain[] = "sk-a-secret";
static uint8_t sealed[sizeof(plain) + VITO_BLOB_OVERHEAD_BYTES];
static struct vito_blob_key key = {.id = "key one"};
static const struct vito_blob_subject subject = {
    .purpose = VITO_BLOB_SECRET,
    .tenant_id = "cantor",
    .name = "openai.api_key",
    .providers = "openai",
    .version = 7,
};

static void
setup(void)
{
    cr_assert_geq(sodium_init(), 0);
    uint8_t nonce[VITO_BLOB_NONCE_BYTES] = {9};
    memset(key.bytes, 3, sizeof(key.bytes));
    vito_blob_seal(&key, &subject, nonce, plain, sizeof(plain), sealed);
}

TestSuite(vault_blob, .init = setup, .timeout = 60);

static enum rt_status
unseal_as(const struct vito_blob_subject *as, const struct vito_blob_key *with,
          const uint8_t *bytes, size_t size_bytes)
{
    struct vito_blob blob;
    char opened[sizeof(sealed)] = "";
    enum rt_status status = vito_blob_parse(bytes, size_bytes, &blob);
    if (status == RT_OK)
        status = vito_blob_unseal(with, as, &blob, opened);
    cr_assert_eq(status == RT_OK, memcmp(opened, plain, sizeof(plain)) == 0,
                 "open if and only if it says so");
    return status;
}

Test(vault_blob, what_was_sealed_is_opened)
{
    cr_assert_eq(unseal_as(&subject, &key, sealed, sizeof(sealed)), RT_OK);
    for (size_t i = 0; i + sizeof(plain) <= sizeof(sealed); i++)
        cr_assert_neq(memcmp(sealed + i, plain, sizeof(plain)), 0, "the plain text shows");
}

Test(vault_blob, every_flipped_bit_is_refused)
{
    for (size_t bit = 0; bit < 8 * sizeof(sealed); bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        cr_assert_neq(unseal_as(&subject, &key, sealed, sizeof(sealed)), RT_OK, "bit %zu", bit);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    cr_assert_eq(unseal_as(&subject, &key, sealed, sizeof(sealed)), RT_OK);
}

Test(vault_blob, every_shorter_and_longer_one_is_refused)
{
    uint8_t longer[sizeof(sealed) + 1] = {0};
    memcpy(longer, sealed, sizeof(sealed));
    for (size_t size = 0; size < sizeof(sealed); size++)
        cr_assert_eq(unseal_as(&subject, &key, sealed, size), RT_INVALID, "%zu bytes", size);
    cr_assert_eq(unseal_as(&subject, &key, longer, sizeof(longer)), RT_INVALID);
}

Test(vault_blob, one_that_was_moved_is_refused)
{
    struct vito_blob_subject other[6];
    for (size_t i = 0; i < RT_COUNT_OF(other); i++)
        other[i] = subject;
    other[0].tenant_id = "jose";
    other[1].name = "tavus.api_key";
    other[2].version = 6;
    other[3].version = 8;
    other[4].providers = "openai,tavus";
    other[5].purpose = VITO_BLOB_TENANT_KEY;
    for (size_t i = 0; i < RT_COUNT_OF(other); i++)
        cr_assert_eq(unseal_as(&other[i], &key, sealed, sizeof(sealed)), RT_INVALID, "%zu", i);
}

Test(vault_blob, where_a_text_ends_is_part_of_the_subject)
{
    struct vito_blob_subject other = subject;
    other.tenant_id = "cantoro";
    other.name = "penai.api_key";
    cr_assert_eq(unseal_as(&other, &key, sealed, sizeof(sealed)), RT_INVALID);
}

Test(vault_blob, another_key_is_told_by_its_id_and_refused_all_the_same_without)
{
    struct vito_blob_key other = key;
    other.id[0] ^= 1;
    cr_assert_eq(unseal_as(&subject, &other, sealed, sizeof(sealed)), RT_NOT_FOUND);
    other = key;
    other.bytes[31] ^= 1;
    cr_assert_eq(unseal_as(&subject, &other, sealed, sizeof(sealed)), RT_INVALID);
}

static size_t
full_head(struct vito_head *head, uint8_t bytes[VITO_HEAD_BYTES_MAX])
{
    memset(head, 0, sizeof(*head));
    memset(&head->key, 5, sizeof(head->key));
    for (int i = 0; i < VITO_HEAD_SECRETS_MAX; i++) {
        char name[VITO_SEALED_NAME_BYTES];
        memset(name, 'n', sizeof(name));
        name[0] = (char)('0' + i);
        name[sizeof(name) - 1] = '\0';
        struct vito_head_entry *entry = vito_head_add(head, name);
        cr_assert_not_null(entry);
        entry->version = i + 1;
        entry->nonce[0] = (uint8_t)i;
    }
    return vito_head_encode(head, bytes);
}

Test(vault_blob, a_full_head_is_read_as_it_was_written)
{
    static struct vito_head head, read;
    static uint8_t bytes[VITO_HEAD_BYTES_MAX];
    size_t size = full_head(&head, bytes);
    cr_assert_leq(size, VITO_HEAD_BYTES_MAX);
    cr_assert_null(vito_head_add(&head, "one-more"));
    cr_assert_eq(vito_head_decode(bytes, size, &read), RT_OK);
    cr_assert_eq(read.count, VITO_HEAD_SECRETS_MAX);
    cr_assert_eq(memcmp(&read.key, &head.key, sizeof(read.key)), 0);
    for (unsigned i = 0; i < head.count; i++) {
        struct vito_head_entry *entry = vito_head_find(&read, head.entries[i].name);
        cr_assert_not_null(entry);
        cr_assert_eq(entry->version, head.entries[i].version);
        cr_assert_eq(memcmp(entry->nonce, head.entries[i].nonce, sizeof(entry->nonce)), 0);
    }
    vito_head_remove(&read, vito_head_find(&read, head.entries[3].name));
    cr_assert_null(vito_head_find(&read, head.entries[3].name));
    cr_assert_eq(read.count, VITO_HEAD_SECRETS_MAX - 1);
}

Test(vault_blob, a_head_that_is_cut_or_too_long_or_repeats_a_name_is_refused)
{
    static struct vito_head head, read;
    static uint8_t bytes[VITO_HEAD_BYTES_MAX + 1];
    size_t size = full_head(&head, bytes);
    for (size_t cut = 0; cut < size; cut++)
        cr_assert_eq(vito_head_decode(bytes, cut, &read), RT_INVALID, "%zu bytes", cut);
    cr_assert_eq(vito_head_decode(bytes, size + 1, &read), RT_INVALID);
    memcpy(head.entries[1].name, head.entries[0].name, sizeof(head.entries[0].name));
    size = vito_head_encode(&head, bytes);
    cr_assert_eq(vito_head_decode(bytes, size, &read), RT_INVALID);
}

Test(vault_blob, random_bytes_do_no_harm)
{
    static struct vito_head head;
    struct rt_random random;
    rt_random_seed(&random, 3);
    for (int i = 0; i < 100000; i++) {
        size_t size = rt_random_below(&random, 200);
        uint8_t *bytes = malloc(size + 1); /* so that ASan sees its end */
        rt_random_bytes(&random, bytes, size);
        struct vito_blob blob;
        if (size > 2 && i % 2 == 0) {
            bytes[0] = 1;
            bytes[1] = (uint8_t)(1 + i % 3);
        }
        if (vito_blob_parse(bytes, size, &blob) == RT_OK)
            cr_assert_eq(blob.ciphertext + blob.ciphertext_bytes, bytes + size);
        if (size > VITO_BLOB_KEY_ID_BYTES + 33)
            bytes[VITO_BLOB_KEY_ID_BYTES + 33] = 0;
        (void)!vito_head_decode(bytes, size, &head);
        free(bytes);
    }
}
