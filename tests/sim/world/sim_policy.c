#include "tests/sim/world/sim_policy.h"

#include <string.h>

enum { THROTTLE = 60, DOWNGRADE = 60, DENY = 30, WARN = 30, DELAY_MAX_MS = 3000 };

/* One of four that are not a pass, or a pass. */
static enum policy_action
choose(struct rt_random *dice)
{
    uint64_t number = rt_random_below(dice, 1000);
    if (number < THROTTLE)
        return POLICY_THROTTLE;
    if (number < THROTTLE + DOWNGRADE)
        return POLICY_DOWNGRADE;
    if (number < THROTTLE + DOWNGRADE + DENY)
        return POLICY_DENY;
    return number < THROTTLE + DOWNGRADE + DENY + WARN ? POLICY_WARN : POLICY_PASS;
}

static void
ask(void *self, unsigned worker, const char *policy, const struct policy_question *question,
    struct policy_decision *decision)
{
    (void)worker, (void)policy;
    struct rt_random *dice = rt_sim_random(self);
    memset(decision, 0, sizeof(*decision));
    decision->action = choose(dice);
    if (question->kind == POLICY_METER && question->refused == NULL && !rt_random_chance(dice, 100))
        decision->action = POLICY_PASS; /* meters ask often: let sessions live a while */
    /* Also to modes that are no downgrade: the tenant has to see through that. */
    decision->mode = (enum vito_mode)rt_random_below(dice, VITO_MODE_COUNT);
    decision->delay_ms = (uint32_t)rt_random_below(dice, DELAY_MAX_MS);
    if (decision->action != POLICY_PASS)
        strcpy(decision->reason, "by_dice");
    strcpy(decision->version, "sha256:000000000000");
}

static bool
check(void *self, unsigned worker, const char *policy, struct rt_buffer *settings,
      char problem_out[VITO_PROBLEM_BYTES])
{
    (void)self, (void)worker, (void)policy, (void)settings;
    problem_out[0] = '\0';
    return true;
}

struct policy_port
sim_policy_port(struct rt_sim *sim)
{
    return (struct policy_port){.self = sim, .ask = ask, .check = check};
}
