#include "actors/access.h"

#include <string.h>

#include "runtime/compiler.h"

/* In a path "{tenant}" stands for the caller's own tenant, another name in braces for any one
 * segment. */
static const struct rule {
    const char *method, *path;
    enum access_role least;
} rules[] = {
    {"POST", "/v1/twins/{tenant}/turns", ACCESS_CLIENT},
    {"GET", "/v1/twins/{tenant}/session", ACCESS_CLIENT},
    {"POST", "/v1/twins/{tenant}/tickets", ACCESS_CLIENT},
    {"GET", "/api/tenants", ACCESS_OPERATOR},
    {"PUT", "/api/tenants/{tenant}", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}", ACCESS_TENANT_ADMIN},
    {"DELETE", "/api/tenants/{tenant}", ACCESS_TENANT_ADMIN},
    {"POST", "/api/tenants/{tenant}/keys", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}/keys", ACCESS_TENANT_ADMIN},
    {"DELETE", "/api/tenants/{tenant}/keys/{key}", ACCESS_TENANT_ADMIN},
    {"POST", "/api/tenants/{tenant}/keys/{key}/rotate", ACCESS_TENANT_ADMIN},
    {"PUT", "/api/tenants/{tenant}/secrets/{name}", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}/secrets", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}/secrets/{name}", ACCESS_TENANT_ADMIN},
    {"DELETE", "/api/tenants/{tenant}/secrets/{name}", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}/balance", ACCESS_TENANT_ADMIN},
    {"POST", "/api/tenants/{tenant}/refunds", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}/audit", ACCESS_TENANT_ADMIN},
    {"GET", "/api/tenants/{tenant}/sessions", ACCESS_TENANT_ADMIN},
    {"POST", "/api/sessions/{session}/terminate", ACCESS_TENANT_ADMIN},
    {"GET", "/api/decisions/{decision}", ACCESS_TENANT_ADMIN},
    {"GET", "/api/runtime", ACCESS_OPERATOR},
    {"GET", "/api/runtime/trace", ACCESS_OPERATOR},
    {"GET", "/api/runtime/why", ACCESS_OPERATOR},
};

/* Takes the next segment off a path; false at its end. A slash at the end counts for nothing, as
 * where requests are routed. */
static bool
next_segment(const char **path, const char **segment_out, size_t *size_out)
{
    if (**path != '/' || (*path)[1] == '\0')
        return false;
    *segment_out = *path + 1;
    *size_out = strcspn(*segment_out, "/");
    *path = *segment_out + *size_out;
    return true;
}

/* Whether the path is of this pattern, and then the segment that names a tenant, if any. */
static bool
matches(const char *pattern, const char *path, const char **tenant_out, size_t *tenant_size_out)
{
    static const char tenant[] = "{tenant}";
    const char *want, *have;
    size_t want_size, have_size;
    *tenant_out = NULL;
    while (next_segment(&pattern, &want, &want_size)) {
        if (!next_segment(&path, &have, &have_size))
            return false;
        if (*want != '{' && (want_size != have_size || memcmp(want, have, want_size) != 0))
            return false;
        if (want_size == sizeof(tenant) - 1 && memcmp(want, tenant, want_size) == 0) {
            *tenant_out = have;
            *tenant_size_out = have_size;
        }
    }
    return !next_segment(&path, &have, &have_size);
}

enum problem_reason
access_judge(const struct access_caller *caller, const char *method, const char *path)
{
    if (caller->role == ACCESS_OPERATOR)
        return PROBLEM_NONE;
    for (size_t i = 0; i < RT_COUNT_OF(rules); i++) {
        const char *tenant;
        size_t size = 0;
        if (strcmp(rules[i].method, method) != 0 || !matches(rules[i].path, path, &tenant, &size))
            continue;
        if (caller->role < rules[i].least)
            return PROBLEM_FORBIDDEN_ROLE;
        if (tenant != NULL &&
            (size != strlen(caller->tenant_id) || memcmp(tenant, caller->tenant_id, size) != 0))
            return PROBLEM_FORBIDDEN_TENANT;
        return PROBLEM_NONE;
    }
    return PROBLEM_FORBIDDEN_ROLE;
}

bool
access_may_see(const struct access_caller *caller, const char *tenant_id)
{
    return caller->role == ACCESS_OPERATOR ||
           (caller->role != ACCESS_NOBODY && strcmp(caller->tenant_id, tenant_id) == 0);
}
