/*
 * net/http_memory.h - libcurl's memory, wiped as it is freed: what we put into a request may be a
 * secret, and libcurl copies it as it likes.
 */
#ifndef NET_HTTP_MEMORY_H
#define NET_HTTP_MEMORY_H

#include <stdbool.h>

/* In the place of curl_global_init(); before any thread is started. False when it fails. */
bool net_http_memory_init(void);

#endif
