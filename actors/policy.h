/*
 * actors/policy.h - the port to a tenant's policy: facts in, a decision out.
 *
 * A policy is pure: the same question gives the same answer, and nothing it says can break the
 * money rules, because the tenant clamps it. The port is implemented by lua/policy_vm.c; a
 * simulation may bring another.
 */
#ifndef ACTORS_POLICY_H
#define ACTORS_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "vito/policy_config.h"

enum { POLICY_NAME_BYTES = 48, POLICY_TOKEN_BYTES = 32, POLICY_FACTS_BYTES = 512 };

enum policy_action { POLICY_PASS, POLICY_THROTTLE, POLICY_DOWNGRADE, POLICY_DENY, POLICY_WARN };

/* "pass", "throttle", "downgrade", "deny", "warn". */
const char *policy_action_name(enum policy_action action);

enum policy_question_kind {
    POLICY_ADMIT_SESSION, /* somebody opens a session */
    POLICY_ADMIT_TURN,    /* a turn, or a video leg */
    POLICY_METER,         /* a running leg asks for its next quantum, or was refused it */
};

/* What a policy is told. Amounts are nano-dollars; unlimited is VITO_UNLIMITED, which a policy
 * sees as math.huge. */
struct policy_question {
    enum policy_question_kind kind;
    enum vito_mode mode;    /* asked for, or running */
    int64_t price_max_nusd; /* what the next step can cost at most */
    int64_t text_bytes;     /* of the turn */
    const char *user;       /* the end user's name or "" */
    /* the session */
    int64_t session_ms;   /* since it began */
    int64_t session_nusd; /* spent and held by it */
    int64_t session_tokens;
    int64_t session_turns;
    const char *refused;  /* METER: why the quantum was refused, or NULL */
    int64_t seconds_left; /* METER: at the present rate; VITO_UNLIMITED when free */
    /* the tenant, this month */
    const char *tenant_id;
    int64_t limit_nusd, posted_nusd, held_nusd, remaining_nusd;
    int64_t voice_ms, voice_max_ms, video_ms, video_max_ms;
    int64_t tokens, interactions;
    int64_t sessions; /* open now */
    int64_t queued;   /* turns waiting in the bucket */
    uint32_t rate_per_second;
    int64_t now_ms;               /* Unix time */
    struct vito_local_time local; /* in the tenant's zone */
    int64_t period_start_ms, period_end_ms;
    struct rt_buffer *settings; /* JSON object from policy_config, or NULL */
    struct rt_buffer *memory;   /* what the policy remembered, MessagePack, or NULL */
};

struct policy_decision {
    enum policy_action action;
    enum vito_mode mode;              /* DOWNGRADE: to which; below the one asked for */
    uint32_t delay_ms;                /* THROTTLE */
    char reason[POLICY_TOKEN_BYTES];  /* DENY, DOWNGRADE, WARN: a stable token */
    char facts[POLICY_FACTS_BYTES];   /* JSON object with what the policy wants known, or "" */
    char version[VITO_VERSION_BYTES]; /* "sha256:" and 12 hexadecimal digits, of its text */
    struct rt_buffer *memory;         /* what it remembers from now on; NULL: as before. The
                                         receiver's reference */
};

struct policy_port {
    void *self;

    /*
     * Asks a policy.
     *
     *   worker      rt_worker_index() of the caller: each worker has its own VM
     *   decided     a script that raises, loops, allocates without end, or returns nonsense is a
     *               DENY with reason "policy_failed"; an unknown name as well. It always decides.
     *   blocking    bounded by the VM's instruction and time budget, some milliseconds at worst
     */
    void (*ask)(void *self, unsigned worker, const char *policy,
                const struct policy_question *question, struct policy_decision *decision_out);

    /*
     * Checks that a policy exists and that its settings are what it declares.
     *
     *   problem_out  one line when not
     */
    bool (*check)(void *self, unsigned worker, const char *policy, struct rt_buffer *settings,
                  char problem_out[VITO_PROBLEM_BYTES]);
};

#endif
