/* Runs kept inputs through a fuzz target, each once: replay DIRECTORY. Without libFuzzer, so for
 * any compiler. The last line printed names the input that broke it. */
#include <dirent.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { INPUT_BYTES_MAX = 1024 * 1024 };

/* A copy of exactly its size, so that a sanitizer sees what is read beyond it. */
static void
run_file(const char *path)
{
    static uint8_t bytes[INPUT_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    FUZZ_CHECK(file != NULL);
    size_t size_bytes = fread(bytes, 1, sizeof(bytes), file);
    fclose(file);
    uint8_t *input = malloc(size_bytes + (size_bytes == 0));
    FUZZ_CHECK(input != NULL);
    memcpy(input, bytes, size_bytes);
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(input, size_bytes);
    free(input);
}

int
main(int count, char **arguments)
{
    FUZZ_CHECK(count == 2);
    DIR *directory = opendir(arguments[1]);
    FUZZ_CHECK(directory != NULL);
    unsigned inputs = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        char path[1024];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", arguments[1], entry->d_name);
        run_file(path);
        inputs++;
    }
    closedir(directory);
    FUZZ_CHECK(inputs > 0);
    return 0;
}
