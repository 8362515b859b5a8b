#include "tests/sim/world/sim_life.h"

#include "actors/messages.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/sim/world/sim_operator.h"
#include "tests/sim/world/sim_policy.h"
#include "tests/sim/world/sim_run.h"
#include "tests/stress/stress.h"

enum { IDLE_MS = 5000, IDLE_PATIENT_MS = 600000, RESUME_MS = 3000 };

static enum rt_status
get_secret(void *self, const struct vito_secret_use *use, struct vito_secret *secret_out)
{
    (void)self, (void)use, (void)secret_out;
    return RT_NOT_FOUND;
}

static struct vito_secrets no_secrets = {.get = get_secret};

static void
on_drained(void *context)
{
    ((struct sim_life *)context)->drained = true;
}

static void
on_told(void *context, const char *session_id, unsigned done)
{
    sim_books_check_done(&((struct sim_run *)context)->books, session_id, done);
}

static void
begin_world(struct sim_life *life, const struct vito_store *store)
{
    struct sim_run *run = life->run;
    life->vendors = (struct sim_vendors){.sim = life->sim,
                                         .truths = &run->truths,
                                         .faults = run->swarm.vendor,
                                         .bug = run->plant->vendor,
                                         .rooms_run_on = !run->books.upset};
    life->world = (struct world){
        .system = rt_sim_system(life->sim),
        .store = *store,
        .secrets = &no_secrets,
        .keyring = run->keyring,
        .admin_token =
            vito_key_digest(run->keyring, SIM_OPERATOR_TOKEN, sizeof(SIM_OPERATOR_TOKEN) - 1),
        .policies = sim_policy_port(life->sim),
        .adapters = sim_vendors_port(&life->vendors),
        .sessions_max = 20,
        .tenant_idle_ms = 500,
        .resume_ms = run->swarm.resume > 0 ? RESUME_MS : 0,
        .session_idle_ms = run->swarm.is_patient ? IDLE_PATIENT_MS : IDLE_MS,
        .drained = on_drained,
        .drained_context = life,
    };
    CHECK(world_start(&life->world) == RT_OK);
}

void
sim_life_begin(struct sim_life *life, const struct vito_store *store, unsigned clients)
{
    struct sim_run *run = life->run;
    begin_world(life, store);
    life->clients = (struct sim_clients){.sim = life->sim,
                                         .world = &life->world,
                                         .tenants = sim_run_tenants,
                                         .keys = sim_run_keys,
                                         .tenant_count = SIM_TENANTS,
                                         .client_count = clients,
                                         .delay_max_ms = run->swarm.client_delay_max_ms,
                                         .acts_within_ms = run->swarm.acts_within_ms,
                                         .vanish = run->swarm.vanish,
                                         .resume = run->swarm.resume,
                                         .seen = &run->seen,
                                         .told = on_told,
                                         .context = run};
    sim_clients_start(&life->clients);
    life->chaos = (struct sim_chaos){.sim = life->sim, .swarm = &run->swarm};
    sim_chaos_start(&life->chaos);
    sim_memory_fail(rt_sim_random(life->sim), run->swarm.memory);
}

void
sim_life_heal(struct sim_life *life)
{
    life->chaos.over = life->clients.closing = true;
}

void
sim_life_shut_down(struct sim_life *life)
{
    struct rt_message *message = sim_message(REGISTRY_SHUTDOWN, 0);
    message->flags = RT_MESSAGE_CONTROL; /* its mailbox may still be full */
    if (rt_post(rt_sim_system(life->sim), life->world.registry, message) != RT_OK)
        sim_books_find(&life->run->books, "answers: the registry has ended for good");
}

void
sim_life_end(struct sim_life *life)
{
    struct sim_run *run = life->run;
    sim_memory_fail(NULL, 0);
    run->hash = run->hash * 31 + rt_sim_hash(life->sim);
    for (unsigned kind = 0; kind < CHAOS_KIND_COUNT; kind++)
        run->happened[kind] += life->chaos.happened[kind];
    life->clients.closing = true;
    rt_sim_destroy(life->sim);
    sim_clients_stop(&life->clients);
}
