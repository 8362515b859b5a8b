/*
 * net/handshake.h - the opening handshake of a WebSocket, as a server sees it.
 *
 * Source: RFC 6455, section 4.2, read 2026-11.
 */
#ifndef NET_HANDSHAKE_H
#define NET_HANDSHAKE_H

#include "net/bytes.h"
#include "net/server.h"

enum { NET_HANDSHAKE_ACCEPT_BYTES = 29 };

enum net_handshake {
    NET_HANDSHAKE_NONE, /* an ordinary request */
    NET_HANDSHAKE_VALID,
    NET_HANDSHAKE_BAD_VERSION, /* answer 426 */
    NET_HANDSHAKE_BAD_KEY,     /* answer 400 */
};

/*
 * What a request asks for.
 *
 *   is_version_1_0   HTTP/1.0 knows no upgrades
 *   accept_out       on VALID: the value for net_handshake_write()
 */
enum net_handshake net_handshake_read(const struct net_request *request, bool is_version_1_0,
                                      char accept_out[NET_HANDSHAKE_ACCEPT_BYTES]);

/* Appends the answer that accepts. `subprotocol` may be NULL. False when out of memory. */
RT_MUST_USE bool net_handshake_write(struct net_bytes *out, const char *accept,
                                     const char *subprotocol);

#endif
