/*
 * A look at a database file before SQLite opens it, because SQLite would take an empty file, or
 * another program's, for its own, and change it.
 *
 * Source: sqlite.org/fileformat2.html, section 1.3 (the database header), read 2026-11.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vito/store/sqlite/internal.h"

enum {
    HEADER_BYTES = 100,
    PAGE_SIZE_AT = 16,
    CHANGES_AT = 24,
    PAGES_AT = 28,
    APPLICATION_ID_AT = 68,
    PAGES_VALID_FOR_AT = 92,
};

static const char name_another[] = "name another file in TWIN_STORE";

static uint32_t
number_at(const uint8_t *bytes, int size_bytes)
{
    uint32_t value = 0;
    for (int i = 0; i < size_bytes; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* Whether SQLite left a log beside the file, from which it will mend it. */
static bool
has_log(const char *path)
{
    static const char *const suffixes[] = {"-wal", "-journal"};
    char log[4096];
    for (size_t i = 0; i < RT_COUNT_OF(suffixes); i++) {
        struct stat status;
        snprintf(log, sizeof(log), "%s%s", path, suffixes[i]);
        if (stat(log, &status) == 0 && status.st_size > 0)
            return true;
    }
    return false;
}

/* Whether the file is as long as its header says. */
static bool
is_whole(const uint8_t *header, off_t size_bytes)
{
    uint32_t page_bytes = number_at(header + PAGE_SIZE_AT, 2);
    if (page_bytes == 1)
        page_bytes = 65536;
    if (page_bytes < 512)
        return false;
    uint64_t wanted = (uint64_t)number_at(header + PAGES_AT, 4) * page_bytes;
    bool is_known = number_at(header + CHANGES_AT, 4) == number_at(header + PAGES_VALID_FOR_AT, 4);
    return !is_known || (uint64_t)size_bytes >= wanted;
}

static enum rt_status
probe_header(const struct vito_store_problem *problem, const uint8_t *header, off_t size_bytes,
             struct vito_store_file *file_out)
{
    if (memcmp(header, "SQLite format 3", 16) != 0)
        return vito_store_refuse(problem, RT_INVALID, "is not an SQLite database", name_another);
    if (number_at(header + APPLICATION_ID_AT, 4) != VITO_APPLICATION_ID)
        return vito_store_refuse(problem, RT_INVALID, "belongs to another program", name_another);
    if (is_whole(header, size_bytes))
        return RT_OK;
    if (!has_log(problem->path))
        return vito_store_refuse(problem, RT_INVALID, "is cut short", "restore it from a backup");
    file_out->needs_check = true;
    return RT_OK;
}

static enum rt_status
probe_open_file(const struct vito_store_problem *problem, int fd, struct vito_store_file *file_out)
{
    struct stat status;
    uint8_t header[HEADER_BYTES];
    if (fstat(fd, &status) != 0)
        return vito_store_refuse(problem, RT_IO, strerrordesc_np(errno), "mend the disk");
    if (!S_ISREG(status.st_mode))
        return vito_store_refuse(problem, RT_INVALID, "is not a file", name_another);
    file_out->is_new = status.st_size == 0;
    if (file_out->is_new)
        return RT_OK;
    if (pread(fd, header, sizeof(header), 0) != (ssize_t)sizeof(header))
        return vito_store_refuse(problem, RT_INVALID, "is not an SQLite database", name_another);
    return probe_header(problem, header, status.st_size, file_out);
}

enum rt_status
vito_store_probe(const struct vito_store_problem *problem, struct vito_store_file *file_out)
{
    *file_out = (struct vito_store_file){.is_new = true};
    int fd = open(problem->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RT_OK;
    if (fd < 0)
        return vito_store_refuse(problem, RT_IO, strerrordesc_np(errno),
                                 "make it readable to the user that runs the gateway");
    enum rt_status status = probe_open_file(problem, fd, file_out);
    close(fd);
    return status;
}
