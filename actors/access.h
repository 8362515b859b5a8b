/*
 * actors/access.h - who may do what: the one table of endpoints and roles.
 *
 *   client        a twin's keys and tokens: talks to it
 *   tenant-admin  a token whose scope says so: runs that twin, and talks to it
 *   operator      the operator's token: everything, everywhere
 *
 * A role has the rights of those before it. Client and tenant-admin belong to one tenant and reach
 * nothing of another's. What is not in the table is the operator's alone, so that an endpoint
 * which was forgotten here is closed.
 *
 * A plain function of its arguments. Threads: any.
 */
#ifndef ACTORS_ACCESS_H
#define ACTORS_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "actors/problem.h"
#include "vito/id.h"

enum access_role { ACCESS_NOBODY, ACCESS_CLIENT, ACCESS_TENANT_ADMIN, ACCESS_OPERATOR };

enum { ACCESS_NAME_BYTES = 128 };

/* Who calls, once that is known. */
struct access_caller {
    enum access_role role;
    char tenant_id[VITO_TENANT_ID_BYTES]; /* "" for the operator, who belongs to none */
    char name[ACCESS_NAME_BYTES];         /* a key's id, or a token's subject; for the records */
    bool by_key;                          /* it is a key's id */
    int64_t expires_ms;                   /* wall time when the credential ends; 0: it does not */
};

/*
 * Judges a request.
 *
 *   path      without query; "/api/tenants/tenant-a/keys"
 *   returns   PROBLEM_NONE | PROBLEM_FORBIDDEN_ROLE | PROBLEM_FORBIDDEN_TENANT. Where a path names
 *             a thing by an id of its own (a session, a decision), whose it is shows only when it
 *             is found: see access_may_see()
 */
enum problem_reason access_judge(const struct access_caller *caller, const char *method,
                                 const char *path);

/* Whether a thing of that tenant exists, as far as the caller is concerned. */
bool access_may_see(const struct access_caller *caller, const char *tenant_id);

#endif
