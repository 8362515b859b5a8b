/*
 * Client connections.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/wire/wire.h"

enum { OF_ONE_ADDRESS = 10000, HEAD_BYTES_MAX = 2048 };

int
wire_fail(const char *what)
{
    fprintf(stderr, "twin-bench-wire: %s: %s\n", what, strerror(errno));
    return 1;
}

static int
connect_from(const struct wire_options *options, unsigned number)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr = {htonl(INADDR_LOOPBACK + number / OF_ONE_ADDRESS)}};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    inet_pton(AF_INET, options->host, &to.sin_addr);
    if (bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0 &&
        connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Reads a head byte by byte, so that nothing behind it is taken. */
static bool
read_head(int fd, char head[HEAD_BYTES_MAX])
{
    size_t used = 0;
    while (used < HEAD_BYTES_MAX - 1 && recv(fd, head + used, 1, 0) == 1) {
        head[++used] = '\0';
        if (used >= 4 && memcmp(head + used - 4, "\r\n\r\n", 4) == 0)
            return true;
    }
    return false;
}

int
wire_open(const struct wire_options *options, unsigned number)
{
    int fd = connect_from(options, number);
    if (fd < 0) {
        wire_fail("connect");
        return -1;
    }
    char head[HEAD_BYTES_MAX] = "";
    int size = snprintf(
        head, sizeof(head),
        "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s%s%s\r\n",
        options->path, options->host, options->bearer == NULL ? "" : "Authorization: Bearer ",
        options->bearer == NULL ? "" : options->bearer, options->bearer == NULL ? "" : "\r\n");
    bool is_open = send(fd, head, (size_t)size, MSG_NOSIGNAL) == size && read_head(fd, head) &&
                   strncmp(head, "HTTP/1.1 101 ", 13) == 0;
    if (is_open)
        return fd;
    fprintf(stderr, "twin-bench-wire: connection %u was not upgraded: %s\n", number, head);
    close(fd);
    return -1;
}
