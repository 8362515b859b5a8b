/*
 * net/address.h - "host:port" and sockets that listen on it, one for each worker.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

struct net_address {
    struct sockaddr_storage name;
    socklen_t name_bytes;
};

enum { NET_ADDRESS_TEXT_BYTES = INET6_ADDRSTRLEN };

/*
 * Reads "host:port", "[v6]:port".
 *
 *   returns    RT_OK | RT_INVALID
 *   blocking   while a host name is looked up
 */
RT_MUST_USE enum rt_status net_address_parse(const char *text, struct net_address *address_out);

uint16_t net_address_port(const struct net_address *address);

/* Whether only this machine can reach it: 127.0.0.0/8, ::1. */
bool net_address_is_loopback(const struct net_address *address);

/* The host as numbers, without the port. */
void net_address_text(const struct net_address *address, char text_out[NET_ADDRESS_TEXT_BYTES]);

/*
 * Opens `count` sockets that listen on the same address; the kernel spreads connections over
 * them. Fails when somebody else listens there, another process of ours included.
 *
 *   address   port 0 becomes the port that was chosen
 *   returns   RT_OK | RT_IO (errno says why; nothing is open)
 */
RT_MUST_USE enum rt_status net_address_listen(struct net_address *address, int *fds_out,
                                              unsigned count);

#endif
