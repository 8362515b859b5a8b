#include "vito/jwt.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <sodium.h>
#include <string.h>
#include <strings.h>

#include "runtime/assert.h"
#include "runtime/text.h"
#include "vito/json.h"

enum { SIGNATURE_BYTES_MAX = 1024 };

/* The end of year 9999: what is later is not a date but an attempt. */
static const double seconds_max = 253402300799.0;

/* A token taken apart; nothing is decoded yet. */
struct token {
    const char *header, *payload, *signature;
    size_t header_chars, payload_chars, signature_chars;
    size_t signed_bytes; /* of header, dot and payload, from `header` */
};

const char *
vito_jwt_refusal_text(enum vito_jwt_refusal refusal)
{
    static const char *const texts[VITO_JWT_REFUSAL_COUNT] = {
        [VITO_JWT_FINE] = "the token is fine",
        [VITO_JWT_TOO_LONG] = "the token is longer than 8192 bytes",
        [VITO_JWT_NOT_THREE_PARTS] = "the token must be a signed JWT in its compact form",
        [VITO_JWT_NOT_BASE64URL] = "a part of the token is not canonical base64url",
        [VITO_JWT_BAD_HEADER] =
            "the token's header must be a JSON object of at most 1024 bytes, each name once",
        [VITO_JWT_ALGORITHM_REFUSED] = "the token must be signed by RS256, ES256 or EdDSA",
        [VITO_JWT_CRITICAL_EXTENSION] =
            "the token's header asks for an extension that is not known here (crit or b64)",
        [VITO_JWT_WRONG_TYPE] = "the token's typ must be JWT or at+jwt, and it may not be nested",
        [VITO_JWT_UNKNOWN_KEY] = "the token's kid names no key of the issuer",
        [VITO_JWT_ALGORITHM_NOT_THE_KEYS] = "the token's alg is not that of the key it names",
        [VITO_JWT_BAD_SIGNATURE] = "the token's signature is wrong",
        [VITO_JWT_BAD_CLAIMS] = "the token's claims must be a JSON object, each name once",
        [VITO_JWT_BAD_TIME] =
            "the token's exp must be, and nbf and iat may be, numbers of seconds since 1970",
        [VITO_JWT_EXPIRED] = "the token has expired: get a new one",
        [VITO_JWT_NOT_YET] = "the token is not valid yet: look at both clocks",
        [VITO_JWT_OTHER_ISSUER] = "the token's iss is not the issuer this gateway trusts",
        [VITO_JWT_OTHER_AUDIENCE] = "the token's aud does not name this gateway",
        [VITO_JWT_NO_SUBJECT] = "the token's sub must be a text of 1 to 127 bytes",
        [VITO_JWT_NO_TENANT] = "the token's tenant_id must be the id of a twin",
        [VITO_JWT_BAD_SCOPE] = "the token's scope must be words separated by single spaces",
    };
    RT_ASSERT(refusal < VITO_JWT_REFUSAL_COUNT);
    return texts[refusal];
}

bool
vito_jwt_looks_like_one(const char *credential)
{
    return strchr(credential, '.') != NULL;
}

static enum vito_jwt_refusal
split(const char *text, size_t text_bytes, struct token *token_out)
{
    const char *end = text + text_bytes;
    const char *first = memchr(text, '.', text_bytes);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return VITO_JWT_NOT_THREE_PARTS;
    *token_out = (struct token){
        .header = text,
        .payload = first + 1,
        .signature = second + 1,
        .header_chars = (size_t)(first - text),
        .payload_chars = (size_t)(second - first - 1),
        .signature_chars = (size_t)(end - second - 1),
        .signed_bytes = (size_t)(second - text),
    };
    if (token_out->header_chars == 0 || token_out->payload_chars == 0 ||
        token_out->signature_chars == 0)
        return VITO_JWT_NOT_THREE_PARTS;
    return VITO_JWT_FINE;
}

/* Canonical alone: no padding, no white space, no bits beyond the last byte. */
static bool
decode(const char *text, size_t chars, uint8_t *bytes_out, size_t room_bytes, size_t *size_out)
{
    return sodium_base642bin(bytes_out, room_bytes, text, chars, NULL, size_out, NULL,
                             sodium_base64_VARIANT_URLSAFE_NO_PADDING) == 0;
}

/* One of the two JSON objects, to be deleted by the caller; NULL with the refusal set. */
static cJSON *
object_of(const char *text, size_t chars, size_t room_bytes, enum vito_jwt_refusal malformed,
          enum vito_jwt_refusal *refusal_out)
{
    uint8_t bytes[VITO_JWT_BYTES_MAX];
    RT_ASSERT(room_bytes <= sizeof(bytes));
    size_t size_bytes;
    const char *problem;
    cJSON *json = NULL;
    if (!decode(text, chars, bytes, sizeof(bytes), &size_bytes)) {
        *refusal_out = VITO_JWT_NOT_BASE64URL;
        return NULL;
    }
    if (size_bytes > room_bytes ||
        vito_json_parse((const char *)bytes, size_bytes, &json, &problem) != RT_OK ||
        !cJSON_IsObject(json) || vito_json_repeats_a_name(json)) {
        *refusal_out = malformed;
        cJSON_Delete(json);
        return NULL;
    }
    return json;
}

static const cJSON *
member(const cJSON *object, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(object, name);
}

/* RFC 8725, section 3.11: a token made for another use is not an access token. */
static bool
has_right_type(const cJSON *header)
{
    static const char application[] = "application/";
    const cJSON *type = member(header, "typ");
    if (member(header, "cty") != NULL)
        return false; /* there is another token inside */
    if (type == NULL)
        return true;
    if (!cJSON_IsString(type))
        return false;
    const char *name = type->valuestring;
    if (strncasecmp(name, application, sizeof(application) - 1) == 0)
        name += sizeof(application) - 1;
    return strcasecmp(name, "JWT") == 0 || strcasecmp(name, "at+jwt") == 0;
}

/* The key that the header chooses, if it may. Its jwk, jku, x5c and x5u are not looked at. */
static enum vito_jwt_refusal
choose_key(const cJSON *header, const struct vito_jwks *jwks, const struct vito_jwk **key_out)
{
    const cJSON *name = member(header, "alg"), *kid = member(header, "kid");
    enum vito_jwt_algorithm algorithm = VITO_JWT_ALGORITHM_COUNT;
    if (cJSON_IsString(name))
        algorithm = vito_jwt_algorithm_of(name->valuestring);
    if (algorithm == VITO_JWT_ALGORITHM_COUNT)
        return VITO_JWT_ALGORITHM_REFUSED;
    if (member(header, "crit") != NULL || member(header, "b64") != NULL)
        return VITO_JWT_CRITICAL_EXTENSION;
    if (!has_right_type(header))
        return VITO_JWT_WRONG_TYPE;
    if (kid != NULL && !cJSON_IsString(kid))
        return VITO_JWT_BAD_HEADER;
    *key_out = vito_jwks_find(jwks, kid == NULL ? NULL : kid->valuestring);
    if (*key_out == NULL)
        return VITO_JWT_UNKNOWN_KEY;
    return vito_jwk_algorithm(*key_out) == algorithm ? VITO_JWT_FINE
                                                     : VITO_JWT_ALGORITHM_NOT_THE_KEYS;
}

static enum vito_jwt_refusal
check_signature(const struct token *token, const struct vito_jwks *jwks)
{
    enum vito_jwt_refusal refusal = VITO_JWT_FINE;
    const struct vito_jwk *key = NULL;
    cJSON *header = object_of(token->header, token->header_chars, VITO_JWT_HEADER_BYTES_MAX,
                              VITO_JWT_BAD_HEADER, &refusal);
    if (header != NULL)
        refusal = choose_key(header, jwks, &key);
    cJSON_Delete(header);
    if (refusal != VITO_JWT_FINE)
        return refusal;
    uint8_t signature[SIGNATURE_BYTES_MAX];
    size_t signature_bytes;
    if (!decode(token->signature, token->signature_chars, signature, sizeof(signature),
                &signature_bytes))
        return VITO_JWT_NOT_BASE64URL;
    return vito_jwk_verify(key, token->header, token->signed_bytes, signature, signature_bytes)
               ? VITO_JWT_FINE
               : VITO_JWT_BAD_SIGNATURE;
}

/* A NumericDate. Fractions are permitted (RFC 7519, section 2), and cost the bearer. */
static bool
read_time(const cJSON *item, bool round_up, int64_t *ms_out)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= seconds_max))
        return false; /* written so that a NaN is refused too */
    double seconds = round_up ? ceil(item->valuedouble) : floor(item->valuedouble);
    *ms_out = (int64_t)seconds * 1000;
    return true;
}

/* Accepted until just before exp + leeway. A session that begins before exp ends with it; one
 * that begins in the leeway ends with that. */
static enum vito_jwt_refusal
check_times(const cJSON *claims, int64_t now_ms, int64_t *expires_out)
{
    const cJSON *not_before = member(claims, "nbf"), *issued = member(claims, "iat");
    int64_t exp_ms, nbf_ms = 0, iat_ms = 0;
    if (!read_time(member(claims, "exp"), false, &exp_ms) ||
        (not_before != NULL && !read_time(not_before, true, &nbf_ms)) ||
        (issued != NULL && !read_time(issued, true, &iat_ms)))
        return VITO_JWT_BAD_TIME;
    if (now_ms >= exp_ms + VITO_JWT_LEEWAY_MS)
        return VITO_JWT_EXPIRED;
    if (now_ms < nbf_ms - VITO_JWT_LEEWAY_MS || now_ms < iat_ms - VITO_JWT_LEEWAY_MS)
        return VITO_JWT_NOT_YET;
    *expires_out = exp_ms > now_ms ? exp_ms : exp_ms + VITO_JWT_LEEWAY_MS;
    return VITO_JWT_FINE;
}

static bool
is_text(const cJSON *item, const char *text)
{
    return cJSON_IsString(item) && strcmp(item->valuestring, text) == 0;
}

static bool
is_for(const cJSON *audience, const char *us)
{
    if (!cJSON_IsArray(audience))
        return is_text(audience, us);
    bool found = false;
    for (const cJSON *item = audience->child; item != NULL; item = item->next) {
        if (!cJSON_IsString(item))
            return false;
        found = found || is_text(item, us);
    }
    return found;
}

/* RFC 6749, section 3.3. Words of others are theirs. */
static bool
read_scope(const cJSON *scope, bool *is_tenant_admin_out)
{
    static const char admin[] = "tenant-admin";
    *is_tenant_admin_out = false;
    if (scope == NULL)
        return true;
    if (!cJSON_IsString(scope))
        return false;
    for (const char *at = scope->valuestring; *at != '\0';) {
        size_t size = strcspn(at, " ");
        if (size == 0 || (at[size] == ' ' && at[size + 1] == '\0'))
            return false;
        if (size == sizeof(admin) - 1 && strncmp(at, admin, size) == 0)
            *is_tenant_admin_out = true;
        at += size + (at[size] == ' ');
    }
    return true;
}

static enum vito_jwt_refusal
check_claims(const cJSON *json, const struct vito_jwt_rules *rules, int64_t now_ms,
             struct vito_jwt_claims *claims)
{
    const cJSON *subject = member(json, "sub"), *tenant = member(json, "tenant_id");
    enum vito_jwt_refusal refusal = check_times(json, now_ms, &claims->expires_ms);
    if (refusal != VITO_JWT_FINE)
        return refusal;
    if (!is_text(member(json, "iss"), rules->issuer))
        return VITO_JWT_OTHER_ISSUER;
    if (!is_for(member(json, "aud"), rules->audience))
        return VITO_JWT_OTHER_AUDIENCE;
    if (!cJSON_IsString(subject) || subject->valuestring[0] == '\0' ||
        strlen(subject->valuestring) >= VITO_JWT_SUBJECT_BYTES)
        return VITO_JWT_NO_SUBJECT;
    if (!cJSON_IsString(tenant) || !vito_tenant_id_is_valid(tenant->valuestring))
        return VITO_JWT_NO_TENANT;
    if (!read_scope(member(json, "scope"), &claims->is_tenant_admin))
        return VITO_JWT_BAD_SCOPE;
    RT_TEXT_SET(claims->subject, subject->valuestring);
    RT_TEXT_SET(claims->tenant_id, tenant->valuestring);
    return VITO_JWT_FINE;
}

enum vito_jwt_refusal
vito_jwt_verify(const char *text, size_t text_bytes, const struct vito_jwks *jwks,
                const struct vito_jwt_rules *rules, int64_t now_ms,
                struct vito_jwt_claims *claims_out)
{
    RT_ASSERT(rules->issuer != NULL);
    RT_ASSERT(rules->audience != NULL);
    struct token token;
    if (text_bytes > VITO_JWT_BYTES_MAX)
        return VITO_JWT_TOO_LONG;
    enum vito_jwt_refusal refusal = split(text, text_bytes, &token);
    if (refusal == VITO_JWT_FINE)
        refusal = check_signature(&token, jwks);
    if (refusal != VITO_JWT_FINE)
        return refusal;
    struct vito_jwt_claims claims = {.is_tenant_admin = false};
    cJSON *json = object_of(token.payload, token.payload_chars, VITO_JWT_BYTES_MAX,
                            VITO_JWT_BAD_CLAIMS, &refusal);
    if (json != NULL)
        refusal = check_claims(json, rules, now_ms, &claims);
    cJSON_Delete(json);
    if (refusal == VITO_JWT_FINE)
        *claims_out = claims;
    return refusal;
}
