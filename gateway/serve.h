/*
 * gateway/serve.h - the running gateway: everything wired, started, and taken down again.
 */
#ifndef GATEWAY_SERVE_H
#define GATEWAY_SERVE_H

#include <stdbool.h>

#include "gateway/config.h"

struct serve_options {
    bool dev;     /* make what is missing: keys, directories; "sim-key" towards loopback */
    bool migrate; /* bring the store's schema up to date */
};

/*
 * Runs until SIGINT or SIGTERM, then ends every session, returns what was not spent, and stops.
 *
 *   returns    0 when it ended well, 1 when it could not start; then one line is on stderr
 */
int serve(const struct config *config, const struct serve_options *options);

#endif
