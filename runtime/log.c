#include "runtime/log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/pool.h"
#include "runtime/queue.h"

enum {
    LINES_MAX = 4096, /* queued at once: 4 MiB at worst */
    LINE_BYTES = 1024 - 64,
};

struct line {
    struct rt_link link;
    size_t size_bytes;
    char text[LINE_BYTES];
};

static struct {
    struct rt_log_options options;
    struct rt_queue queue;
    atomic_int level; /* RT_LOG_OFF while the writer does not run */
    atomic_uint queued;
    atomic_uint_fast64_t dropped;
    atomic_bool stopping;
    int wake_fd;
    pthread_t writer;
} logger = {.level = RT_LOG_OFF};

struct out {
    char *at, *end;
};

static void
put_char(struct out *out, char c)
{
    if (out->at < out->end)
        *out->at++ = c;
}

RT_PRINTF(2, 3)
static void
put_format(struct out *out, const char *format, ...)
{
    size_t room = (size_t)(out->end - out->at);
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(out->at, room, format, arguments);
    va_end(arguments);
    if (wanted > 0)
        out->at += (size_t)wanted < room ? (size_t)wanted : room;
}

static void
put_escaped(struct out *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            put_char(out, '\\');
        if (c < 0x20)
            put_format(out, "\\u%04x", c);
        else
            put_char(out, (char)c);
    }
}

static void
put_value(struct out *out, const struct rt_log_field *field)
{
    switch (field->type) {
    case RT_FIELD_U64:
        put_format(out, "%" PRIu64, field->u64);
        break;
    case RT_FIELD_I64:
        put_format(out, "%" PRId64, field->i64);
        break;
    case RT_FIELD_TEXT:
        put_char(out, '"');
        put_escaped(out, field->text == NULL ? "" : field->text);
        put_char(out, '"');
        break;
    case RT_FIELD_FLAG:
        put_format(out, "%s", field->flag ? "true" : "false");
        break;
    }
}

static void
put_time(struct out *out, int64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    put_format(out, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1,
               utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(wall_ms % 1000));
}

static void
format_line(struct line *line, enum rt_log_level level, const char *event,
            const struct rt_log_field *fields, size_t count)
{
    static const char *const names[] = {"error", "warn", "info", "debug"};
    const struct rt_world *world = logger.options.world;
    int64_t wall_ms = world->wall_ms(world->self);
    bool json = logger.options.format == RT_LOG_JSON;
    struct out out = {line->text, line->text + sizeof(line->text) - 3};
    if (json)
        put_format(&out, "{\"at\":\"");
    put_time(&out, wall_ms);
    put_format(&out, json ? "\",\"level\":\"%s\",\"event\":\"%s\"" : " %-5s %s", names[level],
               event);
    for (size_t i = 0; i < count; i++) {
        put_format(&out, json ? ",\"%s\":" : " %s=", fields[i].name);
        put_value(&out, &fields[i]);
    }
    out.end += 2;
    if (json)
        put_char(&out, '}');
    put_char(&out, '\n');
    line->size_bytes = (size_t)(out.at - line->text);
}

bool
rt_log_wants(enum rt_log_level level)
{
    return (int)level <= atomic_load_explicit(&logger.level, memory_order_relaxed);
}

void
rt_log_write(enum rt_log_level level, const char *event, const struct rt_log_field *fields,
             size_t count)
{
    if (!rt_log_wants(level))
        return;
    struct line *line = NULL;
    if (atomic_fetch_add_explicit(&logger.queued, 1, memory_order_relaxed) < LINES_MAX)
        line = rt_pool_take(sizeof(*line));
    if (line == NULL) {
        atomic_fetch_sub_explicit(&logger.queued, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&logger.dropped, 1, memory_order_relaxed);
        return;
    }
    format_line(line, level, event, fields, count);
    struct rt_link *last;
    if (rt_queue_push(&logger.queue, &line->link, &last) == RT_QUEUE_PUSHED_FIRST)
        eventfd_write(logger.wake_fd, 1);
}

static void
write_all(const char *bytes, size_t size_bytes)
{
    while (size_bytes > 0) {
        ssize_t done = write(logger.options.fd, bytes, size_bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return; /* nobody reads our log; nothing sensible is left to do */
        bytes += done;
        size_bytes -= (size_t)done;
    }
}

static void
write_drops(void)
{
    uint64_t dropped = atomic_exchange_explicit(&logger.dropped, 0, memory_order_relaxed);
    if (dropped == 0)
        return;
    struct line line;
    struct rt_log_field field = RT_U64("lines", dropped);
    format_line(&line, RT_LOG_WARN, "log.dropped", &field, 1);
    write_all(line.text, line.size_bytes);
}

/* Writes until the queue is parked. */
static void
drain(void)
{
    struct rt_link *link = rt_queue_first(&logger.queue);
    while (link != NULL) {
        struct line *line = RT_CONTAINER_OF(link, struct line, link);
        write_all(line->text, line->size_bytes);
        enum rt_queue_advance advance;
        while ((advance = rt_queue_advance(&logger.queue, link)) == RT_QUEUE_BUSY)
            ; /* its sender is between two instructions */
        rt_pool_give(line, sizeof(*line));
        atomic_fetch_sub_explicit(&logger.queued, 1, memory_order_relaxed);
        link = advance == RT_QUEUE_NEXT ? rt_queue_first(&logger.queue) : NULL;
    }
    write_drops();
}

static void *
writer_main(void *context)
{
    (void)context;
    bool stopping;
    do {
        eventfd_t wakes;
        eventfd_read(logger.wake_fd, &wakes);
        stopping = atomic_load_explicit(&logger.stopping, memory_order_acquire);
        drain();
    } while (!stopping);
    rt_pool_thread_end();
    return NULL;
}

enum rt_status
rt_log_start(const struct rt_log_options *options)
{
    RT_ASSERT(atomic_load(&logger.level) == RT_LOG_OFF);
    logger.options = *options;
    rt_queue_init(&logger.queue);
    atomic_store(&logger.stopping, false);
    logger.wake_fd = eventfd(0, EFD_CLOEXEC);
    if (logger.wake_fd < 0)
        return RT_IO;
    if (pthread_create(&logger.writer, NULL, writer_main, NULL) != 0) {
        close(logger.wake_fd);
        return RT_IO;
    }
    pthread_setname_np(logger.writer, "twin-log");
    atomic_store(&logger.level, (int)options->level);
    return RT_OK;
}

void
rt_log_stop(void)
{
    if (atomic_exchange(&logger.level, RT_LOG_OFF) == RT_LOG_OFF)
        return;
    atomic_store_explicit(&logger.stopping, true, memory_order_release);
    eventfd_write(logger.wake_fd, 1);
    pthread_join(logger.writer, NULL);
    close(logger.wake_fd);
}
