/*
 * actors/frames.h - what crosses a WebSocket session, as values (schema/asyncapi.yaml).
 *
 * The same frames travel between a session and its connection as messages, and are encoded to
 * JSON or MessagePack only at the edge. Long contents (text, audio, a join object) are in the
 * message's buffer.
 */
#ifndef ACTORS_FRAMES_H
#define ACTORS_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "actors/problem.h"
#include "actors/wire.h"
#include "vito/account.h"
#include "vito/policy_config.h"
#include "vito/store.h"

enum {
    FRAME_ID_BYTES = 64,            /* a client's name for its turn, NUL included */
    FRAME_FORMAT_BYTES = 64,        /* "pcm_s16le;rate=24000;channels=1" */
    FRAME_RESUME_SECRET_BYTES = 33, /* in hex, and a NUL */
    FRAME_RESUME_TOKEN_BYTES =
        VITO_ID_BYTES + FRAME_RESUME_SECRET_BYTES, /* session id "." secret */
    FRAME_JSON_BYTES_MAX = 64 * 1024,
    FRAME_AUDIO_BYTES_MAX = 1024 * 1024,
    /* On the wire audio may be base64, with the rest of its frame around it. */
    FRAME_WIRE_BYTES_MAX = FRAME_AUDIO_BYTES_MAX / 3 * 4 + 4096,
    FRAME_BILL_LINES_MAX = 6,
};

/* The client's `id`, echoed back as it came: a string or a number. */
struct frame_id {
    bool is_number;
    char text[FRAME_ID_BYTES]; /* "" when there was none */
};

enum frame_type {
    FRAME_SESSION_STARTED,
    FRAME_TURN_QUEUED,
    FRAME_TURN_ACCEPTED,
    FRAME_OUTPUT_TEXT,  /* buffer: UTF-8 */
    FRAME_OUTPUT_AUDIO, /* buffer: samples */
    FRAME_TURN_DONE,
    FRAME_TURN_REFUSED,
    FRAME_USAGE,
    FRAME_MODE_CHANGED, /* buffer: join object, or NULL */
    FRAME_QUOTA_WARNING,
    FRAME_SESSION_ENDED,
    FRAME_ERROR,
    FRAME_TYPE_COUNT,
};

enum session_end {
    SESSION_COST_LIMIT,
    SESSION_USER_EXIT,
    SESSION_OPERATOR,
    SESSION_TIMEOUT,
    SESSION_VENDOR_ERROR,
    SESSION_SHUTDOWN,
};

/* "COST_LIMIT" … */
const char *session_end_name(enum session_end end);

/* What was decided of a turn, for those it concerns. */
struct frame_decision {
    char id[VITO_ID_BYTES];
    char action[16]; /* "pass", "throttle", "downgrade" */
    char reason[PROBLEM_TOKEN_BYTES];
    enum vito_mode mode;
    uint32_t waited_ms;
    char policy_version[VITO_VERSION_BYTES];
};

/* One provider's part of a bill. */
struct frame_bill_line {
    char provider_id[VITO_PROVIDER_BYTES];
    enum vito_mode mode;
    uint32_t legs;
    int64_t cost_nusd;
    struct vito_use use;
};

struct frame_bill {
    int64_t cost_nusd;
    struct vito_use use;
    uint32_t turns;
    int64_t duration_ms;
    uint32_t line_count;
    struct frame_bill_line lines[FRAME_BILL_LINES_MAX]; /* the last one takes what has no room */
};

struct frame_out {
    enum frame_type type;
    uint64_t seq;
    char session_id[VITO_ID_BYTES];
    struct frame_id id; /* of the turn, "" when the frame is not about one */
    union {
        struct { /* buffer: join object, or NULL */
            enum vito_mode mode;
            struct vito_limits limits;
            char resume_token[FRAME_RESUME_TOKEN_BYTES]; /* "": it cannot be resumed */
        } started;
        struct {
            uint32_t position;
            uint64_t eta_ms;
        } queued;
        struct frame_decision decision;  /* TURN_ACCEPTED */
        char format[FRAME_FORMAT_BYTES]; /* OUTPUT_AUDIO */
        struct {
            struct vito_use use;
            int64_t cost_nusd;
            enum vito_mode mode;
            bool interrupted;
            char provider_id[VITO_PROVIDER_BYTES];
        } done;
        struct {
            struct problem problem;
            bool fatal;
        } error; /* TURN_REFUSED, ERROR */
        struct {
            int64_t posted_nusd, held_nusd, remaining_nusd, session_nusd;
        } usage;
        struct {
            enum vito_mode from, to;
            char reason[PROBLEM_TOKEN_BYTES];
        } mode;
        struct {
            int64_t seconds_left;
            int64_t remaining_nusd;
        } warning;
        struct {
            enum session_end reason;
            uint16_t close_code;
            struct frame_bill bill;
        } ended;
    };
};

enum client_type {
    CLIENT_TURN,  /* body: text */
    CLIENT_AUDIO, /* body: samples */
    CLIENT_AUDIO_END,
    CLIENT_INTERRUPT,
    CLIENT_MODE,
    CLIENT_RESUME, /* for the connection: it is the first on it */
    CLIENT_END,
    CLIENT_BAD, /* could not be read: `problem` says why */
};

struct frame_in {
    enum client_type type;
    struct frame_id id;
    enum vito_mode mode;                         /* CLIENT_MODE */
    char resume_token[FRAME_RESUME_TOKEN_BYTES]; /* CLIENT_RESUME, and last_seq */
    uint64_t last_seq;
    struct problem problem; /* CLIENT_BAD */
};

/*
 * Encodes a frame.
 *
 *   body       the text, samples or join object that belong to it; NULL when there is none
 *   bytes_out  valid until the next encode on this thread
 *   returns    RT_OK | RT_NO_MEMORY
 */
RT_MUST_USE enum rt_status frame_encode(enum wire_format format, const struct frame_out *frame,
                                        const void *body, size_t body_bytes,
                                        struct wire_bytes *bytes_out);

/*
 * Decodes a client's frame. Always fills in *frame_out: what cannot be read is CLIENT_BAD.
 *
 *   body_out  text or samples, NULL when there are none; the caller's reference. Of a CLIENT_TURN
 *             NULL means that there is no memory for its text: it is to be refused
 */
void frame_decode(enum wire_format format, const uint8_t *bytes, size_t size_bytes,
                  struct frame_in *frame_out, struct rt_buffer **body_out);

/* Writes a problem's members into an open map, `instance` included. */
void problem_write(struct wire_writer *writer, const struct problem *problem);

/* Writes {"tokens","media_ms","interactions"}. */
void use_write(struct wire_writer *writer, const char *key, const struct vito_use *use);

/* Writes the decision's members as a map under `key`. */
void decision_write(struct wire_writer *writer, const char *key,
                    const struct frame_decision *decision);

#endif
