/*
 * vito/rate_line.h - the waiters at a bucket: each subject's in order, the subjects in turns.
 *
 *      turn ──► A: a1 a2 a3      served: a1 b1 c1 a2 c2 a3
 *               B: b1
 *               C: c1 c2
 *
 * Besides, all waiters are in one list by age, for their deadlines.
 */
#ifndef VITO_RATE_LINE_H
#define VITO_RATE_LINE_H

#include <stdint.h>

#include "vito/rate_subject.h"

struct vito_line {
    struct vito_bucket_subject *turn_first, *turn_last;
    struct vito_bucket_waiter *oldest, *newest;
    uint32_t waiting;  /* waiters */
    uint32_t subjects; /* that have some */
};

/* Appends a waiter to its subject's; a subject that had none gets its turn last. */
void vito_line_push(struct vito_line *line, struct vito_bucket_subject *subject,
                    struct vito_bucket_waiter *waiter);

/* Takes one out, served or not. */
void vito_line_remove(struct vito_line *line, struct vito_bucket_waiter *waiter);

/* Takes the waiter out whose turn it is, and gives its subject its next turn last. The line is
 * not empty. */
struct vito_bucket_waiter *vito_line_pop(struct vito_line *line);

/* How far back a further waiter of the subject (NULL: of one that has none) would be: 1 is next.
 * Exact for a subject's first waiter; at most that far for others. */
uint32_t vito_line_position(const struct vito_line *line,
                            const struct vito_bucket_subject *subject);

#endif
