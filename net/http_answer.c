#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "net/http_client.h"
#include "net/http_transfer.h"
#include "runtime/system.h"

static size_t
refuse(struct net_http_transfer *transfer)
{
    transfer->is_refused = true;
    return 0; /* not what libcurl offered: it ends the transfer */
}

static bool
post_head(struct net_http_transfer *transfer)
{
    struct rt_message *message = rt_message_create(NET_HTTP_HEAD, sizeof(transfer->head));
    if (message == NULL)
        return false;
    *(struct net_http_head *)rt_message_payload(message) = transfer->head;
    transfer->head_is_sent = true;
    return rt_post(transfer->pool->system, transfer->owner, message) == RT_OK;
}

static bool
post_data(struct net_http_transfer *transfer, const char *bytes, size_t size_bytes)
{
    struct rt_message *message = rt_message_create(NET_HTTP_DATA, sizeof(struct net_http_data));
    if (message == NULL)
        return false;
    *(struct net_http_data *)rt_message_payload(message) =
        (struct net_http_data){.transfer = transfer->name};
    message->buffer = rt_buffer_copy(bytes, size_bytes);
    if (message->buffer == NULL) {
        rt_message_destroy(message);
        return false;
    }
    transfer->unconsumed_bytes += size_bytes;
    return rt_post(transfer->pool->system, transfer->owner, message) == RT_OK;
}

static bool
post_body(void *context, const char *bytes, size_t size_bytes)
{
    for (size_t at = 0; at < size_bytes;) {
        size_t piece = size_bytes - at;
        if (piece > NET_HTTP_DATA_BYTES_MAX)
            piece = NET_HTTP_DATA_BYTES_MAX;
        if (!post_data(context, bytes + at, piece))
            return false;
        at += piece;
    }
    return true;
}

bool
net_http_answer_end(struct net_http_transfer *transfer)
{
    return net_http_redact_end(&transfer->redact, post_body, transfer);
}

/* Called by libcurl with a piece of the body. */
static size_t
on_body(char *bytes, size_t one, size_t size_bytes, void *context)
{
    (void)one;
    struct net_http_transfer *transfer = context;
    if (transfer->unconsumed_bytes > 0 &&
        transfer->unconsumed_bytes + size_bytes > transfer->window_bytes) {
        transfer->is_paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    net_http_transfer_note_activity(transfer);
    if (!net_http_redact(&transfer->redact, bytes, size_bytes, post_body, transfer))
        return refuse(transfer);
    return size_bytes;
}

/* The value when `line` is that header, its end in *end_out; else NULL. */
static const char *
value_of(const char *line, const char *end, const char *name, const char **end_out)
{
    size_t name_bytes = strlen(name);
    if ((size_t)(end - line) <= name_bytes || line[name_bytes] != ':' ||
        strncasecmp(line, name, name_bytes) != 0)
        return NULL;
    line += name_bytes + 1;
    while (line < end && (*line == ' ' || *line == '\t'))
        line++;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n'))
        end--;
    *end_out = end;
    return line;
}

/* Whole digits, rounded up when any others follow; -1 when there are none. */
static int64_t
read_number(const char *at, const char *end)
{
    enum { NUMBER_MAX = 1 << 30 };
    int64_t number = at < end && *at >= '0' && *at <= '9' ? 0 : -1;
    for (; at < end && *at >= '0' && *at <= '9'; at++)
        if (number < NUMBER_MAX)
            number = number * 10 + (*at - '0');
    if (number >= 0 && at < end && *at == '.')
        for (at++; at < end; at++)
            if (*at >= '1' && *at <= '9')
                return number + 1;
    return number;
}

static void
read_content_type(struct net_http_head *head, const char *at, const char *end)
{
    size_t used = 0;
    for (; at < end && *at != ';' && *at != ' ' && used < sizeof(head->content_type) - 1; at++)
        head->content_type[used++] = (char)tolower((unsigned char)*at);
    head->content_type[used] = '\0';
}

static void
read_header(struct net_http_head *head, const char *line, const char *line_end)
{
    const char *at, *end;
    if ((at = value_of(line, line_end, "content-type", &end)) != NULL) {
        read_content_type(head, at, end);
    } else if ((at = value_of(line, line_end, "retry-after", &end)) != NULL) {
        if (head->retry_after_s < 0)
            head->retry_after_s = read_number(at, end);
    } else if ((at = value_of(line, line_end, "retry-after-ms", &end)) != NULL) {
        int64_t ms = read_number(at, end);
        if (ms >= 0)
            head->retry_after_s = (ms + 999) / 1000;
    }
}

/* Called by libcurl with each line of a head; one that is 1xx is followed by another. Behind
 * the body come trailers, which nobody reads. */
static size_t
on_header(char *line, size_t one, size_t size_bytes, void *context)
{
    (void)one;
    struct net_http_transfer *transfer = context;
    net_http_transfer_note_activity(transfer);
    transfer->head_bytes += size_bytes;
    if (transfer->head_bytes > NET_HTTP_HEAD_BYTES_MAX ||
        ++transfer->head_lines > NET_HTTP_HEAD_LINES_MAX)
        return refuse(transfer);
    if (transfer->head_is_sent)
        return size_bytes;
    bool is_blank = size_bytes <= 2 && (line[0] == '\r' || line[0] == '\n');
    if (!is_blank) {
        if (size_bytes > 5 && strncmp(line, "HTTP/", 5) == 0)
            transfer->head =
                (struct net_http_head){.transfer = transfer->name, .retry_after_s = -1};
        read_header(&transfer->head, line, line + size_bytes);
        return size_bytes;
    }
    long status = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->head.status = (int)status;
    if (status < 200)
        return size_bytes;
    return post_head(transfer) ? size_bytes : refuse(transfer);
}

void
net_http_answer_set(struct net_http_transfer *transfer)
{
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(transfer->easy, CURLOPT_HEADERDATA, transfer);
}
