#include "net/sse.h"

#include <string.h>

#include "net/bytes.h"
#include "runtime/pool.h"

enum { BOM_BYTES = 3 };
static const char bom[BOM_BYTES] = "\xEF\xBB\xBF";

/* A complete event in `ready`, followed by its name and its data, each with a NUL. */
struct record {
    size_t name_bytes, data_bytes;
};

struct net_sse {
    size_t event_bytes_max;
    struct net_bytes line; /* begun and not ended */
    struct net_bytes data; /* of the event under way, a newline after each line */
    struct net_bytes name; /* of the event under way */
    struct net_bytes ready;
    size_t handed_out_bytes; /* of `ready`: what the last event of net_sse_next() lies in */
    bool skip_newline;       /* the last line ended with CR: an LF now belongs to it */
    bool is_past_bom;
    bool is_broken;
};

struct net_sse *
net_sse_create(size_t event_bytes_max)
{
    struct net_sse *sse = rt_pool_take(sizeof(*sse));
    if (sse == NULL)
        return NULL;
    *sse = (struct net_sse){.event_bytes_max = event_bytes_max};
    return sse;
}

void
net_sse_destroy(struct net_sse *sse)
{
    if (sse == NULL)
        return;
    net_bytes_clear(&sse->line);
    net_bytes_clear(&sse->data);
    net_bytes_clear(&sse->name);
    net_bytes_clear(&sse->ready);
    rt_pool_give(sse, sizeof(*sse));
}

/* The blank line: what has come is an event, unless it has no data. */
static bool
end_event(struct net_sse *sse)
{
    static const char unnamed[] = "message";
    size_t data_bytes = net_bytes_size(&sse->data);
    bool added = true;
    if (data_bytes > 0) {
        bool is_named = net_bytes_size(&sse->name) > 0;
        const void *name = is_named ? net_bytes_data(&sse->name) : (const void *)unnamed;
        size_t name_bytes = is_named ? net_bytes_size(&sse->name) : sizeof(unnamed) - 1;
        /* The last newline of the data becomes its NUL. */
        struct record record = {.name_bytes = name_bytes, .data_bytes = data_bytes - 1};
        added = net_bytes_append(&sse->ready, &record, sizeof(record)) &&
                net_bytes_append(&sse->ready, name, name_bytes) &&
                net_bytes_append(&sse->ready, "", 1) &&
                net_bytes_append(&sse->ready, net_bytes_data(&sse->data), data_bytes - 1) &&
                net_bytes_append(&sse->ready, "", 1);
    }
    net_bytes_clear(&sse->data);
    net_bytes_clear(&sse->name);
    return added;
}

/* The value of a line that is `field`, or "field: value"; NULL when it is another field. */
static const char *
value_of(const char *line, size_t size_bytes, const char *field, size_t *value_bytes_out)
{
    size_t field_bytes = strlen(field);
    if (size_bytes < field_bytes || memcmp(line, field, field_bytes) != 0)
        return NULL;
    const char *at = line + field_bytes, *end = line + size_bytes;
    if (at < end && *at++ != ':')
        return NULL;
    if (at < end && *at == ' ')
        at++;
    *value_bytes_out = (size_t)(end - at);
    return at;
}

/* Comments, ids, retry times and unknown fields are passed over. */
static bool
end_line(struct net_sse *sse, const char *line, size_t size_bytes)
{
    if (!sse->is_past_bom) {
        sse->is_past_bom = true;
        if (size_bytes >= BOM_BYTES && memcmp(line, bom, BOM_BYTES) == 0) {
            line += BOM_BYTES;
            size_bytes -= BOM_BYTES;
        }
    }
    if (size_bytes == 0)
        return end_event(sse);
    size_t value_bytes;
    const char *value = value_of(line, size_bytes, "data", &value_bytes);
    if (value != NULL)
        return net_bytes_append(&sse->data, value, value_bytes) &&
               net_bytes_append(&sse->data, "\n", 1);
    value = value_of(line, size_bytes, "event", &value_bytes);
    if (value == NULL || memchr(value, '\0', value_bytes) != NULL)
        return true; /* a name with a zero byte in it is none that anybody could ask for */
    net_bytes_clear(&sse->name);
    return net_bytes_append(&sse->name, value, value_bytes);
}

/* Bytes up to the next CR or LF, or to the end. */
static size_t
line_bytes(const char *at, size_t size_bytes)
{
    const char *newline = memchr(at, '\n', size_bytes);
    size_t limit = newline == NULL ? size_bytes : (size_t)(newline - at);
    const char *carriage = memchr(at, '\r', limit);
    return carriage == NULL ? limit : (size_t)(carriage - at);
}

static size_t
held_bytes(const struct net_sse *sse)
{
    return net_bytes_size(&sse->line) + net_bytes_size(&sse->data) + net_bytes_size(&sse->name);
}

/* Takes a line, or what there is of it. */
static enum rt_status
take_line(struct net_sse *sse, const char *at, size_t size_bytes, bool is_whole)
{
    if (size_bytes > sse->event_bytes_max - held_bytes(sse))
        return RT_TOO_BIG;
    if (is_whole && net_bytes_size(&sse->line) == 0)
        return end_line(sse, at, size_bytes) ? RT_OK : RT_NO_MEMORY;
    if (!net_bytes_append(&sse->line, at, size_bytes))
        return RT_NO_MEMORY;
    if (!is_whole)
        return RT_OK;
    const char *line = (const char *)net_bytes_data(&sse->line);
    bool ended = end_line(sse, line, net_bytes_size(&sse->line));
    net_bytes_clear(&sse->line);
    return ended ? RT_OK : RT_NO_MEMORY;
}

static void
forget_handed_out(struct net_sse *sse)
{
    net_bytes_consume(&sse->ready, sse->handed_out_bytes);
    sse->handed_out_bytes = 0;
}

enum rt_status
net_sse_feed(struct net_sse *sse, const void *bytes, size_t size_bytes)
{
    forget_handed_out(sse);
    const char *at = bytes, *end = at + size_bytes;
    while (at < end && !sse->is_broken) {
        if (sse->skip_newline && *at == '\n') {
            sse->skip_newline = false;
            at++;
            continue;
        }
        sse->skip_newline = false;
        size_t count = line_bytes(at, (size_t)(end - at));
        bool is_whole = at + count < end;
        enum rt_status status = take_line(sse, at, count, is_whole);
        if (status != RT_OK) {
            sse->is_broken = true;
            return status;
        }
        at += count;
        if (is_whole)
            sse->skip_newline = *at++ == '\r';
    }
    return sse->is_broken ? RT_TOO_BIG : RT_OK;
}

enum rt_status
net_sse_next(struct net_sse *sse, struct net_sse_event *event_out)
{
    forget_handed_out(sse);
    if (net_bytes_size(&sse->ready) == 0)
        return RT_EMPTY;
    struct record record;
    const char *at = (const char *)net_bytes_data(&sse->ready);
    memcpy(&record, at, sizeof(record));
    at += sizeof(record);
    *event_out = (struct net_sse_event){
        .event = at, .data = at + record.name_bytes + 1, .data_bytes = record.data_bytes};
    sse->handed_out_bytes = sizeof(record) + record.name_bytes + 1 + record.data_bytes + 1;
    return RT_OK;
}
