/*
 * tests/support/proxy.h - stands between a store and its PostgreSQL server, and ends the
 * connection at the worst moment: before the server gets a COMMIT, or after it has carried it out
 * and before anybody hears of it.
 */
#ifndef TESTS_SUPPORT_PROXY_H
#define TESTS_SUPPORT_PROXY_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum proxy_fault {
    PROXY_NONE,
    PROXY_CUT_BEFORE_COMMIT,
    PROXY_CUT_AFTER_COMMIT,
    PROXY_STALL, /* nothing passes any more, until it is told otherwise */
};

struct proxy {
    char directory[64]; /* has the socket */
    char server[128];   /* the server's socket */
    int listen_fd;
    atomic_int fault; /* of the next COMMIT; PROXY_NONE again when it has happened */
    atomic_bool stopping;
    void (*at_cut)(void *context); /* called before the connection is ended */
    void *context;
    pthread_t id;
};

/* Ends the process when it cannot. `server_directory` has the server's socket. */
void proxy_start(struct proxy *proxy, const char *server_directory);
void proxy_stop(struct proxy *proxy);

#endif
