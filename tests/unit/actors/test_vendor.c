/* What a vendor actor does with the money its legs are given: a leg waits where its allowance ends,
 * and where no more will follow it is cut there and then, without asking anybody. */
#include <criterion/criterion.h>
#include <string.h>

#include "actors/messages.h"
#include "actors/vendor.h"
#include "runtime/sim.h"
#include "runtime/text.h"
#include "vito/account.h"

enum { LEG = 7, EVENTS_MAX = 16, HEARD_MAX = 32, KIND_FORWARD = 1000 };

/* The script: one leg, which sleeps, and is charged 1000 ms whenever it wakes. */
static struct {
    uint32_t create_ms; /* so long initialize takes */
    uint32_t drive_ms;  /* until drive first says something */
    struct adapter_host host;
    struct adapter_leg *leg;
    enum adapter_verb verb;
    enum adapter_event_kind events[EVENTS_MAX];
    unsigned event_count;
    enum adapter_stop_reason reason; /* of the end */
} script;

static struct rt_sim *sim;
static struct world world;
static struct rt_address owner;
static struct vito_account account = {.limit_nusd = 1000, .slice_nusd = 1000};
static uint32_t heard[HEARD_MAX]; /* kinds of what the owner was told */
static unsigned heard_count;
static struct vendor_event last_used;
static struct vendor_closed last_closed;

static const struct adapter_sheet *
find_sheet(void *self, const char *provider)
{
    static const struct adapter_sheet sheets[] = {{.name = "stream"},
                                                  {.name = "clock", .metered_by_clock = true}};
    (void)self;
    return &sheets[strcmp(provider, "clock") == 0];
}

static struct adapter_vm *
open_vm(void *self, const struct adapter_host *host)
{
    (void)self;
    script.host = *host;
    return (struct adapter_vm *)&script;
}

static void
close_vm(struct adapter_vm *vm)
{
    (void)vm;
}

static void
finish(enum adapter_error error)
{
    struct adapter_result result = {
        .verb = script.verb, .error = error, .detail = "", .vendor_ref = "", .join = ""};
    script.host.finished(script.host.self, script.leg, &result);
}

static void
begin_verb(struct adapter_vm *vm, struct adapter_leg *leg, const char *provider,
           enum adapter_verb verb, const struct adapter_input *input)
{
    (void)vm, (void)provider;
    leg->vm_slot = 1;
    script.leg = leg;
    script.verb = verb;
    script.reason = input->reason;
    if (verb == ADAPTER_INITIALIZE && script.create_ms > 0)
        script.host.sleep(script.host.self, leg, script.create_ms);
    else if (verb == ADAPTER_DRIVE)
        script.host.sleep(script.host.self, leg, script.drive_ms);
    else
        finish(ADAPTER_ERROR_NONE);
}

static void
resume(struct adapter_vm *vm, struct adapter_leg *leg, const struct adapter_event *event)
{
    (void)vm;
    cr_assert_lt(script.event_count, EVENTS_MAX);
    script.events[script.event_count++] = event->kind;
    if (event->kind == ADAPTER_EVENT_CUT)
        finish(ADAPTER_ERROR_CUT);
    else if (script.verb == ADAPTER_INITIALIZE)
        finish(ADAPTER_ERROR_NONE);
    else if (event->kind == ADAPTER_EVENT_COVERED ||
             script.host.use(script.host.self, leg, &(struct adapter_use){.media_ms = 1000}))
        script.host.sleep(script.host.self, leg, 1000);
}

static void
forget(struct adapter_vm *vm, struct adapter_leg *leg)
{
    (void)vm, (void)leg;
}

static void
owner_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    (void)state;
    if (message->kind == KIND_FORWARD)
        rt_send_control(self, world.vendors[0], *(struct rt_message **)rt_message_payload(message));
    if (message->kind < RT_KIND_USER || message->kind == KIND_FORWARD || heard_count == HEARD_MAX)
        return;
    heard[heard_count++] = message->kind;
    if (message->kind == VENDOR_USED)
        last_used = *(struct vendor_event *)rt_message_payload(message);
    if (message->kind == VENDOR_CLOSED)
        last_closed = *(struct vendor_closed *)rt_message_payload(message);
}

static const struct rt_behaviour owner_behaviour = {
    .name = "owner", .limits = {.messages_max = 64, .bytes_max = 1 << 16}, .handle = owner_handle};

static void
run_ms(uint64_t ms)
{
    rt_sim_run_until(sim, rt_sim_now_ns(sim) + ms * RT_NS_PER_MS);
}

static void
send(struct rt_message *message) /* as the owner */
{
    struct rt_message *order = rt_message_create(KIND_FORWARD, sizeof(message));
    memcpy(rt_message_payload(order), &message, sizeof(message));
    cr_assert_eq(rt_post(world.system, owner, order), RT_OK);
    run_ms(1);
}

static void
open_leg(const char *provider, int64_t allowed_ms)
{
    struct vito_hold *hold;
    cr_assert_eq(vito_account_hold(&account, "andres", "leg_1", VITO_VIDEO, 100, 0, &hold), RT_OK);
    struct rt_message *message = vendor_open_create();
    *(struct vendor_open *)rt_message_payload(message) =
        (struct vendor_open){.leg = LEG,
                             .hold = hold,
                             .allowed_tokens = VITO_UNLIMITED,
                             .allowed_ms = allowed_ms,
                             .renew_tokens = VITO_UNLIMITED,
                             .renew_ms = allowed_ms / 2};
    RT_TEXT_SET(((struct vendor_open *)rt_message_payload(message))->provider, provider);
    message->buffer = rt_buffer_copy("{}\0{}\0{}\0", 10);
    send(message);
}

static void
setup(void)
{
    script.drive_ms = 1000;
    sim = rt_sim_create(&(struct rt_sim_options){.seed = 1, .workers = 1});
    world = (struct world){.system = rt_sim_system(sim),
                           .adapters = {.sheet = find_sheet,
                                        .open = open_vm,
                                        .close = close_vm,
                                        .begin = begin_verb,
                                        .resume = resume,
                                        .forget = forget}};
    struct rt_spawn_options vendor = {.behaviour = &vendor_behaviour, .args = &world};
    struct rt_spawn_options other = {.behaviour = &owner_behaviour};
    cr_assert_eq(rt_spawn(world.system, &vendor, &world.vendors[0]), RT_OK);
    cr_assert_eq(rt_spawn(world.system, &other, &owner), RT_OK);
}

static void
teardown(void)
{
    rt_sim_destroy(sim);
}

TestSuite(vendor, .init = setup, .fini = teardown, .timeout = 60);

static void
allow(int64_t allowed_ms, uint64_t last_ns)
{
    struct rt_message *message = rt_message_create(VENDOR_ALLOW, sizeof(struct vendor_allow));
    *(struct vendor_allow *)rt_message_payload(message) =
        (struct vendor_allow){.leg = LEG,
                              .allowed_tokens = VITO_UNLIMITED,
                              .allowed_ms = allowed_ms,
                              .renew_tokens = VITO_UNLIMITED,
                              .renew_ms = VITO_UNLIMITED,
                              .last_ns = last_ns};
    send(message);
}

static bool
was_cut(void)
{
    return script.event_count > 0 && script.events[script.event_count - 1] == ADAPTER_EVENT_CUT;
}

Test(vendor, a_stream_waits_where_its_allowance_ends)
{
    open_leg("stream", 2000);
    run_ms(10000);
    cr_assert_eq(script.event_count, 3, "it woke three times, and the third second waits");
    cr_assert_eq(heard[heard_count - 1], VENDOR_USED);
    cr_assert(last_used.waiting);
    cr_assert_eq(last_used.media_ms, 3000);
    cr_assert_geq(last_used.waiting_ns, 3 * RT_NS_PER_S);
    allow(4000, 0);
    cr_assert_eq(script.events[3], ADAPTER_EVENT_COVERED);
}

Test(vendor, a_leg_that_gets_no_more_is_cut_where_its_allowance_ends)
{
    open_leg("stream", 2000);
    allow(2000, rt_sim_now_ns(sim));
    run_ms(2500);
    cr_assert_not(was_cut(), "it may use what it has");
    run_ms(1000);
    cr_assert(was_cut());
    cr_assert_eq(script.verb, ADAPTER_TERMINATE);
    cr_assert_eq(script.reason, ADAPTER_COST_LIMIT);
    cr_assert_eq(heard[heard_count - 2], VENDOR_USED, "its owner hears why, before the end");
    cr_assert(last_used.waiting);
    cr_assert_eq(heard[heard_count - 1], VENDOR_CLOSED);
    cr_assert_eq(last_closed.error, ADAPTER_ERROR_CUT);
    cr_assert_eq(last_closed.media_ms, 3000);
}

Test(vendor, a_leg_that_waits_for_what_will_not_come_is_cut_at_once)
{
    open_leg("stream", 2000);
    run_ms(5000);
    cr_assert_not(was_cut());
    allow(2000, rt_sim_now_ns(sim));
    cr_assert(was_cut());
    cr_assert_eq(last_closed.error, ADAPTER_ERROR_CUT);
}

Test(vendor, what_costs_by_the_clock_is_cut_where_its_allowance_ends_whoever_is_still_asked)
{
    open_leg("clock", 2000);
    run_ms(1500);
    allow(4000, 0);
    run_ms(2000);
    cr_assert_not(was_cut(), "it may use what it was allowed in time");
    run_ms(1000);
    cr_assert(was_cut());
    cr_assert_eq(script.reason, ADAPTER_COST_LIMIT);
    cr_assert(last_closed.is_spent);
}

Test(vendor, what_costs_by_the_clock_is_cut_in_time_though_its_script_says_nothing)
{
    script.drive_ms = 10000;
    open_leg("clock", 2000);
    run_ms(1100);
    cr_assert_eq(heard[heard_count - 1], VENDOR_USED, "more has to be asked for");
    cr_assert_geq(last_used.media_ms, 1000);
    run_ms(500);
    cr_assert_not(was_cut());
    run_ms(500);
    cr_assert(was_cut());
    cr_assert(last_closed.is_spent);
    cr_assert_eq(last_closed.media_ms, 0, "what it cost is for the script to say");
}

Test(vendor, a_room_that_is_long_in_coming_is_ended_as_soon_as_it_is_there)
{
    script.create_ms = 3000;
    open_leg("clock", 2000);
    run_ms(2500);
    cr_assert_eq(script.verb, ADAPTER_INITIALIZE, "a create is never cut in the middle");
    cr_assert_geq(last_used.media_ms, 1900);
    run_ms(1000);
    cr_assert_eq(script.verb, ADAPTER_TERMINATE);
    cr_assert(last_closed.is_spent);
}
