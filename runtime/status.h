/*
 * runtime/status.h - how an operation ended, for the whole program.
 *
 * A status is an outside failure or a full bound. A bug in our own program is an
 * RT_ASSERT; a refusal (policy, budget, rate) is a decision, never a status.
 */
#ifndef RUNTIME_STATUS_H
#define RUNTIME_STATUS_H

enum rt_status {
    RT_OK,
    RT_EMPTY,       /* nothing there */
    RT_FULL,        /* a bound was reached; the caller still holds what it offered */
    RT_CLOSED,      /* the other side is gone */
    RT_NO_MEMORY,   /* the system or a pool is out of memory */
    RT_NOT_FOUND,   /* no such thing */
    RT_EXISTS,      /* there is one already */
    RT_INVALID,     /* the input is malformed or contradicts itself */
    RT_TOO_BIG,     /* the input is longer than its limit */
    RT_TIMEOUT,     /* no answer in time */
    RT_UNAVAILABLE, /* a service we need cannot answer now */
    RT_DENIED,      /* not allowed to the caller */
    RT_CANCELLED,   /* given up by its owner */
    RT_IO,          /* the operating system said no */
    RT_STATUS_COUNT,
};

/* The status as a lower-case word, for logs. Never NULL. */
const char *rt_status_name(enum rt_status status);

#endif
