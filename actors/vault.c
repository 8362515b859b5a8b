#include "actors/vault.h"

#include <string.h>

#include "actors/messages.h"
#include "actors/vault_state.h"
#include "actors/wire.h"
#include "runtime/log.h"
#include "runtime/text.h"

enum { TRIES_MAX = 3 };

static void
finish(struct rt_actor *self, struct keeper *keeper, struct rt_message *answer)
{
    if (keeper->owed != NULL && answer != NULL)
        rt_owed_answer(self, keeper->owed, answer);
    else if (keeper->owed != NULL)
        rt_owed_failed(self, keeper->owed, RT_NO_MEMORY);
    else
        rt_message_destroy(answer);
    if (keeper->value != NULL)
        explicit_bzero(keeper->value->bytes, keeper->value->size_bytes);
    rt_buffer_release(keeper->value);
    rt_buffer_release(keeper->plan);
    keeper->owed = NULL;
    keeper->value = keeper->plan = NULL;
    vault_refresh_next(self, keeper);
}

static struct rt_message *
done_message(int status, const struct problem *problem, struct rt_buffer *json)
{
    struct rt_message *message = rt_message_create(ADMIN_DONE, sizeof(struct admin_done));
    if (message == NULL) {
        rt_buffer_release(json);
        return NULL;
    }
    struct admin_done *done = rt_message_payload(message);
    done->status = problem == NULL ? status : problem_status(problem);
    if (problem != NULL)
        done->problem = *problem;
    message->buffer = json;
    return message;
}

static struct rt_message *
written_message(int status, struct wire_writer *writer)
{
    struct wire_bytes bytes;
    struct rt_buffer *json = NULL;
    if (wire_end(writer, &bytes) == RT_OK)
        json = rt_buffer_copy(bytes.bytes, bytes.size_bytes);
    return json == NULL ? NULL : done_message(status, NULL, json);
}

static struct problem
problem_of(const struct vault_change *change, enum rt_status status)
{
    switch (status) {
    case RT_NOT_FOUND:
        if (change->what == VAULT_REMOVE)
            return problem_make(PROBLEM_NOT_FOUND, "\"%s\" has no secret \"%s\"", change->tenant_id,
                                change->name);
        return problem_make(PROBLEM_UNKNOWN_AVATAR, "there is no tenant \"%s\"", change->tenant_id);
    case RT_FULL:
        return problem_make(PROBLEM_CONFLICT, "a tenant has at most %d secrets",
                            VITO_VAULT_SECRETS_MAX);
    case RT_INVALID:
        return problem_make(PROBLEM_CONFLICT,
                            "the store was tampered with: what it has of \"%s\" does not open",
                            change->tenant_id);
    case RT_EXISTS:
        return problem_make(PROBLEM_CONFLICT, "another gateway changed it at the same time");
    case RT_NO_MEMORY:
        return problem_make(PROBLEM_OVERLOAD, NULL);
    default: {
        struct problem problem = problem_make(PROBLEM_STORE_UNAVAILABLE, NULL);
        problem.retry_after_s = 1;
        return problem;
    }
    }
}

static void
refuse(struct rt_actor *self, struct keeper *keeper, enum rt_status status)
{
    const struct problem problem = problem_of(&keeper->change, status);
    if (keeper->change.what == VAULT_ROTATE_MASTER)
        rt_log(RT_LOG_ERROR, "vault.master_not_replaced", RT_STR("reason", rt_status_name(status)));
    finish(self, keeper, done_message(0, &problem, NULL));
}

static void
write_providers(struct wire_writer *writer, const char *providers)
{
    wire_open_array(writer, "providers");
    for (const char *at = providers; *at != '\0'; at += *at == ',') {
        size_t size = strcspn(at, ",");
        wire_text_bytes(writer, NULL, at, size);
        at += size;
    }
    wire_close(writer);
}

static void
write_entry(struct wire_writer *writer, const struct vito_vault_entry *entry)
{
    wire_open_map(writer, NULL);
    wire_text(writer, "name", entry->name);
    wire_int(writer, "version", entry->version);
    write_providers(writer, entry->providers);
    wire_time(writer, "updated_at", entry->updated_ms);
    if (!entry->is_sound)
        wire_text(writer, "problem", "tampered");
    wire_close(writer);
}

/* All secrets of a tenant, or the one of that name. */
static struct rt_message *
list(const struct keeper *keeper, const struct vault_change *change)
{
    struct vito_vault_entry entries[VITO_VAULT_SECRETS_MAX];
    unsigned count;
    bool is_one = change->name[0] != '\0';
    if (vito_vault_list(keeper->world->vault, change->tenant_id, entries, &count) == RT_NOT_FOUND) {
        const struct problem problem = problem_of(change, RT_NOT_FOUND);
        return done_message(0, &problem, NULL);
    }
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    if (!is_one) {
        wire_open_map(writer, NULL);
        wire_open_array(writer, "secrets");
    }
    bool found = !is_one;
    for (unsigned i = 0; i < count; i++)
        if (!is_one || strcmp(entries[i].name, change->name) == 0) {
            write_entry(writer, &entries[i]);
            found = true;
        }
    if (!found) {
        const struct problem problem = problem_make(
            PROBLEM_NOT_FOUND, "\"%s\" has no secret \"%s\"", change->tenant_id, change->name);
        return done_message(0, &problem, NULL);
    }
    if (!is_one) {
        wire_close(writer);
        wire_close(writer);
    }
    return written_message(200, writer);
}

/* What is said of the change in the tenant's audit trail: a row of its own, ahead of the plan. */
static struct rt_buffer *
with_details(const struct keeper *keeper)
{
    const struct vault_change *change = &keeper->change;
    struct vito_sealed_writer rows = {.bytes = NULL};
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "caller", change->caller);
    if (change->name[0] != '\0')
        wire_text(writer, "secret", change->name);
    if (change->what == VAULT_PUT)
        wire_int(writer, "version", keeper->version);
    wire_close(writer);
    struct wire_bytes json;
    if (wire_end(writer, &json) != RT_OK)
        return NULL;
    struct vito_sealed details = {.kind = VITO_SEALED_DETAILS,
                                  .blob_bytes = (uint32_t)json.size_bytes};
    uint8_t *to = vito_sealed_add(&rows, &details);
    if (to != NULL)
        memcpy(to, json.bytes, json.size_bytes);
    struct vito_sealed_row row;
    for (size_t offset = 0; vito_sealed_next(keeper->plan, &offset, &row);)
        if ((to = vito_sealed_add(&rows, &row.sealed)) != NULL && row.sealed.blob_bytes > 0)
            memcpy(to, row.blob, row.sealed.blob_bytes);
    return vito_sealed_finish(&rows);
}

static void
write_plan(struct rt_actor *self, struct keeper *keeper)
{
    static const char *const events[] = {[VAULT_PUT] = "SECRET_PUT",
                                         [VAULT_REMOVE] = "SECRET_REMOVED",
                                         [VAULT_ROTATE_TENANT] = "TENANT_KEY_ROTATED"};
    struct vito_request request = {.op = VITO_VAULT_WRITE};
    if (keeper->change.what == VAULT_ROTATE_MASTER) {
        request.document = rt_buffer_acquire(keeper->plan);
    } else {
        uint8_t random[10];
        rt_random(self, random, sizeof(random));
        RT_TEXT_SET(request.tenant_id, keeper->change.tenant_id);
        request.audit.at_ms = rt_wall_ms(self);
        vito_id_make(request.audit.id, "aud", request.audit.at_ms, random);
        RT_TEXT_SET(request.audit.event, events[keeper->change.what]);
        request.document = with_details(keeper);
    }
    if (request.document == NULL)
        refuse(self, keeper, RT_NO_MEMORY);
    else
        vault_ask_store(self, keeper, KEEPER_WRITING, &request);
}

static enum rt_status
plan(struct rt_actor *self, struct keeper *keeper)
{
    struct vito_vault *vault = keeper->world->vault;
    const struct vault_change *change = &keeper->change;
    switch (change->what) {
    case VAULT_PUT: {
        const struct vito_vault_put put = {.tenant_id = change->tenant_id,
                                           .name = change->name,
                                           .providers = change->providers,
                                           .value = keeper->value->bytes,
                                           .value_bytes = keeper->value->size_bytes,
                                           .at_ms = rt_wall_ms(self)};
        return vito_vault_plan_put(vault, &put, &keeper->plan, &keeper->version);
    }
    case VAULT_REMOVE:
        return vito_vault_plan_remove(vault, change->tenant_id, change->name, &keeper->plan);
    case VAULT_ROTATE_TENANT:
        return vito_vault_plan_tenant_key(vault, change->tenant_id, &keeper->plan);
    case VAULT_ROTATE_MASTER:
        return vito_vault_plan_master(vault, &keeper->plan);
    case VAULT_LIST:
        break;
    }
    return RT_INVALID;
}

static void
answer_rotated(struct rt_actor *self, struct keeper *keeper)
{
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_int(writer, "rotated", keeper->rows);
    wire_close(writer);
    finish(self, keeper, written_message(200, writer));
}

/* All is wrapped by the next master key: now it takes the other one's place. */
static void
finish_master(struct rt_actor *self, struct keeper *keeper)
{
    char text[PROBLEM_DETAIL_BYTES];
    if (vito_vault_finish_master(keeper->world->vault, text, sizeof(text)) != RT_OK) {
        const struct problem problem = problem_make(PROBLEM_CONFLICT, "%s", text);
        rt_log(RT_LOG_ERROR, "vault.master_not_replaced", RT_STR("problem", text));
        finish(self, keeper, done_message(0, &problem, NULL));
        return;
    }
    rt_log(RT_LOG_INFO, "vault.master_replaced", RT_I64("keys", keeper->rows));
    answer_rotated(self, keeper);
}

static void
go_on(struct rt_actor *self, struct keeper *keeper)
{
    rt_buffer_release(keeper->plan);
    keeper->plan = NULL;
    enum rt_status status = plan(self, keeper);
    if (status == RT_OK)
        write_plan(self, keeper);
    else if (status == RT_EMPTY && keeper->change.what == VAULT_ROTATE_MASTER)
        finish_master(self, keeper);
    else if (status == RT_EMPTY)
        answer_rotated(self, keeper); /* a tenant that has no key has nothing to replace */
    else
        refuse(self, keeper, status);
}

/* Reads again what the plan was about. False when all of it was. */
static bool
read_again(struct rt_actor *self, struct keeper *keeper)
{
    struct vito_request request = {.op = VITO_VAULT_LIST};
    struct vito_sealed_row row;
    while (vito_sealed_next(keeper->plan, &keeper->plan_read, &row))
        if (row.sealed.kind == VITO_SEALED_KEY || row.sealed.kind == VITO_SEALED_ROOT) {
            RT_TEXT_SET(keeper->change.tenant_id, row.sealed.tenant_id);
            RT_TEXT_SET(request.tenant_id, row.sealed.tenant_id);
            vault_ask_store(self, keeper, KEEPER_READING, &request);
            return true;
        }
    return false;
}

static void
answer_written(struct rt_actor *self, struct keeper *keeper)
{
    const struct vault_change *change = &keeper->change;
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    if (change->what == VAULT_PUT) {
        wire_text(writer, "name", change->name);
        wire_int(writer, "version", keeper->version);
        write_providers(writer, change->providers);
    } else {
        wire_bool(writer, "deleted", true);
    }
    wire_close(writer);
    bool is_new = change->what == VAULT_PUT && keeper->version == 1;
    finish(self, keeper, written_message(is_new ? 201 : 200, writer));
}

static void
on_written(struct rt_actor *self, struct keeper *keeper, enum rt_status status)
{
    if (status == RT_OK)
        status = vito_vault_take(keeper->world->vault, keeper->plan);
    if (status != RT_OK) {
        keeper->plan_read = 0;
        keeper->plan_ended = status;
        if (!read_again(self, keeper))
            refuse(self, keeper, status);
        return;
    }
    struct vito_sealed_row row;
    for (size_t offset = 0; vito_sealed_next(keeper->plan, &offset, &row);)
        keeper->rows +=
            row.sealed.kind == VITO_SEALED_SECRET || keeper->change.what == VAULT_ROTATE_MASTER;
    if (keeper->change.what == VAULT_ROTATE_MASTER)
        go_on(self, keeper);
    else if (keeper->change.what == VAULT_ROTATE_TENANT)
        answer_rotated(self, keeper);
    else
        answer_written(self, keeper);
}

static void
on_read(struct rt_actor *self, struct keeper *keeper, enum rt_status status,
        const struct rt_buffer *document)
{
    struct vito_vault *vault = keeper->world->vault;
    if (status == RT_OK)
        status = keeper->change.tenant_id[0] == '\0'
                     ? vito_vault_take(vault, document)
                     : vito_vault_replace(vault, keeper->change.tenant_id, document);
    if (status != RT_OK)
        refuse(self, keeper, status);
    else if (read_again(self, keeper))
        return;
    else if (keeper->plan_ended == RT_EXISTS && ++keeper->tries < TRIES_MAX)
        go_on(self, keeper);
    else
        refuse(self, keeper, keeper->plan_ended);
}

static void
begin(struct rt_actor *self, struct keeper *keeper, const struct vault_change *change)
{
    keeper->change = *change;
    keeper->tries = 0;
    keeper->rows = 0;
    char text[PROBLEM_DETAIL_BYTES];
    if (change->what == VAULT_ROTATE_MASTER &&
        vito_vault_begin_master(keeper->world->vault, text, sizeof(text)) != RT_OK) {
        const struct problem problem = problem_make(PROBLEM_CONFLICT, "%s", text);
        finish(self, keeper, done_message(0, &problem, NULL));
        return;
    }
    go_on(self, keeper);
}

/* Each gateway has its master key in a file of its own: replaced here, the others could open
 * nothing that is sealed from then on. */
static void
refuse_shared_master(struct rt_actor *self, const struct rt_message *message)
{
    const struct problem problem = problem_make(
        PROBLEM_CONFLICT, "other gateways may be on this store, and each has the "
                          "master key in a file: docs/vault.md says how to replace it");
    struct rt_message *answer = done_message(0, &problem, NULL);
    if (answer != NULL)
        rt_answer(self, message, answer);
    else
        rt_answer_failed(self, message, RT_NO_MEMORY);
}

static void
on_change(struct rt_actor *self, struct keeper *keeper, struct rt_message *message)
{
    const struct vault_change *change = rt_message_payload(message);
    if (change->what == VAULT_LIST) {
        struct rt_message *answer = list(keeper, change);
        if (answer != NULL)
            rt_answer(self, message, answer);
        else
            rt_answer_failed(self, message, RT_NO_MEMORY);
        return;
    }
    if (change->what == VAULT_ROTATE_MASTER && keeper->world->store.listen != NULL) {
        refuse_shared_master(self, message);
        return;
    }
    if (keeper->phase != KEEPER_IDLE && keeper->phase != KEEPER_WAITING) {
        if (!rt_stash(self, message))
            rt_answer_failed(self, message, RT_NO_MEMORY);
        return;
    }
    keeper->owed = rt_owe(self, message);
    if (keeper->owed == NULL)
        return;
    keeper->value = rt_buffer_acquire(message->buffer);
    begin(self, keeper, change);
}

/* A master key that was being replaced when the gateway ended is replaced now. */
static void
on_start(struct rt_actor *self, struct keeper *keeper)
{
    const struct vault_change change = {.what = VAULT_ROTATE_MASTER};
    if (vito_vault_has_next_master(keeper->world->vault))
        begin(self, keeper, &change);
}

static void
vault_handle(struct rt_actor *self, void *state, struct rt_message *message)
{
    struct keeper *keeper = state;
    if (message->kind == RT_KIND_START)
        on_start(self, keeper);
    else if (message->kind == RT_KIND_TIMER && keeper->phase == KEEPER_WAITING)
        vault_refresh_next(self, keeper);
    else if (message->kind == VITO_NEWS)
        vault_on_news(self, keeper, vito_news_of(message));
    else if (message->kind == VAULT_CHANGE)
        on_change(self, keeper, message);
    else if (message->kind != VITO_STORED || message->request_id != keeper->request_id)
        return;
    else if (keeper->phase == KEEPER_WRITING)
        on_written(self, keeper, vito_stored_of(message)->status);
    else if (keeper->phase == KEEPER_READING)
        on_read(self, keeper, vito_stored_of(message)->status, message->buffer);
    else if (keeper->phase == KEEPER_REFRESHING)
        vault_on_refreshed(self, keeper, vito_stored_of(message)->status, message->buffer);
}

static enum rt_status
vault_init(struct rt_actor *self, void *state, const void *args)
{
    struct keeper *keeper = state;
    keeper->world = args;
    keeper->request_id = rt_numbers_from(self);
    return RT_OK;
}

static void
vault_stop(struct rt_actor *self, void *state, enum rt_exit_reason reason)
{
    (void)reason;
    struct keeper *keeper = state;
    keeper->stale_count = 0;
    keeper->all_stale = false;
    finish(self, keeper, NULL);
}

const struct rt_behaviour vault_behaviour = {
    .name = "vault",
    .state_bytes = sizeof(struct keeper),
    .limits = {.messages_max = 10000, .bytes_max = 64 << 20},
    .init = vault_init,
    .handle = vault_handle,
    .stop = vault_stop,
};
