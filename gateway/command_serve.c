/*
 * twin-gateway serve, check and migrate: what needs the configuration, and no running gateway.
 */
#include <curl/curl.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "gateway/command.h"
#include "gateway/config.h"
#include "gateway/issuer.h"
#include "gateway/serve.h"
#include "gateway/store.h"
#include "lua/policy_check.h"
#include "net/http_memory.h"
#include "vito/json.h"

extern char **environ;

static bool
read_config(const char *file, struct config *config)
{
    if (config_read(environ, file, config))
        return true;
    fputs(config->problems, stderr);
    return false;
}

int
command_serve(int count, char **arguments)
{
    static const char help[] =
        "usage: twin-gateway serve [--config FILE] [--dev] [--no-migrate]\n\n"
        "Runs the gateway until Ctrl-C. Settings come from TWIN_* in the environment, then FILE\n"
        "(Lua, returns a table), then defaults: see docs/configuration.md.\n\n"
        "  --dev         make what is missing: var/, the master key, the operator's token\n"
        "                (var/admin.token); vendors on a loopback address need no key\n"
        "  --no-migrate  refuse to start on a store whose schema is not current\n";
    struct serve_options options = {.migrate = true};
    const char *file = NULL;
    for (int i = 1; i < count;) {
        const char *value;
        if (strcmp(arguments[i], "--help") == 0) {
            fputs(help, stdout);
            return COMMAND_DONE;
        }
        if ((value = command_option("--config", count, arguments, &i)) != NULL) {
            file = value;
        } else if (strcmp(arguments[i], "--dev") == 0) {
            options.dev = true;
            i++;
        } else if (strcmp(arguments[i], "--no-migrate") == 0) {
            options.migrate = false;
            i++;
        } else {
            return command_misused("serve", "cannot use", arguments[i]);
        }
    }
    static struct config config;
    if (!read_config(file, &config))
        return COMMAND_FAILED;
    vito_json_use_pool();
    if (!net_http_memory_init()) {
        fputs("twin-gateway serve: libcurl does not start\n", stderr);
        return COMMAND_FAILED;
    }
    int code = serve(&config, &options);
    curl_global_cleanup();
    return code;
}

/* Prints the problems of every policy in the directory. Returns how many. */
static size_t
check_policies(const char *directory)
{
    DIR *entries = opendir(directory);
    if (entries == NULL) {
        fprintf(stderr, "%s: cannot be read; set TWIN_POLICY_DIR\n", directory);
        return 1;
    }
    size_t problems = 0;
    for (struct dirent *entry; (entry = readdir(entries)) != NULL;) {
        size_t size = strlen(entry->d_name);
        char path[CONFIG_TEXT_BYTES * 2];
        if (size < 5 || strcmp(entry->d_name + size - 4, ".lua") != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", directory, entry->d_name);
        problems += tlua_policy_check_file(path, stderr);
    }
    closedir(entries);
    return problems;
}

static bool
check_issuer(const struct config *config)
{
    struct world_issuer issuer;
    char problem[2 * CONFIG_TEXT_BYTES];
    bool fine = issuer_open(config, &issuer, problem, sizeof(problem));
    if (!fine)
        fprintf(stderr, "%s\n", problem);
    return fine;
}

int
command_check(int count, char **arguments)
{
    static const char help[] =
        "usage: twin-gateway check [--config FILE] [--print]\n\n"
        "Reads the configuration and the policies and prints every problem; opens no port.\n\n"
        "  --print   also print the settings in force and where each came from\n";
    const char *file = NULL;
    bool print = false;
    for (int i = 1; i < count;) {
        const char *value;
        if (strcmp(arguments[i], "--help") == 0) {
            fputs(help, stdout);
            return COMMAND_DONE;
        }
        if ((value = command_option("--config", count, arguments, &i)) != NULL) {
            file = value;
        } else if (strcmp(arguments[i], "--print") == 0) {
            print = true;
            i++;
        } else {
            return command_misused("check", "cannot use", arguments[i]);
        }
    }
    static struct config config;
    bool fine = read_config(file, &config);
    if (print)
        config_print(&config, stdout);
    bool sound = check_issuer(&config);
    fine = check_policies(config.policy_dir) == 0 && sound && fine;
    if (fine)
        puts("no problems");
    return fine ? COMMAND_DONE : COMMAND_FAILED;
}

int
command_migrate(int count, char **arguments)
{
    static const char help[] =
        "usage: twin-gateway migrate [--config FILE]\n\n"
        "Brings the store's schema up to date. Stop the gateway first.\n"
        "On PostgreSQL its role must be allowed to create schemas and roles;\n"
        "a gateway needs no more than a login role in twin_gateway.\n";
    const char *file = NULL;
    for (int i = 1; i < count;) {
        const char *value = command_option("--config", count, arguments, &i);
        if (value != NULL) {
            file = value;
        } else if (strcmp(arguments[i], "--help") == 0) {
            fputs(help, stdout);
            return COMMAND_DONE;
        } else {
            return command_misused("migrate", "cannot use", arguments[i]);
        }
    }
    static struct config config;
    if (!read_config(file, &config))
        return COMMAND_FAILED;
    char problem[CONFIG_TEXT_BYTES], shown[CONFIG_TEXT_BYTES];
    struct store *store = store_open(&config, true, problem, sizeof(problem));
    if (store == NULL) {
        fprintf(stderr, "twin-gateway migrate: %s\n", problem);
        return COMMAND_FAILED;
    }
    store_close(store);
    printf("%s is up to date\n", store_shown(config.store, shown, sizeof(shown)));
    return COMMAND_DONE;
}
