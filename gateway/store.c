#include "gateway/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/text.h"
#include "vito/store/postgres/postgres.h"
#include "vito/store/sqlite/sqlite.h"

struct store {
    struct vito_sqlite *sqlite;
    struct vito_postgres *postgres;
    struct vito_sqlite_thread *sqlite_thread;
    struct vito_postgres_thread *postgres_thread;
};

/* Two gateways on one machine listen on different ports, and a restart listens on the same. */
static void
name_node(const struct config *config, char *node, size_t room)
{
    char host[65] = "localhost";
    gethostname(host, sizeof(host) - 1);
    const char *port = strrchr(config->listens[0].address, ':');
    if (config->node[0] != '\0')
        rt_text_copy(node, room, config->node);
    else if (port != NULL && strcmp(port, ":0") != 0)
        snprintf(node, room, "%s%.8s", host, port);
    else
        snprintf(node, room, "%s#%d", host, (int)getpid());
}

static enum rt_status
open_database(struct store *store, const struct config *config, bool migrate, char *problem,
              size_t problem_bytes)
{
    const struct rt_world *world = rt_world_real();
    const char *path = config_sqlite_path(config);
    char node[VITO_NODE_BYTES];
    if (path != NULL)
        return vito_sqlite_open(path, migrate, world->wall_ms(world->self), &store->sqlite, problem,
                                problem_bytes);
    name_node(config, node, sizeof(node));
    const struct vito_postgres_options options = {
        .uri = config->store, .node = node, .migrate = migrate, .world = world};
    return vito_postgres_open(&options, &store->postgres, problem, problem_bytes);
}

bool
store_start(struct store *store, struct rt_system *system)
{
    if (store->sqlite != NULL)
        store->sqlite_thread = vito_sqlite_thread_start(store->sqlite, system);
    else
        store->postgres_thread = vito_postgres_thread_start(store->postgres, system);
    return store->sqlite_thread != NULL || store->postgres_thread != NULL;
}

struct store *
store_open(const struct config *config, bool migrate, char *problem, size_t problem_bytes)
{
    struct store *store = calloc(1, sizeof(*store));
    if (store == NULL) {
        snprintf(problem, problem_bytes, "out of memory");
        return NULL;
    }
    if (open_database(store, config, migrate, problem, problem_bytes) != RT_OK) {
        free(store);
        return NULL;
    }
    return store;
}

enum rt_status
store_ask(struct store *store, const struct vito_request *request, struct vito_stored *stored_out,
          struct rt_buffer **document_out)
{
    if (store->sqlite != NULL)
        return vito_sqlite_ask(store->sqlite, request, stored_out, document_out);
    return vito_postgres_ask(store->postgres, request, stored_out, document_out);
}

struct vito_store
store_port(struct store *store)
{
    return store->sqlite_thread != NULL ? vito_sqlite_thread_store(store->sqlite_thread)
                                        : vito_postgres_thread_store(store->postgres_thread);
}

void
store_close(struct store *store)
{
    if (store == NULL)
        return;
    if (store->sqlite_thread != NULL)
        vito_sqlite_thread_stop(store->sqlite_thread);
    else
        vito_sqlite_close(store->sqlite);
    if (store->postgres_thread != NULL)
        vito_postgres_thread_stop(store->postgres_thread);
    else
        vito_postgres_close(store->postgres);
    free(store);
}

/* Copies `size` bytes more of a name that is being shown. */
static void
append(char *shown, size_t room, const char *text, size_t size)
{
    size_t used = strlen(shown);
    snprintf(shown + used, room - used, "%.*s", (int)size, text);
}

const char *
store_shown(const char *name, char *shown, size_t room)
{
    static const char key[] = "password=";
    const char *user = strstr(name, "://");
    shown[0] = '\0';
    if (!vito_postgres_is_uri(name) || user == NULL) {
        append(shown, room, name, strlen(name));
        return shown;
    }
    const char *host = user + 3 + strcspn(user + 3, "@/?");
    const char *colon = memchr(user + 3, ':', (size_t)(host - user - 3));
    const char *rest = name;
    if (*host == '@' && colon != NULL) { /* user:password@host */
        append(shown, room, name, (size_t)(colon + 1 - name));
        append(shown, room, "***", 3);
        rest = host;
    }
    const char *parameter = strstr(rest, key);
    if (parameter != NULL) {
        append(shown, room, rest, (size_t)(parameter - rest) + strlen(key));
        append(shown, room, "***", 3);
        rest = parameter + strcspn(parameter, "&");
    }
    append(shown, room, rest, strlen(rest));
    return shown;
}
