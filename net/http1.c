#include "net/http1.h"

#include <http_parser.h>
#include <string.h>
#include <strings.h>

#include "net/bytes.h"
#include "runtime/assert.h"
#include "runtime/pool.h"

enum phase { PHASE_HEAD, PHASE_BODY, PHASE_DONE, PHASE_REFUSED };

/* A part of the head. */
struct span {
    uint16_t at, size_bytes;
};

struct net_http1 {
    struct net_http1_limits limits;
    enum phase phase;
    enum net_http1_refusal refusal;
    http_parser parser;
    bool is_complete; /* http_parser has seen the end */
    bool keeps_alive;
    struct net_bytes head;
    size_t lines_bytes; /* of the head: whole lines that were looked at */
    struct net_bytes body;
    uint64_t body_bytes_left; /* when its size was announced */
    struct net_request request;

    /* What http_parser points out while it walks over the complete head. */
    struct span target;
    struct span names[NET_HTTP1_HEADERS_MAX], values[NET_HTTP1_HEADERS_MAX];
    struct net_header headers[NET_HTTP1_HEADERS_MAX];
};

/* What one call of feed works on. */
struct input {
    const uint8_t *bytes;
    size_t size_bytes;
    size_t used;
};

struct net_http1 *
net_http1_create(const struct net_http1_limits *limits)
{
    RT_ASSERT(limits->header_bytes_max <= NET_HTTP1_HEADER_BYTES_MAX);
    struct net_http1 *http = rt_pool_take(sizeof(*http));
    if (http == NULL)
        return NULL;
    memset(http, 0, sizeof(*http));
    http->limits = *limits;
    http_parser_init(&http->parser, HTTP_REQUEST);
    http->parser.data = http;
    return http;
}

void
net_http1_destroy(struct net_http1 *http)
{
    if (http == NULL)
        return;
    net_bytes_wipe(&http->head); /* credentials, and what operators entrust to us */
    net_bytes_wipe(&http->body);
    rt_pool_give(http, sizeof(*http));
}

static enum net_http1_read
refuse(struct net_http1 *http, enum net_http1_refusal refusal)
{
    http->phase = PHASE_REFUSED;
    http->refusal = refusal;
    return NET_HTTP1_REFUSED;
}

/* The head is parsed when it is complete, in one piece and without folded lines, so each part
 * comes in one call. Returning -1 ends the parsing. */

static struct span
span_of(const struct net_http1 *http, const char *at, size_t size_bytes)
{
    const char *head = (const char *)net_bytes_data(&http->head);
    return (struct span){.at = (uint16_t)(at - head), .size_bytes = (uint16_t)size_bytes};
}

static int
on_url(http_parser *parser, const char *at, size_t size_bytes)
{
    struct net_http1 *http = parser->data;
    http->target = span_of(http, at, size_bytes);
    return 0;
}

static int
on_header_name(http_parser *parser, const char *at, size_t size_bytes)
{
    struct net_http1 *http = parser->data;
    if (http->phase != PHASE_HEAD)
        return 0; /* a trailer: nobody reads those */
    size_t index = http->request.header_count;
    if (index == NET_HTTP1_HEADERS_MAX) {
        refuse(http, NET_HTTP1_HEADER_TOO_BIG);
        return -1;
    }
    http->names[index] = span_of(http, at, size_bytes);
    http->request.header_count++;
    return 0;
}

static int
on_header_value(http_parser *parser, const char *at, size_t size_bytes)
{
    struct net_http1 *http = parser->data;
    if (http->phase != PHASE_HEAD)
        return 0;
    http->values[http->request.header_count - 1] = span_of(http, at, size_bytes);
    return 0;
}

static int
on_headers_complete(http_parser *parser)
{
    struct net_http1 *http = parser->data;
    http->keeps_alive = http_should_keep_alive(parser) != 0;
    return 0;
}

/* Adds to the body. False: the request is refused. */
static bool
add_body(struct net_http1 *http, const void *bytes, size_t size_bytes)
{
    if (size_bytes > http->limits.body_bytes_max - net_bytes_size(&http->body)) {
        refuse(http, NET_HTTP1_BODY_TOO_BIG);
        return false;
    }
    if (!net_bytes_append(&http->body, bytes, size_bytes)) {
        refuse(http, NET_HTTP1_NO_MEMORY);
        return false;
    }
    return true;
}

static int
on_body(http_parser *parser, const char *at, size_t size_bytes)
{
    return add_body(parser->data, at, size_bytes) ? 0 : -1;
}

/* Stops the parser behind the request: what follows is the next one. */
static int
on_message_complete(http_parser *parser)
{
    struct net_http1 *http = parser->data;
    http->is_complete = true;
    http_parser_pause(parser, 1);
    return 0;
}

static const http_parser_settings settings = {
    .on_url = on_url,
    .on_header_field = on_header_name,
    .on_header_value = on_header_value,
    .on_headers_complete = on_headers_complete,
    .on_body = on_body,
    .on_message_complete = on_message_complete,
};

/* Runs http_parser. False when it did not like what it saw, and the request is refused. */
static bool
run_parser(struct net_http1 *http, const uint8_t *bytes, size_t size_bytes, size_t *used_out)
{
    *used_out = http_parser_execute(&http->parser, &settings, (const char *)bytes, size_bytes);
    enum http_errno error = HTTP_PARSER_ERRNO(&http->parser);
    if (http->phase == PHASE_REFUSED)
        return false;
    if (error == HPE_OK || error == HPE_PAUSED)
        return true;
    refuse(http, error == HPE_HEADER_OVERFLOW ? NET_HTTP1_HEADER_TOO_BIG : NET_HTTP1_MALFORMED);
    return false;
}

/* Source: RFC 9110, section 5.6.2 (tchar). http_parser allows a space here. */
static bool
is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* Ends a part of the head with a NUL: what stood behind it (a space, a colon, a CR) has been
 * read. */
static char *
cut_out(struct net_http1 *http, struct span span)
{
    char *text = (char *)net_bytes_data(&http->head) + span.at;
    text[span.size_bytes] = '\0';
    return text;
}

/* A value that others would cut at a control character, or read past one, is two values (RFC 9110,
 * section 5.5). */
static bool
has_control_character(const char *text, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

static bool
cut_out_header(struct net_http1 *http, size_t index)
{
    char *name = cut_out(http, http->names[index]);
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
        if (!is_token_char(*c))
            return false;
    }
    struct span value = http->values[index];
    const char *head = (const char *)net_bytes_data(&http->head);
    while (value.size_bytes > 0 && (head[value.at + value.size_bytes - 1] == ' ' ||
                                    head[value.at + value.size_bytes - 1] == '\t'))
        value.size_bytes--;
    if (has_control_character(head + value.at, value.size_bytes))
        return false;
    http->headers[index] = (struct net_header){
        .name = name, .value = value.size_bytes == 0 ? "" : cut_out(http, value)};
    return name[0] != '\0';
}

/* Strips "http://host" off an absolute target. NULL when it is no http URL. */
static char *
strip_authority(char *target)
{
    char *at = NULL;
    if (strncasecmp(target, "http://", 7) == 0)
        at = target + 7;
    else if (strncasecmp(target, "https://", 8) == 0)
        at = target + 8;
    return at == NULL || *at == '\0' ? NULL : at + strcspn(at, "/?");
}

/* Splits the target into path and query. Only printable ASCII without fragment will do. */
static bool
cut_out_target(struct net_http1 *http)
{
    char *target = cut_out(http, http->target);
    for (const char *c = target; *c != '\0'; c++)
        if (*c <= ' ' || *c > '~' || *c == '#')
            return false;
    bool is_asterisk = strcmp(target, "*") == 0 && http->parser.method == HTTP_OPTIONS;
    char *path = target[0] == '/' || is_asterisk ? target : strip_authority(target);
    if (path == NULL)
        return false;
    char *query = strchr(path, '?');
    if (query != NULL)
        *query++ = '\0';
    http->request.path = *path == '\0' ? "/" : path;
    http->request.query = query == NULL ? "" : query;
    return true;
}

static size_t
count_headers(const struct net_request *request, const char *name)
{
    size_t count = 0;
    for (size_t i = 0; i < request->header_count; i++)
        count += strcmp(request->headers[i].name, name) == 0;
    return count;
}

/* Source: RFC 9112, sections 3.2 (one Host) and 6.1 (transfer codings). 0 when all is well. */
static enum net_http1_refusal
check_head(const struct net_http1 *http)
{
    const struct net_request *request = &http->request;
    const http_parser *parser = &http->parser;
    if (parser->http_major != 1 || parser->http_minor > 1)
        return NET_HTTP1_VERSION;
    size_t hosts = count_headers(request, "host");
    if (hosts > 1 || (hosts == 0 && parser->http_minor == 1))
        return NET_HTTP1_MALFORMED;
    size_t codings = count_headers(request, "transfer-encoding");
    if (codings > 1 || (codings == 1 && parser->http_minor == 0))
        return NET_HTTP1_MALFORMED;
    if (codings == 1 &&
        strcasecmp(net_request_header(request, "transfer-encoding"), "chunked") != 0)
        return NET_HTTP1_ENCODING;
    const char *expect = net_request_header(request, "expect");
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
        return NET_HTTP1_EXPECTATION;
    return 0;
}

static bool
cut_out_all(struct net_http1 *http)
{
    http->request.method = http_method_str((enum http_method)http->parser.method);
    http->request.headers = http->headers;
    for (size_t i = 0; i < http->request.header_count; i++)
        if (!cut_out_header(http, i))
            return false;
    return cut_out_target(http);
}

static enum net_http1_read
finish(struct net_http1 *http)
{
    http->phase = PHASE_DONE;
    http->request.body_bytes = net_bytes_size(&http->body);
    http->request.body =
        http->request.body_bytes == 0 ? (const uint8_t *)"" : net_bytes_data(&http->body);
    return NET_HTTP1_REQUEST;
}

/* The head is complete. */
static enum net_http1_read
read_head(struct net_http1 *http, bool has_more)
{
    size_t head_bytes = net_bytes_size(&http->head), used;
    if (!run_parser(http, net_bytes_data(&http->head), head_bytes, &used))
        return NET_HTTP1_REFUSED;
    if (used != head_bytes || !cut_out_all(http))
        return refuse(http, NET_HTTP1_MALFORMED);
    enum net_http1_refusal refusal = check_head(http);
    if (refusal != 0)
        return refuse(http, refusal);
    if (http->is_complete)
        return finish(http);

    http->phase = PHASE_BODY;
    bool is_chunked = net_request_header(&http->request, "transfer-encoding") != NULL;
    http->body_bytes_left = is_chunked ? 0 : http->parser.content_length;
    if (http->body_bytes_left > http->limits.body_bytes_max)
        return refuse(http, NET_HTTP1_BODY_TOO_BIG);
    bool waits = !has_more && http->parser.http_minor == 1 &&
                 net_request_header(&http->request, "expect") != NULL;
    return waits ? NET_HTTP1_CONTINUE : NET_HTTP1_MORE;
}

/* Looks at the newest line of the head. A line ends with CR LF and does not begin with a space:
 * that would continue the one before (obs-fold). True when it is the blank line at the end. */
static bool
check_line(struct net_http1 *http)
{
    const uint8_t *line = net_bytes_data(&http->head) + http->lines_bytes;
    size_t line_bytes = net_bytes_size(&http->head) - http->lines_bytes;
    bool is_blank = line_bytes == 2 && line[0] == '\r';
    if (line_bytes < 2 || line[line_bytes - 2] != '\r' || line[0] == ' ' || line[0] == '\t')
        refuse(http, NET_HTTP1_MALFORMED);
    else if (is_blank && http->lines_bytes == 0)
        net_bytes_clear(&http->head); /* before the request: to be ignored (RFC 9112, 2.2) */
    else
        http->lines_bytes += line_bytes;
    return is_blank && http->lines_bytes > 0;
}

static enum net_http1_read
feed_head(struct net_http1 *http, struct input *input)
{
    while (input->used < input->size_bytes) {
        const uint8_t *from = input->bytes + input->used;
        size_t size_bytes = input->size_bytes - input->used;
        const uint8_t *newline = memchr(from, '\n', size_bytes);
        if (newline != NULL)
            size_bytes = (size_t)(newline - from) + 1;
        if (size_bytes > http->limits.header_bytes_max - net_bytes_size(&http->head))
            return refuse(http, NET_HTTP1_HEADER_TOO_BIG);
        if (!net_bytes_append(&http->head, from, size_bytes))
            return refuse(http, NET_HTTP1_NO_MEMORY);
        input->used += size_bytes;
        if (newline == NULL)
            break;
        if (check_line(http))
            return read_head(http, input->used < input->size_bytes);
        if (http->phase == PHASE_REFUSED)
            return NET_HTTP1_REFUSED;
    }
    return NET_HTTP1_MORE;
}

static enum net_http1_read
feed_body(struct net_http1 *http, struct input *input)
{
    const uint8_t *from = input->bytes + input->used;
    size_t size_bytes = input->size_bytes - input->used;
    if (http->body_bytes_left == 0) { /* chunked */
        size_t used;
        if (!run_parser(http, from, size_bytes, &used))
            return NET_HTTP1_REFUSED;
        input->used += used;
        return http->is_complete ? finish(http) : NET_HTTP1_MORE;
    }
    if (size_bytes > http->body_bytes_left)
        size_bytes = (size_t)http->body_bytes_left;
    if (!add_body(http, from, size_bytes))
        return NET_HTTP1_REFUSED;
    input->used += size_bytes;
    http->body_bytes_left -= size_bytes;
    return http->body_bytes_left == 0 ? finish(http) : NET_HTTP1_MORE;
}

enum net_http1_read
net_http1_feed(struct net_http1 *http, const uint8_t *bytes, size_t size_bytes, size_t *used_out)
{
    RT_ASSERT(http->phase != PHASE_DONE);
    struct input input = {.bytes = bytes, .size_bytes = size_bytes};
    enum net_http1_read read = NET_HTTP1_MORE;
    if (http->phase == PHASE_REFUSED)
        read = NET_HTTP1_REFUSED;
    while (read == NET_HTTP1_MORE && input.used < size_bytes)
        read = http->phase == PHASE_HEAD ? feed_head(http, &input) : feed_body(http, &input);
    *used_out = input.used;
    return read;
}

const struct net_request *
net_http1_request(const struct net_http1 *http)
{
    RT_ASSERT(http->phase == PHASE_DONE);
    return &http->request;
}

enum net_http1_refusal
net_http1_refusal(const struct net_http1 *http)
{
    RT_ASSERT(http->phase == PHASE_REFUSED);
    return http->refusal;
}

bool
net_http1_is_in_body(const struct net_http1 *http)
{
    return http->phase == PHASE_BODY;
}

bool
net_http1_has_begun(const struct net_http1 *http)
{
    return http->phase != PHASE_HEAD || net_bytes_size(&http->head) > 0;
}

bool
net_http1_keeps_alive(const struct net_http1 *http)
{
    return http->keeps_alive;
}

bool
net_http1_is_version_1_0(const struct net_http1 *http)
{
    return http->parser.http_minor == 0;
}

const char *
net_request_header(const struct net_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, name) == 0)
            return request->headers[i].value;
    return NULL;
}

static bool
list_has(const char *list, const char *token)
{
    size_t token_bytes = strlen(token);
    while (*list != '\0') {
        list += strspn(list, " \t,");
        size_t size_bytes = strcspn(list, " \t,");
        if (size_bytes == token_bytes && strncasecmp(list, token, size_bytes) == 0)
            return true;
        list += size_bytes;
    }
    return false;
}

bool
net_http1_has_token(const struct net_request *request, const char *header, const char *token)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (strcmp(request->headers[i].name, header) == 0 &&
            list_has(request->headers[i].value, token))
            return true;
    return false;
}
