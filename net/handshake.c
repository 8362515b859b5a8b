#include "net/handshake.h"

#include <stdio.h>
#include <string.h>

#include "net/http1.h"
#include "net/websocket.h"
#include "runtime/assert.h"

static bool
is_base64(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Sixteen bytes in base64: 22 characters and two of padding. */
static bool
key_is_valid(const char *key)
{
    if (key == NULL || strlen(key) != 24 || strcmp(key + 22, "==") != 0)
        return false;
    for (size_t i = 0; i < 22; i++)
        if (!is_base64(key[i]))
            return false;
    return true;
}

enum net_handshake
net_handshake_read(const struct net_request *request, bool is_version_1_0,
                   char accept_out[NET_HANDSHAKE_ACCEPT_BYTES])
{
    if (is_version_1_0 || strcmp(request->method, "GET") != 0 || request->body_bytes > 0 ||
        !net_http1_has_token(request, "connection", "upgrade") ||
        !net_http1_has_token(request, "upgrade", "websocket"))
        return NET_HANDSHAKE_NONE;
    const char *version = net_request_header(request, "sec-websocket-version");
    if (version == NULL || strcmp(version, "13") != 0)
        return NET_HANDSHAKE_BAD_VERSION;
    const char *key = net_request_header(request, "sec-websocket-key");
    if (!key_is_valid(key))
        return NET_HANDSHAKE_BAD_KEY;
    net_ws_accept_value(key, accept_out);
    return NET_HANDSHAKE_VALID;
}

bool
net_handshake_write(struct net_bytes *out, const char *accept, const char *subprotocol)
{
    char text[512];
    bool is_named = subprotocol != NULL;
    int size_bytes = snprintf(text, sizeof(text),
                              "HTTP/1.1 101 Switching Protocols\r\n"
                              "Upgrade: websocket\r\n"
                              "Connection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: %s\r\n"
                              "%s%s%s\r\n",
                              accept, is_named ? "Sec-WebSocket-Protocol: " : "",
                              is_named ? subprotocol : "", is_named ? "\r\n" : "");
    RT_ASSERT(size_bytes > 0);
    RT_ASSERT((size_t)size_bytes < sizeof(text)); /* subprotocols are names of our own */
    return net_bytes_append(out, text, (size_t)size_bytes);
}
