/*
 * What a former life left open: nobody can prove that a leg's hold was not used, so it counts as
 * spent; and what no leg held goes back to the budget. The new epoch comes first, so that nothing
 * of the former life can be written any more.
 */
#include <stdlib.h>

#include "runtime/log.h"
#include "vito/store/postgres/internal.h"

enum {
    LEGS_AT_ONCE = 500,
    TRIES_MAX = 8, /* to begin a life: others write to the same months meanwhile */
};

/* The requests that settle a group of legs. */
struct settlements {
    struct vito_request requests[LEGS_AT_ONCE];
    struct vito_pg_item items[LEGS_AT_ONCE];
    size_t count;
};

static void
read_settlements(const struct vito_postgres *database, unsigned result, struct settlements *all)
{
    const struct vito_pg_link *link = &database->link;
    int64_t now_ms = database->world->wall_ms(database->world->self);
    all->count = (size_t)vito_pg_rows(link, result);
    for (size_t i = 0; i < all->count; i++) {
        struct vito_request *request = &all->requests[i];
        *request = (struct vito_request){
            .op = VITO_LEG_SETTLE,
            .period_start_ms = vito_pg_i64(link, result, (int)i, 2),
            .leg = {.outcome = "recovered",
                    .cost_nusd = vito_pg_i64(link, result, (int)i, 3),
                    .at_ms = now_ms},
        };
        vito_pg_copy(link, result, (int)i, 0, request->tenant_id, sizeof(request->tenant_id));
        vito_pg_copy(link, result, (int)i, 1, request->leg.id, sizeof(request->leg.id));
        all->items[i] = (struct vito_pg_item){.request = request};
    }
}

static enum vito_pg_outcome
settle_legs(struct vito_postgres *database, const struct vito_pg_arguments *node,
            struct settlements *all)
{
    enum vito_pg_outcome outcome;
    do {
        unsigned result = vito_pg_send(&database->link, VITO_PG_NODE_OPEN_LEGS, node);
        outcome = vito_pg_exchange(database);
        if (outcome != VITO_PG_DONE)
            return outcome;
        read_settlements(database, result, all);
        if (all->count > 0)
            outcome = vito_pg_run(database, all->items, all->count, false);
    } while (outcome == VITO_PG_DONE && all->count > 0);
    return outcome;
}

/* Rooms at video vendors outlive the gateway that opened them: their legs become this one's, with
 * what they hold, until they are ended there (actors/recovery.c). */
static enum vito_pg_outcome
adopt_legs(struct vito_postgres *database, const struct vito_pg_arguments *node)
{
    struct vito_pg_arguments both = *node;
    vito_pg_add_text(&both, database->node);
    vito_pg_add_i64(&both, database->epoch);
    vito_pg_send(&database->link, VITO_PG_NODE_ADOPT, &both);
    return vito_pg_exchange(database);
}

enum vito_pg_outcome
vito_pg_settle_node(struct vito_postgres *database, const char *name, int64_t epoch)
{
    struct settlements *all = calloc(1, sizeof(*all));
    if (all == NULL)
        return VITO_PG_LOST;
    struct vito_pg_arguments node = {0};
    vito_pg_add_text(&node, name);
    vito_pg_add_i64(&node, epoch);
    enum vito_pg_outcome outcome = adopt_legs(database, &node);
    if (outcome == VITO_PG_DONE)
        outcome = settle_legs(database, &node, all);
    free(all);
    if (outcome != VITO_PG_DONE)
        return outcome;
    vito_pg_send(&database->link, VITO_PG_NODE_UNRESERVE, &node);
    vito_pg_send(&database->link, VITO_PG_NODE_CLOSE_GRANTS, &node);
    return vito_pg_exchange(database);
}

static enum vito_pg_outcome
begin_epoch(struct vito_postgres *database)
{
    struct vito_pg_arguments node = {0};
    vito_pg_add_text(&node, database->node);
    vito_pg_add_i64(&node, database->lease_ms);
    vito_pg_begin(database, NULL, 0, false);
    unsigned started = vito_pg_send(&database->link, VITO_PG_NODE_START, &node);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE) {
        database->epoch = vito_pg_i64(&database->link, started, 0, 0);
        database->batch = 0;
        database->nodes_live = vito_pg_i64(&database->link, started, 0, 1);
        outcome = vito_pg_settle_node(database, database->node, database->epoch);
    }
    return outcome == VITO_PG_DONE ? vito_pg_commit(database) : outcome;
}

enum vito_pg_outcome
vito_pg_recover(struct vito_postgres *database)
{
    enum vito_pg_outcome outcome;
    int tries = 0;
    bool met_locks;
    do {
        outcome = begin_epoch(database);
        met_locks = outcome == VITO_PG_REFUSED && vito_pg_is_transient(&database->link);
        if (outcome != VITO_PG_DONE)
            vito_pg_rollback(database);
    } while (met_locks && ++tries < TRIES_MAX);
    if (outcome == VITO_PG_DONE)
        database->fenced = false;
    return outcome;
}

enum vito_pg_outcome
vito_pg_reap(struct vito_postgres *database, uint32_t grace_ms, bool *found_out)
{
    struct vito_pg_arguments find = {0}, fence = {0};
    char node[VITO_NODE_BYTES];
    vito_pg_add_text(&find, database->node);
    vito_pg_add_i64(&find, grace_ms);
    *found_out = false;
    vito_pg_begin(database, NULL, 0, true);
    unsigned result = vito_pg_send(&database->link, VITO_PG_NODE_FIND_DEAD, &find);
    enum vito_pg_outcome outcome = vito_pg_exchange(database);
    if (outcome == VITO_PG_DONE && vito_pg_rows(&database->link, result) > 0) {
        int64_t epoch = vito_pg_i64(&database->link, result, 0, 1);
        vito_pg_copy(&database->link, result, 0, 0, node, sizeof(node));
        vito_pg_add_text(&fence, node);
        vito_pg_send(&database->link, VITO_PG_NODE_FENCE, &fence);
        outcome = vito_pg_settle_node(database, node, epoch + 1);
        rt_log(RT_LOG_WARN, "store.settled_another", RT_STR("node", node), RT_I64("epoch", epoch));
        *found_out = outcome == VITO_PG_DONE;
    }
    return outcome == VITO_PG_DONE ? vito_pg_commit(database) : outcome;
}
