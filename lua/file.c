#include "lua/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/world.h"

static struct tlua_file_stamp
stamp_of(const struct stat *status)
{
    return (struct tlua_file_stamp){
        .inode = status->st_ino,
        .size_bytes = status->st_size,
        .modified_ns =
            status->st_mtim.tv_sec * (int64_t)RT_NS_PER_S + (int64_t)status->st_mtim.tv_nsec,
    };
}

struct tlua_file_stamp
tlua_file_stamp_of(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return (struct tlua_file_stamp){0};
    return stamp_of(&status);
}

bool
tlua_file_stamp_equals(const struct tlua_file_stamp *a, const struct tlua_file_stamp *b)
{
    return a->inode == b->inode && a->size_bytes == b->size_bytes &&
           a->modified_ns == b->modified_ns;
}

/* Fills as much of the buffer as the file has. */
static enum rt_status
read_all(int fd, struct rt_buffer *text)
{
    size_t done = 0;
    while (done < text->size_bytes) {
        ssize_t got = read(fd, text->bytes + done, text->size_bytes - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return RT_IO;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    text->size_bytes = (uint32_t)done;
    return RT_OK;
}

static enum rt_status
read_open_file(int fd, struct rt_buffer **text_out, struct tlua_file_stamp *stamp_out)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return RT_IO;
    if (!S_ISREG(status.st_mode))
        return RT_INVALID;
    if (status.st_size > TLUA_FILE_BYTES_MAX)
        return RT_TOO_BIG;
    struct rt_buffer *text = rt_buffer_create((size_t)status.st_size);
    if (text == NULL)
        return RT_NO_MEMORY;
    enum rt_status read_status = read_all(fd, text);
    if (read_status != RT_OK) {
        rt_buffer_release(text);
        return read_status;
    }
    if (stamp_out != NULL)
        *stamp_out = stamp_of(&status);
    *text_out = text;
    return RT_OK;
}

enum rt_status
tlua_file_read(const char *path, struct rt_buffer **text_out, struct tlua_file_stamp *stamp_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? RT_NOT_FOUND : RT_IO;
    enum rt_status status = read_open_file(fd, text_out, stamp_out);
    close(fd);
    return status;
}
