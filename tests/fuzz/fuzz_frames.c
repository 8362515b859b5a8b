/* Clients' session frames: whatever comes is a frame within its bounds or one problem; what was
 * read, written out again in either format, is read as the same; and what is echoed of it makes
 * documents that any client can read. */
#include <cjson/cJSON.h>
#include <msgpack.h>
#include <string.h>

#include "actors/frames.h"
#include "net/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "vito/json.h"

static const char *const type_names[] = {"turn", "audio",  "audio.end", "interrupt",
                                         "mode", "resume", "end"};

static bool
ends(const char *text, size_t room_bytes)
{
    return memchr(text, '\0', room_bytes) != NULL;
}

static void
check_bounds(const struct frame_in *frame, const struct rt_buffer *body, size_t size_bytes)
{
    FUZZ_CHECK(frame->type <= CLIENT_BAD && ends(frame->id.text, FRAME_ID_BYTES));
    bool has_body = frame->type == CLIENT_TURN || frame->type == CLIENT_AUDIO;
    FUZZ_CHECK((body != NULL) == has_body);
    FUZZ_CHECK(body == NULL || body->size_bytes <= size_bytes);
    FUZZ_CHECK(frame->type != CLIENT_TURN || body->size_bytes > 0);
    FUZZ_CHECK(ends(frame->resume_token, FRAME_RESUME_TOKEN_BYTES));
    FUZZ_CHECK(frame->type != CLIENT_MODE || frame->mode < VITO_MODE_COUNT);
}

/* Reads what the gateway wrote, strictly. */
static void
check_readable(enum wire_format format, const struct wire_bytes *wire)
{
    if (format == WIRE_JSON) {
        cJSON *json = NULL;
        const char *problem = NULL;
        FUZZ_CHECK(vito_json_parse((const char *)wire->bytes, wire->size_bytes, &json, &problem) ==
                   RT_OK);
        cJSON_Delete(json);
        return;
    }
    size_t used = 0;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    FUZZ_CHECK(msgpack_unpack_next(&unpacked, (const char *)wire->bytes, wire->size_bytes, &used) ==
               MSGPACK_UNPACK_SUCCESS);
    FUZZ_CHECK(used == wire->size_bytes);
    msgpack_unpacked_destroy(&unpacked);
}

/* The frame as a client would write it. */
static struct wire_bytes
write_again(enum wire_format format, const struct frame_in *frame, const struct rt_buffer *body)
{
    struct wire_bytes wire;
    struct wire_writer *writer = wire_begin(format);
    wire_open_map(writer, NULL);
    wire_text(writer, "type", type_names[frame->type]);
    if (frame->id.is_number)
        wire_int(writer, "id", strtoll(frame->id.text, NULL, 10));
    else
        wire_text(writer, "id", frame->id.text);
    if (frame->type == CLIENT_TURN)
        wire_text_bytes(writer, "text", (const char *)body->bytes, body->size_bytes);
    if (frame->type == CLIENT_AUDIO)
        wire_binary(writer, "data", body->bytes, body->size_bytes);
    if (frame->type == CLIENT_MODE)
        wire_text(writer, "mode", vito_mode_name(frame->mode));
    if (frame->type == CLIENT_RESUME) {
        wire_text(writer, "token", frame->resume_token);
        wire_int(writer, "last_seq", (int64_t)frame->last_seq);
    }
    wire_close(writer);
    FUZZ_CHECK(wire_end(writer, &wire) == RT_OK);
    return wire;
}

static void
check_again(enum wire_format format, const struct frame_in *frame, const struct rt_buffer *body)
{
    struct frame_in again;
    struct rt_buffer *body_again;
    struct wire_bytes wire = write_again(format, frame, body);
    check_readable(format, &wire);
    frame_decode(format, wire.bytes, wire.size_bytes, &again, &body_again);
    FUZZ_CHECK(again.type == frame->type && again.mode == frame->mode);
    FUZZ_CHECK(again.last_seq == frame->last_seq);
    FUZZ_CHECK(strcmp(again.resume_token, frame->resume_token) == 0);
    FUZZ_CHECK(again.id.is_number == frame->id.is_number);
    FUZZ_CHECK(strcmp(again.id.text, frame->id.text) == 0);
    if (body != NULL) {
        FUZZ_CHECK(body_again->size_bytes == body->size_bytes);
        FUZZ_CHECK(memcmp(body_again->bytes, body->bytes, body->size_bytes) == 0);
    }
    rt_buffer_release(body_again);
}

static void
check_echo(enum wire_format format, const struct frame_in *frame)
{
    struct wire_bytes wire;
    struct frame_out out = {.type = FRAME_TURN_ACCEPTED, .id = frame->id};
    FUZZ_CHECK(frame_encode(format, &out, NULL, 0, &wire) == RT_OK);
    check_readable(format, &wire);
    out = (struct frame_out){.type = FRAME_ERROR, .id = frame->id};
    out.error.problem =
        frame->type == CLIENT_BAD ? frame->problem : problem_make(PROBLEM_OVERLOAD, NULL);
    FUZZ_CHECK(frame_encode(format, &out, NULL, 0, &wire) == RT_OK);
    check_readable(format, &wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    enum wire_format format = fuzz_byte(&input) % 2 == 0 ? WIRE_JSON : WIRE_MSGPACK;
    struct frame_in frame;
    struct rt_buffer *body;
    if (format == WIRE_JSON && !net_utf8_is_valid(input.at, input.left_bytes))
        return 0; /* a text message: net/websocket.c has seen to that */
    frame_decode(format, input.at, input.left_bytes, &frame, &body);
    check_bounds(&frame, body, size_bytes);
    for (int other = WIRE_JSON; other <= WIRE_MSGPACK; other++) {
        if (frame.type != CLIENT_BAD)
            check_again((enum wire_format)other, &frame, body);
        check_echo((enum wire_format)other, &frame);
    }
    rt_buffer_release(body);
    return 0;
}
