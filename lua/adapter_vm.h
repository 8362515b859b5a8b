/*
 * lua/adapter_vm.h - the adapter port (actors/adapter.h), spoken by Lua files.
 *
 * The adapters of lua/vendors/ are built in. A directory of `<provider>.lua` may replace them and
 * add others: for authors, and for the day when a vendor changes overnight. docs/adapters.md
 * tells how one is written.
 *
 *      host ──begin, resume──► leg ──► coroutine ──► twin.http, usage, input … (lua/twin/)
 *        ▲                                                   │
 *        └──────────────── host calls ◄── lua/adapter_host.c ┘
 *
 * The Lua side waits, by suspending its coroutine; C only notes what has happened and resumes.
 */
#ifndef LUA_ADAPTER_VM_H
#define LUA_ADAPTER_VM_H

#include "actors/adapter.h"
#include "lua/vm.h"

struct tlua_adapters;

struct tlua_adapter_options {
    const char *directory;   /* of <provider>.lua; NULL: none */
    size_t memory_bytes_max; /* of one VM; 0: 64 MiB */
    char *problem_out;       /* TLUA_PROBLEM_BYTES for what is wrong, in a line; NULL: the log has
                                it all the same */
};

/* Reads all adapters and their data sheets. NULL when one is broken, which is logged, or when
 * out of memory. Blocking: reads the directory. */
struct tlua_adapters *tlua_adapters_create(const struct tlua_adapter_options *options);

/* After all its VMs are closed. */
void tlua_adapters_destroy(struct tlua_adapters *adapters);

struct adapter_port tlua_adapters_port(struct tlua_adapters *adapters);

#endif
