/* MessagePack as policies' memory: whatever is readable is, packed again, one and the same text of
 * bytes for ever, within its bound, and readable by another library as well. */
#include <msgpack.h>
#include <string.h>

#include "lua/pack.h"
#include "lua/vm.h"
#include "tests/fuzz/fuzz.h"

struct memory {
    const uint8_t *bytes;
    size_t size_bytes;
    struct tlua_packed once, twice;
};

static int
read_and_pack(lua_State *state)
{
    struct memory *memory = lua_touserdata(state, 1);
    tlua_unpack_raise(state, memory->bytes, memory->size_bytes);
    tlua_pack_raise(state, -1, &memory->once);
    return 0;
}

static int
pack_again(lua_State *state)
{
    struct memory *memory = lua_touserdata(state, 1);
    tlua_unpack_raise(state, memory->once.bytes, memory->once.size_bytes);
    tlua_pack_raise(state, -1, &memory->twice);
    return 0;
}

static void
check_packed(const struct tlua_packed *packed)
{
    size_t used = 0;
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    FUZZ_CHECK(packed->size_bytes <= TLUA_PACK_BYTES_MAX);
    FUZZ_CHECK(msgpack_unpack_next(&unpacked, packed->bytes, packed->size_bytes, &used) ==
               MSGPACK_UNPACK_SUCCESS);
    FUZZ_CHECK(used == packed->size_bytes);
    FUZZ_CHECK(unpacked.data.type == MSGPACK_OBJECT_MAP ||
               unpacked.data.type == MSGPACK_OBJECT_ARRAY);
    msgpack_unpacked_destroy(&unpacked);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static const struct tlua_vm_limits limits = {.instructions = 10000000,
                                                 .heap_bytes = 32 * TLUA_MIB,
                                                 .block_bytes = 8 * TLUA_MIB,
                                                 .text_bytes = 8 * TLUA_MIB};
    static struct memory memory;
    struct tlua_vm vm;
    memory = (struct memory){.bytes = bytes, .size_bytes = size_bytes};
    FUZZ_CHECK(tlua_vm_init(&vm, &limits));
    if (tlua_vm_do(&vm, read_and_pack, &memory) == TLUA_DONE) {
        check_packed(&memory.once);
        FUZZ_CHECK(tlua_vm_do(&vm, pack_again, &memory) == TLUA_DONE);
        FUZZ_CHECK(memory.once.size_bytes == memory.twice.size_bytes);
        FUZZ_CHECK(memcmp(memory.once.bytes, memory.twice.bytes, memory.once.size_bytes) == 0);
    }
    tlua_vm_deinit(&vm);
    return 0;
}
