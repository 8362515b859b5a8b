/*
 * runtime/compiler.h - the few places where we lean on GNU C, behind names.
 */
#ifndef RUNTIME_COMPILER_H
#define RUNTIME_COMPILER_H

#include <stddef.h>

#define RT_MUST_USE __attribute__((warn_unused_result))
#define RT_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#define RT_NORETURN __attribute__((noreturn))
#define RT_LIKELY(x) __builtin_expect(!!(x), 1)
#define RT_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The struct that holds `member`, given the address of that member. */
#define RT_CONTAINER_OF(pointer, type, member)                                                     \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define RT_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

enum { RT_CACHE_LINE_BYTES = 64 };

#endif
