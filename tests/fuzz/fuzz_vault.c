/* The vault's blobs: one opens if and only if nothing of it and nothing it is about was changed; a
 * head is read as it was written or not at all; a document of rows is read within its bytes. */
#include <sodium.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vito/sealed.h"
#include "vito/vault/blob.h"
#include "vito/vault/head.h"

static const struct vito_blob_key key = {.id = "key one",
                                         .bytes = "thirty-two bytes of a test's key"};
static const struct vito_blob_subject subject = {.purpose = VITO_BLOB_SECRET,
                                                 .tenant_id = "cantor",
                                                 .name = "openai.api_key",
                                                 .providers = "openai",
                                                 .version = 7};

static enum rt_status
open_as(const struct vito_blob_subject *as, const uint8_t *bytes, size_t size_bytes,
        uint8_t *plain_out)
{
    struct vito_blob blob;
    enum rt_status status = vito_blob_parse(bytes, size_bytes, &blob);
    if (status != RT_OK)
        return status;
    FUZZ_CHECK(blob.ciphertext_bytes >= VITO_BLOB_TAG_BYTES);
    FUZZ_CHECK(blob.ciphertext + blob.ciphertext_bytes == bytes + size_bytes);
    return vito_blob_unseal(&key, as, &blob, plain_out);
}

/* The input is three bytes of change, then what is sealed. */
static void
check_change(struct fuzz_input input)
{
    static uint8_t sealed[VITO_BLOB_PLAIN_BYTES_MAX + VITO_BLOB_OVERHEAD_BYTES];
    static uint8_t opened[VITO_BLOB_PLAIN_BYTES_MAX];
    static const uint8_t nonce[VITO_BLOB_NONCE_BYTES] = {9};
    uint8_t high = fuzz_byte(&input), low = fuzz_byte(&input), change = fuzz_byte(&input);
    if (input.left_bytes > VITO_BLOB_PLAIN_BYTES_MAX)
        input.left_bytes = VITO_BLOB_PLAIN_BYTES_MAX;
    size_t size_bytes = input.left_bytes + VITO_BLOB_OVERHEAD_BYTES;
    vito_blob_seal(&key, &subject, nonce, input.at, input.left_bytes, sealed);
    sealed[((size_t)high << 8 | low) % size_bytes] ^= change;
    enum rt_status status = open_as(&subject, sealed, size_bytes, opened);
    FUZZ_CHECK((status == RT_OK) == (change == 0));
    FUZZ_CHECK(status != RT_OK || memcmp(opened, input.at, input.left_bytes) == 0);
    FUZZ_CHECK(open_as(&subject, sealed, size_bytes - 1, opened) != RT_OK);
}

/* The input says which parts of the subject are others, and which: texts parted by zero bytes, with
 * the version first. */
static void
check_subject(struct fuzz_input input)
{
    static const uint8_t nonce[VITO_BLOB_NONCE_BYTES] = {9};
    uint8_t sealed[6 + VITO_BLOB_OVERHEAD_BYTES], opened[6];
    char texts[3][VITO_SEALED_NAME_BYTES] = {"", "", ""};
    uint8_t changed = fuzz_byte(&input), version = fuzz_byte(&input);
    for (size_t i = 0; i < 3; i++) {
        struct fuzz_input part = fuzz_part(&input);
        memcpy(texts[i], part.at, part.left_bytes < 63 ? part.left_bytes : 63);
    }
    struct vito_blob_subject other = {
        .purpose = VITO_BLOB_SECRET,
        .tenant_id = (changed & 1) != 0 ? texts[0] : subject.tenant_id,
        .name = (changed & 2) != 0 ? texts[1] : subject.name,
        .providers = (changed & 4) != 0 ? texts[2] : subject.providers,
        .version = (changed & 8) != 0 ? version : subject.version,
    };
    bool is_same =
        other.version == subject.version && strcmp(other.tenant_id, subject.tenant_id) == 0 &&
        strcmp(other.name, subject.name) == 0 && strcmp(other.providers, subject.providers) == 0;
    vito_blob_seal(&key, &other, nonce, "secret", 6, sealed);
    FUZZ_CHECK((open_as(&subject, sealed, sizeof(sealed), opened) == RT_OK) == is_same);
    FUZZ_CHECK(open_as(&other, sealed, sizeof(sealed), opened) == RT_OK);
}

static void
check_head(struct fuzz_input input)
{
    static struct vito_head head;
    static uint8_t again[VITO_HEAD_BYTES_MAX];
    if (vito_head_decode(input.at, input.left_bytes, &head) != RT_OK)
        return;
    FUZZ_CHECK(head.count <= VITO_HEAD_SECRETS_MAX);
    FUZZ_CHECK(vito_head_encode(&head, again) == input.left_bytes);
    FUZZ_CHECK(memcmp(again, input.at, input.left_bytes) == 0);
}

static void
check_rows(struct fuzz_input input)
{
    struct rt_buffer *document = rt_buffer_copy(input.at, input.left_bytes);
    struct vito_sealed_row row;
    size_t offset = 0, rows_bytes = 0;
    while (vito_sealed_next(document, &offset, &row)) {
        FUZZ_CHECK(row.blob + row.sealed.blob_bytes == document->bytes + offset);
        rows_bytes += sizeof(row.sealed) + row.sealed.blob_bytes;
        FUZZ_CHECK(offset == rows_bytes && offset <= document->size_bytes);
    }
    rt_buffer_release(document);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
    static void (*const checks[])(struct fuzz_input) = {check_change, check_subject, check_head,
                                                        check_rows};
    static uint8_t opened[VITO_BLOB_PLAIN_BYTES_MAX];
    struct fuzz_input input = {bytes, size_bytes};
    FUZZ_CHECK(sodium_init() >= 0);
    FUZZ_CHECK(open_as(&subject, bytes, size_bytes, opened) != RT_OK);
    checks[fuzz_byte(&input) % RT_COUNT_OF(checks)](input);
    return 0;
}
