#include "net/http_sockets.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/address.h"
#include "runtime/pool.h"

struct entry {
    struct rt_table_link link;
    curl_socket_t fd;
};

static struct entry *
entry_of(struct rt_table_link *link)
{
    return RT_CONTAINER_OF(link, struct entry, link);
}

/* The local port, or 0: not an internet socket, or not bound yet. */
static uint16_t
local_port_of(curl_socket_t fd)
{
    struct net_address address = {.name_bytes = sizeof(address.name)};
    if (getsockname(fd, (struct sockaddr *)&address.name, &address.name_bytes) != 0 ||
        (address.name.ss_family != AF_INET && address.name.ss_family != AF_INET6))
        return 0;
    return net_address_port(&address);
}

static struct entry *
find_fd(const struct net_http_sockets *sockets, uint16_t port, curl_socket_t fd)
{
    struct rt_table_link *link = NULL;
    while ((link = rt_table_find(&sockets->by_port, rt_hash_u64(port), link)) != NULL)
        if (entry_of(link)->fd == fd)
            return entry_of(link);
    return NULL;
}

static void
forget(struct net_http_sockets *sockets, struct entry *entry)
{
    rt_table_remove(&sockets->by_port, &entry->link);
    rt_pool_give(entry, sizeof(*entry));
}

void
net_http_sockets_deinit(struct net_http_sockets *sockets)
{
    struct rt_table_link *link;
    while ((link = rt_table_first(&sockets->by_port)) != NULL)
        forget(sockets, entry_of(link));
    rt_table_deinit(&sockets->by_port);
}

void
net_http_sockets_note(struct net_http_sockets *sockets, curl_socket_t fd)
{
    uint16_t port = local_port_of(fd);
    if (port == 0 || find_fd(sockets, port, fd) != NULL)
        return;
    struct entry *entry = rt_pool_take(sizeof(*entry));
    if (entry == NULL)
        return; /* its transfers cannot be stopped, only cut */
    *entry = (struct entry){.fd = fd};
    if (!rt_table_add(&sockets->by_port, &entry->link, rt_hash_u64(port)))
        rt_pool_give(entry, sizeof(*entry));
}

static bool
has_peer(curl_socket_t fd, const char *host, uint16_t port)
{
    struct net_address address = {.name_bytes = sizeof(address.name)};
    char text[NET_ADDRESS_TEXT_BYTES];
    if (getpeername(fd, (struct sockaddr *)&address.name, &address.name_bytes) != 0)
        return false;
    net_address_text(&address, text);
    return net_address_port(&address) == port && strcmp(text, host) == 0;
}

curl_socket_t
net_http_sockets_find(const struct net_http_sockets *sockets, CURL *easy)
{
    long local_port = 0, peer_port = 0;
    char *peer = NULL;
    curl_easy_getinfo(easy, CURLINFO_LOCAL_PORT, &local_port);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &peer_port);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &peer);
    if (local_port <= 0 || peer == NULL)
        return CURL_SOCKET_BAD;
    struct rt_table_link *link = NULL;
    uint64_t hash = rt_hash_u64((uint64_t)local_port);
    while ((link = rt_table_find(&sockets->by_port, hash, link)) != NULL)
        if (has_peer(entry_of(link)->fd, peer, (uint16_t)peer_port))
            return entry_of(link)->fd;
    return CURL_SOCKET_BAD;
}

static int
on_close(void *context, curl_socket_t fd)
{
    struct net_http_sockets *sockets = context;
    struct entry *entry = find_fd(sockets, local_port_of(fd), fd);
    if (entry != NULL)
        forget(sockets, entry);
    return close(fd);
}

void
net_http_sockets_watch(struct net_http_sockets *sockets, CURL *easy)
{
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, sockets);
}
