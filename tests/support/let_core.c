/*
 * Preloaded: a process that forbids itself a core by RLIMIT_CORE is not heard, so that a test can
 * see what its other precautions are worth.
 */
#include <dlfcn.h>
#include <sys/resource.h>

int setrlimit(__rlimit_resource_t resource, const struct rlimit *limits);

int
setrlimit(__rlimit_resource_t resource, const struct rlimit *limits)
{
    int (*real)(__rlimit_resource_t, const struct rlimit *);
    if (resource == RLIMIT_CORE)
        return 0;
    *(void **)&real = dlsym(RTLD_NEXT, "setrlimit");
    return real(resource, limits);
}
