/*
 * runtime/log.h - structured log lines, written by a thread of their own.
 *
 * A line is an event, `noun.past_verb`, and fields with units in their names; no sentences,
 * no secrets. `error`: a human must act. `warn`: degraded, but handled. `info`: lifecycle.
 * `debug`: off in production. Callers never wait: when the writer is behind by LINES_MAX
 * lines, lines are dropped and counted, and the count is logged.
 */
#ifndef RUNTIME_LOG_H
#define RUNTIME_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"
#include "runtime/world.h"

enum rt_log_level { RT_LOG_ERROR, RT_LOG_WARN, RT_LOG_INFO, RT_LOG_DEBUG, RT_LOG_OFF = -1 };
enum rt_log_format { RT_LOG_TEXT, RT_LOG_JSON };

struct rt_log_options {
    enum rt_log_level level;
    enum rt_log_format format;
    int fd; /* where lines go; stays the caller's */
    const struct rt_world *world;
};

struct rt_log_field {
    const char *name;
    enum { RT_FIELD_U64, RT_FIELD_I64, RT_FIELD_TEXT, RT_FIELD_FLAG } type;
    union {
        uint64_t u64;
        int64_t i64;
        const char *text;
        bool flag;
    };
};

#define RT_U64(name_, value)                                                                       \
    (struct rt_log_field)                                                                          \
    {                                                                                              \
        .name = (name_), .type = RT_FIELD_U64, .u64 = (value)                                      \
    }
#define RT_I64(name_, value)                                                                       \
    (struct rt_log_field)                                                                          \
    {                                                                                              \
        .name = (name_), .type = RT_FIELD_I64, .i64 = (value)                                      \
    }
#define RT_STR(name_, value)                                                                       \
    (struct rt_log_field)                                                                          \
    {                                                                                              \
        .name = (name_), .type = RT_FIELD_TEXT, .text = (value)                                    \
    }
#define RT_BOOL(name_, value)                                                                      \
    (struct rt_log_field)                                                                          \
    {                                                                                              \
        .name = (name_), .type = RT_FIELD_FLAG, .flag = (value)                                    \
    }

/* Starts the writer. Before it, and after rt_log_stop(), nothing is logged. RT_OK | RT_IO. */
RT_MUST_USE enum rt_status rt_log_start(const struct rt_log_options *options);

/* Writes what is queued and ends the writer. Blocks until done. */
void rt_log_stop(void);

/* Whether lines of this level are wanted. */
bool rt_log_wants(enum rt_log_level level);

/* Logs one line. NULL texts are shown as "". Texts are copied. Threads: any. Never blocks. */
void rt_log_write(enum rt_log_level level, const char *event, const struct rt_log_field *fields,
                  size_t count);

/* rt_log(RT_LOG_INFO, "session.ended", RT_STR("session", id), RT_U64("turns", n)); */
#define rt_log(level, event, ...)                                                                  \
    do {                                                                                           \
        if (rt_log_wants(level)) {                                                                 \
            const struct rt_log_field rt_fields_[] = {__VA_ARGS__};                                \
            rt_log_write(level, event, rt_fields_, sizeof(rt_fields_) / sizeof(rt_fields_[0]));    \
        }                                                                                          \
    } while (0)

#endif
