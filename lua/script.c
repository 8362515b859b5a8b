#include "lua/script.h"

#include <string.h>

const struct tlua_script *
tlua_script_find(const char *name)
{
    for (size_t i = 0; i < tlua_script_count; i++) {
        if (strcmp(tlua_scripts[i].name, name) == 0)
            return &tlua_scripts[i];
    }
    return NULL;
}
