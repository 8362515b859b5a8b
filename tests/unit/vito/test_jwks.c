/* What a set of keys promises: the keys that can check our tokens, and no set with one that must
 * not be there. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "jwt_maker.h"
#include "vito/jwks.h"

TestSuite(jwks, .timeout = 60);

static char one[MAKER_TEXT_BYTES], two[MAKER_TEXT_BYTES], text[2 * MAKER_TEXT_BYTES + 64];

static void
assert_refused(const char *keys, const char *why)
{
    struct vito_jwks *set = NULL;
    char problem[VITO_JWKS_PROBLEM_BYTES] = "";
    text[0] = '\0';
    maker_append(text, sizeof(text), "{\"keys\":[%s]}", keys);
    cr_assert_eq(vito_jwks_parse(text, strlen(text), &set, problem), RT_INVALID, "%s", why);
    cr_assert_null(set);
    cr_assert_not_null(strstr(problem, why), "\"%s\" does not say \"%s\"", problem, why);
}

static struct vito_jwks *
accepted(const char *keys)
{
    struct vito_jwks *set = NULL;
    char problem[VITO_JWKS_PROBLEM_BYTES] = "";
    text[0] = '\0';
    maker_append(text, sizeof(text), "{\"keys\":[%s]}", keys);
    cr_assert_eq(vito_jwks_parse(text, strlen(text), &set, problem), RT_OK, "%s", problem);
    return set;
}

/* The key of a test, written once. */
static void
write_jwk(EVP_PKEY *key, const char *members, char *text_out)
{
    maker_jwk(key, members, text_out);
    EVP_PKEY_free(key);
}

Test(jwks, a_text_that_is_no_set_is_refused)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "JSON"},
        {"nonsense", "JSON"},
        {"[]", "array \"keys\""},
        {"{}", "array \"keys\""},
        {"{\"keys\":{}}", "array \"keys\""},
        {"{\"keys\":[]}", "no key for signatures"},
        {"{\"keys\":[],\"keys\":[]}", "two members"},
        {"{\"keys\":[7]}", "/keys/0: must be an object"},
        {"{\"keys\":[{}]}", "/keys/0: must be an object with a \"kty\""},
        {"{\"keys\":[{\"kty\":7}]}", "/keys/0: must be an object with a \"kty\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vito_jwks *set = NULL;
        char problem[VITO_JWKS_PROBLEM_BYTES] = "";
        cr_assert_eq(vito_jwks_parse(cases[i].text, strlen(cases[i].text), &set, problem),
                     RT_INVALID);
        cr_assert_null(set);
        cr_assert_not_null(strstr(problem, cases[i].why), "%s: %s", cases[i].text, problem);
    }
}

Test(jwks, a_set_over_its_limit_is_refused)
{
    static char big[VITO_JWKS_BYTES_MAX + 2];
    struct vito_jwks *set = NULL;
    char problem[VITO_JWKS_PROBLEM_BYTES];
    memset(big, ' ', sizeof(big));
    cr_assert_eq(vito_jwks_parse(big, VITO_JWKS_BYTES_MAX + 1, &set, problem), RT_TOO_BIG);
}

Test(jwks, keys_that_must_not_be_there_refuse_the_whole_set)
{
    write_jwk(maker_ec("P-256"), "\"kid\":\"good\"", one);
    two[0] = '\0';
    maker_append(two, sizeof(two), "%s,{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}", one);
    assert_refused(two, "/keys/1: is a shared secret");
    write_jwk(maker_ec("P-256"), "\"kid\":\"a\",\"d\":\"AA\"", one);
    assert_refused(one, "/keys/0: is a private key");
    write_jwk(maker_rsa(2048), "\"kid\":\"a\",\"p\":\"AA\"", one);
    assert_refused(one, "is a private key");
    write_jwk(maker_ec("P-256"), "\"kid\":\"a\"", one);
    two[0] = '\0';
    maker_append(two, sizeof(two), "%s,%s", one, one);
    assert_refused(two, "/keys/1: another key has that \"kid\"");
    write_jwk(maker_rsa(1024), "\"kid\":\"a\"", one);
    assert_refused(one, "at least 2048 bits");
    write_jwk(maker_ec("P-256"), "\"kid\":7", one);
    assert_refused(one, "\"kid\" must be a text");
    two[0] = '\0';
    maker_append(two, sizeof(two), "\"kid\":\"%0128d\"", 1);
    write_jwk(maker_ec("P-256"), two, one);
    assert_refused(one, "\"kid\" must be a text of at most 127 bytes");
    write_jwk(maker_ec("P-256"), "\"kid\":\"a\",\"kid\":\"b\"", one);
    assert_refused(one, "two members");
}

Test(jwks, keys_that_are_no_keys_are_refused)
{
    static const struct {
        const char *key, *why;
    } cases[] = {
        {"{\"kty\":\"RSA\",\"kid\":\"a\"}", "\"n\" and \"e\""},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":\"AQAB\"}", "2048 bits"},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"AQAB\",\"e\":7}", "\"n\" and \"e\""},
        {"{\"kty\":\"RSA\",\"kid\":\"a\",\"n\":\"A=\",\"e\":\"AQAB\"}", "\"n\" and \"e\""},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\"}", "\"x\" and \"y\""},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\",\"x\":\"AA\",\"y\":\"AA\"}",
         "of 32 bytes"},
        {"{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"a\","
         "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
         "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}",
         "not a point of the curve"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\",\"x\":\"AA\"}", "of 32 bytes"},
        {"{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"a\","
         "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
         "not a point that may be a key"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_refused(cases[i].key, cases[i].why);
}

Test(jwks, keys_for_other_uses_are_passed_over)
{
    static const char *const others[] = {
        "{\"kty\":\"OKP\",\"crv\":\"X25519\",\"kid\":\"x\",\"x\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"kid\":\"x\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":[\"deriveKey\"],\"kid\":\"x\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":\"verify\",\"kid\":\"x\"}",
        "{\"kty\":\"RSA\",\"alg\":\"RSA-OAEP\",\"kid\":\"x\"}",
        "{\"kty\":\"RSA\",\"alg\":\"HS256\",\"kid\":\"x\"}",
        "{\"kty\":\"LATTICE\",\"kid\":\"x\"}",
    };
    write_jwk(maker_ed25519(), "\"kid\":\"good\"", one);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        assert_refused(others[i], "no key for signatures");
        two[0] = '\0';
        maker_append(two, sizeof(two), "%s,%s", others[i], one);
        struct vito_jwks *set = accepted(two);
        cr_assert_eq(vito_jwks_count(set), 1, "%s", others[i]);
        cr_assert_null(vito_jwks_find(set, "x"));
        cr_assert_eq(vito_jwk_algorithm(vito_jwks_find(set, "good")), VITO_EDDSA);
        vito_jwks_destroy(set);
    }
}

Test(jwks, at_most_so_many_keys_are_kept)
{
    char keys[VITO_JWKS_KEYS_MAX * 256] = "";
    for (int i = 0; i <= VITO_JWKS_KEYS_MAX; i++) {
        two[0] = '\0';
        maker_append(two, sizeof(two), "\"kid\":\"k%d\"", i);
        write_jwk(maker_ed25519(), two, one);
        maker_append(keys, sizeof(keys), "%s%s", i == 0 ? "" : ",", one);
        if (i == VITO_JWKS_KEYS_MAX - 1) {
            struct vito_jwks *set = accepted(keys);
            cr_assert_eq(vito_jwks_count(set), VITO_JWKS_KEYS_MAX);
            vito_jwks_destroy(set);
        }
    }
    assert_refused(keys, "more than 32 usable keys");
}
