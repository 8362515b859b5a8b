/* What access promises: nobody reaches another tenant's things, a role has the rights below it, and
 * what is not in the table is the operator's alone. The whole matrix, on a running gateway, is
 * tests/integration/gateway/access.test.mjs. */
#include <criterion/criterion.h>
#include <string.h>

#include "actors/access.h"

TestSuite(access, .timeout = 60);

static const struct access_caller operator= {.role = ACCESS_OPERATOR};
static const struct access_caller admin = {.role = ACCESS_TENANT_ADMIN, .tenant_id = "a"};
static const struct access_caller client = {.role = ACCESS_CLIENT, .tenant_id = "a"};
static const struct access_caller nobody = {.role = ACCESS_NOBODY};

Test(access, each_role_has_its_rights_and_those_below_it)
{
    static const struct {
        const char *method, *path;
        enum problem_reason client, admin;
    } cases[] = {
        {"POST", "/v1/twins/a/turns", PROBLEM_NONE, PROBLEM_NONE},
        {"POST", "/v1/twins/b/turns", PROBLEM_FORBIDDEN_TENANT, PROBLEM_FORBIDDEN_TENANT},
        {"GET", "/api/tenants/a", PROBLEM_FORBIDDEN_ROLE, PROBLEM_NONE},
        {"GET", "/api/tenants/b", PROBLEM_FORBIDDEN_ROLE, PROBLEM_FORBIDDEN_TENANT},
        {"GET", "/api/tenants", PROBLEM_FORBIDDEN_ROLE, PROBLEM_FORBIDDEN_ROLE},
        {"GET", "/api/tenants/a/", PROBLEM_FORBIDDEN_ROLE, PROBLEM_NONE},
        {"DELETE", "/api/tenants/a/keys/key_1", PROBLEM_FORBIDDEN_ROLE, PROBLEM_NONE},
        {"DELETE", "/api/tenants/b/keys/a", PROBLEM_FORBIDDEN_ROLE, PROBLEM_FORBIDDEN_TENANT},
        {"POST", "/api/sessions/ses_1/terminate", PROBLEM_FORBIDDEN_ROLE, PROBLEM_NONE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *method = cases[i].method, *path = cases[i].path;
        cr_assert_eq(access_judge(&client, method, path), cases[i].client, "client: %s", path);
        cr_assert_eq(access_judge(&admin, method, path), cases[i].admin, "admin: %s", path);
        cr_assert_eq(access_judge(&operator, method, path), PROBLEM_NONE, "operator: %s", path);
        cr_assert_neq(access_judge(&nobody, method, path), PROBLEM_NONE, "nobody: %s", path);
    }
}

Test(access, what_is_not_in_the_table_is_closed)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "/api",
                                        "/api/",
                                        "/api/tenants/a/else",
                                        "/api/tenants/a/keys/key_1/else",
                                        "/api/tenants//a",
                                        "/api//tenants/a",
                                        "//api/tenants/a",
                                        "/api/tenants/a//",
                                        "/api/settings",
                                        "/API/tenants/a",
                                        "/v1/twins/a",
                                        "/v1/twins/a/turns/x"};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        cr_assert_eq(access_judge(&admin, "GET", paths[i]), PROBLEM_FORBIDDEN_ROLE, "%s", paths[i]);
        cr_assert_eq(access_judge(&operator, "GET", paths[i]), PROBLEM_NONE, "%s", paths[i]);
    }
    cr_assert_eq(access_judge(&admin, "PATCH", "/api/tenants/a"), PROBLEM_FORBIDDEN_ROLE);
    cr_assert_eq(access_judge(&admin, "get", "/api/tenants/a"), PROBLEM_FORBIDDEN_ROLE);
}

Test(access, a_tenant_is_its_whole_name)
{
    static const struct access_caller ab = {.role = ACCESS_TENANT_ADMIN, .tenant_id = "ab"};
    static const char *const others[] = {"/api/tenants/a", "/api/tenants/abc", "/api/tenants/AB",
                                         "/api/tenants/a%62", "/api/tenants/ab%2f"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_eq(access_judge(&ab, "GET", others[i]), PROBLEM_FORBIDDEN_TENANT, "%s",
                     others[i]);
    cr_assert_eq(access_judge(&ab, "GET", "/api/tenants/ab"), PROBLEM_NONE);
    cr_assert(access_may_see(&ab, "ab"));
    cr_assert_not(access_may_see(&ab, "a"));
    cr_assert_not(access_may_see(&ab, ""));
}

Test(access, the_operator_sees_all_and_nobody_sees_nothing)
{
    cr_assert(access_may_see(&operator, "a"));
    cr_assert_not(access_may_see(&nobody, "a"));
    cr_assert_not(access_may_see(&nobody, ""));
}
