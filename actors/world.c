#include "actors/world.h"

#include <string.h>

#include "actors/admin.h"
#include "actors/auditor.h"
#include "actors/metrics.h"
#include "actors/recovery.h"
#include "actors/registry.h"
#include "actors/vault.h"
#include "actors/vendor.h"
#include "actors/verifier.h"

enum { RESTARTS_MAX = 10, RESTART_WINDOW_MS = 60000, RESTART_BACKOFF_MS = 100 };

static enum rt_status
spawn(struct world *world, const struct rt_behaviour *behaviour, int worker,
      struct rt_address *address_out)
{
    struct rt_spawn_options options = {
        .behaviour = behaviour,
        .args = world,
        .worker = worker,
        .goes_ahead = worker != RT_ANY_WORKER,
        .restarts_max = RESTARTS_MAX,
        .restart_window_ms = RESTART_WINDOW_MS,
        .restart_backoff_ms = RESTART_BACKOFF_MS,
    };
    return rt_spawn(world->system, &options, address_out);
}

enum rt_status
world_start(struct world *world)
{
    metrics_register();
    enum rt_status status = RT_OK;
    for (unsigned i = 0; i < rt_system_workers(world->system) && status == RT_OK; i++)
        status = spawn(world, &vendor_behaviour, (int)i, &world->vendors[i]);
    for (unsigned i = 0;
         world_has_issuer(world) && i < rt_system_workers(world->system) && status == RT_OK; i++)
        status = spawn(world, &verifier_behaviour, (int)i, &world->verifiers[i]);
    if (status == RT_OK)
        status = spawn(world, &registry_behaviour, RT_ANY_WORKER, &world->registry);
    if (status == RT_OK)
        status = spawn(world, &admin_behaviour, RT_ANY_WORKER, &world->admin);
    if (status == RT_OK && world->vault != NULL)
        status = spawn(world, &vault_behaviour, RT_ANY_WORKER, &world->keeper);
    struct rt_address auditor;
    if (status == RT_OK && world->audit_checkpoint_ms > 0)
        status = spawn(world, &auditor_behaviour, RT_ANY_WORKER, &auditor);
    if (status == RT_OK)
        status = spawn(world, &recovery_behaviour, RT_ANY_WORKER, &world->recovery);
    return status;
}

const char *
world_vendor_base(const struct world *world, const char *provider)
{
    for (unsigned i = 0; i < world->vendor_base_count; i++)
        if (strcmp(world->vendor_bases[i].provider, provider) == 0)
            return world->vendor_bases[i].url;
    const struct adapter_sheet *sheet = world->adapters.sheet(world->adapters.self, provider);
    return sheet == NULL ? NULL : sheet->default_base_url;
}

bool
world_url_is_loopback(const char *url)
{
    static const char *const hosts[] = {"localhost", "[::1]"};
    const char *host = strstr(url, "://");
    if (host == NULL)
        return false;
    host += 3;
    size_t size = strcspn(host, "/?#");
    if (memchr(host, '@', size) != NULL)
        return false; /* what stands before an '@' is not the host */
    for (size_t i = 0; i < RT_COUNT_OF(hosts); i++) {
        size_t length = strlen(hosts[i]);
        if (size >= length && strncmp(host, hosts[i], length) == 0 &&
            (size == length || host[length] == ':'))
            return true;
    }
    size_t digits = strspn(host, "0123456789.");
    return strncmp(host, "127.", 4) == 0 && (digits == size || host[digits] == ':');
}
