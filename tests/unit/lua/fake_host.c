#include "tests/unit/lua/fake_host.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/adapter_state.h"
#include "runtime/compiler.h"

int64_t fake_now_ms = INT64_C(1795298400000), fake_wall_step_ms;

static struct tlua_adapters *adapters;
static struct adapter_port port;
static struct adapter_vm *vm;
static uint64_t exchanges;

static struct fake_leg *
leg_of(struct adapter_leg *adapter)
{
    return RT_CONTAINER_OF(adapter, struct fake_leg, port);
}

static struct fake_request *
find_request(struct fake_leg *leg, uint64_t exchange)
{
    for (size_t i = 0; i < leg->request_count; i++) {
        if (leg->requests[i].exchange == exchange)
            return &leg->requests[i];
    }
    cr_assert_fail("no exchange %llu", (unsigned long long)exchange);
    return NULL;
}

static int
compare_headers(const void *a, const void *b)
{
    return strcmp(((const struct adapter_header *)a)->name,
                  ((const struct adapter_header *)b)->name);
}

static void
record_headers(struct fake_request *request, const struct adapter_http *http)
{
    struct adapter_header headers[32];
    memcpy(headers, http->headers, http->header_count * sizeof(headers[0]));
    qsort(headers, http->header_count, sizeof(headers[0]), compare_headers);
    size_t at = 0;
    for (size_t i = 0; i < http->header_count; i++)
        at += (size_t)snprintf(request->headers + at, sizeof(request->headers) - at, "%s: %s\n",
                               headers[i].name, headers[i].value);
    if (http->secret_name != NULL)
        snprintf(request->headers + at, sizeof(request->headers) - at, "%s: %s%s\n",
                 http->secret_header, http->secret_prefix == NULL ? "" : http->secret_prefix,
                 FAKE_SECRET);
}

static enum rt_status
on_http_start(void *self, struct adapter_leg *adapter, const struct adapter_http *http,
              uint64_t *exchange_out)
{
    (void)self;
    struct fake_leg *leg = leg_of(adapter);
    if (leg->start_status != RT_OK)
        return leg->start_status;
    cr_assert_lt(leg->request_count, FAKE_REQUESTS_MAX);
    cr_assert_lt(http->body_bytes, FAKE_TEXT_BYTES);
    struct fake_request *request = &leg->requests[leg->request_count++];
    *request = (struct fake_request){.exchange = ++exchanges,
                                     .total_timeout_ms = http->total_timeout_ms,
                                     .is_repeatable = http->is_repeatable};
    snprintf(request->method, sizeof(request->method), "%s", http->method);
    snprintf(request->path, sizeof(request->path), "%s", http->path);
    memcpy(request->body, http->body, http->body_bytes);
    record_headers(request, http);
    *exchange_out = request->exchange;
    return RT_OK;
}

static void
on_http_consume(void *self, struct adapter_leg *adapter, uint64_t exchange, uint32_t bytes)
{
    (void)self;
    struct fake_request *request = find_request(leg_of(adapter), exchange);
    request->consumed_bytes += bytes;
    cr_assert_leq(request->consumed_bytes, request->sent_bytes);
}

static void
on_http_stop(void *self, struct adapter_leg *adapter, uint64_t exchange)
{
    (void)self;
    find_request(leg_of(adapter), exchange)->is_stopped = true;
}

static void
on_http_cancel(void *self, struct adapter_leg *adapter, uint64_t exchange)
{
    (void)self;
    struct fake_request *request = find_request(leg_of(adapter), exchange);
    cr_assert_not(request->is_cancelled);
    request->is_cancelled = request->has_ended = true;
}

static void
on_sleep(void *self, struct adapter_leg *adapter, uint32_t ms)
{
    (void)self;
    leg_of(adapter)->sleeps = true;
    leg_of(adapter)->awake_at_ms = fake_now_ms + ms;
}

static int64_t
on_wall_ms(void *self)
{
    (void)self;
    return fake_now_ms + fake_wall_step_ms;
}

static int64_t
on_boot_ms(void *self)
{
    (void)self;
    return fake_now_ms;
}

static bool
is_covered(const struct fake_leg *leg)
{
    return leg->tokens <= leg->allowed_tokens && leg->media_ms <= leg->allowed_ms;
}

static bool
on_use(void *self, struct adapter_leg *adapter, const struct adapter_use *use)
{
    (void)self;
    struct fake_leg *leg = leg_of(adapter);
    cr_assert_geq(use->tokens, 0);
    cr_assert_geq(use->media_ms, 0);
    leg->tokens += use->tokens;
    leg->media_ms += use->media_ms;
    leg->use_count++;
    leg->waits_for_cover = !is_covered(leg);
    return !leg->waits_for_cover;
}

static void
on_final_use(void *self, struct adapter_leg *adapter, const struct adapter_final_use *use)
{
    (void)self;
    leg_of(adapter)->final = *use;
    leg_of(adapter)->final_count++;
}

static bool
on_emit_text(void *self, struct adapter_leg *adapter, const char *text, size_t bytes)
{
    (void)self;
    struct fake_leg *leg = leg_of(adapter);
    cr_assert_lt(leg->text_bytes + bytes, sizeof(leg->text));
    memcpy(leg->text + leg->text_bytes, text, bytes);
    leg->text_bytes += bytes;
    leg->waits_for_room = leg->is_full;
    return !leg->is_full;
}

static bool
on_emit_audio(void *self, struct adapter_leg *adapter, const void *audio, size_t bytes)
{
    (void)self;
    struct fake_leg *leg = leg_of(adapter);
    cr_assert_leq(leg->audio_bytes + bytes, sizeof(leg->audio));
    memcpy(leg->audio + leg->audio_bytes, audio, bytes);
    leg->audio_bytes += bytes;
    leg->waits_for_room = leg->is_full;
    return !leg->is_full;
}

static void
on_finished(void *self, struct adapter_leg *adapter, const struct adapter_result *result)
{
    (void)self;
    struct fake_leg *leg = leg_of(adapter);
    leg->ends++;
    leg->result = *result;
    snprintf(leg->detail, sizeof(leg->detail), "%s", result->detail);
    snprintf(leg->vendor_ref, sizeof(leg->vendor_ref), "%s", result->vendor_ref);
    snprintf(leg->join, sizeof(leg->join), "%s", result->join);
    leg->waits_for_cover = leg->waits_for_room = leg->sleeps = false;
    if (leg->on_finished != NULL)
        leg->on_finished(leg);
}

void
fake_host_open(const char *directory)
{
    static const struct adapter_host host = {
        .http_start = on_http_start,
        .http_consume = on_http_consume,
        .http_stop = on_http_stop,
        .http_cancel = on_http_cancel,
        .sleep = on_sleep,
        .wall_ms = on_wall_ms,
        .boot_ms = on_boot_ms,
        .use = on_use,
        .final_use = on_final_use,
        .emit_text = on_emit_text,
        .emit_audio = on_emit_audio,
        .finished = on_finished,
    };
    char problem[TLUA_PROBLEM_BYTES] = "";
    struct tlua_adapter_options options = {.directory = directory, .problem_out = problem};
    adapters = tlua_adapters_create(&options);
    cr_assert_not_null(adapters, "%s", problem);
    port = tlua_adapters_port(adapters);
    vm = port.open(port.self, &host);
    cr_assert_not_null(vm);
}

void
fake_host_shrink(size_t left_bytes)
{
    vm->vm.allowed_bytes = vm->vm.used_bytes + left_bytes;
}

void
fake_host_close(void)
{
    port.close(vm);
    tlua_adapters_destroy(adapters);
}

struct adapter_vm *
fake_host_vm(void)
{
    return vm;
}

const struct adapter_sheet *
fake_host_sheet(const char *provider)
{
    return port.sheet(port.self, provider);
}

struct fake_leg *
fake_leg_create(void)
{
    struct fake_leg *leg = calloc(1, sizeof(*leg));
    cr_assert_not_null(leg);
    leg->allowed_tokens = leg->allowed_ms = INT64_MAX;
    leg->final.tokens = leg->final.media_ms = -1;
    return leg;
}

void
fake_leg_destroy(struct fake_leg *leg)
{
    if (leg->port.vm_slot != 0)
        port.forget(vm, &leg->port);
    free(leg);
}

void
fake_initialize(struct fake_leg *leg, const char *provider, const char *config, const char *limits)
{
    struct adapter_input input = {.config = config, .limits = limits};
    port.begin(vm, &leg->port, provider, ADAPTER_INITIALIZE, &input);
}

void
fake_chat(struct fake_leg *leg, const char *drive, const char *messages)
{
    struct adapter_input input = {.drive = drive, .messages = messages};
    port.begin(vm, &leg->port, "", ADAPTER_DRIVE, &input);
}

void
fake_drive(struct fake_leg *leg, const char *drive)
{
    fake_chat(leg, drive, "");
}

void
fake_terminate(struct fake_leg *leg, enum adapter_stop_reason reason)
{
    struct adapter_input input = {.reason = reason};
    port.begin(vm, &leg->port, "", ADAPTER_TERMINATE, &input);
}

static void
resume(struct fake_leg *leg, const struct adapter_event *event)
{
    port.resume(vm, &leg->port, event);
}

struct fake_request *
fake_pending(struct fake_leg *leg)
{
    for (size_t i = 0; i < leg->request_count; i++) {
        if (!leg->requests[i].has_ended)
            return &leg->requests[i];
    }
    cr_assert_fail("nothing was asked of the vendor");
    return NULL;
}

void
fake_head(struct fake_leg *leg, struct fake_request *request, int status, int64_t retry_after_s)
{
    resume(leg, &(struct adapter_event){.kind = ADAPTER_EVENT_HEAD,
                                        .exchange = request->exchange,
                                        .status = status,
                                        .content_type = "application/json",
                                        .retry_after_s = retry_after_s});
}

void
fake_bytes(struct fake_leg *leg, struct fake_request *request, const void *bytes, size_t size_bytes)
{
    request->sent_bytes += size_bytes;
    resume(leg, &(struct adapter_event){.kind = ADAPTER_EVENT_DATA,
                                        .exchange = request->exchange,
                                        .bytes = bytes,
                                        .size_bytes = size_bytes});
}

void
fake_data(struct fake_leg *leg, struct fake_request *request, const char *text)
{
    fake_bytes(leg, request, text, strlen(text));
}

void
fake_end(struct fake_leg *leg, struct fake_request *request, enum net_http_result result)
{
    request->has_ended = true;
    resume(leg, &(struct adapter_event){
                    .kind = ADAPTER_EVENT_END, .exchange = request->exchange, .result = result});
}

void
fake_answer(struct fake_leg *leg, int status, const char *body)
{
    struct fake_request *request = fake_pending(leg);
    fake_head(leg, request, status, -1);
    fake_data(leg, request, body);
    fake_end(leg, request, NET_HTTP_COMPLETE);
}

const char *
fake_fixture(const char *name)
{
    static char text[FAKE_TEXT_BYTES];
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", FIXTURE_DIRECTORY, name);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file, "%s", path);
    size_t size_bytes = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[size_bytes] = '\0';
    return text;
}

void
fake_answer_file(struct fake_leg *leg, int status, const char *fixture)
{
    fake_answer(leg, status, fake_fixture(fixture));
}

void
fake_no_answer(struct fake_leg *leg, enum net_http_result result)
{
    fake_end(leg, fake_pending(leg), result);
}

void
fake_pass(struct fake_leg *leg, int64_t ms)
{
    fake_now_ms += ms;
    if (!leg->sleeps || fake_now_ms < leg->awake_at_ms)
        return;
    leg->sleeps = false;
    resume(leg, &(struct adapter_event){.kind = ADAPTER_EVENT_AWAKE});
}

void
fake_cover(struct fake_leg *leg, int64_t allowed_tokens, int64_t allowed_ms)
{
    leg->allowed_tokens = allowed_tokens;
    leg->allowed_ms = allowed_ms;
    if (!leg->waits_for_cover || !is_covered(leg))
        return;
    leg->waits_for_cover = false;
    resume(leg, &(struct adapter_event){.kind = ADAPTER_EVENT_COVERED});
}

void
fake_make_room(struct fake_leg *leg)
{
    leg->is_full = false;
    if (!leg->waits_for_room)
        return;
    leg->waits_for_room = false;
    resume(leg, &(struct adapter_event){.kind = ADAPTER_EVENT_ROOM});
}

void
fake_cut(struct fake_leg *leg)
{
    resume(leg, &(struct adapter_event){.kind = ADAPTER_EVENT_CUT});
}

int64_t
fake_tokens(const struct fake_leg *leg)
{
    return leg->final.tokens >= 0 ? leg->final.tokens : leg->tokens;
}

int64_t
fake_media_ms(const struct fake_leg *leg)
{
    return leg->final.media_ms >= 0 ? leg->final.media_ms : leg->media_ms;
}
