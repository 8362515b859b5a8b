#include "tests/sim/world/sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/text.h"
#include "tests/stress/stress.h"
#include "vito/store/sqlite/internal.h"

enum { BATCH_MAX = 64, STALL_MAX_MS = 15000 };

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

/* Whether the bug is one that forgets transactions with such a request. */
static bool
is_forgettable(enum sim_store_bug bug, enum vito_op op)
{
    return bug == STORE_FORGETS || (bug == STORE_FORGETS_SETTLES && op == VITO_LEG_SETTLE) ||
           (bug == STORE_FORGETS_RETURNS && op == VITO_BUDGET_RETURN) ||
           (bug == STORE_FORGETS_RECORDS && op == VITO_AUDIT_APPEND);
}

bool
sim_store_forgets(enum sim_store_bug bug, enum vito_op op, struct rt_random *dice)
{
    unsigned per_mille = bug == STORE_FORGETS_RETURNS ? 500 : 100;
    return is_forgettable(bug, op) && rt_random_chance(dice, per_mille);
}

static bool
is_forgotten(struct sim_store *store, const struct answer *answers, size_t count)
{
    size_t i = 0;
    while (i < count && !is_forgettable(store->bug, answers[i].request->request.op))
        i++;
    return i < count &&
           sim_store_forgets(store->bug, answers[i].request->request.op, rt_sim_random(store->sim));
}

void
sim_store_unreserve(const struct vito_sqlite *database, enum sim_store_bug bug,
                    const struct vito_request *request, const struct vito_stored *stored)
{
    char sql[256];
    if (bug != STORE_GRANTS_FREE || request->op != VITO_BUDGET_GRANT)
        return;
    snprintf(sql, sizeof(sql),
             "UPDATE vito_budgets SET reserved_nusd = max(0, reserved_nusd - %ld) "
             "WHERE tenant_id = '%s' AND period_start_ms = %ld",
             stored->budget.granted_nusd, request->tenant_id, request->period_start_ms);
    CHECK(sqlite3_exec(database->db, sql, NULL, NULL, NULL) == SQLITE_OK);
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
        sim_store_unreserve(store->database, store->bug, &answer->request->request,
                            &answer->stored);
    }
    return count;
}

static void
count_outlived(struct sim_store *store, const struct vito_request *request, bool is_ok)
{
    if (request->op != VITO_LEG_EXTEND)
        return;
    unsigned i = 0;
    while (i < SIM_STORE_REFUSED_MAX && strcmp(store->refused[i], request->leg.id) != 0)
        i++;
    if (i < SIM_STORE_REFUSED_MAX && is_ok) {
        store->refused[i][0] = '\0';
        (*store->outlived)++;
    } else if (i == SIM_STORE_REFUSED_MAX && !is_ok) {
        RT_TEXT_SET(store->refused[store->next_refused++ % SIM_STORE_REFUSED_MAX], request->leg.id);
    }
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
        count_outlived(store, &request->request, !failed);
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
    struct rt_random *dice = rt_sim_random(store->sim);
    uint64_t delay_ns = 100000 + rt_random_below(dice, store->delay_max_ns);
    if (store->stall_per_mille > 0 && rt_random_chance(dice, store->stall_per_mille))
        delay_ns += rt_random_below(dice, STALL_MAX_MS) * RT_NS_PER_MS;
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
