/*
 * bench/vendor_sim/cartesia.h - what the two halves of the simulated Cartesia share: cartesia.c
 * has HTTP, cartesia_socket.c the WebSocket.
 */
#ifndef BENCH_VENDOR_SIM_CARTESIA_H
#define BENCH_VENDOR_SIM_CARTESIA_H

#include "bench/vendor_sim/exchange.h"
#include "bench/vendor_sim/speech.h"

/* Time between two chunks of audio. */
uint64_t cartesia_chunk_ns(const struct sim_exchange *exchange);

/* A chunk of audio as an event's JSON. The caller's, by free(). */
char *cartesia_chunk_event(struct sim_speech *speech, const char *context_id);

/* The event that ends a context, likewise. */
char *cartesia_done_event(const char *context_id);

/* The body of an error; for events `context_id` is not NULL. The caller's. */
cJSON *cartesia_error(const struct sim_exchange *exchange, int status, const char *code,
                      const char *title, const char *message, const char *context_id);

/* Accepts an upgrade, and takes the messages that follow. (cartesia_socket.c) */
void cartesia_socket_open(struct sim_exchange *exchange);
void cartesia_socket_take(struct sim_exchange *exchange, enum net_ws_type type,
                          const uint8_t *bytes, size_t size_bytes);

#endif
