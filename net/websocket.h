/*
 * net/websocket.h - WebSocket frames as bytes, for both ends. No sockets.
 *
 * The reader takes bytes as they come, in any pieces, and reports whole messages and control
 * frames; the same bytes cut differently give the same reports. Source: RFC 6455, read 2026-11.
 */
#ifndef NET_WEBSOCKET_H
#define NET_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "runtime/compiler.h"
#include "runtime/status.h"

enum net_ws_opcode {
    NET_WS_OP_CONTINUATION = 0,
    NET_WS_OP_TEXT = 1,
    NET_WS_OP_BINARY = 2,
    NET_WS_OP_CLOSE = 8,
    NET_WS_OP_PING = 9,
    NET_WS_OP_PONG = 10,
};

enum { NET_WS_HEADER_BYTES_MAX = 14, NET_WS_CONTROL_BYTES_MAX = 125 };

/* Close codes we send or read (RFC 6455, 7.4.1). */
enum net_ws_code {
    NET_WS_NORMAL = 1000,
    NET_WS_GOING_AWAY = 1001,
    NET_WS_PROTOCOL_ERROR = 1002,
    NET_WS_NO_STATUS = 1005,
    NET_WS_ABNORMAL = 1006,
    NET_WS_BAD_PAYLOAD = 1007,
    NET_WS_POLICY = 1008,
    NET_WS_TOO_BIG = 1009,
    NET_WS_INTERNAL = 1011,
    NET_WS_OVERLOAD = 1013,
};

struct net_ws_reader;

/* One thing read. `bytes` is valid until the next call of the reader. */
struct net_ws_event {
    enum net_ws_opcode opcode; /* TEXT or BINARY for a whole message, or a control frame */
    const uint8_t *bytes;
    size_t size_bytes;
    uint16_t close_code; /* CLOSE only; NET_WS_NO_STATUS when it carried none */
};

enum net_ws_read {
    NET_WS_READ_MORE,  /* all bytes were used, nothing is complete */
    NET_WS_READ_EVENT, /* *event_out is set; call again with the rest */
    NET_WS_READ_BROKEN /* the peer broke the protocol: close with *code_out */
};

/*
 *   from_client   frames must be masked (we are the server), or must not be (we are the client)
 *   returns       NULL when out of memory
 */
struct net_ws_reader *net_ws_reader_create(bool from_client, size_t message_bytes_max);
void net_ws_reader_destroy(struct net_ws_reader *reader);

/* Between messages. */
void net_ws_reader_set_message_bytes_max(struct net_ws_reader *reader, size_t message_bytes_max);

/*
 * Reads from `bytes`, unmasking in place.
 *
 *   used_out  how many bytes were taken
 *   code_out  on NET_WS_READ_BROKEN: 1002, 1007 or 1009; 1011 when out of memory
 */
enum net_ws_read net_ws_reader_feed(struct net_ws_reader *reader, uint8_t *bytes, size_t size_bytes,
                                    size_t *used_out, struct net_ws_event *event_out,
                                    uint16_t *code_out);

/* Memory held for a message that is not complete yet. */
size_t net_ws_reader_held_bytes(const struct net_ws_reader *reader);

/*
 * Writes the header of an unfragmented frame.
 *
 *   mask      NULL for a server's frame; else four bytes that the caller then applies with
 *             net_ws_mask()
 *   returns   the header's size
 */
size_t net_ws_write_header(uint8_t header_out[NET_WS_HEADER_BYTES_MAX], enum net_ws_opcode opcode,
                           size_t size_bytes, const uint8_t *mask);

/* Applies a mask in place, beginning at byte `offset` of the payload. */
void net_ws_mask(uint8_t *bytes, size_t size_bytes, const uint8_t mask[4], size_t offset);

/* The Sec-WebSocket-Accept value for a key: 28 characters and NUL. */
void net_ws_accept_value(const char *key, char accept_out[29]);

/* Whether a code may be sent by a peer in a close frame. */
bool net_ws_code_is_valid(uint16_t code);

#endif
