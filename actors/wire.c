#include "actors/wire.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <msgpack.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/text.h"
#include "vito/money.h"
#include "vito/period.h"
#include "vito/policy_config.h"

enum {
    ROOM_FIRST_BYTES = 4096,
    ROOM_KEPT_BYTES = 256 * 1024, /* a larger buffer is not kept for the next document */
    MAP16 = 0xde,
    ARRAY16 = 0xdc,
};

static _Thread_local struct wire_writer thread_writer;

/* Frees a thread's buffer when the thread ends: its value is the buffer. */
static pthread_key_t ending;
static pthread_once_t ending_once = PTHREAD_ONCE_INIT;

static void
make_ending(void)
{
    RT_ASSERT(pthread_key_create(&ending, free) == 0);
}

static void
keep(struct wire_writer *writer, uint8_t *bytes, size_t room_bytes)
{
    pthread_once(&ending_once, make_ending);
    RT_ASSERT(pthread_setspecific(ending, bytes) == 0);
    writer->bytes = bytes;
    writer->room_bytes = room_bytes;
}

struct wire_writer *
wire_begin(enum wire_format format)
{
    struct wire_writer *writer = &thread_writer;
    if (writer->room_bytes > ROOM_KEPT_BYTES) {
        free(writer->bytes);
        keep(writer, NULL, 0);
    }
    writer->format = format;
    writer->size_bytes = 0;
    writer->depth = 0;
    writer->failed = false;
    return writer;
}

/* Makes the buffer longer; NULL when out of memory, and then the document is given up. */
static uint8_t *
grow(struct wire_writer *writer, size_t needed)
{
    size_t room = writer->room_bytes == 0 ? ROOM_FIRST_BYTES : writer->room_bytes;
    while (room < needed)
        room *= 2;
    uint8_t *bytes = writer->failed ? NULL : realloc(writer->bytes, room);
    if (bytes == NULL) {
        writer->failed = true;
        return NULL;
    }
    keep(writer, bytes, room);
    return writer->bytes + writer->size_bytes;
}

/* Room for so many bytes more. */
static inline uint8_t *
reserve(struct wire_writer *writer, size_t size_bytes)
{
    if (RT_LIKELY(size_bytes <= writer->room_bytes - writer->size_bytes))
        return writer->bytes + writer->size_bytes;
    return grow(writer, writer->size_bytes + size_bytes);
}

static void
put(struct wire_writer *writer, const void *bytes, size_t size_bytes)
{
    uint8_t *at = reserve(writer, size_bytes);
    if (at == NULL || size_bytes == 0)
        return;
    memcpy(at, bytes, size_bytes);
    writer->size_bytes += size_bytes;
}

static inline void
put_byte(struct wire_writer *writer, uint8_t byte)
{
    uint8_t *at = reserve(writer, 1);
    if (at == NULL)
        return;
    *at = byte;
    writer->size_bytes++;
}

#define EACH_BYTE(value) (UINT64_C(0x0101010101010101) * (value))

/* Not 0 if one of eight bytes is below `limit`, which is at most 0x80. */
static inline uint64_t
has_below(uint64_t bytes, uint8_t limit)
{
    return (bytes - EACH_BYTE(limit)) & ~bytes & EACH_BYTE(0x80);
}

static inline uint64_t
has_special(uint64_t bytes)
{
    return has_below(bytes, ' ') | has_below(bytes ^ EACH_BYTE('"'), 1) |
           has_below(bytes ^ EACH_BYTE('\\'), 1);
}

/* The bytes of a text, at most eight, and blanks. */
static inline uint64_t
word_of(const char *text, size_t size_bytes)
{
    uint64_t word = EACH_BYTE(' ');
    memcpy(&word, text, size_bytes);
    return word;
}

/* Whether JSON has the text as it is. */
static inline bool
is_plain(const char *text, size_t size_bytes)
{
    uint64_t special = 0;
    for (; size_bytes > 8; text += 8, size_bytes -= 8)
        special |= has_special(word_of(text, 8));
    return (special | has_special(word_of(text, size_bytes))) == 0;
}

/* How many bytes from the start JSON has as they are. */
static size_t
plain_bytes(const char *text, size_t size_bytes)
{
    size_t plain = 0;
    while (plain < size_bytes && (unsigned char)text[plain] >= ' ' && text[plain] != '"' &&
           text[plain] != '\\')
        plain++;
    return plain;
}

static void
json_escape(struct wire_writer *writer, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned value = (unsigned char)c;
    const char code[6] = {'\\', 'u', '0', '0', hex[value >> 4], hex[value & 15]};
    const char pair[2] = {'\\', c};
    if (c == '\n')
        put(writer, "\\n", 2);
    else if (c == '"' || c == '\\')
        put(writer, pair, sizeof(pair));
    else
        put(writer, code, sizeof(code));
}

static void
json_escaped(struct wire_writer *writer, const char *text, size_t size_bytes)
{
    put_byte(writer, '"');
    for (;;) {
        size_t plain = plain_bytes(text, size_bytes);
        put(writer, text, plain);
        if (plain == size_bytes)
            break;
        json_escape(writer, text[plain]);
        text += plain + 1;
        size_bytes -= plain + 1;
    }
    put_byte(writer, '"');
}

/* Writes a text in quotes where there is room for it; returns where it ends. */
static inline uint8_t *
quote(uint8_t *at, const char *text, size_t size_bytes)
{
    *at++ = '"';
    memcpy(at, text, size_bytes);
    at += size_bytes;
    *at++ = '"';
    return at;
}

/* `text` may be NULL when it has no bytes. */
static void
json_string(struct wire_writer *writer, const char *text, size_t size_bytes)
{
    text = size_bytes == 0 ? "" : text;
    if (!is_plain(text, size_bytes)) {
        json_escaped(writer, text, size_bytes);
        return;
    }
    uint8_t *at = reserve(writer, size_bytes + 2);
    if (at != NULL)
        writer->size_bytes = (size_t)(quote(at, text, size_bytes) - writer->bytes);
}

static void
json_key(struct wire_writer *writer, const char *key, bool is_first)
{
    size_t size_bytes = strlen(key);
    uint8_t *at = reserve(writer, size_bytes + 4);
    if (at == NULL)
        return;
    *at = ',';
    at = quote(at + !is_first, key, size_bytes);
    *at++ = ':';
    writer->size_bytes = (size_t)(at - writer->bytes);
}

static void
json_base64(struct wire_writer *writer, const void *bytes, size_t size_bytes)
{
    size_t room = sodium_base64_encoded_len(size_bytes, sodium_base64_VARIANT_ORIGINAL);
    put_byte(writer, '"');
    char *at = (char *)reserve(writer, room);
    if (at == NULL)
        return;
    sodium_bin2base64(at, room, bytes, size_bytes, sodium_base64_VARIANT_ORIGINAL);
    writer->size_bytes += room - 1; /* without its NUL */
    put_byte(writer, '"');
}

static int
append(void *context, const char *bytes, size_t size_bytes)
{
    struct wire_writer *writer = context;
    put(writer, bytes, size_bytes);
    return writer->failed ? -1 : 0;
}

static msgpack_packer
packer_of(struct wire_writer *writer)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, writer, append);
    return packer;
}

static void
pack_string(struct wire_writer *writer, const char *text, size_t size_bytes)
{
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_str_with_body(&packer, text, size_bytes);
}

/* A header whose count is filled in when the container is closed. */
static void
pack_open(struct wire_writer *writer, bool is_map)
{
    const uint8_t header[3] = {is_map ? MAP16 : ARRAY16};
    put(writer, header, sizeof(header));
}

static void
pack_close(struct wire_writer *writer, size_t header_at, uint16_t count)
{
    if (writer->failed)
        return;
    writer->bytes[header_at + 1] = (uint8_t)(count >> 8);
    writer->bytes[header_at + 2] = (uint8_t)count;
}

/* What comes before a value: a comma, a key, and in MessagePack the count of its container. */
static void
begin_value(struct wire_writer *writer, const char *key)
{
    if (writer->depth == 0)
        return;
    unsigned top = writer->depth - 1;
    RT_ASSERT(writer->open[top].is_map == (key != NULL));
    uint16_t before = writer->open[top].count++;
    if (writer->format == WIRE_MSGPACK) {
        if (key != NULL)
            pack_string(writer, key, strlen(key));
        return;
    }
    if (key != NULL)
        json_key(writer, key, before == 0);
    else if (before > 0)
        put_byte(writer, ',');
}

static void
open_container(struct wire_writer *writer, const char *key, bool is_map)
{
    RT_ASSERT(writer->depth < WIRE_DEPTH_MAX);
    begin_value(writer, key);
    unsigned top = writer->depth++;
    writer->open[top].header_at = writer->size_bytes;
    writer->open[top].count = 0;
    writer->open[top].is_map = is_map;
    if (writer->format == WIRE_MSGPACK)
        pack_open(writer, is_map);
    else
        put_byte(writer, is_map ? '{' : '[');
}

void
wire_open_map(struct wire_writer *writer, const char *key)
{
    open_container(writer, key, true);
}

void
wire_open_array(struct wire_writer *writer, const char *key)
{
    open_container(writer, key, false);
}

void
wire_close(struct wire_writer *writer)
{
    RT_ASSERT(writer->depth > 0);
    unsigned top = --writer->depth;
    if (writer->format == WIRE_JSON)
        put_byte(writer, writer->open[top].is_map ? '}' : ']');
    else
        pack_close(writer, writer->open[top].header_at, writer->open[top].count);
}

void
wire_text_bytes(struct wire_writer *writer, const char *key, const char *text, size_t size_bytes)
{
    begin_value(writer, key);
    if (writer->format == WIRE_JSON)
        json_string(writer, text, size_bytes);
    else
        pack_string(writer, text, size_bytes);
}

void
wire_text(struct wire_writer *writer, const char *key, const char *text)
{
    wire_text_bytes(writer, key, text, strlen(text));
}

void
wire_int(struct wire_writer *writer, const char *key, int64_t value)
{
    begin_value(writer, key);
    if (writer->format == WIRE_MSGPACK) {
        msgpack_packer packer = packer_of(writer);
        msgpack_pack_int64(&packer, value);
        return;
    }
    char digits[RT_INT_TEXT_BYTES];
    const char *text = rt_text_of_int(value, digits);
    put(writer, text, strlen(text));
}

void
wire_bool(struct wire_writer *writer, const char *key, bool value)
{
    begin_value(writer, key);
    msgpack_packer packer = packer_of(writer);
    if (writer->format == WIRE_JSON)
        put(writer, value ? "true" : "false", value ? 4 : 5);
    else if (value)
        msgpack_pack_true(&packer);
    else
        msgpack_pack_false(&packer);
}

void
wire_null(struct wire_writer *writer, const char *key)
{
    begin_value(writer, key);
    msgpack_packer packer = packer_of(writer);
    if (writer->format == WIRE_JSON)
        put(writer, "null", 4);
    else
        msgpack_pack_nil(&packer);
}

void
wire_usd(struct wire_writer *writer, const char *key, int64_t nusd)
{
    char text[VITO_USD_TEXT_BYTES];
    if (nusd == VITO_UNLIMITED)
        wire_null(writer, key);
    else
        wire_text(writer, key, vito_money_format(nusd, text));
}

void
wire_time(struct wire_writer *writer, const char *key, int64_t wall_ms)
{
    char text[VITO_TIME_TEXT_BYTES];
    wire_text(writer, key, vito_time_format(wall_ms, text));
}

void
wire_binary(struct wire_writer *writer, const char *key, const void *bytes, size_t size_bytes)
{
    begin_value(writer, key);
    msgpack_packer packer = packer_of(writer);
    if (writer->format == WIRE_JSON)
        json_base64(writer, bytes, size_bytes);
    else
        msgpack_pack_bin_with_body(&packer, bytes, size_bytes);
}

#define EXACT_MAX 9007199254740992.0 /* 2^53 */

static void
pack_number(struct wire_writer *writer, const char *key, double value)
{
    if (value == floor(value) && fabs(value) <= EXACT_MAX) {
        wire_int(writer, key, (int64_t)value);
        return;
    }
    begin_value(writer, key);
    msgpack_packer packer = packer_of(writer);
    msgpack_pack_double(&packer, value);
}

static void
pack_item(struct wire_writer *writer, const char *key, const cJSON *item)
{
    if (cJSON_IsObject(item) || cJSON_IsArray(item)) {
        if (writer->depth == WIRE_DEPTH_MAX) {
            wire_null(writer, key);
            return;
        }
        open_container(writer, key, cJSON_IsObject(item));
        for (const cJSON *child = item->child; child != NULL; child = child->next)
            pack_item(writer, cJSON_IsObject(item) ? child->string : NULL, child);
        wire_close(writer);
    } else if (cJSON_IsString(item)) {
        wire_text(writer, key, item->valuestring);
    } else if (cJSON_IsBool(item)) {
        wire_bool(writer, key, cJSON_IsTrue(item));
    } else if (cJSON_IsNumber(item)) {
        pack_number(writer, key, item->valuedouble);
    } else {
        wire_null(writer, key);
    }
}

void
wire_json(struct wire_writer *writer, const char *key, const char *json, size_t size_bytes)
{
    const char *end = NULL;
    cJSON *document = cJSON_ParseWithLengthOpts(json, size_bytes, &end, false);
    while (document != NULL && end < json + size_bytes && strchr(" \t\r\n", *end) != NULL)
        end++;
    if (document != NULL && end != json + size_bytes) { /* something stands behind it */
        cJSON_Delete(document);
        document = NULL;
    }
    if (document == NULL) {
        wire_null(writer, key);
    } else if (writer->format == WIRE_MSGPACK) {
        pack_item(writer, key, document);
    } else {
        begin_value(writer, key);
        put(writer, json, size_bytes);
    }
    cJSON_Delete(document);
}

void
wire_raw(struct wire_writer *writer, const char *key, const char *json, size_t size_bytes)
{
    RT_ASSERT(writer->format == WIRE_JSON);
    begin_value(writer, key);
    put(writer, json, size_bytes);
}

void
wire_next(struct wire_writer *writer)
{
    RT_ASSERT(writer->format == WIRE_JSON && writer->depth == 0);
    put_byte(writer, '\0');
}

enum rt_status
wire_end(struct wire_writer *writer, struct wire_bytes *bytes_out)
{
    RT_ASSERT(writer->depth == 0);
    if (writer->failed)
        return RT_NO_MEMORY;
    *bytes_out = (struct wire_bytes){writer->bytes, writer->size_bytes};
    return RT_OK;
}
