#include "tests/sim/world/sim_memory.h"

#include "runtime/pool.h"
#include "runtime/system.h"
#include "runtime/table.h"
#include "tests/stress/stress.h"

/* The linker's names: __real_X is X itself, __wrap_X is called in its place. */
void *__real_rt_pool_take(size_t size_bytes);
void *__wrap_rt_pool_take(size_t size_bytes);
struct rt_buffer *__real_rt_buffer_create(size_t size_bytes);
struct rt_buffer *__wrap_rt_buffer_create(size_t size_bytes);
struct rt_buffer *__real_rt_buffer_copy(const void *bytes, size_t size_bytes);
struct rt_buffer *__wrap_rt_buffer_copy(const void *bytes, size_t size_bytes);
bool __real_rt_table_add(struct rt_table *table, struct rt_table_link *link, uint64_t hash);
bool __wrap_rt_table_add(struct rt_table *table, struct rt_table_link *link, uint64_t hash);

enum { MILLION = 1000000 };

static struct rt_random *memory_dice;
static unsigned memory_per_million;
static bool memory_is_spared;
static uint64_t memory_failures;
static uint64_t memory_requests; /* since sim_memory_fail_one() */
static uint64_t memory_failing;

void
sim_memory_fail(struct rt_random *dice, unsigned per_million)
{
    memory_dice = dice;
    memory_per_million = per_million;
}

void
sim_memory_fail_one(uint64_t request)
{
    memory_requests = 0;
    memory_failing = request;
}

uint64_t
sim_memory_requests(void)
{
    return memory_requests;
}

uint64_t
sim_memory_failures(void)
{
    return memory_failures;
}

static bool
fails(void)
{
    if (memory_is_spared || rt_system_worker_here() < 0)
        return false;
    bool failing = ++memory_requests == memory_failing;
    if (memory_per_million > 0)
        failing |= rt_random_below(memory_dice, MILLION) < memory_per_million;
    memory_failures += failing;
    return failing;
}

void *
__wrap_rt_pool_take(size_t size_bytes)
{
    return fails() ? NULL : __real_rt_pool_take(size_bytes);
}

struct rt_buffer *
__wrap_rt_buffer_create(size_t size_bytes)
{
    return fails() ? NULL : __real_rt_buffer_create(size_bytes);
}

struct rt_buffer *
__wrap_rt_buffer_copy(const void *bytes, size_t size_bytes)
{
    return fails() ? NULL : __real_rt_buffer_copy(bytes, size_bytes);
}

bool
__wrap_rt_table_add(struct rt_table *table, struct rt_table_link *link, uint64_t hash)
{
    return !fails() && __real_rt_table_add(table, link, hash);
}

struct rt_message *
sim_message(uint32_t kind, size_t payload_bytes)
{
    memory_is_spared = true;
    struct rt_message *message = rt_message_create(kind, payload_bytes);
    memory_is_spared = false;
    CHECK(message != NULL);
    return message;
}

struct rt_buffer *
sim_buffer(const void *bytes, size_t size_bytes)
{
    memory_is_spared = true;
    struct rt_buffer *buffer = __real_rt_buffer_copy(bytes, size_bytes);
    memory_is_spared = false;
    CHECK(buffer != NULL);
    return buffer;
}
