/*
 * vito/store/hearing.h - whether a gateway has heard of all that others changed.
 *
 * Changes are numbered in the order they took place, and the news of each bears its number. News
 * come in that order or not at all, so a number that is left out is a loss, and so is the last
 * number if its news do not come: the store is asked for it now and then, and what it said the time
 * before must have been heard by now. Plain data; not for several threads.
 */
#ifndef VITO_STORE_HEARING_H
#define VITO_STORE_HEARING_H

#include <stdbool.h>
#include <stdint.h>

struct vito_hearing {
    int64_t heard;   /* the last change we know of */
    int64_t last;    /* there is, as the store said when it was asked last */
    int64_t awaited; /* to be heard until the next look */
};

enum vito_heard {
    VITO_HEARD_BEFORE, /* of a change that is known: nothing is to be done */
    VITO_HEARD_NEXT,
    VITO_HEARD_GAP, /* news were lost: all is to be read again */
};

/* Everything up to that change is about to be read. */
void vito_hearing_begin(struct vito_hearing *hearing, int64_t change);

/* News have come, also one's own. */
enum vito_heard vito_hearing_take(struct vito_hearing *hearing, int64_t change);

/* The store said which change was the last one. */
void vito_hearing_ask(struct vito_hearing *hearing, int64_t change);

/* A look: whether news were lost, and all is to be read again. When all that has come was taken,
 * and a while after vito_hearing_await(). */
bool vito_hearing_has_missed(struct vito_hearing *hearing);

/* What the store said last is to be heard until the next look. */
void vito_hearing_await(struct vito_hearing *hearing);

#endif
