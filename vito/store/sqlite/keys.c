/*
 * API keys, as digests.
 */
#include <string.h>

#include "vito/store/sqlite/internal.h"

enum rt_status
vito_handle_key_add(struct vito_sqlite *database, const struct vito_request *request,
                    struct vito_answer *answer)
{
    (void)answer;
    const struct vito_key *key = &request->key;
    enum rt_status status = VITO_QUERY(
        database, QUERY_KEY_ADD, vito_text(key->id), vito_text(request->tenant_id),
        vito_blob(key->digest.bytes, sizeof(key->digest.bytes)), vito_i64(key->created_ms));
    return status == RT_EMPTY ? RT_OK : status;
}

enum rt_status
vito_handle_key_rotate(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    (void)answer;
    const struct vito_key_rotation *rotation = &request->rotation;
    const struct vito_key *key = &rotation->key;
    enum rt_status status =
        VITO_QUERY(database, QUERY_KEY_ADD_FOR, vito_text(key->id), vito_text(request->tenant_id),
                   vito_blob(key->digest.bytes, sizeof(key->digest.bytes)),
                   vito_i64(key->created_ms), vito_text(rotation->replaces));
    if (status != RT_EMPTY)
        return status;
    if (vito_query_changes(database) == 0)
        return RT_NOT_FOUND;
    status = VITO_QUERY(database, QUERY_KEY_END, vito_text(rotation->replaces),
                        vito_i64(rotation->replaced_until_ms));
    return status == RT_EMPTY ? RT_OK : RT_UNAVAILABLE; /* then the transaction is undone */
}

static void
read_key(const struct vito_sqlite *database, struct vito_key *key)
{
    *key = (struct vito_key){.created_ms = vito_column_i64(database, 3),
                             .expires_ms = vito_column_i64(database, 4)};
    vito_column_copy(database, 0, key->id, sizeof(key->id));
    vito_column_copy(database, 1, key->tenant_id, sizeof(key->tenant_id));
    const void *digest = vito_column_blob(database, 2, sizeof(key->digest.bytes));
    if (digest != NULL)
        memcpy(key->digest.bytes, digest, sizeof(key->digest.bytes));
}

/* The first and the last id a list is about: one tenant's, or any. */
static struct vito_value
first_of(const struct vito_request *request)
{
    return vito_text(*request->tenant_id == '\0' ? "0" : request->tenant_id);
}

static struct vito_value
last_of(const struct vito_request *request)
{
    return vito_text(*request->tenant_id == '\0' ? "~" : request->tenant_id);
}

static enum rt_status
list_keys(struct vito_sqlite *database, const struct vito_request *request,
          struct rt_buffer *document)
{
    uint32_t used = 0;
    enum rt_status status =
        VITO_QUERY(database, QUERY_KEY_LIST, first_of(request), last_of(request));
    for (; status == RT_OK && used < document->size_bytes; status = vito_query_next(database)) {
        struct vito_key key;
        read_key(database, &key);
        memcpy(document->bytes + used, &key, sizeof(key));
        used += (uint32_t)sizeof(key);
    }
    document->size_bytes = used;
    return status == RT_EMPTY ? RT_OK : status;
}

enum rt_status
vito_handle_key_list(struct vito_sqlite *database, const struct vito_request *request,
                     struct vito_answer *answer)
{
    enum rt_status status =
        VITO_QUERY(database, QUERY_KEY_COUNT, first_of(request), last_of(request));
    if (status != RT_OK)
        return status;
    size_t size_bytes = (size_t)vito_column_i64(database, 0) * sizeof(struct vito_key);
    if (size_bytes > RT_BUFFER_BYTES_MAX)
        return RT_TOO_BIG;
    answer->document = rt_buffer_create(size_bytes);
    if (answer->document == NULL)
        return RT_NO_MEMORY;
    return list_keys(database, request, answer->document);
}

enum rt_status
vito_handle_key_remove(struct vito_sqlite *database, const struct vito_request *request,
                       struct vito_answer *answer)
{
    (void)answer;
    enum rt_status status = VITO_QUERY(database, QUERY_KEY_REMOVE, vito_text(request->key.id),
                                       vito_text(request->tenant_id));
    if (status != RT_EMPTY)
        return status;
    return vito_query_changes(database) > 0 ? RT_OK : RT_NOT_FOUND;
}
