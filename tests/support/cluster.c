#include "tests/support/cluster.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void
fail(const char *what)
{
    fprintf(stderr, "cluster: %s\n", what);
    exit(1);
}

/* PostgreSQL does not run as root: then it gets a user without rights. */
static const struct passwd *
server_user(void)
{
    const struct passwd *user = NULL;
    if (geteuid() == 0 && (user = getpwnam("postgres")) == NULL)
        user = getpwnam("nobody");
    return user;
}

static void
find_binaries(struct cluster *cluster)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) != 0)
        fail("no PostgreSQL server is installed: run script/setup");
    char *path = found.gl_pathv[found.gl_pathc - 1];
    *strrchr(path, '/') = '\0';
    snprintf(cluster->binaries, sizeof(cluster->binaries), "%s", path);
    globfree(&found);
}

/* Becomes a program of the server's, silent unless it fails, and gone when the test is. */
static void
become(const struct cluster *cluster, const char *program, char *const arguments[])
{
    const struct passwd *user = server_user();
    char path[256];
    if (user != NULL && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0))
        _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after setuid, which forgets it */
    snprintf(path, sizeof(path), "%s/log", cluster->directory);
    if (freopen(path, "a", stdout) == NULL || freopen(path, "a", stderr) == NULL ||
        chdir(cluster->directory) != 0)
        _exit(126);
    snprintf(path, sizeof(path), "%s/%s", cluster->binaries, program);
    execv(path, arguments);
    _exit(127);
}

static void
make_data(const struct cluster *cluster)
{
    char *const arguments[] = {"initdb",    "-D",    "data", "-U",   "postgres",
                               "-A",        "trust", "-E",   "UTF8", "--locale=C.UTF-8",
                               "--no-sync", NULL};
    pid_t pid = fork();
    if (pid == 0)
        become(cluster, "initdb", arguments);
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
        fail("initdb failed");
}

static int
is_ready(const struct cluster *cluster)
{
    char *const arguments[] = {"pg_isready", "-q", "-h", (char *)cluster->directory, NULL};
    pid_t pid = fork();
    if (pid == 0)
        become(cluster, "pg_isready", arguments);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static void
start_server(struct cluster *cluster)
{
    char sockets[128], buffers[64];
    snprintf(sockets, sizeof(sockets), "unix_socket_directories=%s", cluster->directory);
    snprintf(buffers, sizeof(buffers), "shared_buffers=%uMB", cluster->buffers_mb);
    char *const arguments[] = {"postgres", "-D", "data",  "-c", "listen_addresses=",  "-c",
                               sockets,    "-c", buffers, "-c", "max_connections=60", NULL};
    cluster->pid = 0;
    for (int i = 0; i < 600; i++) {
        /* After a kill it refuses to start until the last backend of the former one has gone. */
        if (cluster->pid == 0 || waitpid(cluster->pid, NULL, WNOHANG) == cluster->pid)
            cluster->pid = fork();
        if (cluster->pid == 0)
            become(cluster, "postgres", arguments);
        if (cluster->pid > 0 && is_ready(cluster))
            return;
        usleep(50000);
    }
    fail("the server did not start");
}

void
cluster_start(struct cluster *cluster)
{
    cluster_start_with(cluster, 32);
}

void
cluster_start_with(struct cluster *cluster, unsigned buffers_mb)
{
    *cluster = (struct cluster){.directory = "/tmp/twin_cluster_XXXXXX", .buffers_mb = buffers_mb};
    const struct passwd *user = server_user();
    find_binaries(cluster);
    if (mkdtemp(cluster->directory) == NULL ||
        (user != NULL && chown(cluster->directory, user->pw_uid, user->pw_gid) != 0))
        fail("cannot make its directory");
    make_data(cluster);
    start_server(cluster);
}

void
cluster_crash(struct cluster *cluster)
{
    kill(cluster->pid, SIGKILL);
    waitpid(cluster->pid, NULL, 0);
    char path[128];
    snprintf(path, sizeof(path), "%s/data/postmaster.pid", cluster->directory);
    unlink(path);
    start_server(cluster);
}

void
cluster_stop(struct cluster *cluster)
{
    kill(cluster->pid, SIGINT);
    waitpid(cluster->pid, NULL, 0);
    pid_t pid = fork();
    if (pid == 0) {
        execlp("rm", "rm", "-rf", cluster->directory, (char *)NULL);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

void
cluster_uri(const struct cluster *cluster, const char *database, char *uri, size_t room)
{
    snprintf(uri, room, "postgresql:///%s?host=%s&user=postgres", database, cluster->directory);
}
