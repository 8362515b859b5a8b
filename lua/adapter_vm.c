#include "lua/adapter_vm.h"

#include <stdio.h>
#include <stdlib.h>

#include "lua/adapter_scripts.h"
#include "lua/adapter_state.h"
#include "runtime/assert.h"
#include "runtime/log.h"

/* Scripts of vendors are reviewed, so this is for mistakes: one step between two waits may take
 * some tens of milliseconds. */
static const struct tlua_vm_limits adapter_limits = {
    .instructions = 5000000,
    .heap_bytes = 64 * TLUA_MIB,
    .block_bytes = 4 * TLUA_MIB,
    .text_bytes = 2 * TLUA_MIB,
};

static struct adapter_vm *
open_vm(struct tlua_adapters *adapters)
{
    struct adapter_vm *vm = calloc(1, sizeof(*vm));
    if (vm == NULL)
        return NULL;
    vm->adapters = adapters;
    if (!tlua_vm_init(&vm->vm, &adapters->limits)) {
        free(vm);
        return NULL;
    }
    if (tlua_vm_do(&vm->vm, tlua_adapter_set_up, NULL) == TLUA_DONE) {
        tlua_vm_seal(&vm->vm);
        return vm;
    }
    rt_log(RT_LOG_ERROR, "adapters.failed", RT_STR("problem", vm->vm.problem));
    tlua_vm_deinit(&vm->vm);
    free(vm);
    return NULL;
}

static void
close_vm(struct adapter_vm *vm)
{
    RT_ASSERT(vm->running == NULL);
    tlua_vm_deinit(&vm->vm);
    for (size_t i = 0; i < vm->leg_count; i++) {
        if (vm->legs[i] != NULL)
            tlua_leg_free(vm, vm->legs[i]);
    }
    free(vm->legs);
    free(vm);
}

static struct adapter_vm *
open_port(void *self, const struct adapter_host *host)
{
    struct adapter_vm *vm = open_vm(self);
    if (vm != NULL)
        vm->host = *host;
    return vm;
}

static const struct adapter_sheet *
find_sheet(void *self, const char *provider)
{
    struct tlua_adapters *adapters = self;
    struct tlua_adapter_script *script = tlua_adapter_scripts_find(&adapters->scripts, provider);
    return script == NULL ? NULL : &script->sheet;
}

static bool
read_sheets(struct tlua_adapters *adapters, char problem_out[TLUA_PROBLEM_BYTES])
{
    struct adapter_vm *vm = open_vm(adapters);
    if (vm == NULL) {
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "out of memory");
        return false;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < adapters->scripts.count; i++)
        ok = tlua_vm_do(&vm->vm, tlua_adapter_read_sheet, &adapters->scripts.list[i]) == TLUA_DONE;
    if (!ok)
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s", vm->vm.problem);
    close_vm(vm);
    return ok;
}

/* On failure all of it is undone. */
static bool
init(struct tlua_adapters *adapters, const struct tlua_adapter_options *options,
     char problem_out[TLUA_PROBLEM_BYTES])
{
    adapters->limits = adapter_limits;
    if (options->memory_bytes_max > 0)
        adapters->limits.heap_bytes = options->memory_bytes_max;
    if (!tlua_adapter_scripts_init(&adapters->scripts, options->directory, problem_out))
        return false;
    if (read_sheets(adapters, problem_out))
        return true;
    tlua_adapter_scripts_deinit(&adapters->scripts);
    return false;
}

struct tlua_adapters *
tlua_adapters_create(const struct tlua_adapter_options *options)
{
    char problem[TLUA_PROBLEM_BYTES] = "out of memory";
    struct tlua_adapters *adapters = calloc(1, sizeof(*adapters));
    if (adapters != NULL && init(adapters, options, problem))
        return adapters;
    free(adapters);
    rt_log(RT_LOG_ERROR, "adapters.refused", RT_STR("problem", problem));
    if (options->problem_out != NULL)
        snprintf(options->problem_out, TLUA_PROBLEM_BYTES, "%s", problem);
    return NULL;
}

void
tlua_adapters_destroy(struct tlua_adapters *adapters)
{
    if (adapters == NULL)
        return;
    tlua_adapter_scripts_deinit(&adapters->scripts);
    free(adapters);
}

struct adapter_port
tlua_adapters_port(struct tlua_adapters *adapters)
{
    return (struct adapter_port){
        .self = adapters,
        .sheet = find_sheet,
        .open = open_port,
        .close = close_vm,
        .begin = tlua_leg_begin,
        .resume = tlua_leg_resume,
        .forget = tlua_leg_forget,
    };
}
