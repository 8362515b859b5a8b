/* What Lua gets and gives back: a policy whose answer is the input, by way of its memory. Whatever
 * it answers is a decision within its bounds, readable by all who keep it; and the same question
 * has the same answer. And a tenant's policy_config: refused with words, or printed and read again
 * as the same. */
#include <cjson/cJSON.h>
#include <string.h>
#include <unistd.h>

#include "lua/pack.h"
#include "lua/policy_vm.h"
#include "tests/fuzz/fuzz.h"
#include "vito/json.h"

static struct policy_port port;

static uint64_t
no_time(void *self)
{
    (void)self;
    return 0;
}

/* The input decides action, delay, reason, facts and memory; the user's name is one more text. */
static void
set_up(void)
{
    static const struct rt_world world = {.now_ns = no_time};
    static const char policy[] =
        "return { admit = function(request, tenant)\n"
        "  local memory = tenant.memory\n"
        "  return memory.decision, memory.memory or { user = request.user }\n"
        "end }\n";
    static char directory[] = "/tmp/twin_fuzz_XXXXXX";
    char path[64];
    FUZZ_CHECK(mkdtemp(directory) != NULL);
    snprintf(path, sizeof(path), "%s/echo.lua", directory);
    FILE *file = fopen(path, "w");
    FUZZ_CHECK(file != NULL && fputs(policy, file) >= 0 && fclose(file) == 0);
    struct tlua_policy_options options = {
        .directory = directory, .workers = 1, .world = &world, .cpu_ms_max = TLUA_CPU_UNLIMITED};
    struct tlua_policies *policies = tlua_policies_create(&options);
    FUZZ_CHECK(policies != NULL);
    port = tlua_policies_port(policies);
    struct policy_question question = {.mode = VITO_VIDEO, .user = "", .tenant_id = "t"};
    struct policy_decision decision;
    port.ask(port.self, 0, "echo", &question, &decision); /* loads it */
    rt_buffer_release(decision.memory);
    FUZZ_CHECK(unlink(path) == 0 && rmdir(directory) == 0);
}

static void
check_decision(const struct policy_decision *decision, enum vito_mode asked)
{
    cJSON *facts = NULL;
    const char *problem;
    FUZZ_CHECK((unsigned)decision->action <= POLICY_WARN);
    FUZZ_CHECK(decision->delay_ms <= 600000);
    FUZZ_CHECK(decision->action != POLICY_DOWNGRADE || decision->mode < asked);
    FUZZ_CHECK(memchr(decision->reason, '\0', POLICY_TOKEN_BYTES) != NULL);
    FUZZ_CHECK(strspn(decision->reason, "abcdefghijklmnopqrstuvwxyz0123456789_") ==
               strlen(decision->reason));
    bool has_reason = decision->action >= POLICY_DOWNGRADE;
    FUZZ_CHECK(has_reason == (decision->reason[0] != '\0'));
    FUZZ_CHECK(memchr(decision->facts, '\0', POLICY_FACTS_BYTES) != NULL);
    FUZZ_CHECK(decision->memory == NULL || decision->memory->size_bytes <= TLUA_PACK_BYTES_MAX);
    if (decision->facts[0] == '\0')
        return;
    FUZZ_CHECK(vito_json_parse(decision->facts, strlen(decision->facts), &facts, &problem) ==
               RT_OK);
    FUZZ_CHECK(cJSON_IsObject(facts));
    cJSON_Delete(facts);
}

static bool
is_same_memory(const struct rt_buffer *a, const struct rt_buffer *b)
{
    if (a == NULL || b == NULL)
        return a == b;
    return a->size_bytes == b->size_bytes && memcmp(a->bytes, b->bytes, a->size_bytes) == 0;
}

static void
check_answers(struct fuzz_input input)
{
    char user[64] = "";
    struct policy_decision first, second;
    struct policy_question question = {.user = user, .tenant_id = "t"};
    question.mode = (enum vito_mode)(fuzz_byte(&input) % VITO_MODE_COUNT);
    memcpy(user, input.at, input.left_bytes < 63 ? input.left_bytes : 63);
    question.memory = rt_buffer_copy(input.at, input.left_bytes);
    port.ask(port.self, 0, "echo", &question, &first);
    port.ask(port.self, 0, "echo", &question, &second);
    check_decision(&first, question.mode);
    FUZZ_CHECK(first.action == second.action && first.delay_ms == second.delay_ms);
    FUZZ_CHECK(strcmp(first.reason, second.reason) == 0);
    FUZZ_CHECK(strcmp(first.facts, second.facts) == 0);
    FUZZ_CHECK(is_same_memory(first.memory, second.memory));
    rt_buffer_release(first.memory);
    rt_buffer_release(second.memory);
    rt_buffer_release(question.memory);
}

static void
check_config(struct fuzz_input input)
{
    struct vito_policy_config config, again;
    char problem[VITO_PROBLEM_BYTES] = "";
    if (vito_policy_config_parse((const char *)input.at, input.left_bytes, &config, problem) !=
        RT_OK) {
        FUZZ_CHECK(problem[0] != '\0' && memchr(problem, '\0', sizeof(problem)) != NULL);
        return;
    }
    char *once = vito_policy_config_print(&config);
    FUZZ_CHECK(vito_policy_config_parse(once, strlen(once), &again, problem) == RT_OK);
    char *twice = vito_policy_config_print(&again);
    FUZZ_CHECK(strcmp(once, twice) == 0);
    FUZZ_CHECK(memcmp(&config.limits, &again.limits, sizeof(config.limits)) == 0);
    FUZZ_CHECK(config.limits.month_nusd >= 0 && config.rate.per_second >= 1);
    free(once);
    free(twice);
    vito_policy_config_deinit(&config);
    vito_policy_config_deinit(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    if (port.ask == NULL)
        set_up();
    if (fuzz_byte(&input) % 2 == 0)
        check_answers(input);
    else
        check_config(input);
    return 0;
}
