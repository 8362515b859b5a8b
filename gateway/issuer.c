#include "gateway/issuer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/text.h"
#include "vito/jwks.h"

static enum rt_status
read_open_file(int fd, size_t bytes_max, struct rt_buffer **text_out)
{
    struct stat file;
    if (fstat(fd, &file) != 0 || !S_ISREG(file.st_mode))
        return RT_IO;
    if (file.st_size > (off_t)bytes_max)
        return RT_TOO_BIG;
    struct rt_buffer *text = rt_buffer_create((size_t)file.st_size);
    if (text == NULL)
        return RT_NO_MEMORY;
    ssize_t size = read(fd, text->bytes, (size_t)file.st_size);
    if (size < 0) {
        rt_buffer_release(text);
        return RT_IO;
    }
    text->size_bytes = (uint32_t)size;
    *text_out = text;
    return RT_OK;
}

static enum rt_status
read_file(const char *path, size_t bytes_max, struct rt_buffer **text_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT ? RT_NOT_FOUND : RT_IO;
    enum rt_status status = read_open_file(fd, bytes_max, text_out);
    close(fd);
    return status;
}

static bool
check_file(const char *path, char *problem_out, size_t problem_bytes)
{
    struct rt_buffer *text = NULL;
    struct vito_jwks *keys = NULL;
    char why[VITO_JWKS_PROBLEM_BYTES] = "out of memory";
    enum rt_status status = read_file(path, VITO_JWKS_BYTES_MAX, &text);
    if (status != RT_OK)
        snprintf(why, sizeof(why), "%s", rt_status_name(status));
    else
        status = vito_jwks_parse((const char *)text->bytes, text->size_bytes, &keys, why);
    rt_buffer_release(text);
    vito_jwks_destroy(keys);
    if (status != RT_OK)
        snprintf(problem_out, problem_bytes,
                 "TWIN_JWKS: %s: %s; name a readable JWK set of public keys", path, why);
    return status == RT_OK;
}

bool
issuer_open(const struct config *config, struct world_issuer *issuer_out, char *problem_out,
            size_t problem_bytes)
{
    if (config->jwks[0] == '\0')
        return true;
    _Static_assert((int)WORLD_ISSUER_BYTES >= (int)CONFIG_TEXT_BYTES, "every setting fits");
    RT_TEXT_SET(issuer_out->source, config->jwks);
    RT_TEXT_SET(issuer_out->issuer, config->jwt_issuer);
    RT_TEXT_SET(issuer_out->audience, config->jwt_audience);
    issuer_out->read_file = read_file;
    return strstr(config->jwks, "://") != NULL ||
           check_file(config->jwks, problem_out, problem_bytes);
}
