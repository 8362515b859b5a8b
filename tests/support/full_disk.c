/*
 * A disk without room, for a process that is started with LD_PRELOAD=libfull_disk.so: as long as
 * the file that FULL_DISK names is there, nothing can be written to files by position, which is how
 * SQLite writes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*write_at)(int fd, const void *bytes, size_t size_bytes, off64_t offset);

ssize_t pwrite64(int fd, const void *bytes, size_t size_bytes, off64_t offset);

ssize_t
pwrite64(int fd, const void *bytes, size_t size_bytes, off64_t offset)
{
    static _Thread_local write_at real;
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite64");
    const char *flag = getenv("FULL_DISK");
    if (flag != NULL && access(flag, F_OK) == 0) {
        errno = ENOSPC;
        return -1;
    }
    return real(fd, bytes, size_bytes, offset);
}
