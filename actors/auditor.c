#include "actors/auditor.h"

#include <string.h>

#include "actors/metrics.h"
#include "actors/world.h"
#include "runtime/log.h"
#include "runtime/text.h"
#include "vito/audit_sign.h"

enum {
    SIGNING_MAX = 64, /* checkpoints on their way to the store at once */
    ROWS_AT_ONCE = 1000,
    PRUNE_EVERY_MS = 3600 * 1000,
};

struct auditor {
    const struct world *world;
    struct rt_timer timer;
    bool pruning;            /* this round lets go; else it signs */
    struct rt_buffer *heads; /* a page of them; NULL: it is on its way, or there is no round */
    size_t count, begun, running;
    uint64_t request_id; /* of the page; heads[n] has request_id + 1 + n */
    int64_t pruned_ms;   /* when the last round of that kind began */
};

static void
submit(struct rt_actor *self, const struct auditor *auditor, const struct vito_request *request,
       uint64_t request_id)
{
    const struct vito_store *store = &auditor->world->store;
    store->submit(store->self, self, request, request_id);
}

/* After the head of that name; from the first one when it is "". */
static void
ask_for_page(struct rt_actor *self, struct auditor *auditor, const char *after)
{
    struct vito_request request = {.op = VITO_AUDIT_HEADS};
    RT_TEXT_SET(request.list.after, after);
    request.list.all = auditor->pruning;
    auditor->request_id += auditor->count + 1;
    auditor->count = auditor->begun = auditor->running = 0;
    submit(self, auditor, &request, auditor->request_id);
}

static void
end_round(struct rt_actor *self, struct auditor *auditor)
{
    rt_buffer_release(auditor->heads);
    auditor->heads = NULL;
    auditor->request_id += auditor->count; /* answers that still come are nobody's */
    auditor->count = 0;
    rt_timer_set(self, &auditor->timer, auditor->world->audit_checkpoint_ms * RT_NS_PER_MS);
}

static void
begin_round(struct rt_actor *self, struct auditor *auditor)
{
    int64_t now_ms = rt_wall_ms(self);
    bool is_due = now_ms - auditor->pruned_ms >= PRUNE_EVERY_MS || now_ms < auditor->pruned_ms;
    auditor->pruning = !auditor->pruning && is_due && auditor->world->audit_retention_ms > 0;
    if (auditor->pruning)
        auditor->pruned_ms = now_ms;
    ask_for_page(self, auditor, "");
}

static struct vito_audit_head
head_at(const struct auditor *auditor, size_t index)
{
    struct vito_audit_head head;
    memcpy(&head, auditor->heads->bytes + index * sizeof(head), sizeof(head));
    return head;
}

static void
tell_broken(const struct vito_audit_head *head, const char *why)
{
    metrics_audit_broken();
    rt_log(RT_LOG_ERROR, "audit.broken", RT_STR("tenant", head->tenant_id),
           RT_I64("seq", head->seq), RT_I64("checkpoint", head->checkpoint_seq),
           RT_STR("why", why));
}

/* False when there is nothing to sign. */
static bool
sign(struct rt_actor *self, struct auditor *auditor, size_t index)
{
    struct vito_audit_head head = head_at(auditor, index);
    if (head.seq < head.checkpoint_seq) {
        tell_broken(&head, "its end stands before its last checkpoint");
        return false;
    }
    struct vito_request request = {.op = VITO_AUDIT_CHECKPOINT};
    RT_TEXT_SET(request.tenant_id, head.tenant_id);
    request.checkpoint =
        (struct vito_checkpoint){.seq = head.seq, .chain = head.chain, .at_ms = rt_wall_ms(self)};
    RT_TEXT_SET(request.checkpoint.tenant_id, head.tenant_id);
    vito_checkpoint_sign(&request.checkpoint, auditor->world->keyring);
    submit(self, auditor, &request, auditor->request_id + 1 + index);
    return true;
}

static void
prune(struct rt_actor *self, struct auditor *auditor, size_t index)
{
    struct vito_audit_head head = head_at(auditor, index);
    struct vito_request request = {.op = VITO_AUDIT_PRUNE};
    uint8_t random[10];
    int64_t now_ms = rt_wall_ms(self);
    rt_random(self, random, sizeof(random));
    RT_TEXT_SET(request.tenant_id, head.tenant_id);
    request.prune.before_ms = now_ms - auditor->world->audit_retention_ms;
    request.prune.at_ms = now_ms;
    request.prune.rows_max = ROWS_AT_ONCE;
    vito_id_make(request.prune.id, "aud", now_ms, random);
    submit(self, auditor, &request, auditor->request_id + 1 + index);
}

/* Begins what may be begun; goes to the next page when this one is done. */
static void
go_on(struct rt_actor *self, struct auditor *auditor)
{
    size_t running_max = auditor->pruning ? 1 : SIGNING_MAX;
    while (auditor->running < running_max && auditor->begun < auditor->count) {
        size_t index = auditor->begun++;
        if (auditor->pruning)
            prune(self, auditor, index);
        if (auditor->pruning || sign(self, auditor, index))
            auditor->running++;
    }
    if (auditor->running > 0)
        return;
    if (auditor->count < VITO_AUDIT_HEADS_MAX) {
        if (auditor->pruning)
            begin_round(self, auditor); /* and what that has written is signed */
        else
            end_round(self, auditor);
        return;
    }
    struct vito_audit_head last = head_at(auditor, auditor->count - 1);
    ask_for_page(self, auditor, last.tenant_id);
}

static void
on_page(struct rt_actor *self, struct auditor *auditor, struct rt_message *message)
{
    rt_buffer_release(auditor->heads);
    auditor->heads = rt_buffer_acquire(message->buffer);
    auditor->count =
        auditor->heads == NULL ? 0 : auditor->heads->size_bytes / sizeof(struct vito_audit_head);
    go_on(self, auditor);
}

static void
on_done(struct rt_actor *self, struct auditor *auditor, size_t index,
        const struct vito_stored *stored)
{
    struct vito_audit_head head = head_at(auditor, index);
    if (stored->op == VITO_AUDIT_PRUNE && stored->more) {
        prune(self, auditor, index);
        return;
    }
    if (stored->op == VITO_AUDIT_CHECKPOINT && stored->status == RT_NOT_FOUND)
        tell_broken(&head, "its last record is gone, or has another chain");
    else if (stored->op == VITO_AUDIT_CHECKPOINT)
        metrics_audit_checkpoint();
    auditor->running--;
    go_on(self, auditor);
}

static void
on_stored(struct rt_actor *self, struct auditor *auditor, struct rt_message *message)
{
    const struct vito_stored *stored = vito_stored_of(message);
    uint64_t index = message->request_id - auditor->request_id; /* 0: the page */
    if (message->request_id < auditor->request_id || index > auditor->count)
        return;
    if (stored->status != RT_OK && stored->status != RT_NOT_FOUND)
        end_round(self, auditor);
    else if (index == 0)
        on_page(self, auditor, message);
    else
        on_done(self, auditor, index - 1, stored);
}

static void
auditor_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct auditor *auditor = state;
    if (message->kind == RT_KIND_START) { /* what a former life has left is signed first */
        auditor->pruned_ms = rt_wall_ms(self);
        begin_round(self, auditor);
        auditor->pruned_ms -= PRUNE_EVERY_MS;
    } else if (message->kind == RT_KIND_TIMER) {
        begin_round(self, auditor);
    }
    if (message->kind == VITO_STORED)
        on_stored(self, auditor, message);
}

static enum rt_status
auditor_init(struct rt_actor *self, void *state, const void *args)
{
    (void)self;
    ((struct auditor *)state)->world = args;
    return RT_OK;
}

static void
auditor_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)self, (void)reason;
    rt_buffer_release(((struct auditor *)state)->heads);
}

const struct rt_behaviour auditor_behaviour = {
    .name = "auditor",
    .state_bytes = sizeof(struct auditor),
    .limits = {.messages_max = 1000, .bytes_max = 8 << 20},
    .init = auditor_init,
    .handle = auditor_handle,
    .stop = auditor_stop,
};
