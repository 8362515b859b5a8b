/*
 * actors/turn_answer.h - the answer to one turn over HTTP, as it leaves and as it is kept.
 */
#ifndef ACTORS_TURN_ANSWER_H
#define ACTORS_TURN_ANSWER_H

#include "actors/frames.h"
#include "vito/turn_key.h"

struct turn_answer {
    const char *turn_id;
    enum vito_mode mode;
    const char *text;
    size_t text_bytes;
    const void *audio; /* samples, or NULL */
    size_t audio_bytes;
    const char *format; /* of them */
    struct vito_use use;
    int64_t cost_nusd;
    const char *provider_id;
    const struct frame_decision *decision;
};

/* Writes it as JSON. RT_OK | RT_NO_MEMORY. The bytes are valid until the next use of wire.h on this
 * thread. */
RT_MUST_USE enum rt_status turn_answer_write(const struct turn_answer *answer,
                                             struct wire_bytes *bytes_out);

/* Writes a problem as the body of an answer. As above. */
RT_MUST_USE enum rt_status turn_problem_write(const struct problem *problem,
                                              struct wire_bytes *bytes_out);

/*
 * A record (vito_turn_answer and a body by turn_answer_write()) with another cost in it: who writes
 * the answer of a turn does not know yet what its last leg costs.
 *
 *   returns    a new buffer; NULL when out of memory, or when it is no such record
 */
struct rt_buffer *turn_record_price(const struct rt_buffer *record, int64_t cost_nusd);

#endif
