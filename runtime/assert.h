/*
 * runtime/assert.h - checks for bugs in our own program, on in every build.
 *
 * What comes from outside is never asserted: it gets a status or a refusal.
 */
#ifndef RUNTIME_ASSERT_H
#define RUNTIME_ASSERT_H

#include "runtime/compiler.h"

/* Prints the failed condition and where, then aborts. Threads: any. */
RT_NORETURN void rt_assert_failed(const char *condition, const char *file, int line);

#define RT_ASSERT(condition)                                                                       \
    do {                                                                                           \
        if (RT_UNLIKELY(!(condition)))                                                             \
            rt_assert_failed(#condition, __FILE__, __LINE__);                                      \
    } while (0)

#endif
