#include "lua/policy_files.h"

#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/file.h"
#include "lua/policy_metrics.h"
#include "runtime/log.h"

enum { NAME_BYTES = 41, HASH_BYTES_SHOWN = 6 };

struct entry {
    struct entry *next;
    char name[NAME_BYTES];
    struct tlua_file_stamp seen;  /* of the file when it was last looked at */
    bool is_in_force;             /* what was seen then is `text` */
    struct tlua_policy_text text; /* the last good one; source NULL: never a good one */
};

struct tlua_policy_files {
    char directory[TLUA_PATH_BYTES - NAME_BYTES - 8];
    tlua_policy_proof proof;
    atomic_uint edition;
    pthread_mutex_t mutex; /* of what follows */
    struct entry *entries;
    size_t entry_count;
};

bool
tlua_policy_name_is_valid(const char *name)
{
    size_t size_bytes = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
    return size_bytes > 0 && size_bytes < NAME_BYTES && name[size_bytes] == '\0';
}

bool
tlua_policy_path_split(const char *path, char *directory_out, char *name_out)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash == NULL ? path : slash + 1;
    size_t base_bytes = strlen(base);
    if (strlen(path) >= TLUA_PATH_BYTES || base_bytes < 4 ||
        strcmp(base + base_bytes - 4, ".lua") != 0)
        return false;
    snprintf(directory_out, TLUA_PATH_BYTES, "%.*s", slash == NULL ? 1 : (int)(slash - path),
             slash == NULL ? "." : path);
    snprintf(name_out, TLUA_PATH_BYTES, "%.*s", (int)(base_bytes - 4), base);
    return tlua_policy_name_is_valid(name_out);
}

struct tlua_policy_files *
tlua_policy_files_create(const char *directory, tlua_policy_proof proof)
{
    struct tlua_policy_files *files = calloc(1, sizeof(*files));
    if (files == NULL)
        return NULL;
    if (strlen(directory) >= sizeof(files->directory)) {
        free(files);
        return NULL;
    }
    snprintf(files->directory, sizeof(files->directory), "%s", directory);
    files->proof = proof;
    pthread_mutex_init(&files->mutex, NULL);
    return files;
}

void
tlua_policy_files_destroy(struct tlua_policy_files *files)
{
    while (files->entries != NULL) {
        struct entry *entry = files->entries;
        files->entries = entry->next;
        rt_buffer_release(entry->text.source);
        free(entry);
    }
    pthread_mutex_destroy(&files->mutex);
    free(files);
}

uint32_t
tlua_policy_files_edition(const struct tlua_policy_files *files)
{
    /* Pairs with the release in put_in_force(): who sees the number finds the text. */
    return atomic_load_explicit(&files->edition, memory_order_acquire);
}

static void
write_version(const struct rt_buffer *source, char version_out[VITO_VERSION_BYTES])
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, source->bytes, source->size_bytes);
    char digits[2 * HASH_BYTES_SHOWN + 1];
    sodium_bin2hex(digits, sizeof(digits), hash, HASH_BYTES_SHOWN);
    snprintf(version_out, VITO_VERSION_BYTES, "sha256:%s", digits);
}

/* Takes the reference to `source`. */
static void
put_in_force_locked(struct tlua_policy_files *files, struct entry *entry, struct rt_buffer *source)
{
    rt_buffer_release(entry->text.source);
    entry->text.source = source;
    write_version(source, entry->text.version);
    entry->is_in_force = true;
    atomic_fetch_add_explicit(&files->edition, 1, memory_order_release);
    rt_counter_add(&tlua_policy_loads, 1);
    rt_log(RT_LOG_INFO, "policy.loaded", RT_STR("policy", entry->name),
           RT_STR("version", entry->text.version));
}

static void
keep_locked(struct entry *entry, const char *problem)
{
    entry->is_in_force = false;
    rt_counter_add(&tlua_policy_keeps, 1);
    rt_log(RT_LOG_ERROR, "policy.refused", RT_STR("policy", entry->name),
           RT_STR("problem", problem), RT_STR("kept", entry->text.version));
}

static bool
is_same_text(const struct rt_buffer *a, const struct rt_buffer *b)
{
    return a != NULL && a->size_bytes == b->size_bytes &&
           memcmp(a->bytes, b->bytes, a->size_bytes) == 0;
}

static void
take_locked(struct tlua_policy_files *files, struct entry *entry, struct rt_buffer *source)
{
    char problem[VITO_PROBLEM_BYTES];
    if (is_same_text(entry->text.source, source)) {
        entry->is_in_force = true;
        rt_buffer_release(source);
    } else if (files->proof(entry->name, source, problem)) {
        put_in_force_locked(files, entry, source);
    } else {
        keep_locked(entry, problem);
        rt_buffer_release(source);
    }
}

/* Takes what is new in the policy's file. A file that is as it was is not read again. */
static void
look_locked(struct tlua_policy_files *files, struct entry *entry)
{
    char path[TLUA_PATH_BYTES];
    snprintf(path, sizeof(path), "%s/%s.lua", files->directory, entry->name);
    struct tlua_file_stamp stamp = tlua_file_stamp_of(path);
    if (tlua_file_stamp_equals(&stamp, &entry->seen))
        return;
    struct rt_buffer *source;
    enum rt_status status = tlua_file_read(path, &source, &stamp);
    if (status != RT_IO && status != RT_NO_MEMORY) /* these may pass: look again next time */
        entry->seen = stamp;
    if (status == RT_OK)
        take_locked(files, entry, source);
    else
        keep_locked(entry, rt_status_name(status));
}

static enum rt_status
find_locked(struct tlua_policy_files *files, const char *name, struct entry **entry_out)
{
    struct entry *entry = files->entries;
    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->next;
    if (entry == NULL) {
        if (files->entry_count == TLUA_POLICIES_MAX)
            return RT_FULL;
        entry = calloc(1, sizeof(*entry));
        if (entry == NULL)
            return RT_NO_MEMORY;
        snprintf(entry->name, sizeof(entry->name), "%s", name);
        entry->next = files->entries;
        files->entries = entry;
        files->entry_count++;
        look_locked(files, entry);
    }
    *entry_out = entry;
    return RT_OK;
}

enum rt_status
tlua_policy_files_get(struct tlua_policy_files *files, const char *name,
                      struct tlua_policy_text *text_out)
{
    if (!tlua_policy_name_is_valid(name))
        return RT_INVALID;
    pthread_mutex_lock(&files->mutex);
    struct entry *entry = NULL;
    enum rt_status status = find_locked(files, name, &entry);
    if (status == RT_OK && entry->text.source == NULL)
        status = RT_NOT_FOUND;
    if (status == RT_OK) {
        *text_out = entry->text;
        rt_buffer_acquire(text_out->source);
    }
    pthread_mutex_unlock(&files->mutex);
    return status;
}

static size_t
reload_locked(struct tlua_policy_files *files)
{
    size_t others = 0;
    for (struct entry *entry = files->entries; entry != NULL; entry = entry->next) {
        look_locked(files, entry);
        others += !entry->is_in_force;
    }
    return others;
}

size_t
tlua_policy_files_reload(struct tlua_policy_files *files)
{
    pthread_mutex_lock(&files->mutex);
    size_t others = reload_locked(files);
    pthread_mutex_unlock(&files->mutex);
    return others;
}

void
tlua_policy_files_poll(struct tlua_policy_files *files)
{
    if (pthread_mutex_trylock(&files->mutex) != 0)
        return;
    (void)reload_locked(files);
    pthread_mutex_unlock(&files->mutex);
}
