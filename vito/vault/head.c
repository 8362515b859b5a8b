#include "vito/vault/head.h"

#include <string.h>

#include "runtime/text.h"

/* What is left to be read. */
struct input {
    const uint8_t *at;
    size_t left;
};

static bool
take(struct input *input, void *out, size_t size_bytes)
{
    if (input->left < size_bytes)
        return false;
    memcpy(out, input->at, size_bytes);
    input->at += size_bytes;
    input->left -= size_bytes;
    return true;
}

static bool
take_number(struct input *input, size_t size_bytes, uint64_t *number_out)
{
    uint8_t bytes[8];
    if (!take(input, bytes, size_bytes))
        return false;
    *number_out = 0;
    for (size_t i = 0; i < size_bytes; i++)
        *number_out |= (uint64_t)bytes[i] << 8 * i;
    return true;
}

static bool
take_entry(struct input *input, struct vito_head_entry *entry)
{
    uint64_t name_bytes, version;
    if (!take_number(input, 1, &name_bytes) || name_bytes == 0 ||
        name_bytes >= sizeof(entry->name) || !take(input, entry->name, name_bytes))
        return false;
    entry->name[name_bytes] = '\0';
    if (strlen(entry->name) != name_bytes || !take_number(input, 8, &version) || version == 0 ||
        version > INT64_MAX)
        return false;
    entry->version = (int64_t)version;
    return take(input, entry->nonce, sizeof(entry->nonce));
}

enum rt_status
vito_head_decode(const uint8_t *bytes, size_t size_bytes, struct vito_head *head_out)
{
    struct input input = {bytes, size_bytes};
    uint64_t count;
    if (!take(&input, head_out->key.id, sizeof(head_out->key.id)) ||
        !take(&input, head_out->key.bytes, sizeof(head_out->key.bytes)) ||
        !take_number(&input, 2, &count) || count > VITO_HEAD_SECRETS_MAX)
        return RT_INVALID;
    head_out->count = 0;
    while (head_out->count < count) {
        struct vito_head_entry *entry = &head_out->entries[head_out->count];
        if (!take_entry(&input, entry) || vito_head_find(head_out, entry->name) != NULL)
            return RT_INVALID;
        head_out->count++;
    }
    return input.left == 0 ? RT_OK : RT_INVALID;
}

static uint8_t *
put(uint8_t *at, const void *bytes, size_t size_bytes)
{
    memcpy(at, bytes, size_bytes);
    return at + size_bytes;
}

static uint8_t *
put_number(uint8_t *at, uint64_t number, size_t size_bytes)
{
    for (size_t i = 0; i < size_bytes; i++)
        *at++ = (uint8_t)(number >> 8 * i);
    return at;
}

size_t
vito_head_encode(const struct vito_head *head, uint8_t bytes_out[VITO_HEAD_BYTES_MAX])
{
    uint8_t *at = put(bytes_out, head->key.id, sizeof(head->key.id));
    at = put(at, head->key.bytes, sizeof(head->key.bytes));
    at = put_number(at, head->count, 2);
    for (unsigned i = 0; i < head->count; i++) {
        const struct vito_head_entry *entry = &head->entries[i];
        size_t name_bytes = strlen(entry->name);
        at = put_number(at, name_bytes, 1);
        at = put(at, entry->name, name_bytes);
        at = put_number(at, (uint64_t)entry->version, 8);
        at = put(at, entry->nonce, sizeof(entry->nonce));
    }
    return (size_t)(at - bytes_out);
}

struct vito_head_entry *
vito_head_find(struct vito_head *head, const char *name)
{
    for (unsigned i = 0; i < head->count; i++)
        if (strcmp(head->entries[i].name, name) == 0)
            return &head->entries[i];
    return NULL;
}

struct vito_head_entry *
vito_head_add(struct vito_head *head, const char *name)
{
    if (head->count == VITO_HEAD_SECRETS_MAX)
        return NULL;
    struct vito_head_entry *entry = &head->entries[head->count++];
    *entry = (struct vito_head_entry){.version = 0};
    RT_TEXT_SET(entry->name, name);
    return entry;
}

void
vito_head_remove(struct vito_head *head, struct vito_head_entry *entry)
{
    *entry = head->entries[--head->count];
}
