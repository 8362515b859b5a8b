/*
 * What gateways tell each other: by NOTIFY, so that it is heard when, and only when, the
 * transaction that it is about took place.
 *
 *   "<kind> <tenant> <node>"     kind: the letter of enum vito_news_kind, 'A' + n
 */
#include <stdio.h>
#include <string.h>

#include "vito/store/postgres/internal.h"

enum { LINE_BYTES = VITO_TENANT_ID_BYTES + VITO_NODE_BYTES + 4 };

void
vito_pg_tell(struct vito_postgres *database, enum vito_news_kind kind, const char *tenant_id)
{
    char line[LINE_BYTES];
    if (!vito_tenant_id_is_valid(tenant_id))
        return;
    snprintf(line, sizeof(line), "%c %s %s", 'A' + (int)kind, tenant_id, database->node);
    vito_pg_array_add_text(&database->news, line);
}

/* False for what is ours, or no news. */
static bool
read_line(const struct vito_postgres *database, const char *line, struct vito_news *news_out)
{
    int kind = line[0] - 'A';
    const char *tenant_id = line[0] == '\0' ? line : line + 2;
    size_t size = strcspn(tenant_id, " ");
    if (kind < 0 || kind >= VITO_NEWS_COUNT || line[1] != ' ' || tenant_id[size] != ' ' ||
        size >= sizeof(news_out->tenant_id) || strcmp(tenant_id + size + 1, database->node) == 0)
        return false;
    *news_out = (struct vito_news){.kind = (enum vito_news_kind)kind};
    memcpy(news_out->tenant_id, tenant_id, size);
    return true;
}

bool
vito_pg_hear(struct vito_postgres *database, struct vito_news *news_out)
{
    PGconn *connection = database->link.connection;
    if (connection == NULL)
        return false;
    if (PQconsumeInput(connection) != 1) {
        vito_pg_disconnect(&database->link);
        return false;
    }
    for (PGnotify *heard; (heard = PQnotifies(connection)) != NULL;) {
        bool is_news = read_line(database, heard->extra, news_out);
        PQfreemem(heard);
        if (is_news)
            return true;
    }
    return false;
}
