#include "net/http_redact.h"

#include <string.h>

static bool
strike_out(net_http_emit emit, void *context)
{
    return emit(context, NET_HTTP_REDACTED, sizeof(NET_HTTP_REDACTED) - 1);
}

/* How many of the last bytes are how the secret begins. */
static size_t
beginning_at_end(const struct net_http_redact *redact, const char *bytes, size_t size_bytes)
{
    size_t most = size_bytes < redact->secret_bytes ? size_bytes : redact->secret_bytes - 1;
    const char *end = bytes + size_bytes, *at = end - most;
    while (at < end && (at = memchr(at, redact->secret[0], (size_t)(end - at))) != NULL) {
        if (memcmp(at, redact->secret, (size_t)(end - at)) == 0)
            return (size_t)(end - at);
        at++;
    }
    return 0;
}

/* With nothing held back. */
static bool
pass(struct net_http_redact *redact, const char *bytes, size_t size_bytes, net_http_emit emit,
     void *context)
{
    const char *found;
    while ((found = memmem(bytes, size_bytes, redact->secret, redact->secret_bytes)) != NULL) {
        size_t before = (size_t)(found - bytes);
        if ((before > 0 && !emit(context, bytes, before)) || !strike_out(emit, context))
            return false;
        bytes = found + redact->secret_bytes;
        size_bytes -= before + redact->secret_bytes;
    }
    redact->held = beginning_at_end(redact, bytes, size_bytes);
    size_bytes -= redact->held;
    return size_bytes == 0 || emit(context, bytes, size_bytes);
}

/* Goes on with what is held back. Returns how many of the new bytes that took. */
static size_t
go_on(struct net_http_redact *redact, const char *bytes, size_t size_bytes)
{
    size_t missing = redact->secret_bytes - redact->held;
    size_t size = size_bytes < missing ? size_bytes : missing;
    if (memcmp(bytes, redact->secret + redact->held, size) != 0)
        return 0;
    redact->held += size;
    return size;
}

/* The bytes held back are not the secret's beginning after all: passes on as many of them as
 * leave another one, or none. */
static bool
let_go(struct net_http_redact *redact, net_http_emit emit, void *context)
{
    size_t held = redact->held;
    redact->held = beginning_at_end(redact, redact->secret + 1, held - 1);
    return emit(context, redact->secret, held - redact->held);
}

bool
net_http_redact(struct net_http_redact *redact, const char *bytes, size_t size_bytes,
                net_http_emit emit, void *context)
{
    if (redact->secret_bytes < NET_HTTP_SECRET_BYTES_MIN)
        return size_bytes == 0 || emit(context, bytes, size_bytes);
    while (redact->held > 0 && size_bytes > 0) {
        size_t taken = go_on(redact, bytes, size_bytes);
        bytes += taken;
        size_bytes -= taken;
        bool is_whole = redact->held == redact->secret_bytes;
        if (is_whole)
            redact->held = 0;
        if (is_whole ? !strike_out(emit, context) : taken == 0 && !let_go(redact, emit, context))
            return false;
    }
    return size_bytes == 0 || pass(redact, bytes, size_bytes, emit, context);
}

bool
net_http_redact_end(struct net_http_redact *redact, net_http_emit emit, void *context)
{
    size_t held = redact->held;
    redact->held = 0;
    if (held == 0)
        return true;
    if (held >= redact->secret_bytes / 2)
        return strike_out(emit, context);
    return emit(context, redact->secret, held);
}
