#include "tests/support/proxy.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
fail(const char *what)
{
    perror(what);
    exit(1);
}

static struct sockaddr_un
address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    return address;
}

static bool
send_all(int fd, const char *bytes, ssize_t size)
{
    for (ssize_t sent = 0, more; sent < size; sent += more)
        if ((more = send(fd, bytes + sent, (size_t)(size - sent), MSG_NOSIGNAL)) <= 0)
            return false;
    return true;
}

static bool
has_commit(const char *bytes, ssize_t size)
{
    return memmem(bytes, (size_t)size, "COMMIT", 7) != NULL; /* with its NUL */
}

/* The server's answers, until it says that it has committed. */
static void
await_commit(int server)
{
    char bytes[65536];
    ssize_t size;
    while ((size = recv(server, bytes, sizeof(bytes), 0)) > 0)
        if (has_commit(bytes, size))
            return;
}

/* False when the connection is to end. */
static bool
pass_from_client(struct proxy *proxy, int client, int server)
{
    char bytes[65536];
    ssize_t size = recv(client, bytes, sizeof(bytes), 0);
    int fault = atomic_load(&proxy->fault);
    if (size <= 0)
        return false;
    if (fault == PROXY_NONE || fault == PROXY_STALL || !has_commit(bytes, size))
        return send_all(server, bytes, size);
    if (fault == PROXY_CUT_AFTER_COMMIT) {
        if (!send_all(server, bytes, size))
            return false;
        await_commit(server);
    }
    atomic_store(&proxy->fault, PROXY_NONE);
    if (proxy->at_cut != NULL)
        proxy->at_cut(proxy->context);
    return false;
}

static bool
pass_from_server(int client, int server)
{
    char bytes[65536];
    ssize_t size = recv(server, bytes, sizeof(bytes), 0);
    return size > 0 && send_all(client, bytes, size);
}

static void
serve(struct proxy *proxy, int client)
{
    struct sockaddr_un address = address_of(proxy->server);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool open = connect(server, (struct sockaddr *)&address, sizeof(address)) == 0;
    while (open && !atomic_load(&proxy->stopping)) {
        struct pollfd ends[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};
        bool stalled = atomic_load(&proxy->fault) == PROXY_STALL;
        if (stalled)
            ends[0].fd = ends[1].fd = -1;
        poll(ends, 2, 20);
        if (ends[0].revents != 0)
            open = pass_from_client(proxy, client, server);
        if (open && ends[1].revents != 0)
            open = pass_from_server(client, server);
    }
    close(server);
    close(client);
}

static void *
proxy_main(void *context)
{
    struct proxy *proxy = context;
    while (!atomic_load(&proxy->stopping)) {
        struct pollfd knock = {.fd = proxy->listen_fd, .events = POLLIN};
        if (poll(&knock, 1, 20) > 0)
            serve(proxy, accept4(proxy->listen_fd, NULL, NULL, SOCK_CLOEXEC));
    }
    return NULL;
}

void
proxy_start(struct proxy *proxy, const char *server_directory)
{
    char path[128];
    snprintf(proxy->directory, sizeof(proxy->directory), "/tmp/twin_proxy_XXXXXX");
    if (mkdtemp(proxy->directory) == NULL)
        fail("proxy");
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", proxy->directory);
    snprintf(proxy->server, sizeof(proxy->server), "%s/.s.PGSQL.5432", server_directory);
    struct sockaddr_un address = address_of(path);
    proxy->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(proxy->listen_fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(proxy->listen_fd, 8) != 0 ||
        pthread_create(&proxy->id, NULL, proxy_main, proxy) != 0)
        fail("proxy");
}

void
proxy_stop(struct proxy *proxy)
{
    char path[128];
    atomic_store(&proxy->stopping, true);
    pthread_join(proxy->id, NULL);
    close(proxy->listen_fd);
    snprintf(path, sizeof(path), "%s/.s.PGSQL.5432", proxy->directory);
    unlink(path);
    rmdir(proxy->directory);
}
