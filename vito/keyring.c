/*
 * The master key's file, and the keys derived from it. The master key itself is in memory only
 * while they are derived.
 */
#include "vito/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/assert.h"

_Static_assert(VITO_MASTER_KEY_BYTES == crypto_kdf_KEYBYTES, "a master key derives others");

/* One number per purpose, never used for another one. */
enum purpose { PURPOSE_API_KEYS = 1 };

/* Where a failure is told. */
struct problem {
    const char *file;
    char *text;
    size_t room_bytes;
};

static enum rt_status
refuse(const struct problem *problem, enum rt_status status, const char *what, const char *remedy)
{
    snprintf(problem->text, problem->room_bytes, "master key %s: %s: %s", problem->file, what,
             remedy);
    return status;
}

static enum rt_status
refuse_errno(const struct problem *problem, const char *remedy)
{
    return refuse(problem, RT_IO, strerrordesc_np(errno), remedy);
}

struct vito_keyring *
vito_keyring_of(const uint8_t master_key[VITO_MASTER_KEY_BYTES])
{
    if (sodium_init() < 0)
        return NULL;
    struct vito_keyring *keyring = sodium_malloc(sizeof(*keyring));
    if (keyring == NULL)
        return NULL;
    int failed = crypto_kdf_derive_from_key(keyring->api_keys, sizeof(keyring->api_keys),
                                            PURPOSE_API_KEYS, "twinkeys", master_key);
    RT_ASSERT(failed == 0);
    sodium_mprotect_readonly(keyring);
    return keyring;
}

void
vito_keyring_close(struct vito_keyring *keyring)
{
    sodium_free(keyring); /* wipes; NULL is ignored */
}

/* Makes the file, unless it appears at the same moment. */
static enum rt_status
make_file(const struct problem *problem, const struct rt_world *world)
{
    static const char remedy[] = "make its directory first, writable by this user";
    int fd = open(problem->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EEXIST ? RT_OK : refuse_errno(problem, remedy);
    uint8_t key[VITO_MASTER_KEY_BYTES];
    world->random(world->self, key, sizeof(key));
    bool written = write(fd, key, sizeof(key)) == (ssize_t)sizeof(key) && fsync(fd) == 0;
    enum rt_status status = written ? RT_OK : refuse_errno(problem, "mend the disk");
    if (!written)
        unlink(problem->file);
    sodium_memzero(key, sizeof(key));
    close(fd);
    return status;
}

static enum rt_status
check_file(const struct problem *problem, int fd)
{
    struct stat file;
    char what[64];
    if (fstat(fd, &file) != 0)
        return refuse_errno(problem, "mend the disk");
    if (!S_ISREG(file.st_mode))
        return refuse(problem, RT_INVALID, "is not a file", "name a file of 32 random bytes");
    if (file.st_uid != geteuid()) {
        snprintf(what, sizeof(what), "belongs to user %u", (unsigned)file.st_uid);
        return refuse(problem, RT_DENIED, what, "chown it to the user that runs the gateway");
    }
    if ((file.st_mode & 0177) != 0) {
        snprintf(what, sizeof(what), "has mode %04o", (unsigned)file.st_mode & 07777);
        return refuse(problem, RT_DENIED, what, "chmod it to 0600");
    }
    if (file.st_size != VITO_MASTER_KEY_BYTES) {
        snprintf(what, sizeof(what), "has %lld bytes, not 32", (long long)file.st_size);
        return refuse(problem, RT_INVALID, what, "put the right key there; without it all is lost");
    }
    return RT_OK;
}

static enum rt_status
read_file(const struct problem *problem, int fd, struct vito_keyring **keyring_out)
{
    enum rt_status status = check_file(problem, fd);
    if (status != RT_OK)
        return status;
    uint8_t key[VITO_MASTER_KEY_BYTES];
    if (read(fd, key, sizeof(key)) == (ssize_t)sizeof(key)) {
        *keyring_out = vito_keyring_of(key);
        if (*keyring_out == NULL)
            status = refuse(problem, RT_NO_MEMORY, "out of memory", "raise the limit of memory");
    } else {
        status = refuse_errno(problem, "mend the disk");
    }
    sodium_memzero(key, sizeof(key));
    return status;
}

enum rt_status
vito_keyring_open(const char *file, bool make, const struct rt_world *world,
                  struct vito_keyring **keyring_out, char *problem, size_t problem_bytes)
{
    RT_ASSERT(file != NULL);
    const struct problem where = {file, problem, problem_bytes};
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT && make) {
        enum rt_status status = make_file(&where, world);
        if (status != RT_OK)
            return status;
        fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    }
    if (fd < 0 && errno == ENOENT)
        return refuse(&where, RT_NOT_FOUND, "does not exist",
                      "put 32 random bytes there with mode 0600, or start with --dev");
    if (fd < 0)
        return refuse_errno(&where, "make it readable to the user that runs the gateway");
    enum rt_status status = read_file(&where, fd, keyring_out);
    close(fd);
    return status;
}
