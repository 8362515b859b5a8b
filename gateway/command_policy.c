/*
 * twin-gateway policy: the part of the workbench that needs no gateway.
 */
#include <stdio.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/config.h"
#include "lua/policy_check.h"

static const char help[] =
    "usage: twin-gateway policy check FILE...\n"
    "       twin-gateway policy test FILE [CASES]\n\n"
    "  check   prints every problem of each policy file\n"
    "  test    asks the policy every case and prints those that go wrong; CASES defaults to\n"
    "          cases/NAME.lua beside FILE. docs/policies.md describes both.\n";

static int
check_files(int count, char **files)
{
    size_t problems = 0;
    if (count == 0)
        return command_misused("policy", "check needs a file", NULL);
    for (int i = 0; i < count; i++)
        problems += tlua_policy_check_file(files[i], stderr);
    printf("%d checked, %zu problems\n", count, problems);
    return problems == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

/* policies/default.lua → policies/cases/default.lua */
static void
cases_beside(const char *file, char path_out[CONFIG_TEXT_BYTES])
{
    const char *slash = strrchr(file, '/');
    int directory = slash == NULL ? 0 : (int)(slash - file) + 1;
    snprintf(path_out, CONFIG_TEXT_BYTES, "%.*scases/%s", directory, file, file + directory);
}

static int
test_file(int count, char **arguments)
{
    char beside[CONFIG_TEXT_BYTES];
    if (count < 1 || count > 2)
        return command_misused("policy", "test needs a file, and perhaps its cases", NULL);
    cases_beside(arguments[0], beside);
    struct tlua_test_result result =
        tlua_policy_test_file(arguments[0], count == 2 ? arguments[1] : beside, stderr);
    printf("%zu cases, %zu failed\n", result.cases, result.failures);
    return result.failures == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

int
command_policy(int count, char **arguments)
{
    if (count >= 2 && strcmp(arguments[1], "--help") == 0) {
        fputs(help, stdout);
        return COMMAND_DONE;
    }
    if (count >= 2 && strcmp(arguments[1], "check") == 0)
        return check_files(count - 2, arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "test") == 0)
        return test_file(count - 2, arguments + 2);
    return command_misused("policy", "say check or test", NULL);
}
