#include "gateway/token.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/text.h"

enum { SECRET_BYTES = 24 };

/* "admin.token" in the directory of the master key. */
static bool
token_path(const struct config *config, char path_out[CONFIG_TEXT_BYTES])
{
    const char *slash = strrchr(config->master_key_file, '/');
    int directory = slash == NULL ? 0 : (int)(slash - config->master_key_file) + 1;
    int length = snprintf(path_out, CONFIG_TEXT_BYTES, "%.*sadmin.token", directory,
                          config->master_key_file);
    return length > 0 && length < CONFIG_TEXT_BYTES;
}

static bool
write_new(const char *path, char token_out[TOKEN_BYTES])
{
    unsigned char random[SECRET_BYTES];
    randombytes_buf(random, sizeof(random));
    rt_text_copy(token_out, TOKEN_BYTES, "twa_");
    sodium_bin2base64(token_out + 4, TOKEN_BYTES - 4, random, sizeof(random),
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    sodium_memzero(random, sizeof(random));
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    size_t size = strlen(token_out);
    bool written = write(fd, token_out, size) == (ssize_t)size && fsync(fd) == 0;
    close(fd);
    return written;
}

static bool
read_file(const char *path, char token_out[TOKEN_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t size = read(fd, token_out, TOKEN_BYTES - 1);
    close(fd);
    if (size <= 0)
        return false;
    token_out[size] = '\0';
    token_out[strcspn(token_out, "\r\n")] = '\0';
    return true;
}

bool
token_find(const struct config *config, bool make, char token_out[TOKEN_BYTES], char *problem_out,
           size_t problem_bytes)
{
    char path[CONFIG_TEXT_BYTES];
    if (config->admin_token[0] != '\0') {
        rt_text_copy(token_out, TOKEN_BYTES, config->admin_token);
        return true;
    }
    if (!token_path(config, path)) {
        snprintf(problem_out, problem_bytes, "the master key's path is too long");
        return false;
    }
    if (read_file(path, token_out) || (make && errno == ENOENT && write_new(path, token_out)))
        return true;
    snprintf(problem_out, problem_bytes,
             "%s: %s; set TWIN_ADMIN_TOKEN, or start once with --dev to have one made", path,
             strerror(errno));
    return false;
}
