/*
 * The master key's file, and the keys derived from it. The master key itself is in memory only
 * while they are derived.
 */
#include "vito/keyring.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/assert.h"
#include "runtime/text.h"

_Static_assert(VITO_MASTER_KEY_BYTES == crypto_kdf_KEYBYTES, "a master key derives others");

enum { PATH_BYTES = VITO_KEYRING_FILE_BYTES + sizeof(".next") };

/* One number per purpose, never used for another one. */
enum purpose { PURPOSE_API_KEYS = 1, PURPOSE_VAULT = 2, PURPOSE_VAULT_ID = 3 };

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

static void
derive(uint8_t *key_out, size_t key_bytes, enum purpose purpose, const uint8_t *master_key)
{
    int failed = crypto_kdf_derive_from_key(key_out, key_bytes, purpose, "twinkeys", master_key);
    RT_ASSERT(failed == 0);
}

/* Adds a master key behind those that are there. */
static void
add_master(struct vito_keyring *keyring, const uint8_t master_key[VITO_MASTER_KEY_BYTES])
{
    RT_ASSERT(keyring->master_count < RT_COUNT_OF(keyring->masters));
    uint8_t id[crypto_kdf_BYTES_MIN];
    struct vito_blob_key *master = &keyring->masters[keyring->master_count++];
    derive(master->bytes, sizeof(master->bytes), PURPOSE_VAULT, master_key);
    derive(id, sizeof(id), PURPOSE_VAULT_ID, master_key);
    memcpy(master->id, id, sizeof(master->id));
}

struct vito_keyring *
vito_keyring_of(const uint8_t master_key[VITO_MASTER_KEY_BYTES])
{
    if (sodium_init() < 0)
        return NULL;
    struct vito_keyring *keyring = sodium_malloc(sizeof(*keyring));
    if (keyring == NULL)
        return NULL;
    if (sodium_mlock(keyring, sizeof(*keyring)) != 0) { /* sodium_malloc() would let it pass */
        sodium_free(keyring);
        return NULL;
    }
    memset(keyring, 0, sizeof(*keyring));
    derive(keyring->api_keys, sizeof(keyring->api_keys), PURPOSE_API_KEYS, master_key);
    add_master(keyring, master_key);
    sodium_mprotect_readonly(keyring);
    return keyring;
}

void
vito_keyring_close(struct vito_keyring *keyring)
{
    sodium_free(keyring); /* wipes; NULL is ignored */
}

void
vito_keyring_set_api_keys(struct vito_keyring *keyring, const uint8_t key[VITO_DIGEST_BYTES])
{
    sodium_mprotect_readwrite(keyring);
    memcpy(keyring->api_keys, key, sizeof(keyring->api_keys));
    sodium_mprotect_readonly(keyring);
}

/* A name in a directory is durable when the directory is. */
static bool
sync_directory_of(const char *file)
{
    char path[PATH_BYTES];
    rt_text_copy(path, sizeof(path), file);
    int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool synced = fsync(fd) == 0;
    close(fd);
    return synced;
}

static bool
write_key(int fd, const struct rt_world *world)
{
    uint8_t key[VITO_MASTER_KEY_BYTES];
    world->random(world->self, key, sizeof(key));
    bool written = write(fd, key, sizeof(key)) == (ssize_t)sizeof(key) && fsync(fd) == 0;
    sodium_memzero(key, sizeof(key));
    return written;
}

/* Makes the file, unless it appears at the same moment. It gets its name when it is whole, so that
 * a crash leaves none that is not. */
static enum rt_status
make_file(const struct problem *problem, const struct rt_world *world)
{
    static const char remedy[] = "make its directory first, writable by this user";
    char draft[PATH_BYTES + 16];
    snprintf(draft, sizeof(draft), "%s.%d", problem->file, (int)getpid());
    unlink(draft); /* of a former life by the same number */
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return refuse_errno(problem, remedy);
    bool made = write_key(fd, world) &&
                (renameat2(AT_FDCWD, draft, AT_FDCWD, problem->file, RENAME_NOREPLACE) == 0 ||
                 errno == EEXIST) &&
                sync_directory_of(problem->file);
    enum rt_status status = made ? RT_OK : refuse_errno(problem, "mend the disk");
    unlink(draft); /* where it was not needed */
    close(fd);
    return status;
}

/* What systemd's LoadCredential= gives belongs to root, with an ACL for the service alone, which
 * shows as rights of the group. */
static bool
is_credential(const char *file)
{
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    size_t size = directory == NULL ? 0 : strlen(directory);
    return size > 0 && strncmp(file, directory, size) == 0 && file[size] == '/';
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
    bool is_given = is_credential(problem->file);
    if (file.st_uid != geteuid() && !(is_given && file.st_uid == 0)) {
        snprintf(what, sizeof(what), "belongs to user %u", (unsigned)file.st_uid);
        return refuse(problem, RT_DENIED, what, "chown it to the user that runs the gateway");
    }
    if ((file.st_mode & (is_given ? 0137 : 0177)) != 0) {
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
read_key(const struct problem *problem, int fd, uint8_t key_out[VITO_MASTER_KEY_BYTES])
{
    enum rt_status status = check_file(problem, fd);
    if (status != RT_OK)
        return status;
    if (read(fd, key_out, VITO_MASTER_KEY_BYTES) != VITO_MASTER_KEY_BYTES)
        return refuse_errno(problem, "mend the disk");
    return RT_OK;
}

/* Reads the key in a file. RT_NOT_FOUND says nothing. */
static enum rt_status
read_file(const struct problem *problem, uint8_t key_out[VITO_MASTER_KEY_BYTES])
{
    int fd = open(problem->file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT)
        return RT_NOT_FOUND;
    if (fd < 0)
        return refuse_errno(problem, "make it readable to the user that runs the gateway");
    enum rt_status status = read_key(problem, fd, key_out);
    close(fd);
    return status;
}

static enum rt_status
make_keyring(const struct problem *problem, const uint8_t key[VITO_MASTER_KEY_BYTES],
             struct vito_keyring **keyring_out)
{
    if (strlen(problem->file) >= VITO_KEYRING_FILE_BYTES)
        return refuse(problem, RT_INVALID, "the path is too long", "choose a shorter one");
    struct vito_keyring *keyring = vito_keyring_of(key);
    if (keyring == NULL)
        return refuse(problem, RT_NO_MEMORY, "there is no memory that can be locked",
                      "raise RLIMIT_MEMLOCK to 1 MiB");
    sodium_mprotect_readwrite(keyring);
    RT_TEXT_SET(keyring->file, problem->file);
    sodium_mprotect_readonly(keyring);
    *keyring_out = keyring;
    return RT_OK;
}

static void
next_file_of(const struct vito_keyring *keyring, char file_out[PATH_BYTES])
{
    snprintf(file_out, PATH_BYTES, "%s.next", keyring->file);
}

/* Takes in the next master key, if there is one. RT_NOT_FOUND: there is none. */
static enum rt_status
read_next(struct vito_keyring *keyring, const struct problem *problem)
{
    uint8_t key[VITO_MASTER_KEY_BYTES];
    enum rt_status status = read_file(problem, key);
    if (status == RT_OK) {
        sodium_mprotect_readwrite(keyring);
        add_master(keyring, key);
        /* A rename that was done by hand, and a copy left behind: there is nothing to replace. */
        if (sodium_memcmp(&keyring->masters[0], &keyring->masters[1], sizeof(*keyring->masters)) ==
            0)
            keyring->master_count = 1;
        sodium_mprotect_readonly(keyring);
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
    uint8_t key[VITO_MASTER_KEY_BYTES];
    enum rt_status status = read_file(&where, key);
    if (status == RT_NOT_FOUND && make) {
        status = make_file(&where, world);
        if (status == RT_OK)
            status = read_file(&where, key);
    }
    if (status == RT_NOT_FOUND)
        return refuse(&where, RT_NOT_FOUND, "does not exist",
                      "put 32 random bytes there with mode 0600, or start with --dev");
    struct vito_keyring *keyring = NULL;
    if (status == RT_OK)
        status = make_keyring(&where, key, &keyring);
    sodium_memzero(key, sizeof(key));
    if (status != RT_OK)
        return status;
    char next[PATH_BYTES];
    next_file_of(keyring, next);
    const struct problem where_next = {next, problem, problem_bytes};
    status = read_next(keyring, &where_next);
    if (status != RT_OK && status != RT_NOT_FOUND) {
        vito_keyring_close(keyring);
        return status;
    }
    *keyring_out = keyring;
    return RT_OK;
}

enum rt_status
vito_keyring_make_next(struct vito_keyring *keyring, const struct rt_world *world, char *problem,
                       size_t problem_bytes)
{
    if (keyring->master_count == 2)
        return RT_OK;
    char file[PATH_BYTES];
    next_file_of(keyring, file);
    const struct problem where = {file, problem, problem_bytes};
    enum rt_status status = read_next(keyring, &where);
    if (status == RT_NOT_FOUND) {
        status = make_file(&where, world);
        if (status == RT_OK)
            status = read_next(keyring, &where);
    }
    if (status == RT_OK && keyring->master_count != 2)
        return refuse(&where, RT_INVALID, "is the key in force", "remove it, or put another there");
    return status;
}

enum rt_status
vito_keyring_promote_next(struct vito_keyring *keyring, char *problem, size_t problem_bytes)
{
    RT_ASSERT(keyring->master_count == 2);
    char file[PATH_BYTES];
    next_file_of(keyring, file);
    const struct problem where = {keyring->file, problem, problem_bytes};
    if (rename(file, keyring->file) != 0)
        return refuse_errno(&where, "put the file with \".next\" behind it in its place");
    sync_directory_of(keyring->file); /* or else both are there again, and so is this call */
    sodium_mprotect_readwrite(keyring);
    keyring->masters[0] = keyring->masters[1];
    sodium_memzero(&keyring->masters[1], sizeof(keyring->masters[1]));
    keyring->master_count = 1;
    sodium_mprotect_readonly(keyring);
    return RT_OK;
}
