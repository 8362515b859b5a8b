/* After warm-up the actor machine takes no memory from malloc: sends, requests and their answers,
 * answers owed, timers, messages put aside and buffers all live on what the pools have. malloc and
 * its kin are counted by standing in front of libc's; the simulated world makes each run the same.
 */
#include <stdint.h>

#include "runtime/pool.h"
#include "runtime/sim.h"
#include "tests/stress/stress.h"

enum { ACTORS = 40, WARM_STEPS = 20000, COUNTED_STEPS = 100000, SPARE_BLOCKS = 64 };
enum kind { KIND_NOTE = RT_KIND_USER, KIND_ASK, KIND_ANSWER };

/* The names glibc itself calls the real ones by. */
void *__libc_malloc(size_t size_bytes);                     /* NOLINT */
void *__libc_calloc(size_t count, size_t size_bytes);       /* NOLINT */
void *__libc_realloc(void *memory, size_t size_bytes);      /* NOLINT */
void *__libc_memalign(size_t alignment, size_t size_bytes); /* NOLINT */

static uint64_t calls;

void *
malloc(size_t size_bytes)
{
    calls++;
    return __libc_malloc(size_bytes);
}

void *
calloc(size_t count, size_t size_bytes)
{
    calls++;
    return __libc_calloc(count, size_bytes);
}

void *
realloc(void *memory, size_t size_bytes)
{
    calls++;
    return __libc_realloc(memory, size_bytes);
}

void *
aligned_alloc(size_t alignment, size_t size_bytes)
{
    calls++;
    return __libc_memalign(alignment, size_bytes);
}

struct busy {
    struct rt_timer timer;
    struct rt_owed *owed;
    uint64_t asked;
    bool stashes;
};

static struct rt_address crowd[ACTORS];
static uint64_t handled[RT_KIND_USER + 3];

static void
tell_somebody(struct rt_actor *self, struct busy *busy)
{
    uint64_t dice[2];
    rt_random(self, dice, sizeof(dice));
    struct rt_address to = crowd[dice[0] % ACTORS];
    struct rt_message *note = rt_message_create(KIND_NOTE, 100);
    note->buffer = rt_buffer_create(dice[1] % 3000);
    rt_send(self, to, note);
    rt_send(self, to, rt_message_create(KIND_NOTE, dice[1] % 30));
    rt_request(self, to, rt_message_create(KIND_ASK, 8), ++busy->asked);
}

static void
answer(struct rt_actor *self, struct busy *busy, struct rt_message *message)
{
    if (busy->owed != NULL) {
        rt_owed_answer(self, busy->owed, rt_message_create(KIND_ANSWER, 200));
        busy->owed = NULL;
        rt_answer(self, message, rt_message_create(KIND_ANSWER, 8));
    } else {
        busy->owed = rt_owe(self, message);
    }
}

static void
busy_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct busy *busy = state;
    handled[message->kind]++;
    switch (message->kind) {
    case RT_KIND_START:
    case RT_KIND_TIMER:
        busy->stashes = !busy->stashes;
        if (!busy->stashes)
            rt_unstash(self);
        tell_somebody(self, busy);
        rt_timer_set(self, &busy->timer, RT_NS_PER_MS + busy->asked % 7 * RT_NS_PER_MS);
        break;
    case KIND_ASK:
        if (!busy->stashes || !rt_stash(self, message))
            answer(self, busy, message);
        break;
    default:
        break;
    }
}

static const struct rt_behaviour being_busy = {.name = "busy",
                                               .state_bytes = sizeof(struct busy),
                                               .limits = {1000, 1 << 20},
                                               .handle = busy_handle};

static void
run_steps(struct rt_sim *sim, unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        CHECK(rt_sim_step(sim, UINT64_MAX - 1));
}

/* Chance can bring more of a size at once than there ever were: so there are some spare ones. */
static void
make_room(void)
{
    for (size_t bytes = RT_POOL_BLOCK_BYTES_MIN; bytes <= RT_POOL_BLOCK_BYTES_MAX; bytes *= 2) {
        void *blocks[SPARE_BLOCKS];
        for (int i = 0; i < SPARE_BLOCKS; i++)
            CHECK((blocks[i] = rt_pool_take(bytes)) != NULL);
        for (int i = 0; i < SPARE_BLOCKS; i++)
            rt_pool_give(blocks[i], bytes);
    }
}

int
main(void)
{
    struct rt_sim *sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 3});
    CHECK(sim != NULL);
    for (int i = 0; i < ACTORS; i++) {
        struct rt_spawn_options options = {.behaviour = &being_busy, .worker = RT_ANY_WORKER};
        CHECK(rt_spawn(rt_sim_system(sim), &options, &crowd[i]) == RT_OK);
    }
    run_steps(sim, WARM_STEPS);
    CHECK(calls > 0); /* they are ours that are called */
    CHECK(handled[KIND_NOTE] > 0 && handled[KIND_ANSWER] > 0 && handled[RT_KIND_TIMER] > 0);
    make_room();
    uint64_t before = calls, notes = handled[KIND_NOTE];
    run_steps(sim, COUNTED_STEPS);
    CHECK(handled[KIND_NOTE] > notes + COUNTED_STEPS / 10);
    if (calls != before) {
        fprintf(stderr, "%lu calls of malloc on the hot path\n", calls - before);
        return 1;
    }
    rt_sim_destroy(sim);
    rt_pool_thread_end();
    printf("%lu messages, no malloc\n", handled[KIND_NOTE] + handled[KIND_ANSWER]);
    return 0;
}
