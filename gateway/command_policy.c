/*
 * twin-gateway policy: the part of the workbench that needs no gateway.
 */
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/command.h"
#include "gateway/config.h"
#include "lua/policy_check.h"

extern char **environ;

static const char help[] =
    "usage: twin-gateway policy check [FILE...]\n"
    "       twin-gateway policy test [FILE [CASES]]\n\n"
    "  check   prints every problem of each policy file\n"
    "  test    asks the policy every case and prints those that go wrong; CASES defaults to\n"
    "          cases/NAME.lua beside FILE. docs/policies.md describes both.\n\n"
    "Without FILE all policies of TWIN_POLICY_DIR are meant.\n";

/* Finds the policies of TWIN_POLICY_DIR. False, and said so, when there are none. */
static bool
find_all(glob_t *found)
{
    static struct config config;
    char pattern[CONFIG_TEXT_BYTES + 8];
    if (!config_read(environ, NULL, &config)) {
        fputs(config.problems, stderr);
        return false;
    }
    snprintf(pattern, sizeof(pattern), "%s/*.lua", config.policy_dir);
    if (glob(pattern, 0, NULL, found) == 0)
        return true;
    fprintf(stderr, "twin-gateway policy: no policies in %s; set TWIN_POLICY_DIR or name files\n",
            config.policy_dir);
    return false;
}

static int
check_files(size_t count, char **files)
{
    size_t problems = 0;
    for (size_t i = 0; i < count; i++)
        problems += tlua_policy_check_file(files[i], stderr);
    printf("%zu checked, %zu problems\n", count, problems);
    return problems == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

static int
check(int count, char **files)
{
    glob_t found;
    if (count > 0)
        return check_files((size_t)count, files);
    if (!find_all(&found))
        return COMMAND_FAILED;
    int code = check_files(found.gl_pathc, found.gl_pathv);
    globfree(&found);
    return code;
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
conclude(struct tlua_test_result sum)
{
    printf("%zu cases, %zu failed\n", sum.cases, sum.failures);
    return sum.failures == 0 ? COMMAND_DONE : COMMAND_FAILED;
}

/* A policy without cases is no failure here: nobody asked for it by name. */
static int
test_all(void)
{
    glob_t found;
    struct tlua_test_result sum = {0};
    if (!find_all(&found))
        return COMMAND_FAILED;
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char cases[CONFIG_TEXT_BYTES];
        cases_beside(found.gl_pathv[i], cases);
        if (access(cases, F_OK) != 0) {
            printf("%s: has no cases\n", found.gl_pathv[i]);
            continue;
        }
        struct tlua_test_result result = tlua_policy_test_file(found.gl_pathv[i], cases, stderr);
        sum.cases += result.cases;
        sum.failures += result.failures;
    }
    globfree(&found);
    return conclude(sum);
}

static int
test(int count, char **arguments)
{
    char beside[CONFIG_TEXT_BYTES];
    if (count == 0)
        return test_all();
    if (count > 2)
        return command_misused("policy", "test takes one file, and perhaps its cases", NULL);
    cases_beside(arguments[0], beside);
    return conclude(
        tlua_policy_test_file(arguments[0], count == 2 ? arguments[1] : beside, stderr));
}

int
command_policy(int count, char **arguments)
{
    if (count >= 2 && strcmp(arguments[1], "--help") == 0) {
        fputs(help, stdout);
        return COMMAND_DONE;
    }
    if (count >= 2 && strcmp(arguments[1], "check") == 0)
        return check(count - 2, arguments + 2);
    if (count >= 2 && strcmp(arguments[1], "test") == 0)
        return test(count - 2, arguments + 2);
    return command_misused("policy", "say check or test", NULL);
}
