/*
 * JSON to Lua values, straight onto the stack: no tree in between, nothing to free.
 * Source: RFC 8259; what it forbids is refused.
 */
#include <lauxlib.h>
#include <string.h>

#include "lua/json.h"
#include "lua/vm.h"
#include "net/utf8.h"
#include "runtime/compiler.h"

enum {
    SLOTS_PER_LEVEL = 4,
    ITEMS_USUAL = 4,
    MEMBERS_USUAL = 8,       /* a table of more grows */
    DIGITS_MAX = 18,         /* of a whole number in an int64_t, which becomes the nearest double */
    CHARACTER_BYTES_MAX = 4, /* of UTF-8 */
};

struct reader {
    lua_State *state;
    const char *at, *end;
    int depth_left;
};

static bool read_value_raise(struct reader *reader);

static inline bool
is_at(const struct reader *reader, char c)
{
    return reader->at < reader->end && *reader->at == c;
}

static inline bool
skip(struct reader *reader, char c)
{
    bool found = is_at(reader, c);
    reader->at += found;
    return found;
}

static inline void
skip_blanks(struct reader *reader)
{
    while (is_at(reader, ' ') || is_at(reader, '\n') || is_at(reader, '\t') || is_at(reader, '\r'))
        reader->at++;
}

static bool
skip_word(struct reader *reader, const char *word)
{
    size_t size_bytes = strlen(word);
    if ((size_t)(reader->end - reader->at) < size_bytes ||
        memcmp(reader->at, word, size_bytes) != 0)
        return false;
    reader->at += size_bytes;
    return true;
}

static size_t
skip_digits(struct reader *reader)
{
    const char *from = reader->at;
    while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9')
        reader->at++;
    return (size_t)(reader->at - from);
}

/* Four hexadecimal digits; -1 when they are not. */
static int32_t
read_unit(struct reader *reader)
{
    if (reader->end - reader->at < 4)
        return -1;
    int32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        char c = *reader->at++;
        int32_t digit = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
        if (digit < 0)
            return -1;
        unit = unit << 4 | digit;
    }
    return unit;
}

/* What stands behind \u, surrogates put together; -1 when it is no character. */
static int32_t
read_code(struct reader *reader)
{
    int32_t unit = read_unit(reader);
    if (unit < 0xD800 || unit > 0xDFFF)
        return unit;
    if (unit > 0xDBFF || !skip(reader, '\\') || !skip(reader, 'u'))
        return -1;
    int32_t low = read_unit(reader);
    if (low < 0xDC00 || low > 0xDFFF)
        return -1;
    return 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
}

/* Writes a character as UTF-8; returns its bytes. */
static size_t
write_character(char text_out[CHARACTER_BYTES_MAX], int32_t code)
{
    size_t more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const int32_t leads[CHARACTER_BYTES_MAX] = {0, 0xC0, 0xE0, 0xF0};
    text_out[0] = (char)(leads[more] | code >> 6 * more);
    for (size_t i = 1; i <= more; i++)
        text_out[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3F));
    return more + 1;
}

static bool
add_escaped_raise(struct reader *reader, luaL_Buffer *text)
{
    static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    if (reader->at == reader->end)
        return false;
    char c = *reader->at++;
    const char *letter = c == '\0' ? NULL : strchr(letters, c);
    if (letter != NULL) {
        luaL_addchar(text, characters[letter - letters]);
        return true;
    }
    int32_t code = c == 'u' ? read_code(reader) : -1;
    if (code < 0)
        return false;
    char bytes[CHARACTER_BYTES_MAX];
    luaL_addlstring(text, bytes, write_character(bytes, code));
    return true;
}

/* The bytes up to a quote, an escape, or what may not stand in a text. */
static size_t
plain_bytes(const struct reader *reader)
{
    const char *at = reader->at;
    while (at < reader->end && (unsigned char)*at >= ' ' && *at != '"' && *at != '\\')
        at++;
    return (size_t)(at - reader->at);
}

static bool
read_escaped_raise(struct reader *reader)
{
    luaL_Buffer text;
    luaL_checkstack(reader->state, LUA_MINSTACK, "a long text in JSON");
    luaL_buffinit(reader->state, &text);
    for (;;) {
        size_t plain = plain_bytes(reader);
        luaL_addlstring(&text, reader->at, plain);
        reader->at += plain;
        if (skip(reader, '"'))
            break;
        if (!skip(reader, '\\') || !add_escaped_raise(reader, &text))
            return false;
    }
    luaL_pushresult(&text);
    return true;
}

/* Pushes the text behind a quote. */
static bool
read_text_raise(struct reader *reader)
{
    size_t plain = plain_bytes(reader);
    const char *text = reader->at;
    if (reader->end - text == (ptrdiff_t)plain || text[plain] != '"')
        return read_escaped_raise(reader);
    lua_pushlstring(reader->state, text, plain);
    reader->at += plain + 1;
    return true;
}

static bool
skip_fraction(struct reader *reader)
{
    if (skip(reader, '.') && skip_digits(reader) == 0)
        return false;
    if (!skip(reader, 'e') && !skip(reader, 'E'))
        return true;
    if (!skip(reader, '-'))
        (void)skip(reader, '+');
    return skip_digits(reader) > 0;
}

static lua_Number
number_of(const char *digits, size_t count)
{
    int64_t number = 0;
    for (size_t i = 0; i < count; i++)
        number = number * 10 + (digits[i] - '0');
    return (lua_Number)number;
}

static bool
read_number_raise(struct reader *reader)
{
    const char *from = reader->at;
    bool is_negative = skip(reader, '-');
    const char *digits = reader->at;
    size_t count = skip_digits(reader);
    const char *whole_end = reader->at;
    if (count == 0 || (count > 1 && *digits == '0') || !skip_fraction(reader))
        return false;
    if (reader->at == whole_end && count <= DIGITS_MAX) {
        lua_Number number = number_of(digits, count);
        lua_pushnumber(reader->state, is_negative ? -number : number);
        return true;
    }
    lua_pushlstring(reader->state, from, (size_t)(reader->at - from));
    lua_pushnumber(reader->state, lua_tonumber(reader->state, -1)); /* Lua knows no locale */
    lua_remove(reader->state, -2);
    return true;
}

/* A comma before another item, or `closing`. False when it is neither. */
static bool
read_border(struct reader *reader, char closing, bool *ended_out)
{
    skip_blanks(reader);
    *ended_out = skip(reader, closing);
    return *ended_out || skip(reader, ',');
}

static bool
read_items_raise(struct reader *reader)
{
    bool ended = false;
    for (int index = 1; !ended; index++) {
        tlua_vm_charge_raise(reader->state, 1);
        if (!read_value_raise(reader))
            return false;
        lua_rawseti(reader->state, -2, index);
        if (!read_border(reader, ']', &ended))
            return false;
    }
    return true;
}

static bool
read_members_raise(struct reader *reader)
{
    bool ended = false;
    while (!ended) {
        tlua_vm_charge_raise(reader->state, 1);
        skip_blanks(reader);
        if (!skip(reader, '"') || !read_text_raise(reader))
            return false;
        skip_blanks(reader);
        if (!skip(reader, ':') || !read_value_raise(reader))
            return false;
        if (lua_type(reader->state, -1) == LUA_TLIGHTUSERDATA)
            lua_pop(reader->state, 2); /* null */
        else
            lua_rawset(reader->state, -3);
        if (!read_border(reader, '}', &ended))
            return false;
    }
    return true;
}

/* Pushes the table behind its opening bracket. */
static bool
read_table_raise(struct reader *reader, char closing)
{
    lua_State *state = reader->state;
    if (reader->depth_left-- == 0)
        return false;
    luaL_checkstack(state, SLOTS_PER_LEVEL, "JSON is nested too deep");
    skip_blanks(reader);
    bool is_empty = is_at(reader, closing), is_list = closing == ']';
    lua_createtable(state, is_list && !is_empty ? ITEMS_USUAL : 0,
                    is_list || is_empty ? 0 : MEMBERS_USUAL);
    bool is_whole = is_empty  ? skip(reader, closing)
                    : is_list ? read_items_raise(reader)
                              : read_members_raise(reader);
    reader->depth_left++;
    return is_whole;
}

static bool
read_word_raise(struct reader *reader)
{
    if (skip_word(reader, "null")) {
        lua_pushlightuserdata(reader->state, NULL);
        return true;
    }
    bool is_true = skip_word(reader, "true");
    if (!is_true && !skip_word(reader, "false"))
        return false;
    lua_pushboolean(reader->state, is_true);
    return true;
}

/* Pushes a value. False when there is none; what was begun is then left on the stack. */
static bool
read_value_raise(struct reader *reader)
{
    skip_blanks(reader);
    if (skip(reader, '"'))
        return read_text_raise(reader);
    if (skip(reader, '{'))
        return read_table_raise(reader, '}');
    if (skip(reader, '['))
        return read_table_raise(reader, ']');
    if (is_at(reader, 'n') || is_at(reader, 't') || is_at(reader, 'f'))
        return read_word_raise(reader);
    return read_number_raise(reader);
}

bool
tlua_json_decode_raise(lua_State *state, const char *text, size_t size_bytes)
{
    if (!net_utf8_is_valid((const uint8_t *)text, size_bytes))
        return false;
    int top = lua_gettop(state);
    struct reader reader = {
        .state = state, .at = text, .end = text + size_bytes, .depth_left = TLUA_JSON_DEPTH_MAX};
    luaL_checkstack(state, SLOTS_PER_LEVEL, "reading JSON");
    bool is_value = read_value_raise(&reader);
    skip_blanks(&reader);
    if (is_value && reader.at == reader.end)
        return true;
    lua_settop(state, top);
    return false;
}
