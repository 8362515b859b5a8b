/*
 * vito/rate_window.h - how many were admitted at once within the last second.
 *
 * A ring of slots, a hundred-and-twenty-eighth of a second each: what is counted is the last
 * second and up to one slot more, never less.
 */
#ifndef VITO_RATE_WINDOW_H
#define VITO_RATE_WINDOW_H

#include <stdint.h>

enum { VITO_WINDOW_SLOTS = 128 };

struct vito_window {
    uint32_t slots[VITO_WINDOW_SLOTS + 1]; /* a whole second, and the slot that is being filled */
    uint32_t count;                        /* their sum */
    uint64_t newest;                       /* the slot of the last call, counted from time zero */
};

/* Forgets what is older than a second before now. Times never go back. */
void vito_window_advance(struct vito_window *window, uint64_t now_ns);

/* One more, in the slot of the last vito_window_advance(). */
void vito_window_add(struct vito_window *window);

#endif
