/*
 * tests/fuzz/fuzz.h - what fuzz targets share.
 *
 * A target is LLVMFuzzerTestOneInput() in fuzz_NAME.c. It checks what must hold for any input, not
 * only that nothing crashes. script/fuzz runs it under libFuzzer; the tests run what is kept in
 * corpus/NAME through it once (replay.c).
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* An invariant. Not assert(): it stays on in every build. */
#define FUZZ_CHECK(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition);         \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The input, read from its front. */
struct fuzz_input {
    const uint8_t *at;
    size_t left_bytes;
};

/* The next byte, 0 when there is none. */
static inline uint8_t
fuzz_byte(struct fuzz_input *input)
{
    if (input->left_bytes == 0)
        return 0;
    input->left_bytes--;
    return *input->at++;
}

/* What lies before the next zero byte, or all; that byte is taken too. */
static inline struct fuzz_input
fuzz_part(struct fuzz_input *input)
{
    struct fuzz_input part = {input->at, 0};
    while (part.left_bytes < input->left_bytes && part.at[part.left_bytes] != 0)
        part.left_bytes++;
    size_t taken = part.left_bytes + (part.left_bytes < input->left_bytes);
    input->at += taken;
    input->left_bytes -= taken;
    return part;
}

/* A running hash, to compare what two readers saw: FNV-1a. Begins with FUZZ_HASH. */
#define FUZZ_HASH UINT64_C(0xcbf29ce484222325)

static inline uint64_t
fuzz_hash(uint64_t hash, const void *bytes, size_t size_bytes)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size_bytes; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return (hash ^ size_bytes) * UINT64_C(0x100000001b3);
}

#endif
