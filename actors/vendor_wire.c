#include "actors/vendor_wire.h"

#include <stdio.h>
#include <string.h>

#include "actors/vendor.h"
#include "runtime/pool.h"

enum {
    HEADERS_MAX = 16,
    URL_BYTES = 2048,
    CONNECT_TIMEOUT_MS = 5000,
    SECRET_HEADER_BYTES = VITO_SECRET_BYTES_MAX + 64,
};

/* What is on its way to the port; holds a secret, so it is wiped as a whole. */
struct outgoing {
    char url[URL_BYTES];
    struct vito_secret secret;
    char secret_value[SECRET_HEADER_BYTES];
    struct net_http_header headers[HEADERS_MAX + 2];
    size_t header_count;
};

static bool
is_header_text(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return false;
    return true;
}

static enum rt_status
add_header(struct outgoing *outgoing, const char *name, const char *value)
{
    if (outgoing->header_count == RT_COUNT_OF(outgoing->headers) || !is_header_text(name) ||
        !is_header_text(value))
        return RT_INVALID;
    outgoing->headers[outgoing->header_count++] = (struct net_http_header){name, value};
    return RT_OK;
}

static enum rt_status
add_secret(const struct world *world, struct outgoing *outgoing, const char *tenant_id,
           const char *provider, const struct adapter_http *request)
{
    const struct vito_secret_use use = {
        .tenant_id = tenant_id,
        .provider = provider,
        .name = request->secret_name,
        .loopback = world_url_is_loopback(outgoing->url),
    };
    enum rt_status status = world->secrets->get(world->secrets->self, &use, &outgoing->secret);
    if (status == RT_DENIED)
        return RT_INVALID; /* for scripts, denied is what has no money */
    if (status != RT_OK)
        return status;
    snprintf(outgoing->secret_value, sizeof(outgoing->secret_value), "%s%s",
             request->secret_prefix == NULL ? "" : request->secret_prefix, outgoing->secret.value);
    return add_header(outgoing, request->secret_header, outgoing->secret_value);
}

static enum rt_status
prepare(const struct world *world, struct outgoing *outgoing, const struct vito_hold *hold,
        const char *provider, const struct adapter_http *request)
{
    const char *base = world_vendor_base(world, provider);
    if (base == NULL || request->path[0] != '/' || request->header_count > HEADERS_MAX)
        return RT_INVALID;
    int length = snprintf(outgoing->url, sizeof(outgoing->url), "%s%s", base, request->path);
    if (length < 0 || (size_t)length >= sizeof(outgoing->url) || !is_header_text(outgoing->url))
        return RT_INVALID;
    enum rt_status status = add_header(outgoing, "X-Request-Id", vito_hold_leg_id(hold));
    for (size_t i = 0; i < request->header_count && status == RT_OK; i++)
        status = add_header(outgoing, request->headers[i].name, request->headers[i].value);
    if (status == RT_OK && request->secret_name != NULL)
        status = add_secret(world, outgoing, vito_hold_tenant_id(hold), provider, request);
    return status;
}

enum rt_status
vendor_wire_start(const struct world *world, struct rt_actor *owner, struct vito_hold *hold,
                  const char *provider, const struct adapter_http *request, uint64_t transfer)
{
    if (!vito_hold_is_open(hold))
        return RT_DENIED;
    struct outgoing *outgoing = rt_pool_take(sizeof(*outgoing));
    if (outgoing == NULL)
        return RT_NO_MEMORY;
    outgoing->header_count = 0;
    enum rt_status status = prepare(world, outgoing, hold, provider, request);
    if (status == RT_OK) {
        struct net_http_request out = {
            .method = request->method,
            .url = outgoing->url,
            .headers = outgoing->headers,
            .header_count = outgoing->header_count,
            .secret = request->secret_name == NULL ? NULL : outgoing->secret.value,
            .body = request->body,
            .body_bytes = request->body_bytes,
            .connect_timeout_ms = CONNECT_TIMEOUT_MS,
            .idle_timeout_ms = request->idle_timeout_ms,
            .total_timeout_ms = request->total_timeout_ms,
            .window_bytes = VENDOR_EXCHANGE_WINDOW_BYTES,
            .is_repeatable = request->is_repeatable,
        };
        vito_hold_touch(hold);
        status = world->http.start(world->http.self, owner, transfer, &out);
    }
    explicit_bzero(outgoing, sizeof(*outgoing));
    rt_pool_give(outgoing, sizeof(*outgoing));
    return status;
}
