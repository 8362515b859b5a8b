/* What is in the adapter VM's memory and what is not: any allocation may fail, and no secret ever
 * enters. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/adapter_state.h"
#include "tests/unit/lua/adapter_box.h"

TestSuite(adapter_memory, .init = policy_box_open, .fini = policy_box_close, .timeout = 60);

static lua_Alloc allocate;
static size_t allocations_left; /* before one fails */

static void *
allocate_or_fail_once(void *context, void *block, size_t old_bytes, size_t new_bytes)
{
    if (new_bytes > old_bytes && --allocations_left == 0)
        return NULL;
    return allocate(context, block, old_bytes, new_bytes);
}

static void
one_turn(struct fake_leg *at)
{
    static const char answer[] = "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n"
                                 "data: [DONE]\n\n";
    fake_initialize(at, "openai", "{\"leg_id\":\"l\",\"provider\":{}}", "{}");
    fake_drive(at, "{\"text\":\"hi\"}");
    struct fake_request *request = &at->requests[0];
    if (at->request_count > 0 && !request->has_ended)
        fake_head(at, request, 200, -1);
    if (at->request_count > 0 && !request->has_ended)
        fake_data(at, request, answer);
    if (at->request_count > 0 && !request->has_ended)
        fake_end(at, request, NET_HTTP_COMPLETE);
    fake_terminate(at, ADAPTER_USER_EXIT);
}

Test(adapter_memory, whichever_allocation_fails_every_verb_has_an_end)
{
    unsigned right = 0;
    for (size_t nth = 1; nth < 400; nth += 3) {
        fake_host_open(NULL);
        lua_State *state = fake_host_vm()->vm.state;
        void *context;
        allocate = lua_getallocf(state, &context);
        lua_setallocf(state, allocate_or_fail_once, context);
        allocations_left = nth;
        struct fake_leg *first = fake_leg_create(), *second = fake_leg_create();
        one_turn(first);
        one_turn(second);
        cr_assert_eq(first->ends, 3);
        cr_assert_eq(second->ends, 3);
        right += second->result.error == ADAPTER_ERROR_NONE;
        fake_leg_destroy(first);
        fake_leg_destroy(second);
        lua_setallocf(state, allocate, context);
        fake_host_close();
    }
    cr_assert_gt(right, 50);
}

/* Every block that the VM's allocator hands out from now on, so that all of its memory can be
 * searched. */
enum { BLOCKS_MAX = 1 << 16 };
static struct {
    void *block;
    size_t size_bytes;
} blocks[BLOCKS_MAX];

static void *
allocate_and_note(void *context, void *block, size_t old_bytes, size_t new_bytes)
{
    size_t at = 0;
    while (at < BLOCKS_MAX &&
           (block == NULL ? blocks[at].block != NULL : blocks[at].block != block))
        at++;
    if (at == BLOCKS_MAX) /* it was there before */
        for (at = 0; blocks[at].block != NULL; at++)
            ;
    void *moved = allocate(context, block, old_bytes, new_bytes);
    if (moved != NULL || new_bytes == 0) {
        blocks[at].block = moved;
        blocks[at].size_bytes = new_bytes;
    }
    return moved;
}

static bool
is_in_the_vm(const char *text)
{
    for (size_t i = 0; i < BLOCKS_MAX; i++) {
        if (blocks[i].block != NULL &&
            memmem(blocks[i].block, blocks[i].size_bytes, text, strlen(text)) != NULL)
            return true;
    }
    return false;
}

Test(adapter_memory, a_secret_never_enters_the_vm)
{
    fake_host_open(NULL);
    lua_State *state = fake_host_vm()->vm.state;
    void *context;
    allocate = lua_getallocf(state, &context);
    lua_setallocf(state, allocate_and_note, context);
    leg = fake_leg_create();
    fake_initialize(leg, "openai",
                    "{\"leg_id\":\"a-visible-marker\",\"provider\":{\"model\":"
                    "\"a-visible-marker\"}}",
                    "{}");
    fake_drive(leg, "{\"text\":\"hi\"}");
    struct fake_request *request = fake_pending(leg);
    cr_assert_not_null(strstr(request->headers, FAKE_SECRET), "the host did put it in");
    fake_head(leg, request, 200, -1);
    cr_assert(is_in_the_vm("a-visible-marker"), "the search finds what is there");
    cr_assert(is_in_the_vm("openai.api_key"), "scripts know the name of a secret");
    cr_assert_not(is_in_the_vm(FAKE_SECRET));
    fake_data(leg, request, "data: [DONE]\n\n");
    fake_end(leg, request, NET_HTTP_COMPLETE);
    cr_assert_eq(leg->result.error, ADAPTER_ERROR_NONE);
    cr_assert_not(is_in_the_vm(FAKE_SECRET));
    lua_setallocf(state, allocate, context);
    close_all();
}
