/*
 * What other gateways changed in the vault: read again, one tenant after the other, or all when it
 * is not known which. A change waits for that, so that it is planned on what there is.
 */
#include <string.h>

#include "actors/vault_state.h"
#include "runtime/text.h"

enum { REFRESH_RETRY_MS = 1000 };

void
vault_ask_store(struct rt_actor *self, struct keeper *keeper, enum phase phase,
                struct vito_request *request)
{
    const struct vito_store *store = &keeper->world->store;
    keeper->phase = phase;
    store->submit(store->self, self, request, ++keeper->request_id);
}

void
vault_refresh_next(struct rt_actor *self, struct keeper *keeper)
{
    struct vito_request request = {.op = VITO_VAULT_LIST};
    if (keeper->all_stale) {
        keeper->all_stale = false;
        keeper->stale_count = 0;
        keeper->refreshes_all = true;
        keeper->refreshed[0] = '\0';
        vault_ask_store(self, keeper, KEEPER_REFRESHING, &request);
    } else if (keeper->stale_count > 0) {
        memcpy(keeper->refreshed, keeper->stale[--keeper->stale_count], VITO_TENANT_ID_BYTES);
        keeper->refreshes_all = false;
        RT_TEXT_SET(request.tenant_id, keeper->refreshed);
        vault_ask_store(self, keeper, KEEPER_REFRESHING, &request);
    } else {
        keeper->phase = KEEPER_IDLE;
        rt_unstash(self);
    }
}

static void
mark_stale(struct keeper *keeper, const char *tenant_id)
{
    for (unsigned i = 0; i < keeper->stale_count; i++)
        if (strcmp(keeper->stale[i], tenant_id) == 0)
            return;
    if (tenant_id[0] == '\0' || keeper->stale_count == STALE_MAX)
        keeper->all_stale = true;
    else
        RT_TEXT_SET(keeper->stale[keeper->stale_count++], tenant_id);
}

void
vault_on_news(struct rt_actor *self, struct keeper *keeper, const struct vito_news *news)
{
    mark_stale(keeper, news->tenant_id);
    if (keeper->phase == KEEPER_IDLE)
        vault_refresh_next(self, keeper);
}

/* The store could not be asked: nothing is known of what it has, so all of it is read, soon. */
static void
refresh_later(struct rt_actor *self, struct keeper *keeper)
{
    keeper->all_stale = true;
    keeper->phase = KEEPER_WAITING;
    rt_timer_set(self, &keeper->retry_timer, REFRESH_RETRY_MS * RT_NS_PER_MS);
}

void
vault_on_refreshed(struct rt_actor *self, struct keeper *keeper, enum rt_status status,
                   const struct rt_buffer *document)
{
    struct vito_vault *vault = keeper->world->vault;
    char last[VITO_TENANT_ID_BYTES] = "";
    if (status == RT_OK && keeper->refreshes_all)
        status = vito_vault_replace_next(vault, keeper->refreshed, document, last);
    else if (status == RT_OK)
        status = vito_vault_replace(vault, keeper->refreshed, document);
    if (status != RT_OK) {
        refresh_later(self, keeper);
    } else if (last[0] != '\0') {
        struct vito_request request = {.op = VITO_VAULT_LIST};
        RT_TEXT_SET(keeper->refreshed, last);
        RT_TEXT_SET(request.list.after, last);
        vault_ask_store(self, keeper, KEEPER_REFRESHING, &request);
    } else {
        vault_refresh_next(self, keeper);
    }
}
