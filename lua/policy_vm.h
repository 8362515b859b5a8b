/*
 * lua/policy_vm.h - the policy port (actors/policy.h), answered by Lua files.
 *
 * Each worker has a VM of its own, made at its first question. A policy file that changes is
 * noticed within a second and then replaced for all workers at once; a broken one leaves the
 * last good version in force. What a script cannot answer within its budget is a DENY.
 */
#ifndef LUA_POLICY_VM_H
#define LUA_POLICY_VM_H

#include <stddef.h>
#include <stdint.h>

#include "actors/policy.h"
#include "runtime/world.h"

struct tlua_policies;

#define TLUA_CPU_UNLIMITED UINT32_MAX

struct tlua_policy_options {
    const char *directory;        /* of <name>.lua */
    unsigned workers;             /* who may ask: 0 … workers - 1 */
    const struct rt_world *world; /* its clock paces polling and logging */
    uint64_t instructions_max;    /* of one answer; 0: 200,000 */
    uint32_t cpu_ms_max;          /* of one answer, of the thread's CPU; 0: 10. A simulation says
                                     TLUA_CPU_UNLIMITED, for its answers may not depend on it */
    size_t memory_bytes_max;      /* of one VM beyond its loaded policies; 0: 4 MiB */
};

/* Reads no file yet. NULL when out of memory, or when the directory's name is too long. */
struct tlua_policies *tlua_policies_create(const struct tlua_policy_options *options);

/* Only when nobody asks any more. */
void tlua_policies_destroy(struct tlua_policies *policies);

/* Threads: ask() and check() from the worker they name; nothing else of that worker's meanwhile. */
struct policy_port tlua_policies_port(struct tlua_policies *policies);

/*
 * Looks at all policy files in use now, instead of within a second.
 *
 *   returns    how many are not in force as they are: broken or gone, and logged
 *   threads    any
 *   blocking   reads files
 */
size_t tlua_policies_reload(struct tlua_policies *policies);

#endif
