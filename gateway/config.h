/*
 * gateway/config.h - what the gateway is told: environment first, then a file, then defaults.
 *
 * Every setting has one name: TWIN_LISTEN in the environment is `listen` in the file. Unknown
 * names are problems, and all problems are found, not only the first. docs/configuration.md
 * lists the settings.
 */
#ifndef GATEWAY_CONFIG_H
#define GATEWAY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "actors/world.h"
#include "runtime/log.h"

enum {
    CONFIG_TEXT_BYTES = 512,
    CONFIG_PROBLEM_BYTES = 1024, /* one line about one of those texts */
    CONFIG_LISTENS_MAX = 8,
    CONFIG_PROBLEMS_BYTES = 4096,
};

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT };

struct config_listen {
    bool tls;
    char address[CONFIG_TEXT_BYTES]; /* "127.0.0.1:8080" */
};

struct config {
    struct config_listen listens[CONFIG_LISTENS_MAX];
    unsigned listen_count;
    char store[CONFIG_TEXT_BYTES]; /* "sqlite:var/twin.db", "postgresql://…": may have a password */
    char node[CONFIG_TEXT_BYTES]; /* of a shared store; "": made of host and port */
    char master_key_file[CONFIG_TEXT_BYTES];
    char admin_token[CONFIG_TEXT_BYTES]; /* secret; "" when not given */
    char policy_dir[CONFIG_TEXT_BYTES];
    char tls_cert[CONFIG_TEXT_BYTES], tls_key[CONFIG_TEXT_BYTES];
    bool debug_echo;               /* opens /debug/echo */
    unsigned login_failures;       /* a minute, from one place or by one credential; 0: unlimited */
    unsigned audit_checkpoint_s;   /* between signed checkpoints of audit trails */
    unsigned audit_retention_days; /* 0: records are kept for ever */
    char jwks[CONFIG_TEXT_BYTES];  /* "": tokens are not accepted */
    char jwt_issuer[CONFIG_TEXT_BYTES], jwt_audience[CONFIG_TEXT_BYTES];
    unsigned resume_s; /* a session waits so long for a client whose connection broke; 0: not */
    unsigned workers;
    enum rt_log_level log_level;
    enum rt_log_format log_format;
    struct world_vendor_base vendor_bases[WORLD_VENDOR_BASES_MAX];
    unsigned vendor_base_count;
    enum config_source sources[24];       /* by setting, for config_print() */
    char problems[CONFIG_PROBLEMS_BYTES]; /* one a line; "" when all is well */
};

/*
 * Reads the configuration.
 *
 *   environment   as environ
 *   file          NULL: none
 *   returns       false when config_out->problems says why
 *   blocking      reads the file
 */
bool config_read(char *const *environment, const char *file, struct config *config_out);

/* Prints every setting, its value (secrets hidden) and where it came from. */
void config_print(const struct config *config, FILE *out);

/* The path of an embedded store ("sqlite:PATH"), or NULL when the store is another. */
const char *config_sqlite_path(const struct config *config);

#endif
