#include "tests/sim/world/sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

enum { BATCH_MAX = 64 };

struct sim_store_request {
    struct sim_store_request *next;
    struct rt_address caller;
    uint64_t request_id;
    struct vito_request request;
};

struct answer {
    struct sim_store_request *request;
    struct vito_stored stored;
    struct rt_buffer *document;
};

static struct sim_store_request *
pop(struct sim_store *store)
{
    struct sim_store_request *request = store->first;
    if (request == NULL)
        return NULL;
    store->first = request->next;
    if (store->first == NULL)
        store->end = &store->first;
    return request;
}

/* Whether the planted bug forgets this batch. */
static bool
is_forgotten(struct sim_store *store, const struct answer *answers, size_t count)
{
    static const struct {
        enum sim_store_bug bug;
        enum vito_op op;
    } forgotten[] = {{STORE_FORGETS_SETTLES, VITO_LEG_SETTLE},
                     {STORE_FORGETS_RETURNS, VITO_BUDGET_RETURN}};
    bool forgets = store->bug == STORE_FORGETS;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < RT_COUNT_OF(forgotten); j++)
            forgets |=
                store->bug == forgotten[j].bug && answers[i].request->request.op == forgotten[j].op;
    unsigned per_mille = store->bug == STORE_FORGETS_RETURNS ? 500 : 100;
    return forgets && rt_random_chance(rt_sim_random(store->sim), per_mille);
}

/* The planted bug: what was granted stays in the budget. */
static void
unreserve(struct sim_store *store, const struct answer *answer)
{
    char sql[256];
    if (store->bug != STORE_GRANTS_FREE || answer->stored.op != VITO_BUDGET_GRANT)
        return;
    snprintf(sql, sizeof(sql),
             "UPDATE vito_budgets SET reserved_nusd = max(0, reserved_nusd - %ld) "
             "WHERE tenant_id = '%s' AND period_start_ms = %ld",
             answer->stored.budget.granted_nusd, answer->request->request.tenant_id,
             answer->request->request.period_start_ms);
    CHECK(sqlite3_exec(store->database->db, sql, NULL, NULL, NULL) == SQLITE_OK);
}

static size_t
execute_batch(struct sim_store *store, struct answer *answers)
{
    size_t count = 0;
    size_t batch = 1 + rt_random_below(rt_sim_random(store->sim), BATCH_MAX);
    while (count < batch && store->first != NULL) {
        struct answer *answer = &answers[count++];
        memset(answer, 0, sizeof(*answer));
        answer->request = pop(store);
        answer->stored.op = answer->request->request.op;
        CHECK(vito_sqlite_execute(store->database, &answer->request->request, &answer->stored,
                                  &answer->document));
        unreserve(store, answer);
    }
    return count;
}

static void
answer_all(struct sim_store *store, struct answer *answers, size_t count, bool failed)
{
    for (size_t i = 0; i < count; i++) {
        struct sim_store_request *request = answers[i].request;
        if (failed) {
            rt_buffer_release(answers[i].document);
            answers[i].document = NULL;
            answers[i].stored =
                (struct vito_stored){.op = request->request.op, .status = RT_UNAVAILABLE};
        }
        if (store->bug == STORE_SAYS_NOTHING && rt_random_chance(rt_sim_random(store->sim), 10))
            request->caller = RT_NOBODY;
        vito_store_answer(rt_sim_system(store->sim), request->caller, request->request_id,
                          &answers[i].stored, answers[i].document);
        vito_request_release(&request->request);
        free(request);
    }
}

static void set_flush(struct sim_store *store);

static void
flush(void *context)
{
    struct sim_store *store = context;
    struct answer answers[BATCH_MAX];
    struct rt_random *dice = rt_sim_random(store->sim);
    store->flush_is_set = false;
    bool rolled_back = store->down || rt_random_chance(dice, store->rollback_per_mille);
    CHECK(vito_sqlite_begin(store->database) == RT_OK);
    size_t count = execute_batch(store, answers);
    bool forgotten = is_forgotten(store, answers, count);
    if (rolled_back || forgotten)
        vito_sqlite_rollback(store->database);
    else
        CHECK(vito_sqlite_commit(store->database) == RT_OK);
    bool lost = rt_random_chance(dice, store->lost_ack_per_mille);
    if (!rolled_back)
        store->committed(store->context);
    answer_all(store, answers, count, rolled_back || lost);
    set_flush(store);
}

static void
set_flush(struct sim_store *store)
{
    if (store->flush_is_set || store->first == NULL)
        return;
    store->flush_is_set = true;
    uint64_t delay_ns = 100000 + rt_random_below(rt_sim_random(store->sim), store->delay_max_ns);
    CHECK(rt_sim_after(store->sim, delay_ns, flush, store));
}

static void
submit(void *self, struct rt_actor *caller, const struct vito_request *request, uint64_t request_id)
{
    struct sim_store *store = self;
    struct sim_store_request *copy = malloc(sizeof(*copy));
    CHECK(copy != NULL);
    *copy = (struct sim_store_request){
        .caller = rt_self(caller), .request_id = request_id, .request = *request};
    *store->end = copy;
    store->end = &copy->next;
    set_flush(store);
}

struct sim_store *
sim_store_create(struct rt_sim *sim, struct vito_sqlite *database)
{
    struct sim_store *store = calloc(1, sizeof(*store));
    CHECK(store != NULL);
    store->sim = sim;
    store->database = database;
    store->end = &store->first;
    store->delay_max_ns = 3 * RT_NS_PER_MS;
    return store;
}

void
sim_store_destroy(struct sim_store *store)
{
    for (struct sim_store_request *request; (request = pop(store)) != NULL;) {
        vito_request_release(&request->request);
        free(request);
    }
    free(store);
}

struct vito_store
sim_store_port(struct sim_store *store)
{
    return (struct vito_store){.self = store, .submit = submit};
}

int64_t
sim_store_query(const struct vito_sqlite *database, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t sum = 0;
    CHECK(sqlite3_prepare_v2(database->db, sql, -1, &statement, NULL) == SQLITE_OK);
    while (sqlite3_step(statement) == SQLITE_ROW)
        sum += sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return sum;
}
