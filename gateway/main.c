/*
 * twin-gateway: finds the command and hands over.
 */
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "gateway/command.h"
#include "runtime/compiler.h"

static const struct command {
    const char *name;
    int (*run)(int count, char **arguments);
    const char *summary;
} commands[] = {
    {"serve", command_serve, "run the gateway"},
    {"check", command_check, "read the configuration and the policies, print every problem"},
    {"migrate", command_migrate, "bring the store's schema up to date"},
    {"tenant", command_tenant, "list, show, put, remove twins; their balance and audit trail"},
    {"key", command_key, "make, list, remove a twin's API keys"},
    {"secret", command_secret, "put, list, remove a twin's vendor keys; replace what seals them"},
    {"session", command_session, "list a twin's sessions, end one"},
    {"audit", command_audit, "hand out and verify audit trails"},
    {"policy", command_policy, "check policies, run their cases"},
    {"evidence", command_evidence, "check EV-01 to EV-04 against a running gateway"},
};

static void
print_help(FILE *out)
{
    fputs("twin-gateway - a real-time gateway for AI avatars\n\n"
          "usage: twin-gateway COMMAND [ARGUMENTS]\n\n",
          out);
    for (size_t i = 0; i < RT_COUNT_OF(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\ntwin-gateway COMMAND --help says more. docs/ has the manual.\n"
          "Exit codes: 0 done, 1 failed, 2 usage.\n",
          out);
}

int
command_misused(const char *command, const char *problem, const char *argument)
{
    fprintf(stderr, "twin-gateway %s: %s%s%s; try: twin-gateway %s --help\n", command, problem,
            argument == NULL ? "" : " ", argument == NULL ? "" : argument, command);
    return COMMAND_USAGE;
}

const char *
command_option(const char *option, int count, char **arguments, int *at)
{
    size_t size = strlen(option);
    if (strncmp(arguments[*at], option, size) != 0)
        return NULL;
    if (arguments[*at][size] == '=')
        return arguments[(*at)++] + size + 1;
    if (arguments[*at][size] != '\0' || *at + 1 >= count)
        return NULL;
    *at += 2;
    return arguments[*at - 1];
}

int
main(int count, char **arguments)
{
    if (sodium_init() < 0) {
        fputs("twin-gateway: libsodium does not start\n", stderr);
        return COMMAND_FAILED;
    }
    if (count < 2) {
        fputs("twin-gateway: say what to do; try: twin-gateway --help\n", stderr);
        return COMMAND_USAGE;
    }
    if (strcmp(arguments[1], "--help") == 0 || strcmp(arguments[1], "help") == 0) {
        print_help(stdout);
        return COMMAND_DONE;
    }
    if (strcmp(arguments[1], "--version") == 0) {
        puts("twin-gateway " TWIN_VERSION);
        return COMMAND_DONE;
    }
    for (size_t i = 0; i < RT_COUNT_OF(commands); i++)
        if (strcmp(arguments[1], commands[i].name) == 0)
            return commands[i].run(count - 1, arguments + 1);
    fprintf(stderr, "twin-gateway: no command \"%s\"; try: twin-gateway --help\n", arguments[1]);
    return COMMAND_USAGE;
}
