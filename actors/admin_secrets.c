/*
 * The operators' API: secrets and the keys they are sealed with. Values go in and never come out.
 */
#include <cjson/cJSON.h>
#include <string.h>

#include "actors/admin_state.h"
#include "runtime/text.h"
#include "vito/json.h"

/* A secret as a request has it; its value is wiped with the document. */
struct secret_body {
    cJSON *document;
    const char *value;
    char providers[VITO_SEALED_PROVIDERS_BYTES];
};

static void
ask_vault(struct rt_actor *self, struct admin *admin, const struct admin_call *call,
          struct vault_change change, struct rt_buffer *value)
{
    struct admin_operation *operation = NULL;
    struct rt_message *message = NULL;
    RT_TEXT_SET(change.caller, admin_caller_name(&call->request->caller));
    if (admin->world->vault == NULL)
        admin_refuse(self, call, problem_make(PROBLEM_NOT_FOUND, "this gateway has no vault"));
    else
        operation = admin_begin(self, admin, call);
    if (operation != NULL)
        message = rt_message_create(VAULT_CHANGE, sizeof(change));
    if (message == NULL) {
        rt_buffer_release(value);
        if (operation != NULL)
            admin_finish(self, admin, operation, NULL);
        return;
    }
    *(struct vault_change *)rt_message_payload(message) = change;
    message->buffer = value;
    operation->next = admin_pass_on;
    rt_request(self, admin->world->keeper, message, operation->id);
}

/* A change of the tenant and secret that the path names. False when it can be no secret's name:
 * then it was refused. */
static bool
change_of(struct rt_actor *self, const struct admin_call *call, enum vault_change_what what,
          struct vault_change *change_out)
{
    *change_out = (struct vault_change){.what = what};
    if (call->segment_count > 1)
        RT_TEXT_SET(change_out->tenant_id, call->segments[1]);
    if (call->segment_count < 4 || what == VAULT_ROTATE_TENANT)
        return true;
    if (!vito_secret_name_is_valid(call->segments[3])) {
        admin_refuse(
            self, call,
            problem_make(PROBLEM_INVALID_FIELD, "a secret's name is ^[a-z0-9][a-z0-9_.-]{0,62}$"));
        return false;
    }
    RT_TEXT_SET(change_out->name, call->segments[3]);
    return true;
}

static bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct problem
read_value(struct secret_body *body, const cJSON *value)
{
    const char *text = cJSON_IsString(value) ? value->valuestring : "";
    size_t size = strlen(text);
    if (size == 0 || size > VITO_SECRET_BYTES_MAX)
        return problem_make(PROBLEM_INVALID_FIELD, "/value must be a text of 1 to %d bytes",
                            VITO_SECRET_BYTES_MAX);
    if (is_space(text[0]) || is_space(text[size - 1]))
        return problem_make(PROBLEM_INVALID_FIELD,
                            "/value begins or ends with white space: leave it out");
    body->value = text;
    return problem_make(PROBLEM_NONE, NULL);
}

static struct problem
read_providers(struct secret_body *body, const cJSON *providers, const char *name)
{
    static const char what[] = "/providers must be a list of adapters, [\"openai\"]";
    size_t used = 0;
    if (providers == NULL) {
        if (vito_secret_provider_of(name, body->providers, sizeof(body->providers)) &&
            vito_secret_providers_are_valid(body->providers))
            return problem_make(PROBLEM_NONE, NULL);
        return problem_make(PROBLEM_INVALID_FIELD,
                            "/providers is missing: the name does not begin with an adapter's");
    }
    const cJSON *provider;
    cJSON_ArrayForEach(provider, providers)
    {
        const char *text = cJSON_IsString(provider) ? provider->valuestring : "";
        int size = snprintf(body->providers + used, sizeof(body->providers) - used, "%s%s",
                            used == 0 ? "" : ",", text);
        used += (size_t)size;
        if (used >= sizeof(body->providers) || strchr(text, ',') != NULL)
            return problem_make(PROBLEM_INVALID_FIELD, "%s", what);
    }
    if (!cJSON_IsArray(providers) || !vito_secret_providers_are_valid(body->providers))
        return problem_make(PROBLEM_INVALID_FIELD, "%s", what);
    return problem_make(PROBLEM_NONE, NULL);
}

static struct problem
read_body(struct secret_body *body, const struct rt_buffer *bytes, const char *name)
{
    const char *what = "the body must be a JSON object";
    if (vito_json_parse(bytes == NULL ? "" : (const char *)bytes->bytes,
                        bytes == NULL ? 0 : bytes->size_bytes, &body->document, &what) != RT_OK ||
        !cJSON_IsObject(body->document))
        return problem_make(PROBLEM_MALFORMED_JSON, "%s", what);
    const cJSON *member;
    cJSON_ArrayForEach(member, body->document)
    {
        if (strcmp(member->string, "value") != 0 && strcmp(member->string, "providers") != 0)
            return problem_make(PROBLEM_INVALID_FIELD,
                                "a secret has /value and /providers, and nothing else");
    }
    struct problem problem =
        read_value(body, cJSON_GetObjectItemCaseSensitive(body->document, "value"));
    if (problem.reason == PROBLEM_NONE)
        problem = read_providers(
            body, cJSON_GetObjectItemCaseSensitive(body->document, "providers"), name);
    return problem;
}

/* Whatever texts a body had may have been meant as a secret. */
static void
wipe_texts(cJSON *item)
{
    for (; item != NULL; item = item->next) {
        if (item->valuestring != NULL)
            explicit_bzero(item->valuestring, strlen(item->valuestring));
        if (item->string != NULL)
            explicit_bzero(item->string, strlen(item->string));
        wipe_texts(item->child);
    }
}

void
admin_secret_put(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    struct vault_change change;
    struct secret_body body = {.document = NULL};
    struct rt_buffer *bytes = call->message->buffer, *value = NULL;
    if (change_of(self, call, VAULT_PUT, &change)) {
        struct problem problem = read_body(&body, bytes, change.name);
        if (problem.reason == PROBLEM_NONE) {
            RT_TEXT_SET(change.providers, body.providers);
            value = rt_buffer_copy(body.value, strlen(body.value));
            if (value == NULL)
                problem = problem_make(PROBLEM_OVERLOAD, NULL);
        }
        if (problem.reason == PROBLEM_NONE)
            ask_vault(self, admin, call, change, value);
        else
            admin_refuse(self, call, problem);
    }
    wipe_texts(body.document);
    cJSON_Delete(body.document);
    if (bytes != NULL)
        explicit_bzero(bytes->bytes, bytes->size_bytes);
}

static void
forward(struct rt_actor *self, struct admin *admin, const struct admin_call *call,
        enum vault_change_what what)
{
    struct vault_change change;
    if (change_of(self, call, what, &change))
        ask_vault(self, admin, call, change, NULL);
}

void
admin_secret_list(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    forward(self, admin, call, VAULT_LIST);
}

void
admin_secret_delete(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    forward(self, admin, call, VAULT_REMOVE);
}

void
admin_tenant_key_rotate(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    forward(self, admin, call, VAULT_ROTATE_TENANT);
}

void
admin_master_key_rotate(struct rt_actor *self, struct admin *admin, const struct admin_call *call)
{
    const struct vault_change change = {.what = VAULT_ROTATE_MASTER};
    ask_vault(self, admin, call, change, NULL);
}
