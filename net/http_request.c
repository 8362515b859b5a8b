#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "net/http_transfer.h"
#include "runtime/pool.h"

/* Called by libcurl for the next piece of the request's body. */
static size_t
on_upload(char *to, size_t one, size_t room_bytes, void *context)
{
    (void)one;
    struct net_http_transfer *transfer = context;
    size_t size_bytes = transfer->body_bytes - transfer->body_sent;
    if (size_bytes > room_bytes)
        size_bytes = room_bytes;
    memcpy(to, transfer->body + transfer->body_sent, size_bytes);
    transfer->body_sent += size_bytes;
    net_http_transfer_note_activity(transfer);
    return size_bytes;
}

/* Called by libcurl when it wants to send the request again: it shall not (http_client.h). */
static int
on_rewind(void *context, curl_off_t offset, int origin)
{
    (void)context, (void)offset, (void)origin;
    return CURL_SEEKFUNC_FAIL;
}

static bool
is_token(const char *text)
{
    static const char token[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return *text != '\0' && text[strspn(text, token)] == '\0';
}

/* A newline in a value would begin a header that nobody asked for; the framing is ours. */
static bool
header_is_valid(const struct net_http_header *header)
{
    for (const char *c = header->value; *c != '\0'; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 0x7F)
            return false;
    return is_token(header->name) && strcasecmp(header->name, "content-length") != 0 &&
           strcasecmp(header->name, "transfer-encoding") != 0;
}

static bool
url_is_valid(const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL;
    bool is_valid = url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                    (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    curl_url_cleanup(url);
    return is_valid;
}

bool
net_http_request_is_valid(const struct net_http_request *request)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (!header_is_valid(&request->headers[i]))
            return false;
    return is_token(request->method) && url_is_valid(request->url);
}

static bool
add_line(struct net_http_transfer *transfer, const char *line)
{
    struct curl_slist *longer = curl_slist_append(transfer->headers, line);
    if (longer != NULL)
        transfer->headers = longer;
    return longer != NULL;
}

/* libcurl wants "name: value", or "name;" for an empty value. */
static bool
add_header(struct net_http_transfer *transfer, const struct net_http_header *header)
{
    size_t value_bytes = strlen(header->value);
    size_t line_bytes = strlen(header->name) + value_bytes + sizeof(": ");
    char *line = rt_pool_take(line_bytes);
    if (line == NULL)
        return false;
    snprintf(line, line_bytes, value_bytes == 0 ? "%s;%s" : "%s: %s", header->name, header->value);
    bool added = add_line(transfer, line);
    explicit_bzero(line, line_bytes);
    rt_pool_give(line, line_bytes);
    return added;
}

static bool
add_headers(struct net_http_transfer *transfer, const struct net_http_request *request)
{
    bool has_type = false;
    for (size_t i = 0; i < request->header_count; i++) {
        has_type |= strcasecmp(request->headers[i].name, "content-type") == 0;
        if (!add_header(transfer, &request->headers[i]))
            return false;
    }
    /* What libcurl would say by itself: that it waits for 100, and that it posts a form. */
    return add_line(transfer, "Expect:") && (has_type || add_line(transfer, "Content-Type:"));
}

static bool
copy_body(struct net_http_transfer *transfer, const struct net_http_request *request)
{
    if (request->body_bytes == 0)
        return true;
    transfer->body = rt_pool_take(request->body_bytes);
    if (transfer->body == NULL)
        return false;
    memcpy(transfer->body, request->body, request->body_bytes);
    transfer->body_bytes = request->body_bytes;
    return true;
}

static void
set_method(struct net_http_transfer *transfer, const char *method, bool is_repeatable)
{
    CURL *easy = transfer->easy;
    bool is_safe = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    bool has_length = strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
                      strcmp(method, "PATCH") == 0; /* 0 is said too (RFC 9110, 8.6) */
    if (transfer->body_bytes > 0) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)transfer->body_bytes);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
    } else if (has_length) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (!is_safe && !is_repeatable && transfer->body_bytes == 0)
        curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
}

static void
set_options(struct net_http_transfer *transfer, const struct net_http_request *request)
{
    CURL *easy = transfer->easy;
    curl_easy_setopt(easy, CURLOPT_URL, request->url);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, (char *)transfer);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)request->connect_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)request->total_timeout_ms);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, ""); /* also none from the environment */
    curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    net_http_sockets_watch(&transfer->pool->sockets, easy);
    set_method(transfer, request->method, request->is_repeatable);
}

/* The secret stays where it is sent from, and is wiped with that. */
static void
find_secret(struct net_http_transfer *transfer, const char *secret)
{
    for (const struct curl_slist *line = transfer->headers; line != NULL && secret != NULL;
         line = line->next) {
        const char *found = strstr(line->data, secret);
        if (found != NULL)
            transfer->redact =
                (struct net_http_redact){.secret = found, .secret_bytes = strlen(secret)};
    }
}

bool
net_http_request_set(struct net_http_transfer *transfer, const struct net_http_request *request)
{
    if (!add_headers(transfer, request) || !copy_body(transfer, request))
        return false;
    find_secret(transfer, request->secret);
    set_options(transfer, request);
    return true;
}
