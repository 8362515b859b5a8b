/*
 * actors/vault_state.h - the keeper's private state, shared by the files vault*.c alone.
 *
 *   vault.c           changes: planned, written, taken in, answered
 *   vault_refresh.c   what other gateways changed, read again
 */
#ifndef ACTORS_VAULT_STATE_H
#define ACTORS_VAULT_STATE_H

#include "actors/messages.h"
#include "actors/world.h"

enum { STALE_MAX = 16 };

enum phase {
    KEEPER_IDLE,
    KEEPER_WRITING,
    KEEPER_READING,    /* what a plan was about */
    KEEPER_REFRESHING, /* what is stale */
    KEEPER_WAITING,    /* to try that again; idle else */
};

struct keeper {
    const struct world *world;
    enum phase phase;
    struct rt_owed *owed; /* NULL: nobody waits, the master key is replaced by itself */
    struct vault_change change;
    struct rt_buffer *value; /* of a secret; ours alone */
    struct rt_buffer *plan;
    size_t plan_read;          /* how much of it was read again */
    enum rt_status plan_ended; /* why it was */
    unsigned tries;
    int64_t version; /* of the secret that is put */
    int64_t rows;    /* written so far */
    uint64_t request_id;
    /* what other gateways changed, and is to be read again */
    char stale[STALE_MAX][VITO_TENANT_ID_BYTES];
    unsigned stale_count;
    bool all_stale;
    char refreshed[VITO_TENANT_ID_BYTES]; /* which is being read; when all are, the last that was */
    bool refreshes_all;
    struct rt_timer retry_timer;
};

void vault_ask_store(struct rt_actor *self, struct keeper *keeper, enum phase phase,
                     struct vito_request *request);

/* With nothing else to do: reads the next of what is stale, else becomes idle. Whoever wants a
 * change meanwhile is stashed. */
void vault_refresh_next(struct rt_actor *self, struct keeper *keeper);
void vault_on_news(struct rt_actor *self, struct keeper *keeper, const struct vito_news *news);
void vault_on_refreshed(struct rt_actor *self, struct keeper *keeper, enum rt_status status,
                        const struct rt_buffer *document);

#endif
