/*
 * lua/policy_check.h - the policy workbench: is a file a policy, and does it decide as its cases
 * say? For the command line and for tests; nothing here runs in an actor.
 */
#ifndef LUA_POLICY_CHECK_H
#define LUA_POLICY_CHECK_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints every problem of the policy file at `path` as a line "path: problem".
 *
 *   returns    how many
 *   blocking   reads the file and runs it, within a policy's budget
 */
size_t tlua_policy_check_file(const char *path, FILE *out);

struct tlua_test_result {
    size_t cases;    /* that were tried */
    size_t failures; /* cases that went wrong; a file that cannot be used is one too */
};

/*
 * Asks the policy file at `policy_path` every case of the file at `cases_path`, twice, and prints
 * each that goes wrong: "path: case: expected …, got …". A second answer that differs from the
 * first is wrong as well: policies are pure.
 *
 * docs/policies.md describes files of cases.
 *
 *   blocking   reads both files and runs them
 */
struct tlua_test_result tlua_policy_test_file(const char *policy_path, const char *cases_path,
                                              FILE *out);

#endif
