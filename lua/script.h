/*
 * lua/script.h - the scripts that are built into the binary.
 *
 * lua/embed.cmake makes them out of lua/twin/ and lua/vendors/.
 */
#ifndef LUA_SCRIPT_H
#define LUA_SCRIPT_H

#include <stddef.h>

struct tlua_script {
    const char *name; /* "twin/decision", "vendors/openai" */
    const char *text; /* not NUL-terminated */
    size_t size_bytes;
};

extern const struct tlua_script tlua_scripts[];
extern const size_t tlua_script_count;

/* The script of that name, or NULL. Threads: any. */
const struct tlua_script *tlua_script_find(const char *name);

#endif
