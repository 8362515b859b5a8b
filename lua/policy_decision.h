/*
 * lua/policy_decision.h - a policy's answer, read and checked.
 */
#ifndef LUA_POLICY_DECISION_H
#define LUA_POLICY_DECISION_H

#include <lua.h>

#include "actors/policy.h"

/* "pass", "throttle", …: what scripts call it. */
const char *tlua_action_name(enum policy_action action);

enum { TLUA_THROTTLE_MS_MAX = 600000 };

/*
 * Reads the decision at `index`, as twin.decision makes them. Raises when it is none. A
 * downgrade that is no step down from the question's mode becomes a pass.
 *
 *   decision_out  action, mode, delay, reason and facts are set
 */
void tlua_decision_read_raise(lua_State *state, int index, const struct policy_question *question,
                              struct policy_decision *decision_out);

/* Makes it a DENY with reason "policy_failed" and the cause as its facts. */
void tlua_decision_fail(struct policy_decision *decision, const char *cause);

#endif
