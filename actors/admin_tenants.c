/*
 * The operators' API: tenants and their keys.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/text.h"

struct rt_message *
admin_order(enum twin_kind kind, const struct admin_operation *operation)
{
    struct rt_message *message = rt_message_create(kind, sizeof(struct registry_order));
    if (message == NULL)
        return NULL;
    struct registry_order *order = rt_message_payload(message);
    RT_TEXT_SET(order->tenant_id, operation->tenant_id);
    RT_TEXT_SET(order->key.tenant_id, operation->tenant_id);
    RT_TEXT_SET(order->caller, admin_caller_name(&operation->caller));
    return message;
}

void
admin_tenant_put(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    const struct world *world = admin->world;
    const struct rt_buffer *body = call->message->buffer;
    char problem[VITO_PROBLEM_BYTES];
    struct tenant_config *config;
    if (!vito_tenant_id_is_valid(call->segments[1])) {
        admin_refuse(
            self, call,
            problem_make(PROBLEM_INVALID_FIELD, "a tenant's id is ^[a-z0-9][a-z0-9-]{0,62}$"));
        return;
    }
    enum rt_status status = tenant_config_parse(
        call->segments[1], body == NULL ? "" : (const char *)body->bytes,
        body == NULL ? 0 : body->size_bytes, &world->adapters, &config, problem);
    if (status == RT_OK &&
        !world->policies.check(world->policies.self, rt_worker_index(self), config->policy,
                               config->rules.settings, problem)) {
        tenant_config_release(config);
        status = RT_INVALID;
    }
    if (status != RT_OK) {
        admin_refuse(self, call,
                     status == RT_INVALID ? problem_make(PROBLEM_INVALID_FIELD, "%s", problem)
                                          : problem_make(PROBLEM_OVERLOAD, NULL));
        return;
    }
    struct admin_operation *operation = admin_begin(self, admin, call);
    char *text = tenant_config_print(config);
    if (operation != NULL) {
        struct rt_message *message = admin_order(REGISTRY_TENANT_PUT, operation);
        operation->document = text == NULL ? NULL : rt_buffer_copy(text, strlen(text));
        operation->next = admin_pass_on;
        if (message != NULL && operation->document != NULL) {
            struct registry_order *order = rt_message_payload(message);
            RT_TEXT_SET(order->policy, config->policy);
            order->limit_nusd = config->rules.limits.month_nusd;
            message->buffer = rt_buffer_acquire(operation->document);
        }
        admin_ask_registry(self, admin, operation, message);
    }
    tenant_config_release(config);
    cJSON_free(text);
}

void
admin_tenant_get(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct vito_request request = {.op = VITO_TENANT_GET};
    operation->next = admin_pass_document;
    admin_ask_store(self, admin, operation, &request);
}

static void
listed_tenants(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
               struct rt_message *answer)
{
    const struct vito_stored *stored = vito_stored_of(answer);
    const struct rt_buffer *list = answer->buffer;
    if (stored->status != RT_OK || list == NULL) {
        admin_finish_refused(self, admin, operation, admin_problem_of_store(stored->status, ""));
        return;
    }
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_json(writer, "tenants", (const char *)list->bytes, list->size_bytes);
    wire_close(writer);
    admin_finish(self, admin, operation, admin_done_message(200, NULL, admin_written(writer)));
}

void
admin_tenant_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct vito_request request = {.op = VITO_TENANT_LIST};
    operation->next = listed_tenants;
    admin_ask_store(self, admin, operation, &request);
}

void
admin_tenant_delete(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct rt_message *message = admin_order(REGISTRY_TENANT_REMOVE, operation);
    operation->document = rt_buffer_copy("{\"deleted\":true}", 16);
    operation->next = admin_pass_on;
    admin_ask_registry(self, admin, operation, message);
}

static void
key_added(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
          struct rt_message *answer)
{
    const struct admin_done *done = rt_message_payload(answer);
    if (done->problem.reason != PROBLEM_NONE) {
        admin_finish_refused(self, admin, operation, done->problem);
        return;
    }
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_text(writer, "id", operation->name);
    wire_text(writer, "key", operation->secret);
    wire_close(writer);
    admin_finish(self, admin, operation, admin_done_message(201, NULL, admin_written(writer)));
}

void
admin_make_key(struct rt_actor *self, const struct admin *admin, struct admin_operation *operation,
               struct vito_key *key_out)
{
    uint8_t random[32], id_random[10];
    rt_random(self, random, sizeof(random));
    rt_random(self, id_random, sizeof(id_random));
    *key_out = (struct vito_key){.created_ms = rt_wall_ms(self)};
    vito_id_make(key_out->id, "key", key_out->created_ms, id_random);
    RT_TEXT_SET(key_out->tenant_id, operation->tenant_id);
    vito_key_make(admin->world->keyring, random, operation->secret, &key_out->digest);
    explicit_bzero(random, sizeof(random));
    RT_TEXT_SET(operation->name, key_out->id);
}

void
admin_key_add(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct rt_message *message = admin_order(REGISTRY_KEY_ADD, operation);
    if (message != NULL)
        admin_make_key(self, admin, operation,
                       &((struct registry_order *)rt_message_payload(message))->key);
    operation->next = key_added;
    admin_ask_registry(self, admin, operation, message);
}

static void
listed_keys(struct rt_actor *self, struct admin *admin, struct admin_operation *operation,
            struct rt_message *answer)
{
    const struct vito_stored *stored = vito_stored_of(answer);
    if (stored->status != RT_OK) {
        admin_finish_refused(self, admin, operation,
                             admin_problem_of_store(stored->status, operation->tenant_id));
        return;
    }
    const struct rt_buffer *list = answer->buffer;
    size_t count = list == NULL ? 0 : list->size_bytes / sizeof(struct vito_key);
    struct wire_writer *writer = wire_begin(WIRE_JSON);
    wire_open_map(writer, NULL);
    wire_open_array(writer, "keys");
    for (size_t i = 0; i < count; i++) {
        struct vito_key key;
        memcpy(&key, list->bytes + i * sizeof(key), sizeof(key));
        wire_open_map(writer, NULL);
        wire_text(writer, "id", key.id);
        wire_time(writer, "created_at", key.created_ms);
        if (key.expires_ms != 0)
            wire_time(writer, "expires_at", key.expires_ms);
        wire_close(writer);
    }
    wire_close(writer);
    wire_close(writer);
    admin_finish(self, admin, operation, admin_done_message(200, NULL, admin_written(writer)));
}

void
admin_key_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct vito_request request = {.op = VITO_KEY_LIST};
    operation->next = listed_keys;
    admin_ask_store(self, admin, operation, &request);
}

void
admin_key_delete(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct admin_operation *operation = admin_begin(self, admin, call);
    if (operation == NULL)
        return;
    struct rt_message *message = admin_order(REGISTRY_KEY_REMOVE, operation);
    if (message != NULL)
        admin_copy_id(((struct registry_order *)rt_message_payload(message))->key.id,
                      call->segments[3]);
    operation->document = rt_buffer_copy("{\"deleted\":true}", 16);
    operation->next = admin_pass_on;
    admin_ask_registry(self, admin, operation, message);
}
