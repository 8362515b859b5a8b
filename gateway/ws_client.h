/*
 * gateway/ws_client.h - a WebSocket client for commands. Blocking, one thread.
 */
#ifndef GATEWAY_WS_CLIENT_H
#define GATEWAY_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/client.h"

struct ws_client;

/*
 * Connects and upgrades with subprotocol twin.v1.json.
 *
 *   path        "/v1/twins/…/session?mode=video"
 *   token       bearer
 *   status_out  the HTTP status: 101 when open, the refusal otherwise, 0 without an answer
 *   returns     NULL unless the status is 101
 *   blocking    at most ten seconds
 */
struct ws_client *ws_client_open(const struct client *client, const char *path, const char *token,
                                 long *status_out);

/* Sends one text message. False when the connection is gone. */
bool ws_client_send(struct ws_client *ws, const char *text);

/*
 * The next text message, NUL-terminated, valid until the next call; NULL when none came within
 * `timeout_ms` or the connection has ended (see ws_client_is_open()).
 */
const char *ws_client_receive(struct ws_client *ws, int timeout_ms);

bool ws_client_is_open(const struct ws_client *ws);
void ws_client_close(struct ws_client *ws);

#endif
