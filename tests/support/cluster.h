/*
 * tests/support/cluster.h - a PostgreSQL server of one's own: made in a temporary directory,
 * reached by a Unix socket in it, synced as a real one, and stopped by its process id.
 */
#ifndef TESTS_SUPPORT_CLUSTER_H
#define TESTS_SUPPORT_CLUSTER_H

#include <sys/types.h>

struct cluster {
    char directory[64]; /* has the socket; hand it to libpq as the host */
    char binaries[128];
    unsigned buffers_mb; /* its shared_buffers */
    pid_t pid;
};

/* Makes and starts one; ends the process when it cannot. The server ends when its starter does. */
void cluster_start(struct cluster *cluster);

/* The same with more memory than a test needs. */
void cluster_start_with(struct cluster *cluster, unsigned buffers_mb);

/* Sends SIGKILL to the postmaster, then starts it again over the same data. */
void cluster_crash(struct cluster *cluster);

void cluster_stop(struct cluster *cluster);

/* The URI of a database in it. */
void cluster_uri(const struct cluster *cluster, const char *database, char *uri, size_t room);

#endif
