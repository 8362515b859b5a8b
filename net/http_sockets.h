/*
 * net/http_sockets.h - which open socket a transfer of libcurl's uses.
 *
 * libcurl tells the socket of a transfer only when that is over, and we must half-close it
 * before. What it does tell are the two ends of the connection; so every socket it opens is
 * noted here under its local port until it is closed. Nobody outside net/ includes this.
 */
#ifndef NET_HTTP_SOCKETS_H
#define NET_HTTP_SOCKETS_H

#include <curl/curl.h>

#include "runtime/table.h"

/* Zeroed: none noted. */
struct net_http_sockets {
    struct rt_table by_port;
};

void net_http_sockets_deinit(struct net_http_sockets *sockets);

/* Notes a connected or connecting socket; again and other kinds of sockets are ignored. */
void net_http_sockets_note(struct net_http_sockets *sockets, curl_socket_t fd);

/* The noted socket of a transfer under way, or CURL_SOCKET_BAD. */
curl_socket_t net_http_sockets_find(const struct net_http_sockets *sockets, CURL *easy);

/* Has libcurl tell when it closes a socket. For every handle. */
void net_http_sockets_watch(struct net_http_sockets *sockets, CURL *easy);

#endif
