/* Vendors' figures: whatever a vendor answers, in whatever pieces, what adapters report of it is
 * within bounds, each verb ends exactly once, and never more comes out than came in. */
#include <string.h>

#include "lua/adapter_vm.h"
#include "tests/fuzz/fuzz.h"

enum { STEPS_MAX = 96 };

#define EXACT_MAX (INT64_C(1) << 53)

static const char *const providers[] = {"openai", "cartesia", "tavus"};
static const int statuses[] = {200, 201, 429, 401, 402, 500, 404, 204};

/* The one leg and what waits of it. */
static struct {
    struct adapter_leg port;
    struct fuzz_input answers; /* of the vendor; one for each request, parted by zero bytes */
    uint8_t options;
    uint64_t exchange; /* under way, or 0 */
    uint64_t exchange_count;
    size_t sent_bytes, consumed_bytes;
    bool sleeps, waits_for_cover;
    unsigned ends;
    enum adapter_error error;
    int64_t now_ms;
} leg;

static enum rt_status
on_http_start(void *self, struct adapter_leg *port, const struct adapter_http *http,
              uint64_t *exchange_out)
{
    (void)self;
    FUZZ_CHECK(port == &leg.port && http->path[0] == '/' && strpbrk(http->path, " \r\n") == NULL);
    for (size_t i = 0; i < http->header_count; i++)
        FUZZ_CHECK(strpbrk(http->headers[i].value, "\r\n") == NULL);
    if (leg.exchange != 0)
        return RT_FULL;
    *exchange_out = leg.exchange = ++leg.exchange_count;
    leg.sent_bytes = leg.consumed_bytes = 0;
    return RT_OK;
}

static void
on_http_consume(void *self, struct adapter_leg *port, uint64_t exchange, uint32_t bytes)
{
    (void)self, (void)port, (void)exchange;
    leg.consumed_bytes += bytes;
    FUZZ_CHECK(leg.consumed_bytes <= leg.sent_bytes);
}

static void
on_http_stop(void *self, struct adapter_leg *port, uint64_t exchange)
{
    (void)self, (void)port, (void)exchange;
}

static void
on_http_cancel(void *self, struct adapter_leg *port, uint64_t exchange)
{
    (void)self, (void)port;
    FUZZ_CHECK(exchange == leg.exchange);
    leg.exchange = 0;
}

static void
on_sleep(void *self, struct adapter_leg *port, uint32_t ms)
{
    (void)self, (void)port;
    leg.sleeps = true;
    leg.now_ms += ms;
}

static int64_t
on_wall_ms(void *self)
{
    (void)self;
    return leg.now_ms;
}

static bool
on_use(void *self, struct adapter_leg *port, const struct adapter_use *use)
{
    (void)self, (void)port;
    FUZZ_CHECK(use->tokens >= 0 && use->tokens < EXACT_MAX);
    FUZZ_CHECK(use->media_ms >= 0 && use->media_ms < EXACT_MAX);
    leg.waits_for_cover = (leg.options & 0x40) != 0;
    return !leg.waits_for_cover;
}

static void
on_final_use(void *self, struct adapter_leg *port, const struct adapter_final_use *use)
{
    (void)self, (void)port;
    FUZZ_CHECK(use->tokens >= -1 && use->tokens < EXACT_MAX);
    FUZZ_CHECK(use->media_ms >= -1 && use->media_ms < EXACT_MAX);
}

static bool
on_emit(void *self, struct adapter_leg *port, const void *output, size_t bytes)
{
    (void)self, (void)port;
    FUZZ_CHECK(output != NULL && bytes > 0 && bytes <= leg.sent_bytes);
    return true;
}

static bool
on_emit_text(void *self, struct adapter_leg *port, const char *text, size_t bytes)
{
    return on_emit(self, port, text, bytes);
}

static void
on_finished(void *self, struct adapter_leg *port, const struct adapter_result *result)
{
    (void)self, (void)port;
    FUZZ_CHECK(result->error < ADAPTER_ERROR_COUNT && result->error != ADAPTER_ERROR_BUG);
    FUZZ_CHECK(result->retry_after_s >= -1 && strpbrk(result->detail, "\r\n") == NULL);
    leg.error = result->error;
    leg.ends++;
    leg.sleeps = leg.waits_for_cover = false;
}

static const struct adapter_host host = {.http_start = on_http_start,
                                         .http_consume = on_http_consume,
                                         .http_stop = on_http_stop,
                                         .http_cancel = on_http_cancel,
                                         .sleep = on_sleep,
                                         .wall_ms = on_wall_ms,
                                         .boot_ms = on_wall_ms,
                                         .use = on_use,
                                         .final_use = on_final_use,
                                         .emit_text = on_emit_text,
                                         .emit_audio = on_emit,
                                         .finished = on_finished};

static struct adapter_port port;
static struct adapter_vm *vm;

static void
resume(struct adapter_event event)
{
    port.resume(vm, &leg.port, &event);
}

/* The vendor answers the request under way with the next part of the input. */
static void
answer(void)
{
    uint64_t exchange = leg.exchange;
    struct fuzz_input body = fuzz_part(&leg.answers);
    int status = body.left_bytes == 0 ? 0 : statuses[(body.at[0] - '0') & 7];
    size_t piece_bytes = (leg.options & 0x20) != 0 ? 7 : SIZE_MAX;
    (void)fuzz_byte(&body);
    if (status != 0)
        resume((struct adapter_event){.kind = ADAPTER_EVENT_HEAD,
                                      .exchange = exchange,
                                      .status = status,
                                      .content_type = "text/event-stream",
                                      .retry_after_s = -1});
    while (leg.exchange == exchange && body.left_bytes > 0) {
        size_t piece = body.left_bytes < piece_bytes ? body.left_bytes : piece_bytes;
        struct adapter_event data = {.kind = ADAPTER_EVENT_DATA,
                                     .exchange = exchange,
                                     .bytes = body.at,
                                     .size_bytes = piece};
        leg.sent_bytes += piece;
        body.at += piece;
        body.left_bytes -= piece;
        resume(data);
    }
    if (leg.exchange != exchange)
        return;
    leg.exchange = 0;
    resume((struct adapter_event){.kind = ADAPTER_EVENT_END,
                                  .exchange = exchange,
                                  .result = status == 0 ? NET_HTTP_UNREACHED : NET_HTTP_COMPLETE});
}

/* Plays the host until the verb has ended; cuts it when it goes on for ever. */
static void
play(unsigned ends)
{
    for (int step = 0; leg.ends < ends; step++) {
        FUZZ_CHECK(step < 2 * STEPS_MAX);
        if (step == STEPS_MAX)
            resume((struct adapter_event){.kind = ADAPTER_EVENT_CUT});
        else if (leg.waits_for_cover) {
            leg.waits_for_cover = false;
            resume((struct adapter_event){.kind = ADAPTER_EVENT_COVERED});
        } else if (leg.exchange != 0)
            answer();
        else if (leg.sleeps) {
            leg.sleeps = false;
            resume((struct adapter_event){.kind = ADAPTER_EVENT_AWAKE});
        }
    }
    FUZZ_CHECK(leg.ends == ends);
}

static void
open_vm(void)
{
    struct tlua_adapters *adapters = tlua_adapters_create(&(struct tlua_adapter_options){0});
    FUZZ_CHECK(adapters != NULL);
    port = tlua_adapters_port(adapters);
    vm = port.open(port.self, &host);
    FUZZ_CHECK(vm != NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    struct fuzz_input input = {bytes, size_bytes};
    if (vm == NULL)
        open_vm();
    memset(&leg, 0, sizeof(leg));
    leg.options = fuzz_byte(&input);
    leg.answers = input;
    leg.now_ms = INT64_C(1795298400000);
    struct adapter_input given = {.config = "{\"leg_id\":\"leg_7\",\"tenant_id\":\"t\","
                                            "\"language\":\"es\",\"provider\":{},\"persona\":{}}",
                                  .limits = "{\"media_ms\":60000,\"tokens\":1024}",
                                  .drive = "{\"text\":\"Golazo.\"}"};
    port.begin(vm, &leg.port, providers[(leg.options & 3) % 3], ADAPTER_INITIALIZE, &given);
    play(1);
    if (leg.error == ADAPTER_ERROR_NONE) {
        port.begin(vm, &leg.port, "", ADAPTER_DRIVE, &given);
        play(2);
        port.begin(vm, &leg.port, "", ADAPTER_TERMINATE, &given);
        play(3);
    }
    if (leg.port.vm_slot != 0)
        port.forget(vm, &leg.port);
    return 0;
}
