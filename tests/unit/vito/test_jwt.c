/* What tokens promise: those of our issuer are accepted, and every known attack on JWTs (RFC 8725
 * and what became of it) is refused, for the reason that it is. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "jwt_maker.h"
#include "vito/jwt.h"

enum { NOW_S = 1800000000 };

static const struct vito_jwt_rules rules = {"https://issuer.test", "twin-gateway"};

static EVP_PKEY *rsa, *ec, *ed, *stranger_rsa, *stranger_ec;
static struct vito_jwks *jwks;
static char token[MAKER_TEXT_BYTES];

#define GOOD                                                                                       \
    "\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"rosa\","                   \
    "\"tenant_id\":\"tenant-a\""
#define EXP "\"exp\":1800003600"
#define RSA_HEADER "{\"alg\":\"RS256\",\"kid\":\"rsa\"}"
#define EC_HEADER "{\"alg\":\"ES256\",\"kid\":\"ec\"}"
#define ED_HEADER "{\"alg\":\"EdDSA\",\"kid\":\"ed\",\"typ\":\"JWT\"}"

static struct vito_jwks *
set_of(const char *keys)
{
    char text[3 * MAKER_TEXT_BYTES] = "", problem[VITO_JWKS_PROBLEM_BYTES] = "";
    maker_append(text, sizeof(text), "{\"keys\":[%s]}", keys);
    struct vito_jwks *set = NULL;
    cr_assert_eq(vito_jwks_parse(text, strlen(text), &set, problem), RT_OK, "%s", problem);
    return set;
}

static void
setup(void)
{
    char keys[3 * MAKER_TEXT_BYTES], one[MAKER_TEXT_BYTES], two[MAKER_TEXT_BYTES];
    rsa = maker_rsa(2048);
    ec = maker_ec("P-256");
    ed = maker_ed25519();
    stranger_rsa = maker_rsa(2048);
    stranger_ec = maker_ec("P-256");
    maker_jwk(rsa, "\"kid\":\"rsa\",\"use\":\"sig\"", keys);
    maker_jwk(ec, "\"kid\":\"ec\",\"alg\":\"ES256\"", one);
    maker_jwk(ed, "\"kid\":\"ed\",\"key_ops\":[\"verify\"]", two);
    maker_append(keys, sizeof(keys), ",%s,%s", one, two);
    jwks = set_of(keys);
    cr_assert_eq(vito_jwks_count(jwks), 3);
}

static void
teardown(void)
{
    vito_jwks_destroy(jwks);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
    EVP_PKEY_free(stranger_rsa);
    EVP_PKEY_free(stranger_ec);
}

TestSuite(jwt, .init = setup, .fini = teardown, .timeout = 60);

static enum vito_jwt_refusal
verify_at(const char *text, int64_t now_ms, struct vito_jwt_claims *claims)
{
    return vito_jwt_verify(text, strlen(text), jwks, &rules, now_ms, claims);
}

static enum vito_jwt_refusal
verify(const char *text)
{
    struct vito_jwt_claims claims;
    return verify_at(text, (int64_t)NOW_S * 1000, &claims);
}

static void
assert_refused(enum vito_jwt_refusal wanted, const char *what)
{
    enum vito_jwt_refusal got = verify(token);
    cr_assert_eq(got, wanted, "%s: \"%s\" in place of \"%s\"", what, vito_jwt_refusal_text(got),
                 vito_jwt_refusal_text(wanted));
}

Test(jwt, a_token_of_each_algorithm_is_accepted)
{
    const struct {
        const char *header;
        EVP_PKEY *key;
    } cases[] = {{RSA_HEADER, rsa}, {EC_HEADER, ec}, {ED_HEADER, ed}};
    for (size_t i = 0; i < 3; i++) {
        struct vito_jwt_claims claims = {.is_tenant_admin = true};
        maker_token(cases[i].header, "{" GOOD "," EXP "}", cases[i].key, token);
        cr_assert_eq(verify_at(token, (int64_t)NOW_S * 1000, &claims), VITO_JWT_FINE, "%zu", i);
        cr_assert_str_eq(claims.tenant_id, "tenant-a");
        cr_assert_str_eq(claims.subject, "rosa");
        cr_assert_not(claims.is_tenant_admin);
        cr_assert_eq(claims.expires_ms, 1800003600000);
    }
}

Test(jwt, a_header_we_do_not_trust_or_cannot_read_is_refused)
{
    static const struct {
        const char *header;
        enum vito_jwt_refusal refusal;
    } cases[] = {
        {"{\"alg\":\"none\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"None\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"nOnE\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"rs256\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"RS256 \",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"HS256\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"RS384\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"PS256\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":null,\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":[\"RS256\"],\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"Alg\":\"RS256\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_REFUSED},
        {"{\"alg\":\"ES256\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_NOT_THE_KEYS},
        {"{\"alg\":\"EdDSA\",\"kid\":\"rsa\"}", VITO_JWT_ALGORITHM_NOT_THE_KEYS},
        {"{\"alg\":\"RS256\",\"kid\":\"ec\"}", VITO_JWT_ALGORITHM_NOT_THE_KEYS},
        {"{\"alg\":\"RS256\"}", VITO_JWT_UNKNOWN_KEY},
        {"{\"alg\":\"RS256\",\"kid\":\"\"}", VITO_JWT_UNKNOWN_KEY},
        {"{\"alg\":\"RS256\",\"kid\":\"RSA\"}", VITO_JWT_UNKNOWN_KEY},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa \"}", VITO_JWT_UNKNOWN_KEY},
        {"{\"alg\":\"RS256\",\"kid\":\"../../../../dev/null\"}", VITO_JWT_UNKNOWN_KEY},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa' OR '1'='1\"}", VITO_JWT_UNKNOWN_KEY},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\\u0000x\"}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":7}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":null}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"none\",\"alg\":\"RS256\",\"kid\":\"rsa\"}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"\\u0061lg\":\"none\",\"kid\":\"rsa\"}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":{\"y\":1,\"y\":2}}", VITO_JWT_BAD_HEADER},
        {"[\"RS256\"]", VITO_JWT_BAD_HEADER},
        {"\"RS256\"", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\"} {}", VITO_JWT_BAD_HEADER},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[\"exp\"]}", VITO_JWT_CRITICAL_EXTENSION},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"crit\":[]}", VITO_JWT_CRITICAL_EXTENSION},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"b64\":false}", VITO_JWT_CRITICAL_EXTENSION},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"cty\":\"JWT\"}", VITO_JWT_WRONG_TYPE},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"logout+jwt\"}", VITO_JWT_WRONG_TYPE},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"dpop+jwt\"}", VITO_JWT_WRONG_TYPE},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":1}", VITO_JWT_WRONG_TYPE},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"at+jwt\"}", VITO_JWT_FINE},
        {"{\"alg\":\"RS256\",\"kid\":\"rsa\",\"typ\":\"application/AT+JWT\"}", VITO_JWT_FINE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        maker_token(cases[i].header, "{" GOOD "," EXP "}", rsa, token);
        assert_refused(cases[i].refusal, cases[i].header);
    }
}

Test(jwt, a_very_long_key_name_or_header_is_refused)
{
    char header[4096];
    snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"%0900d\"}", 1);
    maker_token(header, "{" GOOD "," EXP "}", rsa, token);
    assert_refused(VITO_JWT_UNKNOWN_KEY, "kid of 900 bytes");
    snprintf(header, sizeof(header), "{\"alg\":\"RS256\",\"kid\":\"rsa\",\"x\":\"%02000d\"}", 1);
    maker_token(header, "{" GOOD "," EXP "}", rsa, token);
    assert_refused(VITO_JWT_BAD_HEADER, "header of 2 kB");
}

Test(jwt, an_hmac_with_the_public_key_as_its_secret_is_refused)
{
    char pem[MAKER_TEXT_BYTES];
    size_t pem_bytes = maker_pem(rsa, pem);
    maker_hs256("{\"alg\":\"HS256\",\"kid\":\"rsa\"}", "{" GOOD "," EXP "}", pem, pem_bytes, token);
    assert_refused(VITO_JWT_ALGORITHM_REFUSED, "HS256");
    maker_hs256(RSA_HEADER, "{" GOOD "," EXP "}", pem, pem_bytes, token);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "an HMAC said to be RS256");
}

Test(jwt, keys_and_addresses_in_the_header_are_not_looked_at)
{
    char jwk[MAKER_TEXT_BYTES], header[MAKER_TEXT_BYTES] = "";
    maker_jwk(stranger_ec, "", jwk);
    maker_append(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":\"ec\",\"jwk\":%s}", jwk);
    maker_token(header, "{" GOOD "," EXP "}", stranger_ec, token);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "signed by the key in its own header");
    header[0] = '\0';
    maker_append(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%s}", jwk);
    maker_token(header, "{" GOOD "," EXP "}", stranger_ec, token);
    assert_refused(VITO_JWT_UNKNOWN_KEY, "with a key in its header, and no kid");
    static const char elsewhere[] = "{\"alg\":\"ES256\",\"kid\":\"ec\",\"jku\":\"http://x.test/k\","
                                    "\"x5u\":\"http://x.test/c\",\"x5c\":[\"MIIB\"]}";
    maker_token(elsewhere, "{" GOOD "," EXP "}", stranger_ec, token);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "jku of another key");
    maker_token(elsewhere, "{" GOOD "," EXP "}", ec, token);
    assert_refused(VITO_JWT_FINE, "jku beside the right signature");
}

Test(jwt, a_signature_by_anybody_else_is_refused)
{
    maker_token(RSA_HEADER, "{" GOOD "," EXP "}", stranger_rsa, token);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "another RSA key");
    maker_token(EC_HEADER, "{" GOOD "," EXP "}", stranger_ec, token);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "another EC key");
    maker_token(ED_HEADER, "{" GOOD "," EXP "}", NULL, token);
    assert_refused(VITO_JWT_NOT_THREE_PARTS, "no signature");
}

/* Puts other bytes in the place of the signature. */
static void
set_signature(const void *bytes, size_t size_bytes)
{
    maker_base64url(bytes, size_bytes, strrchr(token, '.') + 1);
}

Test(jwt, signatures_of_nothing_are_refused)
{
    static const unsigned char zeros[64], ones[64] = {[31] = 1, [63] = 1};
    maker_token(EC_HEADER, "{" GOOD "," EXP "}", ec, token);
    set_signature(zeros, sizeof(zeros));
    assert_refused(VITO_JWT_BAD_SIGNATURE, "r = s = 0 (CVE-2022-21449)");
    set_signature(ones, sizeof(ones));
    assert_refused(VITO_JWT_BAD_SIGNATURE, "r = s = 1");
    set_signature(zeros, 63);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "63 bytes");
    set_signature(zeros, 1);
    assert_refused(VITO_JWT_BAD_SIGNATURE, "one byte");
    maker_token(EC_HEADER, "{" GOOD "," EXP "}", ec, token);
    maker_append(token, sizeof(token), "AA");
    assert_refused(VITO_JWT_BAD_SIGNATURE, "the right one, and more");
    maker_token(ED_HEADER, "{" GOOD "," EXP "}", ed, token);
    set_signature(zeros, sizeof(zeros));
    assert_refused(VITO_JWT_BAD_SIGNATURE, "Ed25519 zeros");
    maker_token(RSA_HEADER, "{" GOOD "," EXP "}", rsa, token);
    set_signature(zeros, sizeof(zeros));
    assert_refused(VITO_JWT_BAD_SIGNATURE, "RSA zeros");
}

Test(jwt, every_bit_of_a_token_counts)
{
    maker_token(EC_HEADER, "{" GOOD "," EXP "}", ec, token);
    cr_assert_eq(verify(token), VITO_JWT_FINE);
    size_t chars = strlen(token);
    for (size_t i = 0; i < chars; i++) {
        for (int bit = 0; bit < 7; bit++) {
            token[i] = (char)(token[i] ^ 1 << bit);
            cr_assert_neq(vito_jwt_verify(token, chars, jwks, &rules, (int64_t)NOW_S * 1000,
                                          &(struct vito_jwt_claims){.expires_ms = 0}),
                          VITO_JWT_FINE, "character %zu, bit %d", i, bit);
            token[i] = (char)(token[i] ^ 1 << bit);
        }
    }
}

Test(jwt, a_token_that_is_cut_or_grown_is_refused)
{
    static const struct {
        const char *text;
        enum vito_jwt_refusal refusal;
    } cases[] = {
        {"", VITO_JWT_NOT_THREE_PARTS},        {".", VITO_JWT_NOT_THREE_PARTS},
        {"..", VITO_JWT_NOT_THREE_PARTS},      {"a.b", VITO_JWT_NOT_THREE_PARTS},
        {".b.c", VITO_JWT_NOT_THREE_PARTS},    {"a..c", VITO_JWT_NOT_THREE_PARTS},
        {"a.b.c.d", VITO_JWT_NOT_THREE_PARTS}, {"a.b.c.d.e", VITO_JWT_NOT_THREE_PARTS},
        {"a.b.c", VITO_JWT_NOT_BASE64URL},     {"e30.e30.AA", VITO_JWT_ALGORITHM_REFUSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_assert_eq(verify(cases[i].text), cases[i].refusal, "%s", cases[i].text);
    maker_token(RSA_HEADER, "{" GOOD "," EXP "}", rsa, token);
    size_t chars = strlen(token);
    for (size_t size = 0; size < chars; size++)
        cr_assert_neq(vito_jwt_verify(token, size, jwks, &rules, (int64_t)NOW_S * 1000,
                                      &(struct vito_jwt_claims){.expires_ms = 0}),
                      VITO_JWT_FINE, "the first %zu bytes", size);
    static const char *const tails[] = {".", "=", " ", "\n", "A", "%3D", ".e30"};
    for (size_t i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        snprintf(token + chars, sizeof(token) - chars, "%s", tails[i]);
        cr_assert_neq(verify(token), VITO_JWT_FINE, "with \"%s\" behind it", tails[i]);
    }
}

Test(jwt, base64_that_is_not_canonical_is_refused)
{
    maker_token(EC_HEADER, "{" GOOD "," EXP "}", ec, token);
    size_t chars = strlen(token);
    /* 64 bytes leave four bits of the last character unused: each of its fifteen siblings would
     * decode to the same signature. */
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const char last = token[chars - 1];
    for (const char *c = alphabet; *c != '\0'; c++) {
        token[chars - 1] = *c;
        cr_assert_eq(verify(token) == VITO_JWT_FINE, *c == last, "%c", *c);
    }
    for (char *c = token; *c != '\0'; c++) /* the alphabet of plain base64 */
        *c = *c == '-' ? '+' : *c == '_' ? '/' : *c;
    token[chars - 1] = '+';
    assert_refused(VITO_JWT_NOT_BASE64URL, "plain base64");
}

Test(jwt, a_token_over_eight_kilobytes_is_refused_unread)
{
    memset(token, 'A', sizeof(token) - 1);
    token[VITO_JWT_BYTES_MAX + 1] = '\0';
    assert_refused(VITO_JWT_TOO_LONG, "8193 bytes");
    token[VITO_JWT_BYTES_MAX] = '\0';
    assert_refused(VITO_JWT_NOT_THREE_PARTS, "8192 bytes");
}

Test(jwt, claims_that_are_not_as_they_must_be_are_refused)
{
    static const struct {
        const char *claims;
        enum vito_jwt_refusal refusal;
    } cases[] = {
        {"[]", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP, VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP "," EXP "}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP ",\"tenant_id\":\"tenant-b\"}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP ",\"tenant\\u005fid\":\"tenant-b\"}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP ",\"x\":{\"y\":1,\"y\":1}}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP ",\"x\":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":null}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":\"1800003600\"}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":-1}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":1e999}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD ",\"exp\":1e300}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":true}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":[1800003600]}", VITO_JWT_BAD_TIME},
        {"{" GOOD "," EXP ",\"nbf\":\"0\"}", VITO_JWT_BAD_TIME},
        {"{" GOOD "," EXP ",\"nbf\":-1}", VITO_JWT_BAD_TIME},
        {"{" GOOD "," EXP ",\"nbf\":1e999}", VITO_JWT_BAD_CLAIMS},
        {"{" GOOD "," EXP ",\"iat\":\"now\"}", VITO_JWT_BAD_TIME},
        {"{" GOOD ",\"exp\":0}", VITO_JWT_EXPIRED},
        {"{" GOOD ",\"exp\":1800003600.5}", VITO_JWT_FINE},
        {"{" GOOD "," EXP ",\"iat\":1800000000,\"nbf\":1800000000}", VITO_JWT_FINE},
        {"{\"iss\":\"https://other.test\",\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_ISSUER},
        {"{\"iss\":\"https://issuer.test/\",\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_ISSUER},
        {"{\"aud\":\"twin-gateway\",\"sub\":\"r\",\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_ISSUER},
        {"{\"iss\":[\"https://issuer.test\"],\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_ISSUER},
        {"{\"iss\":\"https://issuer.test\",\"sub\":\"r\",\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_AUDIENCE},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"other\",\"sub\":\"r\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_AUDIENCE},
        {"{\"iss\":\"https://issuer.test\",\"aud\":[],\"sub\":\"r\",\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_AUDIENCE},
        {"{\"iss\":\"https://issuer.test\",\"aud\":[\"other\",7,\"twin-gateway\"],\"sub\":\"r\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_OTHER_AUDIENCE},
        {"{\"iss\":\"https://issuer.test\",\"aud\":[\"other\",\"twin-gateway\"],\"sub\":\"r\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_FINE},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_NO_SUBJECT},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"\","
         "\"tenant_id\":\"a\"," EXP "}",
         VITO_JWT_NO_SUBJECT},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"r\"," EXP "}",
         VITO_JWT_NO_TENANT},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":[\"a\",\"b\"]," EXP "}",
         VITO_JWT_NO_TENANT},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":\"../a\"," EXP "}",
         VITO_JWT_NO_TENANT},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":\"*\"," EXP "}",
         VITO_JWT_NO_TENANT},
        {"{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"r\","
         "\"tenant_id\":\"\"," EXP "}",
         VITO_JWT_NO_TENANT},
        {"{" GOOD "," EXP ",\"scope\":[\"tenant-admin\"]}", VITO_JWT_BAD_SCOPE},
        {"{" GOOD "," EXP ",\"scope\":\" tenant-admin\"}", VITO_JWT_BAD_SCOPE},
        {"{" GOOD "," EXP ",\"scope\":\"a  tenant-admin\"}", VITO_JWT_BAD_SCOPE},
        {"{" GOOD "," EXP ",\"scope\":\"tenant-admin \"}", VITO_JWT_BAD_SCOPE},
        {"{" GOOD "," EXP ",\"scope\":\"\"}", VITO_JWT_FINE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        maker_token(EC_HEADER, cases[i].claims, ec, token);
        assert_refused(cases[i].refusal, cases[i].claims);
    }
}

Test(jwt, a_subject_too_long_to_keep_is_refused)
{
    char claims[1024];
    snprintf(claims, sizeof(claims),
             "{\"iss\":\"https://issuer.test\",\"aud\":\"twin-gateway\",\"sub\":\"%0128d\","
             "\"tenant_id\":\"a\"," EXP "}",
             1);
    maker_token(EC_HEADER, claims, ec, token);
    assert_refused(VITO_JWT_NO_SUBJECT, claims);
}

Test(jwt, only_the_whole_word_makes_an_admin)
{
    static const struct {
        const char *scope;
        bool is_admin;
    } cases[] = {
        {"tenant-admin", true},
        {"openid tenant-admin email", true},
        {"openid", false},
        {"tenant-administrator", false},
        {"xtenant-admin", false},
        {"Tenant-Admin", false},
        {"tenant-admin:read", false},
        {"operator", false},
        {"tenant", false},
        {"t", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char claims[512];
        struct vito_jwt_claims out;
        snprintf(claims, sizeof(claims), "{" GOOD "," EXP ",\"scope\":\"%s\"}", cases[i].scope);
        maker_token(ED_HEADER, claims, ed, token);
        cr_assert_eq(verify_at(token, (int64_t)NOW_S * 1000, &out), VITO_JWT_FINE);
        cr_assert_eq(out.is_tenant_admin, cases[i].is_admin, "%s", cases[i].scope);
    }
}

Test(jwt, the_leeway_is_sixty_seconds_to_the_millisecond)
{
    struct vito_jwt_claims claims;
    const int64_t exp_ms = 1800003600000, nbf_ms = 1800000000000;
    maker_token(ED_HEADER, "{" GOOD "," EXP ",\"nbf\":1800000000}", ed, token);
    cr_assert_eq(verify_at(token, exp_ms - 1, &claims), VITO_JWT_FINE);
    cr_assert_eq(claims.expires_ms, exp_ms);
    cr_assert_eq(verify_at(token, exp_ms, &claims), VITO_JWT_FINE);
    cr_assert_eq(claims.expires_ms, exp_ms + 60000);
    cr_assert_eq(verify_at(token, exp_ms + 59999, &claims), VITO_JWT_FINE);
    cr_assert_eq(verify_at(token, exp_ms + 60000, &claims), VITO_JWT_EXPIRED);
    cr_assert_eq(verify_at(token, nbf_ms - 60000, &claims), VITO_JWT_FINE);
    cr_assert_eq(verify_at(token, nbf_ms - 60001, &claims), VITO_JWT_NOT_YET);
    maker_token(ED_HEADER, "{" GOOD "," EXP ",\"iat\":1800000000}", ed, token);
    cr_assert_eq(verify_at(token, nbf_ms - 60000, &claims), VITO_JWT_FINE);
    cr_assert_eq(verify_at(token, nbf_ms - 60001, &claims), VITO_JWT_NOT_YET);
}

Test(jwt, a_refused_token_leaves_no_claims)
{
    struct vito_jwt_claims claims;
    memset(&claims, 0x5a, sizeof(claims));
    maker_token(ED_HEADER, "{" GOOD "," EXP ",\"scope\":7}", ed, token);
    cr_assert_eq(verify_at(token, (int64_t)NOW_S * 1000, &claims), VITO_JWT_BAD_SCOPE);
    const unsigned char *bytes = (const unsigned char *)&claims;
    for (size_t i = 0; i < sizeof(claims); i++)
        cr_assert_eq(bytes[i], 0x5a);
}

Test(jwt, a_token_without_a_key_name_fits_a_set_of_one)
{
    char jwk[MAKER_TEXT_BYTES];
    maker_jwk(ed, "", jwk);
    struct vito_jwks *one = set_of(jwk);
    struct vito_jwt_claims claims;
    maker_token("{\"alg\":\"EdDSA\"}", "{" GOOD "," EXP "}", ed, token);
    cr_assert_eq(vito_jwt_verify(token, strlen(token), one, &rules, (int64_t)NOW_S * 1000, &claims),
                 VITO_JWT_FINE);
    maker_token(ED_HEADER, "{" GOOD "," EXP "}", ed, token);
    cr_assert_eq(vito_jwt_verify(token, strlen(token), one, &rules, (int64_t)NOW_S * 1000, &claims),
                 VITO_JWT_UNKNOWN_KEY);
    maker_token("{\"alg\":\"EdDSA\",\"kid\":\"\"}", "{" GOOD "," EXP "}", ed, token);
    cr_assert_eq(vito_jwt_verify(token, strlen(token), one, &rules, (int64_t)NOW_S * 1000, &claims),
                 VITO_JWT_UNKNOWN_KEY);
    vito_jwks_destroy(one);
}

Test(jwt, every_refusal_has_a_text_of_its_own)
{
    for (enum vito_jwt_refusal i = 0; i < VITO_JWT_REFUSAL_COUNT; i++) {
        cr_assert_not_null(vito_jwt_refusal_text(i));
        for (enum vito_jwt_refusal j = 0; j < i; j++)
            cr_assert_str_neq(vito_jwt_refusal_text(i), vito_jwt_refusal_text(j));
    }
}

Test(jwt, an_api_key_does_not_look_like_a_token)
{
    cr_assert_not(vito_jwt_looks_like_one("twk___________________________________________8"));
    cr_assert(vito_jwt_looks_like_one("e30.e30.AA"));
}
