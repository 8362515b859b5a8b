/*
 * tests/unit/lua/policy_box.h - a directory of policies for tests, and a judge over it.
 */
#ifndef TESTS_UNIT_LUA_POLICY_BOX_H
#define TESTS_UNIT_LUA_POLICY_BOX_H

#include "lua/policy_vm.h"

/* Makes an empty directory and policies over it, with the default budgets, for 4 workers. Its
 * clock stands still until policy_box_pass(). */
void policy_box_open(void);
void policy_box_close(void);

/* Lets time pass on the box's clock. */
void policy_box_pass(uint64_t ms);

/* Writes `<name>.lua`, as an editor does: whole, by renaming. */
void policy_box_write(const char *name, const char *text);
void policy_box_remove(const char *name);
const char *policy_box_directory(void);

struct tlua_policies *policy_box_policies(void);

/* A turn by voice that costs a cent, of a tenant that has spent one dollar of ten. */
struct policy_question policy_box_question(void);

/* What worker 0 decides. Its memory, if any, is released unless the caller takes it out. */
struct policy_decision policy_box_ask(const char *policy, const struct policy_question *question);

/* Writes a policy whose admit has this body, asks it, and returns the decision. */
struct policy_decision policy_box_run(const char *admit_body);

/* Whether `facts` says that the policy failed of this cause. */
bool policy_box_failed(const struct policy_decision *decision, const char *cause);

#endif
