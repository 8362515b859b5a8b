/*
 * vito/problems.h - every problem of a document in one bounded line of text, each with the JSON
 * pointer (RFC 6901) of its place: "/rate/burst: must be …; /modes/1: given twice".
 */
#ifndef VITO_PROBLEMS_H
#define VITO_PROBLEMS_H

#include <stddef.h>

#include "runtime/compiler.h"

/* A place in a document, as the way there; NULL is the whole document, whose pointer is left out.
 */
struct vito_json_place {
    const struct vito_json_place *parent;
    const char *name; /* of a member, or NULL: */
    int index;        /* of an element */
};

struct vito_problems {
    char *text; /* the caller's, NUL-terminated */
    size_t room_bytes, size_bytes;
    unsigned count;
};

enum { VITO_PROBLEMS_BYTES_MIN = 256 };

/* Begins with no problems. `room_bytes` is at least VITO_PROBLEMS_BYTES_MIN. */
void vito_problems_init(struct vito_problems *problems, char *text_out, size_t room_bytes);

/* Adds one; when it does not fit, says once that there are more. */
RT_PRINTF(3, 4)
void vito_problems_add(struct vito_problems *problems, const struct vito_json_place *place,
                       const char *format, ...);

#endif
