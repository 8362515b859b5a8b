#include "lua/adapter_scripts.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lua/file.h"
#include "lua/policy_files.h"
#include "lua/script.h"

#define BUILT_IN "vendors/"

struct tlua_adapter_script *
tlua_adapter_scripts_find(struct tlua_adapter_scripts *scripts, const char *name)
{
    for (size_t i = 0; i < scripts->count; i++) {
        if (strcmp(scripts->list[i].name, name) == 0)
            return &scripts->list[i];
    }
    return NULL;
}

/* The script of that name, or a new one. NULL when there are too many. */
static struct tlua_adapter_script *
claim(struct tlua_adapter_scripts *scripts, const char *name)
{
    struct tlua_adapter_script *script = tlua_adapter_scripts_find(scripts, name);
    if (script != NULL)
        return script;
    if (scripts->count == TLUA_ADAPTERS_MAX)
        return NULL;
    script = &scripts->list[scripts->count++];
    snprintf(script->name, sizeof(script->name), "%.*s", ADAPTER_NAME_BYTES - 1, name);
    return script;
}

static void
take_built_in(struct tlua_adapter_scripts *scripts)
{
    for (size_t i = 0; i < tlua_script_count; i++) {
        const struct tlua_script *embedded = &tlua_scripts[i];
        if (strncmp(embedded->name, BUILT_IN, strlen(BUILT_IN)) != 0)
            continue;
        struct tlua_adapter_script *script = claim(scripts, embedded->name + strlen(BUILT_IN));
        if (script == NULL)
            return;
        script->text = embedded->text;
        script->size_bytes = embedded->size_bytes;
        snprintf(script->chunk_name, sizeof(script->chunk_name), "=lua/%s.lua", embedded->name);
    }
}

static bool
take_file(struct tlua_adapter_scripts *scripts, const char *path, const char *name,
          char problem_out[TLUA_PROBLEM_BYTES])
{
    struct rt_buffer *text;
    enum rt_status status = tlua_file_read(path, &text, NULL);
    if (status != RT_OK) {
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s: cannot be read: %s", path,
                 rt_status_name(status));
        return false;
    }
    struct tlua_adapter_script *script = claim(scripts, name);
    if (script == NULL) {
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s: more than %d adapters", path,
                 TLUA_ADAPTERS_MAX);
        rt_buffer_release(text);
        return false;
    }
    script->owned = text;
    script->text = (const char *)text->bytes;
    script->size_bytes = text->size_bytes;
    snprintf(script->chunk_name, sizeof(script->chunk_name), "@%s", path);
    return true;
}

static int
is_adapter_file(const struct dirent *entry)
{
    char directory[TLUA_PATH_BYTES], name[TLUA_PATH_BYTES];
    return tlua_policy_path_split(entry->d_name, directory, name) &&
           strlen(name) < ADAPTER_NAME_BYTES;
}

static bool
take_directory(struct tlua_adapter_scripts *scripts, const char *directory,
               char problem_out[TLUA_PROBLEM_BYTES])
{
    struct dirent **entries;
    int count = scandir(directory, &entries, is_adapter_file, alphasort);
    if (count < 0) {
        snprintf(problem_out, TLUA_PROBLEM_BYTES, "%s: not a directory of adapters", directory);
        return false;
    }
    bool ok = true;
    for (int i = 0; i < count; i++) {
        char path[TLUA_PATH_BYTES], name[TLUA_PATH_BYTES], parent[TLUA_PATH_BYTES];
        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        ok = ok && tlua_policy_path_split(entries[i]->d_name, parent, name) &&
             take_file(scripts, path, name, problem_out);
        free(entries[i]);
    }
    free(entries);
    return ok;
}

bool
tlua_adapter_scripts_init(struct tlua_adapter_scripts *scripts, const char *directory,
                          char problem_out[TLUA_PROBLEM_BYTES])
{
    *scripts = (struct tlua_adapter_scripts){0};
    take_built_in(scripts);
    if (directory == NULL || take_directory(scripts, directory, problem_out))
        return true;
    tlua_adapter_scripts_deinit(scripts);
    return false;
}

void
tlua_adapter_scripts_deinit(struct tlua_adapter_scripts *scripts)
{
    for (size_t i = 0; i < scripts->count; i++)
        rt_buffer_release(scripts->list[i].owned);
    scripts->count = 0;
}
