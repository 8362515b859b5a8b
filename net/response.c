#include "net/response.h"

#include <http_parser.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "runtime/assert.h"
#include "runtime/compiler.h"

const char *
net_date_text(struct net_date *date, int64_t wall_ms)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    int64_t second = wall_ms / 1000;
    if (date->second == second && date->text[0] != '\0')
        return date->text;
    time_t time = (time_t)second;
    struct tm utc;
    gmtime_r(&time, &utc);
    snprintf(date->text, sizeof(date->text), "%s, %02u %s %04u %02u:%02u:%02u GMT",
             days[utc.tm_wday], (unsigned)utc.tm_mday % 100, months[utc.tm_mon],
             (unsigned)(utc.tm_year + 1900) % 10000, (unsigned)utc.tm_hour % 100,
             (unsigned)utc.tm_min % 100, (unsigned)utc.tm_sec % 100);
    date->second = second;
    return date->text;
}

static bool
put(struct net_bytes *out, const char *text)
{
    return net_bytes_append(out, text, strlen(text));
}

/* A newline in a value would begin a header of the sender's choice. */
static bool
put_value(struct net_bytes *out, const char *value)
{
    size_t size_bytes = strlen(value);
    if (size_bytes == 0)
        return true;
    uint8_t *to = net_bytes_reserve(out, size_bytes);
    if (to == NULL)
        return false;
    for (size_t i = 0; i < size_bytes; i++) {
        uint8_t c = (uint8_t)value[i];
        to[i] = (c < ' ' && c != '\t') || c == 0x7F ? ' ' : c;
    }
    net_bytes_commit(out, size_bytes);
    return true;
}

static bool
put_header(struct net_bytes *out, const char *name, const char *value)
{
    return put(out, name) && put(out, ": ") && put_value(out, value) && put(out, "\r\n");
}

static bool
put_status(struct net_bytes *out, int status)
{
    RT_ASSERT(status >= 100);
    RT_ASSERT(status <= 599);
    const char *reason = http_status_str((enum http_status)status);
    char line[64];
    snprintf(line, sizeof(line), "HTTP/1.1 %d %s\r\n", status,
             reason[0] == '<' ? "" : reason); /* "<unknown>": an empty reason is allowed */
    return put(out, line);
}

static bool
put_framing(struct net_bytes *out, const struct net_head *head)
{
    switch (head->framing) {
    case NET_FRAMED_BY_LENGTH: {
        char digits[24];
        snprintf(digits, sizeof(digits), "%zu", head->body_bytes);
        return put_header(out, "Content-Length", digits);
    }
    case NET_FRAMED_BY_CHUNKS:
        return put_header(out, "Transfer-Encoding", "chunked");
    case NET_FRAMED_BY_CLOSE:
    case NET_FRAMED_BY_STATUS:
        break;
    }
    return true;
}

static bool
put_connection(struct net_bytes *out, const struct net_head *head)
{
    if (!head->keeps_alive)
        return put_header(out, "Connection", "close");
    return !head->says_keep_alive || put_header(out, "Connection", "keep-alive");
}

bool
net_response_write_head(struct net_bytes *out, const struct net_head *head)
{
    bool written = put_status(out, head->status) && put_header(out, "Date", head->date);
    for (size_t i = 0; i < head->header_count && written; i++)
        written = put_header(out, head->headers[i].name, head->headers[i].value);
    return written && put_framing(out, head) && put_connection(out, head) && put(out, "\r\n");
}

bool
net_response_write_chunk(struct net_bytes *out, const void *bytes, size_t size_bytes)
{
    if (size_bytes == 0)
        return true; /* an empty chunk would end the body */
    char line[24];
    int line_bytes = snprintf(line, sizeof(line), "%zx\r\n", size_bytes);
    return net_bytes_append(out, line, (size_t)line_bytes) &&
           net_bytes_append(out, bytes, size_bytes) && put(out, "\r\n");
}

bool
net_response_write_last_chunk(struct net_bytes *out)
{
    return put(out, "0\r\n\r\n");
}

static const struct problem {
    int status;
    bool retryable;
    const char *reason, *detail;
    struct net_header header; /* one more, or a NULL name */
} problems[] = {
    {400, false, "malformed_http", "the request does not follow HTTP/1.1 or RFC 6455", {0}},
    {408, true, "request_timeout", "the request did not arrive in time", {0}},
    {413, false, "too_big", "the body is longer than this server reads", {0}},
    {417, false, "expectation_unknown", "only 100-continue may be expected", {0}},
    {426,
     false,
     "websocket_version",
     "only version 13 of WebSocket is spoken here",
     {"Sec-WebSocket-Version", "13"}},
    {431, false, "header_too_big", "the header is longer than this server reads", {0}},
    {500, true, "internal", "the server is out of memory", {0}},
    {501, false, "transfer_encoding", "only chunked is understood", {0}},
    {503, true, "overload", "too many connections are open", {"Retry-After", "1"}},
    {505, false, "http_version", "only HTTP/1.0 and HTTP/1.1 are spoken here", {0}},
};

static const struct problem *
problem_of(int status)
{
    for (size_t i = 0; i < RT_COUNT_OF(problems); i++)
        if (problems[i].status == status)
            return &problems[i];
    RT_ASSERT(false && "a status we never refuse with");
    return NULL;
}

bool
net_response_write_problem(struct net_bytes *out, int status, const char *date, bool has_body)
{
    const struct problem *problem = problem_of(status);
    char body[512];
    int body_bytes =
        snprintf(body, sizeof(body),
                 "{\"type\":\"about:blank\",\"title\":\"%s\",\"status\":%d,\"detail\":\"%s\","
                 "\"reason\":\"%s\",\"retryable\":%s}",
                 http_status_str((enum http_status)status), status, problem->detail,
                 problem->reason, problem->retryable ? "true" : "false");
    const struct net_header headers[] = {{"Content-Type", "application/problem+json"},
                                         problem->header};
    const struct net_head head = {.status = status,
                                  .headers = headers,
                                  .header_count = problem->header.name == NULL ? 1 : 2,
                                  .framing = NET_FRAMED_BY_LENGTH,
                                  .body_bytes = (size_t)body_bytes,
                                  .date = date};
    return net_response_write_head(out, &head) &&
           (!has_body || net_bytes_append(out, body, (size_t)body_bytes));
}

const char *
net_response_problem_reason(int status)
{
    return problem_of(status)->reason;
}
