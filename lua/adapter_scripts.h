/*
 * lua/adapter_scripts.h - the texts of adapters, built in and from a directory.
 */
#ifndef LUA_ADAPTER_SCRIPTS_H
#define LUA_ADAPTER_SCRIPTS_H

#include <stdbool.h>
#include <stddef.h>

#include "actors/adapter.h"
#include "lua/vm.h"

enum { TLUA_ADAPTERS_MAX = 64, TLUA_CHUNK_NAME_BYTES = 400 };

struct tlua_adapter_script {
    char name[ADAPTER_NAME_BYTES];
    char chunk_name[TLUA_CHUNK_NAME_BYTES]; /* what messages call it */
    const char *text;
    size_t size_bytes;
    struct rt_buffer *owned; /* what `text` lies in; NULL: the binary */
    struct adapter_sheet sheet;
};

struct tlua_adapter_scripts {
    size_t count;
    struct tlua_adapter_script list[TLUA_ADAPTERS_MAX];
};

/* Fills in the names and texts; sheets are read by whoever can run them. `directory` may be NULL.
 * False, and a line in problem_out, when a file cannot be taken. Blocking: reads files. */
bool tlua_adapter_scripts_init(struct tlua_adapter_scripts *scripts, const char *directory,
                               char problem_out[TLUA_PROBLEM_BYTES]);
void tlua_adapter_scripts_deinit(struct tlua_adapter_scripts *scripts);

struct tlua_adapter_script *tlua_adapter_scripts_find(struct tlua_adapter_scripts *scripts,
                                                      const char *name);

#endif
