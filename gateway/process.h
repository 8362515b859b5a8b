/*
 * gateway/process.h - what a process that holds keys and many sockets asks of its system.
 */
#ifndef GATEWAY_PROCESS_H
#define GATEWAY_PROCESS_H

#include <stddef.h>

/*
 * No core dumps, no debugger of another user, no SIGPIPE, as many files as allowed, and signals
 * that end the process blocked, for process_wait(). Once, before any thread.
 */
void process_harden(void);

/* How many files it may have open. */
size_t process_files_max(void);

enum process_signal { PROCESS_END, PROCESS_RELOAD };

/* Waits for SIGINT or SIGTERM (END) or SIGHUP (RELOAD). One thread. */
enum process_signal process_wait(void);

#endif
