/*
 * Preloaded into a gateway: counts the calls of malloc and its kin that its workers make, in a
 * file that the test reads meanwhile.
 *
 * MALLOC_COUNT_FILE names the file, which has room for one number of 64 bits.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The names glibc itself calls the real ones by. */
void *__libc_malloc(size_t size_bytes);                     /* NOLINT */
void *__libc_calloc(size_t count, size_t size_bytes);       /* NOLINT */
void *__libc_realloc(void *memory, size_t size_bytes);      /* NOLINT */
void *__libc_memalign(size_t alignment, size_t size_bytes); /* NOLINT */

static atomic_uint_fast64_t *calls;

__attribute__((constructor)) static void
open_count(void)
{
    const char *path = getenv("MALLOC_COUNT_FILE");
    int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof(*calls), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED)
        calls = mapped;
}

/* A thread gets its name after it was begun, so a name is only kept once it is a worker's. */
static bool
is_worker(void)
{
    static _Thread_local bool known;
    static const char prefix[] = "twin-worker";
    char name[16] = "";
    if (known)
        return true;
    known = prctl(PR_GET_NAME, name) == 0 && strncmp(name, prefix, sizeof(prefix) - 1) == 0;
    return known;
}

static void
count(void)
{
    if (calls != NULL && is_worker())
        atomic_fetch_add_explicit(calls, 1, memory_order_relaxed);
}

void *
malloc(size_t size_bytes)
{
    count();
    return __libc_malloc(size_bytes);
}

void *
calloc(size_t number, size_t size_bytes)
{
    count();
    return __libc_calloc(number, size_bytes);
}

void *
realloc(void *memory, size_t size_bytes)
{
    count();
    return __libc_realloc(memory, size_bytes);
}

void *
aligned_alloc(size_t alignment, size_t size_bytes)
{
    count();
    return __libc_memalign(alignment, size_bytes);
}

int
posix_memalign(void **memory_out, size_t alignment, size_t size_bytes)
{
    count();
    *memory_out = __libc_memalign(alignment, size_bytes);
    return *memory_out == NULL ? 12 : 0; /* ENOMEM */
}
