#include "gateway/config.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "gateway/store.h"
#include "lua/config.h"
#include "net/address.h"
#include "runtime/compiler.h"
#include "runtime/system.h"
#include "runtime/text.h"
#include "vito/store/postgres/postgres.h"

enum { RESUME_S_MAX = 600 };

/* What a problem is said to be about: "TWIN_LISTEN" or "FILE: listen". */
struct place {
    const char *file; /* NULL: the environment */
    const char *name;
};

RT_PRINTF(3, 4)
static void
complain(struct config *config, const struct place *place, const char *format, ...)
{
    size_t used = strlen(config->problems);
    size_t room = sizeof(config->problems) - used;
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (place->file == NULL)
        snprintf(config->problems + used, room, "TWIN_%s: %s\n", place->name, text);
    else
        snprintf(config->problems + used, room, "%s: %s: %s\n", place->file, place->name, text);
}

static void
set_text(struct config *config, const struct place *place, char *to, const char *value)
{
    if (strlen(value) >= CONFIG_TEXT_BYTES)
        complain(config, place, "longer than %d characters", CONFIG_TEXT_BYTES - 1);
    else
        rt_text_copy(to, CONFIG_TEXT_BYTES, value);
}

static void
set_listen(struct config *config, const struct place *place, const char *value)
{
    config->listen_count = 0;
    for (const char *at = value; *at != '\0';) {
        size_t size = strcspn(at, ",");
        struct config_listen listen = {.tls = strncmp(at, "tls:", 4) == 0};
        const char *address = listen.tls ? at + 4 : at;
        size_t length = size - (listen.tls ? 4 : 0);
        if (config->listen_count == CONFIG_LISTENS_MAX || length >= CONFIG_TEXT_BYTES ||
            memchr(address, ':', length) == NULL) {
            complain(config, place, "must be host:port, at most %d of them, separated by commas",
                     CONFIG_LISTENS_MAX);
            return;
        }
        memcpy(listen.address, address, length);
        config->listens[config->listen_count++] = listen;
        at += size + (at[size] == ',');
    }
}

static void
set_store(struct config *config, const struct place *place, const char *value)
{
    if ((strncmp(value, "sqlite:", 7) == 0 && value[7] != '\0') || vito_postgres_is_uri(value))
        set_text(config, place, config->store, value);
    else
        complain(config, place, "must be sqlite:PATH or a postgresql:// URI");
}

static void
set_node(struct config *config, const struct place *place, const char *value)
{
    if (strlen(value) >= VITO_NODE_BYTES || strpbrk(value, " \t\n") != NULL)
        complain(config, place, "must be at most %d characters without spaces",
                 VITO_NODE_BYTES - 1);
    else
        set_text(config, place, config->node, value);
}

static void
set_workers(struct config *config, const struct place *place, const char *value)
{
    char *end;
    long workers = strtol(value, &end, 10);
    if (*value == '\0' || *end != '\0' || workers < 1 || workers > RT_WORKERS_MAX)
        complain(config, place, "must be a number from 1 to %d", RT_WORKERS_MAX);
    else
        config->workers = (unsigned)workers;
}

static void
set_log(struct config *config, const struct place *place, const char *value)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(value, names[i]) == 0) {
            config->log_level = (enum rt_log_level)i;
            return;
        }
    }
    complain(config, place, "must be error, warn, info or debug");
}

static void
set_log_format(struct config *config, const struct place *place, const char *value)
{
    if (strcmp(value, "json") == 0)
        config->log_format = RT_LOG_JSON;
    else if (strcmp(value, "text") == 0)
        config->log_format = RT_LOG_TEXT;
    else
        complain(config, place, "must be text or json");
}

static void
set_master_key_file(struct config *config, const struct place *place, const char *value)
{
    set_text(config, place, config->master_key_file, value);
}

static void
set_admin_token(struct config *config, const struct place *place, const char *value)
{
    if (strlen(value) < 16)
        complain(config, place, "must have at least 16 characters");
    else
        set_text(config, place, config->admin_token, value);
}

static void
set_policy_dir(struct config *config, const struct place *place, const char *value)
{
    set_text(config, place, config->policy_dir, value);
}

static void
set_tls_cert(struct config *config, const struct place *place, const char *value)
{
    set_text(config, place, config->tls_cert, value);
}

static void
set_tls_key(struct config *config, const struct place *place, const char *value)
{
    set_text(config, place, config->tls_key, value);
}

static void
set_debug_echo(struct config *config, const struct place *place, const char *value)
{
    if (strcmp(value, "1") != 0 && strcmp(value, "0") != 0 && *value != '\0')
        complain(config, place, "must be 1 or 0");
    config->debug_echo = strcmp(value, "1") == 0;
}

static void
set_login_failures(struct config *config, const struct place *place, const char *value)
{
    char *end;
    long failures = strtol(value, &end, 10);
    if (*value == '\0' || *end != '\0' || failures < 0 || failures > 60000)
        complain(config, place, "must be a number from 0 (no limit) to 60000");
    else
        config->login_failures = (unsigned)failures;
}

/* A whole number between the bounds, or a complaint and `otherwise`. */
static unsigned
number_of(struct config *config, const struct place *place, const char *value, const long bounds[2],
          unsigned otherwise)
{
    char *end;
    long number = strtol(value, &end, 10);
    if (*value != '\0' && *end == '\0' && number >= bounds[0] && number <= bounds[1])
        return (unsigned)number;
    complain(config, place, "must be a number from %ld to %ld", bounds[0], bounds[1]);
    return otherwise;
}

static void
set_audit_checkpoint_s(struct config *config, const struct place *place, const char *value)
{
    static const long bounds[] = {1, 86400};
    config->audit_checkpoint_s =
        number_of(config, place, value, bounds, config->audit_checkpoint_s);
}

static void
set_audit_retention_days(struct config *config, const struct place *place, const char *value)
{
    static const long bounds[] = {0, 36500};
    config->audit_retention_days =
        number_of(config, place, value, bounds, config->audit_retention_days);
}

static void
set_resume_s(struct config *config, const struct place *place, const char *value)
{
    char *end;
    long seconds = strtol(value, &end, 10);
    if (*value == '\0' || *end != '\0' || seconds < 0 || seconds > RESUME_S_MAX)
        complain(config, place, "must be a number from 0 (no session can be resumed) to %d",
                 RESUME_S_MAX);
    else
        config->resume_s = (unsigned)seconds;
}

static void
set_jwks(struct config *config, const struct place *place, const char *value)
{
    bool is_url = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    if (*value == '\0' || (!is_url && strstr(value, "://") != NULL))
        complain(config, place, "must be a file, or an http or https URL, of a JWK set");
    else
        set_text(config, place, config->jwks, value);
}

static void
set_jwt_issuer(struct config *config, const struct place *place, const char *value)
{
    set_text(config, place, config->jwt_issuer, value);
}

static void
set_jwt_audience(struct config *config, const struct place *place, const char *value)
{
    set_text(config, place, config->jwt_audience, value);
}

static const struct setting {
    const char *name; /* in the file; upper-cased in the environment */
    void (*set)(struct config *config, const struct place *place, const char *value);
} settings[] = {
    {"listen", set_listen},
    {"store", set_store},
    {"node", set_node},
    {"master_key_file", set_master_key_file},
    {"admin_token", set_admin_token},
    {"policy_dir", set_policy_dir},
    {"workers", set_workers},
    {"log", set_log},
    {"log_format", set_log_format},
    {"tls_cert", set_tls_cert},
    {"tls_key", set_tls_key},
    {"login_failures", set_login_failures},
    {"resume_s", set_resume_s},
    {"audit_checkpoint_s", set_audit_checkpoint_s},
    {"audit_retention_days", set_audit_retention_days},
    {"jwks", set_jwks},
    {"jwt_issuer", set_jwt_issuer},
    {"jwt_audience", set_jwt_audience},
    {"debug_echo", set_debug_echo},
};
_Static_assert(sizeof(settings) / sizeof(settings[0]) <= 24, "config.sources has room for all");

/* Read by other commands and by the scripts, which hand their environment on. */
static const char *const foreign[] = {"URL", "SIM_URL", "SIM_PORT", "TEST_JOBS"};

static const struct setting *
find_setting(const char *name, size_t size)
{
    for (size_t i = 0; i < RT_COUNT_OF(settings); i++)
        if (strlen(settings[i].name) == size && strncasecmp(settings[i].name, name, size) == 0)
            return &settings[i];
    return NULL;
}

static void
apply(struct config *config, const struct setting *setting, const struct place *place,
      const char *value)
{
    config->sources[setting - settings] = place->file == NULL ? CONFIG_ENVIRONMENT : CONFIG_FILE;
    setting->set(config, place, value);
}

static void
set_vendor_base(struct config *config, const struct place *place, const char *provider,
                size_t provider_size, const char *url)
{
    struct world_vendor_base base = {0};
    size_t length = strlen(url);
    if (provider_size >= sizeof(base.provider) || provider_size == 0 ||
        length >= sizeof(base.url) || config->vendor_base_count == WORLD_VENDOR_BASES_MAX ||
        (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0)) {
        complain(config, place, "must be an http or https URL, at most %d of them",
                 WORLD_VENDOR_BASES_MAX);
        return;
    }
    for (size_t i = 0; i < provider_size; i++)
        base.provider[i] = (char)tolower((unsigned char)provider[i]);
    memcpy(base.url, url, length);
    while (length > 0 && base.url[length - 1] == '/')
        base.url[--length] = '\0';
    for (unsigned i = 0; i < config->vendor_base_count; i++)
        if (strcmp(config->vendor_bases[i].provider, base.provider) == 0) {
            config->vendor_bases[i] = base;
            return;
        }
    config->vendor_bases[config->vendor_base_count++] = base;
}

static void
apply_bases(struct config *config, const char *file, const cJSON *bases)
{
    const struct place place = {file, "vendor_base"};
    if (!cJSON_IsObject(bases))
        complain(config, &place, "must be a table of provider = url");
    for (const cJSON *base = bases->child; base != NULL; base = base->next)
        set_vendor_base(config, &place, base->string, strlen(base->string),
                        cJSON_IsString(base) ? base->valuestring : "");
}

static void
apply_item(struct config *config, const char *file, const cJSON *item)
{
    const struct place place = {file, item->string};
    const struct setting *setting = find_setting(item->string, strlen(item->string));
    char number[32];
    if (strcmp(item->string, "vendor_base") == 0) {
        apply_bases(config, file, item);
    } else if (setting == NULL) {
        complain(config, &place, "unknown setting");
    } else if (cJSON_IsString(item)) {
        apply(config, setting, &place, item->valuestring);
    } else if (cJSON_IsNumber(item)) {
        snprintf(number, sizeof(number), "%d", item->valueint);
        apply(config, setting, &place, number);
    } else {
        complain(config, &place, "must be a text or a number");
    }
}

static void
apply_file(struct config *config, const char *file)
{
    char problem[TLUA_PROBLEM_BYTES];
    cJSON *table;
    if (tlua_config_read(file, &table, problem) != RT_OK) {
        size_t used = strlen(config->problems);
        snprintf(config->problems + used, sizeof(config->problems) - used, "%s\n", problem);
        return;
    }
    for (const cJSON *item = table->child; item != NULL; item = item->next)
        apply_item(config, file, item);
    cJSON_Delete(table);
}

static bool
is_foreign(const char *name, size_t size)
{
    for (size_t i = 0; i < RT_COUNT_OF(foreign); i++)
        if (strlen(foreign[i]) == size && strncmp(foreign[i], name, size) == 0)
            return true;
    return strncmp(name, "SECRET_", 7) == 0;
}

static void
apply_variable(struct config *config, const char *variable)
{
    static const char base[] = "VENDOR_BASE_";
    const char *name = variable + strlen("TWIN_");
    size_t size = strcspn(name, "=");
    const char *value = name[size] == '=' ? name + size + 1 : "";
    char shown[128];
    snprintf(shown, sizeof(shown), "%.*s", (int)size, name);
    const struct place place = {NULL, shown};
    const struct setting *setting = find_setting(name, size);
    if (setting != NULL)
        apply(config, setting, &place, value);
    else if (strncmp(name, base, sizeof(base) - 1) == 0)
        set_vendor_base(config, &place, name + sizeof(base) - 1, size - (sizeof(base) - 1), value);
    else if (!is_foreign(name, size))
        complain(config, &place, "unknown setting");
}

/* systemd's LoadCredential=master.key:... puts the key where only the service can read it. */
static void
apply_credentials(struct config *config, const char *directory)
{
    char file[CONFIG_TEXT_BYTES];
    int size = snprintf(file, sizeof(file), "%s/master.key", directory);
    if (size > 0 && (size_t)size < sizeof(file) && access(file, F_OK) == 0)
        rt_text_copy(config->master_key_file, CONFIG_TEXT_BYTES, file);
}

/* Anybody may use the echo, so only this machine may reach it. */
static void
check_listen(struct config *config, const struct config_listen *listen)
{
    const struct place place = {NULL, "LISTEN"}, echo = {NULL, "DEBUG_ECHO"};
    struct net_address address;
    if (listen->tls && (config->tls_cert[0] == '\0' || config->tls_key[0] == '\0'))
        complain(config, &place, "tls: needs TWIN_TLS_CERT and TWIN_TLS_KEY");
    if (config->debug_echo && (net_address_parse(listen->address, &address) != RT_OK ||
                               !net_address_is_loopback(&address)))
        complain(config, &echo, "is for loopback alone, and TWIN_LISTEN has %s; leave one out",
                 listen->address);
}

/* A token is believed only when it says that it is from that issuer and for us (RFC 8725, 3.8 and
 * 3.9), so the three settings belong together. */
static void
check_issuer(struct config *config)
{
    const struct place keys = {NULL, "JWKS"}, issuer = {NULL, "JWT_ISSUER"},
                       audience = {NULL, "JWT_AUDIENCE"};
    if (config->jwks[0] == '\0') {
        if (config->jwt_issuer[0] != '\0' || config->jwt_audience[0] != '\0')
            complain(config, &keys, "is needed with TWIN_JWT_ISSUER and TWIN_JWT_AUDIENCE");
        return;
    }
    if (config->jwt_issuer[0] == '\0')
        complain(config, &issuer, "is needed with TWIN_JWKS: the \"iss\" that tokens must have");
    if (config->jwt_audience[0] == '\0')
        complain(config, &audience, "is needed with TWIN_JWKS: the \"aud\" that tokens must have");
}

bool
config_read(char *const *environment, const char *file, struct config *config_out)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    *config_out = (struct config){
        .listens = {{.address = "127.0.0.1:8080"}},
        .listen_count = 1,
        .store = "sqlite:var/twin.db",
        .master_key_file = "var/master.key",
        .policy_dir = "policies",
        .workers = processors < 1                ? 1
                   : processors > RT_WORKERS_MAX ? RT_WORKERS_MAX
                                                 : (unsigned)processors,
        .log_level = RT_LOG_INFO,
        .login_failures = 600,
        .resume_s = 30,
        .audit_checkpoint_s = 300,
        .audit_retention_days = 3650,
    };
    static const char credentials[] = "CREDENTIALS_DIRECTORY=";
    for (char *const *variable = environment; *variable != NULL; variable++)
        if (strncmp(*variable, credentials, sizeof(credentials) - 1) == 0)
            apply_credentials(config_out, *variable + sizeof(credentials) - 1);
    if (file != NULL)
        apply_file(config_out, file);
    for (char *const *variable = environment; *variable != NULL; variable++)
        if (strncmp(*variable, "TWIN_", 5) == 0)
            apply_variable(config_out, *variable);
    for (unsigned i = 0; i < config_out->listen_count; i++)
        check_listen(config_out, &config_out->listens[i]);
    check_issuer(config_out);
    return config_out->problems[0] == '\0';
}

static void
print_value(const struct config *config, const char *name, FILE *out)
{
    static const char *const levels[] = {"error", "warn", "info", "debug"};
    char shown[CONFIG_TEXT_BYTES];
    if (strcmp(name, "listen") == 0) {
        for (unsigned i = 0; i < config->listen_count; i++)
            fprintf(out, "%s%s%s", i == 0 ? "" : ",", config->listens[i].tls ? "tls:" : "",
                    config->listens[i].address);
    } else if (strcmp(name, "store") == 0) {
        fputs(store_shown(config->store, shown, sizeof(shown)), out);
    } else if (strcmp(name, "node") == 0) {
        fputs(config->node[0] == '\0' ? "(host and port)" : config->node, out);
    } else if (strcmp(name, "master_key_file") == 0) {
        fputs(config->master_key_file, out);
    } else if (strcmp(name, "admin_token") == 0) {
        fputs(config->admin_token[0] == '\0' ? "(not set)" : "(secret)", out);
    } else if (strcmp(name, "policy_dir") == 0) {
        fputs(config->policy_dir, out);
    } else if (strcmp(name, "workers") == 0) {
        fprintf(out, "%u", config->workers);
    } else if (strcmp(name, "log") == 0) {
        fputs(levels[config->log_level], out);
    } else if (strcmp(name, "log_format") == 0) {
        fputs(config->log_format == RT_LOG_JSON ? "json" : "text", out);
    } else if (strcmp(name, "debug_echo") == 0) {
        fputs(config->debug_echo ? "1" : "0", out);
    } else if (strcmp(name, "tls_cert") == 0) {
        fputs(config->tls_cert, out);
    } else if (strcmp(name, "tls_key") == 0) {
        fputs(config->tls_key, out);
    } else if (strcmp(name, "login_failures") == 0) {
        fprintf(out, "%u", config->login_failures);
    } else if (strcmp(name, "resume_s") == 0) {
        fprintf(out, "%u", config->resume_s);
    } else if (strcmp(name, "audit_checkpoint_s") == 0) {
        fprintf(out, "%u", config->audit_checkpoint_s);
    } else if (strcmp(name, "audit_retention_days") == 0) {
        fprintf(out, "%u", config->audit_retention_days);
    } else if (strcmp(name, "jwks") == 0) {
        fputs(config->jwks, out);
    } else if (strcmp(name, "jwt_issuer") == 0) {
        fputs(config->jwt_issuer, out);
    } else if (strcmp(name, "jwt_audience") == 0) {
        fputs(config->jwt_audience, out);
    }
}

void
config_print(const struct config *config, FILE *out)
{
    static const char *const sources[] = {"default", "file", "environment"};
    for (size_t i = 0; i < RT_COUNT_OF(settings); i++) {
        fprintf(out, "%-20s = ", settings[i].name);
        print_value(config, settings[i].name, out);
        fprintf(out, "  (%s)\n", sources[config->sources[i]]);
    }
    for (unsigned i = 0; i < config->vendor_base_count; i++)
        fprintf(out, "%-20s = %s: %s\n", "vendor_base", config->vendor_bases[i].provider,
                config->vendor_bases[i].url);
}

const char *
config_sqlite_path(const struct config *config)
{
    return strncmp(config->store, "sqlite:", 7) == 0 ? config->store + 7 : NULL;
}
