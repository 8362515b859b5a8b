#include "net/websocket.h"

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "net/bytes.h"
#include "net/utf8.h"
#include "runtime/assert.h"
#include "runtime/pool.h"

enum {
    FIN = 0x80,
    RESERVED = 0x70,
    OPCODE = 0x0F,
    MASKED = 0x80,
    LENGTH = 0x7F,
    LENGTH_16 = 126, /* two bytes of length follow */
    LENGTH_64 = 127, /* eight bytes follow */
    START_BYTES = 2, /* of a header: they tell how long it is */
    MASK_BYTES = 4,
};

struct net_ws_reader {
    size_t message_bytes_max;
    bool from_client;
    bool is_reported;     /* `message` was handed out: free it with the next call */
    uint16_t broken_code; /* not 0: the peer broke the protocol, and we read no more */

    uint8_t header[NET_WS_HEADER_BYTES_MAX];
    uint8_t header_bytes, header_bytes_wanted;

    bool in_frame; /* the header is complete */
    bool is_final;
    enum net_ws_opcode opcode;
    uint8_t mask[MASK_BYTES];
    size_t frame_bytes, frame_done;

    enum net_ws_opcode message_opcode; /* of the message under way; CONTINUATION: none */
    struct net_utf8 utf8;              /* between texts: at the beginning of a character */
    struct net_bytes message;          /* what came of it, when it did not come at once */
    uint8_t control[NET_WS_CONTROL_BYTES_MAX];
};

/* What one call of feed works on. */
struct input {
    uint8_t *bytes;
    size_t size_bytes;
    size_t used;
    struct net_ws_event *event;
};

struct net_ws_reader *
net_ws_reader_create(bool from_client, size_t message_bytes_max)
{
    struct net_ws_reader *reader = rt_pool_take(sizeof(*reader));
    if (reader == NULL)
        return NULL;
    *reader = (struct net_ws_reader){.from_client = from_client,
                                     .message_bytes_max = message_bytes_max,
                                     .header_bytes_wanted = START_BYTES};
    return reader;
}

void
net_ws_reader_destroy(struct net_ws_reader *reader)
{
    if (reader == NULL)
        return;
    net_bytes_clear(&reader->message);
    rt_pool_give(reader, sizeof(*reader));
}

void
net_ws_reader_set_message_bytes_max(struct net_ws_reader *reader, size_t message_bytes_max)
{
    RT_ASSERT(reader->message_opcode == NET_WS_OP_CONTINUATION);
    reader->message_bytes_max = message_bytes_max;
}

size_t
net_ws_reader_held_bytes(const struct net_ws_reader *reader)
{
    return reader->message.capacity;
}

static enum net_ws_read
break_off(struct net_ws_reader *reader, uint16_t code)
{
    reader->broken_code = code;
    return NET_WS_READ_BROKEN;
}

static bool
is_control(enum net_ws_opcode opcode)
{
    return opcode >= NET_WS_OP_CLOSE;
}

static bool
opcode_is_known(unsigned opcode)
{
    return opcode <= NET_WS_OP_BINARY || (opcode >= NET_WS_OP_CLOSE && opcode <= NET_WS_OP_PONG);
}

/* Whether a frame of this kind may come now. */
static bool
opcode_is_due(const struct net_ws_reader *reader, enum net_ws_opcode opcode)
{
    if (is_control(opcode))
        return true;
    bool in_message = reader->message_opcode != NET_WS_OP_CONTINUATION;
    return (opcode == NET_WS_OP_CONTINUATION) == in_message;
}

/* Reads the first two bytes. False when they break the protocol. */
static bool
read_start(struct net_ws_reader *reader)
{
    uint8_t first = reader->header[0], second = reader->header[1];
    unsigned length = second & LENGTH;
    if ((first & RESERVED) != 0 || !opcode_is_known(first & OPCODE) ||
        ((second & MASKED) != 0) != reader->from_client)
        return false;
    reader->opcode = (enum net_ws_opcode)(first & OPCODE);
    reader->is_final = (first & FIN) != 0;
    if (is_control(reader->opcode) && (!reader->is_final || length > NET_WS_CONTROL_BYTES_MAX))
        return false;
    if (!opcode_is_due(reader, reader->opcode))
        return false;
    reader->header_bytes_wanted = START_BYTES;
    if (length == LENGTH_16)
        reader->header_bytes_wanted += 2;
    if (length == LENGTH_64)
        reader->header_bytes_wanted += 8;
    if (reader->from_client)
        reader->header_bytes_wanted += MASK_BYTES;
    return true;
}

/* Reads the payload's size from a complete header. False when it is not in its shortest form, or
 * above what 63 bits hold. */
static bool
read_length(const struct net_ws_reader *reader, uint64_t *length_out)
{
    const uint8_t *at = reader->header + START_BYTES;
    unsigned length = reader->header[1] & LENGTH;
    if (length < LENGTH_16) {
        *length_out = length;
        return true;
    }
    unsigned count = length == LENGTH_16 ? 2 : 8;
    uint64_t value = 0;
    for (unsigned i = 0; i < count; i++)
        value = value << 8 | at[i];
    *length_out = value;
    return length == LENGTH_16 ? value >= LENGTH_16 : value > UINT16_MAX && value >> 63 == 0;
}

static enum net_ws_read
begin_frame(struct net_ws_reader *reader)
{
    uint64_t length;
    if (!read_length(reader, &length))
        return break_off(reader, NET_WS_PROTOCOL_ERROR);
    bool is_data = !is_control(reader->opcode);
    if (is_data && length > reader->message_bytes_max - net_bytes_size(&reader->message))
        return break_off(reader, NET_WS_TOO_BIG);
    if (reader->from_client)
        memcpy(reader->mask, reader->header + reader->header_bytes - MASK_BYTES, MASK_BYTES);
    if (is_data && reader->opcode != NET_WS_OP_CONTINUATION)
        reader->message_opcode = reader->opcode;
    reader->frame_bytes = (size_t)length;
    reader->frame_done = 0;
    reader->in_frame = true;
    return NET_WS_READ_MORE;
}

/* Collects a header. */
static enum net_ws_read
read_header(struct net_ws_reader *reader, struct input *input)
{
    while (input->used < input->size_bytes) {
        reader->header[reader->header_bytes++] = input->bytes[input->used++];
        if (reader->header_bytes == START_BYTES && !read_start(reader))
            return break_off(reader, NET_WS_PROTOCOL_ERROR);
        if (reader->header_bytes == reader->header_bytes_wanted)
            return begin_frame(reader);
    }
    return NET_WS_READ_MORE;
}

static void
end_frame(struct net_ws_reader *reader)
{
    reader->in_frame = false;
    reader->header_bytes = 0;
    reader->header_bytes_wanted = START_BYTES;
}

/* Takes what the input has of the frame, unmasked. */
static uint8_t *
take_payload(struct net_ws_reader *reader, struct input *input, size_t *size_bytes_out)
{
    uint8_t *bytes = input->bytes + input->used;
    size_t size_bytes = input->size_bytes - input->used;
    if (size_bytes > reader->frame_bytes - reader->frame_done)
        size_bytes = reader->frame_bytes - reader->frame_done;
    if (reader->from_client)
        net_ws_mask(bytes, size_bytes, reader->mask, reader->frame_done);
    input->used += size_bytes;
    reader->frame_done += size_bytes;
    *size_bytes_out = size_bytes;
    return bytes;
}

static enum net_ws_read
report_close(struct net_ws_reader *reader, struct net_ws_event *event)
{
    const uint8_t *bytes = reader->control;
    size_t size_bytes = reader->frame_bytes;
    *event = (struct net_ws_event){
        .opcode = NET_WS_OP_CLOSE, .bytes = bytes, .size_bytes = 0, .close_code = NET_WS_NO_STATUS};
    if (size_bytes == 0)
        return NET_WS_READ_EVENT;
    if (size_bytes < 2)
        return break_off(reader, NET_WS_PROTOCOL_ERROR);
    event->close_code = (uint16_t)(bytes[0] << 8 | bytes[1]);
    event->bytes = bytes + 2;
    event->size_bytes = size_bytes - 2;
    if (!net_ws_code_is_valid(event->close_code))
        return break_off(reader, NET_WS_PROTOCOL_ERROR);
    if (!net_utf8_is_valid(event->bytes, event->size_bytes))
        return break_off(reader, NET_WS_BAD_PAYLOAD);
    return NET_WS_READ_EVENT;
}

static enum net_ws_read
read_control(struct net_ws_reader *reader, struct input *input)
{
    uint8_t *to = reader->control + reader->frame_done;
    size_t size_bytes;
    const uint8_t *bytes = take_payload(reader, input, &size_bytes);
    memcpy(to, bytes, size_bytes);
    if (reader->frame_done < reader->frame_bytes)
        return NET_WS_READ_MORE;
    end_frame(reader);
    if (reader->opcode == NET_WS_OP_CLOSE)
        return report_close(reader, input->event);
    *input->event = (struct net_ws_event){
        .opcode = reader->opcode, .bytes = reader->control, .size_bytes = reader->frame_bytes};
    return NET_WS_READ_EVENT;
}

static enum net_ws_read
report_message(struct net_ws_reader *reader, struct input *input, const uint8_t *bytes,
               size_t size_bytes)
{
    if (!net_utf8_is_complete(&reader->utf8))
        return break_off(reader, NET_WS_BAD_PAYLOAD);
    *input->event = (struct net_ws_event){
        .opcode = reader->message_opcode, .bytes = bytes, .size_bytes = size_bytes};
    reader->message_opcode = NET_WS_OP_CONTINUATION;
    return NET_WS_READ_EVENT;
}

/* Reads data. A message that lies whole in the input is reported where it lies; others are put
 * together in `message`. */
static enum net_ws_read
read_data(struct net_ws_reader *reader, struct input *input)
{
    bool is_first = reader->frame_done == 0 && net_bytes_size(&reader->message) == 0;
    size_t size_bytes;
    uint8_t *bytes = take_payload(reader, input, &size_bytes);
    if (reader->message_opcode == NET_WS_OP_TEXT &&
        !net_utf8_feed(&reader->utf8, bytes, size_bytes))
        return break_off(reader, NET_WS_BAD_PAYLOAD);
    bool frame_is_done = reader->frame_done == reader->frame_bytes;
    if (frame_is_done)
        end_frame(reader);
    bool message_is_done = frame_is_done && reader->is_final;
    if (message_is_done && is_first)
        return report_message(reader, input, bytes, size_bytes);
    if (!net_bytes_append(&reader->message, bytes, size_bytes))
        return break_off(reader, NET_WS_INTERNAL);
    if (!message_is_done)
        return NET_WS_READ_MORE;
    reader->is_reported = true;
    return report_message(reader, input, net_bytes_data(&reader->message),
                          net_bytes_size(&reader->message));
}

/* Most messages are one short frame that has come whole: they need nothing of the reader's state.
 * False, and nothing done, when this is none. */
static bool
read_at_once(struct net_ws_reader *reader, struct input *input, enum net_ws_read *read_out)
{
    uint8_t *frame = input->bytes + input->used;
    size_t size_bytes = input->size_bytes - input->used;
    if (size_bytes < START_BYTES + MASK_BYTES || !reader->from_client)
        return false;
    bool is_text = frame[0] == (FIN | NET_WS_OP_TEXT);
    size_t payload_bytes = frame[1] & LENGTH;
    if ((!is_text && frame[0] != (FIN | NET_WS_OP_BINARY)) || frame[1] < MASKED ||
        payload_bytes >= LENGTH_16 || size_bytes < START_BYTES + MASK_BYTES + payload_bytes ||
        reader->header_bytes != 0 || reader->message_opcode != NET_WS_OP_CONTINUATION ||
        payload_bytes > reader->message_bytes_max)
        return false;
    uint8_t *payload = frame + START_BYTES + MASK_BYTES;
    net_ws_mask(payload, payload_bytes, frame + START_BYTES, 0);
    input->used += START_BYTES + MASK_BYTES + payload_bytes;
    *input->event = (struct net_ws_event){
        .opcode = frame[0] & OPCODE, .bytes = payload, .size_bytes = payload_bytes};
    *read_out = is_text && !net_utf8_is_valid(payload, payload_bytes)
                    ? break_off(reader, NET_WS_BAD_PAYLOAD)
                    : NET_WS_READ_EVENT;
    return true;
}

/* A frame without payload is complete as soon as its header is. */
static bool
can_go_on(const struct net_ws_reader *reader, const struct input *input)
{
    return input->used < input->size_bytes || (reader->in_frame && reader->frame_bytes == 0);
}

enum net_ws_read
net_ws_reader_feed(struct net_ws_reader *reader, uint8_t *bytes, size_t size_bytes,
                   size_t *used_out, struct net_ws_event *event_out, uint16_t *code_out)
{
    if (reader->is_reported) {
        net_bytes_clear(&reader->message);
        reader->is_reported = false;
    }
    struct input input = {.bytes = bytes, .size_bytes = size_bytes, .event = event_out};
    enum net_ws_read read = NET_WS_READ_MORE;
    if (reader->broken_code != 0)
        read = NET_WS_READ_BROKEN;
    while (read == NET_WS_READ_MORE && can_go_on(reader, &input)) {
        if (!reader->in_frame && read_at_once(reader, &input, &read))
            break;
        if (!reader->in_frame)
            read = read_header(reader, &input);
        else if (is_control(reader->opcode))
            read = read_control(reader, &input);
        else
            read = read_data(reader, &input);
    }
    *used_out = input.used;
    if (read == NET_WS_READ_BROKEN)
        *code_out = reader->broken_code;
    return read;
}

size_t
net_ws_write_header(uint8_t header_out[NET_WS_HEADER_BYTES_MAX], enum net_ws_opcode opcode,
                    size_t size_bytes, const uint8_t *mask)
{
    RT_ASSERT(!is_control(opcode) || size_bytes <= NET_WS_CONTROL_BYTES_MAX);
    unsigned count = 0; /* bytes of extended length */
    uint8_t length = (uint8_t)size_bytes;
    if (size_bytes > UINT16_MAX) {
        count = 8;
        length = LENGTH_64;
    } else if (size_bytes >= LENGTH_16) {
        count = 2;
        length = LENGTH_16;
    }
    header_out[0] = (uint8_t)(FIN | opcode);
    header_out[1] = (uint8_t)((mask == NULL ? 0 : MASKED) | length);
    uint8_t *at = header_out + START_BYTES;
    for (unsigned i = count; i > 0; i--)
        *at++ = (uint8_t)(size_bytes >> (8 * (i - 1)));
    if (mask != NULL) {
        memcpy(at, mask, MASK_BYTES);
        at += MASK_BYTES;
    }
    return (size_t)(at - header_out);
}

void
net_ws_mask(uint8_t *bytes, size_t size_bytes, const uint8_t mask[4], size_t offset)
{
    uint8_t turned[sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof(turned); i++)
        turned[i] = mask[(offset + i) % MASK_BYTES];
    uint64_t word_mask;
    memcpy(&word_mask, turned, sizeof(word_mask));
    size_t at = 0;
    for (; size_bytes - at >= sizeof(word_mask); at += sizeof(word_mask)) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof(word));
        word ^= word_mask;
        memcpy(bytes + at, &word, sizeof(word));
    }
    for (; at < size_bytes; at++)
        bytes[at] ^= turned[at % sizeof(turned)];
}

void
net_ws_accept_value(const char *key, char accept_out[29])
{
    static const char suffix[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, 1.3 */
    char joined[64 + sizeof(suffix)];
    int joined_bytes = snprintf(joined, sizeof(joined), "%s%s", key, suffix);
    RT_ASSERT((size_t)joined_bytes < sizeof(joined));
    uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1((const uint8_t *)joined, (size_t)joined_bytes, digest);
    EVP_EncodeBlock((uint8_t *)accept_out, digest, sizeof(digest));
}

bool
net_ws_code_is_valid(uint16_t code)
{
    if (code >= 3000)
        return code <= 4999;
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}
