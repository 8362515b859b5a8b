/*
 * Opening and closing the store.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/text.h"
#include "vito/store/postgres/internal.h"

enum {
    LEASE_MS = 5000,
    NAME_MS = 3000, /* the server notices the end of a former life a little later */
    NAME_STEP_MS = 50,
};

bool
vito_postgres_is_uri(const char *text)
{
    return strncmp(text, "postgresql://", 13) == 0 || strncmp(text, "postgres://", 11) == 0;
}

/* Where the store is, without what is secret: host, port and database. */
static void
name_store(const char *uri, char *name, size_t room)
{
    PQconninfoOption *options = PQconninfoParse(uri, NULL);
    size_t used = 0;
    name[0] = '\0';
    for (const PQconninfoOption *option = options; option != NULL && option->keyword != NULL;
         option++) {
        bool shown = strcmp(option->keyword, "host") == 0 || strcmp(option->keyword, "port") == 0 ||
                     strcmp(option->keyword, "dbname") == 0;
        if (shown && option->val != NULL && used < room)
            used += (size_t)snprintf(name + used, room - used, "%s%s=%s", used == 0 ? "" : " ",
                                     option->keyword, option->val);
    }
    PQconninfoFree(options);
}

enum rt_status
vito_pg_refuse(const struct vito_pg_problem *problem, enum rt_status status, const char *what,
               const char *remedy)
{
    char name[256];
    name_store(problem->uri, name, sizeof(name));
    snprintf(problem->text, problem->room_bytes, "store postgresql(%s): %s: %s", name, what,
             remedy);
    return status;
}

/* The name of a node is taken for as long as the connection lives, so that two gateways by one
 * name do not take turns in fencing each other. */
static enum rt_status
take_name(struct vito_postgres *database)
{
    struct vito_pg_link *link = &database->link;
    const char *values[] = {database->node};
    PGresult *result = PQexecParams(
        link->connection, "SELECT pg_try_advisory_lock(1415006542, 1 + abs(hashtext($1) / 2))::int",
        1, NULL, values, NULL, NULL, 0);
    bool asked = PQresultStatus(result) == PGRES_TUPLES_OK;
    bool taken = asked && strcmp(PQgetvalue(result, 0, 0), "1") == 0;
    if (!asked)
        snprintf(link->message, sizeof(link->message), "%s", PQerrorMessage(link->connection));
    else if (!taken)
        snprintf(link->message, sizeof(link->message), "a gateway named \"%s\" is running",
                 database->node);
    PQclear(result);
    return taken ? RT_OK : asked ? RT_EXISTS : RT_IO;
}

static enum rt_status
prepare(struct vito_postgres *database)
{
    switch (vito_pg_prepare_all(&database->link)) {
    case VITO_PG_DONE:
        return RT_OK;
    case VITO_PG_REFUSED:
        return RT_INVALID;
    case VITO_PG_LOST:
        break;
    }
    return RT_IO;
}

enum rt_status
vito_pg_attach(struct vito_postgres *database)
{
    database->in_transaction = false;
    enum rt_status status = vito_pg_connect(&database->link, database->uri);
    if (status == RT_OK)
        status = take_name(database);
    if (status == RT_OK)
        status = prepare(database);
    if (status == RT_OK)
        status = vito_pg_begin_hearing(database);
    if (status != RT_OK)
        vito_pg_disconnect(&database->link);
    return status;
}

static const char *
remedy_of(enum rt_status status)
{
    switch (status) {
    case RT_IO:
        return "start PostgreSQL, or mend TWIN_STORE";
    case RT_EXISTS:
        return "end it, or give this one another TWIN_NODE";
    default:
        return "use a database in UTF8, and a role that is in twin_gateway";
    }
}

/* Migrates on a connection of its own: what comes after works with fewer rights. */
static enum rt_status
migrate(struct vito_postgres *database, bool may_migrate, const struct vito_pg_problem *problem)
{
    enum rt_status status = vito_pg_connect(&database->link, database->uri);
    if (status != RT_OK)
        return vito_pg_refuse(problem, status, database->link.message, remedy_of(status));
    status = vito_pg_migrate(&database->link, may_migrate, problem);
    vito_pg_disconnect(&database->link);
    return status;
}

static enum rt_status
start(struct vito_postgres *database, bool may_migrate, const struct vito_pg_problem *problem)
{
    enum rt_status status = migrate(database, may_migrate, problem);
    if (status != RT_OK)
        return status;
    status = vito_pg_attach(database);
    for (int waited_ms = 0; status == RT_EXISTS && waited_ms < NAME_MS; waited_ms += NAME_STEP_MS) {
        poll(NULL, 0, NAME_STEP_MS);
        status = vito_pg_attach(database);
    }
    if (status == RT_OK && vito_pg_recover(database) != VITO_PG_DONE)
        status = RT_IO;
    return status == RT_OK
               ? RT_OK
               : vito_pg_refuse(problem, status, database->link.message, remedy_of(status));
}

static struct vito_postgres *
create(const struct vito_postgres_options *options)
{
    struct vito_postgres *database = calloc(1, sizeof(*database));
    if (database == NULL)
        return NULL;
    RT_TEXT_SET(database->uri, options->uri);
    RT_TEXT_SET(database->node, options->node);
    database->world = database->link.world = options->world;
    database->lease_ms = options->lease_ms == 0 ? LEASE_MS : options->lease_ms;
    if (vito_books_init(&database->books))
        return database;
    vito_postgres_close(database);
    return NULL;
}

enum rt_status
vito_postgres_open(const struct vito_postgres_options *options, struct vito_postgres **database_out,
                   char *problem, size_t problem_bytes)
{
    RT_ASSERT(options->node[0] != '\0');
    const struct vito_pg_problem where = {options->uri, problem, problem_bytes};
    if (strlen(options->uri) >= VITO_PG_URI_BYTES || strlen(options->node) >= VITO_NODE_BYTES)
        return vito_pg_refuse(&where, RT_INVALID, "the URI or the node's name is too long",
                              "shorten TWIN_STORE or TWIN_NODE");
    struct vito_postgres *database = create(options);
    if (database == NULL)
        return vito_pg_refuse(&where, RT_NO_MEMORY, "out of memory", "raise the limit");
    enum rt_status status = start(database, options->migrate, &where);
    if (status != RT_OK) {
        vito_postgres_close(database);
        return status;
    }
    *database_out = database;
    return RT_OK;
}

static void
end_lease(struct vito_postgres *database)
{
    struct vito_pg_arguments node = {0};
    vito_pg_add_text(&node, database->node);
    vito_pg_add_i64(&node, database->epoch);
    vito_pg_send(&database->link, VITO_PG_NODE_END, &node);
    if (vito_pg_sync(&database->link) == VITO_PG_DONE)
        return;
    vito_pg_disconnect(&database->link); /* then it runs out */
}

void
vito_postgres_close(struct vito_postgres *database)
{
    if (database == NULL)
        return;
    if (database->link.connection != NULL && database->epoch > 0) {
        vito_pg_rollback(database);
        end_lease(database);
    }
    vito_pg_disconnect(&database->link);
    for (size_t i = 0; i < RT_COUNT_OF(database->columns); i++)
        vito_pg_array_deinit(&database->columns[i]);
    vito_pg_array_deinit(&database->news);
    for (size_t i = 0; i < RT_COUNT_OF(database->keys); i++)
        vito_pg_array_deinit(&database->keys[i]);
    vito_books_deinit(&database->books);
    free(database);
}
