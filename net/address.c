#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

enum { HOST_BYTES_MAX = 256, BACKLOG = 4096 };

/* Splits at the last colon; a host with colons of its own stands in brackets. */
static bool
split(const char *text, char host_out[HOST_BYTES_MAX], const char **port_out)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL)
        return false;
    const char *from = text, *to = colon;
    bool in_brackets = *text == '[' && to > from + 1 && to[-1] == ']';
    if (in_brackets) {
        from++;
        to--;
    }
    size_t host_bytes = (size_t)(to - from);
    bool has_colons = memchr(from, ':', host_bytes) != NULL;
    if (host_bytes == 0 || host_bytes >= HOST_BYTES_MAX || has_colons != in_brackets)
        return false;
    memcpy(host_out, from, host_bytes);
    host_out[host_bytes] = '\0';
    *port_out = colon + 1;
    return true;
}

static bool
port_is_valid(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    if (digits == 0 || digits > 5 || port[digits] != '\0')
        return false;
    unsigned value = 0;
    for (; *port != '\0'; port++)
        value = value * 10 + (unsigned)(*port - '0');
    return value <= UINT16_MAX;
}

enum rt_status
net_address_parse(const char *text, struct net_address *address_out)
{
    char host[HOST_BYTES_MAX];
    const char *port;
    if (!split(text, host, &port) || !port_is_valid(port))
        return RT_INVALID;
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return RT_INVALID;
    *address_out = (struct net_address){.name_bytes = found->ai_addrlen};
    memcpy(&address_out->name, found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return RT_OK;
}

static in_port_t *
port_of(struct net_address *address)
{
    if (address->name.ss_family == AF_INET6)
        return &((struct sockaddr_in6 *)&address->name)->sin6_port;
    return &((struct sockaddr_in *)&address->name)->sin_port;
}

uint16_t
net_address_port(const struct net_address *address)
{
    struct net_address copy = *address;
    return ntohs(*port_of(&copy));
}

bool
net_address_is_loopback(const struct net_address *address)
{
    if (address->name.ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)&address->name)->sin6_addr);
    const struct sockaddr_in *name = (const struct sockaddr_in *)&address->name;
    return ntohl(name->sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

void
net_address_text(const struct net_address *address, char text_out[NET_ADDRESS_TEXT_BYTES])
{
    const void *host = address->name.ss_family == AF_INET6
                           ? (const void *)&((const struct sockaddr_in6 *)&address->name)->sin6_addr
                           : (const void *)&((const struct sockaddr_in *)&address->name)->sin_addr;
    if (inet_ntop(address->name.ss_family, host, text_out, NET_ADDRESS_TEXT_BYTES) == NULL)
        text_out[0] = '\0';
}

static bool
set_option(int fd, int option)
{
    int on = 1;
    return setsockopt(fd, SOL_SOCKET, option, &on, sizeof(on)) == 0;
}

/* The first socket is bound without SO_REUSEPORT, so that it fails when anybody has the port; the
 * option is set afterwards, for the others to join it. */
static bool
bind_one(int fd, const struct net_address *address, bool is_first)
{
    const struct sockaddr *name = (const struct sockaddr *)&address->name;
    return set_option(fd, SO_REUSEADDR) && (is_first || set_option(fd, SO_REUSEPORT)) &&
           bind(fd, name, address->name_bytes) == 0 &&
           (!is_first || set_option(fd, SO_REUSEPORT)) && listen(fd, BACKLOG) == 0;
}

static int
open_one(struct net_address *address, bool is_first)
{
    int fd = socket(address->name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    socklen_t name_bytes = sizeof(address->name);
    if (bind_one(fd, address, is_first) &&
        getsockname(fd, (struct sockaddr *)&address->name, &name_bytes) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

enum rt_status
net_address_listen(struct net_address *address, int *fds_out, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        fds_out[i] = open_one(address, i == 0);
        if (fds_out[i] >= 0)
            continue;
        int error = errno;
        while (i-- > 0)
            close(fds_out[i]);
        errno = error;
        return RT_IO;
    }
    return RT_OK;
}
