/*
 * vito/turn_key.h - turns that may be asked for again under the same Idempotency-Key: what a store
 * keeps of them, and what it says of one.
 *
 *   TURN_BEGIN ──► RUNNING ──LEG_SETTLE with the answer, or TURN_END──► DONE: the answer again
 *                     ├──TURN_END without one──► as if it had never been
 *                     └──its gateway died, or gave it up──► LOST; without a leg: never been
 *
 * A turn's answer and the settlement of its last leg are one request, so both are there or neither.
 * Source: draft-ietf-httpapi-idempotency-key-header-07, read 2026-11.
 */
#ifndef VITO_TURN_KEY_H
#define VITO_TURN_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/buffer.h"
#include "vito/id.h"
#include "vito/identity.h"

/* No turn takes longer: one that says it does has lost its gateway's attention. */
#define VITO_TURN_RUNNING_MS_MAX (INT64_C(20) * 60 * 1000)

/* What is asked of a store. */
struct vito_turn_key {
    struct vito_digest key;         /* of the caller and the key he gave */
    struct vito_digest body;        /* of what he asked */
    char session_id[VITO_ID_BYTES]; /* TURN_BEGIN: that carries it out */
    int64_t at_ms, expires_ms;      /* wall time; TURN_BEGIN: until when it is kept */
    int64_t kept_max;               /* TURN_BEGIN: of one tenant */
};

enum { VITO_TURN_FORGET = 0, VITO_TURN_GIVE_UP = -1 };

/* In front of an answer, in the document of TURN_END and of LEG_SETTLE. */
struct vito_turn_answer {
    struct vito_digest key;
    char session_id[VITO_ID_BYTES]; /* that carries it out; of another one nothing changes */
    int32_t status; /* HTTP; VITO_TURN_FORGET: nothing came of it, and it may be asked for again;
                       VITO_TURN_GIVE_UP: nobody will say any more what came of it */
};

enum vito_turn_state {
    VITO_TURN_RUNNING, /* or being settled */
    VITO_TURN_DONE,
    VITO_TURN_LOST,    /* it was carried out and billed, and its answer is lost */
    VITO_TURN_ANOTHER, /* something else was asked under this key */
};

/* In front of the answer that is kept, in the document that a store answers with. */
struct vito_turn_found {
    enum vito_turn_state state;
    int32_t status;    /* DONE */
    int64_t cost_nusd; /* LOST: of its legs */
};

/* What a store reads of a turn that is kept. */
struct vito_turn_row {
    bool is_same;       /* what was asked */
    int64_t status;     /* 0: it has no answer */
    bool is_live;       /* the life that carries it out goes on, and the turn is not too old */
    bool has_open_legs; /* that are not settled */
    int64_t legs, cost_nusd;
};

/* An answer's document. NULL when out of memory. */
struct rt_buffer *vito_turn_answer_make(const struct vito_turn_answer *answer, const void *bytes,
                                        size_t size_bytes);

/* Reads a request's document. False when it is none. The bytes are the document's. */
bool vito_turn_answer_read(const struct rt_buffer *document, struct vito_turn_answer *answer_out,
                           const uint8_t **bytes_out, size_t *size_bytes_out);

/* What is said of it. False: it is as if it had never been. */
bool vito_turn_judge(const struct vito_turn_row *row, struct vito_turn_found *found_out);

/* A store's document. NULL when out of memory. `bytes` may be NULL. */
struct rt_buffer *vito_turn_found_make(const struct vito_turn_found *found, const void *bytes,
                                       size_t size_bytes);

/* Reads it. The bytes are the document's. */
bool vito_turn_found_read(const struct rt_buffer *document, struct vito_turn_found *found_out,
                          const uint8_t **bytes_out, size_t *size_bytes_out);

#endif
