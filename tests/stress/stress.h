/*
 * tests/stress/stress.h - a check for stress programs: plain main(), so that they also run
 * under ThreadSanitizer, where Criterion does not start.
 */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include <stdio.h>
#include <stdlib.h>

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#endif
