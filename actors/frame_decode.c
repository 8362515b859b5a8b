/*
 * Frames from the client: JSON by cJSON, MessagePack by msgpack-c, into one struct.
 *
 * Both are read into a handful of fields first; what the fields mean is decided in one place.
 * Unknown members are ignored, so that newer clients work; members of the wrong type are not.
 */
#include "actors/frames.h"

#include <cjson/cJSON.h>
#include <ctype.h>
#include <math.h>
#include <msgpack.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "net/utf8.h"
#include "runtime/text.h"

enum { NESTING_MAX = 16 };
#define LAST_SEQ_MAX (INT64_C(1) << 53) /* a double counts so far */

#define EXACT_MAX 9007199254740992.0 /* 2^53: whole numbers up to here are what they were */

/* A member's value as either format has it. */
struct text {
    const char *bytes; /* NULL: absent */
    size_t size_bytes;
};

struct fields {
    struct text type, text, mode, token;
    int64_t last_seq; /* -1: absent */
    struct text data; /* base64 in JSON, raw in MessagePack */
    bool data_is_raw;
    struct frame_id id;
    const char *wrong; /* the first member of a wrong type */
};

static void
fail(struct frame_in *frame, struct problem problem)
{
    frame->type = CLIENT_BAD;
    frame->problem = problem;
}

static struct text
json_text(const cJSON *object, const char *name, struct fields *fields)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
    if (item == NULL || cJSON_IsNull(item))
        return (struct text){NULL, 0};
    if (!cJSON_IsString(item)) {
        fields->wrong = name;
        return (struct text){NULL, 0};
    }
    return (struct text){item->valuestring, strlen(item->valuestring)};
}

/* An id that is none is not said back: cut short, it would be another one. */
static void
check_id(struct fields *fields, int length)
{
    if (length >= 0 && length < FRAME_ID_BYTES)
        return;
    fields->id = (struct frame_id){.is_number = false};
    fields->wrong = "id";
}

static void
json_id(const cJSON *object, struct fields *fields)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "id");
    if (item == NULL || cJSON_IsNull(item))
        return;
    int length = -1;
    if (cJSON_IsString(item)) {
        length = snprintf(fields->id.text, FRAME_ID_BYTES, "%s", item->valuestring);
    } else if (cJSON_IsNumber(item) && item->valuedouble == floor(item->valuedouble) &&
               fabs(item->valuedouble) <= EXACT_MAX) {
        fields->id.is_number = true;
        length = snprintf(fields->id.text, FRAME_ID_BYTES, "%lld", (long long)item->valuedouble);
    }
    check_id(fields, length);
}

static void
json_last_seq(const cJSON *object, struct fields *fields)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, "last_seq");
    fields->last_seq = -1;
    if (item == NULL || cJSON_IsNull(item))
        return;
    if (cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble <= LAST_SEQ_MAX &&
        item->valuedouble == (double)(int64_t)item->valuedouble)
        fields->last_seq = (int64_t)item->valuedouble;
    else
        fields->wrong = "last_seq";
}

/* Whether an escape stands for a zero, at which cJSON ends the string. To it digits that are none
 * are one. */
static bool
is_zero(const uint8_t *escape, size_t size_bytes)
{
    if (size_bytes < 6 || escape[1] != 'u')
        return false;
    bool has_digits = true;
    for (int i = 2; i < 6; i++)
        has_digits = has_digits && isxdigit(escape[i]);
    return !has_digits || memcmp(escape + 2, "0000", 4) == 0;
}

/* Whether cJSON is not to see it: its own limit to nesting is a thousand, and it ends a string at
 * an escaped zero. */
static bool
is_beyond_cjson(const uint8_t *bytes, size_t size_bytes)
{
    int depth = 0;
    bool in_string = false;
    for (size_t i = 0; i < size_bytes; i++) {
        uint8_t c = bytes[i];
        if (in_string) {
            if (c == '\\' && is_zero(bytes + i, size_bytes - i))
                return true;
            if (c == '\\')
                i++;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if ((c == '{' || c == '[') && ++depth > NESTING_MAX) {
            return true;
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return false;
}

static cJSON *
json_parse(const uint8_t *bytes, size_t size_bytes, struct frame_in *frame)
{
    if (memchr(bytes, '\0', size_bytes) != NULL || is_beyond_cjson(bytes, size_bytes)) {
        fail(frame, problem_make(PROBLEM_MALFORMED_JSON, "zero bytes or more than %d levels",
                                 NESTING_MAX));
        return NULL;
    }
    const char *end = NULL;
    cJSON *object = cJSON_ParseWithLengthOpts((const char *)bytes, size_bytes, &end, false);
    size_t used = end == NULL ? 0 : (size_t)(end - (const char *)bytes);
    while (object != NULL && used < size_bytes && strchr(" \t\r\n", bytes[used]) != NULL)
        used++;
    if (object == NULL || used != size_bytes) {
        cJSON_Delete(object);
        fail(frame, problem_make(PROBLEM_MALFORMED_JSON, "not JSON from byte %zu on", used));
        return NULL;
    }
    if (!cJSON_IsObject(object)) {
        cJSON_Delete(object);
        fail(frame, problem_make(PROBLEM_MALFORMED_JSON, "a frame must be an object"));
        return NULL;
    }
    return object;
}

static void
json_fields(const cJSON *object, struct fields *fields)
{
    fields->type = json_text(object, "type", fields);
    fields->text = json_text(object, "text", fields);
    fields->mode = json_text(object, "mode", fields);
    fields->token = json_text(object, "token", fields);
    json_last_seq(object, fields);
    fields->data = json_text(object, "data", fields);
    json_id(object, fields);
}

/* JSON's texts are UTF-8 without zero bytes by now; MessagePack's may be anything. */
static bool
is_text(const msgpack_object_str *str)
{
    return net_utf8_is_valid((const uint8_t *)str->ptr, str->size) &&
           memchr(str->ptr, '\0', str->size) == NULL;
}

static struct text
pack_text(const msgpack_object *value, const char *name, struct fields *fields)
{
    if (value->type == MSGPACK_OBJECT_NIL)
        return (struct text){NULL, 0};
    if (value->type != MSGPACK_OBJECT_STR || !is_text(&value->via.str)) {
        fields->wrong = name;
        return (struct text){NULL, 0};
    }
    return (struct text){value->via.str.ptr, value->via.str.size};
}

static void
pack_id(const msgpack_object *value, struct fields *fields)
{
    int length = -1;
    if (value->type == MSGPACK_OBJECT_NIL)
        return;
    if (value->type == MSGPACK_OBJECT_STR && is_text(&value->via.str)) {
        length = snprintf(fields->id.text, FRAME_ID_BYTES, "%.*s", (int)value->via.str.size,
                          value->via.str.ptr);
    } else if (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER &&
               value->via.u64 <= (uint64_t)EXACT_MAX) {
        fields->id.is_number = true;
        length =
            snprintf(fields->id.text, FRAME_ID_BYTES, "%llu", (unsigned long long)value->via.u64);
    } else if (value->type == MSGPACK_OBJECT_NEGATIVE_INTEGER &&
               value->via.i64 >= -(int64_t)EXACT_MAX) {
        fields->id.is_number = true;
        length = snprintf(fields->id.text, FRAME_ID_BYTES, "%lld", (long long)value->via.i64);
    }
    check_id(fields, length);
}

static void
pack_last_seq(const msgpack_object *value, struct fields *fields)
{
    if (value->type == MSGPACK_OBJECT_NIL)
        return;
    if (value->type == MSGPACK_OBJECT_POSITIVE_INTEGER && value->via.u64 <= LAST_SEQ_MAX)
        fields->last_seq = (int64_t)value->via.u64;
    else
        fields->wrong = "last_seq";
}

static bool
key_is(const msgpack_object *key, const char *name)
{
    return key->type == MSGPACK_OBJECT_STR && key->via.str.size == strlen(name) &&
           memcmp(key->via.str.ptr, name, key->via.str.size) == 0;
}

static void
pack_field(const msgpack_object_kv *pair, struct fields *fields)
{
    const msgpack_object *value = &pair->val;
    if (key_is(&pair->key, "type"))
        fields->type = pack_text(value, "type", fields);
    else if (key_is(&pair->key, "text"))
        fields->text = pack_text(value, "text", fields);
    else if (key_is(&pair->key, "mode"))
        fields->mode = pack_text(value, "mode", fields);
    else if (key_is(&pair->key, "token"))
        fields->token = pack_text(value, "token", fields);
    else if (key_is(&pair->key, "last_seq"))
        pack_last_seq(value, fields);
    else if (key_is(&pair->key, "id"))
        pack_id(value, fields);
    else if (!key_is(&pair->key, "data"))
        return;
    else if (value->type == MSGPACK_OBJECT_BIN)
        fields->data = (struct text){value->via.bin.ptr, value->via.bin.size};
    else if (value->type != MSGPACK_OBJECT_NIL)
        fields->wrong = "data";
}

static uint64_t
big_endian(const uint8_t *bytes, unsigned size_bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* What a MessagePack type byte announces: bytes that follow it, and values inside it. */
struct announced {
    unsigned count_bytes; /* of its length field */
    unsigned fixed_bytes; /* besides: a number's own */
    bool is_bytes;        /* the length counts bytes … */
    unsigned values_each; /* … or this many values each */
    uint64_t count;       /* when it has no length field */
};

static struct announced
announced_by(uint8_t type)
{
    if (type < 0x80 || type >= 0xe0 || (type >= 0xc0 && type <= 0xc3))
        return (struct announced){0};
    if (type < 0x90)
        return (struct announced){.values_each = 2, .count = type & 0x0f};
    if (type < 0xa0)
        return (struct announced){.values_each = 1, .count = type & 0x0f};
    if (type < 0xc0)
        return (struct announced){.is_bytes = true, .count = type & 0x1f};
    if (type <= 0xc6)
        return (struct announced){.count_bytes = 1u << (type - 0xc4), .is_bytes = true};
    if (type <= 0xc9)
        return (struct announced){
            .count_bytes = 1u << (type - 0xc7), .fixed_bytes = 1, .is_bytes = true};
    if (type <= 0xcb)
        return (struct announced){.fixed_bytes = 4u << (type - 0xca)};
    if (type <= 0xcf)
        return (struct announced){.fixed_bytes = 1u << (type - 0xcc)};
    if (type <= 0xd3)
        return (struct announced){.fixed_bytes = 1u << (type - 0xd0)};
    if (type <= 0xd8)
        return (struct announced){.fixed_bytes = 1 + (1u << (type - 0xd4))};
    if (type <= 0xdb)
        return (struct announced){.count_bytes = 1u << (type - 0xd9), .is_bytes = true};
    return (struct announced){.count_bytes = 2u << (type & 1), .values_each = type < 0xde ? 1 : 2};
}

/* Whether every length fits into the bytes that are there: msgpack-c allocates for what a map or
 * array announces, before it has seen its members. */
static bool
lengths_are_sane(const uint8_t *bytes, size_t size_bytes)
{
    uint64_t values = 1; /* still announced */
    size_t at = 0;
    while (values > 0) {
        if (at >= size_bytes)
            return false;
        struct announced announced = announced_by(bytes[at++]);
        if (size_bytes - at < announced.count_bytes + announced.fixed_bytes)
            return false;
        uint64_t count = announced.count_bytes == 0 ? announced.count
                                                    : big_endian(bytes + at, announced.count_bytes);
        at += announced.count_bytes + announced.fixed_bytes;
        values--;
        if (count > size_bytes - at)
            return false;
        if (announced.is_bytes)
            at += count;
        values += count * announced.values_each;
        if (values > size_bytes - at)
            return false;
    }
    return at == size_bytes;
}

static bool
pack_parse(const uint8_t *bytes, size_t size_bytes, msgpack_unpacked *unpacked,
           struct frame_in *frame)
{
    size_t used = 0;
    if (!lengths_are_sane(bytes, size_bytes) ||
        msgpack_unpack_next(unpacked, (const char *)bytes, size_bytes, &used) !=
            MSGPACK_UNPACK_SUCCESS) {
        fail(frame, problem_make(PROBLEM_MALFORMED_MSGPACK,
                                 "the frame is not exactly one MessagePack value"));
        return false;
    }
    if (unpacked->data.type != MSGPACK_OBJECT_MAP) {
        fail(frame, problem_make(PROBLEM_MALFORMED_MSGPACK, "a frame must be a map"));
        return false;
    }
    return true;
}

static bool
text_is(struct text text, const char *name)
{
    return text.bytes != NULL && text.size_bytes == strlen(name) &&
           memcmp(text.bytes, name, text.size_bytes) == 0;
}

static void
read_turn(const struct fields *fields, struct frame_in *frame, struct rt_buffer **body_out)
{
    if (fields->text.bytes == NULL || fields->text.size_bytes == 0) {
        fail(frame, problem_make(PROBLEM_INVALID_FIELD, "a turn needs a text that is not empty"));
        return;
    }
    *body_out = rt_buffer_copy(fields->text.bytes, fields->text.size_bytes);
}

static void
read_base64(struct text data, struct frame_in *frame, struct rt_buffer **body_out)
{
    struct rt_buffer *samples = rt_buffer_create(data.size_bytes / 4 * 3 + 3);
    size_t size_bytes = 0;
    if (samples == NULL) {
        fail(frame, problem_make(PROBLEM_OVERLOAD, NULL));
        return;
    }
    if (sodium_base642bin(samples->bytes, samples->size_bytes, data.bytes, data.size_bytes, NULL,
                          &size_bytes, NULL, sodium_base64_VARIANT_ORIGINAL) != 0) {
        rt_buffer_release(samples);
        fail(frame, problem_make(PROBLEM_INVALID_FIELD, "data is not base64"));
        return;
    }
    samples->size_bytes = (uint32_t)size_bytes;
    *body_out = samples;
}

static void
read_audio(const struct fields *fields, struct frame_in *frame, struct rt_buffer **body_out)
{
    if (fields->data.bytes == NULL) {
        fail(frame, problem_make(PROBLEM_INVALID_FIELD, "audio needs data"));
        return;
    }
    if (!fields->data_is_raw)
        read_base64(fields->data, frame, body_out);
    else if ((*body_out = rt_buffer_copy(fields->data.bytes, fields->data.size_bytes)) == NULL)
        fail(frame, problem_make(PROBLEM_OVERLOAD, NULL));
    if (*body_out != NULL && (*body_out)->size_bytes > FRAME_AUDIO_BYTES_MAX) {
        rt_buffer_release(*body_out);
        *body_out = NULL;
        fail(frame, problem_make(PROBLEM_TOO_BIG, "audio is limited to %d bytes a frame",
                                 FRAME_AUDIO_BYTES_MAX));
    }
}

static void
read_mode(const struct fields *fields, struct frame_in *frame)
{
    char name[8] = "";
    if (fields->mode.bytes != NULL && fields->mode.size_bytes < sizeof(name))
        memcpy(name, fields->mode.bytes, fields->mode.size_bytes);
    frame->mode = vito_mode_of(name);
    if (frame->mode == VITO_MODE_COUNT)
        fail(frame, problem_make(PROBLEM_INVALID_FIELD, "mode must be text, voice or video"));
}

static void
read_resume(const struct fields *fields, struct frame_in *frame)
{
    if (fields->token.bytes == NULL || fields->last_seq < 0) {
        fail(frame, problem_make(PROBLEM_INVALID_FIELD,
                                 "resume needs token, of session.started, and last_seq"));
        return;
    }
    frame->last_seq = (uint64_t)fields->last_seq;
    if (fields->token.size_bytes < sizeof(frame->resume_token)) /* else it is nobody's */
        memcpy(frame->resume_token, fields->token.bytes, fields->token.size_bytes);
}

static void
read_frame(const struct fields *fields, size_t wire_bytes, struct frame_in *frame,
           struct rt_buffer **body_out)
{
    static const struct {
        const char *name;
        enum client_type type;
    } types[] = {
        {"turn", CLIENT_TURN},
        {"audio", CLIENT_AUDIO},
        {"audio.end", CLIENT_AUDIO_END},
        {"interrupt", CLIENT_INTERRUPT},
        {"mode", CLIENT_MODE},
        {"resume", CLIENT_RESUME},
        {"end", CLIENT_END},
    };
    frame->id = fields->id;
    frame->type = CLIENT_BAD;
    for (size_t i = 0; i < RT_COUNT_OF(types); i++)
        if (text_is(fields->type, types[i].name))
            frame->type = types[i].type;
    if (fields->wrong != NULL)
        fail(frame,
             problem_make(PROBLEM_INVALID_FIELD,
                          "%s has the wrong type, is too long or is not UTF-8", fields->wrong));
    else if (fields->type.bytes == NULL)
        fail(frame,
             problem_make(PROBLEM_UNKNOWN_TYPE, "a frame needs /type, for example \"turn\""));
    else if (frame->type == CLIENT_BAD)
        fail(frame, problem_make(PROBLEM_UNKNOWN_TYPE, "no frame type \"%.*s\"",
                                 (int)rt_text_cut(fields->type.bytes, fields->type.size_bytes, 40),
                                 fields->type.bytes));
    else if (frame->type != CLIENT_AUDIO && wire_bytes > FRAME_JSON_BYTES_MAX)
        fail(frame, problem_make(PROBLEM_TOO_BIG, "frames other than audio are limited to %d bytes",
                                 FRAME_JSON_BYTES_MAX));
    else if (frame->type == CLIENT_TURN)
        read_turn(fields, frame, body_out);
    else if (frame->type == CLIENT_AUDIO)
        read_audio(fields, frame, body_out);
    else if (frame->type == CLIENT_MODE)
        read_mode(fields, frame);
    else if (frame->type == CLIENT_RESUME)
        read_resume(fields, frame);
}

void
frame_decode(enum wire_format format, const uint8_t *bytes, size_t size_bytes,
             struct frame_in *frame_out, struct rt_buffer **body_out)
{
    struct fields fields = {0};
    memset(frame_out, 0, sizeof(*frame_out));
    *body_out = NULL;
    if (format == WIRE_JSON) {
        cJSON *object = json_parse(bytes, size_bytes, frame_out);
        if (object == NULL)
            return;
        json_fields(object, &fields);
        read_frame(&fields, size_bytes, frame_out, body_out);
        cJSON_Delete(object);
        return;
    }
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    if (pack_parse(bytes, size_bytes, &unpacked, frame_out)) {
        fields.data_is_raw = true;
        fields.last_seq = -1;
        for (uint32_t i = 0; i < unpacked.data.via.map.size; i++)
            pack_field(&unpacked.data.via.map.ptr[i], &fields);
        read_frame(&fields, size_bytes, frame_out, body_out);
    }
    msgpack_unpacked_destroy(&unpacked);
}
