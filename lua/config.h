/*
 * lua/config.h - configuration written in Lua.
 *
 * The file runs in the sandbox of policies and returns a table. It can compute, and nothing else.
 */
#ifndef LUA_CONFIG_H
#define LUA_CONFIG_H

#include <cjson/cJSON.h>

#include "lua/problem.h"
#include "runtime/compiler.h"
#include "runtime/status.h"

/*
 * Runs the file at `path` and hands back what it returned.
 *
 *   config_out   an object; the caller's, by cJSON_Delete()
 *   problem_out  when not RT_OK: one line, with the file and the place in it
 *   returns      RT_OK | RT_INVALID (it raises, or returns no table that is JSON) | what
 *                tlua_file_read() returns
 *   blocking     reads the file; runs at most 10 million instructions
 */
RT_MUST_USE enum rt_status tlua_config_read(const char *path, cJSON **config_out,
                                            char problem_out[TLUA_PROBLEM_BYTES]);

#endif
