#include "gateway/ws_client.h"

#include <curl/curl.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "net/websocket.h"

enum { MESSAGE_BYTES_MAX = 2 << 20, BUFFER_BYTES = 64 * 1024, HANDSHAKE_MAX_MS = 10000 };

struct ws_client {
    CURL *easy;
    curl_socket_t fd;
    struct net_ws_reader *reader;
    bool is_open;
    char *text;        /* the message handed out last */
    size_t used, size; /* of `bytes`: read, and there */
    unsigned char bytes[BUFFER_BYTES];
};

static int64_t
now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool
send_all(struct ws_client *ws, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        size_t sent = 0;
        CURLcode code = curl_easy_send(ws->easy, at, size, &sent);
        if (code == CURLE_AGAIN) {
            struct pollfd waiting = {.fd = ws->fd, .events = POLLOUT};
            if (poll(&waiting, 1, HANDSHAKE_MAX_MS) <= 0)
                return false;
        } else if (code != CURLE_OK) {
            return false;
        }
        at += sent;
        size -= sent;
    }
    return true;
}

/* Reads more behind what is there. False when nothing came in time, or the end. */
static bool
receive_more(struct ws_client *ws, int timeout_ms)
{
    if (ws->used > 0) {
        memmove(ws->bytes, ws->bytes + ws->used, ws->size - ws->used);
        ws->size -= ws->used;
        ws->used = 0;
    }
    int64_t until = now_ms() + timeout_ms;
    for (;;) {
        size_t got = 0;
        CURLcode code =
            curl_easy_recv(ws->easy, ws->bytes + ws->size, sizeof(ws->bytes) - ws->size, &got);
        if (code == CURLE_OK && got > 0) {
            ws->size += got;
            return true;
        }
        if (code != CURLE_AGAIN) {
            ws->is_open = false;
            return false;
        }
        int64_t left = until - now_ms();
        struct pollfd waiting = {.fd = ws->fd, .events = POLLIN};
        if (left <= 0 || poll(&waiting, 1, (int)left) <= 0)
            return false;
    }
}

static bool
connect_to(struct ws_client *ws, const struct client *client)
{
    ws->easy = curl_easy_init();
    if (ws->easy == NULL)
        return false;
    curl_easy_setopt(ws->easy, CURLOPT_URL, client->url);
    curl_easy_setopt(ws->easy, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(ws->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(ws->easy, CURLOPT_PROXY, "");
    curl_easy_setopt(ws->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)HANDSHAKE_MAX_MS);
    return curl_easy_perform(ws->easy) == CURLE_OK &&
           curl_easy_getinfo(ws->easy, CURLINFO_ACTIVESOCKET, &ws->fd) == CURLE_OK;
}

static bool
send_handshake(struct ws_client *ws, const struct client *client, const char *path,
               const char *token)
{
    unsigned char random[16];
    char key[32], request[2048];
    randombytes_buf(random, sizeof(random));
    sodium_bin2base64(key, sizeof(key), random, sizeof(random), sodium_base64_VARIANT_ORIGINAL);
    const char *host = strstr(client->url, "://");
    host = host == NULL ? client->url : host + 3;
    int size = snprintf(request, sizeof(request),
                        "GET %s HTTP/1.1\r\nHost: %.*s\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                        "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Protocol: twin.v1.json\r\n"
                        "Authorization: Bearer %s\r\n\r\n",
                        path, (int)strcspn(host, "/"), host, key, token);
    return size > 0 && (size_t)size < sizeof(request) && send_all(ws, request, (size_t)size);
}

/* Reads the answer's head; what follows it stays in the buffer. Returns the status, or 0. */
static long
read_handshake(struct ws_client *ws)
{
    for (;;) {
        ws->bytes[ws->size < sizeof(ws->bytes) ? ws->size : sizeof(ws->bytes) - 1] = '\0';
        const char *end = strstr((const char *)ws->bytes, "\r\n\r\n");
        if (end != NULL) {
            ws->used = (size_t)(end + 4 - (const char *)ws->bytes);
            return strncmp((const char *)ws->bytes, "HTTP/1.1 ", 9) == 0
                       ? strtol((const char *)ws->bytes + 9, NULL, 10)
                       : 0;
        }
        if (ws->size + 1 >= sizeof(ws->bytes) || !receive_more(ws, HANDSHAKE_MAX_MS))
            return 0;
    }
}

struct ws_client *
ws_client_open(const struct client *client, const char *path, const char *token, long *status_out)
{
    struct ws_client *ws = calloc(1, sizeof(*ws));
    *status_out = 0;
    if (ws == NULL)
        return NULL;
    if (connect_to(ws, client) && send_handshake(ws, client, path, token))
        *status_out = read_handshake(ws);
    ws->reader = net_ws_reader_create(false, MESSAGE_BYTES_MAX);
    ws->is_open = *status_out == 101 && ws->reader != NULL;
    if (ws->is_open)
        return ws;
    ws_client_close(ws);
    return NULL;
}

static bool
send_frame(struct ws_client *ws, enum net_ws_opcode opcode, const void *payload, size_t size)
{
    unsigned char mask[4], header[NET_WS_HEADER_BYTES_MAX];
    unsigned char *frame = malloc(sizeof(header) + size);
    if (frame == NULL)
        return false;
    randombytes_buf(mask, sizeof(mask));
    size_t header_size = net_ws_write_header(header, opcode, size, mask);
    memcpy(frame, header, header_size);
    memcpy(frame + header_size, payload, size);
    net_ws_mask(frame + header_size, size, mask, 0);
    bool sent = send_all(ws, frame, header_size + size);
    free(frame);
    return sent;
}

bool
ws_client_send(struct ws_client *ws, const char *text)
{
    return ws->is_open && send_frame(ws, NET_WS_OP_TEXT, text, strlen(text));
}

/* Handles one event. True when it is a message, now in ws->text. */
static bool
take_event(struct ws_client *ws, const struct net_ws_event *event)
{
    if (event->opcode == NET_WS_OP_PING) {
        ws->is_open = send_frame(ws, NET_WS_OP_PONG, event->bytes, event->size_bytes);
    } else if (event->opcode == NET_WS_OP_CLOSE) {
        send_frame(ws, NET_WS_OP_CLOSE, event->bytes, event->size_bytes);
        ws->is_open = false;
    } else if (event->opcode == NET_WS_OP_TEXT) {
        free(ws->text);
        ws->text = strndup((const char *)event->bytes, event->size_bytes);
        return ws->text != NULL;
    }
    return false;
}

const char *
ws_client_receive(struct ws_client *ws, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;
    while (ws->is_open) {
        struct net_ws_event event;
        size_t used = 0;
        uint16_t code;
        enum net_ws_read read = net_ws_reader_feed(ws->reader, ws->bytes + ws->used,
                                                   ws->size - ws->used, &used, &event, &code);
        ws->used += used;
        if (read == NET_WS_READ_BROKEN) {
            ws->is_open = false;
        } else if (read == NET_WS_READ_EVENT) {
            if (take_event(ws, &event))
                return ws->text;
        } else {
            int64_t left = until - now_ms();
            if (left <= 0 || !receive_more(ws, (int)left))
                return NULL;
        }
    }
    return NULL;
}

bool
ws_client_is_open(const struct ws_client *ws)
{
    return ws->is_open;
}

void
ws_client_close(struct ws_client *ws)
{
    if (ws == NULL)
        return;
    net_ws_reader_destroy(ws->reader);
    if (ws->easy != NULL)
        curl_easy_cleanup(ws->easy);
    free(ws->text);
    free(ws);
}
