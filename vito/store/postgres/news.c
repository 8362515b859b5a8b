/*
 * What gateways tell each other: by NOTIFY, so that it is heard when, and only when, the
 * transaction that it is about took place.
 *
 *   "<kind> <tenant> <change> <node>"     kind: the letter of enum vito_news_kind, 'A' + n
 *
 * Changes of what all gateways keep in memory are numbered, so that a loss shows
 * (vito/store/hearing.h); the others are asked for again by who needs them, and their number is 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vito/store/postgres/internal.h"

enum { LINE_BYTES = VITO_TENANT_ID_BYTES + 4 };

static bool
is_numbered(enum vito_news_kind kind)
{
    return kind != VITO_NEWS_RECALL && kind != VITO_NEWS_RETURNED;
}

void
vito_pg_tell(struct vito_postgres *database, enum vito_news_kind kind, const char *tenant_id)
{
    char line[LINE_BYTES];
    if (!vito_tenant_id_is_valid(tenant_id))
        return;
    snprintf(line, sizeof(line), "%c %s", 'A' + (int)kind, tenant_id);
    vito_pg_array_add_text(&database->news, line);
    database->news_are_numbered |= is_numbered(kind);
}

void
vito_pg_send_news(struct vito_postgres *database)
{
    struct vito_pg_arguments arguments = {0};
    if (database->news.count == 0)
        return;
    vito_pg_add_array(&arguments, &database->news);
    vito_pg_add_text(&arguments, database->node);
    vito_pg_send(&database->link,
                 database->news_are_numbered ? VITO_PG_NOTIFY_CHANGE : VITO_PG_NOTIFY, &arguments);
}

enum rt_status
vito_pg_begin_hearing(struct vito_postgres *database)
{
    unsigned result = vito_pg_send(&database->link, VITO_PG_CHANGES, NULL);
    if (vito_pg_sync(&database->link) != VITO_PG_DONE || vito_pg_rows(&database->link, result) != 1)
        return RT_IO;
    vito_hearing_begin(&database->hearing, vito_pg_i64(&database->link, result, 0, 0));
    database->news_missed = false;
    return RT_OK;
}

/* False for what is ours, or known, or no news. */
static bool
read_line(struct vito_postgres *database, char *line, struct vito_news *news_out)
{
    const char *kind = strsep(&line, " "), *tenant_id = strsep(&line, " ");
    const char *change = strsep(&line, " ");
    if (line == NULL || kind[0] < 'A' || kind[0] >= 'A' + VITO_NEWS_COUNT || kind[1] != '\0' ||
        strlen(tenant_id) >= sizeof(news_out->tenant_id))
        return false;
    *news_out = (struct vito_news){.kind = (enum vito_news_kind)(kind[0] - 'A')};
    memcpy(news_out->tenant_id, tenant_id, strlen(tenant_id));
    bool is_ours = strcmp(line, database->node) == 0;
    if (!is_numbered(news_out->kind))
        return !is_ours;
    enum vito_heard heard = vito_hearing_take(&database->hearing, strtoll(change, NULL, 10));
    database->news_missed |= heard == VITO_HEARD_GAP;
    return !is_ours && heard == VITO_HEARD_NEXT;
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
