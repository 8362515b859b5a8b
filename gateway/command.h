/*
 * gateway/command.h - the commands of twin-gateway, one file each.
 *
 * A command gets its own name as arguments[0]. It prints results to stdout and problems, one line
 * each, to stderr; it returns the exit code: 0 done, 1 failed, 2 usage.
 */
#ifndef GATEWAY_COMMAND_H
#define GATEWAY_COMMAND_H

enum { COMMAND_DONE = 0, COMMAND_FAILED = 1, COMMAND_USAGE = 2 };

int command_serve(int count, char **arguments);
int command_check(int count, char **arguments);
int command_migrate(int count, char **arguments);
int command_tenant(int count, char **arguments);
int command_key(int count, char **arguments);
int command_secret(int count, char **arguments);
int command_session(int count, char **arguments);
int command_audit(int count, char **arguments);
int command_policy(int count, char **arguments);
int command_evidence(int count, char **arguments);

/* Says what is wrong with the arguments, and where help is. Returns COMMAND_USAGE. */
int command_misused(const char *command, const char *problem, const char *argument);

/* The value after an option, or NULL when `*at` is not that option. Moves *at over both. An
 * option without its value is left in place, for the caller to complain about. */
const char *command_option(const char *option, int count, char **arguments, int *at);

#endif
