/*
 * lua/policy_facts.h - the facts of a question as a policy reads them.
 *
 * `request`, `session` and `tenant` are empty tables whose metatable looks a fact up in the
 * question at hand (vm->context): nothing is copied that is not asked for, and nothing can be
 * changed. lua/twin.meta.lua documents every name. Amounts are nano-dollars; what is unlimited
 * is math.huge.
 */
#ifndef LUA_POLICY_FACTS_H
#define LUA_POLICY_FACTS_H

#include <lua.h>

#include "actors/policy.h"

enum tlua_facts { TLUA_REQUEST, TLUA_SESSION, TLUA_TENANT, TLUA_FACTS_COUNT };

/* Pushes a view of the question that vm->context points at whenever the view is read; a
 * `const struct policy_question *`, NULL outside questions. */
void tlua_facts_push_raise(lua_State *state, enum tlua_facts facts);

/*
 * Sets what the table at `index` names in the question: for cases of tests. Texts stay the
 * state's. Raises on names that are no facts, on values of another type, and on memory.
 */
void tlua_facts_read_raise(lua_State *state, int index, enum tlua_facts facts,
                           struct policy_question *question);

#endif
