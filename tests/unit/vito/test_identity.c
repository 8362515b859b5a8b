/* What identity promises: keys with 256 random bits that are recognised by their digest alone, and
 * a master key that is not read from a file others can read. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/random.h"
#include "vito/identity.h"

static char directory[] = "/tmp/test_identity_XXXXXX";
static char file[64];

static void
setup(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/master.key", directory);
}

static void
teardown(void)
{
    unlink(file);
    rmdir(directory);
}

TestSuite(identity, .init = setup, .fini = teardown, .timeout = 60);

static struct vito_keyring *
keyring_of(uint8_t filling)
{
    uint8_t master_key[VITO_MASTER_KEY_BYTES];
    memset(master_key, filling, sizeof(master_key));
    struct vito_keyring *keyring = vito_keyring_of(master_key);
    cr_assert_not_null(keyring);
    return keyring;
}

static void
write_file(const void *bytes, size_t size_bytes, mode_t mode)
{
    unlink(file);
    int fd = open(file, O_CREAT | O_WRONLY | O_EXCL, 0600);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, bytes, size_bytes), (ssize_t)size_bytes);
    cr_assert_eq(fchmod(fd, mode), 0);
    close(fd);
}

static void
assert_refused(bool make, enum rt_status wanted, const char *what)
{
    struct vito_keyring *keyring = NULL;
    char problem[256];
    cr_assert_eq(vito_keyring_open(file, make, rt_world_real(), &keyring, problem, sizeof(problem)),
                 wanted, "%s", problem);
    cr_assert_null(keyring);
    cr_assert_not_null(strstr(problem, what), "%s", problem);
    cr_assert_not_null(strstr(problem, file), "%s", problem);
    cr_assert_null(strchr(problem, '\n'));
}

Test(identity, a_key_is_a_prefix_and_256_random_bits)
{
    struct vito_keyring *keyring = keyring_of(1);
    uint8_t random[32];
    memset(random, 0xff, sizeof(random));
    char key[VITO_KEY_TEXT_BYTES];
    struct vito_digest digest;
    vito_key_make(keyring, random, key, &digest);
    cr_assert_str_eq(key, "twk___________________________________________8");
    vito_keyring_close(keyring);
}

Test(identity, a_key_is_recognised_by_its_digest)
{
    struct vito_keyring *keyring = keyring_of(1);
    struct rt_random random;
    rt_random_seed(&random, 8);
    char key[VITO_KEY_TEXT_BYTES];
    struct vito_digest digest, shown;
    for (int i = 0; i < 1000; i++) {
        uint8_t bytes[32];
        rt_random_bytes(&random, bytes, sizeof(bytes));
        vito_key_make(keyring, bytes, key, &digest);
        shown = vito_key_digest(keyring, key, strlen(key));
        cr_assert(vito_digest_is(&digest, &shown));
        key[rt_random_below(&random, strlen(key))] ^= 1;
        shown = vito_key_digest(keyring, key, strlen(key));
        cr_assert_not(vito_digest_is(&digest, &shown));
    }
    vito_keyring_close(keyring);
}

Test(identity, nonsense_has_a_digest_too)
{
    struct vito_keyring *keyring = keyring_of(1);
    struct vito_digest nothing = vito_key_digest(keyring, "", 0);
    struct vito_digest zero = vito_key_digest(keyring, "\0", 1);
    cr_assert_not(vito_digest_is(&nothing, &zero));
    vito_keyring_close(keyring);
}

Test(identity, another_master_key_gives_other_digests)
{
    struct vito_keyring *one = keyring_of(1), *same = keyring_of(1), *other = keyring_of(2);
    struct vito_digest a = vito_key_digest(one, "twk_x", 5), b = vito_key_digest(same, "twk_x", 5),
                       c = vito_key_digest(other, "twk_x", 5);
    cr_assert(vito_digest_is(&a, &b));
    cr_assert_not(vito_digest_is(&a, &c));
    vito_keyring_close(one);
    vito_keyring_close(same);
    vito_keyring_close(other);
    vito_keyring_close(NULL);
}

Test(identity, digests_stay_the_same_from_version_to_version)
{
    /* They are stored, so the derivation may never change. */
    struct vito_keyring *keyring = keyring_of(7);
    struct vito_digest digest = vito_key_digest(keyring, "twk_pinned", 10);
    char text[17];
    for (int i = 0; i < 8; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", digest.bytes[i]);
    cr_assert_str_eq(text, "44efd64473593903");
    vito_keyring_close(keyring);
}

Test(identity, the_master_key_is_made_once_when_asked_for)
{
    struct vito_keyring *keyring = NULL;
    char problem[256];
    cr_assert_eq(vito_keyring_open(file, true, rt_world_real(), &keyring, problem, sizeof(problem)),
                 RT_OK);
    struct vito_digest first = vito_key_digest(keyring, "x", 1);
    vito_keyring_close(keyring);
    struct stat status;
    cr_assert_eq(stat(file, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
    cr_assert_eq(status.st_size, VITO_MASTER_KEY_BYTES);
    cr_assert_eq(vito_keyring_open(file, true, rt_world_real(), &keyring, problem, sizeof(problem)),
                 RT_OK);
    struct vito_digest second = vito_key_digest(keyring, "x", 1);
    vito_keyring_close(keyring);
    cr_assert(vito_digest_is(&first, &second), "the same key as before");
}

Test(identity, the_file_and_the_same_key_in_memory_are_one)
{
    uint8_t master_key[VITO_MASTER_KEY_BYTES];
    memset(master_key, 3, sizeof(master_key));
    write_file(master_key, sizeof(master_key), 0400);
    struct vito_keyring *keyring = NULL, *memory = keyring_of(3);
    char problem[256];
    cr_assert_eq(
        vito_keyring_open(file, false, rt_world_real(), &keyring, problem, sizeof(problem)), RT_OK);
    struct vito_digest a = vito_key_digest(keyring, "x", 1), b = vito_key_digest(memory, "x", 1);
    cr_assert(vito_digest_is(&a, &b));
    vito_keyring_close(keyring);
    vito_keyring_close(memory);
}

Test(identity, a_missing_file_is_not_made_unasked)
{
    assert_refused(false, RT_NOT_FOUND, "does not exist");
    cr_assert_neq(access(file, F_OK), 0);
}

Test(identity, files_that_others_can_read_are_refused)
{
    static const uint8_t key[VITO_MASTER_KEY_BYTES];
    static const mode_t modes[] = {0640, 0604, 0644, 0660, 0700, 0610};
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        write_file(key, sizeof(key), modes[i]);
        assert_refused(true, RT_DENIED, "chmod it to 0600");
    }
}

Test(identity, files_of_another_size_are_refused_and_kept)
{
    static const uint8_t key[64];
    static const size_t sizes[] = {0, 1, 31, 33, 64};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        write_file(key, sizes[i], 0600);
        assert_refused(true, RT_INVALID, "not 32");
        struct stat status;
        cr_assert_eq(stat(file, &status), 0);
        cr_assert_eq(status.st_size, (off_t)sizes[i]);
    }
}

Test(identity, what_is_no_file_is_refused)
{
    cr_assert_eq(mkdir(file, 0700), 0);
    assert_refused(true, RT_INVALID, "is not a file");
    rmdir(file);
    snprintf(file, sizeof(file), "%s/none/master.key", directory);
    assert_refused(true, RT_IO, "make its directory first");
}

Test(identity, a_bearer_credential_is_found_whatever_the_case)
{
    cr_assert_str_eq(vito_bearer_of("Bearer twk_abc-DEF_123"), "twk_abc-DEF_123");
    cr_assert_str_eq(vito_bearer_of("bearer   a.b.c=="), "a.b.c==");
    cr_assert_str_eq(vito_bearer_of("BEARER x"), "x");
}

Test(identity, other_headers_hold_no_credential)
{
    static const char *const wrong[] = {"",           "Bearer",         "Bearer ",    "Bearer  ",
                                        "Bearerx",    "Basic eA==",     "Bearer a b", "Bearer a,",
                                        "Bearer =",   "Bearer a=b",     " Bearer a",  "Bearer\ta",
                                        "Bearer a\n", "Bearer \xc3\xa9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_null(vito_bearer_of(wrong[i]), "\"%s\"", wrong[i]);
    cr_assert_null(vito_bearer_of(NULL));
}
