#include <string.h>

#include "lua/adapter_state.h"
#include "runtime/pool.h"

struct tlua_exchange *
tlua_exchange_add(struct tlua_leg *leg, uint64_t id)
{
    size_t count = 0;
    for (struct tlua_exchange *other = leg->exchanges; other != NULL; other = other->next)
        count++;
    struct tlua_exchange *exchange = NULL;
    if (count < TLUA_EXCHANGES_MAX)
        exchange = rt_pool_take(sizeof(*exchange));
    if (exchange == NULL)
        return NULL;
    *exchange = (struct tlua_exchange){.id = id, .retry_after_s = -1, .next = leg->exchanges};
    leg->exchanges = exchange;
    return exchange;
}

struct tlua_exchange *
tlua_exchange_find(const struct tlua_leg *leg, uint64_t id)
{
    struct tlua_exchange *exchange = leg->exchanges;
    while (exchange != NULL && exchange->id != id)
        exchange = exchange->next;
    return exchange;
}

void
tlua_exchange_remove(struct tlua_leg *leg, struct tlua_exchange *exchange)
{
    struct tlua_exchange **at = &leg->exchanges;
    while (*at != exchange)
        at = &(*at)->next;
    *at = exchange->next;
    rt_pool_give(exchange->bytes, exchange->capacity_bytes);
    rt_pool_give(exchange, sizeof(*exchange));
}

void
tlua_exchange_cancel_all(struct adapter_vm *vm, struct tlua_leg *leg)
{
    while (leg->exchanges != NULL) {
        struct tlua_exchange *exchange = leg->exchanges;
        if (!exchange->has_ended)
            vm->host.http_cancel(vm->host.self, leg->port, exchange->id);
        tlua_exchange_remove(leg, exchange);
    }
}

static void
end_badly(struct tlua_exchange *exchange)
{
    exchange->has_ended = true;
    exchange->result = NET_HTTP_REFUSED;
}

/* Makes room for so many more bytes. */
static bool
grow(struct tlua_exchange *exchange, size_t more_bytes)
{
    if (exchange->read_bytes > 0) {
        exchange->size_bytes -= exchange->read_bytes;
        memmove(exchange->bytes, exchange->bytes + exchange->read_bytes, exchange->size_bytes);
        exchange->read_bytes = 0;
    }
    if (more_bytes > TLUA_EXCHANGE_BYTES_MAX - exchange->size_bytes)
        return false;
    size_t wanted_bytes = exchange->size_bytes + more_bytes;
    if (wanted_bytes <= exchange->capacity_bytes)
        return true;
    char *bytes = exchange->bytes == NULL
                      ? rt_pool_take(wanted_bytes)
                      : rt_pool_resize(exchange->bytes, exchange->capacity_bytes, wanted_bytes);
    if (bytes == NULL)
        return false;
    exchange->bytes = bytes;
    exchange->capacity_bytes = wanted_bytes;
    return true;
}

static bool
take_data(struct tlua_exchange *exchange, const struct adapter_event *event)
{
    if (!grow(exchange, event->size_bytes)) {
        end_badly(exchange);
        return false;
    }
    if (event->size_bytes > 0)
        memcpy(exchange->bytes + exchange->size_bytes, event->bytes, event->size_bytes);
    exchange->size_bytes += event->size_bytes;
    return true;
}

bool
tlua_exchange_take_in(struct tlua_exchange *exchange, const struct adapter_event *event)
{
    if (exchange->has_ended)
        return true; /* late, and of no use */
    if (event->kind == ADAPTER_EVENT_DATA)
        return take_data(exchange, event);
    if (event->kind == ADAPTER_EVENT_END) {
        exchange->has_ended = true;
        exchange->result = event->result;
    } else if (!exchange->has_head) {
        exchange->has_head = true;
        exchange->status = event->status;
        exchange->retry_after_s = event->retry_after_s;
    }
    return true;
}
