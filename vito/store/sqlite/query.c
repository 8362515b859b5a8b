#include "vito/store/sqlite/query.h"

#include <sqlite3.h>
#include <string.h>

#include "runtime/assert.h"
#include "runtime/log.h"
#include "vito/store/sqlite/internal.h"

struct vito_value
vito_null(void)
{
    return (struct vito_value){.type = VALUE_NULL};
}

struct vito_value
vito_i64(int64_t value)
{
    return (struct vito_value){.type = VALUE_I64, .i64 = value};
}

struct vito_value
vito_text(const char *text)
{
    if (text == NULL || *text == '\0')
        return vito_null();
    return (struct vito_value){.type = VALUE_TEXT, .bytes = text, .size_bytes = strlen(text)};
}

struct vito_value
vito_blob(const void *bytes, size_t size_bytes)
{
    return (struct vito_value){.type = VALUE_BLOB, .bytes = bytes, .size_bytes = size_bytes};
}

struct vito_value
vito_document(const struct rt_buffer *document)
{
    if (document == NULL)
        return vito_null();
    return (struct vito_value){
        .type = VALUE_TEXT, .bytes = document->bytes, .size_bytes = document->size_bytes};
}

static int
bind(sqlite3_stmt *statement, int index, const struct vito_value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        return sqlite3_bind_null(statement, index);
    case VALUE_I64:
        return sqlite3_bind_int64(statement, index, value->i64);
    case VALUE_TEXT:
        return sqlite3_bind_text(statement, index, value->bytes, (int)value->size_bytes,
                                 SQLITE_STATIC);
    case VALUE_BLOB:
        return sqlite3_bind_blob(statement, index, value->bytes, (int)value->size_bytes,
                                 SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

bool
vito_query_prepare_all(struct vito_sqlite *database)
{
    for (int query = 0; query < QUERY_COUNT; query++)
        if (sqlite3_prepare_v3(database->db, vito_query_text((enum vito_query)query), -1,
                               SQLITE_PREPARE_PERSISTENT, &database->prepared[query],
                               NULL) != SQLITE_OK)
            return false;
    return true;
}

void
vito_query_finalize_all(struct vito_sqlite *database)
{
    for (int query = 0; query < QUERY_COUNT; query++) {
        sqlite3_finalize(database->prepared[query]);
        database->prepared[query] = NULL;
    }
    database->current = NULL;
}

static enum rt_status
status_of_constraint(int code)
{
    switch (code) {
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return RT_NOT_FOUND;
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
    case SQLITE_CONSTRAINT_UNIQUE:
        return RT_EXISTS;
    default:
        return RT_INVALID;
    }
}

static enum rt_status
broken(const struct vito_sqlite *database)
{
    rt_log(RT_LOG_ERROR, "store.failed", RT_STR("what", sqlite3_errmsg(database->db)),
           RT_I64("code", sqlite3_extended_errcode(database->db)));
    return RT_UNAVAILABLE;
}

enum rt_status
vito_query_run(struct vito_sqlite *database, enum vito_query query, const struct vito_value *values,
               size_t count)
{
    vito_query_done(database);
    sqlite3_stmt *statement = database->prepared[query];
    RT_ASSERT((size_t)sqlite3_bind_parameter_count(statement) == count);
    database->current = statement;
    for (size_t i = 0; i < count; i++)
        if (bind(statement, (int)i + 1, &values[i]) != SQLITE_OK)
            return broken(database);
    return vito_query_next(database);
}

enum rt_status
vito_query_next(struct vito_sqlite *database)
{
    int code = sqlite3_step(database->current);
    if (code == SQLITE_ROW)
        return RT_OK;
    enum rt_status status = RT_EMPTY;
    if ((code & 0xff) == SQLITE_CONSTRAINT)
        status = status_of_constraint(code);
    else if (code != SQLITE_DONE)
        status = broken(database);
    vito_query_done(database);
    return status;
}

void
vito_query_done(struct vito_sqlite *database)
{
    if (database->current != NULL)
        sqlite3_reset(database->current);
    database->current = NULL;
}

int64_t
vito_query_changes(const struct vito_sqlite *database)
{
    return sqlite3_changes64(database->db);
}

int64_t
vito_column_i64(const struct vito_sqlite *database, int column)
{
    return sqlite3_column_int64(database->current, column);
}

const char *
vito_column_text(const struct vito_sqlite *database, int column)
{
    return (const char *)sqlite3_column_text(database->current, column);
}

const void *
vito_column_blob(const struct vito_sqlite *database, int column, size_t size_bytes)
{
    const void *bytes = sqlite3_column_blob(database->current, column);
    int size = sqlite3_column_bytes(database->current, column);
    return (size_t)size == size_bytes ? bytes : NULL;
}

const void *
vito_column_bytes(const struct vito_sqlite *database, int column, size_t *size_bytes_out)
{
    const void *bytes = sqlite3_column_blob(database->current, column);
    *size_bytes_out = (size_t)sqlite3_column_bytes(database->current, column);
    return bytes;
}

void
vito_column_copy(const struct vito_sqlite *database, int column, char *out, size_t room)
{
    const char *text = vito_column_text(database, column);
    size_t size = text == NULL ? 0 : strnlen(text, room - 1);
    if (size > 0)
        memcpy(out, text, size);
    out[size] = '\0';
}

enum rt_status
vito_column_buffer(const struct vito_sqlite *database, int column, struct rt_buffer **buffer_out)
{
    const void *bytes = sqlite3_column_blob(database->current, column);
    int size = sqlite3_column_bytes(database->current, column);
    if (size > RT_BUFFER_BYTES_MAX)
        return RT_TOO_BIG;
    struct rt_buffer *buffer = rt_buffer_copy(bytes, (size_t)size);
    if (buffer == NULL)
        return RT_NO_MEMORY;
    *buffer_out = buffer;
    return RT_OK;
}
