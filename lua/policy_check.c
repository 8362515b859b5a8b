#include "lua/policy_check.h"

#include <string.h>

#include "lua/file.h"
#include "lua/judge.h"

/* Problems come in one line, parted by "; ". */
static size_t
print_problems(FILE *out, const char *path, char *problems)
{
    size_t count = 0;
    while (problems != NULL) {
        char *rest = strstr(problems, "; ");
        if (rest != NULL) {
            *rest = '\0';
            rest += 2;
        }
        fprintf(out, "%s: %s\n", path, problems);
        count++;
        problems = rest;
    }
    return count;
}

size_t
tlua_policy_check_file(const char *path, FILE *out)
{
    char directory[TLUA_PATH_BYTES], name[TLUA_PATH_BYTES], problem[VITO_PROBLEM_BYTES];
    if (!tlua_policy_path_split(path, directory, name)) {
        fprintf(out, "%s: a policy's file is named by a-z, 0-9 and _, at most 40, and .lua\n",
                path);
        return 1;
    }
    struct rt_buffer *source;
    enum rt_status status = tlua_file_read(path, &source, NULL);
    if (status != RT_OK) {
        fprintf(out, "%s: cannot be read: %s\n", path, rt_status_name(status));
        return 1;
    }
    bool ok = tlua_judge_prove(name, source, problem);
    rt_buffer_release(source);
    return ok ? 0 : print_problems(out, path, problem);
}
