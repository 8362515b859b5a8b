#include "tests/sim/world/sim_vendors.h"

#include <stdlib.h>
#include <string.h>

#include "actors/vendor_state.h"
#include "tests/sim/world/sim_memory.h"
#include "tests/stress/stress.h"

enum {
    SLOTS_MAX = 4096,
    TOKENS_MAX = 40,
    MEDIA_STEP_MS = 100,
    MEDIA_MAX_MS = 12000,
    ROOM_STOP_MS = 2000,
    PATIENCE_MIN_MS = 1000, /* an adapter's, with a vendor that says nothing */
    PATIENCE_MAX_MS = 10000,
};

enum plan { PLAN_WORK, PLAN_REFUSE, PLAN_HANG, PLAN_CUT };

/* A leg as its vendor sees it. */
struct script {
    struct adapter_leg *leg;
    struct sim_truth *truth;
    enum adapter_verb verb;
    enum plan plan;
    bool slow_stop, unstoppable, repeat, late;
    bool generating, hanging, reclaims;
    int64_t left;                           /* tokens or steps still to come */
    int64_t uncounted_tokens, uncounted_ms; /* generated, not yet reported */
};

struct adapter_vm {
    struct sim_vendors *vendors;
    struct adapter_host host;
    struct script *slots[SLOTS_MAX];
};

static const struct adapter_sheet sheets[] = {
    {.name = "openai",
     .modes = {true, false, false},
     .price_token_1k_nusd = -1,
     .price_minute_nusd = -1,
     .quantum_tokens = 32,
     .prompt_bytes_per_token = 4,
     .prompt_tokens_fixed = 4},
    {.name = "cartesia",
     .modes = {false, true, false},
     .price_token_1k_nusd = -1,
     .price_minute_nusd = SIM_MINUTE_VOICE_NUSD,
     .quantum_ms = 5000,
     .stop_ms = 1000},
    {.name = "tavus",
     .modes = {false, false, true},
     .metered_by_clock = true,
     .price_token_1k_nusd = -1,
     .price_minute_nusd = SIM_MINUTE_VIDEO_NUSD,
     .quantum_ms = 5000,
     .stop_ms = ROOM_STOP_MS},
};

static const struct adapter_sheet room_without_clock = {.name = "tavus",
                                                        .modes = {false, false, true},
                                                        .price_token_1k_nusd = -1,
                                                        .price_minute_nusd = SIM_MINUTE_VIDEO_NUSD,
                                                        .quantum_ms = 5000,
                                                        .stop_ms = ROOM_STOP_MS};

static const struct adapter_sheet *
find_sheet(void *self, const char *provider)
{
    const struct sim_vendors *vendors = self;
    if (vendors->bug == VENDOR_HIDES_ITS_CLOCK && strcmp(provider, "tavus") == 0)
        return &room_without_clock;
    for (size_t i = 0; i < RT_COUNT_OF(sheets); i++)
        if (strcmp(sheets[i].name, provider) == 0)
            return &sheets[i];
    return NULL;
}

static bool
dice(struct sim_vendors *vendors, unsigned per_mille)
{
    return rt_random_chance(rt_sim_random(vendors->sim), per_mille);
}

static uint32_t
dice_ms(struct sim_vendors *vendors, uint32_t from, uint32_t to)
{
    return from + (uint32_t)rt_random_below(rt_sim_random(vendors->sim), to - from);
}

static struct script *
script_of(struct adapter_vm *vm, const struct adapter_leg *leg)
{
    return leg->vm_slot == 0 ? NULL : vm->slots[leg->vm_slot - 1];
}

static void
finish(struct adapter_vm *vm, struct script *script, enum adapter_error error)
{
    bool is_room = script->truth->mode == VITO_VIDEO;
    struct adapter_result result = {.verb = script->verb,
                                    .error = error,
                                    .retry_after_s = -1,
                                    .detail = "",
                                    .vendor_ref = is_room ? script->truth->leg_id : "",
                                    .join = is_room ? "{\"type\":\"sim\"}" : ""};
    if (script->unstoppable && script->verb == ADAPTER_TERMINATE)
        result.stopped = ADAPTER_STOP_IMPOSSIBLE;
    vm->host.finished(vm->host.self, script->leg, &result);
}

/* Sends an old report again, as a vendor's duplicate or late metrics would arrive. */
static void
repeat_report(struct adapter_vm *vm, const struct script *script, int64_t tokens, int64_t media_ms)
{
    const struct vendor_leg *leg = RT_CONTAINER_OF(script->leg, struct vendor_leg, adapter);
    struct rt_message *message = sim_message(VENDOR_USED, sizeof(struct vendor_event));
    *(struct vendor_event *)rt_message_payload(message) =
        (struct vendor_event){.leg = leg->number, .tokens = tokens, .media_ms = media_ms};
    rt_post(rt_sim_system(vm->vendors->sim), leg->owner, message);
}

static struct script *
new_script(struct adapter_vm *vm, struct adapter_leg *leg, const char *provider)
{
    struct sim_vendors *vendors = vm->vendors;
    struct sim_truths *truths = vendors->truths;
    struct script *script = calloc(1, sizeof(*script));
    unsigned slot = 0;
    while (slot < SLOTS_MAX && vm->slots[slot] != NULL)
        slot++;
    CHECK(script != NULL && slot < SLOTS_MAX && truths->count < SIM_LEGS_MAX);
    vm->slots[slot] = script;
    leg->vm_slot = slot + 1;
    const struct vendor_leg *owner = RT_CONTAINER_OF(leg, struct vendor_leg, adapter);
    script->leg = leg;
    script->truth = &truths->list[truths->count++];
    memset(script->truth, 0, sizeof(*script->truth));
    strcpy(script->truth->leg_id, vito_hold_leg_id(owner->hold));
    strcpy(script->truth->tenant_id, vito_hold_tenant_id(owner->hold));
    script->truth->mode = strcmp(provider, "openai") == 0     ? VITO_TEXT
                          : strcmp(provider, "cartesia") == 0 ? VITO_VOICE
                                                              : VITO_VIDEO;
    const struct sim_vendor_faults *faults = &vendors->faults;
    script->plan = dice(vendors, faults->refuse) ? PLAN_REFUSE
                   : dice(vendors, faults->hang) ? PLAN_HANG
                   : dice(vendors, faults->cut)  ? PLAN_CUT
                                                 : PLAN_WORK;
    script->slow_stop = dice(vendors, faults->slow_stop);
    script->unstoppable = dice(vendors, faults->unstoppable) && script->truth->mode == VITO_VIDEO;
    script->truth->unproven = script->unstoppable;
    script->repeat = dice(vendors, faults->repeat);
    script->late = dice(vendors, faults->late);
    return script;
}

/* The leg of a gateway that died, to be ended: its room is there, with what it has cost, or has
 * never come to be. */
static struct script *
reclaim_script(struct adapter_vm *vm, struct adapter_leg *leg, const char *provider)
{
    const struct vendor_leg *owner = RT_CONTAINER_OF(leg, struct vendor_leg, adapter);
    struct sim_truths *truths = vm->vendors->truths;
    struct sim_truth *truth = NULL;
    for (size_t i = 0; i < truths->count && truth == NULL; i++)
        if (strcmp(truths->list[i].leg_id, vito_hold_leg_id(owner->hold)) == 0)
            truth = &truths->list[i];
    unsigned count = truths->count;
    struct script *script = new_script(vm, leg, provider);
    truths->count = count;
    script->truth = truth == NULL ? &vm->vendors->nothing : truth;
    script->plan = truth == NULL ? PLAN_REFUSE : PLAN_WORK;
    script->truth->unproven |= script->unstoppable || truth == NULL;
    script->reclaims = true;
    return script;
}

int64_t
sim_truth_nusd(const struct sim_truths *truths, const struct sim_truth *truth)
{
    int64_t minute_nusd = truth->mode == VITO_VOICE   ? SIM_MINUTE_VOICE_NUSD
                          : truth->mode == VITO_VIDEO ? SIM_MINUTE_VIDEO_NUSD
                                                      : 0;
    return (truth->tokens * truths->token_1k_nusd + 999) / 1000 +
           (truth->media_ms * minute_nusd + 59999) / 60000;
}

static void
set_generating(const struct adapter_vm *vm, struct script *script, bool generating)
{
    bool is_room = script->truth->mode == VITO_VIDEO;
    script->generating = generating;
    script->truth->costs_for = generating && is_room ? vm->vendors : NULL;
}

/* Generates. What is generated is true, whatever becomes of the report. */
static void
generate(struct adapter_vm *vm, struct script *script, int64_t tokens, int64_t media_ms)
{
    script->truth->tokens += tokens;
    script->truth->media_ms += media_ms;
    if (vm->vendors->bug != VENDOR_UNDERSTATES || !dice(vm->vendors, 50)) {
        script->uncounted_tokens += tokens;
        script->uncounted_ms += media_ms;
    }
    const struct sim_truths *truths = vm->vendors->truths;
    truths->generated(truths->context, script->truth);
}

static int64_t
ms_since(const struct rt_sim *clock, uint64_t since_ns)
{
    return (int64_t)((rt_sim_now_ns(clock) - since_ns) / RT_NS_PER_MS);
}

/* What a room has cost since it was found not to be covered. */
static void
catch_up(struct adapter_vm *vm, struct script *script)
{
    uint64_t since_ns = script->truth->uncovered_ns;
    script->truth->uncovered_ns = 0;
    if (since_ns != 0 && !script->truth->is_ended)
        generate(vm, script, 0, ms_since(vm->vendors->sim, since_ns));
}

void
sim_vendors_abandon(const struct sim_vendors *vendors)
{
    struct sim_truths *truths = vendors->truths;
    for (unsigned i = 0; i < truths->count; i++) {
        struct sim_truth *truth = &truths->list[i];
        if (truth->costs_for != vendors || truth->is_ended)
            continue;
        if (truth->uncovered_ns != 0)
            truth->media_ms += ms_since(vendors->sim, truth->uncovered_ns);
        truth->costs_for = NULL;
        truth->uncovered_ns = 0;
        truth->alone_ns = rt_sim_now_ns(truths->clock);
        truths->generated(truths->context, truth);
    }
}

/* What a room has cost since its gateway died. */
static void
find_alone(struct adapter_vm *vm, struct script *script)
{
    struct sim_truths *truths = vm->vendors->truths;
    struct sim_truth *truth = script->truth;
    if (!script->reclaims || truth->alone_ns == 0 || truth->is_ended)
        return;
    int64_t most_ms = truths->takeover_ms + ROOM_STOP_MS - MEDIA_STEP_MS; /* counted ahead */
    int64_t alone_ms = ms_since(truths->clock, truth->alone_ns);
    truths->alone++;
    truths->alone_late += alone_ms > most_ms;
    truth->alone_ns = 0;
    generate(vm, script, 0, alone_ms < most_ms ? alone_ms : most_ms);
}

/* How much text to write: a vendor keeps within what it is told. */
static int64_t
answer_tokens(struct sim_vendors *vendors, const char *drive)
{
    static const char key[] = "\"tokens_max\":";
    const char *at = strstr(drive, key);
    CHECK(at != NULL);
    int64_t most = strtoll(at + sizeof(key) - 1, NULL, 10);
    int64_t wanted = dice_ms(vendors, 1, TOKENS_MAX);
    return wanted < most ? wanted : most;
}

static void
begin_drive(struct adapter_vm *vm, struct script *script, const struct adapter_input *input)
{
    struct sim_vendors *vendors = vm->vendors;
    struct vendor_leg *leg = RT_CONTAINER_OF(script->leg, struct vendor_leg, adapter);
    if (!vito_hold_is_open(leg->hold)) { /* as vendor_wire does */
        finish(vm, script, ADAPTER_ERROR_BUG);
        return;
    }
    vito_hold_touch(leg->hold);
    set_generating(vm, script, true);
    script->left = INT64_MAX;
    if (script->truth->mode == VITO_VOICE)
        script->left = dice_ms(vendors, 1, MEDIA_MAX_MS / MEDIA_STEP_MS);
    if (script->truth->mode == VITO_TEXT) {
        script->left = answer_tokens(vendors, input->drive);
        generate(vm, script, 1 + (int64_t)strlen(input->messages) / 40,
                 0); /* it reads the prompt */
    }
    vm->host.sleep(vm->host.self, script->leg, dice_ms(vendors, 1, 50));
}

static void
begin(struct adapter_vm *vm, struct adapter_leg *leg, const char *provider, enum adapter_verb verb,
      const struct adapter_input *input)
{
    struct script *script = script_of(vm, leg);
    if (script == NULL && strstr(input->config, "\"reclaim\":true") != NULL)
        script = reclaim_script(vm, leg, provider);
    if (script == NULL)
        script = new_script(vm, leg, provider);
    script->verb = verb;
    switch (verb) {
    case ADAPTER_INITIALIZE:
        vm->host.sleep(vm->host.self, leg, dice_ms(vm->vendors, 1, 100));
        break;
    case ADAPTER_DRIVE:
        begin_drive(vm, script, input);
        break;
    case ADAPTER_TERMINATE:
        vm->host.sleep(vm->host.self, leg, script->slow_stop ? dice_ms(vm->vendors, 200, 900) : 1);
        break;
    }
}

static bool
report(struct adapter_vm *vm, struct script *script)
{
    struct adapter_use use = {.tokens = script->uncounted_tokens, .media_ms = script->uncounted_ms};
    script->uncounted_tokens = script->uncounted_ms = 0;
    if (script->repeat)
        repeat_report(vm, script, script->truth->tokens / 2, script->truth->media_ms / 2);
    bool covered = vm->host.use(vm->host.self, script->leg, &use);
    return covered || vm->vendors->bug == VENDOR_OVERSPENDS;
}

static void
next_step(struct adapter_vm *vm, struct script *script)
{
    enum vito_mode mode = script->truth->mode;
    uint32_t delay_ms = dice_ms(vm->vendors, 0, vm->vendors->faults.delay_max_ms + 1);
    vm->host.sleep(vm->host.self, script->leg,
                   delay_ms + (mode == VITO_TEXT ? dice_ms(vm->vendors, 2, 30) : MEDIA_STEP_MS));
}

/* Another gateway has ended the room. */
static bool
is_ended(const struct adapter_vm *vm, const struct script *script)
{
    return script->truth->is_ended && vm->vendors->bug != VENDOR_HAS_TWO;
}

static bool
say_word(struct adapter_vm *vm, const struct script *script)
{
    uint64_t failures = sim_memory_failures();
    bool room = vm->host.emit_text(vm->host.self, script->leg, "word ", 5);
    script->truth->lost |= sim_memory_failures() > failures;
    return room;
}

static void
drive(struct adapter_vm *vm, struct script *script)
{
    if (is_ended(vm, script)) {
        set_generating(vm, script, false);
        finish(vm, script, ADAPTER_ERROR_RETRYABLE);
        return;
    }
    if (script->hanging) { /* the adapter's patience is at its end */
        set_generating(vm, script, false);
        finish(vm, script, ADAPTER_ERROR_UNKNOWN);
        return;
    }
    if (script->plan == PLAN_HANG && dice(vm->vendors, 100)) {
        script->hanging = script->truth->unproven =
            true; /* says nothing any more, generates nothing either */
        vm->host.sleep(vm->host.self, script->leg,
                       dice_ms(vm->vendors, PATIENCE_MIN_MS, PATIENCE_MAX_MS));
        return;
    }
    if (script->left == 0 || (script->plan == PLAN_CUT && dice(vm->vendors, 100))) {
        set_generating(vm, script, false);
        finish(vm, script, script->left == 0 ? ADAPTER_ERROR_NONE : ADAPTER_ERROR_RETRYABLE);
        return;
    }
    script->left--;
    if (script->truth->mode == VITO_TEXT)
        generate(vm, script, 1, 0);
    else
        generate(vm, script, 0, MEDIA_STEP_MS);
    bool room = true;
    if (script->truth->mode == VITO_TEXT)
        room = say_word(vm, script);
    else if (script->truth->mode == VITO_VOICE)
        room = vm->host.emit_audio(vm->host.self, script->leg, "ssssssssssssssss", 16);
    if (report(vm, script) && room)
        next_step(vm, script);
    else if (vm->vendors->rooms_run_on && script->truth->mode == VITO_VIDEO)
        script->truth->uncovered_ns = rt_sim_now_ns(vm->vendors->sim);
}

/* The planted bug: a leg that was settled long ago is worked on. */
static void
go_on(void *context)
{
    struct sim_vendors *vendors = context;
    struct sim_truth *truth = vendors->haunted;
    truth->tokens += 1000;
    truth->media_ms += MEDIA_STEP_MS;
    vendors->truths->generated(vendors->truths->context, truth);
}

static void
haunt(struct adapter_vm *vm, struct script *script)
{
    vm->vendors->haunted = script->truth;
    CHECK(rt_sim_after(vm->vendors->sim, 2 * RT_NS_PER_S, go_on, vm->vendors));
}

static void
terminated(struct adapter_vm *vm, struct script *script)
{
    catch_up(vm, script);
    find_alone(vm, script);
    if (script->generating && script->slow_stop && script->truth->mode != VITO_TEXT &&
        !is_ended(vm, script))
        generate(vm, script, 0, 500); /* what came while it was stopping */
    if (script->reclaims) {           /* another gateway's room may have gone on until now */
        script->uncounted_tokens = script->truth->tokens;
        script->uncounted_ms = script->truth->media_ms;
    }
    report(vm, script);
    script->truth->is_ended = script->truth != &vm->vendors->nothing;
    set_generating(vm, script, false);
    if (vm->vendors->bug == VENDOR_GOES_ON)
        haunt(vm, script);
    if (script->late)
        repeat_report(vm, script, 1, 1);
    finish(vm, script, ADAPTER_ERROR_NONE);
}

static void
go_further(struct adapter_vm *vm, struct script *script)
{
    catch_up(vm, script);
    next_step(vm, script);
}

static void
resume(struct adapter_vm *vm, struct adapter_leg *leg, const struct adapter_event *event)
{
    struct script *script = script_of(vm, leg);
    CHECK(script != NULL);
    if (event->kind == ADAPTER_EVENT_CUT && vm->vendors->bug == VENDOR_OVERSPENDS)
        drive(vm, script);
    else if (event->kind == ADAPTER_EVENT_CUT)
        finish(vm, script, ADAPTER_ERROR_CUT);
    else if (script->verb == ADAPTER_INITIALIZE)
        finish(vm, script,
               script->plan == PLAN_REFUSE ? ADAPTER_ERROR_REJECTED : ADAPTER_ERROR_NONE);
    else if (script->verb == ADAPTER_TERMINATE)
        terminated(vm, script);
    else if (event->kind == ADAPTER_EVENT_AWAKE)
        drive(vm, script);
    else
        go_further(vm, script); /* covered, or room again */
}

static void
forget(struct adapter_vm *vm, struct adapter_leg *leg)
{
    free(vm->slots[leg->vm_slot - 1]);
    vm->slots[leg->vm_slot - 1] = NULL;
    leg->vm_slot = 0;
}

static struct adapter_vm *
open_vm(void *self, const struct adapter_host *host)
{
    struct adapter_vm *vm = calloc(1, sizeof(*vm));
    CHECK(vm != NULL);
    vm->vendors = self;
    vm->host = *host;
    return vm;
}

static void
close_vm(struct adapter_vm *vm)
{
    for (unsigned i = 0; i < SLOTS_MAX; i++)
        free(vm->slots[i]);
    free(vm);
}

struct adapter_port
sim_vendors_port(struct sim_vendors *vendors)
{
    return (struct adapter_port){
        .self = vendors,
        .sheet = find_sheet,
        .open = open_vm,
        .close = close_vm,
        .begin = begin,
        .resume = resume,
        .forget = forget,
    };
}
