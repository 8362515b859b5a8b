#include "gateway/serve.h"

#include <curl/curl.h>
#include <errno.h>
#include <libgen.h>
#include <semaphore.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "actors/messages.h"
#include "actors/world.h"
#include "gateway/front.h"
#include "gateway/issuer.h"
#include "gateway/process.h"
#include "gateway/store.h"
#include "gateway/token.h"
#include "lua/adapter_vm.h"
#include "lua/policy_vm.h"
#include "net/http_client.h"
#include "runtime/flight.h"
#include "runtime/log.h"
#include "runtime/system.h"
#include "vito/login_limit.h"

extern char **environ;

enum {
    HEADER_BYTES_MAX = 16 * 1024,
    BODY_BYTES_MAX = 64 * 1024,
    QUEUED_BYTES_MAX = 64 * 1024, /* unsent, a connection; one frame may be larger */
    HEADER_TIMEOUT_MS = 5000,
    BODY_TIMEOUT_MS = 10000,
    IDLE_TIMEOUT_MS = 75000,
    PING_INTERVAL_MS = 30000,
    FILES_KEPT_FREE = 256, /* for vendors, the store and the log */
    SESSIONS_MAX = 10000,  /* of one tenant */
    TENANT_IDLE_MS = 60000,
    SESSION_IDLE_MS = 15 * 60 * 1000,
    DRAIN_MAX_S = 20,
    FAREWELL_MS = 250,
    STALL_MS = 1000, /* a turn that lasts so long is logged */
};

struct gateway {
    const struct config *config;
    const struct serve_options *options;
    struct world world;
    struct front front;
    struct rt_system *system;
    struct rt_watchdog *watchdog;
    struct net_http_client *http;
    struct tlua_policies *policies;
    struct tlua_adapters *adapters;
    struct store *store;
    struct vito_secrets *environment; /* what the vault falls back on */
    struct net_server *servers[CONFIG_LISTENS_MAX];
    unsigned server_count;
    sem_t drained;
};

RT_PRINTF(1, 2)
static bool
fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("twin-gateway: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    return false;
}

static bool
open_log(const struct config *config)
{
    struct rt_log_options options = {
        .level = config->log_level,
        .format = config->log_format,
        .fd = STDERR_FILENO,
        .world = rt_world_real(),
    };
    return rt_log_start(&options) == RT_OK || fail("cannot start the log's thread");
}

/* With --dev the directories of what is about to be made are made as well. */
static void
make_directory_of(const char *path)
{
    char copy[CONFIG_TEXT_BYTES];
    snprintf(copy, sizeof(copy), "%s", path);
    mkdir(dirname(copy), 0700);
}

static bool
open_keys(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    char problem[CONFIG_PROBLEM_BYTES];
    if (gateway->options->dev)
        make_directory_of(config->master_key_file);
    if (vito_keyring_open(config->master_key_file, gateway->options->dev, rt_world_real(),
                          &gateway->world.keyring, problem, sizeof(problem)) != RT_OK)
        return fail("%s", problem);
    gateway->environment = vito_secrets_from_environment(environ, gateway->options->dev);
    return gateway->environment != NULL || fail("out of memory");
}

/* Behind the vault, from which the keyring learns what API keys and tokens are hashed with. */
static bool
open_token(struct gateway *gateway)
{
    char problem[CONFIG_PROBLEM_BYTES];
    char token[TOKEN_BYTES];
    if (!token_find(gateway->config, gateway->options->dev, token, problem, sizeof(problem)))
        return fail("%s", problem);
    gateway->world.admin_token = vito_key_digest(gateway->world.keyring, token, strlen(token));
    if (gateway->config->login_failures > 0)
        gateway->world.logins = vito_login_limit_create(gateway->config->login_failures);
    sodium_memzero(token, sizeof(token));
    return true;
}

static bool
open_system(struct gateway *gateway)
{
    struct rt_system_options options = {.workers = gateway->config->workers,
                                        .world = rt_world_real()};
    gateway->system = rt_system_create(&options);
    gateway->world.system = gateway->system;
    return gateway->system != NULL || fail("out of memory or file descriptors");
}

static enum rt_status
ask_store(void *self, const struct vito_request *request, struct vito_stored *stored_out,
          struct rt_buffer **document_out)
{
    return store_ask(self, request, stored_out, document_out);
}

/* Before the store has a thread of its own: nothing is served unless the vault opens. */
static bool
open_vault(struct gateway *gateway)
{
    const struct vito_vault_ledger ledger = {.self = gateway->store, .ask = ask_store};
    char problem[CONFIG_PROBLEM_BYTES];
    if (vito_vault_open(gateway->world.keyring, rt_world_real(), &ledger, &gateway->world.vault,
                        problem, sizeof(problem)) != RT_OK)
        return fail("%s", problem);
    gateway->world.secrets = vito_vault_secrets(gateway->world.vault, gateway->environment);
    return true;
}

static bool
open_store(struct gateway *gateway)
{
    const char *path = config_sqlite_path(gateway->config);
    char problem[CONFIG_TEXT_BYTES];
    if (gateway->options->dev && path != NULL)
        make_directory_of(path);
    gateway->store =
        store_open(gateway->config, gateway->options->migrate, problem, sizeof(problem));
    if (gateway->store == NULL)
        return fail("%s", problem);
    if (!open_vault(gateway))
        return false;
    if (!store_start(gateway->store, gateway->system))
        return fail("cannot start the store's thread");
    gateway->world.store = store_port(gateway->store);
    return true;
}

static bool
open_scripts(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    struct tlua_policy_options options = {
        .directory = config->policy_dir,
        .workers = config->workers,
        .world = rt_world_real(),
    };
    if (access(config->policy_dir, R_OK | X_OK) != 0)
        return fail("%s: %s; set TWIN_POLICY_DIR to the directory of policies", config->policy_dir,
                    strerror(errno));
    gateway->policies = tlua_policies_create(&options);
    gateway->adapters = tlua_adapters_create(&(struct tlua_adapter_options){0});
    if (gateway->policies == NULL || gateway->adapters == NULL)
        return fail("out of memory, or an adapter does not load: see the log");
    gateway->world.policies = tlua_policies_port(gateway->policies);
    gateway->world.adapters = tlua_adapters_port(gateway->adapters);
    return true;
}

static bool
open_vendors(struct gateway *gateway)
{
    gateway->http = net_http_client_create(gateway->system);
    if (gateway->http == NULL)
        return fail("cannot make the HTTP client");
    gateway->world.http = net_http_client_port(gateway->http);
    memcpy(gateway->world.vendor_bases, gateway->config->vendor_bases,
           sizeof(gateway->world.vendor_bases));
    gateway->world.vendor_base_count = gateway->config->vendor_base_count;
    return true;
}

static bool
open_issuer(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    char problem[2 * CONFIG_TEXT_BYTES];
    if (strncmp(config->jwks, "http://", 7) == 0 && !world_url_is_loopback(config->jwks))
        rt_log(RT_LOG_WARN, "issuer.keys_in_the_clear", RT_STR("source", config->jwks));
    return issuer_open(config, &gateway->world.issuer, problem, sizeof(problem)) ||
           fail("%s", problem);
}

static void
on_drained(void *context)
{
    sem_post(&((struct gateway *)context)->drained);
}

static bool
open_actors(struct gateway *gateway)
{
    struct world *world = &gateway->world;
    world->sessions_max = SESSIONS_MAX;
    world->tenant_idle_ms = TENANT_IDLE_MS;
    world->session_idle_ms = SESSION_IDLE_MS;
    world->resume_ms = gateway->config->resume_s * 1000;
    world->audit_checkpoint_ms = gateway->config->audit_checkpoint_s * 1000;
    world->audit_retention_ms = gateway->config->audit_retention_days * INT64_C(86400000);
    world->drained = on_drained;
    world->drained_context = gateway;
    enum rt_status status = world_start(world);
    return status == RT_OK || fail("cannot start the actors: %s", rt_status_name(status));
}

static bool
open_listeners(struct gateway *gateway)
{
    const struct config *config = gateway->config;
    gateway->front = (struct front){.world = &gateway->world, .has_echo = config->debug_echo};
    size_t files = process_files_max();
    size_t connections = files > (size_t)2 * FILES_KEPT_FREE ? files - FILES_KEPT_FREE : files / 2;
    for (unsigned i = 0; i < config->listen_count; i++) {
        const struct config_listen *listen = &config->listens[i];
        char problem[CONFIG_TEXT_BYTES];
        struct net_server_options options = {
            .system = gateway->system,
            .listen = listen->address,
            .tls_certificate_file = listen->tls ? config->tls_cert : NULL,
            .tls_key_file = listen->tls ? config->tls_key : NULL,
            .events = front_events(&gateway->front),
            .header_bytes_max = HEADER_BYTES_MAX,
            .body_bytes_max = BODY_BYTES_MAX,
            .message_bytes_max = FRAME_WIRE_BYTES_MAX,
            .queued_bytes_max = QUEUED_BYTES_MAX,
            .connections_max = (uint32_t)(connections / config->workers),
            .header_timeout_ms = HEADER_TIMEOUT_MS,
            .body_timeout_ms = BODY_TIMEOUT_MS,
            .idle_timeout_ms = IDLE_TIMEOUT_MS,
            .ping_interval_ms = PING_INTERVAL_MS,
        };
        if (net_server_open(&options, &gateway->servers[i], problem, sizeof(problem)) != RT_OK)
            return fail("%s", problem);
        gateway->server_count++;
    }
    return true;
}

/* A worker that is stuck is logged, and a crash leaves the last turns on stderr. */
static bool
open_watch(struct gateway *gateway)
{
    rt_flight_on_crash(gateway->system, STDERR_FILENO);
    return rt_watchdog_start(gateway->system, STALL_MS, &gateway->watchdog) == RT_OK ||
           fail("cannot start the watchdog");
}

/* Builds from the ground up; what was built when something fails is taken down by close_all(). */
static bool
open_all(struct gateway *gateway)
{
    return open_log(gateway->config) && open_keys(gateway) && open_system(gateway) &&
           open_store(gateway) && open_token(gateway) && open_scripts(gateway) &&
           open_vendors(gateway) && open_issuer(gateway) && open_actors(gateway) &&
           open_listeners(gateway) &&
           (rt_system_start(gateway->system) == RT_OK || fail("cannot start the workers")) &&
           open_watch(gateway);
}

static void
close_all(struct gateway *gateway)
{
    rt_watchdog_stop(gateway->watchdog);
    rt_flight_on_crash(NULL, STDERR_FILENO);
    if (gateway->system != NULL)
        rt_system_stop(gateway->system);
    for (unsigned i = 0; i < gateway->server_count; i++)
        net_server_close(gateway->servers[i]);
    net_http_client_close(gateway->http);
    store_close(gateway->store);
    if (gateway->system != NULL)
        rt_system_destroy(gateway->system);
    net_http_client_destroy(gateway->http);
    tlua_policies_destroy(gateway->policies);
    tlua_adapters_destroy(gateway->adapters);
    vito_vault_close(gateway->world.vault);
    vito_secrets_destroy(gateway->environment);
    vito_login_limit_destroy(gateway->world.logins);
    vito_keyring_close(gateway->world.keyring);
    rt_log_stop();
}

static void
announce(const struct gateway *gateway)
{
    char shown[CONFIG_TEXT_BYTES];
    for (unsigned i = 0; i < gateway->server_count; i++) {
        const char *address = gateway->config->listens[i].address;
        size_t host = (size_t)(strrchr(address, ':') - address);
        printf("twin-gateway listening on %s://%.*s:%u\n",
               gateway->config->listens[i].tls ? "https" : "http", (int)host, address,
               net_server_port(gateway->servers[i]));
    }
    fflush(stdout);
    rt_log(RT_LOG_INFO, "gateway.started", RT_STR("version", TWIN_VERSION),
           RT_U64("workers", gateway->config->workers), RT_U64("files_max", process_files_max()),
           RT_STR("store", store_shown(gateway->config->store, shown, sizeof(shown))));
}

/* What may change while we run: policies, certificates, and the issuer's keys. */
static void
reload(struct gateway *gateway)
{
    tlua_policies_reload(gateway->policies);
    for (unsigned i = 0; i < gateway->server_count; i++)
        net_server_renew_tls(gateway->servers[i]);
    for (unsigned i = 0; world_has_issuer(&gateway->world) && i < gateway->config->workers; i++) {
        struct rt_message *message = rt_message_create(VERIFIER_REFRESH, 0);
        if (message != NULL)
            rt_post(gateway->system, gateway->world.verifiers[i], message);
    }
}

/* Sessions end with their bills, tenants give back what they did not spend; bounded in time. */
static void
drain(struct gateway *gateway)
{
    rt_log(RT_LOG_INFO, "gateway.stopping", RT_U64("patience_s", DRAIN_MAX_S));
    for (unsigned i = 0; i < gateway->server_count; i++)
        net_server_stop_accepting(gateway->servers[i]);
    struct rt_message *message = rt_message_create(REGISTRY_SHUTDOWN, 0);
    if (message == NULL)
        return;
    message->flags = RT_MESSAGE_CONTROL;
    if (rt_post(gateway->system, gateway->world.registry, message) != RT_OK)
        return;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DRAIN_MAX_S;
    int failed;
    while ((failed = sem_timedwait(&gateway->drained, &until)) != 0 && errno == EINTR)
        ;
    if (failed)
        rt_log(RT_LOG_WARN, "gateway.not_drained", RT_U64("waited_s", DRAIN_MAX_S));
    /* The last frames are on their way through connections and sockets. */
    const struct timespec farewell = {.tv_nsec = FAREWELL_MS * 1000000L};
    clock_nanosleep(CLOCK_MONOTONIC, 0, &farewell, NULL);
}

int
serve(const struct config *config, const struct serve_options *options)
{
    struct gateway *gateway = calloc(1, sizeof(*gateway));
    if (gateway == NULL)
        return 1;
    gateway->config = config;
    gateway->options = options;
    sem_init(&gateway->drained, 0, 0);
    process_harden();
    bool started = open_all(gateway);
    if (started) {
        announce(gateway);
        while (process_wait() == PROCESS_RELOAD)
            reload(gateway);
        drain(gateway);
    }
    close_all(gateway);
    sem_destroy(&gateway->drained);
    free(gateway);
    return started ? 0 : 1;
}
