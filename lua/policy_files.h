/*
 * lua/policy_files.h - the texts of policies, as their files were when they last made sense.
 *
 * A policy `name` is `<directory>/<name>.lua`; its version is a hash of its text. When a file
 * changes, its new text is taken if it proves to be a policy; else the last good one stays, and
 * the log says so. Replace files by renaming, so that nobody reads half of one.
 *
 * Threads: any.
 */
#ifndef LUA_POLICY_FILES_H
#define LUA_POLICY_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/policy.h"
#include "runtime/status.h"

enum { TLUA_POLICIES_MAX = 1024 }; /* names ever asked for */

struct tlua_policy_files;

/* One version of a policy. */
struct tlua_policy_text {
    char version[VITO_VERSION_BYTES];
    struct rt_buffer *source;
};

/* Whether a text is a policy; if not, why. Blocking: bounded by the budget of a VM. */
typedef bool (*tlua_policy_proof)(const char *name, const struct rt_buffer *source,
                                  char problem_out[VITO_PROBLEM_BYTES]);

/* Reads nothing yet. NULL when out of memory, or when the directory's name is too long. */
struct tlua_policy_files *tlua_policy_files_create(const char *directory, tlua_policy_proof proof);
void tlua_policy_files_destroy(struct tlua_policy_files *files);

/*
 * The present version of a policy.
 *
 *   returns    RT_OK | RT_NOT_FOUND (no such file, or never a good one) | RT_INVALID (the name) |
 *              RT_FULL | RT_NO_MEMORY
 *   ownership  text_out->source is the caller's reference
 *   blocking   reads the file the first time
 */
RT_MUST_USE enum rt_status tlua_policy_files_get(struct tlua_policy_files *files, const char *name,
                                                 struct tlua_policy_text *text_out);

/* A number that grows when any policy gets another version. Never blocks. */
uint32_t tlua_policy_files_edition(const struct tlua_policy_files *files);

/*
 * Looks at the files of all policies asked for so far, and takes what changed.
 *
 *   returns    how many files are not what is in force: broken, or gone
 *   blocking   one fstat() a policy, and reading and proving what changed
 */
size_t tlua_policy_files_reload(struct tlua_policy_files *files);

/* As above, unless another thread is at it. For workers. */
void tlua_policy_files_poll(struct tlua_policy_files *files);

/* Whether a text may name a policy: ^[a-z0-9_]{1,40}$. */
bool tlua_policy_name_is_valid(const char *name);

/* Splits "<directory>/<name>.lua". False when that is not what it is. Both of TLUA_PATH_BYTES. */
bool tlua_policy_path_split(const char *path, char *directory_out, char *name_out);

#endif
