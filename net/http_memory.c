#include "net/http_memory.h"

#include <curl/curl.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void
wipe_and_free(void *memory)
{
    if (memory != NULL)
        explicit_bzero(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc() would leave what it moved away from as it was. */
static void *
grow(void *memory, size_t size_bytes)
{
    size_t before = memory == NULL ? 0 : malloc_usable_size(memory);
    if (memory != NULL && size_bytes <= before && size_bytes > before / 4)
        return memory;
    void *longer = malloc(size_bytes);
    if (longer == NULL)
        return NULL;
    if (memory != NULL)
        memcpy(longer, memory, before < size_bytes ? before : size_bytes);
    wipe_and_free(memory);
    return longer;
}

bool
net_http_memory_init(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free, grow, strdup, calloc) ==
           CURLE_OK;
}
