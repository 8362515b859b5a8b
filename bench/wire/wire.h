/*
 * bench/wire - both ends of a loopback WebSocket, to measure what lies between: a server as bare
 * as an epoll loop can be, the yardstick; a client that loads any server and counts; a client
 * that keeps to a timetable; clients that only stay. bench/edge runs them in turn.
 *
 * Each is a single thread and uses nothing of ours but the handshake's digest and the codec's
 * header (net/websocket.h), so that what is measured is not also what measures.
 */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { WIRE_BUFFER_BYTES = 64 * 1024, WIRE_EVENTS_MAX = 128 };

/* What the command line says. */
struct wire_options {
    const char *host; /* numbers */
    uint16_t port;
    const char *path;
    const char *bearer; /* a key, or NULL */
    unsigned connections;
    unsigned depth;      /* messages under way on each */
    unsigned size_bytes; /* of a message */
    unsigned ms;         /* measured */
    unsigned warm_up_ms; /* before that */
    unsigned every_us;   /* between two messages of a connection */
    unsigned pid;        /* whose processor time to read; 0: nobody's */
    const char *text;    /* sent in place of size_bytes bytes */
    const char *answer;  /* what ends an exchange: the frame that has this in it */
};

/* Echoes until it is killed. Prints its port as "listening on http://127.0.0.1:PORT". */
int wire_serve(const struct wire_options *options);

/* Keeps connections in libwebsockets, with nothing of ours around it, until it is killed. Prints
 * its port as wire_serve() does. */
int wire_carry(const struct wire_options *options);

/* Keeps `depth` messages under way on each connection; prints one JSON object. */
int wire_load(const struct wire_options *options);

/* Sends a message on each connection every `every_us`; prints one JSON object with how long the
 * answers took. */
int wire_pace(const struct wire_options *options);

/* Opens `connections`, says so, and keeps them until its input ends. */
int wire_idle(const struct wire_options *options);

/* The same, but reads what comes, until each connection has had an answer or was closed, or its
 * input ends; prints one JSON object. */
int wire_stay(const struct wire_options *options);

/*
 * A blocking connection that has been upgraded, or -1, and said why.
 *
 *   number   which one of many: 10,000 share a source address, of 127.0.0.1 and up
 */
int wire_open(const struct wire_options *options, unsigned number);

/* A socket that listens on 127.0.0.1, after its port was printed; or -1. */
int wire_listen(uint16_t port);

/* Puts the masked frame of --text, or of --size bytes, into `to`, which has room for
 * WIRE_BUFFER_BYTES. Returns its size. */
size_t wire_make_frame(const struct wire_options *options, uint8_t *to);

/* Takes whole frames of a server off the front; returns how many of them end an exchange. */
unsigned wire_count_answers(const struct wire_options *options, uint8_t *bytes, size_t *used);

/* Says what failed, with errno; returns 1. */
int wire_fail(const char *what);

#endif
