/*
 * lua/judge.h - one VM with policies in it, and the questions put to them.
 *
 * A worker has one. Policies are loaded on their first question, loaded anew when their file
 * gets another version, and all of them when the VM was rebuilt, which happens after a script
 * has spent its budget or its memory.
 */
#ifndef LUA_JUDGE_H
#define LUA_JUDGE_H

#include "actors/policy.h"
#include "lua/policy_files.h"
#include "lua/policy_metrics.h"
#include "lua/vm.h"

struct tlua_judge;

/* The budgets of DESIGN 6: 200,000 instructions, 10 ms, 4 MiB. */
extern const struct tlua_vm_limits tlua_judge_limits;

/* `files` and `limits` must outlive it. NULL when out of memory. */
struct tlua_judge *tlua_judge_create(struct tlua_policy_files *files,
                                     const struct tlua_vm_limits *limits);
void tlua_judge_destroy(struct tlua_judge *judge);

/*
 * Puts a question.
 *
 *   decision_out  always written; on false a DENY with reason "policy_failed"
 *   failure_out   on false: why; the rest is tlua_judge_problem()
 */
RT_MUST_USE bool tlua_judge_ask(struct tlua_judge *judge, const char *policy,
                                const struct policy_question *question,
                                struct policy_decision *decision_out,
                                enum tlua_policy_failure *failure_out);

/* Whether the policy exists and takes these settings; if not, tlua_judge_problem() says why. */
RT_MUST_USE bool tlua_judge_check(struct tlua_judge *judge, const char *policy,
                                  struct rt_buffer *settings);

/* What was wrong with the last question or check that failed: one line. */
const char *tlua_judge_problem(const struct tlua_judge *judge);

/* A tlua_policy_proof: whether the text is a policy, tried in a VM of its own. */
bool tlua_judge_prove(const char *name, const struct rt_buffer *source,
                      char problem_out[VITO_PROBLEM_BYTES]);

#endif
