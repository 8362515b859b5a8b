/*
 * actors/wire.h - one way to write a document, as JSON or as MessagePack.
 *
 * A writer appends to a byte buffer that grows and is reused. Maps are written without knowing
 * their size; running out of memory is remembered and asked for once, at the end.
 */
#ifndef ACTORS_WIRE_H
#define ACTORS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

enum wire_format { WIRE_JSON, WIRE_MSGPACK };

struct wire_bytes {
    const uint8_t *bytes;
    size_t size_bytes;
};

enum { WIRE_DEPTH_MAX = 8 };

struct wire_writer {
    enum wire_format format;
    uint8_t *bytes;
    size_t size_bytes, room_bytes;
    unsigned depth;
    struct {
        size_t header_at; /* MessagePack: where the count goes */
        uint16_t count;
        bool is_map;
    } open[WIRE_DEPTH_MAX];
    bool failed;
};

/* The writer of this thread, emptied. What it wrote is valid until the next call. */
struct wire_writer *wire_begin(enum wire_format format);

/* Ends the document. RT_OK | RT_NO_MEMORY. */
RT_MUST_USE enum rt_status wire_end(struct wire_writer *writer, struct wire_bytes *bytes_out);

/* Values. `key` is NULL inside arrays and for the document itself; it has nothing to escape. */
void wire_open_map(struct wire_writer *writer, const char *key);
void wire_open_array(struct wire_writer *writer, const char *key);
void wire_close(struct wire_writer *writer);
void wire_text(struct wire_writer *writer, const char *key, const char *text);
void wire_text_bytes(struct wire_writer *writer, const char *key, const char *text,
                     size_t size_bytes);
void wire_int(struct wire_writer *writer, const char *key, int64_t value);
void wire_bool(struct wire_writer *writer, const char *key, bool value);
void wire_null(struct wire_writer *writer, const char *key);

/* An amount as a decimal string of dollars; NULL for VITO_UNLIMITED. */
void wire_usd(struct wire_writer *writer, const char *key, int64_t nusd);

/* Unix milliseconds as RFC 3339. */
void wire_time(struct wire_writer *writer, const char *key, int64_t wall_ms);

/* Bytes: base64 in JSON, raw in MessagePack. */
void wire_binary(struct wire_writer *writer, const char *key, const void *bytes, size_t size_bytes);

/* A JSON document as a value; malformed JSON becomes null. */
void wire_json(struct wire_writer *writer, const char *key, const char *json, size_t size_bytes);

/* JSON that is known to be well-formed, as it is. In JSON only. */
void wire_raw(struct wire_writer *writer, const char *key, const char *json, size_t size_bytes);

/* Ends one document with a NUL; another may follow. In JSON only. */
void wire_next(struct wire_writer *writer);

#endif
