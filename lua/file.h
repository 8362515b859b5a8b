/*
 * lua/file.h - whole files of scripts, and whether they have changed.
 */
#ifndef LUA_FILE_H
#define LUA_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "runtime/compiler.h"
#include "runtime/status.h"

enum { TLUA_FILE_BYTES_MAX = 64 * 1024, TLUA_PATH_BYTES = 384 };

/* What tells one state of a file from another. All zero: there is no file. */
struct tlua_file_stamp {
    uint64_t inode;
    int64_t size_bytes;
    int64_t modified_ns;
};

/* The stamp of what `path` names now. */
struct tlua_file_stamp tlua_file_stamp_of(const char *path);
bool tlua_file_stamp_equals(const struct tlua_file_stamp *a, const struct tlua_file_stamp *b);

/*
 * Reads a regular file.
 *
 *   stamp_out  of what was read; NULL allowed
 *   returns    RT_OK | RT_NOT_FOUND | RT_TOO_BIG (over TLUA_FILE_BYTES_MAX) | RT_INVALID (not a
 *              regular file) | RT_IO | RT_NO_MEMORY
 *   ownership  *text_out is the caller's reference
 *   blocking   reads the disk
 */
RT_MUST_USE enum rt_status tlua_file_read(const char *path, struct rt_buffer **text_out,
                                          struct tlua_file_stamp *stamp_out);

#endif
